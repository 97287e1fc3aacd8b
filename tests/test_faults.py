"""Every case of ``fault_cases`` on every wire: never a hang, never a false success, never a leak."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Outcome
from fault_cases import CASES, Case
from faulty_server import TEXT, FaultyServer, sent_text
from litellm_skill.gateway import library

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
    assert seconds < float(case.flags[1]) + 1


def assert_clean(outcome: Outcome) -> None:
    """No key, no traceback, no markup; lines that fit a screen."""
    for stream in (outcome.stdout, outcome.stderr):
        assert not any(mark in stream for mark in (KEY, "Traceback", "<html", "<body"))
    assert all(len(line) <= 400 for line in outcome.stderr.splitlines())
