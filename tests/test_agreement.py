"""Short answers: how they are read in a reply, and when two are the same."""

from __future__ import annotations

import pytest
from litellm_skill import agreement


def text_of(task: str, reply: str) -> str | None:
    answer = agreement.read(task, reply)
    return None if answer is None else str(answer.value)


@pytest.mark.parametrize(
    ("task", "reply", "value"),
    [
        ("math", "12 + 3 = 15, so she has 15 eggs.\n\n#### 15", "15"),
        ("math", "The answer is $\\boxed{\\frac{3}{4}}$.", "3/4"),
        ("math", "the answer is \\(\\boxed{2\\pi}\\)", "2\\pi"),
        ("math", "Therefore, she has **$1,234.50** left.", "2469/2"),
        ("math", "The answer is 1, 2, 3", "1,2,3"),
        ("math", "Answer: x = 2, y = 3", "x=2,y=3"),
        ("math", "the answer is 1.5^2", "1.5^2"),
        ("math", "First 7 of 9.\nThat leaves 42 apples.", "42"),
        ("math", "最终答案：18 元", "18"),
        ("math", "答案是 18 元。", "18"),
        ("math", "I do not know", None),
        ("math", " \n", None),
        ("choice", "B", "B"),
        ("choice", "(b)", "B"),
        ("choice", "The correct answer is **B. 1989**", "B"),
        ("choice", "It is hot.\n\nAnswer: D", "D"),
        ("choice", "答案：C", "C"),
        ("choice", "选B，因为", "B"),
        ("choice", "A, C", "('A', 'C')"),
        ("choice", "CA", "('A', 'C')"),
        ("choice", "True", "true"),
        ("choice", "Yes, because it always has been so and there is nothing more to say about the matter.", "yes"),
        ("choice", "It depends on many things, so that no option can be chosen with any certainty at all.", None),
        ("code-reading", "The output is `HELLO`", "HELLO"),
        ("code-reading", "'hello'", "hello"),
        ("code-reading", "It prints:\n\n```\n4\n```", "4"),
        (
            "code-reading",
            "x is 4 since y is another name of it.\nThat is because of how Python binds `y` and " * 4,
            None,
        ),
        ("extract", "Sentiment: Positive", "positive"),
        ("extract", "- a@b.c\n- d@e.f", "('a@b.c', 'd@e.f')"),
        ("extract", "The text says a lot of things. " * 20, None),
    ],
)
def test_a_short_answer_is_read(task: str, reply: str, value: str | None) -> None:
    assert text_of(task, reply) == value


@pytest.mark.parametrize(
    ("task", "first", "second", "same"),
    [
        ("math", "#### 3.0", "The answer is 3.", True),
        ("math", "\\boxed{0.75}", "\\boxed{\\frac34} = 3/4", False),
        ("math", "The answer is 3/4.", "The answer is 0.75", True),
        ("math", "the answer is 1/3", "the answer is 0.333", False),
        ("math", "The answer is -5", "The answer is 5", False),
        ("choice", "(C) because", "Answer: C", True),
        ("choice", "True", "true.", True),
        ("extract", '{"a": 1, "B": "X  y"}', 'Here:\n```json\n{"b": "x Y", "a": 1.0}\n```', True),
        ("extract", '{"a": [1, 2]}', '{"a": [2, 1]}', False),
        ("extract", '{"a": true}', '{"a": 1}', False),
        ("extract", '{"a": null}', '{"a": "none"}', False),
        ("extract", "Positive", "positive.", True),
        ("code-reading", "`HELLO`", "`hello`", False),
        ("code-reading", "[1, 2]", "[1,2]", True),
        ("code-reading", "[1, 2]", "(1, 2)", False),
        ("code-reading", "True", "true", True),
    ],
)
def test_two_answers_are_compared_by_value(task: str, first: str, second: str, same: bool) -> None:
    one, other = agreement.read(task, first), agreement.read(task, second)
    assert one is not None
    assert other is not None
    assert agreement.same(one, other) is same


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [("260", "260.0", True), ("E", "e", True), ("infinity", "3", False), ("1e400", "1e401", False), ("'a'", "a", True)],
)
def test_answers_that_stand_alone(first: str, second: str, same: bool) -> None:
    one, other = agreement.stated(first), agreement.stated(second)
    assert one is not None
    assert other is not None
    assert agreement.same(one, other) is same


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_answer_is_none(nothing: str | None) -> None:
    assert agreement.stated(nothing) is None


@pytest.mark.parametrize(
    "hostile",
    [
        "[" * 10_000,
        '{"a":' * 5_000,
        "\\boxed{" * 5_000,
        "9" * 50_000,
        "answer is " * 5_000,
        "```\n" * 5_000,
        "1/0",
        "((" * 9_000,
    ],
)
@pytest.mark.parametrize("task", ["math", "choice", "extract", "code-reading"])
def test_hostile_replies_are_read_or_not_but_nothing_breaks(task: str, hostile: str) -> None:
    answer = agreement.read(task, hostile)
    assert answer is None or agreement.same(answer, answer)
