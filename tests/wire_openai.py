"""OpenAI's two wires: chat completions and Responses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from wire import CREATED, Call, Json, Piece, Reply, Request, Usage, Wire, encode, named_event

# Chat completions --------------------------------------------------------------------------------------


def _chat_usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }


def _chat_call(call: Call, arguments: str) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _chat_whole(reply: Reply, request: Request) -> Json:
    message: Json = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.calls:
        message |= {"content": reply.text or None}
        message |= {"tool_calls": [_chat_call(call, call.arguments) for call in reply.calls]}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning  # DeepSeek's field; OpenAI itself sends none here
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.ending}
    head = {"id": "chatcmpl-test", "object": "chat.completion", "created": CREATED, "model": reply.model}
    return {**head, "choices": [choice], **({"usage": _chat_usage(reply.usage)} if reply.usage else {})}


def _chat_events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    with_usage = (request.body.get("stream_options") or {}).get("include_usage") is True
    head: Json = {"id": "chatcmpl-test", "object": "chat.completion.chunk", "created": CREATED}
    head |= {"model": reply.model, **({"usage": None} if with_usage else {})}

    def chunk(delta: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return b"data: " + encode({**head, "choices": [choice]}) + b"\n\n"

    yield chunk({"role": "assistant", "content": None if reply.calls and not reply.text else ""})
    for kind, parts in groupby(pieces, key=lambda piece: piece[0]):
        if isinstance(kind, int):
            yield chunk({"tool_calls": [{"index": kind, **_chat_call(reply.calls[kind], "")}]})
        for _, part in parts:
            yield chunk(_chat_delta(kind, part))
    if reply.ending:
        yield chunk({}, reply.ending)
    if with_usage and reply.usage:
        yield b"data: " + encode({**head, "choices": [], "usage": _chat_usage(reply.usage)}) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _chat_delta(kind: str | int, part: str) -> Json:
    if isinstance(kind, int):
        return {"tool_calls": [{"index": kind, "function": {"arguments": part}}]}
    return {"content" if kind == "text" else "reasoning_content": part}


OPENAI_CODE = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def _openai_error(status: int, message: str) -> Json:
    kind = {429: "requests"}.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": OPENAI_CODE.get(status)}}


# Responses ---------------------------------------------------------------------------------------------


def _responses_usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def _reasoning_item(text: str) -> Json:
    return {"id": "rs_test", "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}


def _message_item(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    head = {"id": "msg_test", "type": "message", "status": "completed", "role": "assistant"}
    return {**head, "content": [part]}


def _call_item(place: int, call: Call) -> Json:
    head = {"id": f"fc_test_{place}", "type": "function_call", "status": "completed"}
    return {**head, "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _responses_shell(reply: Reply, request: Request) -> Json:
    """The response object while nothing has been generated."""
    asked = {name: request.body.get(name) for name in ("instructions", "max_output_tokens", "reasoning")}
    return {
        "id": "resp_test",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": reply.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": request.body.get("store", True),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "metadata": {},
        **asked,
    }


def _responses_whole(reply: Reply, request: Request) -> Json:
    reason = {"length": "max_output_tokens"}.get(reply.ending or "", reply.ending)
    complete = reason in ("stop", "tool_calls")
    output = [_reasoning_item(reply.reasoning)] if reply.reasoning else []
    output += [_message_item(reply.text or "")] if reply.text or not reply.calls else []
    output += [_call_item(place, call) for place, call in enumerate(reply.calls)]
    return _responses_shell(reply, request) | {
        "status": "completed" if complete else "incomplete",
        "incomplete_details": None if complete else {"reason": reason},
        "output": output,
        "usage": _responses_usage(reply.usage) if reply.usage else None,
    }


def _reasoning_events(parts: Iterator[Piece], place: Json) -> Iterator[Json]:
    place = {**place, "item_id": "rs_test", "summary_index": 0}
    said = ""
    yield {"type": "response.output_item.added", **place, "item": {**_reasoning_item(""), "summary": []}}
    part = {"type": "summary_text", "text": ""}
    yield {"type": "response.reasoning_summary_part.added", **place, "part": part}
    for _, piece in parts:
        said += piece
        yield {"type": "response.reasoning_summary_text.delta", **place, "delta": piece}
    yield {"type": "response.reasoning_summary_text.done", **place, "text": said}
    yield {"type": "response.reasoning_summary_part.done", **place, "part": {**part, "text": said}}
    yield {"type": "response.output_item.done", **place, "item": _reasoning_item(said)}


def _message_events(parts: Iterator[Piece], place: Json) -> Iterator[Json]:
    item = {**_message_item(""), "content": [], "status": "in_progress"}
    yield {"type": "response.output_item.added", **place, "item": item}
    place = {**place, "item_id": "msg_test", "content_index": 0}
    said = ""
    yield {"type": "response.content_part.added", **place, "part": _message_item("")["content"][0]}
    for _, piece in parts:
        said += piece
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    done = _message_item(said)
    yield {"type": "response.output_text.done", **place, "text": said, "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": done["content"][0]}
    yield {"type": "response.output_item.done", **place, "item": done}


def _call_events(parts: Iterator[Piece], place: Json, item: Json) -> Iterator[Json]:
    """``item`` is the finished one."""
    empty = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", **place, "item": empty}
    of_item = {**place, "item_id": item["id"]}
    for piece in filter(None, (part for _, part in parts)):
        yield {"type": "response.function_call_arguments.delta", **of_item, "delta": piece}
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield {"type": "response.function_call_arguments.done", **of_item, **done}
    yield {"type": "response.output_item.done", **place, "item": item}


def _responses_events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    def events() -> Iterator[Json]:
        shell = _responses_shell(reply, request)
        yield {"type": "response.created", "response": shell}
        yield {"type": "response.in_progress", "response": shell}
        for index, (kind, parts) in enumerate(groupby(pieces, key=lambda piece: piece[0])):
            place = {"output_index": index}
            if isinstance(kind, int):
                yield from _call_events(parts, place, _call_item(kind, reply.calls[kind]))
            else:
                yield from (_message_events if kind == "text" else _reasoning_events)(parts, place)
        if reply.finish_reason:
            end = _responses_whole(reply, request)
            yield {"type": f"response.{end['status']}", "response": end}

    for number, event in enumerate(events()):
        yield named_event({**event, "sequence_number": number})


CHAT = Wire("/chat/completions", ("model", "messages"), _chat_whole, _chat_events, _openai_error)
RESPONSES = Wire("/responses", ("model", "input"), _responses_whole, _responses_events, _openai_error)
