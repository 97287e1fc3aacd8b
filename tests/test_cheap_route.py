"""The cheapest model that will do, as users type it: decision, check, escalation, bill, audits."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from provider_server import ProviderServer, Reply, Usage

Run = Callable[..., Outcome]
PRICES = """
[models."openai/cheap-a"]
price = { input = 1.0, output = 2.0 }
context = 8000
[models."gemini/gemini-cheap-b"]
price = { input = 1.0, output = 2.0 }
context = 8000
[models."anthropic/claude-strong"]
price = { input = 50.0, output = 100.0 }
context = 8000
"""
A, B, STRONG = "openai/cheap-a", "gemini/gemini-cheap-b", "anthropic/claude-strong"
PATH = {
    A: "/v1/chat/completions",
    B: "/v1beta/models/gemini-cheap-b:generateContent",
    STRONG: "/v1/messages",
}
ROUTE = ["-m", A, "-m", B, "--strong", STRONG]
MATH = "What is 17 percent of 2340?"
TOKENS = Usage(input=1000, output=1000)
CHEAP_USD, STRONG_USD = 0.003, 0.15


@pytest.fixture
def wires(wires: ProviderServer) -> ProviderServer:
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    file.parent.mkdir()
    file.write_text(PRICES)
    return wires


def play(server: ProviderServer, **texts: str | int) -> None:
    """A model's answer by a text, or a status."""
    for name, text in texts.items():
        path = PATH[{"a": A, "b": B, "strong": STRONG}[name]]
        reply = Reply(status=text) if isinstance(text, int) else Reply(text=text, usage=TOKENS)
        server.reply(*[reply] * 4, path=path)


def document(outcome: Outcome) -> dict[str, Any]:
    return json.loads(outcome.stdout)


@pytest.mark.parametrize(
    ("texts", "answer", "verdicts", "usd"),
    [
        ({"a": "It is 397.8", "b": "**397.80**"}, A, ["agree", "agree"], 2 * CHEAP_USD),
        (
            {"a": "It is 397.8", "b": "400", "strong": "397.8"},
            STRONG,
            ["disagree", "disagree", "escalated"],
            2 * CHEAP_USD + STRONG_USD,
        ),
        ({"a": "no idea", "b": "397.8", "strong": "397.8"}, STRONG, ["unreadable"] * 2 + ["escalated"], None),
    ],
)
def test_two_cheap_ones_are_compared(
    run: Run, wires: ProviderServer, texts: dict[str, str], answer: str, verdicts: list[str], usd: float | None
) -> None:
    play(wires, **texts)
    outcome = run("cheap_route", MATH, *ROUTE, "--check", "agree", "--json", "-q")
    found = document(outcome)
    assert (outcome.code, outcome.stderr, found["model_requested"]) == (0, "", answer)
    assert [step["verdict"] for step in found["route"]["steps"]] == verdicts
    assert found["route"]["task"] == "math"
    if usd is not None:
        assert found["cost_usd"] == pytest.approx(usd)
        assert found["route"]["saved_usd"] == pytest.approx(STRONG_USD - usd)


def test_the_default_compares_where_that_pays(run: Run, wires: ProviderServer) -> None:
    play(wires, a="397.8", b="397.8")
    assert document(run("cheap_route", MATH, *ROUTE, "--json", "-q"))["route"]["check"] == "agree"
    play(wires, a="A lovely sea.")
    found = document(run("cheap_route", "Write a poem about the sea", *ROUTE, "--json", "-q"))
    assert (found["route"]["check"], found["route"]["steps"][0]["verdict"]) == ("parse", "readable")
    assert len(wires.requests) == 3


@pytest.mark.parametrize(
    ("command", "answer", "verdict"),
    [
        ("grep -q print", A, "passed"),
        ("grep -q print {file}", A, "passed"),
        ("grep -q nothing", STRONG, "failed"),
        ("./broken", STRONG, "check failed to run"),
        ("sh -c 'env | grep -q KEY'", STRONG, "failed"),
    ],
)
def test_the_users_own_test(
    run: Run,
    wires: ProviderServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    answer: str,
    verdict: str,
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    play(wires, a="Here:\n```python\nprint(1)\n```", strong="```python\nprint(2)\n```")
    found = document(run("cheap_route", "Write code that prints 1", *ROUTE, "--check-cmd", command, "--json", "-q"))
    assert (found["model_requested"], found["route"]["steps"][0]["verdict"]) == (answer, verdict)


def test_a_judge(run: Run, wires: ProviderServer) -> None:
    play(wires, a="A sea.", strong="A lovely sea.")
    wires.reply(Reply(text='{"good": false}', usage=TOKENS), path="/v1beta/models/gemini-judge:generateContent")
    argv = ["Write a poem", *ROUTE, "--check-judge", "gemini/gemini-judge", "--json", "-q"]
    found = document(run("cheap_route", *argv))
    assert found["text"] == "A lovely sea."
    assert [step["verdict"] for step in found["route"]["steps"]] == ["failed", "judge", "escalated"]
    assert found["cost_usd"] is None


def test_the_strong_one_is_down(run: Run, wires: ProviderServer) -> None:
    """The cheap answer is given for what it is worth."""
    play(wires, a="1", b="2", strong=401)
    outcome = run("cheap_route", MATH, *ROUTE, "--json", "--retries", "0", "-q")
    found = document(outcome)
    assert (outcome.code, found["status"], found["text"]) == (3, "partial", "1")
    assert "did not pass (disagree)" in found["warnings"][0]


@pytest.mark.parametrize(("flags", "whole"), [((), False), (("--no-save",), True)])
def test_a_long_answer_under_an_agent(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], whole: bool
) -> None:
    """Cut where a file holds all of it, and only there."""
    monkeypatch.setenv("CLAUDECODE", "1")
    play(wires, a="word " * 4000)
    outcome = run("cheap_route", "Write a poem", *ROUTE, "--no-relay", *flags)
    path = re.search(r"full answer: (.*)\n$", outcome.stdout)
    assert (outcome.code, len(outcome.stdout) > 8_000, path is None) == (0, whole, whole)
    assert (Path(path[1]).read_text() if path else outcome.stdout).count("word") == 4_000


@pytest.mark.parametrize("flags", [(), ("--check-cmd", "sleep 20"), ("--check-judge", "openai/judge")])
def test_an_interrupt_asks_nobody_else(
    interrupted: Callable[..., Outcome], wires: ProviderServer, flags: tuple[str, ...]
) -> None:
    """What came is shown, and the strong model is not paid."""
    slow = Reply(text="1 and more", pieces=("1", " and more"), piece_delay_s=15)
    wires.reply(Reply(text="1", usage=TOKENS) if flags else slow, path=PATH[A])
    wires.default = slow
    argv = (MATH if not flags else "Write code that prints 1", "-m", A, "--strong", STRONG, *flags)
    outcome = interrupted("cheap_route", *argv, after=2 if "--check-judge" in flags else 1)
    assert (outcome.code, outcome.stdout) == (130, "1\n")
    assert outcome.stderr.startswith("error: interrupted\nnext: the text so far is kept\nroute: ")
    assert [request.path for request in wires.requests if request.path == PATH[STRONG]] == []


def test_the_most_it_may_cost_is_for_all_calls(run: Run, wires: ProviderServer) -> None:
    play(wires, a="1", b="2", strong="3")
    found = document(run("cheap_route", MATH, *ROUTE, "--check", "agree", "--max-cost", "0.1", "--json", "-q"))
    limits = [
        request.body.get("max_tokens")
        or request.body.get("max_completion_tokens")
        or request.body["generationConfig"]["max_output_tokens"]
        for request in wires.requests
    ]
    assert found["model_requested"] == STRONG
    assert sum(limit * usd for limit, usd in zip(limits, (2e-6, 2e-6, 100e-6), strict=True)) < 0.1


@pytest.mark.parametrize(
    ("usd", "asked", "why"),
    [
        ("0.0002", [B], f"{STRONG} is left out: costs about 0.0031 USD, more than --max-cost 0.0002"),
        (
            "0.005",
            [B],
            f"{STRONG} is left out: its part of --max-cost 0.005 leaves less than 256 tokens for the answer",
        ),
        ("0.012", [A, B, STRONG], ""),
        ("0.02", [A, B, STRONG], ""),
        ("1", [A, B, STRONG], ""),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_more_money_never_makes_it_fail(
    run: Run, wires: ProviderServer, usd: str, asked: list[str], why: str, dry: tuple[str, ...]
) -> None:
    """The strong model is left out where it cannot be paid, and that is said."""
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    rates = {A: "input = 0.1, output = 0.4", B: "input = 0.12, output = 0.3", STRONG: "input = 5.0, output = 15.0"}
    file.write_text("".join(f'[models."{id}"]\nprice = {{ {text} }}\n' for id, text in rates.items()))
    play(wires, a="1", b="2", strong="3")
    outcome = run("cheap_route", MATH, *ROUTE, "--max-cost", usd, "--json", *dry)
    found = document(outcome)
    assert (outcome.code, found["route"]["strong"]) == (0, STRONG if STRONG in asked else None)
    assert found["route"]["why"].startswith(why)
    if not dry:
        assert sorted(step["model"] for step in found["route"]["steps"]) == sorted(asked)
        assert ([why] if why else []) == [line for line in found["warnings"] if "left out" in line]
        assert (f"warning: {why}\n" in outcome.stderr) is bool(why)


def test_too_little_money_names_the_sum_and_the_model(run: Run, wires: ProviderServer) -> None:
    outcome = run("cheap_route", MATH, "-m", A, "-m", B, "--strong", STRONG, "--max-cost", "0.00045")
    assert (outcome.code, wires.requests) == (7, ())
    assert f"{A}: --max-cost 0.00045 leaves less than 256 tokens for the answer" in outcome.stderr


def test_warnings_of_every_step_are_carried(run: Run, wires: ProviderServer) -> None:
    """Of the answer that is given, and of those that it was compared with."""
    play(wires, a="1", b="2", strong="3")
    outcome = run("cheap_route", MATH, *ROUTE, "--check", "agree", "--max-cost", "0.1", "--json")
    limited = [f"the answer of {model} is limited to" for model in (STRONG, A, B)]
    warnings = document(outcome)["warnings"]
    assert [text for line, text in zip(warnings, limited, strict=True) if text in line] == limited
    assert [line in outcome.stderr for line in warnings] == [True] * 3


def test_straight_to_strong(run: Run, wires: ProviderServer) -> None:
    """Two cheap ones that cost more than the strong one save nothing."""
    play(wires, a="1")
    argv = ["-m", STRONG, "-m", B, "--strong", A, "--check", "agree", "--json", "-q"]
    found = document(run("cheap_route", MATH, *argv))
    assert (found["model_requested"], found["route"]["straight_to_strong"], len(wires.requests)) == (A, True, 1)


def test_explained_without_a_socket(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    outcome = run("cheap_route", MATH, *ROUTE, "--explain", "--dry-run")
    assert outcome.code == 0
    assert outcome.stdout.endswith("would be asked first. Nothing was sent.\n")
    assert outcome.stderr.startswith("task: math")
    assert f"-> {A}: about " in outcome.stderr
    found = document(run("cheap_route", MATH, *ROUTE, "--dry-run", "--json", "-q"))
    assert {one["model"] for one in found["route"]["candidates"]} == {A, B}


@pytest.mark.parametrize("baseline", [A, B, STRONG, "openai/other"])
def test_a_baseline_only_measures(run: Run, wires: ProviderServer, baseline: str) -> None:
    route = document(run("cheap_route", MATH, *ROUTE, "--baseline", baseline, "--dry-run", "--json", "-q"))["route"]
    assert ({one["model"] for one in route["candidates"]}, route["baseline"]) == ({A, B}, baseline)


def test_a_dry_run_does_not_pay_for_litellm(run_process: Callable[..., Outcome], tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "OPENAI_API_KEY": "key-of-openai-0123456789"}
    outcome = run_process("cheap_route", MATH, "--explain", "--dry-run", env=env | {"PYTHONVERBOSE": "1"})
    assert outcome.code == 0
    assert "import 'litellm_skill.routing'" in outcome.stderr
    assert "import 'litellm'" not in outcome.stderr


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--task", "magic"], 2, "--task magic: unknown"),
        (["--check", "magic"], 2, "--check magic: unknown"),
        (["--check", "schema"], 2, "has no schema"),
        (["--check", "agree", "--check-cmd", "true"], 2, "one at a time"),
        (["--check-cmd", "'"], 2, "cannot be read"),
        (["--check-cmd", "no-such-program {file}"], 2, "there is no program 'no-such-program' that can be run"),
        (["--check-cmd", "/etc"], 2, "there is no program '/etc' that can be run"),
        (["--check-cmd", "no-such-program", "--dry-run"], 2, "there is no program"),
        (["--needs", "wings"], 2, "--needs wings: unknown"),
        (["--audit", "2"], 2, "not a share"),
        (["-c"], 2, "no conversation"),
    ],
)
def test_bad_input(run: Run, wires: ProviderServer, argv: list[str], code: int, said: str) -> None:
    outcome = run("cheap_route", MATH, *ROUTE, *argv)
    assert (outcome.code, outcome.stdout, wires.requests) == (code, "", ())
    assert said in outcome.stderr


def test_nobody_to_ask(run: Run) -> None:
    outcome = run("cheap_route", MATH)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "no model to choose from" in outcome.stderr


def test_audits_are_counted(run: Run, wires: ProviderServer) -> None:
    assert run("cheap_route", "--audit-report").stderr == "nothing has been routed yet\n"
    play(wires, a="397.8", b="397.8", strong="397.8")
    found = document(run("cheap_route", MATH, *ROUTE, "--audit", "1", "--json", "-q"))
    assert (found["route"]["audit"], found["model_requested"]) == ({"drawn": True, "differs": False}, A)
    assert found["cost_usd"] == pytest.approx(2 * CHEAP_USD + STRONG_USD)
    wires.reply(Reply(text="400", usage=TOKENS), path=PATH[STRONG])
    run("cheap_route", MATH, *ROUTE, "--json", "-q")
    (row,) = document(run("cheap_route", "--audit-report", "--json"))["tasks"]
    assert (row["task"], row["prompts"], row["accepted"], row["audited"], row["differing"]) == ("math", 2, 2, 1, 0)
    assert row["difference_high"] == pytest.approx(0.975)
    assert run("cheap_route", "--audit-report").stdout.startswith(
        "math: 2 routed, 100% accepted; 0 of 1 audited differ"
    )


@pytest.mark.parametrize(
    ("chance", "answers", "asked"), [(0.04, [STRONG, STRONG, A, STRONG], 4), (0.06, [STRONG, STRONG, A, A], 2)]
)
def test_a_share_is_still_audited_once_it_is_proved(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, chance: float, answers: list[str], asked: int
) -> None:
    """And a difference turns it off again."""
    monkeypatch.setattr(random.SystemRandom, "random", lambda _: chance)
    play(wires, a="397.8", b="397.8")
    wires.reply(*(Reply(text=text, usage=TOKENS) for text in ("397.8", "397.8", "400", "400")), path=PATH[STRONG])
    found = [document(run("cheap_route", MATH, *ROUTE, "--max-loss", "0.9", "--json", "-q")) for _ in range(4)]
    assert [one["model_requested"] for one in found] == answers
    assert sum(request.path == PATH[STRONG] for request in wires.requests) == asked


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--retries", "0"], f"{STRONG} did not answer"),
        (["--max-cost", "0.01"], "there is no stronger model to ask"),
    ],
)
def test_what_cannot_be_proved_is_said(run: Run, wires: ProviderServer, flags: list[str], why: str) -> None:
    play(wires, a="397.8", b="397.8", strong=401)
    found = document(run("cheap_route", MATH, *ROUTE, "--max-loss", "0.05", *flags, "--json", "-q"))
    assert (found["status"], found["text"]) == ("ok", "397.8")
    assert f"it is not shown that no more than --max-loss is lost: {why}" in found["warnings"]


@pytest.mark.parametrize(("share", "asked"), [("0", [STRONG]), ("1", [A, B, STRONG])])
def test_what_loses_too_much_is_asked_no_more(run: Run, wires: ProviderServer, share: str, asked: list[str]) -> None:
    """But for the share that is drawn, by which it can come back."""
    play(wires, a="397.8", b="397.8", strong="400")
    strict = [MATH, *ROUTE, "--max-loss", "0.05", "--json", "-q"]
    for _ in range(2):
        run("cheap_route", *strict)
    found = document(run("cheap_route", *strict, "--audit", share))
    assert (found["model_requested"], found["route"]["straight_to_strong"]) == (STRONG, share == "0")
    assert [step["model"] for step in found["route"]["steps"]] == asked
    why = "2 of 2 audited prompts differ, more than --max-loss 0.05 allows"
    assert found["route"]["why"].startswith(why) is (share == "0")


def test_proof_counts_for_the_same_cascade_alone(run: Run, wires: ProviderServer) -> None:
    play(wires, a="397.8", b="397.8", strong="397.8")
    lax = [MATH, "--max-loss", "0.9", "--audit", "0", "--json", "-q"]
    answers = [document(run("cheap_route", *ROUTE, *lax))["model_requested"] for _ in range(3)]
    assert answers == [STRONG, STRONG, A]
    others = [
        ["-m", A, "--strong", STRONG, "--check", "none"],
        ["-m", A, "--strong", STRONG, "--check-cmd", "true"],
        ["-m", A, "--strong", STRONG, "--check-cmd", "grep 3"],
        ["-m", B, "--strong", STRONG, "--check", "none"],
        [*ROUTE, "--task", "extract"],
    ]
    for other in others:
        play(wires, a="397.8", b="397.8", strong="397.8")
        assert document(run("cheap_route", *other, *lax))["model_requested"] == STRONG
    rows = document(run("cheap_route", "--audit-report", "--json"))["tasks"]
    assert sorted(
        (row["task"], len(row["cheap"]), row["check"], row["check_with"] or "", row["drawn"]) for row in rows
    ) == [
        ("extract", 2, "agree", "", 1),
        ("math", 1, "cmd", "grep 3", 1),
        ("math", 1, "cmd", "true", 1),
        ("math", 1, "none", "", 1),
        ("math", 1, "none", "", 1),
        ("math", 2, "agree", "", 2),
    ]
    lines = run("cheap_route", "--audit-report").stdout.splitlines()
    assert lines[1].endswith(f"[{B} + {A}; agree; then {STRONG}]")


def test_nothing_is_relied_on_before_it_is_proved(run: Run, wires: ProviderServer) -> None:
    play(wires, a="397.8", b="397.8", strong="400")
    found = document(run("cheap_route", MATH, *ROUTE, "--max-loss", "0.05", "--json", "-q"))
    assert (found["model_requested"], found["text"]) == (STRONG, "400")
    assert found["route"]["audit"] == {"drawn": True, "differs": True}


def test_the_answer_can_be_read_again(run: Run, wires: ProviderServer) -> None:
    play(wires, a="397.8", b="397.8")
    outcome = run("cheap_route", MATH, *ROUTE)
    assert outcome.stdout == "397.8\n"
    assert outcome.stderr.startswith("route: math; ")
    assert run("call_model", "--result", "last").stdout == "397.8\n"
    assert "litellm" in sys.modules
