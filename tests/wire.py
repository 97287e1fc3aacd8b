"""What the wires of the providers have in common: replies as a test scripts them, requests, how an API is spoken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

CREATED = 1_760_000_000  # Unix seconds

Json = dict[str, Any]
Piece = tuple[str, str]  # ("reasoning" | "text", characters)


@dataclass(frozen=True)
class Usage:
    """Tokens. ``cached`` are part of ``input`` and ``reasoning`` of ``output``, as OpenAI counts."""

    input: int = 11
    output: int = 7
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Reply:
    """One scripted answer, said in OpenAI's words; each wire translates ``finish_reason`` and ``usage``.

    ``text`` None echoes the prompt; with an error ``status`` it is the error's message. ``pieces`` is the
    text as a stream cuts it. ``finish_reason`` None and ``usage`` None are not sent.
    ``stop_after`` ends a stream after that many pieces of reasoning and text, with no closing event (a
    reply that is not streamed is cut in half); ``abrupt`` closes the connection without HTTP's last chunk.
    ``body`` is sent as it is, in place of what the wire would say. ``delay_s`` comes before the headers,
    ``piece_delay_s`` between pieces; both are seconds, no longer than ``MAX_PAUSE_S`` each.
    """

    text: str | None = None
    reasoning: str = ""
    finish_reason: str | None = "stop"
    usage: Usage | None = Usage()
    model: str | None = None
    status: int = 200
    body: str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    pieces: tuple[str, ...] = ()
    piece_delay_s: float = 0.0
    stop_after: int | None = None
    abrupt: bool = False

    def __post_init__(self) -> None:
        if self.pieces and self.text not in (None, "".join(self.pieces)):
            raise ValueError("the pieces do not make up the text")


@dataclass(frozen=True)
class Request:
    """What arrived. ``path`` has the query; header names are lower case; ``body`` is None if not JSON."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    received_at: float  # time.monotonic(), seconds

    @property
    def route(self) -> str:
        return urlsplit(self.path).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    @property
    def key(self) -> str | None:
        """The API key, from whichever place the wire has for it."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        named = self.headers.get("x-api-key") or self.headers.get("x-goog-api-key")
        return bearer or named or self.query.get("key")

    @property
    def model(self) -> str:
        in_path = re.search(r"/models/([^/:]+):", self.path)
        return in_path[1] if in_path else self.body["model"]

    @property
    def prompt(self) -> str:
        """The text of the last turn."""
        turns = self.body.get("messages") or self.body.get("input") or self.body.get("contents") or ""
        return _text(turns if isinstance(turns, str) else turns[-1])


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(map(_text, content))
    return _text(content.get("text") or content.get("content") or content.get("parts") or "")


class StreamCut(Exception):
    """The script ends the stream here."""


@dataclass(frozen=True)
class Wire:
    """How one API is spoken. ``route`` matches the end of a POST's path, whatever stands before it."""

    route: str
    required: tuple[str, ...]
    whole: Callable[[Reply, Request], Json]
    events: Callable[[Reply, Request, Iterator[Piece]], Iterator[bytes]]
    error: Callable[[int, str], Json]
    streamed: Callable[[Request], bool] = lambda request: request.body.get("stream") is True
    stream_type: str = "text/event-stream; charset=utf-8"


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def named_event(data: Json) -> bytes:
    """A server-sent event with a name, which both OpenAI Responses and Anthropic repeat as ``type``."""
    return b"event: " + data["type"].encode() + b"\ndata: " + encode(data) + b"\n\n"
