"""The keys and addresses that are set, a provider at a time: usable or not, from where, leading where. Never a key."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from litellm_skill import access, check, host, providers
from litellm_skill.access import CHAT, EMBEDDING, Access, Profile
from litellm_skill.check import ERROR, OK, WARNING, Check
from litellm_skill.endpoints import PROXY
from litellm_skill.faults import NotSetUp
from litellm_skill.host import Host
from litellm_skill.providers import Provider
from litellm_skill.settings import Origin, Settings, user_directory

REGIONAL = "a host that depends on the region"


def provider_names(settings: Settings, others: Iterable[str]) -> list[str]:
    """Providers of which a key or an address is set: of the table first, then of ``others`` by LiteLLM's convention."""
    listed = [name for name, one in providers.table().items() if _is_set(one, settings)]
    long_tail = (name for name in dict.fromkeys(others) if providers.get(name).name not in providers.table())
    return [*listed, *(name for name in long_tail if settings.find(*providers.get(name).keys))]


def usable_names(settings: Settings, names: Iterable[str]) -> list[str]:
    return [name for name in names if name != PROXY and access.usable(name, settings)]


def _is_set(provider: Provider, settings: Settings) -> bool:
    set_here = settings.find(*provider.keys, *provider.addresses) is not None
    return set_here or access.usable(provider.name, settings)


def checks(names: Iterable[str], settings: Settings, agent: Host | None) -> list[Check]:
    found = [one for name in names for one in _of_provider(name, settings, agent)]
    profiles = [one for profile in (CHAT, EMBEDDING) for one in _of_profile(profile, settings)]
    return [*found, *profiles, *_stray(os.environ)]


def _of_provider(name: str, settings: Settings, agent: Host | None) -> Iterator[Check]:
    provider = providers.get(name)
    try:
        way = access.reach(name, settings, model=f"{name}/")
    except NotSetUp as fault:
        yield check.of_fault(name, fault)
        return
    for warning in way.warnings:
        both = f"put both into {user_directory(os.environ) / '.env'}"
        yield Check(name, WARNING, warning, f"set the key beside the address, in the same file, or {both}")
    if way.missing:
        has_key = settings.find(*provider.keys) is not None
        what = way.missing.message
        if way.address_name:
            what += f", though {way.address_name} ({way.address_source}) leads to {way.host}"
        yield Check(name, ERROR if has_key else WARNING, what, way.missing.hint)
        return
    if provider.port is None:
        yield Check(name, OK, f"{_key(way)} at {way.host or REGIONAL}{_by(way)}")
    yield from _led_away(way, agent)


def _of_profile(profile: Profile, settings: Settings) -> Iterator[Check]:
    """The model that the user's own four variables name."""
    provider, model = settings.get(profile.provider), access.profile_model(settings, profile)
    if not provider or not settings.get(profile.model) or provider == PROXY:
        return
    try:
        way = access.reach(provider, settings, model=str(model), profile=profile)
    except NotSetUp as fault:
        yield check.of_fault(profile.model, fault)
        return
    yield from (
        Check(profile.model, WARNING, warning, f"set {profile.key} in the same file") for warning in way.warnings
    )
    if way.missing:
        yield check.of_fault(profile.model, way.missing)
    else:
        key = _key(way) if way.key_name else "no key,"
        yield Check(profile.model, OK, f"{model}: {key} at {way.host or REGIONAL}{_by(way)}")


def _key(way: Access) -> str:
    if way.key is None:
        return f"{way.key_name} ({way.key_source}), which LiteLLM reads itself,"
    count = len(way.key)
    return f"{way.key_name} ({count} character{'s' * (count != 1)}, {way.key_source})"


def _by(way: Access) -> str:
    return f" ({way.address_name}, {way.address_source})" if way.address else ""


def _led_away(way: Access, agent: Host | None) -> Iterator[Check]:
    """An agent's own address and key reach its commands, and would be used by them."""
    provider, origin = way.provider, Origin.ENVIRONMENT.value
    used = ((way.key_name, way.key_source), (way.address_name, way.address_source))
    inherited = [name for name, source in used if agent and name in agent.inherited and source == origin]
    if agent and inherited:
        names = " and ".join(inherited)
        what = f"{names} inherited from {agent.name}: {provider.name}/… goes to {way.host}, on its account"
        yield Check(provider.name, WARNING, what, _own_account(provider))
        return
    maker = providers.vendor_of_address(way.address)
    agents_own = {name for one in host.AGENTS for name in one.inherited}
    elsewhere = way.address and provider.vendor and maker != provider.vendor
    if elsewhere and (maker or way.address_name in agents_own):
        what = f"{way.address_name} ({way.address_source}) leads {provider.name}/… to {way.host}"
        default = providers.host_of(provider.address)
        yield Check(provider.name, WARNING, what, f"unset {way.address_name}, if {default} is meant")


def _own_account(provider: Provider) -> str:
    """By the profile, which goes before what is inherited."""
    file = user_directory(os.environ) / ".env"
    own = f"{CHAT.provider}={provider.name}, {CHAT.model}, {CHAT.key}, {CHAT.address}={provider.address}"
    return f"for an account of your own write into {file}: {own}; or ask another provider"


def _stray(environ: Mapping[str, str]) -> Iterator[Check]:
    """Keys of the process environment that are blank, or have white space around them."""
    names = {name for provider in providers.table().values() for name in provider.keys} | {CHAT.key, EMBEDDING.key}
    for name in sorted(names & environ.keys()):
        value = environ[name]
        if not value.strip():
            yield Check(name, WARNING, "is set, but empty", f"unset {name}, or set it to the key")
        elif value != value.strip():
            what = f"{_which(value)}; it is left out here, but other programs send it"
            yield Check(name, WARNING, what, f'export {name}="$(printf %s "${name}" | tr -d "[:space:]")"')


def _which(value: str) -> str:
    before, after = value[: len(value) - len(value.lstrip())], value[len(value.rstrip()) :]
    kind = "a line break" if {"\n", "\r"} & set(before + after) else "white space"
    place = "at both ends" if before and after else "at its beginning" if before else "at its end"
    return f"has {kind} {place}"
