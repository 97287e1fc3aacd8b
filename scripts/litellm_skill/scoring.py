"""Answers against what was expected of them, and what the scores of many come to."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator

from litellm_skill import worker
from litellm_skill.faults import BadInput

Z95 = 1.959963984540054  # of the normal distribution: 95 % lie within
TOLERANCE = 1e-6  # relative
SCORED_CHARACTERS = 100_000  # of an answer
PATTERN_S = 3.0  # most of it to start a process
NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?<=\d)(?:[eE][-+]?\d+)?")


def exact(text: str, expected: str) -> bool:
    """The same but for white space around it."""
    return text.strip() == expected.strip()


def contains(text: str, expected: str) -> bool:
    """Somewhere in it, whatever the case and the white space."""
    return _folded(expected) in _folded(text)


def regex(text: str, expected: str) -> bool | None:
    """``expected`` is a pattern of Python's ``re`` that matches somewhere; None when that takes too long to tell. Such
    a pattern cannot be stopped, so it runs apart. Blocks for up to ``PATTERN_S`` seconds."""
    payload = json.dumps([expected, text[:SCORED_CHARACTERS]]).encode()
    outcome = worker.run("scoring:searched", payload, seconds=PATTERN_S, most=1)
    return None if outcome.ending else outcome.output == b"1"


def searched(payload: bytes) -> Iterator[bytes]:
    """What runs apart."""
    pattern, text = json.loads(payload)
    yield b"1" if re.search(pattern, text) else b"0"


def numeric(text: str, expected: str) -> bool:
    """The last number of the text is the one expected: most answers end with their result."""
    found = numbers(text[-SCORED_CHARACTERS:])
    return bool(found) and math.isclose(found[-1], _one_number(expected), rel_tol=TOLERANCE, abs_tol=1e-12)


SCORERS: dict[str, Callable[[str, str], bool | None]] = {
    "exact": exact,
    "contains": contains,
    "regex": regex,
    "numeric": numeric,
}
BLOCKING = ("regex",)


def check(kind: str, expected: str) -> None:
    """Before anything is sent. Raises BadInput when no answer could ever be scored by this."""
    if kind == "regex":
        try:
            re.compile(expected)
        except re.error as error:
            raise BadInput(f"expected is no regular expression: {error}", "mend it") from error
    if kind == "numeric":
        _one_number(expected)


def numbers(text: str) -> list[float]:
    """``1,234.5``, ``-3``, ``6.02e23``, ``.5``, in order."""
    return [float(match.replace(",", "").replace("−", "-")) for match in NUMBER.findall(text)]


def interval(successes: float, trials: int) -> tuple[float, float] | None:
    """The 95 % confidence interval of a share (Wilson's, which holds for few trials and near 0 and 1); None without
    trials."""
    if not trials:
        return None
    share, square = successes / trials, Z95 * Z95
    centre = share + square / (2 * trials)
    spread = Z95 * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    low, high = ((centre + sign * spread) / (1 + square / trials) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _one_number(expected: str) -> float:
    found = numbers(expected)
    if len(found) != 1 or not math.isfinite(found[0]):
        raise BadInput(f"expected is no number: {expected[:40]!r}", "give one number, or score otherwise")
    return found[0]
