"""What kind of work a prompt asks for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from litellm_skill import tasks

LABELLED = Path(__file__).parent / "data" / "task_prompts.jsonl"
PROMPTS = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]


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


@pytest.mark.parametrize(
    ("prompt", "kind", "comparable"),
    [
        ("", "simple", False),
        (" \n", "simple", False),
        ("What is 12 * 7?", "math", True),
        ("Prove that $n^2 \\ge n$ for every integer $n$.", "reasoning", False),
        ("Explain this code.\n\n```python\nprint(1)\n```", "code-reading", False),
        ("What does this print?\n\n```python\nprint(1)\n```", "code-reading", True),
        ("echo $HOME/$USER in a loop: fix it\n\nfor f in *; do echo $f; done", "code", False),
        ("Where is the river? " + "It is far away and nobody has seen it. " * 30, "reasoning", False),
        ("word " * 100_000 + "\nSummarise the text above.", "summarise", False),
        ("\\boxed{" * 50_000, "math", True),
        ("A" * 200_000, "reasoning", False),
        ("\n" * 5_000, "reasoning", False),
        (" \n" * 5_000, "reasoning", False),
    ],
)
def test_ends_and_odd_ones(prompt: str, kind: str, comparable: bool) -> None:
    task = tasks.of(prompt)
    assert (task.name, task.comparable) == (kind, comparable)
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
