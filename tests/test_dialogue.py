"""Tools and schemas through the command, on every wire: what is said to a reply, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from litellm_skill import dialogue, gateway
from litellm_skill.structure import Schema
from provider_server import Call, ProviderServer, Reply, Request, Usage

Run = Callable[..., Outcome]
MODELS = ["openai/test-model", "openai/responses/test-model", "anthropic/claude-test", "gemini/gemini-test"]
ALL = [*MODELS, "ollama/test-model"]
WEATHER = '''
from typing import Annotated
from pydantic import Field

def get_weather(city: Annotated[str, Field(description="which city")]) -> str:
    """The weather in a city."""
    return f"sunny in {city}"

async def fail(why: str) -> str:
    """It fails."""
    raise ValueError(why)

def keys() -> str:
    """What the environment holds."""
    import os
    return " ".join(os.environ)

def secret() -> str:
    """Something that must not leave."""
    return "key-of-" + "openai-0123456789"
'''
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
SCHEMA_TEXT = json.dumps(SCHEMA)


@pytest.fixture
def wires(wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    monkeypatch.setenv("OLLAMA_API_BASE", wires.url)
    return wires


@pytest.fixture
def functions(tmp_path: Path) -> str:
    file = tmp_path / "weather.py"
    file.write_text(WEATHER)
    return str(file)


def generations(server: ProviderServer) -> list[Request]:
    return [request for request in server.requests if request.method == "POST" and "/api/show" not in request.path]


def document(outcome: Outcome) -> dict[str, Any]:
    return json.loads(outcome.stdout)


# --- tools


@pytest.mark.parametrize("model", ALL)
def test_two_rounds(run: Run, wires: ProviderServer, functions: str, model: str) -> None:
    calls = tuple(Call("get_weather", json.dumps({"city": city}), f"call_{city}") for city in ("Paris", "Roma"))
    wires.reply(Reply(text="Let me look.", calls=calls, reasoning="hm"), Reply(text="Sunny in both."))
    outcome = run("call_model", "weather?", "-m", model, "--functions", functions, "--json")
    answer = document(outcome)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert answer["text"] == "Let me look.\n\nSunny in both."
    assert Path(answer["result_file"]).read_text() == answer["text"]
    assert answer["usage"]["input_tokens"] == 2 * Usage().input
    told = [(call["name"], call["arguments"], call["result"], call["ok"]) for call in answer["tool_calls"]]
    assert told == [("get_weather", {"city": city}, f"sunny in {city}", True) for city in ("Paris", "Roma")]
    first, second = generations(wires)
    assert sorted(first.tools) == ["fail", "get_weather", "keys", "secret"]
    assert [text for _, text in second.tool_results] == ["sunny in Paris", "sunny in Roma"]


def test_signed_thinking_comes_back(run: Run, wires: ProviderServer, functions: str) -> None:
    wires.reply(Reply(reasoning="deep", calls=(Call("get_weather", '{"city": "Bern"}'),)), Reply(text="ok"))
    assert run("call_model", "w", "-m", "anthropic/claude-test", "--functions", functions).code == 0
    blocks = generations(wires)[1].body["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["thinking", "tool_use"]
    assert (blocks[0]["thinking"], bool(blocks[0]["signature"])) == ("deep", True)


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (Call("fail", '{"why": "no luck"}'), "ValueError: no luck"),
        (Call("get_weather", "{}"), "city"),
        (Call("get_weather", '{"city": '), "JSON"),
        (Call("nothing", "{}"), "no tool called 'nothing'"),
        (Call("secret", "{}"), "withheld"),
    ],
)
def test_what_goes_wrong_is_told_to_the_model(
    run: Run, wires: ProviderServer, functions: str, call: Call, result: str
) -> None:
    wires.reply(Reply(calls=(call,)), Reply(text="I see."))
    outcome = run("call_model", "go", "-m", "openai/test-model", "--functions", functions, "--json")
    (told,) = document(outcome)["tool_calls"]
    assert (outcome.code, told["ok"]) == (0, False)
    assert result in told["result"]
    assert generations(wires)[1].tool_results[0][1] == told["result"]


def test_the_functions_see_no_key(run: Run, wires: ProviderServer, functions: str) -> None:
    wires.reply(Reply(calls=(Call("keys", "{}"),)), Reply(text="none"))
    outcome = run("call_model", "go", "-m", "openai/test-model", "--functions", functions, "--json")
    names = document(outcome)["tool_calls"][0]["result"].split()
    assert "PATH" in names
    assert [name for name in names if "KEY" in name or "API" in name] == []


def test_verbose_shows_calls(run: Run, wires: ProviderServer, functions: str) -> None:
    wires.reply(Reply(calls=(Call("get_weather", '{"city":"Oslo"}'),)), Reply(text="sunny"))
    outcome = run("call_model", "go", "-m", "openai/test-model", "--functions", functions, "-v")
    assert outcome == (0, "sunny\n", 'tool get_weather({"city":"Oslo"}) -> sunny in Oslo\n')


def test_rounds_are_bounded(run: Run, wires: ProviderServer, functions: str) -> None:
    wires.default = Reply(text="again", calls=(Call("get_weather", '{"city":"Oslo"}'),))
    argv = ["go", "-m", "openai/test-model", "--functions", functions, "--max-tool-rounds", "2"]
    outcome = run("call_model", *argv)
    assert (outcome.code, len(generations(wires))) == (10, 3)
    assert outcome.stdout == "again\n\nagain\n\nagain\n"
    assert "after 2 rounds the model still calls tools" in outcome.stderr


def test_bare_tools_return_the_calls(run: Run, wires: ProviderServer) -> None:
    tools = json.dumps([{"name": "book", "description": "Books.", "parameters": SCHEMA}])
    for argv in ([], ["--json"]):
        wires.reply(Reply(calls=(Call("book", '{"n": 2}', "call_a"),)))
        outcome = run("call_model", "go", "-m", "openai/test-model", "--tools", tools, *argv)
        assert (outcome.code, outcome.stderr) == (0, "")
        called = document(outcome)["tool_calls"][0] if argv else json.loads(outcome.stdout)
        assert called == {"id": "call_a", "name": "book", "arguments": {"n": 2}}
    assert [request.tools for request in generations(wires)] == [["book"], ["book"]]


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--functions", "absent.py"], 2, "absent.py"),
        (["--functions", "broken.py"], 2, "broken.py"),
        (["--tools", "[]"], 2, "--tools"),
        (["--tools", "[", "--schema", "{}"], 2, "--tools is not JSON"),
        (["--functions", "broken.py", "--tools", "[]"], 2, "exclude each other"),
        (["--schema", "{"], 2, "--schema is not JSON"),
        (["--schema", '{"type": 7}'], 2, "--schema is no usable JSON Schema"),
        (["--max-tool-rounds", "0"], 2, "positive whole number"),
    ],
)
def test_bad_input_sends_nothing(run: Run, wires: ProviderServer, argv: list[str], code: int, said: str) -> None:
    Path("broken.py").write_text("def f(:\n")
    outcome = run("call_model", "go", "-m", "openai/test-model", *argv)
    assert (outcome.code, outcome.stdout) == (code, "")
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 2
    assert generations(wires) == []


def test_the_conversation_goes_on_with_another_vendor(run: Run, wires: ProviderServer, functions: str) -> None:
    wires.reply(Reply(reasoning="hm", calls=(Call("get_weather", '{"city":"Oslo"}', "call_a"),)), Reply(text="sunny"))
    assert run("call_model", "weather?", "-m", "anthropic/claude-test", "--functions", functions).code == 0
    wires.reply(Reply(text="yes"))
    assert run("call_model", "sure?", "-m", "openai/test-model", "-c") == (0, "yes\n", "")
    messages = generations(wires)[-1].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "user"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]
    assert "thinking" not in json.dumps(messages)


# --- schemas


@pytest.mark.parametrize("model", ALL)
def test_a_valid_answer(run: Run, wires: ProviderServer, model: str) -> None:
    wires.reply(Reply(text='Here:\n```json\n{"n": 7}\n```\n'))
    answer = document(run("call_model", "n?", "-m", model, "--schema", SCHEMA_TEXT, "--json"))
    assert (answer["status"], answer["parsed"]) == ("ok", {"n": 7})
    (request,) = generations(wires)
    assert request.schema == SCHEMA or '\\"n\\"' in json.dumps(request.body)


def test_the_json_is_printed_alone(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(text='Here:\n```json\n{"n": 7}\n```\n'))
    outcome = run("call_model", "n?", "-m", "openai/test-model", "--schema", SCHEMA_TEXT)
    assert (outcome.code, json.loads(outcome.stdout), outcome.stderr) == (0, {"n": 7}, "")


@pytest.mark.parametrize(
    ("model", "schema", "native"),
    [
        ("openai:best", {"type": "array", "items": {"type": "integer"}}, False),
        (
            "openai:best",
            {**SCHEMA, "$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}}}}},
            True,
        ),
        (
            "anthropic:best",
            {**SCHEMA, "$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}}}}},
            False,
        ),
        ("ollama/test-model", SCHEMA, True),
    ],
)
def test_what_a_wire_cannot_hold_is_said_in_words(
    run: Run, wires: ProviderServer, model: str, schema: dict[str, Any], native: bool
) -> None:
    wires.reply(Reply(text="[1]" if schema["type"] == "array" else '{"n": 7}'))
    assert run("call_model", "n?", "-m", model, "--schema", json.dumps(schema), "-q").code == 0
    (request,) = generations(wires)
    assert (request.schema is not None) is native


@pytest.mark.parametrize("model", MODELS[:3])
def test_broken_arguments_can_be_mended(run: Run, wires: ProviderServer, functions: str, model: str) -> None:
    """On the wires that have text for them."""
    wires.reply(Reply(calls=(Call("get_weather", '{"city": "Par', "call_a"),)), Reply(text="I see."))
    assert run("call_model", "go", "-m", model, "--functions", functions).code == 0
    assert "JSON" in generations(wires)[1].tool_results[0][1]


@pytest.mark.parametrize("model", ALL)
def test_a_mended_answer(run: Run, wires: ProviderServer, model: str) -> None:
    wires.reply(Reply(text='{"n": "seven"}'), Reply(text='{"n": 7}'))
    assert run("call_model", "n?", "-m", model, "--schema", SCHEMA_TEXT) == (0, '{"n": 7}\n', "")
    first, second = generations(wires)
    assert "'seven' is not of type 'integer'" in second.prompt


@pytest.mark.parametrize("model", MODELS)
def test_a_hopeless_answer(run: Run, wires: ProviderServer, model: str) -> None:
    wires.reply(Reply(text="no"), Reply(text="never"))
    outcome = run("call_model", "n?", "-m", model, "--schema", SCHEMA_TEXT, "--json")
    answer = document(outcome)
    assert (outcome.code, answer["status"], answer["text"], answer["parsed"]) == (10, "partial", "never", None)
    assert "does not fit the schema" in answer["error"]["message"]
    assert Path(answer["result_file"]).read_text() == "never"


@pytest.mark.parametrize(
    ("model", "native"), [("openai:best", True), ("anthropic:best", True), ("gemini:best", True), ("gpt-x", None)]
)
def test_the_models_own_way_where_it_has_one(run: Run, wires: ProviderServer, model: str, native: bool | None) -> None:
    wires.reply(Reply(text='{"n": 7}'))
    name = "openai/test-model" if native is None else model
    assert run("call_model", "n?", "-m", name, "--schema", SCHEMA_TEXT, "-q").code == 0
    (request,) = generations(wires)
    assert (request.schema is not None) is bool(native)


@pytest.mark.parametrize(
    ("argv", "shown", "code"),
    [
        (["-x"], "one\n", 0),
        (["--extract-lang", "python"], "two\n", 0),
        (["--extract-lang", "rust"], "```\none\n```\n```python\ntwo\n```\n", 10),
    ],
)
def test_code_alone(run: Run, wires: ProviderServer, argv: list[str], shown: str, code: int) -> None:
    wires.reply(Reply(text="```\none\n```\n```python\ntwo\n```"))
    outcome = run("call_model", "code", "-m", "openai/test-model", *argv)
    assert (outcome.code, outcome.stdout) == (code, shown)
    assert ("no such code block" in outcome.stderr) is (code != 0)


# --- money


def test_rounds_share_what_they_may_cost(run: Run, wires: ProviderServer, functions: str) -> None:
    """Each round may cost what the ones before it have left."""
    wires.default = Reply(calls=(Call("get_weather", '{"city":"Oslo"}'),), usage=Usage(input=100, output=250))
    argv = [
        "go",
        "-m",
        "openai:best",
        "--functions",
        functions,
        "--max-cost",
        "0.02",
        "--max-tool-rounds",
        "50",
        "-q",
        "--json",
    ]
    outcome = run("call_model", *argv)
    limits = [
        request.body.get("max_output_tokens")
        or request.body.get("max_completion_tokens")
        or request.body.get("max_tokens")
        for request in generations(wires)
    ]
    assert outcome.code == 7
    assert limits == sorted(limits, reverse=True)
    assert document(outcome)["cost_usd"] <= 0.02


def test_others_go_on_while_a_reply_is_checked() -> None:
    """By a schema of the kind that is checked in another process."""
    wanted = Schema({"type": "string", "pattern": "^a"}, "x")
    spoken = dialogue.Dialogue(None, wanted, 1, (), False, lambda _: None)

    async def turns() -> int:
        checked, count = asyncio.ensure_future(spoken.follow(gateway.Reply('"abc"', (), {}))), 0
        while not checked.done():
            await asyncio.sleep(0)
            count += 1
        return count

    assert (asyncio.run(turns()) > 2, spoken.parsed) == (True, "abc")
