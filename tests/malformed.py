"""Answers that are damaged, of another form than was asked for, or lack what makes them an answer."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from exchange import AT_FAULT, TEXT, Exchange, Scenario, cut, event_of
from wire import Json, Reply, Wire, encode
from wire_anthropic import MESSAGES
from wire_gemini import GEMINI
from wire_openai import CHAT, RESPONSES


def empty_body(exchange: Exchange) -> None:
    exchange.answer(b"", content_type=exchange.wire.stream_type if exchange.streamed else "application/json")


def json_list(exchange: Exchange) -> None:
    """The answer in a list, as Gemini streams when not asked for events."""
    exchange.answer(encode([exchange.wire.whole(Reply(text=TEXT, model=exchange.arrival.model), exchange.arrival)]))


def malformed(exchange: Exchange, event: bytes) -> bytes:
    """The event with its JSON cut: who skips it loses the third piece."""
    return event.rstrip()[:-9] + b"\n\n"


def not_utf8(data: bytes) -> bytes:
    """One byte more, in the third piece, that is no UTF-8."""
    return data.replace(AT_FAULT.encode(), AT_FAULT[:3].encode() + b"\xff" + AT_FAULT[3:].encode())


NOT_EVENTS = b"no field at all\ndata\nid: 7\nretry: soon\nunknown: {}\n\n: comment\n\nevent: nonsense\n\n\n\n"


def as_events(exchange: Exchange, body: bytes) -> None:
    """A stream, which was not asked for."""
    replace(exchange, scenario=Scenario()).stream(Reply(text=TEXT, model=exchange.arrival.model))


CONTENT = {CHAT: "choices", RESPONSES: "output", MESSAGES: "content", GEMINI: "candidates"}
MISSING: dict[str, dict[Wire, tuple[str | int, ...]]] = {
    "missing_choices": {wire: (name,) for wire, name in CONTENT.items()},
    "missing_delta": {
        CHAT: ("choices", 0, "message"),
        RESPONSES: ("output", 0, "content"),
        MESSAGES: ("content", 0, "text"),
        GEMINI: ("candidates", 0, "content"),
    },
    "missing_content": {
        CHAT: ("choices", 0, "message", "content"),
        RESPONSES: ("output", 0, "content", 0, "text"),
        MESSAGES: ("content", 0, "text"),
        GEMINI: ("candidates", 0, "content", "parts"),
    },
}
DELTA = {"type": "response.output_text.delta"}
PLACE = {"item_id": "msg_test", "output_index": 0, "content_index": 0, "sequence_number": 9}
BLOCK = {"type": "content_block_delta"}
ODD_EVENTS: dict[str, dict[Wire, Json]] = {
    "missing_choices": {CHAT: {}, RESPONSES: DELTA, MESSAGES: BLOCK, GEMINI: {}},
    "missing_delta": {
        CHAT: {"choices": [{"index": 0, "finish_reason": None}]},
        RESPONSES: DELTA | PLACE,
        MESSAGES: BLOCK | {"index": 0},
        GEMINI: {"candidates": [{"index": 0}]},
    },
    "missing_content": {
        CHAT: {"choices": [{"index": 0, "delta": {"content": None}, "finish_reason": None}]},
        RESPONSES: DELTA | PLACE | {"delta": None},
        MESSAGES: BLOCK | {"index": 0, "delta": {"type": "text_delta"}},
        GEMINI: {"candidates": [{"index": 0, "content": {"role": "model"}}]},
    },
}


def odd_event(name: str) -> Callable[[Exchange, bytes], bytes]:
    """One event more, which lacks something; what follows is as it should be."""

    def send(exchange: Exchange, event: bytes) -> bytes:
        odd = ODD_EVENTS[name][exchange.wire]
        if exchange.wire is CHAT:
            odd = {"id": "chatcmpl-test", "object": "chat.completion.chunk", "model": exchange.arrival.model} | odd
        return event_of(exchange.wire, odd) + event

    return send


def lacking(name: str) -> Callable[[Exchange, bytes], None]:
    def send(exchange: Exchange, body: bytes) -> None:
        data = json.loads(body)
        *way, last = MISSING[name][exchange.wire]
        del functools.reduce(lambda inner, step: inner[step], way, data)[last]
        exchange.answer(encode(data))

    return send


def nothing_chosen(wire: Wire, data: Json) -> Json:
    inner = data.get("response", data)
    if isinstance(inner.get(CONTENT[wire]), list):
        inner[CONTENT[wire]] = []
    return data


def null_for_text(wire: Wire, data: Any) -> Any:
    """Null in place of every string that is the text or a piece of it."""
    if isinstance(data, dict):
        return {name: null_for_text(wire, value) for name, value in data.items()}
    if isinstance(data, list):
        return [null_for_text(wire, value) for value in data]
    return None if data in (TEXT, *cut(TEXT)) else data


def refused(wire: Wire, data: Json) -> Json:
    """A model or filter that declines, each wire's way; none of it is text of an answer."""
    words = "I cannot help with that."
    if wire is CHAT and data.get("choices"):
        said = data["choices"][0].get("message") or data["choices"][0]["delta"]
        said |= {"content": None, "refusal": words}
    elif wire is RESPONSES and data.get("response", data).get("output"):
        data.get("response", data)["output"][0]["content"] = [{"type": "refusal", "refusal": words}]
    elif wire is MESSAGES:
        ending = data.get("delta", data)
        ending |= {"stop_reason": "refusal"} if ending.get("stop_reason") else {}
    elif wire is GEMINI:
        data.pop("candidates")
        data["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
    return data
