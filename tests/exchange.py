"""A request, the connection its answer goes to, and the scenario that is played on it."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING

from wire import Json, Reply, Request, StreamCut, Wire, encode
from wire_anthropic import MESSAGES
from wire_gemini import GEMINI
from wire_openai import CHAT, RESPONSES

if TYPE_CHECKING:
    from faulty_server import FaultyServer


WIRES = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES, "gemini": GEMINI}

TEXT = "二加二 makes four; 2 + 2 gives 四"  # 29 characters
PIECE_CHARACTERS = 6
PIECES_BEFORE_FAULT = 2
BEFORE_FAULT = TEXT[: PIECES_BEFORE_FAULT * PIECE_CHARACTERS]
AT_FAULT = TEXT[len(BEFORE_FAULT) : len(BEFORE_FAULT) + PIECE_CHARACTERS]  # the third piece

MAX_STALL_S = 25.0
PIECE_PAUSE_S = 0.01  # lets each piece arrive by itself


class Hangup(Exception):
    """Nothing more is sent on this connection; it is closed, by a reset if ``reset``."""

    def __init__(self, *, reset: bool = False) -> None:
        self.reset = reset


@dataclass(frozen=True)
class Arrival(Request):
    """A request with its body as it came."""

    raw: bytes

    @property
    def wire(self) -> Wire | None:
        spoken = (wire for wire in WIRES.values() if re.search(wire.route + "$", self.route))
        return next(spoken, None) if self.method == "POST" else None

    @property
    def credentials(self) -> str:
        """Every key in it, whatever header or parameter it came in."""
        headers = [value for name, value in self.headers.items() if re.search("key|auth|token", name)]
        return " ".join([value.removeprefix("Bearer ") for value in headers] + [self.query.get("key", "")]).strip()


def event_of(wire: Wire, data: Json) -> bytes:
    named = b"event: %s\n" % data["type"].encode() if wire in (RESPONSES, MESSAGES) else b""
    return named + b"data: " + encode(data) + (b"\r\n\r\n" if wire is GEMINI else b"\n\n")


def _edited(event: bytes, change: Callable[[Json], Json]) -> bytes:
    """The server-sent event with its JSON changed; one without JSON (OpenAI's [DONE]) as it is."""
    cut = re.fullmatch(rb"(.*?data: )(\{.*\})(\s*)", event, re.DOTALL)
    return cut[1] + encode(change(json.loads(cut[2]))) + cut[3] if cut else event


def cut(text: str) -> list[str]:
    return [text[start : start + PIECE_CHARACTERS] for start in range(0, len(text), PIECE_CHARACTERS)]


@dataclass(frozen=True)
class Exchange:
    """One request and the connection its answer goes to."""

    server: FaultyServer
    connection: socket.socket
    arrival: Arrival
    wire: Wire
    scenario: Scenario

    @property
    def streamed(self) -> bool:
        return bool(self.wire.streamed(self.arrival))

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.server.count_sent(len(data))

    def head(self, status: int, **headers: str) -> None:
        """``headers``: an underscore in a name is a hyphen. A body without ``content_length`` goes out by ``chunk``."""
        if "content_length" not in headers:
            headers["transfer_encoding"] = "chunked"
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Overloaded')}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def open_stream(self, **headers: str) -> None:
        self.head(200, content_type=self.wire.stream_type, **headers)

    def open_body(self, length: int, **headers: str) -> None:
        self.head(200, content_type="application/json", content_length=str(length), **headers)

    def chunk(self, data: bytes) -> None:
        if data:
            self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.send(b"0\r\n\r\n")

    def answer(self, body: bytes, status: int = 200, content_type: str = "application/json", **headers: str) -> None:
        self.head(status, content_type=content_type, content_length=str(len(body)), **headers)
        self.send(body)

    def keep_up(self, say: Callable[[], None], pause_s: float) -> None:
        """``say`` over and over until ``MAX_STALL_S`` have passed, then hang up."""
        until = time.monotonic() + MAX_STALL_S
        while time.monotonic() < until:
            say()
            self.server.pause(pause_s)
        raise Hangup

    def filled(self, text: str) -> str:
        """``text`` with what only this request or this moment knows."""
        known = {"{key}": self.arrival.credentials, "{model}": self.arrival.model}
        known["{date}"] = formatdate(time.time() + 2, usegmt=True)
        return functools.reduce(lambda said, name: said.replace(name, known[name]), known, text)

    def play(self) -> None:
        reply = self.scenario.reply
        reply = replace(reply, text=self.filled(reply.text or ""), model=self.arrival.model)
        if self.scenario.model_served:
            reply = replace(reply, model=self.server.other_model)
        if self.wire not in (MESSAGES, RESPONSES):  # the others count reasoning tokens, and show none of them
            reply = replace(reply, reasoning="")
        if self.scenario.instead:
            self.scenario.instead(self)
        elif self.streamed:
            self.stream(reply)
        else:
            whole = self.scenario.change(self.wire, self.wire.whole(reply, self.arrival))
            self.scenario.whole(self, encode(whole))

    def stream(self, reply: Reply) -> None:
        self.open_stream()
        with contextlib.suppress(StreamCut):
            for event in self._events(reply):
                self.chunk(event)
        self.end()

    def _events(self, reply: Reply) -> Iterator[bytes]:
        """The stream's events, the fault among them."""
        asked, broken = 0, False

        def pieces() -> Iterator[tuple[str, str]]:
            nonlocal asked
            said = [("reasoning", part) for part in cut(reply.reasoning)]
            for piece in said + [("text", part) for part in cut(reply.text or "")]:
                self.server.pause(self.scenario.piece_pause_s)
                asked += 1
                yield piece

        events = self.wire.events(reply, self.arrival, pieces())
        for event in self.scenario.select(events):
            event = _edited(event, partial(self.scenario.change, self.wire))
            if asked > PIECES_BEFORE_FAULT and not broken:
                broken, event = True, self.scenario.at_fault(self, event)
            yield event


def _same(wire: Wire, data: Json) -> Json:
    return data


def _pass(exchange: Exchange, event: bytes) -> bytes:
    return event


@dataclass(frozen=True)
class Scenario:
    """``instead``: sent in place of any answer. Else ``reply``, its JSON run through ``change``, and, streamed, with
    ``at_fault`` called before the third piece of text: it gives what is sent in place of that piece's event, or
    raises ``StreamCut`` (a clean end) or ``Hangup``; not streamed, ``whole`` sends the body.

    ``sent``, ``sent_whole``: the text that was certainly sent before the fault, streamed and not. Text in
    braces (``{key}``) is filled in from the request.
    """

    reply: Reply = Reply(text=TEXT)
    instead: Callable[[Exchange], None] | None = None
    change: Callable[[Wire, Json], Json] = _same
    select: Callable[[Iterator[bytes]], Iterator[bytes]] = iter
    at_fault: Callable[[Exchange, bytes], bytes] = _pass
    whole: Callable[[Exchange, bytes], None] = Exchange.answer
    model_served: bool = False  # names ``FaultyServer.other_model``
    piece_pause_s: float = PIECE_PAUSE_S
    sent: str = ""
    sent_whole: str = ""
