"""A raw-socket server on 127.0.0.1 that plays a provider at its worst: OpenAI chat and Responses, Anthropic, Gemini.

    with FaultyServer("429ra1", "ok") as server:      # a scenario a generation request, the last one repeated
        ...                                           # base address of a wire: server.base("chat")
        assert len(server.requests) == 2

Every scenario of ``scenarios`` is played on every wire, streamed or whole, as the request asks; "mid" is after two of
the five pieces of ``TEXT``, or half of a whole body. ``sent_text`` says what text was on the wire before the fault.
What the wires look like when all is well comes from ``wire_openai`` and its like. Stalls end after ``MAX_STALL_S`` and
with ``close``. Besides ``SCENARIOS`` there are two ready sequences, ``SEQUENCES``.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import json
import socket
import socketserver
import ssl
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exchange import MAX_STALL_S, Arrival, Exchange, Hangup
from scenarios import SCENARIOS, SEQUENCES

BASES = {"chat": "/v1", "responses": "/v1", "messages": "", "gemini": "/v1beta"}  # what LiteLLM adds its routes to
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TLS_HANDSHAKE = b"\x16"  # the first byte of a client that speaks TLS


def _receive(reading: io.BufferedReader) -> Arrival | None:
    """The next request of a connection; None when there is none."""
    line = reading.readline(65_536).decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = {name.lower(): value for name, value in http.client.parse_headers(reading).items()}
    raw = _chunks(reading) if "chunked" in headers.get("transfer-encoding", "") else b""
    raw = raw or reading.read(int(headers.get("content-length", 0)))
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    return Arrival(line[0], line[1], headers, body, time.monotonic(), raw)


def _chunks(reading: io.BufferedReader) -> bytes:
    sizes = iter(lambda: int(reading.readline(), 16), 0)
    raw = b"".join(reading.read(size + 2)[:size] for size in sizes)
    reading.readline()
    return raw


class _Handler(socketserver.BaseRequestHandler):
    server: FaultyServer
    request: socket.socket

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, Hangup), self.server.connected(self.request) as connection:
            try:
                self._serve(connection)
            except Hangup as end:
                if end.reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as reading:
            if reading.peek(1)[:1] == TLS_HANDSHAKE:  # where plain HTTP is spoken
                connection.sendall(BAD_REQUEST)
                return
            while arrival := _receive(reading):
                self.server.answer(connection, arrival)
                if arrival.headers.get("connection") == "close":
                    return


class FaultyServer(socketserver.ThreadingTCPServer):
    """Serves from construction to ``close``; a thread a connection, all ended by ``close``.

    ``scenarios``: names of ``SCENARIOS`` (one for each generation request in order, the last one repeated) or one of
    ``SEQUENCES``. Four are about the way to the server, and stand alone: ``refused`` (nobody listens at the port),
    ``dns`` (a name that does not resolve), ``tls`` (its certificate is signed by itself: ``certificate``) and
    ``tls_plain`` (an https address whose port speaks plain HTTP). ``other_model``: the name in ``other_model``'s reply.
    """

    request_queue_size = 128

    def __init__(self, *scenarios: str, other_model: str = "dearer-model") -> None:
        self.scenarios = SEQUENCES.get(scenarios[0], scenarios)
        self._played = [SCENARIOS[name] for name in self.scenarios]
        self.other_model = other_model
        self.failures: list[BaseException] = []  # this server's own errors; the end of ``with`` raises the first
        self.bytes_sent = 0
        self._arrivals: list[Arrival] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Condition()
        self._closing = threading.Event()
        self._resources = contextlib.ExitStack()
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.server_bind()
        self._open()

    def _open(self) -> None:
        way = self.scenarios[0]
        self._tls: ssl.SSLContext | None = None
        self._elsewhere: FaultyServer | None = None
        self._accepting: threading.Thread | None = None
        if way == "tls":
            folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory()))
            self.certificate = _sign_certificate(folder / "certificate.pem")  # PEM, valid for 127.0.0.1
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(self.certificate)
        if any(name.startswith("redirect") for name in self.scenarios):
            self._elsewhere = self._resources.enter_context(FaultyServer("ok"))
        if way not in ("refused", "dns"):  # a port that is bound, but not listened at, refuses
            self.server_activate()
            self._accepting = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
            self._accepting.start()

    @property
    def url(self) -> str:
        scheme = "https" if self.scenarios[0].startswith("tls") else "http"
        host = "provider.invalid" if self.scenarios[0] == "dns" else "127.0.0.1"
        return f"{scheme}://{host}:{self.server_address[1]}"

    def base(self, wire: str) -> str:
        """The base address for ``chat``, ``responses``, ``messages`` or ``gemini``, as LiteLLM's ``api_base``."""
        return self.url + BASES[wire]

    @property
    def elsewhere(self) -> str:
        """Where redirects lead."""
        assert self._elsewhere is not None
        return self._elsewhere.url

    @property
    def requests(self) -> tuple[Arrival, ...]:
        """The generation requests so far, in order."""
        return tuple(arrival for arrival in self.arrivals if arrival.wire)

    @property
    def redirected(self) -> tuple[Arrival, ...]:
        """Everything that arrived where the redirects lead."""
        return self._elsewhere.arrivals if self._elsewhere else ()

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """All requests so far, also those that no wire knows."""
        with self._lock:
            return tuple(self._arrivals)

    def wait_for(self, count: int, timeout: float = 10.0) -> tuple[Arrival, ...]:
        """The generation requests, once there are ``count``; ``TimeoutError`` after ``timeout`` seconds."""
        with self._lock:
            if not self._lock.wait_for(lambda: sum(1 for a in self._arrivals if a.wire) >= count, timeout):
                raise TimeoutError(f"fewer than {count} requests arrived in {timeout} s")
        return self.requests

    def wait_for_bytes(self, count: int, timeout: float = 10.0) -> None:
        """Until ``count`` bytes were sent; ``TimeoutError`` after ``timeout`` seconds."""
        with self._lock:
            if not self._lock.wait_for(lambda: self.bytes_sent >= count, timeout):
                raise TimeoutError(f"{self.bytes_sent} of {count} bytes were sent in {timeout} s")

    def answer(self, connection: socket.socket, arrival: Arrival) -> None:
        with self._lock:
            number = sum(1 for earlier in self._arrivals if earlier.wire)
            self._arrivals.append(arrival)
            self._lock.notify_all()
        if arrival.wire is None:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            return
        scenario = self._played[min(number, len(self._played) - 1)]
        Exchange(self, connection, arrival, arrival.wire, scenario).play()

    def count_sent(self, count: int) -> None:
        with self._lock:
            self.bytes_sent += count
            self._lock.notify_all()

    def pause(self, seconds: float) -> None:
        """Seconds, at most ``MAX_STALL_S``; the server's end cuts it short, and whoever slept hangs up."""
        if self._closing.wait(min(seconds, MAX_STALL_S)):
            raise Hangup

    @contextlib.contextmanager
    def connected(self, request: socket.socket) -> Iterator[socket.socket]:
        """The connection, in TLS if that is spoken, known to ``close`` as long as it lasts."""
        if self._tls:
            request = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        with request:
            with self._lock:
                self._connections.add(request)
            try:
                self.pause(0)  # hangs up if ``close`` came first and did not know this connection
                if isinstance(request, ssl.SSLSocket):
                    request.do_handshake()
                yield request
            finally:
                with self._lock:
                    self._connections.discard(request)

    def close(self) -> None:
        """End every stall, connection and thread; does nothing the second time."""
        self._closing.set()
        if self._accepting:
            self.shutdown()
            self._accepting.join()
        with self._lock:
            connections = tuple(self._connections)
        for connection in connections:  # wakes a thread that waits for a request or for a slow reader
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._resources.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close; raises what went wrong in the server itself, unless something else is being raised."""
        self.close()
        if self.failures and kind is None:
            raise self.failures[0]

    def handle_error(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        error = sys.exception()
        if error:
            self.failures.append(error)


def _sign_certificate(path: Path) -> Path:
    """Write a key and its own certificate for 127.0.0.1, valid for a day, into one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "faulty server")])
    now = datetime.now(UTC)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(addresses, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return path
