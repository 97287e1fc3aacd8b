"""Providers as LiteLLM names them: which variables hold their key and address, and whose models they serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DEMO = "demo"  # the provider that calls no model
DATA = Path(__file__).with_name("providers.toml")


@dataclass(frozen=True)
class Provider:
    """``ambient``: sets of variables LiteLLM reads itself in place of a key. ``port``: a local server's usual one."""

    name: str
    vendor: str = ""
    keys: tuple[str, ...] = ()
    ambient: tuple[tuple[str, ...], ...] = ()
    addresses: tuple[str, ...] = ()
    address: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    litellm: str = ""
    port: int | None = None
    regional: bool = False
    added_path: str = ""
    base_path: str = ""
    listed: bool = True

    @property
    def variables(self) -> frozenset[str]:
        """What a file outside the user's own may set: key, address, selectors (ambient credentials are not)."""
        return frozenset((*self.keys, *self.addresses, *self.settings))


@cache
def _data() -> Mapping[str, Any]:
    import tomllib

    return tomllib.loads(DATA.read_text(encoding="utf-8"))


@cache
def table() -> Mapping[str, Provider]:
    return {name: _provider(name, row) for name, row in _data()["providers"].items()}


def _provider(name: str, row: Mapping[str, Any]) -> Provider:
    return Provider(
        name=name,
        vendor=row.get("vendor", ""),
        keys=tuple(row.get("keys", ())),
        ambient=tuple(tuple(names) for names in row.get("ambient", ())),
        addresses=tuple(row.get("addresses", ())),
        address=row.get("address"),
        settings=row.get("settings", {}),
        litellm=row.get("litellm", name),
        port=row.get("port"),
        regional=row.get("regional", False),
        added_path=row.get("added_path", ""),
        base_path=row.get("base_path", ""),
    )


def get(name: str) -> Provider:
    """The provider of this name; one that is not listed follows LiteLLM's naming convention."""
    listed = {"ollama_chat": "ollama", "cohere_chat": "cohere", "llamafile": "llamacpp"}.get(name, name)
    if provider := table().get(listed):
        return provider
    stem = name.upper().replace("-", "_")
    addresses = (f"{stem}_API_BASE", f"{stem}_BASE_URL")
    return Provider(name, keys=(f"{stem}_API_KEY",), addresses=addresses, litellm=name, listed=False)


def host_of(address: str | None) -> str | None:
    """``host`` or ``host:port`` of a URL, without credentials; None when there is none."""
    parts = urlsplit(address or "")
    try:
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        return parts.hostname


def vendor_of_address(address: str | None) -> str:
    """The maker whose own service this address is, or ""."""
    host = urlsplit(address or "").hostname or ""
    for vendor, row in _data()["vendors"].items():
        if any(host == known or host.endswith("." + known) for known in row["hosts"]):
            return str(vendor)
    return ""


def vendor_of_name(model: str) -> str:
    """The maker of a model by how its name begins (``openrouter/z-ai/glm-…`` -> zai), or ""."""
    for part in reversed(model.lower().split("/")):
        for vendor, row in _data()["vendors"].items():
            if part.startswith(tuple(row["names"])):
                return str(vendor)
    return ""


def vendor_of(provider: Provider, model: str, address: str | None) -> str:
    """Whose model answers: by the address where that is a maker's own, then the model's name, then the provider."""
    return vendor_of_address(address) or vendor_of_name(model) or provider.vendor


def maker(id: str) -> str:
    """The same of an id alone, as a proxy's deployment or its name gives it."""
    return vendor_of(get(id.partition("/")[0]), id, None)
