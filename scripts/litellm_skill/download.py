"""One HTTP request by the standard library: bounded in time and in size, no redirect followed, TLS trusting whom
``certificates`` says. For lists of models and prices; calls of models are the gateway's."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from litellm_skill import certificates, faults, providers
from litellm_skill.faults import Circumstances, Fault, ProviderFailure

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection

PIECE = 262_144  # bytes
Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """``document`` makes it a POST of JSON; ``patience`` in seconds over all of it, ``limit`` in bytes of the reply."""

    address: str
    patience: float
    limit: int
    key: str | None = field(default=None, repr=False)
    document: Any = None

    @property
    def host(self) -> str:
        try:
            return providers.host_of(self.address) or "the server"
        except ValueError:
            return "the server"


def fetch_json(request: Request) -> Any:
    """The document a server answers with. Raises ProviderFailure, with ``http_status`` where one came."""
    body = fetch(request)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ProviderFailure(f"{request.host} did not answer with JSON", "check the address") from None


def fetch(request: Request) -> bytes:
    """The body of a 200. Raises ProviderFailure, with ``http_status`` where one came.

    The work is done in a thread: a name that does not resolve, or headers that drip, keep no socket's time limit.
    """
    exchange = _Exchange(request)
    worker = threading.Thread(target=exchange.run, daemon=True)
    worker.start()
    worker.join(request.patience)
    if exchange.body is not None:
        return exchange.body
    failure = exchange.failure or TimeoutError()
    exchange.hang_up()  # which fails in the thread, too: that is not what went wrong
    raise _fault(failure, request)


def together(tasks: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
    """What each task returned or raised, in their order. They run at the same time, and must end by themselves; an
    interrupt does not wait for them."""
    outcomes: dict[int, Result | Exception] = {}

    def work(number: int, task: Callable[[], Result]) -> None:
        try:
            outcomes[number] = task()
        except Exception as error:  # the caller's to judge
            outcomes[number] = error

    workers = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(tasks)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [outcomes[number] for number in range(len(workers))]


class _Exchange:
    """What comes of a request: ``body`` or ``failure``; neither yet while it runs."""

    def __init__(self, request: Request) -> None:
        self.body: bytes | None = None
        self.failure: Exception | None = None
        self._request = request
        self._socket: socket.socket | None = None
        self._over = False

    def run(self) -> None:
        try:
            self.body = self._answer()
        except Exception as error:  # whatever it is, it is told by the thread that waits
            self.failure = error

    def hang_up(self) -> None:
        self._over = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _answer(self) -> bytes:
        request = self._request
        connection, target, headers = _connection(request)
        with contextlib.closing(connection):
            connection.connect()
            self._socket = connection.sock
            if self._over:
                raise TimeoutError
            document = None if request.document is None else json.dumps(request.document)
            connection.request("GET" if document is None else "POST", target, document, headers)
            with connection.getresponse() as response:
                if response.status != 200:
                    raise _refusal(response.status, request.host)
                return _body(response, request)


def _body(response: Any, request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > request.limit:
            what = f"{request.host} answered with more than {request.limit // 1_000_000} MB"
            raise ProviderFailure(what, "check the address")
    return b"".join(pieces)


def _refusal(status: int, host: str) -> ProviderFailure:
    if 300 <= status < 400:
        what, hint = f"{host} redirects ({status}), which is not followed", "set the address it redirects to"
    else:
        # A LiteLLM proxy without a database says 400 to a wrong key
        what, hint = f"{host} refused ({status})", "check the key" if status in (400, 401, 403) else "check the address"
    return ProviderFailure(what, hint, retryable=status in (408, 429) or status >= 500, http_status=status)


def _fault(error: Exception, request: Request) -> Fault:
    from http.client import HTTPException

    if isinstance(error, Fault):
        return error
    if isinstance(error, TimeoutError):
        what = f"{request.host} did not answer within {request.patience:.3g} s"
        return ProviderFailure(what, "try again later", retryable=True)
    if isinstance(error, HTTPException | ValueError) and not isinstance(error, OSError):  # TLS errors are both
        return ProviderFailure(f"{request.host} does not speak HTTP as it should", "check the address")
    at = Circumstances(request.host, request.host, None, request.patience, False, False, None, lambda text: text)
    return faults.classify(error, at)


def _connection(request: Request) -> tuple[HTTPConnection, str, Mapping[str, str]]:
    """To the server, or to the proxy on the way to it; the target to name there; the headers to send."""
    from http.client import HTTPConnection, HTTPSConnection

    parts = _parts(request)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Accept": "application/json", "User-Agent": "litellm-skill", "Connection": "close"}
    if request.document is not None:
        headers["Content-Type"] = "application/json"
    if request.key:
        headers["Authorization"] = f"Bearer {request.key}"
    via = _proxy(parts)
    first = via or parts
    host, port, seconds = str(first.hostname), first.port, request.patience
    if parts.scheme == "http":
        own = HTTPConnection(host, port or 80, timeout=seconds)
        return own, (request.address if via else target), {**headers, **_proxy_login(via)}
    secure = HTTPSConnection(host, port or (80 if via else 443), timeout=seconds, context=_context())
    if via:
        secure.set_tunnel(str(parts.hostname), parts.port or 443, _proxy_login(via))
    return secure, target, headers


def _parts(request: Request) -> SplitResult:
    """Raises ProviderFailure when the address is none."""
    try:
        parts = urlsplit(request.address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if usable and request.address.isprintable() and " " not in request.address:
        return parts
    raise ProviderFailure(f"{request.host}: no address of a server", "http:// or https://, a host, perhaps a path")


def _proxy(parts: SplitResult) -> SplitResult | None:
    """The HTTP proxy that the environment names for this address; none for a server on this machine."""
    if _on_this_machine(str(parts.hostname)) or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Undocumented, but alike on all systems, unlike proxy_bypass.
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

    found = getproxies_environment()
    address = found.get(parts.scheme) or found.get("all")
    if not address or proxy_bypass_environment(parts.netloc):
        return None
    via = urlsplit(address if "://" in address else f"http://{address}")
    if via.scheme != "http" or not via.hostname:
        raise ProviderFailure("the proxy that the environment names is not an http:// one", "correct HTTPS_PROXY")
    return via


def _proxy_login(via: SplitResult | None) -> dict[str, str]:
    if via is None or via.username is None:
        return {}
    from base64 import b64encode

    login = f"{unquote(via.username)}:{unquote(via.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _context() -> ssl.SSLContext:
    """Raises NotSetUp when the environment would have any certificate accepted."""
    import ssl

    import certifi

    environ = {name: os.environ[name] for name in (*certificates.OWN, "SSL_VERIFY") if name in os.environ}
    certificates.refuse_blind_trust(environ)
    certificates.merge(environ)
    own = environ.get("SSL_CERT_FILE", "")
    return ssl.create_default_context(cafile=own if os.path.isfile(own) else certifi.where())
