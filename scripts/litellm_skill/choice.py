"""Which model to call: the one that was named, the one that is set, or another vendor's best."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from litellm_skill import access, demo, endpoints, providers
from litellm_skill.access import Access
from litellm_skill.catalog import Catalog, Model
from litellm_skill.deployments import Group, Groups
from litellm_skill.faults import NotSetUp, UnknownModel
from litellm_skill.host import Host
from litellm_skill.providers import Provider
from litellm_skill.settings import Origin, Settings, env_files_below

TAGGED = re.compile(r"[^/\s]+:[^/\s]+")


@dataclass(frozen=True)
class Choice:
    """``why`` is None when the caller named the model himself. Of a ``group`` of deployments, ``model`` and ``access``
    are the first one's."""

    model: Model
    access: Access
    why: str | None = None
    warnings: tuple[str, ...] = ()
    group: Group | None = None

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self.group.name if self.group else self.model.id

    @property
    def vendor(self) -> str:
        """Whose model it is, or ""."""
        return providers.vendor_of(self.access.provider, self.model.id, self.access.endpoint)


@dataclass(frozen=True)
class Chooser:
    """What there is to choose from."""

    settings: Settings
    catalog: Catalog
    host: Host | None
    today: date
    groups: Groups | None = None

    def choose(self, name: str | None) -> Choice:
        """Raises UnknownModel, or NotSetUp when nothing was named and there is nothing to choose from."""
        if name is not None:
            return self._named(name)
        if setting := self.settings.find("LLM_MODEL"):
            return self._named(access.profile_model(self.settings) or "", f"LLM_MODEL from {setting.source}")
        if setting := self.settings.find("LLM_PROVIDER"):
            return self._named(f"{setting.value}:best", f"LLM_PROVIDER from {setting.source}")
        return self._best_elsewhere()

    def usable(self, provider: str) -> bool:
        return access.usable(provider, self.settings)

    def _named(self, name: str, why: str | None = None) -> Choice:
        if group := self.groups.find(name) if self.groups else None:
            return self._group(group, why)
        if name.split("/", 1)[0] == providers.DEMO:
            return _demo(name, why)
        model = self._resolve(name)
        way = access.reach(model.provider, self.settings, model=model.id)
        if way.address is None:
            model = self._resolve(model.id, strict_names=True)
        return Choice(model, way, why, (*way.warnings, *self._inherited(way)))

    def _group(self, group: Group, why: str | None) -> Choice:
        """Raises what keeps all of its deployments from being used."""
        if group.missing:
            raise group.missing
        first = group.deployments[0]
        names = (first.base_model, first.model)
        known = next((found for name in names if name and (found := self.catalog.find(name))), None)
        model = replace(known or Model.unlisted(first.model), id=first.model, provider=first.access.provider.name)
        return Choice(model, first.access, why, group.warnings, group)

    def _resolve(self, name: str, *, strict_names: bool = False) -> Model:
        try:
            return self.catalog.resolve(name, usable=self.usable, today=self.today, strict_names=strict_names)
        except UnknownModel:
            if not TAGGED.fullmatch(name) or name not in {s.name for s in endpoints.serve("ollama", self.settings)}:
                raise
            return self._resolve(f"ollama/{name}")

    def _best_elsewhere(self) -> Choice:
        """The best model of a configured vendor other than the host's own."""
        own = self.host.vendor if self.host else ""
        first: Choice | None = None
        for choice in self._bests():
            if choice.vendor != own or not own:
                return choice
            if first is None or (first.warnings and not choice.warnings):  # the user's own key before an inherited one
                first = choice
        if first is not None:
            return first
        return self._largest_local()

    def _bests(self) -> Iterator[Choice]:
        own = self.host
        for provider in filter(self.usable, self.catalog.vendor_order):
            choice = self._named(f"{provider}:best")
            yield Choice(choice.model, choice.access, _compared(choice.vendor, own), choice.warnings)

    def _largest_local(self) -> Choice:
        served = endpoints.local_models(self.settings)
        if not served:
            raise _nothing_configured()
        id = served[0].id
        model = self.catalog.find(id) or Model.unlisted(id)  # llama.cpp may name a model by its path
        way = access.reach(model.provider, self.settings, model=id)
        return Choice(model, way, "the only models at hand are on this machine", way.warnings)

    def _inherited(self, way: Access) -> tuple[str, ...]:
        """Under an agent, a key or address that is the agent's own is named."""
        if self.host is None:
            return ()
        origin = Origin.ENVIRONMENT.value
        used = ((way.key_name, way.key_source), (way.address_name, way.address_source))
        names = [name for name, source in used if name in self.host.inherited and source == origin]
        if not names:
            return ()
        return (f"{' and '.join(names)}: inherited from {self.host.name}, so this call is on its account",)


def with_window(choice: Choice) -> Choice:
    """Ollama is asked for the window of its model: the only one that cuts what is too long without a word."""
    if choice.access.provider.name != "ollama":
        return choice
    window = endpoints.ollama_window(choice.access.endpoint or "", choice.model.id.split("/", 1)[1])
    if window is None:
        unknown = f"the window of {choice.model.id} is not known: a long prompt may be cut without a word"
        return replace(choice, warnings=(*choice.warnings, unknown))
    return replace(choice, model=replace(choice.model, context=window))


def _demo(name: str, why: str | None) -> Choice:
    provider = Provider(providers.DEMO, litellm=providers.DEMO)
    model = Model.unlisted(name if "/" in name else demo.MODEL)
    return Choice(model, Access(provider), why)


def _compared(vendor: str, host: Host | None) -> str:
    if host is None:
        return "the best of a vendor you have a key for"
    if not host.vendor:
        return f"whose model {host.name} runs is not known, so it may be the same vendor"
    if vendor == host.vendor:
        return f"no other vendor than {host.name}'s own is configured"
    return f"another vendor than {host.name}'s {host.vendor}"


def _nothing_configured() -> NotSetUp:
    below = env_files_below(Path.cwd())
    if below:
        path = below[0].relative_to(Path.cwd())
        return NotSetUp(f"no model is configured; {path} is there but is not read", f"add --env-file {path}")
    return NotSetUp(
        "no model is configured: no provider's key is set and no local server answers",
        "set a key such as OPENAI_API_KEY in the environment or in ~/.config/litellm-skill/.env, or try --demo",
    )
