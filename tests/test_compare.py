"""Several models side by side, as users type it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import KEYS, Outcome
from provider_server import ProviderServer, Reply, Usage

Run = Callable[..., Outcome]
NAMES = ["openai/test-model", "anthropic/claude-test", "gemini/gemini-test"]
ALL = [part for name in NAMES for part in ("-m", name)]
CHAT, MESSAGES, GEMINI = "/v1/chat/completions", "/v1/messages", "/v1beta/models/gemini-test:generateContent"


def document(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outcome.stdout)
    assert next(iter(found)) == "status"
    return found


def test_all_answer(run: Run, wires: ProviderServer) -> None:
    for path, text in ((CHAT, "one"), (MESSAGES, "two"), (GEMINI, "three")):
        wires.reply(Reply(text=text), path=path)
    outcome = run("compare_models", "which?", *ALL, "--json")
    found = document(outcome)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert (found["status"], found["asked"], found["answered"], found["missing"]) == ("ok", 3, 3, [])
    assert [(one["label"], one["text"]) for one in found["answers"]] == list(
        zip(NAMES, ["one", "two", "three"], strict=True)
    )
    assert (found["judge"], found["ranking"], found["synthesis"], found["cost_usd"]) == (None, None, None, None)
    assert [Path(one["result_file"]).read_text() for one in found["answers"]] == ["one", "two", "three"]
    assert "## gemini/gemini-test" in Path(found["result_file"]).read_text()
    again = run("call_model", "--result", found["run_id"], "--json")
    assert (again.code, document(again)) == (0, found)


def test_as_text(run: Run, wires: ProviderServer) -> None:
    wires.default = Reply(text="an answer\x1b[2J")
    outcome = run("compare_models", "which?", *ALL[:4])
    head, *rest = outcome.stdout.splitlines()
    assert (outcome.code, outcome.stderr) == (0, "")
    assert re.fullmatch(r"asked 2, answered 2; cost unknown, at least 0 USD; \d+\.\d s", head)
    assert [line for line in rest if line.startswith("## ")] == [f"## {name}" for name in NAMES[:2]]
    assert outcome.stdout.count("an answer\\x1b[2J") == 2


def test_who_did_not_answer(run: Run, wires: ProviderServer) -> None:
    """A hanging, a refusing and an empty one beside two good ones."""
    wires.reply(Reply(text="good"), Reply(status=401), Reply(text=""), path=CHAT)
    wires.reply(Reply(text="good", delay_s=0.5), path=MESSAGES)
    wires.reply(Reply(text="late", delay_s=15), path=GEMINI)
    argv = ["-m", "openai/a", *ALL[2:], "-m", "openai/b", "-m", "openai/c"]
    flags = ["--timeout", "8", "--idle-timeout", "6", "--retries", "0", "-j", "1"]
    outcome = run("compare_models", "which?", *argv, *flags, "--json")
    found = document(outcome)
    assert (outcome.code, found["status"], found["asked"], found["answered"]) == (0, "partial", 5, 2)
    assert {one["model"]: one["error"]["type"] for one in found["missing"]} == {
        "gemini/gemini-test": "deadline_passed",
        "openai/b": "not_set_up",
        "openai/c": "incomplete_answer",
    }


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["-m", "openai/gpt-0-none"], 0, "only one model answered"),
        (["-m", "mistral/nobody"], 0, "no key for mistral"),
        (["--rubric", "short"], 2, "--rubric is for a judge"),
        (["-c"], 2, "no conversation"),
        (["--html", "absent/page.html"], 2, "no such folder"),
        (["--repeat", "0"], 2, "positive whole number"),
        (["--max-cost", "1"], 7, "price of openai/test-model is unknown"),
    ],
)
def test_odd_input(run: Run, wires: ProviderServer, argv: list[str], code: int, said: str) -> None:
    names = [] if "-m" in argv and "mistral/nobody" not in argv else ["-m", NAMES[0]]
    outcome = run("compare_models", "hi", *names, *argv)
    assert outcome.code == code
    assert said in outcome.stdout + outcome.stderr


def test_all_fail_alike(run: Run, wires: ProviderServer) -> None:
    wires.default = Reply(status=401)
    outcome = run("compare_models", "hi", *ALL, "--json")
    assert (outcome.code, document(outcome)["status"], len(document(outcome)["missing"])) == (3, "error", 3)
    assert outcome.stderr.startswith("error: ")


def test_repeats_are_told_apart(run: Run, wires: ProviderServer) -> None:
    found = document(run("compare_models", "hi", *ALL[:4], "--repeat", "2", "--json"))
    labels = [one["label"] for one in found["answers"]]
    assert labels == [NAMES[0], f"{NAMES[0]}#2", NAMES[1], f"{NAMES[1]}#2"]
    assert len({one["result_file"] for one in found["answers"]}) == 4


def test_nothing_is_sent_by_a_dry_run(run: Run, wires: ProviderServer) -> None:
    outcome = run("compare_models", "hi", *ALL, "--dry-run", "--json")
    assert (outcome.code, len(document(outcome)["models"]), wires.requests) == (0, 3, ())
    assert document(outcome)["likely_usd"] is None  # of models without a price
    assert document(outcome)["not_in_the_sum"] == []
    outcome = run("compare_models", "hi", "--demo", "--dry-run")
    assert outcome.stdout.endswith("\ntogether  likely 0 USD, at most 0 USD\nNothing was sent.\n")
    judged = ("--judge", "openai/judge", "--council")
    outcome = run("compare_models", "hi", *ALL, *judged, "--dry-run")
    later = [
        f"then      {flag}: reads the answers, and is not in the sum\n"
        for flag in ("--judge openai/judge", "--council")
    ]
    assert outcome.stdout.endswith("".join([*later, "Nothing was sent.\n"]))
    assert wires.requests == ()


def test_under_an_agent(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    wires.default = Reply(text="word " * 4000)
    outcome = run("compare_models", "hi", *ALL[:4])
    assert outcome.code == 0
    assert len(outcome.stdout) < 8_000
    path = re.search(r"full answer: (.*)\n$", outcome.stdout)
    assert path
    assert Path(path[1]).read_text().count("word") == 8_000
    assert outcome.stdout.count("of 19,999 characters") == 2


def test_pages_are_written(run: Run, wires: ProviderServer) -> None:
    wires.default = Reply(text="**bold** <script>alert(1)</script>")
    outcome = run("compare_models", "hi", *ALL, "--html", "page.html", "--md", "page.md", "--out", "all.txt")
    page = Path("page.html").read_text()
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "<strong>bold</strong>" in page
    assert "<script>alert" not in page
    assert "openai/test-model" in Path("page.md").read_text()
    assert Path("all.txt").read_text() == outcome.stdout
    assert run("compare_models", "hi", *ALL, "--html", "page.html").code == 2


# --- judges, as scripts


def test_an_unusable_judge_is_missing(run: Run, wires: ProviderServer) -> None:
    wires.default = Reply(text="no JSON", usage=Usage())
    argv = ["--judge", "openai/judge", "--council", "--synthesize", "openai/merge"]
    found = document(run("compare_models", "hi", *ALL, *argv, "--json"))
    assert (found["status"], found["answered"]) == ("ok", 3)
    for part in ("judge", "ranking", "synthesis"):
        assert "does not fit the schema" in found[part]["error"]["message"]
    assert found["judge"]["rounds"] == 0


def test_a_council_says_how_far_it_can_be_trusted(run: Run, wires: ProviderServer) -> None:
    """One judge takes whatever comes first; the two others send no ballot."""
    wires.default = Reply(text="no JSON")
    wires.reply(Reply(text="one"), Reply(text='{"reason": "first", "ranking": [["A"], ["B"]]}'), path=CHAT)
    outcome = run("compare_models", "hi", *ALL, "--council")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "\n1 of 1 put first what they saw first; by chance alone 0.5 would\n" in outcome.stdout
    for name in NAMES[1:]:
        assert f"\nnot counted: {name}: the reply does not fit the schema" in outcome.stdout


def test_a_synthesis(run: Run, wires: ProviderServer) -> None:
    merged = {
        "answer": "both say yes",
        "consensus": [{"point": "yes", "letters": ["A", "B"]}],
        "contradictions": [],
        "only_one": [{"point": "quickly", "letter": "A"}],
        "not_covered": ["cost"],
    }
    wires.reply(Reply(text="yes"), Reply(text=json.dumps(merged)), path=CHAT)
    wires.reply(Reply(text="yes, quickly"), path=MESSAGES)
    found = document(run("compare_models", "hi", *ALL[:4], "--synthesize", NAMES[0], "--sequential", "--json"))
    assert found["synthesis"]["answer"] == "both say yes"
    assert sorted(found["synthesis"]["consensus"][0]["models"]) == sorted(NAMES[:2])
    asked = json.dumps(wires.requests[-1].body)
    assert "claude-test" not in asked


def test_a_key_in_what_a_judge_says_is_shown_and_kept_nowhere(run: Run, wires: ProviderServer) -> None:
    key = KEYS["OPENAI_API_KEY"]
    merged = {
        "answer": f"both say {key}",
        "consensus": [{"point": f"the key is {key}", "letters": ["A", "B"]}],
        "contradictions": [],
        "only_one": [{"point": f"quickly, with {key}", "letter": "A"}],
        "not_covered": [f"whose {key} is"],
    }
    wires.reply(Reply(text="yes"), Reply(text=json.dumps(merged)), path=CHAT)
    wires.reply(Reply(text="yes, quickly"), path=MESSAGES)
    argv = ["--synthesize", NAMES[0], "--sequential", "--html", "page.html", "--json"]
    outcome = run("compare_models", "hi", *ALL[:4], *argv)
    assert document(outcome)["synthesis"]["only_one"][0]["point"] == "quickly, with [key]"
    kept = [path.read_bytes() for path in Path(os.environ["XDG_STATE_HOME"]).rglob("*") if path.is_file()]
    assert len(kept) > 1
    assert key.encode() not in b"".join([outcome.stdout.encode(), Path("page.html").read_bytes(), *kept])


JUDGING = ("--judge", "openai/judge", "--synthesize", "openai/merge")
SLOW = Reply(text="so slow", pieces=("so", " slow"), piece_delay_s=15)


def test_an_interrupt_while_they_are_judged(interrupted: Callable[..., Outcome], wires: ProviderServer) -> None:
    """What was paid is shown, and nothing more is asked."""
    wires.reply(Reply(text="one"), SLOW, path=CHAT)
    wires.reply(Reply(text="two"), path=MESSAGES)
    wires.default = SLOW
    outcome = interrupted("compare_models", "hi", *ALL[:4], *JUDGING, "--json", after=3)
    found = document(outcome)
    assert (outcome.code, found["status"], found["error"]["type"]) == (130, "partial", "interrupted")
    assert outcome.stderr == "error: interrupted\nnext: ask again\n"
    assert sorted(answer["text"] for answer in found["answers"]) == ["one", "two"]
    assert {found[part]["error"]["type"] for part in ("judge", "synthesis")} == {"interrupted"}
    assert "openai/merge" not in json.dumps([request.body for request in wires.requests])


@pytest.mark.parametrize("flags", [("--judge", "nobody-has-this"), ("--synthesize", "openrouter/one")])
def test_a_judge_who_cannot_be_asked_is_found_out_first(
    run: Run, wires: ProviderServer, flags: tuple[str, str]
) -> None:
    outcome = run("compare_models", "hi", *ALL, *flags)
    assert (outcome.code in (3, 4), outcome.stdout, wires.requests) == (True, "", ())
    assert outcome.stderr.count("\n") == 2


PRICE = "price = { input = 1, output = 100 }\nmax_output = 2000\ncontext = 100000\n"


def sent_limits(wires: ProviderServer) -> dict[str, list[int]]:
    """The output limits that were sent, by model."""
    limits: dict[str, list[int]] = {}
    for body in (request.body for request in wires.requests):
        limits.setdefault(body["model"], []).append(body.get("max_tokens") or body["max_completion_tokens"])
    return limits


def test_judges_share_what_the_answers_leave(run: Run, wires: ProviderServer) -> None:
    names = ["openai/test-model", "anthropic/claude-test", "openai/judge", "openai/merge"]
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    file.parent.mkdir()
    file.write_text("".join(f'[models."{name}"]\n{PRICE}' for name in names))
    wires.default = Reply(text="yes", usage=Usage(input=100, output=100))
    outcome = run("compare_models", "hi", *ALL[:4], *JUDGING, "--max-cost", "0.3", "--retries", "0", "--json")
    assert outcome.code == 0
    limits = sent_limits(wires)
    left = 0.3 - 2 * 0.0101
    assert max(limits["judge"]) * 100e-6 <= left / 2 / 2  # two parts; both orders of the two answers
    assert max(limits["merge"]) * 100e-6 <= left


def test_judges_are_held_to_the_budget(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two answers of 0.0101 USD are affordable; a judgement on top is not."""
    names = ["openai/test-model", "anthropic/claude-test", "openai/judge", "openai/merge"]
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    file.parent.mkdir()
    file.write_text("".join(f'[models."{name}"]\n{PRICE}' for name in names))
    monkeypatch.setenv("LITELLM_SKILL_BUDGET_USD_DAY", "0.405")
    wires.default = Reply(text="yes", usage=Usage(input=100, output=2000))
    outcome = run("compare_models", "hi", *ALL[:4], *JUDGING, "--retries", "0", "--json")
    found = document(outcome)
    assert (outcome.code, found["answered"], len(wires.requests)) == (0, 2, 2)
    assert found["judge"]["error"]["type"] == found["synthesis"]["error"]["type"] == "limit_reached"
    spent = json.loads(run("call_model", "--list-results", "--json").stdout)["spent_today_usd"]
    assert spent == pytest.approx(2 * (100e-6 + 0.2))


def test_a_council_of_two_is_none(run: Run, wires: ProviderServer) -> None:
    outcome = run("compare_models", "hi", *ALL[:4], "--council")
    assert (outcome.code, wires.requests) == (2, ())
    assert "a council takes three models" in outcome.stderr
