"""What a server on this machine says it serves. Standard library only, at most ``PATIENCE`` seconds a question."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litellm_skill import providers
from litellm_skill.settings import Settings

if TYPE_CHECKING:
    from http.client import HTTPResponse

PATIENCE_ASKED = 2.0  # seconds, for a server that was asked for
PATIENCE = 0.2
MAX_BYTES = 2_000_000


@dataclass(frozen=True)
class Served:
    """One model of a local server; ``size`` in bytes, 0 where the server does not say."""

    provider: str
    name: str
    size: int = 0
    embedding: bool = False

    @property
    def id(self) -> str:
        return f"{self.provider}/{self.name}"


def local_models(settings: Settings) -> list[Served]:
    """Chat models of the local servers that answer, the largest first (within the order of the providers' table)."""
    found = [served for name in _local_providers() for served in serve(name, settings)]
    return [served for served in found if not served.embedding]


def _local_providers() -> list[str]:
    return [name for name, provider in providers.table().items() if provider.port is not None]


def serve(provider_name: str, settings: Settings) -> list[Served]:
    """Models of one local server, the largest first; empty when it does not answer."""
    provider = providers.get(provider_name)
    setting = settings.find(*provider.addresses)
    address = setting.value if setting and setting.origin.trusted else provider.address or ""
    if provider_name == "ollama":
        rows = _rows(_get(f"{address.rstrip('/')}/api/tags"), "models")
        models = [_ollama(row) for row in rows if isinstance(row.get("name"), str)]
    else:
        rows = _rows(_get(f"{address.rstrip('/')}/models"), "data")
        names = [row["id"] for row in rows if isinstance(row.get("id"), str)]
        models = [Served(provider_name, name, embedding=_embeds(name)) for name in names]
    return sorted(models, key=lambda served: -served.size)


def ollama_window(address: str, model: str) -> int | None:
    """The context an Ollama model was made for, in tokens; None when the server does not say."""
    document = _ask("POST", f"{address.rstrip('/')}/api/show", {"model": model}, PATIENCE_ASKED)
    info = document.get("model_info") if isinstance(document, dict) else None
    sizes = [size for name, size in info.items() if name.endswith(".context_length")] if isinstance(info, dict) else []
    return sizes[0] if sizes and isinstance(sizes[0], int) else None


def _ollama(row: dict[str, Any]) -> Served:
    family = str((row.get("details") or {}).get("family", ""))
    size = row.get("size")
    embedding = "bert" in family or _embeds(row["name"])
    return Served("ollama", row["name"], size if isinstance(size, int) else 0, embedding)


def _embeds(name: str) -> bool:
    return "embed" in name.lower()


def _rows(document: Any, key: str) -> list[dict[str, Any]]:
    rows = document.get(key) if isinstance(document, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _body(response: HTTPResponse, patience: float) -> bytes:
    """Everything that comes in time; a server that drips is cut off, and its document will not parse."""
    deadline = time.monotonic() + patience
    body = b""
    while len(body) < MAX_BYTES and time.monotonic() < deadline and (piece := response.read1(65_536)):
        body += piece
    return body


def _get(address: str) -> Any:
    return _ask("GET", address)


def _ask(method: str, address: str, document: Any = None, patience: float = PATIENCE) -> Any:
    """The JSON document an address answers with; None when there is none in time."""
    from http.client import HTTPConnection, HTTPException

    parts = urlsplit(address)
    if parts.scheme != "http" or not parts.hostname:
        return None
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=patience)
    try:
        body = None if document is None else json.dumps(document)
        connection.request(method, parts.path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return json.loads(_body(response, patience)) if response.status == 200 else None
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
