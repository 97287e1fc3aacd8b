"""What kind of work a prompt asks for."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path

import pytest
from litellm_skill import task_features, tasks

DATA = Path(__file__).parent / "data"
PROMPTS = [json.loads(line) for line in (DATA / "task_prompts.jsonl").read_text(encoding="utf-8").splitlines()]
BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "task_types.py"
FLOOR = 0.9  # of all prompts of an author whose prompts were left out of the fit; .920 to .973 was seen
CODE_FLOOR = 0.92  # of those that ask for code, or about it, by one author; .950 to 1 was seen
ALL_FLOOR = 0.95  # of them by all authors; code .967, code-reading .981 was seen


def test_the_labelled_prompts_are_many_and_of_every_kind() -> None:
    kinds = Counter(row["task"] for row in PROMPTS)
    assert set(kinds) == set(tasks.NAMES)
    assert min(kinds.values()) >= 20
    assert len({row["prompt"] for row in PROMPTS}) == len(PROMPTS) >= 300
    assert sum(any("\u4e00" <= character <= "\u9fff" for character in row["prompt"]) for row in PROMPTS) >= 100


@pytest.mark.parametrize("kind", tasks.NAMES)
def test_labelled_prompts_are_told(kind: str) -> None:
    called = {row["prompt"]: tasks.of(row["prompt"]).name for row in PROMPTS if row["task"] == kind}
    wrong = {prompt: name for prompt, name in called.items() if name != kind}
    assert len(wrong) <= 0.05 * len(called), wrong


def test_prompts_of_an_author_who_was_left_out_are_told() -> None:
    spec = importlib.util.spec_from_file_location("task_types", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    more = [row for path in benchmark.MORE for row in benchmark.examples(path)]
    told = benchmark.left_out(more)
    assert len(told) == 6
    for author, kinds in told.items():
        right, every = (sum(counts) for counts in zip(*kinds.values(), strict=True))
        assert right >= FLOOR * every >= FLOOR * 150, author
        for kind in ("code", "code-reading"):
            right, every = kinds[kind]
            assert right >= CODE_FLOOR * every >= CODE_FLOOR * 40, (author, kind)
    for kind in ("code", "code-reading"):
        right, every = (sum(counts) for counts in zip(*(kinds[kind] for kinds in told.values()), strict=True))
        assert right >= ALL_FLOOR * every, kind


def test_the_weights_are_for_the_kinds_there_are() -> None:
    weights = json.loads(tasks.WEIGHTS.read_text(encoding="utf-8"))
    assert {len(row.split()) for row in weights.values()} == {len(tasks.NAMES)}
    seen = {name for row in PROMPTS for name in task_features.of(task_features.see(row["prompt"]))}
    assert len(seen & weights.keys()) > 0.1 * len(weights)  # the names of features are those that were fitted


def test_the_reason_names_what_was_seen_and_the_next_kind() -> None:
    why = tasks.of("Fix this test:\n\ndef test_a():\n    assert 1 == 2").why
    assert "change" in why
    assert why.endswith("(rather than code-reading)")


@pytest.mark.parametrize(
    ("prompt", "kind", "comparable"),
    [
        ("", "simple", False),
        (" \n", "simple", False),
        ("What is 12 * 7?", "math", True),
        ("Prove that $n^2 \\ge n$ for every integer $n$.", "reasoning", False),
        ("Explain this code.\n\n```python\nprint(1)\n```", "code-reading", False),
        ("What does this print?\n\n```python\nprint(1)\n```", "code-reading", True),
        ("class Box:\n    def __len__(self):\n        return 0\n\nprint(bool(Box()))  # predict", "code-reading", True),
        ("Is this lock safe?\n\nwith a:\n    with b:\n        run()", "code-reading", False),
        ("Is this lock safe? If not, fix it.\n\nwith a:\n    with b:\n        run()", "code", False),
        ("FROM base\nRUN pip install -r all.txt\n\nWhy is this slow to build?", "code-reading", False),
        ("echo $HOME/$USER in a loop: fix it\n\nfor f in *; do echo $f; done", "code", False),
        ("word " * 100_000 + "\nSummarise the text above.", "summarise", False),
        ("\n" * 5_000, "simple", False),
        (" \n" * 5_000, "simple", False),
    ],
)
def test_ends_and_odd_ones(prompt: str, kind: str, comparable: bool) -> None:
    task = tasks.of(prompt)
    assert (task.name, task.comparable) == (kind, comparable)
    assert task.why


@pytest.mark.parametrize("text", ["A", "\\boxed{", "a_", "(", "1 A. ", "word ", "select ", "[asy]", "```"])
def test_any_text_is_called_something(text: str) -> None:
    task = tasks.of(text * 50_000)
    assert task.name in tasks.NAMES
    assert task.why


@pytest.mark.parametrize(
    ("prompt", "kind", "comparable"),
    [
        ("What is 12 * 7?", "writing", False),
        ("Prove it", "math", False),
        ("anything", "math", True),
        ("anything", "choice", True),
        ("Explain print(1)", "code-reading", False),
    ],
)
def test_the_user_may_say_what_it_is(prompt: str, kind: str, comparable: bool) -> None:
    assert tasks.of(prompt, kind) == tasks.Task(kind, comparable, "as told")
