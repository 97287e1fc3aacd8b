"""The command as its users type it, against a provider that is a socket."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import KEYS, Outcome
from provider_server import ProviderServer, Reply, Usage

Run = Callable[..., Outcome]
WIRES = ["openai/test-model", "anthropic/claude-test", "gemini/gemini-test"]
KEY_OF = dict(zip(WIRES, KEYS.values(), strict=True))


def envelope(outcome: Outcome) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(outcome.stdout)
    assert next(iter(document)) == "status"
    return document


# --- an answer


def test_a_descriptor_that_is_not_open_is_no_file(run: Run) -> None:
    """By the time of writing it may be the history's."""
    outcome = run("call_model", "--demo", "hi", "--out", "/dev/fd/999", "--force")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: --out /dev/fd/999")


def test_a_working_directory_that_is_gone(run: Run) -> None:
    Path("deep").mkdir()
    with contextlib.chdir("deep"):
        Path("../deep").rmdir()
        outcome = run("call_model", "--demo", "hi")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: the working directory: No such file or directory\nnext: ")


@pytest.mark.parametrize("model", WIRES)
def test_an_answer_as_text(run: Run, wires: ProviderServer, model: str) -> None:
    wires.reply(Reply(text="你好，世界 🌍\nline two"))
    assert run("call_model", "说“你好”", "-m", model) == (0, "你好，世界 🌍\nline two\n", "")
    (request,) = wires.requests
    assert (request.prompt, request.key) == ("说“你好”", KEY_OF[model])


@pytest.mark.parametrize("model", WIRES)
def test_an_answer_as_one_document(run: Run, wires: ProviderServer, model: str) -> None:
    usage = Usage(input=21, output=17, reasoning=5)
    wires.reply(Reply(text="四十二", reasoning="thinking", usage=usage))
    outcome = run("call_model", "六乘七？", "-m", model, "--json")
    document = envelope(outcome)
    assert (outcome.code, outcome.stderr) == (0, "")
    expected = {
        "status": "ok",
        "model_requested": model,
        "model_used": model,
        "provider": model.split("/")[0],
        "endpoint_host": wires.url.removeprefix("http://"),
        "text": "四十二",
        "reasoning": "thinking",
        "finish_reason": "stop",
        "cost_usd": None,
        "cost_source": None,
        "dropped_params": [],
        "warnings": [],
        "untrusted": True,
        "error": None,
    }
    assert {name: document[name] for name in expected} == expected
    assert (document["usage"]["input_tokens"], document["usage"]["output_tokens"]) == (21, 17)
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["ok"]
    assert 0 < document["first_token_s"] <= document["latency_s"]
    assert document["sent"]["characters"] == len("六乘七？")
    assert Path(document["result_file"]).read_text() == "四十二"


def test_the_full_answer_is_kept_privately(run: Run, wires: ProviderServer) -> None:
    document = envelope(run("call_model", "hi", "-m", "openai/test-model", "--json"))
    file = Path(document["result_file"])
    assert file.parent == Path(os.environ["XDG_STATE_HOME"], "litellm-skill", "results")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent, file.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


def test_a_state_directory_that_cannot_be_written_costs_nothing(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    wires.reply(Reply(text="kept"))
    document = envelope(run("call_model", "hi", "-m", "openai/test-model", "--json"))
    assert Path(document["result_file"]).is_relative_to(tmp_path)
    assert Path(document["result_file"]).read_text() == "kept"


def test_answers_are_not_kept_in_a_project(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox may leave nothing else that can be written."""
    for name in ("XDG_STATE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, os.devnull + "/below")
    document = envelope(run("call_model", "hi", "-m", "openai/test-model", "--json"))
    assert (document["text"], document["result_file"]) == ("You said: hi", None)
    assert os.listdir() == []


def test_usage_is_one_line(run: Run, wires: ProviderServer) -> None:
    outcome = run("call_model", "hi", "-m", "openai/test-model", "-u")
    assert outcome.code == 0
    assert outcome.stderr.startswith(f"openai/test-model at {wires.url[7:]}: 11 tokens in, 7 out, cost unknown, ")
    assert outcome.stderr.count("\n") == 1


def test_unknown_stays_unknown(run: Run, wires: ProviderServer) -> None:
    """LiteLLM writes 0 tokens, or counts itself, where the provider reported nothing."""
    wires.reply(Reply(text="hello", usage=None))
    document = envelope(run("call_model", "hi", "-m", "openai/test-model", "--json"))
    assert document["usage"] == dict.fromkeys(("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"))
    assert document["cost_usd"] is None


def test_a_known_price_is_applied(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(text="hello", usage=Usage(input=1_000_000, output=1)))
    document = envelope(run("call_model", "hi", "-m", "openai:cheap", "--json"))
    assert document["cost_usd"] > 0
    assert document["cost_source"] == "catalog"


@pytest.mark.parametrize(
    ("said", "cost", "source"),
    [
        ("0.25", 0.25, "provider"),
        ("0", 0.0, "provider"),
        ("-1", None, None),
        ("1e999", None, None),
        ("1" + "0" * 400, None, None),
        ("NaN", None, None),
        ("true", None, None),
        ('"0.25"', None, None),
    ],
)
def test_the_providers_own_cost_goes_first(
    run: Run, wires: ProviderServer, said: str, cost: float | None, source: str | None
) -> None:
    usage = f'"choices": [], "usage": {{"prompt_tokens": 3, "completion_tokens": 4, "cost": {said}}}'
    last = f'{{"id": "1", "object": "chat.completion.chunk", "model": "m", {usage}}}'
    body = "".join(f"data: {event}\n\n" for event in [*map(json.dumps, EVENTS), last, "[DONE]"])
    wires.reply(Reply(body=body, headers={"content-type": "text/event-stream"}))
    found = envelope(run("call_model", "hi", "-m", "openai/test-model", "--json"))
    assert (found["status"], found["cost_usd"], found["cost_source"]) == ("ok", cost, source)


def test_the_users_price_is_applied(run: Run, wires: ProviderServer) -> None:
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    file.parent.mkdir()
    file.write_text('[models."openai/test-model"]\nprice = { input = 1.0, output = 2.0, currency = "USD" }\n')
    wires.reply(Reply(text="hello", usage=Usage(input=1_000_000, output=500_000)))
    document = envelope(run("call_model", "hi", "-m", "openai/test-model", "--json"))
    assert (document["cost_usd"], document["cost_source"]) == (pytest.approx(2.0), "user")


@pytest.mark.parametrize("model", WIRES)
def test_usage_is_asked_for_and_hidden_retries_are_off(run: Run, wires: ProviderServer, model: str) -> None:
    wires.reply(Reply(status=500), Reply(status=500), Reply(status=500))
    outcome = run("call_model", "hi", "-m", model, "--retries", "0")
    assert outcome.code == 8
    (request,) = wires.requests
    if model.startswith("openai/"):
        assert request.body["stream_options"] == {"include_usage": True}


# --- what was sent


def test_nothing_is_sent_unasked(run: Run, wires: ProviderServer) -> None:
    run("call_model", "hi", "-m", "openai/test-model")
    (request,) = wires.requests
    assert set(request.body) == {"model", "messages", "stream", "stream_options"}


def test_generation_parameters_arrive(run: Run, wires: ProviderServer) -> None:
    flags = ["--temperature", "0.5", "--max-tokens", "99", "-o", "seed", "7", "-o", "stop", '["END"]']
    outcome = run("call_model", "hi", "-m", "openai/test-model", "-s", "be brief", "--json", *flags)
    (request,) = wires.requests
    assert {name: request.body[name] for name in ("temperature", "max_tokens", "seed", "stop")} == {
        "temperature": 0.5,
        "max_tokens": 99,
        "seed": 7,
        "stop": ["END"],
    }
    assert request.body["messages"][0] == {"role": "system", "content": "be brief"}
    assert envelope(outcome)["sent"]["max_tokens"] == 99


def test_the_anthropic_wire_needs_a_limit_and_the_envelope_says_it(run: Run, wires: ProviderServer) -> None:
    document = envelope(run("call_model", "hi", "-m", "anthropic/claude-test", "--json"))
    (request,) = wires.requests
    assert request.body["max_tokens"] == document["sent"]["max_tokens"] == 8192


def test_a_refused_parameter_is_dropped_and_named(run: Run, wires: ProviderServer) -> None:
    outcome = run("call_model", "hi", "-m", "openai:best", "--temperature", "0.3", "--json")
    (request,) = wires.requests
    assert "temperature" not in request.body
    assert envelope(outcome)["dropped_params"] == ["temperature"]
    assert "dropped what" in outcome.stderr


def test_strict_parameters_fail_before_sending(run: Run, wires: ProviderServer) -> None:
    outcome = run("call_model", "hi", "-m", "openai:best", "--temperature", "0.3", "--strict-params")
    assert (outcome.code, outcome.stdout, wires.requests) == (2, "", ())
    assert "does not take temperature" in outcome.stderr


def test_files_are_attached_and_listed(run: Run, wires: ProviderServer) -> None:
    Path("a.py").write_text("print('a')\n")
    document = envelope(run("call_model", "Review", "-f", "a.py", "-m", "openai/test-model", "--json"))
    (request,) = wires.requests
    assert request.prompt.startswith("Review")
    assert "a.py" in request.prompt
    assert "print('a')" in request.prompt
    assert [(file["path"], file["bytes"]) for file in document["sent"]["files"]] == [("a.py", 11)]


def test_the_prompt_from_stdin(run: Run, wires: ProviderServer) -> None:
    assert run("call_model", "-", "-m", "openai/test-model", stdin="管道".encode()).code == 0
    assert wires.requests[0].prompt == "管道"


def test_a_given_prompt_leaves_an_open_pipe_alone(run: Run, wires: ProviderServer) -> None:
    reading, writing = os.pipe()
    try:
        assert run("call_model", "hi", "-m", "openai/test-model", stdin=reading).code == 0
    finally:
        os.close(reading)
        os.close(writing)


# --- which model


def test_the_plain_settings_of_a_project(run: Run, provider: ProviderServer) -> None:
    lines = [
        "LLM_PROVIDER=openai",
        "LLM_MODEL=deepseek-ai/DeepSeek-V3.2-Exp",
        "LLM_PROVIDER_API_KEY=key-of-llm",
    ]
    Path(".env").write_text("\n".join([*lines, f"LLM_PROVIDER_BASE_URL={provider.url}/v1"]))
    outcome = run("call_model", "hi", "--json")
    assert envelope(outcome)["model_requested"] == "openai/deepseek-ai/DeepSeek-V3.2-Exp"
    assert "LLM_MODEL from" in outcome.stderr
    (request,) = provider.requests
    assert (request.model, request.key) == ("deepseek-ai/DeepSeek-V3.2-Exp", "key-of-llm")


@pytest.mark.parametrize(
    ("markers", "provider_called", "said"),
    [
        ({}, "openai", "the best of a vendor you have a key for"),
        ({"CODEX_CI": "1"}, "anthropic", "another vendor than Codex's openai"),
        ({"CLAUDECODE": "1"}, "openai", "another vendor than Claude Code's anthropic"),
        ({"OPENCODE": "1"}, "openai", "whose model OpenCode runs is not known"),
    ],
)
def test_the_default_is_another_vendor_than_the_hosts(
    run: Run,
    wires: ProviderServer,
    monkeypatch: pytest.MonkeyPatch,
    markers: dict[str, str],
    provider_called: str,
    said: str,
) -> None:
    for name, value in markers.items():
        monkeypatch.setenv(name, value)
    if "CODEX_CI" in markers:  # its address variable is the loopback server here, which names no vendor
        monkeypatch.setenv("OPENAI_BASE_URL", wires.url + "/v1")
    outcome = run("call_model", "hi", "--json")
    assert (outcome.code, envelope(outcome)["provider"]) == (0, provider_called)
    assert said in outcome.stderr
    assert "likely about" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_the_hosts_own_key_is_named(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    outcome = run("call_model", "hi", "-m", "anthropic/claude-test", "--json")
    (warning,) = envelope(outcome)["warnings"]
    assert "inherited from Claude Code" in warning
    assert warning in outcome.stderr


@pytest.mark.parametrize(
    ("model", "nearest"),
    [
        ("gpt4o", "openai/gpt"),
        ("o1-preview", "openai/"),
        ("gemini/gemini-1.5-pro", "gemini/gemini"),
        ("claude-sonnet-4-20250514", "anthropic/claude-sonnet"),
    ],
)
def test_retired_and_misspelt_models(run: Run, wires: ProviderServer, model: str, nearest: str) -> None:
    outcome = run("call_model", "hi", "-m", model)
    assert (outcome.code, outcome.stdout, wires.requests) == (4, "", ())
    assert nearest in outcome.stderr
    assert model in outcome.stderr


def test_nothing_configured(run: Run) -> None:
    outcome = run("call_model", "hi")
    assert (outcome.code, outcome.stdout) == (3, "")
    assert "no model is configured" in outcome.stderr
    assert "--demo" in outcome.stderr


def test_an_env_file_one_level_down_is_named(run: Run) -> None:
    Path("backend").mkdir()
    Path("backend", ".env").write_text("OPENAI_API_KEY=x\n")
    outcome = run("call_model", "hi")
    assert outcome.code == 3
    assert "--env-file backend/.env" in outcome.stderr


@pytest.mark.parametrize("model", ["openai/x", "groq/x", "openrouter/a/b", "mistral/x", "xai/x", "deepseek/x"])
def test_a_missing_key_sends_nothing(run: Run, model: str) -> None:
    outcome = run("call_model", "hi", "-m", model)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert f"{model.split('/')[0].upper()}_API_KEY" in outcome.stderr


# --- trust


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("OPENAI_BASE_URL", "openai/test-model"),
        ("OPENAI_API_BASE", "openai/test-model"),
        ("ANTHROPIC_BASE_URL", "anthropic/claude-test"),
        ("ANTHROPIC_API_BASE", "anthropic/claude-test"),
        ("GEMINI_API_BASE", "gemini/gemini-test"),
        ("LLM_PROVIDER_BASE_URL", "openai/test-model"),
        ("HTTP_PROXY", "openai/test-model"),
        ("HTTPS_PROXY", "openai/test-model"),
        ("ALL_PROXY", "openai/test-model"),
    ],
)
@pytest.mark.parametrize("where", ["directory", "env-file"])
def test_a_hostile_file_brings_nothing_elsewhere(
    run: Run, wires: ProviderServer, name: str, model: str, where: str
) -> None:
    """The wanted server answers; the other one never hears of key or prompt."""
    with ProviderServer() as elsewhere:
        lines = [
            f"{name}={elsewhere.url}",
            "USE_LITELLM_PROXY=True",
            "LITELLM_PROXY_API_BASE=" + elsewhere.url,
        ]
        Path(".env" if where == "directory" else "x.env").write_text("\n".join(lines))
        flags = ["--env-file", "x.env"] if where == "env-file" else []
        assert run("call_model", "private", "-m", model, *flags).code == 0
        assert elsewhere.requests == ()
    assert len(wires.requests) == 1


def test_an_ignored_address_is_said(run: Run, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "key-of-groq")
    Path(".env").write_text(f"GROQ_API_BASE={provider.url}\n")
    outcome = run("call_model", "hi", "-m", "groq/test-model", "--dry-run", "--json")
    document = json.loads(outcome.stdout)
    assert document["endpoint_host"] == "api.groq.com"
    assert "ignored GROQ_API_BASE" in document["warnings"][0]
    assert "ignored GROQ_API_BASE" in outcome.stderr


@pytest.mark.parametrize("key", ["api_base", "base_url", "api_key", "extra_headers", "headers", "model", "messages"])
def test_an_option_is_never_an_address_or_a_key(run: Run, wires: ProviderServer, key: str) -> None:
    outcome = run("call_model", "hi", "-m", "openai/test-model", "-o", key, "http://elsewhere.example")
    assert (outcome.code, outcome.stdout, wires.requests) == (2, "", ())
    assert f"-o {key}: not a generation parameter" in outcome.stderr


@pytest.mark.parametrize("value", ["False", "0", "no"])
def test_certificates_are_always_checked(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SSL_VERIFY", value)
    outcome = run("call_model", "hi", "-m", "openai/test-model")
    assert (outcome.code, outcome.stdout, wires.requests) == (3, "", ())
    assert "SSL_VERIFY" in outcome.stderr


def test_litellm_stays_quiet(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOG", "DEBUG")
    wires.reply(Reply(status=401, text=f"bad key {KEYS['OPENAI_API_KEY']}"))
    outcome = run("call_model", "hi", "-m", "openai/test-model")
    assert (outcome.code, outcome.stdout) == (3, "")
    assert KEYS["OPENAI_API_KEY"] not in outcome.stderr
    assert outcome.stderr.count("\n") == 2


# --- what goes wrong


@pytest.mark.parametrize("model", WIRES)
@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (Reply(status=401, text="bad key"), 3, "401"),
        (Reply(status=403, text="not yours"), 3, "403"),
        (Reply(status=402, text="pay"), 7, "402"),
        (Reply(status=404, text="no such model"), 4, "404"),
        (Reply(status=400, text="bad value"), 2, "400"),
        (Reply(status=429, text="slow down"), 7, "429"),
        (Reply(status=500, text="oops"), 8, "failed"),
        (Reply(text="half", finish_reason="length"), 10, "output limit"),
        (Reply(text="half", finish_reason="content_filter"), 6, "content filter"),
        (Reply(text=""), 10, "no text"),
    ],
)
def test_faults(run: Run, wires: ProviderServer, model: str, reply: Reply, code: int, said: str) -> None:
    wires.reply(reply)
    outcome = run("call_model", "hi", "-m", model, "--retries", "0")
    text = f"{reply.text}\n" if reply.text and reply.status == 200 else ""
    assert (outcome.code, outcome.stdout) == (code, text)
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 2
    assert all(len(line) <= 400 for line in outcome.stderr.splitlines())


@pytest.mark.parametrize("model", ["openai/test-model", "anthropic/claude-test"])
@pytest.mark.parametrize("abrupt", [False, True])
def test_a_cut_stream_is_no_success(run: Run, wires: ProviderServer, model: str, abrupt: bool) -> None:
    wires.reply(Reply(text="all of it", pieces=("all ", "of ", "it"), stop_after=2, abrupt=abrupt))
    outcome = run("call_model", "hi", "-m", model, "--json")
    document = envelope(outcome)
    assert (outcome.code, document["status"], document["text"]) == (10, "partial", "all of ")
    assert Path(document["result_file"]).read_text() == "all of "


@pytest.mark.parametrize("model", WIRES)
def test_the_deadline_holds(run: Run, wires: ProviderServer, model: str) -> None:
    wires.reply(Reply(text="late", delay_s=10))
    outcome = run("call_model", "hi", "-m", model, "--timeout", "1", "--json")
    document = envelope(outcome)
    assert (outcome.code, document["error"]["type"]) == (9, "deadline_passed")
    assert document["latency_s"] < 3


def test_the_text_before_the_deadline_is_kept(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(text="soon never", pieces=("soon", " never"), piece_delay_s=15))
    outcome = run("call_model", "hi", "-m", "openai/test-model", "--timeout", "6")
    assert (outcome.code, outcome.stdout) == (10, "soon\n")


def test_a_prompt_that_cannot_fit(run: Run, wires: ProviderServer) -> None:
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    file.parent.mkdir()
    file.write_text('[models."openai/small"]\ncontext = 100\n')
    outcome = run("call_model", "word " * 500, "-m", "openai/small")
    assert (outcome.code, outcome.stdout, wires.requests) == (5, "", ())
    assert "more than openai/small takes (100)" in outcome.stderr
    assert "a larger model: " in outcome.stderr


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "prompt"),
        (["--no-such-flag", "hi"], "--no-such-flag"),
        (["hi", "--timeout", "nan"], "positive number of seconds"),
        (["hi", "--max-tokens", "0"], "positive whole number"),
        (["hi", "--max-cost", "-1"], "positive amount"),
        (["hi", "-f", "absent.txt"], "absent.txt"),
        (["hi", "--env-file", "absent.env"], "absent.env"),
        (["hi", "--diff"], "git"),
        (["hi", "--demo", "-m", "openai/x"], "--demo"),
        (["hi", "-m", "has space"], "has space"),
        (["nul \0 byte", "-m", "demo/echo"], "NUL"),
        (["hi", "--temperature", "0.1", "-o", "temperature", "0.2", "--demo"], "twice"),
        (["hi", "--temperature", "nan", "--demo"], "not a number"),
        (["hi", "-o", "max_tokens", "many", "--demo"], "not a value"),
        (["hi", "-o", "max_tokens", "-5", "--demo"], "not a value"),
        (["hi", "--max-tokens", "5", "-o", "max_completion_tokens", "7", "--demo"], "twice"),
        (["hi", "-m", ""], "not a model name"),
    ],
)
def test_bad_input(run: Run, wires: ProviderServer, argv: list[str], said: str) -> None:
    outcome = run("call_model", *argv)
    assert (outcome.stdout, wires.requests) == ("", ())
    assert outcome.code == (4 if {"has space", ""} & set(argv) else 2)
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 2
    as_json = run("call_model", *argv, "--json")
    assert as_json.code == outcome.code
    assert envelope(as_json)["error"]["exit_code"] == outcome.code


# --- money


def test_max_cost_limits_the_answer(run: Run, wires: ProviderServer) -> None:
    outcome = run("call_model", "hi", "-m", "openai:best", "--max-cost", "0.01", "--json")
    (request,) = wires.requests
    limit = request.body.get("max_tokens") or request.body["max_completion_tokens"]
    document = envelope(outcome)
    assert limit == document["sent"]["max_tokens"]
    assert f"limited to {limit} tokens" in document["warnings"][0]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["-m", "openai:best", "--max-cost", "0.00001"], "less than 256 tokens"),
        (["-m", "openai/test-model", "--max-cost", "1"], "is unknown"),
        (["-m", "openai:best", "--max-cost", "0.01", "--max-tokens", "100000"], "may cost more"),
    ],
)
def test_max_cost_refuses(run: Run, wires: ProviderServer, argv: list[str], said: str) -> None:
    outcome = run("call_model", "hi", *argv)
    assert (outcome.code, outcome.stdout, wires.requests) == (7, "", ())
    assert said in outcome.stderr


# --- output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("back\x08space\x9b2J", "back\\x08space\\x9b2J"),
        ("👩‍🚀 می‌خواهم 漢字", "👩‍🚀 می‌خواهم 漢字"),
    ],
)
def test_control_characters_are_shown_as_escapes(run: Run, wires: ProviderServer, text: str, shown: str) -> None:
    wires.reply(Reply(text=text, pieces=(text,)), Reply(text=text, pieces=(text,)))
    assert run("call_model", "hi", "-m", "openai/test-model").stdout == shown + "\n"
    assert envelope(run("call_model", "hi", "-m", "openai/test-model", "--json"))["text"] == text


def test_a_host_gets_the_answer_fenced_and_short(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_AGENT", "1")
    wires.reply(Reply(text="long " * 4000))
    outcome = run("call_model", "hi", "-m", "openai/test-model")
    first, *_, cut, last = outcome.stdout.splitlines()
    fence = first.split()[2]
    assert first == f"<<<untrusted answer {fence} from openai/test-model>>>"
    assert cut == f"<<<end of untrusted answer {fence}>>>"
    assert last.startswith("cut after ")
    assert Path(last.split("full answer: ")[1]).read_text() == "long " * 4000
    assert (outcome.code, len(outcome.stdout) < 8000) == (0, True)


def test_out_keeps_a_copy_and_overwrites_nothing(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(text="first"), Reply(text="third"))
    flags = ["-m", "openai/test-model", "--out", "answer.txt"]
    assert run("call_model", "hi", *flags) == (0, "first\n", "")
    refused = run("call_model", "hi", *flags)
    assert (refused.code, refused.stdout, len(wires.requests)) == (2, "", 1)
    assert run("call_model", "hi", *flags, "--force") == (0, "third\n", "")
    assert Path("answer.txt").read_text() == "third"


def test_an_unwritable_out_still_shows_the_answer(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(text="paid for"))
    outcome = run("call_model", "hi", "-m", "openai/test-model", "--out", "absent/answer.txt")
    assert (outcome.code, outcome.stdout) == (2, "paid for\n")
    assert "cannot write --out absent/answer.txt" in outcome.stderr


# --- demo and dry run


@pytest.mark.parametrize("argv", [["--demo"], ["-m", "demo/echo"], ["-m", "demo/other"]])
def test_the_demo_says_that_no_model_was_called(run: Run, argv: list[str]) -> None:
    outcome = run("call_model", "say hi", *argv)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("[demo: no model was called] ")
    assert "say hi" in outcome.stdout


def test_the_demo_goes_the_whole_way(run: Run) -> None:
    document = envelope(run("call_model", "say hi", "--demo", "--json"))
    assert (document["status"], document["cost_usd"], document["cost_source"]) == ("ok", 0, "demo")
    assert document["usage"]["output_tokens"] > 0
    assert document["finish_reason"] == "stop"


def test_a_dry_run_says_what_would_be_sent(run: Run, wires: ProviderServer) -> None:
    Path("a.py").write_text("print('a')\n")
    outcome = run("call_model", "hi", "-f", "a.py", "-m", "openai:best", "--dry-run")
    assert (outcome.code, outcome.stderr, wires.requests) == (0, "", ())
    for fact in (
        "OPENAI_API_KEY from environment",
        wires.url[7:],
        "a.py (11 bytes)",
        "likely 0.",
        "Nothing was sent.",
    ):
        assert fact in outcome.stdout


def test_a_dry_run_without_a_key_says_what_is_missing(run: Run) -> None:
    outcome = run("call_model", "hi", "-m", "openai/test-model", "--dry-run", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.stdout)["missing"] == "no key for openai"
    assert "OPENAI_API_KEY" in outcome.stderr


# --- a local server


@pytest.fixture
def ollama(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    monkeypatch.setenv("OLLAMA_API_BASE", provider.url)
    provider.models = ("small:1b", "qwen3:8b")
    return provider


@pytest.mark.parametrize("model", ["ollama/qwen3:8b", "qwen3:8b"])
def test_a_local_model_costs_nothing(run: Run, ollama: ProviderServer, model: str) -> None:
    document = envelope(run("call_model", "hi", "-m", model, "--json"))
    assert (document["model_used"], document["cost_usd"], document["cost_source"]) == ("ollama/qwen3:8b", 0, "local")


def test_ollama_is_told_how_large_a_window_it_needs(run: Run, ollama: ProviderServer) -> None:
    ollama.context_tokens = 32_768
    assert run("call_model", "word " * 5_000, "-m", "ollama/qwen3:8b").code == 0
    (request,) = [request for request in ollama.requests if request.route == "/api/chat"]
    assert request.body["options"]["num_ctx"] == 16_384


def test_a_prompt_ollama_would_cut_is_not_sent(run: Run, ollama: ProviderServer) -> None:
    ollama.context_tokens = 2_048
    outcome = run("call_model", "word " * 5_000, "-m", "ollama/qwen3:8b")
    assert (outcome.code, outcome.stdout) == (5, "")
    assert "takes (2,048)" in outcome.stderr
    assert [request.route for request in ollama.requests if request.route == "/api/chat"] == []


def test_with_nothing_else_the_largest_local_model_answers(run: Run, ollama: ProviderServer) -> None:
    outcome = run("call_model", "hi", "--json")
    assert envelope(outcome)["model_requested"] == "ollama/small:1b"
    assert "the only models at hand are on this machine" in outcome.stderr


# --- how a reply ends, and what it looks like on the wire


@pytest.mark.parametrize(
    ("model", "word", "code", "said"),
    [
        ("openai/test-model", "stop", 0, ""),
        ("openai/test-model", "eos", 0, ""),
        ("openai/test-model", "model_length", 10, "output limit"),
        ("openai/test-model", "max_tokens", 10, "output limit"),
        ("openai/test-model", "insufficient_system_resource", 10, "'insufficient_system_resource'"),
        ("openai/test-model", "aborted", 10, "'aborted'"),
        ("gemini/gemini-test", None, 10, "without a finish reason"),
        ("anthropic/claude-test", None, 10, "without a finish reason"),
    ],
)
def test_only_a_known_end_is_an_end(
    run: Run, wires: ProviderServer, model: str, word: str | None, code: int, said: str
) -> None:
    """LiteLLM says ``stop`` for words it does not know, and where there is none."""
    wires.reply(Reply(text="some text", finish_reason=word))
    outcome = run("call_model", "hi", "-m", model)
    assert (outcome.code, outcome.stdout) == (code, "some text\n")
    assert said in outcome.stderr


@pytest.mark.parametrize("retry_after", ["900", "3600"])
@pytest.mark.parametrize("status", [408, 429, 503, 529])
def test_a_wait_that_does_not_fit_is_told_at_once(
    run: Run, wires: ProviderServer, status: int, retry_after: str
) -> None:
    wires.reply(Reply(status=status, text="later", headers={"retry-after": retry_after}))
    outcome = run("call_model", "hi", "-m", "openai/test-model")
    assert len(wires.requests) == 1
    assert f"it asks to wait {retry_after} s" in outcome.stderr


EVENTS = [
    {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]}
    for text in ("Hällo ", "wörld")
]
EVENTS.append({**EVENTS[0], "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


@pytest.mark.parametrize("start", ["", "\ufeff", ": a comment\n\n"])
@pytest.mark.parametrize("end", ["\n\n", "\n", "\r\n\r\n"])
@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain", "application/json", "application/octet-stream"])
def test_a_stream_is_a_stream_whatever_it_is_called(
    run: Run, wires: ProviderServer, start: str, end: str, kind: str
) -> None:
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}{end}" for event in EVENTS]
    wires.reply(Reply(body=start + "".join(lines) + f"data: [DONE]{end}", headers={"content-type": kind}))
    assert run("call_model", "hi", "-m", "openai/test-model") == (0, "Hällo wörld\n", "")


@pytest.mark.parametrize(("status", "code"), [(500, 8), (401, 3), (200, 8)])
def test_a_body_nested_beyond_reason(run: Run, wires: ProviderServer, status: int, code: int) -> None:
    wires.reply(Reply(status=status, body="[" * 60_000))
    outcome = run("call_model", "hi", "-m", "openai/test-model", "--retries", "0")
    assert (outcome.code, outcome.stdout) == (code, "")
    assert "a bug" not in outcome.stderr


def test_a_secret_in_an_option_is_not_sent(run: Run, wires: ProviderServer) -> None:
    secret = "sk-ant-" + "api03-" + "Zq8Lw2Xc9Vb4Nm7Kj1Hg5Fd3Sa6Po0Iu8Yt2Re4"
    outcome = run("call_model", "hi", "-m", "openai/test-model", "-o", "stop", f'["{secret}"]')
    assert (outcome.code, outcome.stdout, wires.requests) == (12, "", ())
    assert secret not in outcome.stderr


def test_a_fifo_as_out_is_refused_before_anything_is_sent(run: Run, wires: ProviderServer) -> None:
    os.mkfifo("pipe")
    outcome = run("call_model", "hi", "-m", "openai/test-model", "--out", "pipe", "--force")
    assert (outcome.code, wires.requests) == (2, ())


def test_a_hosts_own_key_comes_after_the_users(
    run: Run, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://api.deepseek.com/anthropic")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "key-of-the-host")
    monkeypatch.setenv("DEEPSEEK_API_KEY", "key-of-the-user")
    document = json.loads(run("call_model", "hi", "--dry-run", "--json").stdout)
    assert (document["provider"], document["key"]) == ("deepseek", "DEEPSEEK_API_KEY")


def test_a_file_that_cannot_be_read_is_named(run: Run) -> None:
    Path(".env").write_bytes("密钥 OPENAI_API_KEY=x".encode("gbk"))
    outcome = run("call_model", "hi", "-m", "openai/test-model")
    assert outcome.code == 3
    assert ".env is not UTF-8" in outcome.stderr


def test_a_refusal_in_its_own_field(run: Run, wires: ProviderServer) -> None:
    """OpenAI's models decline in a field that LiteLLM does not know, and end with ``stop``."""
    delta = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
    rows = [
        {"choices": [{"index": 0, "delta": delta}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    lines = [f"data: {json.dumps({'id': 'x', 'object': 'chat.completion.chunk', 'model': 'm', **row})}" for row in rows]
    body = "\n\n".join([*lines, "data: [DONE]", ""])
    wires.reply(Reply(body=body, headers={"content-type": "text/event-stream"}))
    outcome = run("call_model", "hi", "-m", "openai/test-model")
    assert outcome.code == 6
    assert "the model declined: I cannot help with that." in outcome.stderr
