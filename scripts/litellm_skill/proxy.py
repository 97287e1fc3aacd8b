"""The LiteLLM proxy that models are asked through once its address and key are set, and which of its names is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property

from litellm_skill import access, endpoints, nearest, providers
from litellm_skill.access import Access
from litellm_skill.catalog import Model
from litellm_skill.endpoints import PROXY
from litellm_skill.faults import ProviderFailure, UnknownModel
from litellm_skill.settings import Settings

CHAT = ("chat", "responses")


@dataclass(frozen=True)
class Proxy:
    """``models`` by the proxy's own names; None when it did not give its list, and ``why``."""

    settings: Settings
    access: Access
    models: Mapping[str, Model] | None
    why: str = ""

    @property
    def host(self) -> str:
        return self.access.host or PROXY

    @property
    def warnings(self) -> tuple[str, ...]:
        unknown = f"the models of {self.host} are not known ({self.why}): the name is sent as it is"
        return (*self.access.warnings, *([unknown] if self.models is None else []))

    @cached_property
    def wildcards(self) -> Sequence[str]:
        """Asked for once, when a name is not on the list."""
        return endpoints.proxy_wildcards(self.settings)

    def name_of(self, asked: str, ids: Sequence[str]) -> str | None:
        """The proxy's name for what was asked for: that name itself, else an id that it stands for, that id without its
        provider, a name whose deployments call it, a model of another provider by that bare name, or a wildcard that
        takes the id. ``ids`` are full."""
        models = self.models or {}
        wanted = [asked, *(name for id in ids for name in (id, id.partition("/")[2]))]
        if found := next((name for name in wanted if name in models), None):
            return found
        if found := next((name for id in (asked, *ids) for name in self._calling(id)), None):
            return found
        if "/" not in asked and (found := next((name for name in models if name.endswith(f"/{asked}")), None)):
            return found
        return next((id for id in ids or [asked] if any(fnmatchcase(id, glob) for glob in self.wildcards)), None)

    def _calling(self, id: str) -> list[str]:
        """Names of which a deployment calls this model; first those that call nothing else."""
        models = self.models or {}
        found = [name for name, model in models.items() if any(_same(id, called) for called in model.behind)]
        return sorted(found, key=lambda name: len(models[name].behind))

    def names_of(self, vendor: str, provider: str) -> list[str]:
        """Names for chat with a vendor's models alone behind them; with ``provider``'s where ``vendor`` is ""."""
        return [name for name in self.chat() if self._is_of(name, vendor, provider)]

    def _is_of(self, name: str, vendor: str, provider: str) -> bool:
        ids = (self.models or {})[name].behind or (name,)
        if not vendor:
            return all(id.startswith(f"{provider}/") for id in ids)
        return {providers.maker(id) for id in ids} - {""} == {vendor}

    def model(self, name: str, known: Model | None) -> Model:
        """``known``: the catalogue's, for what the proxy does not say."""
        id = f"{PROXY}/{name}"
        listed = (self.models or {}).get(name)
        model = listed if listed and listed.known else known or listed or Model.unlisted(id)
        mode = "chat" if model.mode in CHAT else model.mode  # the proxy itself speaks the Responses API where it must
        return replace(model, id=id, provider=PROXY, mode=mode)

    def first(self) -> str:
        """The first model for chat on its list. Raises UnknownModel."""
        for name in self.chat():
            return name
        raise UnknownModel(f"{self.host} lists no model for chat", "ask whoever runs it, or add --no-proxy")

    def lacks(self, asked: str, ids: Sequence[str]) -> UnknownModel:
        names = nearest.nearest(ids[0] if ids else asked, self.chat(), chosen=(), vendor="")
        nearby = f"nearest of its names: {', '.join(names)}" if names else "it lists none"
        meant = f" ({ids[0]})" if ids and ids[0] != asked else ""
        return UnknownModel(f"{self.host} lists no model {asked!r}{meant}", f"{nearby}; or add --no-proxy")

    def chat(self) -> list[str]:
        """Names of its models for chat, in its order."""
        return [name for name, model in (self.models or {}).items() if model.mode in CHAT]


def _same(id: str, called: str) -> bool:
    """Whether a deployment calls this id; without a provider on either side the name alone decides."""
    if "/" in id and "/" in called:
        return id == called
    return (id.partition("/")[2] or id) == (called.partition("/")[2] or called)


def find(settings: Settings) -> Proxy | None:
    """The proxy whose address and key may be used together, asked for its list; None when there is none. Raises
    NotSetUp when one of the two cannot be what it is."""
    way = access.reach(PROXY, settings, model=f"{PROXY}/")
    if way.missing:
        return None
    try:
        models = endpoints.ask_proxy(settings)
    except ProviderFailure as failure:
        return Proxy(settings, way, None, failure.message)
    return Proxy(settings, way, {model.id.split("/", 1)[1]: model for model in models})


def unused(settings: Settings) -> tuple[str, ...]:
    """Why an address of a proxy that is set is not used."""
    way = access.reach(PROXY, settings, model=f"{PROXY}/")
    if not way.missing or not (way.address or way.warnings):
        return ()
    if way.warnings:
        return way.warnings
    return (f"{way.address_name} is not used: no LITELLM_PROXY_API_KEY (a proxy that wants none takes any)",)
