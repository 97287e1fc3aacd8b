"""Every case of ``fault_cases`` on every wire: never a hang, never a false success, never a leak."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from exchange import TEXT
from fault_cases import CASES, QUICK, Case, table
from faulty_server import FaultyServer
from litellm_skill import catalog
from litellm_skill.gateway import library
from provider_server import ProviderServer, Reply
from scenarios import ANSI_TEXT, INJECT_TEXT, REPEATED_PIECE, sent_text

REFERENCES = Path(__file__).resolve().parent.parent / "references"
KEY = "hk3-Qz81_aBc.9f/+=x"  # a shape no list of prefixes knows
MODELS = {
    "chat": "openai/test-model",
    "responses": "openai/responses/test-model",
    "messages": "anthropic/claude-test",
    "gemini": "gemini/gemini-test",
}
ADDRESSES = {
    "chat": ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "responses": ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "messages": ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
    "gemini": ("GEMINI_API_BASE", "GEMINI_API_KEY"),
}


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """LiteLLM's import is part of a command's time, but no part of what is tested here."""
    library.load()


def point_at(server: FaultyServer, wire: str, monkeypatch: pytest.MonkeyPatch) -> str:
    address, key = ADDRESSES[wire]
    monkeypatch.setenv(address, server.base(wire))
    monkeypatch.setenv(key, KEY)
    return MODELS[wire]


@pytest.mark.parametrize(
    ("case", "scenario", "wire"),
    [
        pytest.param(case, scenario, wire, id=f"{scenario}-{wire}")
        for case in CASES
        for scenario in case.scenarios
        for wire in case.wires
    ],
)
def test_fault(
    run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, case: Case, scenario: str, wire: str
) -> None:
    with FaultyServer(scenario) as server:
        model = point_at(server, wire, monkeypatch)
        began = time.monotonic()
        outcome = run("call_model", "hi", "-m", model, "--json", *case.flags)
        seconds = time.monotonic() - began
        assert len(server.requests) == case.requests
        assert server.redirected == ()
    document: dict[str, Any] = json.loads(outcome.stdout)
    sent = sent_text(scenario, streamed=wire != "gemini")
    text = {"": "", "sent": sent, "whole": TEXT, "any": document["text"]}[case.text]
    assert (outcome.code, document["text"]) == (case.code, text)
    assert document["status"] == ("ok" if case.code == 0 else "partial" if text else "error")
    assert case.said in outcome.stderr
    assert_clean(outcome)
    assert seconds < float(case.flags[1]) + 10  # a hang, not a slow machine


@pytest.mark.parametrize("wire", MODELS)
def test_who_really_answered(run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, wire: str) -> None:
    """A retired name may be served by a dearer model: the name in the reply counts."""
    with FaultyServer("other_model", other_model="dearer-model") as server:
        model = point_at(server, wire, monkeypatch)
        document = json.loads(run("call_model", "hi", "-m", model, "--json").stdout)
    assert (document["model_requested"], document["model_used"]) == (model, f"{model.split('/')[0]}/dearer-model")


@pytest.mark.parametrize("wire", MODELS)
@pytest.mark.parametrize("scenario", ["echo_key", "echo_key_mid", "echo_key_text"])
@pytest.mark.parametrize("flags", [(), ("--json",), ("-v", "-u")])
def test_no_key_is_shown_or_kept(
    run: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wire: str,
    scenario: str,
    flags: tuple[str, ...],
) -> None:
    """Gateways repeat the key they were sent, in errors and in answers."""
    with FaultyServer(scenario) as server:
        outcome = run("call_model", "hi", "-m", point_at(server, wire, monkeypatch), *QUICK, *flags)
        assert KEY in server.requests[0].credentials
    assert_clean(outcome)
    kept = [path.read_text() for path in tmp_path.rglob("*.txt")]
    assert not any(KEY in text for text in kept)


@pytest.mark.parametrize(("flags", "stored"), [((), False), (("-o", "store", "true"), True)])
def test_the_responses_api_keeps_nothing_unasked(
    run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], stored: bool
) -> None:
    with FaultyServer("ok") as server:
        assert run("call_model", "hi", "-m", point_at(server, "responses", monkeypatch), *flags) == (0, f"{TEXT}\n", "")
        assert server.requests[0].body["store"] is stored


@pytest.mark.parametrize(("scenario", "code"), [("ok", 0), ("fr_length", 10), ("fr_filter", 6), ("think_only", 10)])
def test_a_model_that_cannot_stream_is_not_asked_to(
    run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, scenario: str, code: int
) -> None:
    """LiteLLM would cut the whole reply into a stream itself, and say ``stop`` at the end of any."""
    row = next(
        model
        for model in catalog.load().chat_models()
        if model.provider == "openai" and model.mode == "responses" and not native_streaming(model.id)
    )
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    file.parent.mkdir()
    file.write_text(f'[models."{row.id}"]\nmax_output = 1000\n')  # also where the date of its end is past
    with FaultyServer(scenario) as server:
        point_at(server, "responses", monkeypatch)
        assert run("call_model", "hi", "-m", row.id).code == code
        assert not server.requests[0].body.get("stream")


def native_streaming(model: str) -> bool:
    import litellm

    return bool(litellm.utils.supports_native_streaming(model.partition("/")[2], "openai"))


@pytest.mark.parametrize("wire", MODELS)
@pytest.mark.parametrize("scenario", ["repeat", "ansi", "inject"])
def test_strange_answers_are_answers(
    run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, wire: str, scenario: str
) -> None:
    texts = {"repeat": REPEATED_PIECE * 600, "ansi": ANSI_TEXT, "inject": INJECT_TEXT}
    with FaultyServer(scenario) as server:
        model = point_at(server, wire, monkeypatch)
        document = json.loads(run("call_model", "hi", "-m", model, "--json").stdout)
        shown = run("call_model", "hi", "-m", model).stdout
    assert (document["text"], document["untrusted"]) == (texts[scenario], True)
    assert not any(character in shown for character in "\x1b\x07\x08\x9b\r\u202e\u200b")


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_most_of_a_key_is_not_shown_either(
    run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """A text that repeats a key may break off within it."""
    with ProviderServer() as provider:
        provider.reply(Reply(pieces=("it is ", KEY[:-2], KEY[-2:]), stop_after=2))
        monkeypatch.setenv("OPENAI_BASE_URL", provider.url + "/v1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        outcome = run("call_model", "hi", "-m", "openai/test-model", *flags)
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.txt"))
    assert (outcome.code, kept) == (10, "it is [key]")
    assert KEY[:8] not in outcome.stdout


def assert_clean(outcome: Outcome) -> None:
    """No key, no traceback, no markup; lines that fit a screen."""
    for stream in (outcome.stdout, outcome.stderr):
        assert not any(mark in stream for mark in (KEY, "Traceback", "<html", "<body"))
    assert all(len(line) <= 400 for line in outcome.stderr.splitlines())


def test_the_reference_tells_the_same_cases() -> None:
    """To renew the table: python3 tests/fault_cases.py"""
    assert (REFERENCES / "errors.md").read_text(encoding="utf-8").endswith("\n\n" + table())
