"""A router's curve: how much of the strong model's lead it gains by what share of calls to it.

PGR, APGR and CPT are RouteLLM's (arXiv 2406.18665): with ``weak`` and ``strong`` the two models' accuracy, PGR is
(accuracy - weak) / (strong - weak); APGR is the area under PGR over the share of strong calls (random: 0.5), CPT(x) the
smallest share at which PGR is x.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

CPT = (50, 80, 95)
DRAWS = 1_000


@dataclass(frozen=True)
class Point:
    """One prompt: how early it goes to the strong model, and how right the three answers are (0 to 1)."""

    score: float
    weak: float
    strong: float
    given: float


@dataclass(frozen=True)
class Curve:
    """``corners``: (share of strong calls, PGR), between which prompts of one score are taken in any order. None of
    the figures has a meaning when the strong model is no better than the weak one."""

    corners: tuple[tuple[float, float], ...]

    @property
    def apgr(self) -> float | None:
        parts = [(right - left) * (low + high) / 2 for (left, low), (right, high) in pairwise(self.corners)]
        return sum(parts) if parts else None

    def cpt(self, percent: int) -> float | None:
        wanted = percent / 100
        for (left, low), (right, high) in pairwise(self.corners):
            if high >= wanted > low:
                return left + (right - left) * (wanted - low) / (high - low)
        return None


def curve(points: Iterable[Point]) -> Curve:
    return _curve(Counter(points))


def _curve(counted: Mapping[Point, int]) -> Curve:
    n = sum(counted.values())
    lead = sum((point.strong - point.weak) * count for point, count in counted.items())
    if lead <= 0:
        return Curve(())
    scores: dict[float, tuple[int, float]] = {}
    for point, count in counted.items():
        calls, gain = scores.get(point.score, (0, 0.0))
        scores[point.score] = calls + count, gain + (point.strong - point.weak) * count
    corners = [(0.0, 0.0)]
    for score in sorted(scores, reverse=True):
        share, pgr = corners[-1]
        corners.append((share + scores[score][0] / n, pgr + scores[score][1] / lead))
    return Curve(tuple(corners))


def figures(points: Sequence[Point]) -> dict[str, float | None]:
    return _figures(Counter(points))


def _figures(counted: Mapping[Point, int]) -> dict[str, float | None]:
    n = sum(counted.values())
    found = _curve(counted)
    accuracy = sum(point.given * count for point, count in counted.items()) / n
    escalated = sum(count for point, count in counted.items() if point.score > 0) / n
    cpts = {f"cpt{percent}": found.cpt(percent) for percent in CPT}
    return {"accuracy": accuracy, "escalated": escalated, "apgr": found.apgr, **cpts}


def intervals(points: Sequence[Point], seed: int = 0) -> dict[str, list[float] | None]:
    """95 % by the bootstrap: 1,000 samples of the prompts, with replacement."""
    counted = Counter(points)
    kinds, weights = list(counted), list(counted.values())
    draw = random.Random(seed)
    samples = [_figures(Counter(draw.choices(kinds, weights, k=len(points)))) for _ in range(DRAWS)]
    return {name: _middle([sample[name] for sample in samples]) for name in samples[0]}


def _middle(values: Sequence[float | None]) -> list[float] | None:
    known = sorted(value for value in values if value is not None)
    if len(known) < len(values):
        return None
    return [known[int(0.025 * len(known))], known[int(0.975 * len(known)) - 1]]
