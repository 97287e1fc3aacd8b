"""Anthropic's wire: messages."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from wire import Call, Json, Piece, Reply, Request, Usage, Wire, named_event

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal", "tool_calls": "tool_use"}
SIGNATURE = "c2lnbmF0dXJl"
ERROR_TYPES = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error"}
ERROR_TYPES |= {403: "permission_error", 404: "not_found_error", 413: "request_too_large"}
ERROR_TYPES |= {429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error"}


def _usage(usage: Usage) -> Json:
    """Anthropic counts cached input apart from the rest, and thinking within the output."""
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": usage.cached}
    return {"input_tokens": usage.input - usage.cached, **cached, "output_tokens": usage.output}


def _message(reply: Reply) -> Json:
    head = {"id": "msg_test", "type": "message", "role": "assistant", "model": reply.model}
    return {**head, "content": [], "stop_reason": None, "stop_sequence": None}


def _stop(reply: Reply) -> Json:
    reason = STOP_REASONS.get(reply.ending or "", reply.ending)
    return {"stop_reason": reason, "stop_sequence": None}


def _tool_use(call: Call, arguments: Json) -> Json:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _whole(reply: Reply, request: Request) -> Json:
    thinking = {"type": "thinking", "thinking": reply.reasoning, "signature": SIGNATURE}
    content = [thinking] if reply.reasoning else []
    content += [{"type": "text", "text": reply.text}] if reply.text else []
    content += [_tool_use(call, call.input) for call in reply.calls]
    usage = {"usage": _usage(reply.usage)} if reply.usage else {}
    return {**_message(reply), "content": content, **_stop(reply), **usage}


def _block(index: int, block: Json, deltas: Iterator[Json]) -> Iterator[Json]:
    yield {"type": "content_block_start", "index": index, "content_block": block}
    if index == 0:
        yield {"type": "ping"}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _start(reply: Reply, kind: str | int) -> Json:
    """The block while it is empty."""
    if isinstance(kind, int):
        return _tool_use(reply.calls[kind], {})
    return {"type": "text", "text": ""} if kind == "text" else {"type": "thinking", "thinking": "", "signature": ""}


def _deltas(kind: str | int, parts: Iterator[Piece]) -> Iterator[Json]:
    if isinstance(kind, int):
        yield {"type": "input_json_delta", "partial_json": ""}  # as the API begins
    for _, part in parts:
        if isinstance(kind, int):
            yield {"type": "input_json_delta", "partial_json": part}
        elif kind == "text":
            yield {"type": "text_delta", "text": part}
        else:
            yield {"type": "thinking_delta", "thinking": part}
    if kind == "reasoning":
        yield {"type": "signature_delta", "signature": SIGNATURE}


def _events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    usage = {"usage": _usage(reply.usage)} if reply.usage else {}
    at_start = {"usage": {**usage["usage"], "output_tokens": 1}} if usage else {}
    yield named_event({"type": "message_start", "message": {**_message(reply), **at_start}})
    for index, (kind, parts) in enumerate(groupby(pieces, key=lambda piece: piece[0])):
        yield from map(named_event, _block(index, _start(reply, kind), _deltas(kind, parts)))
    if reply.ending:
        yield named_event({"type": "message_delta", "delta": _stop(reply), **usage})
    yield named_event({"type": "message_stop"})


def _error(status: int, message: str) -> Json:
    error = {"type": ERROR_TYPES.get(status, "api_error"), "message": message}
    return {"type": "error", "error": error, "request_id": "req_test"}


MESSAGES = Wire("/v1/messages", ("model", "max_tokens", "messages"), _whole, _events, _error)
