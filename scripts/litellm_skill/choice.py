"""Which model to call: the one that was named, the one that is set, or another vendor's best."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from litellm_skill import access, demo, endpoints, nearest, price, providers, proxy
from litellm_skill.access import Access
from litellm_skill.catalog import ROLES, Catalog, Model
from litellm_skill.deployments import Group, Groups
from litellm_skill.endpoints import PROXY
from litellm_skill.faults import NotSetUp, UnknownModel
from litellm_skill.host import Host
from litellm_skill.providers import Provider
from litellm_skill.proxy import Proxy
from litellm_skill.settings import Origin, Settings, env_files_below


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
        """Whose model it is, or "": of a proxy's by what its deployments call, where it tells that."""
        makers = {providers.maker(id) for id in self.model.behind} - {""}
        if makers:
            return makers.pop() if len(makers) == 1 else ""
        return providers.vendor_of(self.access.provider, self.model.id, self.access.endpoint)


@dataclass(frozen=True)
class Chooser:
    """What there is to choose from. ``through_proxy``: a LiteLLM proxy that is set takes the place of the providers."""

    settings: Settings
    catalog: Catalog
    host: Host | None
    today: date
    groups: Groups | None = None
    through_proxy: bool = True

    @cached_property
    def proxy(self) -> Proxy | None:
        return proxy.find(self.settings) if self.through_proxy else None

    def choose(self, name: str | None) -> Choice:
        """Raises UnknownModel, or NotSetUp when nothing was named and there is nothing to choose from."""
        if name is not None:
            return self._named(name)
        if setting := self.settings.find("LLM_MODEL"):
            return self._named(access.profile_model(self.settings) or "", f"LLM_MODEL from {setting.source}")
        setting = self.settings.find("LLM_PROVIDER")
        if setting and setting.value != PROXY:
            return self._named(f"{setting.value}:best", f"LLM_PROVIDER from {setting.source}")
        return self._best_elsewhere()

    def usable(self, provider: str) -> bool:
        return access.usable(provider, self.settings)

    def able(self, ability: str) -> list[str]:
        """At most three names of models that have an ability (vision, tools, schema, reasoning or pdf) and can be
        called: the proxy's own names where there is one."""
        if self.proxy is None:
            return [model.id for model in self.catalog.able(ability, self.usable, self.today)]
        models = ((name, self._through(self.proxy, name)) for name in self.proxy.chat())
        return [name for name, model in models if getattr(model, ability) is True][:3]

    def _named(self, name: str, why: str | None = None) -> Choice:
        try:
            return self._single(name, why)
        except UnknownModel as fault:
            if not self.groups or not self.groups.names or "/" in name:
                raise
            groups = ", ".join(nearest.nearest(name, self.groups.names, chosen=(), vendor=""))
            raise UnknownModel(fault.message, f"groups of the file: {groups}; {fault.hint}") from None

    def _single(self, name: str, why: str | None) -> Choice:
        if group := self.groups.find(name) if self.groups else None:
            return self._group(group, why)
        if name.split("/", 1)[0] == providers.DEMO:
            return _demo(name, why)
        if self.proxy and (choice := self._proxied(name, self.proxy)):
            return replace(choice, why=why or choice.why)
        model = self._resolve(name)
        way = access.reach(model.provider, self.settings, model=model.id)
        if way.address is None and way.provider.port is None:
            model = self._resolve(model.id, strict_names=True)
        unused = proxy.unused(self.settings) if self.through_proxy else ()
        if way.missing and unused:
            way = replace(way, missing=NotSetUp(way.missing.message, unused[0]))
        return Choice(model, way, why, tuple(dict.fromkeys((*way.warnings, *unused, *self._inherited(way)))))

    def _proxied(self, name: str, proxy: Proxy) -> Choice | None:
        """None for a model of a server on this machine that is not on the proxy's list. Raises UnknownModel."""
        asked = name.removeprefix(f"{PROXY}/")
        ids = self._meant(asked)
        at_home = providers.get(re.split("[/:]", asked)[0]).port is not None
        if at_home and asked not in (proxy.models or {}):
            return None
        if proxy.models is not None:
            found = proxy.name_of(asked, ids)
        else:
            found = asked if "/" in asked or not ids or not self._is_another_name(asked) else ids[0]
        why = None
        if found is None:
            found, why = self._in_place_of(asked, proxy)
        if found is None:
            raise proxy.lacks(asked, ids)
        return Choice(self._through(proxy, found), proxy.access, why, proxy.warnings)

    def _in_place_of(self, asked: str, proxy: Proxy) -> tuple[str | None, str | None]:
        """For a role or an alias whose own model the proxy does not list, another of that vendor, and why."""
        target = self.catalog.aliases.get(asked.lower(), (asked,))[0]
        left, _, role = target.partition(":")
        if role in ROLES:
            provider = self.catalog.file.provider_names.get(left.lower(), left.lower())
            vendor, line = providers.get(provider).vendor, ""
        elif target != asked:  # of one line of a vendor's models: haiku is not opus
            provider, vendor, line = target.partition("/")[0], providers.maker(target), asked.lower()
        else:
            return None, None
        found = [self._through(proxy, name) for name in proxy.names_of(vendor, provider)]
        found = [model for model in found if any(line in id.lower() for id in (model.id, *model.behind))]
        if not found:
            return None, None
        model = min(found, key=_cheapness) if role == "cheap" else max(found, key=_dearness)
        what = "cheapest" if role == "cheap" else "dearest"
        return model.id.removeprefix(f"{PROXY}/"), f"{asked}: the {what} of {line or vendor or provider} on its list"

    def _meant(self, name: str) -> list[str]:
        """Full ids that a name may stand for, in the order they are tried."""
        ids = []
        for target in self.catalog.aliases.get(name.lower(), (name,)):
            with contextlib.suppress(UnknownModel):
                ids.append(self.catalog.resolve(target, usable=lambda _: True, today=self.today).id)
        return ids

    def _is_another_name(self, name: str) -> bool:
        """An alias or a role, which mean nothing to others."""
        return name.lower() in self.catalog.aliases or ":" in name

    def _through(self, proxy: Proxy, name: str) -> Model:
        """With what the user's models.toml states of it."""
        model = proxy.model(name, self.catalog.find(name))
        stated = self.catalog.file.models.get(model.id)
        return replace(model, known=True, **stated.facts) if stated else model

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
            model = self.catalog.resolve(name, usable=self.usable, today=self.today, strict_names=strict_names)
        except UnknownModel:
            if found := self._at_home(name):
                return found
            raise
        if model.known or providers.get(model.provider).listed or self.usable(model.provider):
            return model
        return self._at_home(name) or model

    def _at_home(self, name: str) -> Model | None:
        """A role of a local server (``ollama:best``), or a model as Ollama lists it: ``hf.co/maker/model:tag``, too."""
        left, _, role = name.partition(":")
        provider = providers.get(left)
        if role in ROLES and provider.port is not None:
            return self._of_server(provider, role)
        found = endpoints.ollama_name(name, self.settings)
        return self.catalog.served(f"ollama/{found}") if found else None

    def _of_server(self, provider: Provider, role: str) -> Model:
        """The smallest for ``cheap``, else the largest. Raises UnknownModel when it has none, and ProviderFailure or
        NotSetUp when it cannot be asked."""
        served = [one for one in endpoints.ask_local(provider.name, self.settings) if not one.embedding]
        if not served:
            hint = "type: ollama pull NAME" if provider.name == "ollama" else "load a model there"
            raise UnknownModel(f"{provider.name} answers, but has no model for chat", hint)
        own = [one for one in served if self.catalog.served(one.id).price == price.LOCAL]  # not Ollama's paid service
        some = own or served
        one = min(some, key=lambda each: each.size) if role == "cheap" else some[0]
        return self.catalog.served(one.id)

    def _best_elsewhere(self) -> Choice:
        """The best model of a configured vendor, or on the proxy's list, other than the host's own."""
        own = self.host.vendor if self.host else ""
        first: Choice | None = None
        for choice in self._bests():
            if choice.vendor != own or not own:
                return choice
            if first is None or (first.warnings and not choice.warnings):  # the user's own key before an inherited one
                first = choice
        if first is not None:
            return first
        if self.proxy:
            return replace(self._named(self.proxy.first()), why="the first on the proxy's list: none there has a role")
        return self._largest_local()

    def panel(self, most: int) -> list[Choice]:
        """The bests of several vendors other than the host's own. Raises NotSetUp when there is nothing."""
        own = self.host.vendor if self.host else ""
        found: dict[str, Choice] = {}
        for choice in self._bests():
            if choice.vendor != own or not own:
                found.setdefault(choice.vendor or choice.model.id, choice)
        return list(found.values())[:most] or [self._best_elsewhere()]

    def _bests(self) -> Iterator[Choice]:
        for provider in self.catalog.vendor_order:
            if not self.proxy and not self.usable(provider):
                continue
            try:
                choice = self._named(f"{provider}:best")
            except UnknownModel:
                if not self.proxy:
                    raise
                continue  # the proxy does not have it
            yield replace(choice, why=_compared(choice, self.host))

    def _largest_local(self) -> Choice:
        served = endpoints.local_models(self.settings)
        if not served:
            raise _nothing_configured(self.settings)
        model = self.catalog.served(served[0].id)
        way = access.reach(model.provider, self.settings, model=model.id)
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
    """Ollama is asked for the window of its model: the only one that cuts what is too long without a word. Raises
    UnknownModel when the model is not there."""
    if choice.access.provider.name != "ollama":
        return choice
    name = choice.model.id.split("/", 1)[1]
    window = endpoints.ollama_window(choice.access.endpoint or "", name)
    if window is None:
        if not choice.group and (fault := endpoints.not_pulled(name, choice.access)):
            raise fault
        unknown = f"the window of {choice.model.id} is not known: a long prompt may be cut without a word"
        return replace(choice, warnings=(*choice.warnings, unknown))
    return replace(choice, model=replace(choice.model, context=window))


def _demo(name: str, why: str | None) -> Choice:
    provider = Provider(providers.DEMO, litellm=providers.DEMO)
    model = Model.unlisted(name if "/" in name else demo.MODEL)
    return Choice(model, Access(provider), why)


def _compared(choice: Choice, host: Host | None) -> str:
    at_proxy = choice.access.provider.name == PROXY
    if host is None:
        return "the best on the proxy's list" if at_proxy else "the best of a vendor you have a key for"
    if not host.vendor:
        return f"whose model {host.name} runs is not known, so it may be the same vendor"
    if choice.vendor == host.vendor:
        where = "on the proxy's list" if at_proxy else "configured"
        return f"no other vendor than {host.name}'s own is {where}"
    return f"another vendor than {host.name}'s {host.vendor}"


def _dearness(model: Model) -> float:
    return model.price.output if model.price else -1.0


def _cheapness(model: Model) -> float:
    return model.price.output if model.price else math.inf


def _nothing_configured(settings: Settings) -> NotSetUp:
    below = env_files_below(Path.cwd())
    if below:
        path = below[0].relative_to(Path.cwd())
        return NotSetUp(f"no model is configured; {path} is there but is not read", f"add --env-file {path}")
    if endpoints.has_no_model("ollama", settings):
        what = "no model is configured: no provider's key is set, and Ollama answers but has no model for chat"
        return NotSetUp(what, "type: ollama pull NAME, or set a key such as OPENAI_API_KEY")
    return NotSetUp(
        "no model is configured: no provider's key is set and no local server answers",
        "set a key such as OPENAI_API_KEY in the environment or in ~/.config/litellm-skill/.env, or try --demo",
    )
