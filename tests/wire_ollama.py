"""Ollama's wire, and how it lists and shows its models."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from wire import Call, Json, Piece, Reply, Request, Wire, encode, undivided


def _tool_call(place: int, call: Call) -> Json:
    return {"function": {"index": place, "name": call.name, "arguments": call.input}}


def _line(reply: Reply, message: Json, *, done: bool) -> Json:
    line: Json = {"model": reply.model, "created_at": "2025-10-09T08:53:20.000000Z"}
    line |= {"message": {"role": "assistant", **message}, "done": done}
    if done and reply.ending:
        line["done_reason"] = {"tool_calls": "stop"}.get(reply.ending, reply.ending)
    if done:
        line |= {"total_duration": 9_000_000, "load_duration": 1_000_000}  # nanoseconds
    if done and reply.usage:
        line |= {"prompt_eval_count": reply.usage.input, "eval_count": reply.usage.output}
    return line


def _whole(reply: Reply, request: Request) -> Json:
    message: Json = {"content": reply.text, **({"thinking": reply.reasoning} if reply.reasoning else {})}
    if reply.calls:
        message["tool_calls"] = [_tool_call(place, call) for place, call in enumerate(reply.calls)]
    return _line(reply, message, done=True)


def _messages(reply: Reply, kind: str | int, parts: Iterator[Piece]) -> Iterator[Json]:
    if isinstance(kind, int):
        for call in undivided(reply.calls[kind], parts):
            yield {"content": "", "tool_calls": [_tool_call(kind, call)]}
    else:
        for _, part in parts:
            yield {"content": part} if kind == "text" else {"content": "", "thinking": part}


def _events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    for kind, parts in groupby(pieces, key=lambda piece: piece[0]):
        for message in _messages(reply, kind, parts):
            yield encode(_line(reply, message, done=False)) + b"\n"
    if reply.ending:
        yield encode(_line(reply, {"content": ""}, done=True)) + b"\n"


def _error(status: int, message: str) -> Json:
    return {"error": message}


OLLAMA = Wire(
    "/api/chat",
    ("model", "messages"),
    _whole,
    _events,
    _error,
    streamed=lambda request: request.body.get("stream", True),  # Ollama streams unless told not to
    stream_type="application/x-ndjson",
)

DETAILS = {"format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "8.0B"}
DETAILS |= {"parent_model": "", "quantization_level": "Q4_K_M"}


def tag(model: str) -> Json:
    size = {"modified_at": "2025-10-09T08:53:20Z", "size": 4_920_753_328, "digest": "0" * 64}
    return {"name": model, "model": model, **size, "details": DETAILS}


def show(context_tokens: int) -> Json:
    info = {"general.architecture": "llama", "llama.context_length": context_tokens}
    texts = {"modelfile": "", "parameters": "", "template": "{{ .Prompt }}"}
    return {**texts, "details": DETAILS, "model_info": info, "capabilities": ["completion"]}
