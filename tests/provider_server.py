"""A real HTTP server on 127.0.0.1 that plays the providers: OpenAI, Anthropic, Gemini and Ollama.

    with ProviderServer() as server:
        server.reply(Reply(text="hello", reasoning="hm"), Reply(status=500))
        ...                                 # the first call gets the text, the second the error
        assert server.requests[0].body["messages"][-1]["content"] == "hi"

A call for which nothing was scripted gets ``server.default``, which echoes the prompt. Wire formats
follow the providers' public API references; only what a client reads is imitated.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import socketserver
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

import wire_ollama
from wire import CREATED, Call, Json, Piece, Reply, Request, StreamCut, Usage, Wire, encode
from wire_anthropic import MESSAGES
from wire_embeddings import EMBEDDINGS
from wire_gemini import GEMINI
from wire_ollama import OLLAMA
from wire_openai import CHAT, RESPONSES

__all__ = ["MAX_PAUSE_S", "Call", "ProviderServer", "Reply", "Request", "Usage"]

MAX_PAUSE_S = 20.0  # no script may hold a test longer than this
PIECE_CHARACTERS = 4  # length of a streamed piece when the script does not cut the text itself
WIRES = (CHAT, RESPONSES, MESSAGES, GEMINI, OLLAMA, *EMBEDDINGS)


def _wire(request: Request) -> Wire | None:
    spoken = (wire for wire in WIRES if re.search(wire.route + "$", request.route))
    return next(spoken, None) if request.method == "POST" else None


def _refusal(wire: Wire, request: Request) -> str | None:
    """Why the real provider would answer 400."""
    missing = [name for name in wire.required if name not in (request.body or {})]
    if missing:
        return f"missing required parameter: {missing[0]}"
    if wire is MESSAGES and "anthropic-version" not in request.headers:
        return "anthropic-version: header is required"
    if wire is GEMINI and wire.streamed(request) and request.query.get("alt") != "sse":
        return "only alt=sse is played here"
    return None


def _pieces(reply: Reply, pause: Callable[[float], None]) -> Iterator[Piece]:
    cut = reply.pieces or tuple(_cut(reply.text or ""))
    script: list[Piece] = [("reasoning", part) for part in _cut(reply.reasoning)] + [("text", part) for part in cut]
    for place, call in enumerate(reply.calls):
        script += [(place, part) for part in list(_cut(call.arguments)) or [""]]
    for number, piece in enumerate(script):
        if number == reply.stop_after:
            raise StreamCut
        if number:
            pause(reply.piece_delay_s)
        yield piece
    if reply.stop_after is not None:
        raise StreamCut


def _cut(text: str) -> Iterator[str]:
    return (text[start : start + PIECE_CHARACTERS] for start in range(0, len(text), PIECE_CHARACTERS))


# Not only for the looks: clients tell errors of one status apart by these words.
ERROR_TEXT = {401: "Incorrect API key provided", 404: "The model does not exist", 529: "Overloaded"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ProviderServer

    def do_GET(self) -> None:
        self._answer(self._received())

    def do_POST(self) -> None:
        self._answer(self._received())

    def log_message(self, *args: object) -> None:
        """Nothing on stderr: the tests read what the command under test prints there."""

    def _received(self) -> Request:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, body, time.monotonic())

    def _answer(self, request: Request) -> None:
        wire = _wire(request)
        refusal = wire and _refusal(wire, request)
        scripted = self.server.record(request, generates=wire is not None and not refusal)
        reply = Reply(status=400, text=refusal) if refusal else scripted
        self.server.pause(reply.delay_s)
        if reply.body is not None:
            self._send(reply, reply.body if isinstance(reply.body, bytes) else reply.body.encode())
        elif reply.status >= 400:
            error = wire.error if wire else CHAT.error
            message = reply.text or ERROR_TEXT.get(reply.status) or HTTPStatus(reply.status).phrase
            self._send(reply, encode(error(reply.status, message)))
        elif wire:
            self._generate(request, wire, reply)
        else:
            self._list(request, reply)

    def _generate(self, request: Request, wire: Wire, reply: Reply) -> None:
        said = "".join(reply.pieces) or ("" if reply.calls else f"You said: {request.prompt}")
        text = said if reply.text is None else reply.text
        reply = replace(reply, text=text, model=reply.model or request.model)
        if wire.streamed(request):
            self._stream(reply, wire.stream_type, wire.events(reply, request, _pieces(reply, self.server.pause)))
        else:
            self._send(reply, encode(wire.whole(reply, request)))

    def _list(self, request: Request, reply: Reply) -> None:
        listing = _listing(request, self.server.models, self.server.context_tokens)
        self._send(reply if listing else replace(reply, status=404), encode(listing or NOT_FOUND))

    def _head(self, reply: Reply, content_type: str, *framing: str) -> None:
        self.send_response(reply.status)
        given = {name.lower() for name in reply.headers}
        if "content-type" not in given:
            self.send_header("content-type", content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header(*framing)
        self.end_headers()

    def _send(self, reply: Reply, body: bytes) -> None:
        sent = body if reply.stop_after is None else body[: len(body) // 2]
        self._head(reply, "application/json", "content-length", str(len(body if reply.abrupt else sent)))
        self.wfile.write(sent)
        self.close_connection = self.close_connection or reply.abrupt

    def _stream(self, reply: Reply, content_type: str, events: Iterator[bytes]) -> None:
        self._head(reply, content_type, "transfer-encoding", "chunked")
        with contextlib.suppress(StreamCut):
            for event in events:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        if reply.abrupt:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")


NOT_FOUND = {"error": "not found"}


def _listing(request: Request, models: tuple[str, ...], context_tokens: int) -> Json | None:
    """What a server says it serves; None for a path that nothing is served at."""
    if request.method == "GET" and request.route.endswith("/models"):
        head = {"object": "model", "created": CREATED, "owned_by": "test"}
        return {"object": "list", "data": [{"id": model, **head} for model in models]}
    if request.method == "GET" and request.route == "/api/tags":
        return {"models": [wire_ollama.tag(model) for model in models]}
    if request.method == "POST" and request.route == "/api/show":
        name = request.body.get("model") or request.body.get("name")  # LiteLLM says name, the older word
        return wire_ollama.show(context_tokens) if name in models else None
    return None


class ProviderServer(socketserver.ThreadingTCPServer):
    """Serves from construction to ``close``; a thread a connection, all ended by ``close``."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.default = Reply()
        self.models: tuple[str, ...] = ("test-model",)
        self.context_tokens = 8192  # what /api/show says of each model
        self.failures: list[BaseException] = []  # errors of this server, which a test must not pass over
        self._scripts: dict[str | None, deque[Reply]] = defaultdict(deque)
        self._received: list[Request] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Condition()
        self._closing = threading.Event()
        self._accepting = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def requests(self) -> tuple[Request, ...]:
        """Everything that arrived so far, in order."""
        with self._lock:
            return tuple(self._received)

    def wait_for(self, count: int, timeout: float = 10.0) -> tuple[Request, ...]:
        """The requests, once ``count`` arrived; ``TimeoutError`` after ``timeout`` seconds."""
        with self._lock:
            if not self._lock.wait_for(lambda: len(self._received) >= count, timeout):
                raise TimeoutError(f"{len(self._received)} of {count} requests arrived in {timeout} s")
            return tuple(self._received)

    def reply(self, *replies: Reply, path: str | None = None) -> None:
        """Script the next answers: to generations in order of arrival, or to one exact ``path`` alone."""
        with self._lock:
            self._scripts[path].extend(replies)

    def record(self, request: Request, *, generates: bool) -> Reply:
        """Note the request and take the answer to it."""
        with self._lock:
            self._received.append(request)
            self._lock.notify_all()
            scripts = self._scripts[request.route] or (self._scripts[None] if generates else deque())
            return scripts.popleft() if scripts else (self.default if generates else Reply())

    def pause(self, seconds: float) -> None:
        self._closing.wait(min(seconds, MAX_PAUSE_S))

    def close(self) -> None:
        self._closing.set()
        self.shutdown()
        self._accepting.join()
        with self._lock:
            connections = tuple(self._connections)
        for connection in connections:  # wakes a thread that waits for the next request or a slow reader
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def __exit__(self, *args: object) -> None:
        self.close()

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):  # a client may hang up whenever it likes
            self.failures.append(error)
