"""Ollama's wire, and how it lists and shows its models."""

from __future__ import annotations

from collections.abc import Iterator

from wire import Json, Piece, Reply, Request, Wire, encode


def _line(reply: Reply, message: Json, *, done: bool) -> Json:
    line: Json = {"model": reply.model, "created_at": "2025-10-09T08:53:20.000000Z"}
    line |= {"message": {"role": "assistant", **message}, "done": done}
    if done and reply.finish_reason:
        line["done_reason"] = reply.finish_reason
    if done:
        line |= {"total_duration": 9_000_000, "load_duration": 1_000_000}  # nanoseconds
    if done and reply.usage:
        line |= {"prompt_eval_count": reply.usage.input, "eval_count": reply.usage.output}
    return line


def _whole(reply: Reply, request: Request) -> Json:
    thinking = {"thinking": reply.reasoning} if reply.reasoning else {}
    return _line(reply, {"content": reply.text, **thinking}, done=True)


def _events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    for kind, part in pieces:
        message = {"content": part} if kind == "text" else {"content": "", "thinking": part}
        yield encode(_line(reply, message, done=False)) + b"\n"
    if reply.finish_reason:
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
