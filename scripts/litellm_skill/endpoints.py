"""What local servers and a LiteLLM proxy say they serve. Standard library only; asking is bounded in time and size."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeGuard

from litellm_skill import access, catalog, download, price, pricetable, providers
from litellm_skill.access import Access
from litellm_skill.catalog import EMBEDDING, Model
from litellm_skill.download import Request
from litellm_skill.faults import Fault, ProviderFailure, UnknownModel
from litellm_skill.price import Price
from litellm_skill.settings import Settings

PROXY = "litellm_proxy"
PATIENCE_ASKED = 2.0  # seconds, for a server that was asked for
PATIENCE = 0.2
PROXY_PATIENCE = 5.0  # its list may come from a database
MAX_BYTES = 2_000_000
PROXY_MAX_BYTES = 50_000_000  # litellm 1.106.2 writes some 7,400 bytes a model
MAX_NAME = 200  # characters
MAX_SHOWN = 32  # models of which Ollama is asked for more than the name


@dataclass(frozen=True)
class Served:
    """One model of a local server; ``size`` in bytes, 0 where the server does not say; ``context`` in tokens."""

    provider: str
    name: str
    size: int = 0
    embedding: bool = False
    context: int | None = None

    @property
    def id(self) -> str:
        return f"{self.provider}/{self.name}"


def local_models(settings: Settings) -> list[Served]:
    """Chat models of the local servers that answer, the largest first (within the order of the providers' table)."""
    found = download.together([partial(serve, name, settings) for name in local_providers()])
    return [served for some in found if isinstance(some, list) for served in some if not served.embedding]


def local_providers() -> list[str]:
    return [name for name, provider in providers.table().items() if provider.port is not None]


def serve(provider_name: str, settings: Settings) -> list[Served]:
    """Models of one local server, the largest first; empty when it does not answer."""
    try:
        return ask_local(provider_name, settings)
    except Fault:
        return []


def ask_local(provider_name: str, settings: Settings) -> list[Served]:
    """The same. Raises ProviderFailure when it does not answer, or not with a list, and NotSetUp when its address or
    key cannot be one."""
    return listed_at(access.reach(provider_name, settings, model=f"{provider_name}/"))


def listed_at(way: Access) -> list[Served]:
    """The same of a server that is known how to be reached."""
    provider_name = way.provider.name
    address = str(way.endpoint).rstrip("/")
    patience = PATIENCE_ASKED if way.address else PATIENCE
    if provider_name == "ollama":
        rows = _rows(Request(f"{address}/api/tags", patience, MAX_BYTES, way.key), "models")
        models = [_ollama(row) for row in rows if _is_name(row.get("name"))]
    else:
        rows = _rows(Request(f"{address}/models", patience, MAX_BYTES, way.key), "data")
        models = list({row["id"]: _named(provider_name, row) for row in rows if _is_name(row.get("id"))}.values())
    return sorted(models, key=lambda served: -served.size)


def has_no_model(provider_name: str, settings: Settings) -> bool:
    """Whether a local server answers, and has none for chat."""
    try:
        return all(served.embedding for served in ask_local(provider_name, settings))
    except Fault:
        return False


def ollama_name(name: str, settings: Settings) -> str | None:
    """What Ollama lists a model as: so, or with the tag it takes where none is given; None when it does not."""
    return _listed_as(name, serve("ollama", settings))


def not_pulled(name: str, way: Access) -> UnknownModel | None:
    """That an Ollama which answers does not list this model; None when it does, or does not answer."""
    try:
        served = listed_at(way)
    except Fault:
        return None
    if _listed_as(name, served):
        return None
    has = f"; it has: {', '.join(one.name for one in served[:3])}" if served else ""
    return UnknownModel(f"Ollama at {way.host} has no model {name!r}", f"type: ollama pull {name}{has}")


def _listed_as(name: str, served: list[Served]) -> str | None:
    names = {one.name for one in served}
    return next((one for one in (name, f"{name}:latest") if one in names), None)


def ollama_window(address: str, model: str) -> int | None:
    """The context an Ollama model was made for, in tokens; None when the server does not say."""
    return _window(_shown(address, model))


def with_ollama_details(models: list[Model], address: str, patience: float) -> list[Model]:
    """Window and abilities as Ollama tells them, which it does a model at a time; of the first ``MAX_SHOWN``."""
    names = [model.id.split("/", 1)[1] for model in models[:MAX_SHOWN]]
    shown = download.together([partial(_shown, address, name, patience) for name in names])
    told = [_told(*pair) for pair in zip(models, shown, strict=False)]
    return [*told, *models[MAX_SHOWN:]]


def _told(model: Model, shown: Any) -> Model:
    """``capabilities`` is a list of all that it can, in servers since 0.6.4."""
    window = _window(shown)
    abilities = shown.get("capabilities") if isinstance(shown, dict) else None
    told = replace(model, context=window) if window else model
    if not isinstance(abilities, list):
        return told
    return replace(
        told,
        mode=EMBEDDING if "embedding" in abilities and "completion" not in abilities else model.mode,
        vision="vision" in abilities,
        tools="tools" in abilities,
        reasoning="thinking" in abilities,
    )


def _shown(address: str, model: str, patience: float = PATIENCE_ASKED) -> Any:
    """None when the server does not say."""
    request = Request(f"{address.rstrip('/')}/api/show", patience, MAX_BYTES, document={"model": model})
    try:
        return download.fetch_json(request)
    except Fault:
        return None


def _window(shown: Any) -> int | None:
    info = shown.get("model_info") if isinstance(shown, dict) else None
    sizes = [size for name, size in info.items() if name.endswith(".context_length")] if isinstance(info, dict) else []
    return sizes[0] if sizes and _is_count(sizes[0]) else None


def _ollama(row: Mapping[str, Any]) -> Served:
    details = row.get("details")
    family = str(details.get("family", "")) if isinstance(details, dict) else ""
    size = row.get("size")
    embedding = "bert" in family or _embeds(row["name"])
    return Served("ollama", row["name"], size if isinstance(size, int) else 0, embedding)


def _named(provider_name: str, row: Mapping[str, Any]) -> Served:
    """vLLM tells the window as ``max_model_len``."""
    context = row.get("max_model_len")
    return Served(provider_name, row["id"], 0, _embeds(row["id"]), context if _is_count(context) else None)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _embeds(name: str) -> bool:
    return "embed" in name.lower()


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value.strip()) <= MAX_NAME


def _rows(request: Request, key: str) -> list[Mapping[str, Any]]:
    """Raises ProviderFailure when the answer is no list."""
    document = download.fetch_json(request)
    rows = document.get(key) if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise ProviderFailure(f"{request.host} did not answer with a list of models", "check the address")
    return [row for row in rows if isinstance(row, dict)]


def ask_proxy(settings: Settings, patience: float = PROXY_PATIENCE) -> list[Model]:
    """Models of the LiteLLM proxy as ``litellm_proxy/NAME``, with window, price and abilities as far as it tells them.
    Raises NotSetUp when the key or the address is missing, or may not be used together, and ProviderFailure when the
    proxy does not answer with a list within ``patience`` seconds."""
    way = access.reach(PROXY, settings, model=f"{PROXY}/")
    if way.missing:
        raise way.missing
    until = time.monotonic() + patience
    try:
        return _of_deployments(_proxy_rows(way, "/v1/model/info", patience))
    except ProviderFailure as fault:
        if fault.http_status is None or 300 <= fault.http_status < 400:
            raise
    left = max(until - time.monotonic(), 0.1)
    return [Model.unlisted(f"{PROXY}/{name}") for name in _proxy_names(way, "/v1/models", left) if "*" not in name]


def proxy_wildcards(settings: Settings, patience: float = PROXY_PATIENCE) -> list[str]:
    """Names with a star that the proxy passes on (``openai/*``), the narrowest first; it tells of them only when asked,
    and lists no more than the models it knows behind them. Empty when it does not answer."""
    way = access.reach(PROXY, settings, model=f"{PROXY}/")
    try:
        names = _proxy_names(way, "/v1/models?return_wildcard_routes=true", patience)
    except Fault:
        return []
    return sorted((name for name in names if "*" in name), key=len, reverse=True)


def _proxy_names(way: Access, path: str, patience: float) -> list[str]:
    names = [row["id"] for row in _proxy_rows(way, path, patience) if _is_name(row.get("id"))]
    return list(dict.fromkeys(names))


def _proxy_rows(way: Access, path: str, patience: float) -> list[Mapping[str, Any]]:
    address = str(way.address).rstrip("/").removesuffix("/v1")
    return _rows(Request(address + path, patience, PROXY_MAX_BYTES, way.key), "data")


def _of_deployments(rows: list[Mapping[str, Any]]) -> list[Model]:
    """A model that has several deployments can what all of them can, at the price of the dearest."""
    found: dict[str, Model] = {}
    for row in rows:
        name, info = row.get("model_name"), row.get("model_info")
        if not _is_name(name) or "*" in name:  # a wildcard names no model
            continue
        told = pricetable.sane(info if isinstance(info, dict) else {})
        model = catalog.from_row(f"{PROXY}/{name}", told, price.from_row(told))
        model = replace(model, behind=_behind(row))
        found[name] = _least(found[name], model) if name in found else model
    return list(found.values())


def _behind(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a deployment calls: LiteLLM's id, and for one that is named freely (Azure) the model that it states."""
    params, info = (
        part if isinstance(part, dict) else {} for part in (row.get("litellm_params"), row.get("model_info"))
    )
    provider = params.get("custom_llm_provider") or info.get("litellm_provider")
    called = (params.get("model"), info.get("base_model"))
    ids = (name if "/" in name or not _is_name(provider) else f"{provider}/{name}" for name in called if _is_name(name))
    return tuple(dict.fromkeys(ids))


def _least(one: Model, other: Model) -> Model:
    """What holds of both deployments."""
    flags: dict[str, Any] = {name: _both(getattr(one, name), getattr(other, name)) for name in catalog.ABILITIES}
    return replace(
        one,
        context=_smaller(one.context, other.context),
        max_output=_smaller(one.max_output, other.max_output),
        price=_dearer(one.price, other.price),
        behind=tuple(dict.fromkeys((*one.behind, *other.behind))),
        **flags,
    )


def _both(one: bool | None, other: bool | None) -> bool | None:
    return False if one is False or other is False else None if one is None or other is None else True


def _smaller(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else min(one, other)


def _dearer(one: Price | None, other: Price | None) -> Price | None:
    return None if one is None or other is None else max(one, other, key=lambda rates: rates.input + rates.output)
