"""benchmarks/routing.py on recorded answers made up here."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = "../benchmarks/routing"
KEYS = [
    "n",
    "cheap",
    "strong",
    "accuracy",
    "strong_accuracy",
    "cost_ratio",
    "escalated",
    "apgr",
    "cpt50",
    "cpt80",
    "cpt95",
]
PRICES = {"gpt-a": [1, 1], "claude-b": [2, 2], "grok-s": [100, 100]}


def record(ok: float, answer: str | None, tokens: int = 100) -> dict[str, Any]:
    return {"ok": ok, "ans": answer, "in": tokens, "out": tokens}


def row(number: int, first: str | None, second: str | None, strong: str, task: str = "gsm") -> dict[str, Any]:
    """The right answer is 7."""
    answers = {"gpt-a": first, "claude-b": second, "grok-s": strong}
    models = {name: record(float(answer in ("7", "7.0")), answer) for name, answer in answers.items()}
    prompt = f"Ann has {number} apples and eats 3 of them, then buys 2. How many apples has she?"
    return {"id": str(number), "task": task, "src": "made up", "prompt": prompt, "m": models}


# Of 10: 5 agree and are right, 1 agrees and is wrong, 3 disagree, 1 cannot be read. The strong one errs once.
ROWS = [
    *(row(number, "7", "7.0", "7") for number in range(5)),
    row(5, "6", "6", "7"),
    *(row(number, "5", "7", "7") for number in (6, 7)),
    row(8, "7", "4", "1"),
    row(9, None, "7", "7"),
]


@pytest.fixture
def bench(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    def call(
        rows: list[Any], *flags: str, cheap: tuple[str, ...] = ("gpt-a", "claude-b"), strong: str = "grok-s"
    ) -> Any:
        data, prices = tmp_path / "data.jsonl.gz", tmp_path / "prices.json"
        with gzip.open(data, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        prices.write_text(json.dumps(PRICES), encoding="utf-8")
        chosen = [flag for name in cheap for flag in ("--cheap", name)]
        return run(SCRIPT, str(data), "--prices", str(prices), *chosen, "--strong", strong, *flags)

    return call


def report(outcome: Any) -> dict[str, Any]:
    assert (outcome.code, outcome.stderr) == (0, "")
    return json.loads(outcome.stdout)


def test_the_figures(bench: Callable[..., Any]) -> None:
    found = report(bench(ROWS, "--json"))
    assert [key for key in found if key in KEYS] == KEYS
    assert (found["n"], found["cheap"], found["strong"]) == (10, ["gpt-a", "claude-b"], "grok-s")
    assert found["accuracy"] == pytest.approx(0.8)  # 5 agreed upon, 3 of the 4 escalated
    assert (found["weak_accuracy"], found["strong_accuracy"]) == (pytest.approx(0.6), pytest.approx(0.9))
    assert found["escalated"] == pytest.approx(0.4)
    assert found["cost_ratio"] == pytest.approx(0.03 + 0.4)  # every cheap call is paid
    # PGR by share: the unreadable one 1/3, the three that disagree 1/3 more, the rest evenly 1/3.
    assert found["apgr"] == pytest.approx(0.1 / 6 + 0.3 * (1 / 3 + 2 / 3) / 2 + 0.6 * (2 / 3 + 1) / 2)
    assert found["cpt50"] == pytest.approx(0.1 + 0.3 / 2)
    assert found["cpt80"] == pytest.approx(0.4 + 0.6 * (0.8 - 2 / 3) * 3)
    assert found["checks"] == {"agree": 10}
    assert found["task_type"] == {"math": 1.0}
    assert found["ci95"]["accuracy"][0] < 0.8 < found["ci95"]["accuracy"][1] <= 1


def test_what_it_is_measured_beside(bench: Callable[..., Any]) -> None:
    found = report(bench(ROWS, "--json"))["baselines"]
    assert set(found) == {"always_cheap", "always_strong", "random", "length", "oracle", "litellm_v1", "litellm_v2"}
    assert all(set(figures) == {"apgr", "accuracy", "cost_ratio"} for figures in found.values())
    assert found["always_cheap"] == {"apgr": 0.5, "accuracy": pytest.approx(0.6), "cost_ratio": pytest.approx(0.01)}
    assert found["always_strong"] == {"apgr": 0.5, "accuracy": pytest.approx(0.9), "cost_ratio": pytest.approx(1)}
    assert found["random"]["cost_ratio"] == pytest.approx(0.43)
    assert found["random"]["accuracy"] == pytest.approx(0.6 + 0.3 * (0.43 - 0.01) / 0.99)
    assert found["oracle"]["accuracy"] == pytest.approx(1.0)
    assert found["oracle"]["cost_ratio"] == pytest.approx(0.4 + 0.6 * 0.01)


def test_text_for_people(bench: Callable[..., Any]) -> None:
    outcome = bench(ROWS, "--max-loss", "0.5")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "10 prompts: gpt-a + claude-b -> grok-s" in outcome.stdout
    assert "cascade                0.800       0.430" in outcome.stdout
    assert "audit: max_loss 0.5, draws 200" in outcome.stdout


def test_rows_of_the_same_question_are_joined(bench: Callable[..., Any]) -> None:
    apart = []
    for whole in ROWS:
        for name in whole["m"]:
            spaced = whole["prompt"].replace(" eats ", "  eats ")
            apart.append(
                {**whole, "prompt": spaced if name == "claude-b" else whole["prompt"], "m": {name: whole["m"][name]}}
            )
    outcome = bench(apart, "--json")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: no row has an answer of every model\nnext: try --join-prompts")
    assert report(bench(apart, "--json", "--join-prompts"))["n"] == 10


def test_only_some_tasks(bench: Callable[..., Any]) -> None:
    rows = [*ROWS, row(20, "1", "1", "7", task="mmlu/history")]
    assert report(bench(rows, "--json", "--task", "gsm"))["n"] == 10
    found = report(bench(rows, "--json", "--task", "gsm", "--task", "mmlu/"))
    assert (found["n"], found["task_type"]) == (11, {"math": 1.0, "choice": 0.0})


def test_answers_that_were_not_recorded_are_not_compared(bench: Callable[..., Any]) -> None:
    rows = [
        {**one, "m": {name: {key: made[key] for key in ("ok", "in", "out")} for name, made in one["m"].items()}}
        for one in ROWS
    ]
    found = report(bench(rows, "--json", "--max-loss", "0.1"))
    assert (found["escalated"], found["checks"], found["audit"]) == (0.0, {"not recorded": 10}, None)
    assert found["apgr"] == pytest.approx(0.5)


def test_a_cascade_that_costs_more_is_not_gone_through(bench: Callable[..., Any]) -> None:
    found = report(bench(ROWS, "--json", cheap=("grok-s",), strong="gpt-a"))
    assert (found["checks"], found["escalated"]) == ({"straight": 10}, 1.0)
    assert found["cost_ratio"] == pytest.approx(1)
    assert (found["apgr"], found["cpt80"]) == (None, None)  # the strong one is no better


@pytest.mark.parametrize(
    ("max_loss", "exceeded", "on"),
    [(0.02, 0.0, 0.0), (0.2, 0.0, 1.0)],
)
def test_the_guard(bench: Callable[..., Any], max_loss: float, exceeded: float, on: float) -> None:
    rows = [{**one, "prompt": f"{one['prompt']} ({copy})"} for copy in range(60) for one in ROWS]
    found = report(bench(rows, "--json", "--max-loss", str(max_loss)))["audit"]
    assert found["true_loss"] == pytest.approx(0.1)
    assert (found["draws"], found["exceeded"], found["ever_on"]) == (200, exceeded, on)


@pytest.mark.parametrize(
    ("rows", "flags", "what"),
    [
        ([{"prompt": "x"}], ("--task", "gsm"), "KeyError('task')"),
        ([["x"]], ("--task", "gsm"), "TypeError"),
        (ROWS, ("--cheap", "unpriced"), "no price for unpriced"),
        ([], (), "no row has an answer of every model"),
    ],
)
def test_wrong_input_is_named(bench: Callable[..., Any], rows: list[Any], flags: tuple[str, ...], what: str) -> None:
    outcome = bench(rows, *flags)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert what in outcome.stderr
    assert outcome.stderr.count("\n") == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-12], lambda data: data[:12] + b"\xff" * 8 + data[20:]])
def test_a_damaged_file(run: Callable[..., Any], tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    data, prices = tmp_path / "data.jsonl.gz", tmp_path / "prices.json"
    whole = gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode(), mtime=0)
    data.write_bytes(damage(whole))
    prices.write_text(json.dumps(PRICES), encoding="utf-8")
    outcome = run(SCRIPT, str(data), "--prices", str(prices), "--cheap", "gpt-a", "--strong", "grok-s")
    assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (2, "", 2)
    assert f"error: {data}: " in outcome.stderr
    assert "next: the file is damaged" in outcome.stderr


def test_files_that_are_not_there_or_no_json(run: Callable[..., Any], tmp_path: Path) -> None:
    flags = ("--cheap", "gpt-a", "--strong", "grok-s")
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text("{}", encoding="utf-8")
    bad.write_text("{", encoding="utf-8")
    for data, prices in ((tmp_path / "none", good), (good, bad), (bad, good)):
        outcome = run(SCRIPT, str(data), "--prices", str(prices), *flags)
        assert (outcome.code, outcome.stdout) == (2, "")
        assert outcome.stderr.startswith("error: ")
