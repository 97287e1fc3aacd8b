"""What the wires of the providers have in common: replies as a test scripts them, requests, how an API is spoken."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

CREATED = 1_760_000_000  # Unix seconds
# Google reads both spellings; the reference has the first, LiteLLM sends the second.
GEMINI_SCHEMA = ("responseJsonSchema", "responseSchema", "response_json_schema", "response_schema")

Json = dict[str, Any]
Piece = tuple[str | int, str]  # "reasoning", "text" or the place of a call in ``Reply.calls``; characters


@dataclass(frozen=True)
class Usage:
    """Tokens. ``cached`` are part of ``input`` and ``reasoning`` of ``output``, as OpenAI counts."""

    input: int = 11
    output: int = 7
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Call:
    """A tool that the model calls. ``arguments`` is JSON text, as it came: broken too, where the wire has text for it
    (OpenAI's two; Anthropic's when streamed). Gemini and Ollama send no ``id``.
    """

    name: str
    arguments: str
    id: str = "call_1"

    @property
    def input(self) -> Json:
        """The arguments where the wire has an object for them."""
        return json.loads(self.arguments or "{}")


@dataclass(frozen=True)
class Reply:
    """One scripted answer, said in OpenAI's words; each wire translates ``finish_reason`` and ``usage``.

    ``text`` None echoes the prompt, or is empty beside ``calls``; with an error ``status`` it is the error's
    message. ``pieces`` is the text as a stream cuts it. ``finish_reason`` None and ``usage`` None are not sent.
    ``stop_after`` ends a stream after that many pieces of reasoning, text and arguments, with no closing event (a
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
    calls: tuple[Call, ...] = ()

    def __post_init__(self) -> None:
        if self.pieces and self.text not in (None, "".join(self.pieces)):
            raise ValueError("the pieces do not make up the text")

    @property
    def ending(self) -> str | None:
        """``finish_reason``, which is "tool_calls" for a "stop" with calls."""
        return "tool_calls" if self.calls and self.finish_reason == "stop" else self.finish_reason


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
        turns = self._turns
        return _text(turns if isinstance(turns, str) else turns[-1])

    @property
    def tool_results(self) -> list[tuple[str, str]]:
        """Id and text of each result that came since the model's last turn; the tool's name, where there is no id."""
        turns = [] if isinstance(self._turns, str) else self._turns
        new = itertools.takewhile(lambda turn: not _of_the_model(turn), reversed(turns))
        return [result for turn in reversed(list(new)) for result in _results(turn)]

    @property
    def tools(self) -> list[str]:
        """Names of the tools offered."""
        return [(tool.get("function") or tool)["name"] for tool in self._offered]

    @property
    def schema(self) -> Json | None:
        """The JSON Schema that the answer is to follow; on Anthropic's wire also that of a tool that must be called."""
        body = self.body
        forced = _at(body, "tool_choice", "name") if _at(body, "tool_choice", "type") == "tool" else None
        places = [
            _at(body, "response_format", "json_schema", "schema"),
            _at(body, "text", "format", "schema"),
            _at(body, "output_format", "schema"),
            _at(body, "output_config", "format", "schema"),
            *(_at(body, "generationConfig", name) for name in GEMINI_SCHEMA),
            _at(body, "format"),
            *(tool["input_schema"] for tool in self._offered if forced and tool["name"] == forced),
        ]
        return next((place for place in places if isinstance(place, dict)), None)

    @property
    def _offered(self) -> list[Json]:
        """The tools; Gemini's lie one level deeper."""
        groups = [
            tool.get("functionDeclarations") or tool.get("function_declarations") or [tool]
            for tool in self.body.get("tools") or []
        ]
        return [tool for group in groups for tool in group]

    @property
    def _turns(self) -> Any:
        return self.body.get("messages") or self.body.get("input") or self.body.get("contents") or ""


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(map(_text, content))
    return _text(content.get("text") or content.get("content") or content.get("parts") or "")


def _at(data: Any, *way: str) -> Any:
    for name in way:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _of_the_model(turn: Json) -> bool:
    return turn.get("role") in ("assistant", "model") or turn.get("type") in ("function_call", "reasoning")


def _results(turn: Json) -> Iterator[tuple[str, str]]:
    """Those in one turn: all of it on OpenAI's and Ollama's wires, parts of it on Anthropic's and Gemini's."""
    if turn.get("role") == "tool":
        yield turn.get("tool_call_id") or turn.get("tool_name") or "", _text(turn["content"] or "")
    elif turn.get("type") == "function_call_output":
        yield turn["call_id"], _text(turn["output"])
    content = turn.get("content")
    for block in content if isinstance(content, list) else []:
        if block.get("type") == "tool_result":
            yield block["tool_use_id"], _text(block.get("content") or "")
    for part in turn.get("parts") or []:
        if response := part.get("functionResponse") or part.get("function_response"):
            yield response.get("id") or response["name"], _said(response["response"])


def _said(response: Json) -> str:
    """Gemini takes an object. Text goes under a name: "output" or "result" by the reference, LiteLLM says "content"."""
    names = set(response) & {"output", "result", "content"}
    only = response[names.pop()] if names and len(response) == 1 else None
    return only if isinstance(only, str) else json.dumps(response, ensure_ascii=False)


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


def undivided(call: Call, pieces: Iterator[Piece]) -> Iterator[Call]:
    """The call, as soon as all of its arguments are there: for wires that never cut one."""
    said = ""
    for _, part in pieces:
        said += part
        if said == call.arguments:
            yield call


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def named_event(data: Json) -> bytes:
    """A server-sent event with a name, which both OpenAI Responses and Anthropic repeat as ``type``."""
    return b"event: " + data["type"].encode() + b"\ndata: " + encode(data) + b"\n\n"
