"""Which model makes the vectors: the one that was named, the one that is set, else one that can be called now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from litellm_skill import access, endpoints, nearest, providers
from litellm_skill.access import EMBEDDING, Access
from litellm_skill.catalog import Catalog, Model
from litellm_skill.faults import BadInput, NotSetUp, UnknownModel
from litellm_skill.providers import Provider
from litellm_skill.settings import Settings

DEMO_MODEL = "demo/vectors"


@dataclass(frozen=True)
class Choice:
    """``why`` is None when the caller named the model himself."""

    model: Model
    access: Access
    why: str | None = None


def choose(name: str | None, settings: Settings, catalog: Catalog, today: date) -> Choice:
    """Raises UnknownModel, BadInput for a model that does something else, NotSetUp when there is none to choose."""
    if name is not None:
        return _named(name, settings, catalog, today)
    if setting := settings.find(EMBEDDING.model):
        why = f"{EMBEDDING.model} from {setting.source}"
        return _named(access.profile_model(settings, EMBEDDING) or "", settings, catalog, today, why)
    if setting := settings.find(EMBEDDING.provider):
        ids = [id for id in catalog.file.embedding if id.startswith(f"{setting.value}/")]
        if not ids:
            what = f"{EMBEDDING.provider} is {setting.value} ({setting.source}), but no model is set"
            raise NotSetUp(what, f"set {EMBEDDING.model}")
        return _named(ids[0], settings, catalog, today, f"{EMBEDDING.provider} from {setting.source}")
    for id in catalog.file.embedding:
        if _usable(id.partition("/")[0], settings):
            return _named(id, settings, catalog, today, "the first embedding model you have a key for")
    for id in _local(settings):
        return _named(id, settings, catalog, today, "the only embedding model at hand is on this machine")
    raise NotSetUp(
        "no embedding model is configured: no provider's key is set and no local server has one",
        f"set {EMBEDDING.provider}, {EMBEDDING.model}, {EMBEDDING.key}, or a key such as OPENAI_API_KEY, or try --demo",
    )


def with_window(choice: Choice) -> Choice:
    """Ollama is asked how much its model reads, as nothing else says so."""
    if choice.access.provider.name != "ollama":
        return choice
    window = endpoints.ollama_window(choice.access.endpoint or "", choice.model.id.split("/", 1)[1])
    return replace(choice, model=replace(choice.model, context=window or choice.model.context))


def _named(name: str, settings: Settings, catalog: Catalog, today: date, why: str | None = None) -> Choice:
    if name.split("/", 1)[0] == providers.DEMO:
        return Choice(Model.unlisted(name if "/" in name else DEMO_MODEL), Access(Provider(providers.DEMO)), why)
    model = _resolve(name, settings, catalog, today)
    if catalog.table.row(model.id) is not None and model.mode != "embedding":
        what = f"{model.id} makes no vectors (its mode is {model.mode})"
        raise BadInput(what, _nearest(model.id, settings, catalog))
    return Choice(model, access.reach(model.provider, settings, model=model.id, profile=EMBEDDING), why)


def _resolve(name: str, settings: Settings, catalog: Catalog, today: date) -> Model:
    try:
        return catalog.resolve(name, usable=lambda provider: _usable(provider, settings), today=today)
    except UnknownModel as fault:
        served = {id.split("/", 1)[1]: id for id in _local(settings)} if "/" not in name else {}
        if id := served.get(name) or served.get(f"{name}:latest"):
            return catalog.resolve(id, usable=lambda _: True, today=today)
        raise UnknownModel(fault.message, _nearest(name, settings, catalog)) from None


def _nearest(name: str, settings: Settings, catalog: Catalog) -> str:
    """A hint at embedding models that can be called, else at those that could be with a key."""
    known = [id for id, row in catalog.table.rows.items() if row.get("mode") == "embedding"]
    mine = [id for id in known if _usable(id.partition("/")[0], settings)]
    names = nearest.nearest(name, mine or known, chosen=catalog.file.embedding, vendor=name.partition("/")[0])
    return f"nearest: {', '.join(names)}" + ("" if mine else " (each needs a key; none is set)")


def _usable(provider: str, settings: Settings) -> bool:
    return access.usable(provider, settings, EMBEDDING)


def _local(settings: Settings) -> Iterator[str]:
    """Ids of the embedding models that servers on this machine say they have."""
    for name, provider in providers.table().items():
        if provider.port is not None:
            yield from (served.id for served in endpoints.serve(name, settings) if served.embedding)
