"""A client of ``FaultyServer`` that sees every byte: what came, how it ended, and the text in it."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, NamedTuple

from exchange import BEFORE_FAULT, WIRES
from faulty_server import FaultyServer

KEY = "gsk_made-up-0123456789"
PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "gemini": "/v1beta/models/gemini-test:generateContent",
}
GEMINI_STREAM = "/v1beta/models/gemini-test:streamGenerateContent?alt=sse"
TURNS = [{"role": "user", "content": "二加二？"}]
WAYS = [(wire, streamed) for wire in WIRES for streamed in (False, True)]
PATIENCE_S = 20.0  # for what must come
LOOK_S = 0.3  # how long to look for what must not


# How it ends, streamed and not, where that is not "whole".
ENDS = {
    **dict.fromkeys(("stall_headers", "stall_body", "drip", "stall_mid", "ping_mid", "blank_mid"), ("open", "open")),
    **dict.fromkeys(("reset_before", "reset_mid"), ("reset", "reset")),
    **dict.fromkeys(("close_before", "close_mid", "truncated"), ("cut", "cut")),
}
NO_ANSWER = {"stall_headers", "reset_before", "close_before"}


class Got(NamedTuple):
    """``end``: "whole", "cut" (closed before HTTP says so), "reset", or "open" (nothing more, and still connected)."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    end: str

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def request(server: FaultyServer, wire: str, *, streamed: bool, **headers: str) -> socket.socket:
    """Send a request of ``wire``; the connection it went over."""
    path = GEMINI_STREAM if wire == "gemini" and streamed else PATHS[wire]
    body = json.dumps({"model": "test-model", "messages": TURNS, "input": "二加二？", "stream": streamed}).encode()
    lines = [f"POST {path} HTTP/1.1", "host: x", "connection: close", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    connection = socket.create_connection(server.server_address)
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return connection


def listen(connection: socket.socket, until: bytes = b"", then_s: float = PATIENCE_S) -> tuple[bytes, str]:
    """What comes, and how it ended: as far as ``until``, and for no more than ``then_s`` seconds after that."""
    raw, found = b"", not until
    deadline = time.monotonic() + (then_s if found else PATIENCE_S)
    try:
        while True:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            if not (part := connection.recv(1 << 20)):
                return raw, "closed"
            raw += part
            if not found and until in raw:
                found, deadline = True, time.monotonic() + then_s
    except TimeoutError:
        return raw, "open"
    except ConnectionResetError:
        return raw, "reset"


def fetch(server: FaultyServer, wire: str, *, streamed: bool, **headers: str) -> Got:
    """The answer, or what of it comes before a stall."""
    with closing(request(server, wire, streamed=streamed, **headers)) as connection:
        name = server.scenarios[0]
        if "open" not in ENDS.get(name, ()):
            return parsed(*listen(connection))
        pieces_come = streamed and name.endswith("_mid")
        until = BEFORE_FAULT[-6:].encode() if pieces_come else b"" if name in NO_ANSWER else b"\r\n\r\n"
        return parsed(*listen(connection, until, LOOK_S))


def parsed(raw: bytes, end: str) -> Got:
    head, found, rest = raw.partition(b"\r\n\r\n")
    if not found:
        return Got(None, {}, b"", "cut" if end == "closed" else end)
    status, *lines = head.decode().splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    body, complete = unchunked(rest) if "transfer-encoding" in headers else (rest, False)
    complete = complete or len(rest) == int(headers.get("content-length", -1))
    return Got(int(status.split()[1]), headers, body, "whole" if complete else "cut" if end == "closed" else end)


def unchunked(rest: bytes) -> tuple[bytes, bool]:
    """The body so far, and whether its end came."""
    body = b""
    while found := rest.partition(b"\r\n")[1]:
        size, _, rest = rest.partition(b"\r\n")
        if size == b"0":
            return body, rest == b"\r\n"
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + len(found) :]
    return body, False


def each_way(name: str) -> dict[tuple[str, bool], Got]:
    """What scenario ``name`` gives on every wire, streamed and whole, asked for at the same time."""
    with FaultyServer(name) as server, ThreadPoolExecutor(len(WAYS)) as clients:
        got = clients.map(lambda way: fetch(server, way[0], streamed=way[1], authorization="Bearer " + KEY), WAYS)
        answers = dict(zip(WAYS, got, strict=True))
    assert len(server.requests) == len(WAYS)
    return answers


# Reading the wires -------------------------------------------------------------------------------------


def pick(data: Any, *way: str | int) -> Any:
    for step in way:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def whole_text(wire: str, data: Any) -> str | None:
    ways: dict[str, tuple[str | int, ...]] = {
        "chat": ("choices", 0, "message", "content"),
        "responses": ("output", 0, "content", 0, "text"),
        "messages": ("content", 0, "text"),
        "gemini": ("candidates", 0, "content", "parts", 0, "text"),
    }
    return pick(data, *ways[wire])


def piece_text(wire: str, data: Any) -> str | None:
    if wire == "responses":
        return pick(data, "delta") if pick(data, "type") == "response.output_text.delta" else None
    if wire == "gemini":
        return whole_text(wire, data)
    return pick(data, *{"chat": ("choices", 0, "delta", "content"), "messages": ("delta", "text")}[wire])


def said(wire: str, got: Got, *, streamed: bool) -> str:
    """The text in it, as far as it can be read."""
    if "event-stream" in got.headers.get("content-type", ""):
        lines = (line.removeprefix("data: ") for line in got.text.splitlines() if line.startswith("data: "))
        return "".join(piece_text(wire, loaded(line)) or "" for line in lines)
    return whole_text(wire, loaded(got.text)) or ""


def loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
