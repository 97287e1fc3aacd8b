"""Whether the servers that are set answer: addresses, the LiteLLM proxy, local servers, the HTTP proxy on the way.

No prompt is sent; a key only to the LiteLLM proxy and to local servers, which are asked for their lists.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from litellm_skill import access, check, download, endpoints
from litellm_skill.access import CHAT, EMBEDDING, Access
from litellm_skill.check import ERROR, OK, WARNING, Check
from litellm_skill.download import Request
from litellm_skill.endpoints import PROXY
from litellm_skill.faults import Fault, Forbidden, NotSetUp, ProviderFailure
from litellm_skill.policy import Globs, Policy
from litellm_skill.settings import Settings

SECONDS = 2.0
MAX_BYTES = 1_000_000
_HTTP_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
Ask = Callable[[Access, Settings], list[Check]]


def checks(names: Iterable[str], settings: Settings, rules: Policy) -> list[Check]:
    """``names``: providers of which a key or an address is set. All servers are asked at the same time."""
    hosts_alone = replace(rules, files=tuple(replace(file, models=Globs()) for file in rules.files))
    local = endpoints.local_providers()
    asks = {**dict.fromkeys(names, _address), **dict.fromkeys(local, _local)}
    if PROXY in asks:
        asks[PROXY] = _proxy
    tasks = [partial(_asked, ask, name, f"{name}/", settings, hosts_alone) for name, ask in asks.items()]
    tasks += [partial(_asked, _address, *named, settings, hosts_alone) for named in _profiles(settings)]
    found: list[Check] = []
    for outcome in download.together([*tasks, partial(_on_the_way, os.environ)]):
        if isinstance(outcome, Exception):
            raise outcome
        found += outcome
    return list(dict.fromkeys(found))  # a profile's server may be its provider's, too


def _profiles(settings: Settings) -> list[tuple[str, str]]:
    """Provider and model of the profiles that have an address of their own."""
    profiles = [profile for profile in (CHAT, EMBEDDING) if settings.find(profile.address)]
    named = [(settings.get(profile.provider), access.profile_model(settings, profile)) for profile in profiles]
    return [(provider, model) for provider, model in named if provider and model]


def serves_models(found: Iterable[Check]) -> bool:
    """Whether a local server has models."""
    return any(one.status == OK and one.subject in endpoints.local_providers() for one in found)


def _asked(ask: Ask, name: str, model: str, settings: Settings, rules: Policy) -> list[Check]:
    """Nothing where key or address cannot be used, which ``credentials`` says."""
    profile = EMBEDDING if model == access.profile_model(settings, EMBEDDING) else CHAT
    try:
        way = access.reach(name, settings, model=model, profile=profile)
        rules.check(name, way.host)
    except NotSetUp:
        return []
    except Forbidden as fault:
        return [check.of_fault(name, fault, WARNING)] if way.address else []
    return ask(way, settings)


def _local(way: Access, settings: Settings) -> list[Check]:
    """Silence of a server that was not asked for is no fault."""
    name = way.provider.name
    try:
        served = endpoints.ask_local(name, settings)
    except Fault as fault:
        return [_silent(way, fault)] if way.address else []
    if not served:
        pull = "ollama pull MODEL" if name == "ollama" else "load a model in it"
        return [Check(name, ERROR if way.address else WARNING, f"{way.host} answers, but has no model", pull)]
    some = ", ".join(model.name for model in served[:5]) + (" …" if len(served) > 5 else "")
    return [Check(name, OK, f"{way.host} has {_count(len(served))}: {some}")]


def _proxy(way: Access, settings: Settings) -> list[Check]:
    if way.missing:
        return []
    try:
        models = endpoints.ask_proxy(settings)
    except ProviderFailure as fault:
        refused = fault.http_status in (400, 401, 403)  # 400: a proxy without a database, to a wrong key
        name = way.key_name if refused else way.address_name
        return [_silent(way, fault, f"correct {name}, or add --no-proxy")]
    if not models:
        return [Check(PROXY, ERROR, f"{way.host} lists no model for this key", "ask whoever runs it")]
    return [Check(PROXY, OK, f"{way.host} lists {_count(len(models))}; calls go through it, but for --no-proxy")]


def _count(models: int) -> str:
    return f"{models} model{'s' * (models != 1)}"


def _address(way: Access, _: Settings) -> list[Check]:
    """Whether anything answers there. Without the key: any answer will do, and it may not be the right server."""
    if not way.host or way.missing:
        return []
    try:
        download.fetch(Request(f"{str(way.endpoint).rstrip('/')}/models", SECONDS, MAX_BYTES))
    except Fault as fault:
        status = fault.http_status
        if status is None:
            return [_silent(way, fault)]
        if status == 404 and way.address and not urlsplit(way.address).path.strip("/") and not way.provider.added_path:
            fix = f"set {way.address_name} to the whole address: most end with /v1"
            return [Check(way.provider.name, WARNING, f"{way.host} answers, but has no /models", fix)]
    if way.address and _is_litellm(way.address):
        what = f"{way.address_name} leads to a LiteLLM proxy at {way.host}, as {way.provider.name}/… alone"
        fix = f"LITELLM_PROXY_API_BASE={way.address} and its key as LITELLM_PROXY_API_KEY reach every model it has"
        return [Check(way.provider.name, WARNING, what, fix)]
    return [Check(way.provider.name, OK, f"{way.host} answers")]


def _is_litellm(address: str) -> bool:
    """By the sign of life that a LiteLLM proxy gives everybody (1.106.2, proxy/health_endpoints)."""
    root = address.rstrip("/").removesuffix("/v1")
    try:
        said: object = download.fetch_json(Request(f"{root}/health/liveliness", SECONDS, MAX_BYTES))
    except Fault:
        return False
    return said == "I'm alive!"


def _silent(way: Access, fault: Fault, fix: str = "") -> Check:
    """``fix``: in place of what the fault and the address suggest."""
    if not way.address:
        correct = f"let this machine reach {way.host}; a company's proxy is named by HTTPS_PROXY"
        return Check(way.provider.name, ERROR, fault.message, "; else ".join(filter(None, (fault.hint, correct))))
    what = f"{way.address_name} ({way.address_source}): {fault.message}"
    start = "start the server, or " if way.local else ""
    correct = f"{start}correct {way.address_name}, or unset it"
    return Check(way.provider.name, ERROR, what, fix or "; else ".join(filter(None, (fault.hint, correct))))


def _on_the_way(environ: Mapping[str, str]) -> list[Check]:
    """The HTTP proxies that the environment names: whether anything listens there."""
    named: dict[str, list[str]] = {}
    for name in _HTTP_PROXIES:
        if environ.get(name):
            named.setdefault(environ[name], []).append(name)
    return [_listens(" and ".join(names), value) for value, names in named.items()]


def _listens(names: str, value: str) -> Check:
    import socket

    fix = f"start that proxy, or unset {names}"
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        peer = (str(parts.hostname or ""), parts.port or (1080 if parts.scheme.startswith("socks") else 80))
    except ValueError:
        peer = ("", 0)
    if not peer[0]:
        return Check("HTTP proxy", ERROR, f"{names} holds no address", f"set it to http://HOST:PORT, or unset {names}")
    try:
        socket.create_connection(peer, SECONDS).close()
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        return Check("HTTP proxy", ERROR, f"{names}: {peer[0]}:{peer[1]} cannot be reached ({why})", fix)
    return Check("HTTP proxy", OK, f"{names}: {peer[0]}:{peer[1]} takes connections")
