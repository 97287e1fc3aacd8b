"""Retries, waits, fallbacks and limits, and that ``attempts`` tells all of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from exchange import TEXT
from faulty_server import FaultyServer
from litellm_skill import access, gateway, settings
from litellm_skill.catalog import Model
from provider_server import ProviderServer, Reply

Run = Callable[..., Outcome]


@pytest.fixture
def spare(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    """A second provider, behind Groq's name."""
    monkeypatch.setenv("GROQ_API_KEY", "key-of-groq")
    monkeypatch.setenv("GROQ_API_BASE", provider.url + "/v1")
    return provider


def ask(run: Run, monkeypatch: pytest.MonkeyPatch, server: FaultyServer, *flags: str) -> tuple[Outcome, dict[str, Any]]:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", server.base("chat"))
    outcome = run("call_model", "hi", "-m", "openai/test-model", "--json", "--timeout", "20", *flags)
    return outcome, json.loads(outcome.stdout)


@pytest.mark.parametrize(
    ("scenario", "requests"),
    [
        ("500", 1),
        ("401", 1),
        ("404", 1),
        ("429", 1),
        ("429ra3600", 1),
        ("refused", 0),
        ("empty_body", 1),
        ("400ctx", 1),
    ],
)
def test_another_model_is_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch, spare: ProviderServer, scenario: str, requests: int
) -> None:
    spare.reply(Reply(text="from the other"))
    with FaultyServer(scenario) as server:
        flags = ["--retries", "1"] if scenario.startswith("429") else ["--retries", "0"]
        outcome, document = ask(run, monkeypatch, server, *flags, "--fallback", "groq/other-model")
        assert len(server.requests) == requests
    assert (outcome.code, document["text"], document["model_used"]) == (0, "from the other", "groq/other-model")
    assert document["model_requested"] == "openai/test-model"
    assert [(a["model"], a["outcome"]) for a in document["attempts"]] == [
        ("openai/test-model", "error"),
        ("groq/other-model", "ok"),
    ]
    assert "; asking groq/other-model" in outcome.stderr


@pytest.mark.parametrize(("scenario", "code"), [("400param", 2), ("400policy", 6), ("reset_mid", 10)])
def test_no_other_model_is_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch, spare: ProviderServer, scenario: str, code: int
) -> None:
    """Not for what we did wrong, not to get around a policy, and not once text has been shown."""
    with FaultyServer(scenario) as server:
        outcome, document = ask(run, monkeypatch, server, "--fallback", "groq/other-model")
        assert len(server.requests) == 1
    assert (outcome.code, spare.requests, len(document["attempts"])) == (code, (), 1)


def test_fallbacks_are_tried_in_order(run: Run, monkeypatch: pytest.MonkeyPatch, spare: ProviderServer) -> None:
    spare.reply(Reply(status=404), Reply(text="third"))
    with FaultyServer("500") as server:
        flags = ["--retries", "0", "--fallback", "groq/second", "--fallback", "groq/third"]
        outcome, document = ask(run, monkeypatch, server, *flags)
    assert (outcome.code, document["text"]) == (0, "third")
    assert [request.model for request in spare.requests] == ["second", "third"]
    assert [attempt["http_status"] for attempt in document["attempts"]] == [500, 404, None]


def test_the_last_ones_fault_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, spare: ProviderServer) -> None:
    spare.reply(Reply(status=401, text="who are you"))
    with FaultyServer("500") as server:
        outcome, document = ask(run, monkeypatch, server, "--retries", "0", "--fallback", "groq/second")
    assert (outcome.code, document["error"]["type"]) == (3, "not_set_up")
    assert "GROQ_API_KEY" in document["error"]["message"]


def test_a_fallback_without_a_key_is_left_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer("500", "ok") as server:
        outcome, document = ask(run, monkeypatch, server, "--fallback", "mistral/any")
    assert (outcome.code, document["text"]) == (0, TEXT)
    assert "mistral/any left out: no key for mistral" in outcome.stderr


def test_an_unknown_fallback_is_told_before_anything_is_sent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer("ok") as server:
        outcome, _ = ask(run, monkeypatch, server, "--fallback", "gpt4o")
        assert (outcome.code, server.requests) == (4, ())


@pytest.mark.parametrize(("retries", "requests"), [("0", 1), ("1", 2), ("2", 3)])
def test_each_wait_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, retries: str, requests: int) -> None:
    with FaultyServer("503") as server:
        outcome, document = ask(run, monkeypatch, server, "--retries", retries)
        assert len(server.requests) == requests
    assert len(document["attempts"]) == requests
    assert outcome.stderr.count("trying again in") == requests - 1
    assert outcome.stderr.count("\n") == requests - 1 + 2


def test_retry_after_as_a_date(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer("429radate", "ok") as server:
        outcome, document = ask(run, monkeypatch, server)
        first, second = server.requests
        assert second.received_at - first.received_at >= 0.9
    assert (outcome.code, document["text"]) == (0, TEXT)


@pytest.mark.parametrize(("flags", "requests", "code"), [(["--max-cost", "0.01"], 1, 7), ([], 2, 0)])
def test_max_cost_holds_for_the_sum(
    run: Run, monkeypatch: pytest.MonkeyPatch, provider: ProviderServer, flags: list[str], requests: int, code: int
) -> None:
    """An attempt that began to think and broke may have been billed to its limit: that money is spent."""
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url + "/v1")
    provider.reply(Reply(text="never", reasoning="for a long time", stop_after=2, abrupt=True), Reply(text="whole"))
    outcome = run("call_model", "hi", "-m", "openai:cheap", *flags)
    assert (outcome.code, len(provider.requests)) == (code, requests)
    assert ("may have been billed, and no more than" if code else "may have been billed, too:") in outcome.stderr


def test_silence_is_broken_by_a_line(provider: ProviderServer, tmp_path: Path) -> None:
    """Below ``main``, for there it takes half a minute."""
    provider.reply(Reply(text="late and later", pieces=("late", " and later"), delay_s=1, piece_delay_s=1))
    environ = {"OPENAI_API_KEY": "key-of-openai", "OPENAI_BASE_URL": provider.url + "/v1"}
    way = access.reach("openai", settings.load(environ, tmp_path), model="openai/test-model")
    question = gateway.Question(Model.unlisted("openai/test-model"), way, [{"role": "user", "content": "hi"}])
    notes: list[str] = []
    listener = gateway.Listener(lambda _: None, notes.append, str)
    answer = gateway.run(gateway.ask([question], gateway.Patience(timeout=30, heartbeat=0.4), listener))
    assert answer.text == "late and later"
    assert len(notes) >= 2
    assert notes[0] == "openai/test-model: still waiting, 0 s without content"
