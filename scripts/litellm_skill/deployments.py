"""Groups of deployments: a ``model_list`` in the format of LiteLLM's Router and proxy, read without LiteLLM.

The file in ``~/.config/litellm-skill`` is the user's own and may say everything. One from elsewhere (``--config``)
names models, balances and limits them, but does not decide where a key goes:

* An address that it gives gets only a key that stands in it, never one from the environment.
* ``os.environ/NAME`` may name the provider's own key variable (``OPENAI_API_KEY`` beside ``openai/…``), and only where
  the file gives no address, so that the call is the one ``-m provider/model`` would make. Any other variable would be
  sent to a provider it is not meant for, and so would any variable that stands in another parameter.
* Of ``litellm_params`` only those in ``FOREIGN`` are used; headers, proxies, certificates and callbacks are not.

Which key may go to which address is ``access.reach``'s decision here, too: it is asked with the entry's own key and
address laid over the settings.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from litellm_skill import access, modellist, providers, redaction, screen, secret_rules
from litellm_skill.access import Access
from litellm_skill.faults import BadInput, Fault, Forbidden, NotSetUp
from litellm_skill.modellist import OWN, Entry, ModelList, Routing
from litellm_skill.providers import Provider
from litellm_skill.settings import Origin, Setting, Settings

REFERENCE = "os.environ/"
NO_KEY = "none"  # to the user's own server that wants none; OpenAI's client wants to send something
# Of a file from elsewhere: generation parameters, and what only selects something within the provider.
FOREIGN = {"api_version", "organization", "region_name", "aws_region_name", "vertex_location", "weight", "order"}
FOREIGN |= {"temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "reasoning_effort"}
# Retries, deadlines, fallbacks and TLS are this project's; a mocked reply is no model's.
NEVER = {"num_retries", "max_retries", "timeout", "stream_timeout", "request_timeout", "stream", "fallbacks"}
NEVER |= {"context_window_fallbacks", "content_policy_fallbacks", "ssl_verify", "mock_response", "silent_model"}
NEVER |= {"callbacks", "success_callback", "failure_callback", "cache", "caching", "litellm_credential_name", "client"}
# In the file itself, these are a credential without an api_key.
CREDENTIALS = ("aws_", "vertex_", "azure_", "watsonx_", "client_")
_PLAIN_KEY = re.compile(rf"[A-Za-z0-9._-]{{{redaction.SHORT},}}")
_SAFE = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_MODEL = re.compile(r"(?!.*(?:://|\.\.))[A-Za-z0-9._:/@+-]{1,200}")


@dataclass(frozen=True)
class Deployment:
    """One place where the group's model is served. ``model``: ``provider/model``, as the catalogue names it.

    ``rpm``, ``tpm``: requests and tokens a minute; None is no limit, as for ``max_parallel_requests``. ``params`` go to
    LiteLLM as they are. ``base_model`` is what ``model_info`` says it really is. The ``id`` is the same wherever the
    same entry is read, so that limits can be shared; no key is part of it.
    """

    id: str
    model: str
    access: Access
    params: Mapping[str, Any] = field(repr=False)
    rpm: int | None = None
    tpm: int | None = None
    max_parallel_requests: int | None = None
    base_model: str | None = None
    mode: str | None = None

    @property
    def host(self) -> str | None:
        return self.access.host


@dataclass(frozen=True)
class Group:
    """What ``model_name`` stands for. ``refused``: why entries of that name are not among its deployments."""

    name: str
    routing: Routing
    deployments: tuple[Deployment, ...]
    refused: tuple[Fault, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def missing(self) -> Fault | None:
        """Why the group cannot be called at all."""
        return self.refused[0] if self.refused and not self.deployments else None

    @property
    def limited(self) -> bool:
        """Whether a minute's limit is stated for any of them."""
        return any(deployment.rpm or deployment.tpm for deployment in self.deployments)

    @property
    def warnings(self) -> tuple[str, ...]:
        left_out = tuple(f"left out: {fault.message}" for fault in self.refused) if self.deployments else ()
        ignored = (f"{self.name}: not used: {', '.join(self.ignored)}",) if self.ignored else ()
        ways = dict.fromkeys(line for deployment in self.deployments for line in deployment.access.warnings)
        return (*left_out, *ignored, *ways)


@dataclass(frozen=True)
class Groups:
    """The groups of one file. An entry is looked at closely when its group is asked for."""

    file: ModelList
    settings: Settings = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.file.entries)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What concerns the whole file."""
        return self.file.warnings

    @property
    def secrets(self) -> tuple[str, ...]:
        """Keys and passwords that stand in the file, and those it names, to be redacted by value."""
        found: dict[str, Setting] = {}
        plain: list[str] = []
        for number, (name, value) in enumerate({pair: None for pair in self._texts()}):
            if name == "api_key" and _is_plain(value):
                plain.append(value)
                continue
            setting = self.settings.find(value.removeprefix(REFERENCE)) if value.startswith(REFERENCE) else None
            if setting is None or self.file.trusted:
                known = Setting(name, setting.value if setting else value, Origin.USER)
                found[f"{number}_{name}".upper()] = known
        # Each is a secret as it is; what is left to look for is a key within one, in all of them at once.
        found["PLAIN"] = Setting("", "\n".join(plain), Origin.USER)
        every = {*plain, *screen.secrets(Settings(found))}
        return tuple(sorted(every, key=lambda secret: (-len(secret), secret)))

    def find(self, name: str) -> Group | None:
        """The group of exactly this name, None when there is none. Where none of its deployments can be used,
        ``missing`` says why."""
        entries = self.file.entries.get(name)
        if entries is None:
            return None
        deployments: dict[str, Deployment] = {}
        refused: list[Fault] = []
        for entry in entries:
            try:
                one = self._deployment(entry)
                if deployments.setdefault(one.id, one) != one:
                    raise BadInput(f"{entry.where}: another entry has its model_info.id", "give each its own")
            except (NotSetUp, Forbidden) as fault:
                refused.append(fault)
        ignored = sorted({name for entry in entries for name in self._unused(entry)})
        return Group(name, self.file.routing, tuple(deployments.values()), tuple(refused), tuple(ignored))

    def _texts(self) -> Iterator[tuple[str, str]]:
        for entries in self.file.entries.values():
            for entry in entries:
                secret = {name: value for name, value in entry.params.items() if name == "api_key" or name not in OWN}
                yield from _texts(secret)

    def _unused(self, entry: Entry) -> Iterator[str]:
        for name in entry.params:
            if name in NEVER or not (self.file.trusted or name in FOREIGN or name in OWN):
                yield name

    def _deployment(self, entry: Entry) -> Deployment:
        provider, name = _provider(entry)
        if not self.file.trusted:
            _check_foreign(entry, provider, name)
        way = self._access(entry, provider, f"{provider.name}/{name}")
        info = entry.info
        return Deployment(
            id=_id(entry),
            model=f"{provider.name}/{name}",
            access=way,
            params=self._params(entry),
            rpm=entry.rpm,
            tpm=entry.tpm,
            max_parallel_requests=entry.max_parallel_requests,
            base_model=info["base_model"] if isinstance(info.get("base_model"), str) else None,
            mode=info["mode"] if isinstance(info.get("mode"), str) else None,
        )

    def _access(self, entry: Entry, provider: Provider, model: str) -> Access:
        key, address = self._setting(entry, "api_key"), self._setting(entry, "api_base")
        try:
            way = access.reach(provider.name, _laid_over(self.settings, provider, key, address), model=model)
        except NotSetUp as fault:
            raise NotSetUp(f"{entry.where}: {fault.message}", fault.hint) from None
        if address is not None and way.address_source != address.source:
            raise _astray(entry, address.value, self.file)
        if way.missing is not None:
            way = _without_key(entry, way, key, self.file)
        if key is not None:
            way = replace(way, key=way.key or key.value, key_name=key.name, key_source=key.source)
        return replace(way, address_name=address.name) if address is not None else way

    def _setting(self, entry: Entry, name: str) -> Setting | None:
        """``api_key`` or ``api_base`` with where it comes from: this file, or the variable that it names."""
        value = entry.params.get(name)
        if not value:
            return None
        if value.startswith(REFERENCE):
            return self._named(entry, value)
        origin = Origin.USER if self.file.trusted else Origin.ENV_FILE
        return Setting(f"{name} of {entry.group}", value, origin, self.file.path)

    def _named(self, entry: Entry, reference: str) -> Setting:
        name = reference.removeprefix(REFERENCE)
        setting = self.settings.find(name)
        if setting is None:
            what = f"{entry.where}: {name[:60]} is not set"
            raise NotSetUp(what, "set it in the environment or in ~/.config/litellm-skill/.env")
        if setting.value.startswith(REFERENCE):  # LiteLLM would go on and read that variable
            raise NotSetUp(f"{entry.where}: {name} ({setting.source}) names another variable", f"correct {name}")
        return setting

    def _params(self, entry: Entry) -> dict[str, Any]:
        unused = {*self._unused(entry), *OWN}
        return {name: self._value(entry, value) for name, value in entry.params.items() if name not in unused}

    def _value(self, entry: Entry, value: Any) -> Any:
        """Of the user's own file. A variable may hold an address, so it must come from where those may come from."""
        if isinstance(value, dict):
            return {key: self._value(entry, one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._value(entry, one) for one in value]
        if not isinstance(value, str) or not value.startswith(REFERENCE):
            return value
        setting = self._named(entry, value)
        if not setting.origin.trusted:
            raise NotSetUp(f"{entry.where}: {setting.name} comes from {setting.source}", f"set {setting.name} yourself")
        return setting.value


def read(path: Path | None, at_hand: Settings, environ: Mapping[str, str]) -> Groups:
    """The groups of ``--config``, or of the user's own file, which may not be there.

    Raises BadInput when the file cannot be read or has another format, naming entry or line; Forbidden when it is the
    user's own by its place, but others may write it.
    """
    return Groups(modellist.read(path, environ), at_hand)


def _check_foreign(entry: Entry, provider: Provider, name: str) -> None:
    """Raises Forbidden for what a file from elsewhere may not say."""
    key, address = entry.params.get("api_key") or "", entry.params.get("api_base") or ""
    named = key.removeprefix(REFERENCE) if key.startswith(REFERENCE) else None
    if address.startswith(REFERENCE) and address.removeprefix(REFERENCE) not in provider.addresses:
        raise _forbidden(entry, f"takes its address from {address.removeprefix(REFERENCE)[:60]}")
    if named is not None and (not provider.listed or named not in provider.keys):
        raise _forbidden(entry, f"names {named[:60]}, which is no key variable of {provider.name}")
    if named is not None and address and not address.startswith(REFERENCE):
        raise _forbidden(entry, f"names {named} beside an address of its own")
    if not key and not provider.listed:
        raise _forbidden(entry, f"would send your key to {provider.name}, whose address is not known here")
    if not _MODEL.fullmatch(name):
        raise _forbidden(entry, "has a model name with other characters than those of a name")
    for param in FOREIGN & entry.params.keys():
        value = entry.params[param]
        if not isinstance(value, bool | int | float) and not (isinstance(value, str) and _SAFE.fullmatch(value)):
            raise _forbidden(entry, f"has another {param} than a number or a plain word")


def _forbidden(entry: Entry, what: str) -> Forbidden:
    hint = "put the key itself beside its address, or move what you trust to ~/.config/litellm-skill/models.yaml"
    return Forbidden(f"{entry.where} {what}: nothing is sent", hint)


def _astray(entry: Entry, address: str, file: ModelList) -> Fault:
    host = providers.host_of(address) or "its address"
    what = "gives no key for" if not entry.params.get("api_key") else "has no key from the same place for"
    if not file.trusted:
        return _forbidden(entry, f"{what} {host}, and yours does not go there")
    return NotSetUp(f"{entry.where} {what} {host}", "set key and address in the same place")


def _without_key(entry: Entry, way: Access, key: Setting | None, file: ModelList) -> Access:
    """The user's own server may need no key, and his own file may hold a credential of another kind."""
    own = any(name.startswith(CREDENTIALS) for name in entry.params)
    if key is not None or (file.trusted and own):
        return replace(way, missing=None)
    if file.trusted and way.address is not None:
        return replace(way, key=NO_KEY, missing=None)
    assert way.missing is not None
    raise NotSetUp(f"{entry.where}: {way.missing.message}", way.missing.hint)


def _laid_over(at_hand: Settings, provider: Provider, key: Setting | None, address: Setting | None) -> Settings:
    """The settings as if the entry's key and address were the provider's only ones."""
    if key is None and address is None:
        return at_hand
    gone = {access.CHAT.provider, access.CHAT.key, access.CHAT.address}
    laid: dict[str, Setting] = {}
    if key is not None:
        gone |= {*provider.keys, *(name for names in provider.ambient for name in names)}
        stem = provider.name.upper().replace("-", "_") + "_"
        gone |= {name for name in at_hand.values if not provider.listed and name.startswith(stem)} - {
            *provider.addresses
        }
        laid |= {name: replace(key, name=name) for name in provider.keys[:1]}
    if address is not None:
        gone |= {*provider.addresses}
        laid |= {name: replace(address, name=name) for name in provider.addresses[:1]}
    kept = {name: setting for name, setting in at_hand.values.items() if name not in gone}
    return Settings(kept | laid)


def _provider(entry: Entry) -> tuple[Provider, str]:
    """Who serves the model, and its name there. Raises BadInput when that cannot be told."""
    model, stated = entry.model, entry.params.get("custom_llm_provider")
    prefix, slash, rest = model.partition("/")
    if stated:
        provider = providers.get(stated)
        return provider, rest if slash and providers.get(prefix).name == provider.name else model
    if not slash:
        prefix, slash, rest = (_listed(model) or "").partition("/")
    if not prefix or not rest:
        hint = "write provider/model, or add custom_llm_provider"
        raise BadInput(f"{entry.where}: {model[:60]!r} does not tell its provider", hint)
    return providers.get(prefix), rest


@cache
def _listed(model: str) -> str | None:
    """The id of a model that stands in LiteLLM's table without its provider."""
    from litellm_skill import pricetable

    found = pricetable.load().bare.get(model)
    return found if found is None or "/" in found else None


def _id(entry: Entry) -> str:
    """The entry's own, else a digest of it as it is written; its limits may be changed."""
    if isinstance(entry.info.get("id"), str) and entry.info["id"].strip():
        return str(entry.info["id"])
    said = {name: value for name, value in entry.params.items() if name not in ("rpm", "tpm", "max_parallel_requests")}
    written = json.dumps([entry.group, said], sort_keys=True, default=str)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _is_plain(key: str) -> bool:
    """Whether it can be no address, list or document, and is a secret for its name alone; as nearly every key is."""
    return _PLAIN_KEY.fullmatch(key) is not None and key.casefold() not in secret_rules.data()["words"]


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text with the name it has, however deep it lies."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(one, str(key))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, name)
