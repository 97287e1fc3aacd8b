"""The played providers answer as the real ones do, to raw HTTP and to LiteLLM, and leave nothing behind."""

from __future__ import annotations

import gc
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from provider_server import MAX_PAUSE_S, Call, ProviderServer, Reply, Request, Usage

SAID = "答案是四 👩‍👩‍👧 e\u0301\tok"
THOUGHT = "二加二… hm"
TURNS = [{"role": "user", "content": "二加二？ 🦜"}]
HEADERS = {"content-type": "application/json", "anthropic-version": "2023-06-01"}


@dataclass(frozen=True)
class Sample:
    """A call of one wire as a client would make it, and where its answers have the text."""

    path: str
    stream_path: str
    body: dict[str, Any]
    text: Callable[[Any], str]
    piece: Callable[[Any], str | None]
    end: bytes  # what only a stream that was not cut has


SAMPLES = {
    "chat": Sample(
        "/v1/chat/completions",
        "/chat/completions",
        {"model": "test-model", "messages": TURNS},
        lambda answer: answer["choices"][0]["message"]["content"],
        lambda event: event["choices"][0]["delta"].get("content"),
        b"data: [DONE]\n\n",
    ),
    "responses": Sample(
        "/v1/responses",
        "/responses",
        {"model": "test-model", "input": "二加二？ 🦜"},
        lambda answer: answer["output"][-1]["content"][0]["text"],
        lambda event: event["delta"] if event["type"] == "response.output_text.delta" else None,
        b"event: response.completed\n",
    ),
    "messages": Sample(
        "/v1/messages",
        "/anthropic/v1/messages",
        {"model": "claude-test", "max_tokens": 99, "messages": TURNS},
        lambda answer: answer["content"][-1]["text"],
        lambda event: event.get("delta", {}).get("text"),
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ),
    "gemini": Sample(
        "/models/gemini-test:generateContent",
        "/v1beta/models/gemini-test:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "二加二？ 🦜"}]}]},
        lambda answer: answer["candidates"][0]["content"]["parts"][-1]["text"],
        lambda event: "".join(
            part.get("text", "") for part in event["candidates"][0]["content"]["parts"] if not part.get("thought")
        ),
        b'"finishReason":"STOP"',
    ),
    "ollama": Sample(
        "/api/chat",
        "/api/chat",
        {"model": "test-model", "messages": TURNS},
        lambda answer: answer["message"]["content"],
        lambda event: event["message"]["content"],
        b'"done":true,"done_reason":"stop"',
    ),
}
every_wire = pytest.mark.parametrize("wire", SAMPLES)


def post(server: ProviderServer, path: str, body: Any, **headers: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_address[1])) as connection:
        connection.request("POST", path, json.dumps(body).encode(), HEADERS | headers)
        response = connection.getresponse()
        return response.status, response.read()


def post_whole(server: ProviderServer, wire: str) -> tuple[int, bytes]:
    return post(server, SAMPLES[wire].path, SAMPLES[wire].body | {"stream": False})


def post_stream(server: ProviderServer, wire: str, **parameters: object) -> bytes:
    status, raw = post(server, SAMPLES[wire].stream_path, SAMPLES[wire].body | {"stream": True} | parameters)
    assert status == 200
    return raw


def events(raw: bytes) -> list[Any]:
    lines = (line.removeprefix("data: ") for line in raw.decode().splitlines())
    return [json.loads(line) for line in lines if line.startswith("{")]


# Raw HTTP ---------------------------------------------------------------------------------------------


@every_wire
def test_whole_answer_has_the_text(provider: ProviderServer, wire: str) -> None:
    provider.reply(Reply(text=SAID, reasoning=THOUGHT))
    status, raw = post_whole(provider, wire)
    assert status == 200
    assert SAMPLES[wire].text(json.loads(raw)) == SAID
    assert json.dumps(SAID, ensure_ascii=False).encode() in raw
    assert THOUGHT.encode() in raw


@every_wire
def test_stream_has_the_text_in_pieces_and_an_end(provider: ProviderServer, wire: str) -> None:
    pieces = ("答案", "是四 👩", "\u200d👩‍👧 e", "\u0301\tok")
    provider.reply(Reply(pieces=pieces))
    raw = post_stream(provider, wire)
    assert tuple(filter(None, map(SAMPLES[wire].piece, events(raw)))) == pieces
    assert SAMPLES[wire].end in raw


@every_wire
def test_unscripted_call_is_echoed_and_recorded(provider: ProviderServer, wire: str) -> None:
    sample = SAMPLES[wire]
    status, raw = post(provider, sample.path, sample.body | {"stream": False}, Authorization="Bearer sk-1")
    assert (status, sample.text(json.loads(raw))) == (200, "You said: 二加二？ 🦜")
    (request,) = provider.requests
    assert (request.method, request.path, request.key) == ("POST", sample.path, "sk-1")
    assert request.body == sample.body | {"stream": False}
    assert request.headers["content-type"] == "application/json"


@every_wire
def test_errors_have_the_wires_shape(provider: ProviderServer, wire: str) -> None:
    provider.reply(Reply(status=429, text="slow down", headers={"Retry-After": "7"}))
    status, raw = post_whole(provider, wire)
    assert status == 429
    error = json.loads(raw)["error"]
    assert (error if wire == "ollama" else error["message"]) == "slow down"


@every_wire
def test_body_of_the_script_is_sent_as_it_is(provider: ProviderServer, wire: str) -> None:
    provider.reply(Reply(body=b"<html>\xff", status=502, headers={"Content-Type": "text/html"}))
    assert post_whole(provider, wire) == (502, b"<html>\xff")


@every_wire
@pytest.mark.parametrize("sent", [0, 2, 99])
def test_stream_that_ends_early_has_no_end(provider: ProviderServer, wire: str, sent: int) -> None:
    provider.reply(Reply(pieces=("a", "b", "c"), stop_after=sent))
    raw = post_stream(provider, wire)
    assert "".join(filter(None, map(SAMPLES[wire].piece, events(raw)))) == "abc"[:sent]
    assert SAMPLES[wire].end not in raw


@every_wire
def test_stream_cut_abruptly_breaks_the_connection(provider: ProviderServer, wire: str) -> None:
    provider.reply(Reply(pieces=("a", "b", "c"), stop_after=2, abrupt=True))
    with pytest.raises(http.client.IncompleteRead):
        post_stream(provider, wire)


@every_wire
def test_whole_answer_can_be_cut(provider: ProviderServer, wire: str) -> None:
    provider.reply(Reply(stop_after=0), Reply(stop_after=0, abrupt=True))
    status, raw = post_whole(provider, wire)
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(raw)
    with pytest.raises(http.client.IncompleteRead):
        post_whole(provider, wire)


@pytest.mark.parametrize(
    ("path", "body", "missing"),
    [
        ("/v1/chat/completions", {"model": "test-model"}, "messages"),
        ("/v1/responses", {"model": "test-model"}, "input"),
        ("/v1/messages", {"model": "claude-test", "messages": TURNS}, "max_tokens"),
        ("/models/gemini-test:generateContent", {}, "contents"),
        ("/models/gemini-test:streamGenerateContent", {"contents": []}, "alt=sse"),
        ("/api/chat", {"messages": TURNS}, "model"),
        ("/v1/chat/completions", None, "model"),
    ],
)
def test_incomplete_request_is_refused_and_uses_up_no_script(
    provider: ProviderServer, path: str, body: Any, missing: str
) -> None:
    provider.reply(Reply(text="for the next"))
    status, raw = post(provider, path, body)
    assert status == 400
    assert missing in raw.decode()
    assert b"for the next" in post_whole(provider, "chat")[1]


@pytest.mark.parametrize(("asked", "reported"), [(True, [None] * 4 + [18]), (False, [])])
def test_chat_stream_reports_usage_when_asked(provider: ProviderServer, asked: bool, reported: list) -> None:
    provider.reply(Reply(pieces=("a", "b")))
    chunks = events(post_stream(provider, "chat", stream_options={"include_usage": asked}))
    usages = [chunk["usage"] for chunk in chunks if "usage" in chunk]
    assert [usage and usage["total_tokens"] for usage in usages] == reported


@pytest.mark.parametrize(
    ("wire", "names"),
    [
        (
            "responses",
            "response.created response.in_progress response.output_item.added"
            " response.reasoning_summary_part.added response.reasoning_summary_text.delta"
            " response.reasoning_summary_text.done response.reasoning_summary_part.done"
            " response.output_item.done response.output_item.added response.content_part.added"
            " response.output_text.delta response.output_text.delta response.output_text.done"
            " response.content_part.done response.output_item.done response.completed",
        ),
        (
            "messages",
            "message_start content_block_start ping content_block_delta:thinking_delta"
            " content_block_delta:signature_delta content_block_stop content_block_start"
            " content_block_delta:text_delta content_block_delta:text_delta content_block_stop"
            " message_delta message_stop",
        ),
        (
            "responses calls",
            "response.created response.in_progress"
            " response.output_item.added response.function_call_arguments.delta response.function_call_arguments.delta"
            " response.function_call_arguments.done response.output_item.done"
            " response.output_item.added response.function_call_arguments.delta"
            " response.function_call_arguments.done response.output_item.done response.completed",
        ),
        (
            "messages calls",
            "message_start content_block_start ping content_block_delta:input_json_delta"
            " content_block_delta:input_json_delta content_block_delta:input_json_delta content_block_stop"
            " content_block_start content_block_delta:input_json_delta content_block_delta:input_json_delta"
            " content_block_stop message_delta message_stop",
        ),
    ],
)
def test_named_events_come_in_order(provider: ProviderServer, wire: str, names: str) -> None:
    wire, _, calls = wire.partition(" ")
    text, called = Reply(text="abcdefgh", reasoning="hm"), (Call("a", '{"b":1}'), Call("b", "{}"))
    provider.reply(Reply(calls=called) if calls else text)
    raw = post_stream(provider, wire)
    heard = events(raw)
    assert [line[7:].decode() for line in raw.splitlines() if line.startswith(b"event: ")] == [
        event["type"] for event in heard
    ]
    kinds = [event["delta"].get("type") if isinstance(event.get("delta"), dict) else None for event in heard]
    told = [event["type"] + (f":{kind}" if kind else "") for event, kind in zip(heard, kinds, strict=True)]
    assert told == names.split()
    numbers = [event["sequence_number"] for event in heard if "sequence_number" in event]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize(
    ("wire", "path", "counts"),
    [
        ("chat", ["usage"], {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}),
        ("responses", ["usage"], {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30}),
        ("messages", ["usage"], {"input_tokens": 15, "cache_read_input_tokens": 5, "output_tokens": 10}),
        (
            "gemini",
            ["usageMetadata"],
            {
                "promptTokenCount": 20,
                "candidatesTokenCount": 6,
                "thoughtsTokenCount": 4,
                "totalTokenCount": 30,
            },
        ),
        ("ollama", [], {"prompt_eval_count": 20, "eval_count": 10}),
    ],
)
def test_each_wire_counts_tokens_its_own_way(
    provider: ProviderServer, wire: str, path: list[str], counts: dict[str, int]
) -> None:
    provider.default = Reply(usage=Usage(20, 10, cached=5, reasoning=4))
    usage = json.loads(post_whole(provider, wire)[1])
    for name in path:
        usage = usage[name]
    assert {name: usage[name] for name in counts} == counts
    provider.default = Reply(usage=None)
    raw = post_whole(provider, wire)[1].decode()
    assert [name for name in counts if f'"{name}"' in raw] == []


def test_lists_what_it_serves(provider: ProviderServer) -> None:
    provider.models = ("test-model", "other")
    provider.context_tokens = 4096
    with closing(http.client.HTTPConnection("127.0.0.1", provider.server_address[1])) as connection:
        heard = []
        for method, path, body in [
            ("GET", "/v1/models", None),
            ("GET", "/api/tags", None),
            ("POST", "/api/show", b'{"model": "other"}'),
            ("POST", "/api/show", b'{"model": "absent"}'),
            ("GET", "/nowhere", None),
        ]:
            connection.request(method, path, body)
            response = connection.getresponse()
            heard.append((response.status, json.loads(response.read())))
    assert [status for status, _ in heard] == [200, 200, 200, 404, 404]
    assert [model["id"] for model in heard[0][1]["data"]] == ["test-model", "other"]
    assert [model["name"] for model in heard[1][1]["models"]] == ["test-model", "other"]
    assert heard[2][1]["model_info"]["llama.context_length"] == 4096


def test_scripts_are_taken_in_order_then_by_path_then_the_default(provider: ProviderServer) -> None:
    provider.default = Reply(text="default")
    provider.reply(Reply(text="first"), Reply(text="second"))
    provider.reply(Reply(status=503), path="/api/chat")
    texts = [SAMPLES["chat"].text(json.loads(post_whole(provider, "chat")[1])) for _ in range(3)]
    assert texts == ["first", "second", "default"]
    assert [post_whole(provider, "ollama")[0] for _ in range(2)] == [503, 200]


def test_pieces_must_make_up_the_text() -> None:
    with pytest.raises(ValueError, match="pieces"):
        Reply(text="ab", pieces=("a", "c"))


# Tools and schemas ------------------------------------------------------------------------------------

CALLS = (Call("get_weather", '{"city": "阿姆斯特丹 \\"A\\""}', "call_a"), Call("get_time", "{}", "call_b"))
SENT = [(call.id, call.name, call.arguments) for call in CALLS]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
HAS_IDS = ("chat", "responses", "messages")
Called = list[tuple[str | None, str, Any]]  # id, name, arguments: text or an object


def chat_call(call: Any) -> tuple[str | None, str, Any]:
    return call.get("id"), call["function"]["name"], call["function"]["arguments"]


def gemini_calls(answer: Any) -> Called:
    parts = answer["candidates"][0]["content"]["parts"]
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    return [(call.get("id"), call["name"], call["args"]) for call in calls]


def whole_calls(wire: str, answer: Any) -> Called:
    if wire == "chat":
        return [chat_call(call) for call in answer["choices"][0]["message"]["tool_calls"]]
    if wire == "responses":
        items = [item for item in answer["output"] if item["type"] == "function_call"]
        return [(item["call_id"], item["name"], item["arguments"]) for item in items]
    if wire == "messages":
        return [
            (block["id"], block["name"], block["input"]) for block in answer["content"] if block["type"] == "tool_use"
        ]
    return gemini_calls(answer) if wire == "gemini" else [chat_call(call) for call in answer["message"]["tool_calls"]]


def streamed_calls(wire: str, heard: list[Any]) -> tuple[Called, list[int]]:
    """Put together as a client does, by index; and in how many pieces the arguments of each came."""
    if wire in ("gemini", "ollama"):
        read = gemini_calls if wire == "gemini" else lambda line: map(chat_call, line["message"].get("tool_calls", ()))
        calls = [call for event in heard for call in read(event)]
        return calls, [1] * len(calls)
    heads: dict[int, tuple[str, str]] = {}
    pieces: dict[int, list[str]] = {}
    for event in heard:
        for index, call_id, name, part in deltas(wire, event):
            if call_id:
                assert index not in heads
                heads[index] = (call_id, name)
            pieces.setdefault(index, []).extend([part] if part else [])
    assert sorted(heads) == sorted(pieces)
    return [(*heads[index], "".join(pieces[index])) for index in heads], [len(parts) for parts in pieces.values()]


def deltas(wire: str, event: Any) -> list[tuple[int, str | None, str, str]]:
    """(index, id or None, name, part of the arguments)"""
    if wire == "chat":
        calls = event["choices"][0]["delta"].get("tool_calls", ())
        return [
            (call["index"], call.get("id"), call["function"].get("name", ""), call["function"]["arguments"])
            for call in calls
        ]
    if wire == "responses":
        item = event.get("item", {})
        if event["type"] == "response.output_item.added" and item["type"] == "function_call":
            return [(event["output_index"], item["call_id"], item["name"], item["arguments"])]
        if event["type"] == "response.function_call_arguments.delta":
            return [(event["output_index"], None, "", event["delta"])]
        return []
    block = event.get("content_block", {})
    if block.get("type") == "tool_use":
        assert block["input"] == {}
        return [(event["index"], block["id"], block["name"], "")]
    delta = event.get("delta", {})
    return [(event["index"], None, "", delta["partial_json"])] if delta.get("type") == "input_json_delta" else []


def expected(wire: str, *, streamed: bool) -> Called:
    """As sent, or with arguments that are an object and no id, where the wire has it so."""
    text = wire in ("chat", "responses") or (streamed and wire == "messages")
    return [
        (call_id if wire in HAS_IDS else None, name, arguments if text else json.loads(arguments))
        for call_id, name, arguments in SENT
    ]


@every_wire
@pytest.mark.parametrize("reply", [Reply(), Reply(text="Let me see."), Reply(reasoning="hm", text="")])
def test_calls_are_sent_beside_the_text(provider: ProviderServer, wire: str, reply: Reply) -> None:
    provider.default = replace(reply, calls=CALLS)
    raw = post_whole(provider, wire)[1]
    assert whole_calls(wire, json.loads(raw)) == expected(wire, streamed=False)
    heard = events(post_stream(provider, wire))
    calls, pieces = streamed_calls(wire, heard)
    assert calls == expected(wire, streamed=True)
    assert pieces == ([6, 1] if wire in HAS_IDS else [1, 1])
    assert "".join(filter(None, map(SAMPLES[wire].piece, heard))) == (reply.text or "")
    assert (b"You said" in raw, b"Let me see." in raw) == (False, reply.text == "Let me see.")
    if wire == "responses":
        assert heard[-1]["response"]["output"] == json.loads(raw)["output"]


@every_wire
@pytest.mark.parametrize(
    ("scripted", "ends"),
    [
        ("stop", ["tool_calls", "completed", "tool_use", "STOP", "stop"]),
        ("tool_calls", ["tool_calls", "completed", "tool_use", "STOP", "stop"]),
        ("length", ["length", "incomplete", "max_tokens", "MAX_TOKENS", "length"]),
        (None, [None, None, None, None, None]),
    ],
)
def test_an_answer_with_calls_ends_in_the_wires_own_words(
    provider: ProviderServer, wire: str, scripted: str | None, ends: list[str | None]
) -> None:
    said: dict[str, Callable[[Any], Any]] = {
        "chat": lambda answer: answer["choices"][0]["finish_reason"],
        "responses": lambda answer: answer.get("response", answer).get("status"),
        "messages": lambda answer: answer.get("delta", answer).get("stop_reason"),
        "gemini": lambda answer: answer["candidates"][0].get("finishReason"),
        "ollama": lambda answer: answer.get("done_reason"),
    }
    provider.default = Reply(calls=CALLS, finish_reason=scripted)
    end = ends[list(SAMPLES).index(wire)]
    heard = [said[wire](event) for event in events(post_stream(provider, wire))]
    assert {reason for reason in heard if reason not in (None, "in_progress")} == ({end} if end else set())
    if end:
        assert said[wire](json.loads(post_whole(provider, wire)[1])) == end


@every_wire
def test_a_stream_can_end_within_the_arguments(provider: ProviderServer, wire: str) -> None:
    provider.reply(Reply(calls=CALLS, stop_after=2))
    raw = post_stream(provider, wire)
    assert streamed_calls(wire, events(raw))[0] == ([("call_a", "get_weather", '{"city":')] if wire in HAS_IDS else [])
    assert SAMPLES[wire].end not in raw
    provider.reply(Reply(calls=CALLS, stop_after=99))
    raw = post_stream(provider, wire)
    assert streamed_calls(wire, events(raw))[0] == expected(wire, streamed=True)
    assert SAMPLES[wire].end not in raw


@pytest.mark.parametrize("wire", HAS_IDS)
@pytest.mark.parametrize("arguments", ["", '{"city": "A', "none"])
def test_arguments_that_are_no_json_are_sent_as_they_are(provider: ProviderServer, wire: str, arguments: str) -> None:
    provider.reply(Reply(calls=(Call("get_time", arguments),)))
    assert streamed_calls(wire, events(post_stream(provider, wire)))[0] == [("call_1", "get_time", arguments)]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_thought_before_a_call_is_signed(provider: ProviderServer, streamed: bool) -> None:
    """By Anthropic in a block of its own, by Gemini on the first call; both want it back."""
    provider.default = Reply(calls=CALLS, reasoning="hm")
    for wire, signatures in [("messages", ["signature"]), ("gemini", ["thoughtSignature"])]:
        raw = post_stream(provider, wire) if streamed else post_whole(provider, wire)[1]
        assert re.findall(rb'"(\w*[sS]ignature)":"\w+"', raw) == [name.encode() for name in signatures]
    parts = json.loads(post_whole(provider, "gemini")[1])["candidates"][0]["content"]["parts"]
    assert ["thoughtSignature" in part for part in parts] == [False, True, False]
    provider.default = Reply(calls=CALLS)
    assert b"ignature" not in post_whole(provider, "gemini")[1] + post_stream(provider, "messages")


TOOL = {"name": "get_time", "parameters": SCHEMA}
CHAT_TURNS = [
    {"role": "tool", "tool_call_id": "call_old", "content": "of an earlier turn"},
    {"role": "assistant", "content": None, "tool_calls": []},
    {"role": "tool", "tool_call_id": "call_a", "content": "Sunny 🌞"},
    {"role": "tool", "tool_call_id": "call_b", "content": [{"type": "text", "text": '{"time": 12}'}]},
]
ASKS: dict[str, dict[str, Any]] = {
    "chat": {
        "messages": CHAT_TURNS,
        "tools": [{"type": "function", "function": TOOL}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
    },
    "responses": {
        "input": [
            {"type": "function_call_output", "call_id": "call_old", "output": "of an earlier turn"},
            {"type": "function_call", "call_id": "call_a", "name": "get_weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_a", "output": "Sunny 🌞"},
            {
                "type": "function_call_output",
                "call_id": "call_b",
                "output": [{"type": "input_text", "text": '{"time": 12}'}],
            },
        ],
        "tools": [{"type": "function", **TOOL}],
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}},
    },
    "messages": {
        "messages": [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_old", "content": "earlier"}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "call_a", "name": "get_weather", "input": {}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_a", "content": "Sunny 🌞"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_b",
                        "content": [{"type": "text", "text": '{"time": 12}'}],
                    },
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
        "tools": [{"name": "get_time", "input_schema": SCHEMA}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"functionResponse": {"name": "old", "response": {"output": "earlier"}}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}}]},
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "get_weather", "id": "call_a", "response": {"output": "Sunny 🌞"}}},
                    {"functionResponse": {"name": "get_time", "response": {"time": 12}}},
                ],
            },
        ],
        "tools": [{"functionDeclarations": [TOOL]}],
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
    },
    "ollama": {
        "messages": [*CHAT_TURNS[:-1], {"role": "tool", "tool_name": "get_time", "content": '{"time": 12}'}],
        "tools": [{"type": "function", "function": TOOL}],
        "format": SCHEMA,
    },
}


@every_wire
def test_what_a_request_brings_and_asks_for(provider: ProviderServer, wire: str) -> None:
    status, _ = post(provider, SAMPLES[wire].path, SAMPLES[wire].body | ASKS[wire])
    (request,) = provider.requests
    second = "call_b" if wire in HAS_IDS else "get_time"
    assert request.tool_results == [("call_a", "Sunny 🌞"), (second, '{"time": 12}')]
    assert (status, request.tools, request.schema) == (200, ["get_time"], SCHEMA)


@every_wire
def test_a_request_that_brings_and_asks_for_nothing(provider: ProviderServer, wire: str) -> None:
    post_whole(provider, wire)
    (request,) = provider.requests
    assert (request.tool_results, request.tools, request.schema) == ([], [], None)


@pytest.mark.parametrize(
    "body",
    [
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        {"tools": [{"name": "x", "input_schema": SCHEMA}], "tool_choice": {"type": "tool", "name": "x"}},
        {"generationConfig": {"response_schema": SCHEMA}},
        {"generationConfig": {"responseSchema": SCHEMA}},
    ],
)
def test_other_places_of_a_schema(body: dict[str, Any]) -> None:
    assert Request("POST", "/", {}, body, 0.0).schema == SCHEMA
    assert Request("POST", "/", {}, {"format": "json", "tool_choice": "auto"}, 0.0).schema is None


# Load and shutdown ------------------------------------------------------------------------------------


def test_serves_fifty_streams_at_once(provider: ProviderServer) -> None:
    """Each client has read a piece, and waits there for the forty-nine others, before any goes on."""
    everybody = threading.Barrier(50, timeout=30)

    def read_one(number: int) -> str:
        body = {
            "model": "test-model",
            "stream": True,
            "messages": [{"role": "user", "content": f"<{number}>"}],
        }
        with closing(http.client.HTTPConnection("127.0.0.1", provider.server_address[1])) as connection:
            connection.request("POST", "/v1/chat/completions", json.dumps(body).encode())
            response = connection.getresponse()
            head = response.readline()
            everybody.wait()
            return "".join(filter(None, map(SAMPLES["chat"].piece, events(head + response.read()))))

    provider.default = Reply(piece_delay_s=0.01)
    with ThreadPoolExecutor(50) as clients:
        texts = list(clients.map(read_one, range(50)))
    assert texts == [f"You said: <{number}>" for number in range(50)]
    assert len(provider.requests) == 50


@pytest.mark.parametrize("reply", [Reply(delay_s=600), Reply(text="abcdefgh", piece_delay_s=600)])
def test_close_ends_stalls_idle_connections_and_threads(reply: Reply) -> None:
    threads, began = set(threading.enumerate()), time.monotonic()
    with ProviderServer() as server:
        server.reply(reply)
        address = server.server_address
        with (
            closing(socket.create_connection(address)),
            closing(socket.create_connection(address)) as stalled,
        ):
            body = json.dumps(SAMPLES["chat"].body | {"stream": True}).encode()
            head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            stalled.sendall(head + body)
            server.wait_for(1)
            server.close()
            while stalled.recv(65536):  # ends, for the server has closed the connection
                pass
    assert time.monotonic() - began < MAX_PAUSE_S  # the stall was not sat out
    assert set(threading.enumerate()) == threads
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    gc.collect()  # an unclosed socket would be reported here, and warnings are errors
