"""Answers against what was expected, and the intervals of their shares."""

from __future__ import annotations

import pytest
from litellm_skill import scoring
from litellm_skill.faults import BadInput


@pytest.mark.parametrize(
    ("kind", "text", "expected", "right"),
    [
        ("exact", " Paris\n", "Paris", True),
        ("exact", "paris", "Paris", False),
        ("contains", "It is  PARIS,\nof course", "paris, of", True),
        ("contains", "Lyon", "Paris", False),
        ("regex", "the year 1984", r"\b19\d\d\b", True),
        ("regex", "the year 2084", r"\b19\d\d\b", False),
        ("numeric", "3 + 4 = 7", "7", True),
        ("numeric", "7, not 8", "7", False),
        ("numeric", "about $1,234.50 in all.", "1234.5", True),
        ("numeric", "-0.5", "−.5", True),
        ("numeric", "6.02e23", "602000000000000000000000", True),
        ("numeric", "0.33333333", "0.3333333333", True),
        ("numeric", "0.333", "0.3333333333", False),
        ("numeric", "none", "0", False),
    ],
)
def test_scores(kind: str, text: str, expected: str, right: bool) -> None:
    scoring.check(kind, expected)
    assert scoring.SCORERS[kind](text, expected) is right


@pytest.mark.parametrize(("kind", "expected"), [("regex", "("), ("numeric", "seven"), ("numeric", "1 or 2")])
def test_what_no_answer_could_meet_is_refused(kind: str, expected: str) -> None:
    with pytest.raises(BadInput):
        scoring.check(kind, expected)


@pytest.mark.parametrize(
    ("text", "found"),
    [("a1 b2", []), ("3-4", [3.0, 4.0]), ("1,2,3", [1.0, 2.0, 3.0]), ("12,345,678.9", [12345678.9]), ("5.", [5.0])],
)
def test_numbers(text: str, found: list[float]) -> None:
    assert scoring.numbers(text) == found


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # By the formula of Wilson (1927), as in Newcombe, Statistics in Medicine 17 (1998), table I: 81/263, 15/148, 0/20.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0)],
)
def test_intervals(successes: int, trials: int, low: float, high: float) -> None:
    assert scoring.interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_without_trials_nothing_is_known() -> None:
    assert scoring.interval(0, 0) is None


def test_a_pattern_that_never_ends_is_stopped() -> None:
    assert scoring.regex("a" * 40 + "!", "^(a+)+$") is None
