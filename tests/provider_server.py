"""A real HTTP server on 127.0.0.1 that plays the providers: OpenAI, Anthropic, Gemini and Ollama.

    with ProviderServer() as server:
        server.reply(Reply(text="hello", reasoning="hm"), Reply(status=500))
        ...                                 # the first call gets the text, the second the error
        assert server.requests[0].body["messages"][-1]["content"] == "hi"

A call for which nothing was scripted gets ``server.default``, which echoes the prompt. Wire formats
follow the providers' public API references; only what a client reads is imitated.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import socketserver
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, urlsplit

MAX_PAUSE_S = 20.0  # no script may hold a test longer than this
PIECE_CHARACTERS = 4  # length of a streamed piece when the script does not cut the text itself
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


def _pieces(reply: Reply, pause: Callable[[float], None]) -> Iterator[Piece]:
    cut = reply.pieces or tuple(_cut(reply.text or ""))
    script = [("reasoning", part) for part in _cut(reply.reasoning)] + [("text", part) for part in cut]
    for number, piece in enumerate(script):
        if number == reply.stop_after:
            raise StreamCut
        if number:
            pause(reply.piece_delay_s)
        yield piece
    if reply.stop_after is not None:
        raise StreamCut


def _cut(text: str) -> Iterator[str]:
    return (text[start : start + PIECE_CHARACTERS] for start in range(0, len(text), PIECE_CHARACTERS))


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _event(data: Json) -> bytes:
    """A server-sent event with a name, which both OpenAI Responses and Anthropic repeat as ``type``."""
    return b"event: " + data["type"].encode() + b"\ndata: " + _encode(data) + b"\n\n"


# OpenAI chat completions ------------------------------------------------------------------------------


def _chat_usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }


def _chat_whole(reply: Reply, request: Request) -> Json:
    message = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning  # DeepSeek's field; OpenAI itself sends none here
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    head = {"id": "chatcmpl-test", "object": "chat.completion", "created": CREATED, "model": reply.model}
    return {**head, "choices": [choice], **({"usage": _chat_usage(reply.usage)} if reply.usage else {})}


def _chat_events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    with_usage = (request.body.get("stream_options") or {}).get("include_usage") is True
    head: Json = {"id": "chatcmpl-test", "object": "chat.completion.chunk", "created": CREATED}
    head |= {"model": reply.model, **({"usage": None} if with_usage else {})}

    def chunk(delta: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return b"data: " + _encode({**head, "choices": [choice]}) + b"\n\n"

    yield chunk({"role": "assistant", "content": ""})
    for kind, part in pieces:
        yield chunk({"content" if kind == "text" else "reasoning_content": part})
    if reply.finish_reason:
        yield chunk({}, reply.finish_reason)
    if with_usage and reply.usage:
        yield b"data: " + _encode({**head, "choices": [], "usage": _chat_usage(reply.usage)}) + b"\n\n"
    yield b"data: [DONE]\n\n"


OPENAI_CODE = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def _openai_error(status: int, message: str) -> Json:
    kind = {429: "requests"}.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": OPENAI_CODE.get(status)}}


# OpenAI Responses -------------------------------------------------------------------------------------


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
    reason = {"length": "max_output_tokens"}.get(reply.finish_reason or "", reply.finish_reason)
    complete = reason == "stop"
    output = [_reasoning_item(reply.reasoning)] if reply.reasoning else []
    return _responses_shell(reply, request) | {
        "status": "completed" if complete else "incomplete",
        "incomplete_details": None if complete else {"reason": reason},
        "output": [*output, _message_item(reply.text or "")],
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


def _responses_events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    def events() -> Iterator[Json]:
        shell = _responses_shell(reply, request)
        yield {"type": "response.created", "response": shell}
        yield {"type": "response.in_progress", "response": shell}
        for index, (kind, parts) in enumerate(groupby(pieces, key=lambda piece: piece[0])):
            item_events = _message_events if kind == "text" else _reasoning_events
            yield from item_events(parts, {"output_index": index})
        if reply.finish_reason:
            end = _responses_whole(reply, request)
            yield {"type": f"response.{end['status']}", "response": end}

    for number, event in enumerate(events()):
        yield _event({**event, "sequence_number": number})


# Anthropic messages -----------------------------------------------------------------------------------

ANTHROPIC_STOP = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
ANTHROPIC_ERROR = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error"}
ANTHROPIC_ERROR |= {403: "permission_error", 404: "not_found_error", 413: "request_too_large"}
ANTHROPIC_ERROR |= {429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error"}


def _anthropic_usage(usage: Usage) -> Json:
    """Anthropic counts cached input apart from the rest, and thinking within the output."""
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": usage.cached}
    return {"input_tokens": usage.input - usage.cached, **cached, "output_tokens": usage.output}


def _anthropic_message(reply: Reply) -> Json:
    head = {"id": "msg_test", "type": "message", "role": "assistant", "model": reply.model}
    return {**head, "content": [], "stop_reason": None, "stop_sequence": None}


def _anthropic_stop(reply: Reply) -> Json:
    reason = ANTHROPIC_STOP.get(reply.finish_reason or "", reply.finish_reason)
    return {"stop_reason": reason, "stop_sequence": None}


def _anthropic_whole(reply: Reply, request: Request) -> Json:
    thinking = {"type": "thinking", "thinking": reply.reasoning, "signature": "c2lnbmF0dXJl"}
    content = [thinking] if reply.reasoning else []
    content += [{"type": "text", "text": reply.text}] if reply.text else []
    usage = {"usage": _anthropic_usage(reply.usage)} if reply.usage else {}
    return {**_anthropic_message(reply), "content": content, **_anthropic_stop(reply), **usage}


def _anthropic_block(index: int, kind: str, parts: Iterator[Piece]) -> Iterator[Json]:
    name = "text" if kind == "text" else "thinking"
    block = {"type": "text", "text": ""} if kind == "text" else {"type": name, name: "", "signature": ""}
    yield {"type": "content_block_start", "index": index, "content_block": block}
    if index == 0:
        yield {"type": "ping"}
    for _, part in parts:
        delta = {"type": f"{name}_delta", name: part}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    if kind != "text":
        delta = {"type": "signature_delta", "signature": "c2lnbmF0dXJl"}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _anthropic_events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    usage = {"usage": _anthropic_usage(reply.usage)} if reply.usage else {}
    at_start = {"usage": {**usage["usage"], "output_tokens": 1}} if usage else {}
    yield _event({"type": "message_start", "message": {**_anthropic_message(reply), **at_start}})
    for index, (kind, parts) in enumerate(groupby(pieces, key=lambda piece: piece[0])):
        yield from map(_event, _anthropic_block(index, kind, parts))
    if reply.finish_reason:
        yield _event({"type": "message_delta", "delta": _anthropic_stop(reply), **usage})
    yield _event({"type": "message_stop"})


def _anthropic_error(status: int, message: str) -> Json:
    error = {"type": ANTHROPIC_ERROR.get(status, "api_error"), "message": message}
    return {"type": "error", "error": error, "request_id": "req_test"}


# Gemini -----------------------------------------------------------------------------------------------

GEMINI_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
GEMINI_ERROR = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
GEMINI_ERROR |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


def _gemini_usage(usage: Usage) -> Json:
    """Gemini counts thoughts apart from the candidates, and the total has both."""
    counts = {"promptTokenCount": usage.input, "candidatesTokenCount": usage.output - usage.reasoning}
    counts |= {"cachedContentTokenCount": usage.cached} if usage.cached else {}
    counts |= {"thoughtsTokenCount": usage.reasoning} if usage.reasoning else {}
    return {**counts, "totalTokenCount": usage.input + usage.output}


def _gemini_content(reply: Reply, pieces: Iterator[Piece], *, last: bool) -> Json:
    parts = [{"text": text, **({"thought": True} if kind == "reasoning" else {})} for kind, text in pieces]
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last and reply.finish_reason:
        candidate["finishReason"] = GEMINI_FINISH.get(reply.finish_reason, reply.finish_reason)
    usage = {"usageMetadata": _gemini_usage(reply.usage)} if reply.usage else {}
    return {"candidates": [candidate], **usage, "modelVersion": reply.model, "responseId": "test"}


def _gemini_whole(reply: Reply, request: Request) -> Json:
    said = [("reasoning", reply.reasoning), ("text", reply.text or "")]
    return _gemini_content(reply, iter([piece for piece in said if piece[1]]), last=True)


def _gemini_events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"data: " + _encode(_gemini_content(reply, iter([piece]), last=False)) + b"\r\n\r\n"
    if reply.finish_reason:
        yield b"data: " + _encode(_gemini_content(reply, iter([("text", "")]), last=True)) + b"\r\n\r\n"


def _gemini_error(status: int, message: str) -> Json:
    return {"error": {"code": status, "message": message, "status": GEMINI_ERROR.get(status, "UNKNOWN")}}


# Ollama -----------------------------------------------------------------------------------------------


def _ollama_line(reply: Reply, message: Json, *, done: bool) -> Json:
    line: Json = {"model": reply.model, "created_at": "2025-10-09T08:53:20.000000Z"}
    line |= {"message": {"role": "assistant", **message}, "done": done}
    if done and reply.finish_reason:
        line["done_reason"] = reply.finish_reason
    if done:
        line |= {"total_duration": 9_000_000, "load_duration": 1_000_000}  # nanoseconds
    if done and reply.usage:
        line |= {"prompt_eval_count": reply.usage.input, "eval_count": reply.usage.output}
    return line


def _ollama_whole(reply: Reply, request: Request) -> Json:
    thinking = {"thinking": reply.reasoning} if reply.reasoning else {}
    return _ollama_line(reply, {"content": reply.text, **thinking}, done=True)


def _ollama_events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    for kind, part in pieces:
        message = {"content": part} if kind == "text" else {"content": "", "thinking": part}
        yield _encode(_ollama_line(reply, message, done=False)) + b"\n"
    if reply.finish_reason:
        yield _encode(_ollama_line(reply, {"content": ""}, done=True)) + b"\n"


def _ollama_error(status: int, message: str) -> Json:
    return {"error": message}


# The server -------------------------------------------------------------------------------------------


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


CHAT = Wire("/chat/completions", ("model", "messages"), _chat_whole, _chat_events, _openai_error)
RESPONSES = Wire("/responses", ("model", "input"), _responses_whole, _responses_events, _openai_error)
MESSAGES = Wire(
    "/v1/messages", ("model", "max_tokens", "messages"), _anthropic_whole, _anthropic_events, _anthropic_error
)
GEMINI = Wire(
    r"/models/[^/:]+:(generateContent|streamGenerateContent)",
    ("contents",),
    _gemini_whole,
    _gemini_events,
    _gemini_error,
    streamed=lambda request: request.route.endswith(":streamGenerateContent"),
    stream_type="text/event-stream",
)
OLLAMA = Wire(
    "/api/chat",
    ("model", "messages"),
    _ollama_whole,
    _ollama_events,
    _ollama_error,
    streamed=lambda request: request.body.get("stream", True),  # Ollama streams unless told not to
    stream_type="application/x-ndjson",
)
WIRES = (CHAT, RESPONSES, MESSAGES, GEMINI, OLLAMA)


def _wire(request: Request) -> Wire | None:
    spoken = (wire for wire in WIRES if re.search(wire.route + "$", request.route))
    return next(spoken, None) if request.method == "POST" else None


def _refusal(wire: Wire, request: Request) -> str | None:
    """Why the real provider would answer 400."""
    missing = [name for name in wire.required if name not in (request.body or {})]
    if missing:
        return f"missing required parameter: {missing[0]}"
    if wire is MESSAGES and "anthropic-version" not in request.headers:
        return "anthropic-version: header is required"
    if wire is GEMINI and wire.streamed(request) and request.query.get("alt") != "sse":
        return "only alt=sse is played here"
    return None


# Not only for the looks: clients tell errors of one status apart by these words.
ERROR_TEXT = {401: "Incorrect API key provided", 404: "The model does not exist", 529: "Overloaded"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ProviderServer

    def do_GET(self) -> None:
        self._answer(self._received())

    def do_POST(self) -> None:
        self._answer(self._received())

    def log_message(self, *args: object) -> None:
        """Nothing on stderr: the tests read what the command under test prints there."""

    def _received(self) -> Request:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, body, time.monotonic())

    def _answer(self, request: Request) -> None:
        wire = _wire(request)
        refusal = wire and _refusal(wire, request)
        scripted = self.server.record(request, generates=wire is not None and not refusal)
        reply = Reply(status=400, text=refusal) if refusal else scripted
        self.server.pause(reply.delay_s)
        if reply.body is not None:
            self._send(reply, reply.body if isinstance(reply.body, bytes) else reply.body.encode())
        elif reply.status >= 400:
            error = wire.error if wire else _openai_error
            message = reply.text or ERROR_TEXT.get(reply.status) or HTTPStatus(reply.status).phrase
            self._send(reply, _encode(error(reply.status, message)))
        elif wire:
            self._generate(request, wire, reply)
        else:
            self._list(request, reply)

    def _generate(self, request: Request, wire: Wire, reply: Reply) -> None:
        said = "".join(reply.pieces) or f"You said: {request.prompt}"
        text = said if reply.text is None else reply.text
        reply = replace(reply, text=text, model=reply.model or request.model)
        if wire.streamed(request):
            self._stream(reply, wire.stream_type, wire.events(reply, request, _pieces(reply, self.server.pause)))
        else:
            self._send(reply, _encode(wire.whole(reply, request)))

    def _list(self, request: Request, reply: Reply) -> None:
        listing = _listing(request, self.server.models, self.server.context_tokens)
        self._send(reply if listing else replace(reply, status=404), _encode(listing or NOT_FOUND))

    def _head(self, reply: Reply, content_type: str, *framing: str) -> None:
        self.send_response(reply.status)
        given = {name.lower() for name in reply.headers}
        if "content-type" not in given:
            self.send_header("content-type", content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header(*framing)
        self.end_headers()

    def _send(self, reply: Reply, body: bytes) -> None:
        sent = body if reply.stop_after is None else body[: len(body) // 2]
        self._head(reply, "application/json", "content-length", str(len(body if reply.abrupt else sent)))
        self.wfile.write(sent)
        self.close_connection = self.close_connection or reply.abrupt

    def _stream(self, reply: Reply, content_type: str, events: Iterator[bytes]) -> None:
        self._head(reply, content_type, "transfer-encoding", "chunked")
        with contextlib.suppress(StreamCut):
            for event in events:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        if reply.abrupt:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")


NOT_FOUND = {"error": "not found"}


def _listing(request: Request, models: tuple[str, ...], context_tokens: int) -> Json | None:
    """What a server says it serves; None for a path that nothing is served at."""
    if request.method == "GET" and request.route.endswith("/models"):
        head = {"object": "model", "created": CREATED, "owned_by": "test"}
        return {"object": "list", "data": [{"id": model, **head} for model in models]}
    if request.method == "GET" and request.route == "/api/tags":
        return {"models": [_ollama_tag(model) for model in models]}
    if request.method == "POST" and request.route == "/api/show":
        name = request.body.get("model") or request.body.get("name")  # LiteLLM says name, the older word
        return _ollama_show(context_tokens) if name in models else None
    return None


OLLAMA_DETAILS = {"format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "8.0B"}
OLLAMA_DETAILS |= {"parent_model": "", "quantization_level": "Q4_K_M"}


def _ollama_tag(model: str) -> Json:
    size = {"modified_at": "2025-10-09T08:53:20Z", "size": 4_920_753_328, "digest": "0" * 64}
    return {"name": model, "model": model, **size, "details": OLLAMA_DETAILS}


def _ollama_show(context_tokens: int) -> Json:
    info = {"general.architecture": "llama", "llama.context_length": context_tokens}
    texts = {"modelfile": "", "parameters": "", "template": "{{ .Prompt }}"}
    return {**texts, "details": OLLAMA_DETAILS, "model_info": info, "capabilities": ["completion"]}


class ProviderServer(socketserver.ThreadingTCPServer):
    """Serves from construction to ``close``; a thread a connection, all ended by ``close``."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.default = Reply()
        self.models: tuple[str, ...] = ("test-model",)
        self.context_tokens = 8192  # what /api/show says of each model
        self.failures: list[BaseException] = []  # errors of this server, which a test must not pass over
        self._scripts: dict[str | None, deque[Reply]] = defaultdict(deque)
        self._received: list[Request] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Condition()
        self._closing = threading.Event()
        self._accepting = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def requests(self) -> tuple[Request, ...]:
        """Everything that arrived so far, in order."""
        with self._lock:
            return tuple(self._received)

    def wait_for(self, count: int, timeout: float = 10.0) -> tuple[Request, ...]:
        """The requests, once ``count`` arrived; ``TimeoutError`` after ``timeout`` seconds."""
        with self._lock:
            if not self._lock.wait_for(lambda: len(self._received) >= count, timeout):
                raise TimeoutError(f"{len(self._received)} of {count} requests arrived in {timeout} s")
            return tuple(self._received)

    def reply(self, *replies: Reply, path: str | None = None) -> None:
        """Script the next answers: to generations in order of arrival, or to one exact ``path`` alone."""
        with self._lock:
            self._scripts[path].extend(replies)

    def record(self, request: Request, *, generates: bool) -> Reply:
        """Note the request and take the answer to it."""
        with self._lock:
            self._received.append(request)
            self._lock.notify_all()
            scripts = self._scripts[request.route] or (self._scripts[None] if generates else deque())
            return scripts.popleft() if scripts else (self.default if generates else Reply())

    def pause(self, seconds: float) -> None:
        self._closing.wait(min(seconds, MAX_PAUSE_S))

    def close(self) -> None:
        self._closing.set()
        self.shutdown()
        self._accepting.join()
        with self._lock:
            connections = tuple(self._connections)
        for connection in connections:  # wakes a thread that waits for the next request or a slow reader
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def __exit__(self, *args: object) -> None:
        self.close()

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):  # a client may hang up whenever it likes
            self.failures.append(error)
