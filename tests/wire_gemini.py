"""Gemini's wire."""

from __future__ import annotations

from collections.abc import Iterator

from wire import Json, Piece, Reply, Request, Usage, Wire, encode

FINISH_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
ERROR_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
ERROR_STATUS |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


def _usage(usage: Usage) -> Json:
    """Gemini counts thoughts apart from the candidates, and the total has both."""
    counts = {"promptTokenCount": usage.input, "candidatesTokenCount": usage.output - usage.reasoning}
    counts |= {"cachedContentTokenCount": usage.cached} if usage.cached else {}
    counts |= {"thoughtsTokenCount": usage.reasoning} if usage.reasoning else {}
    return {**counts, "totalTokenCount": usage.input + usage.output}


def _content(reply: Reply, pieces: Iterator[Piece], *, last: bool) -> Json:
    parts = [{"text": text, **({"thought": True} if kind == "reasoning" else {})} for kind, text in pieces]
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last and reply.finish_reason:
        candidate["finishReason"] = FINISH_REASONS.get(reply.finish_reason, reply.finish_reason)
    usage = {"usageMetadata": _usage(reply.usage)} if reply.usage else {}
    return {"candidates": [candidate], **usage, "modelVersion": reply.model, "responseId": "test"}


def _whole(reply: Reply, request: Request) -> Json:
    said = [("reasoning", reply.reasoning), ("text", reply.text or "")]
    return _content(reply, iter([piece for piece in said if piece[1]]), last=True)


def _events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"data: " + encode(_content(reply, iter([piece]), last=False)) + b"\r\n\r\n"
    if reply.finish_reason:
        yield b"data: " + encode(_content(reply, iter([("text", "")]), last=True)) + b"\r\n\r\n"


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
