"""Gemini's wire."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from wire import Call, Json, Piece, Reply, Request, Usage, Wire, encode, undivided

FINISH_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY", "tool_calls": "STOP"}
SIGNATURE = "c2lnbmF0dXJl"
ERROR_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
ERROR_STATUS |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


def _usage(usage: Usage) -> Json:
    """Gemini counts thoughts apart from the candidates, and the total has both."""
    counts = {"promptTokenCount": usage.input, "candidatesTokenCount": usage.output - usage.reasoning}
    counts |= {"cachedContentTokenCount": usage.cached} if usage.cached else {}
    counts |= {"thoughtsTokenCount": usage.reasoning} if usage.reasoning else {}
    return {**counts, "totalTokenCount": usage.input + usage.output}


def _said(kind: str | int, text: str) -> Json:
    return {"text": text, **({"thought": True} if kind == "reasoning" else {})}


def _called(reply: Reply, place: int, call: Call) -> Json:
    """The first call of a turn carries the signature of the thought before it."""
    signature = {"thoughtSignature": SIGNATURE} if reply.reasoning and place == 0 else {}
    return {"functionCall": {"name": call.name, "args": call.input}, **signature}


def _parts(reply: Reply, kind: str | int, pieces: Iterator[Piece]) -> Iterator[Json]:
    if isinstance(kind, int):
        yield from (_called(reply, kind, call) for call in undivided(reply.calls[kind], pieces))
    else:
        yield from (_said(kind, text) for _, text in pieces)


def _content(reply: Reply, parts: list[Json], *, last: bool) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last and reply.ending:
        candidate["finishReason"] = FINISH_REASONS.get(reply.ending, reply.ending)
    usage = {"usageMetadata": _usage(reply.usage)} if reply.usage else {}
    return {"candidates": [candidate], **usage, "modelVersion": reply.model, "responseId": "test"}


def _whole(reply: Reply, request: Request) -> Json:
    said = [("reasoning", reply.reasoning), ("text", reply.text or "")]
    called = [_called(reply, place, call) for place, call in enumerate(reply.calls)]
    return _content(reply, [*(_said(*piece) for piece in said if piece[1]), *called], last=True)


def _events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    for kind, parts in groupby(pieces, key=lambda piece: piece[0]):
        for part in _parts(reply, kind, parts):
            yield b"data: " + encode(_content(reply, [part], last=False)) + b"\r\n\r\n"
    if reply.ending:
        yield b"data: " + encode(_content(reply, [_said("text", "")], last=True)) + b"\r\n\r\n"


def _error(status: int, message: str) -> Json:
    return {"error": {"code": status, "message": message, "status": ERROR_STATUS.get(status, "UNKNOWN")}}


GEMINI = Wire(
    r"/models/[^/:]+:(generateContent|streamGenerateContent)",
    ("contents",),
    _whole,
    _events,
    _error,
    streamed=lambda request: request.route.endswith(":streamGenerateContent"),
    stream_type="text/event-stream",
)
