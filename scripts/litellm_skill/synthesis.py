"""Several answers put together: what they agree on and what they do not, each point under who made it. Pure.

``dataclasses.asdict`` of a ``Synthesis`` is its JSON document: the key ``synthesis`` of a comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litellm_skill.ballot import Ballot, fits, of_length


@dataclass(frozen=True)
class Point:
    """What ``models`` say: at least two for a consensus."""

    point: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Stand:
    models: tuple[str, ...]
    says: str


@dataclass(frozen=True)
class Contradiction:
    topic: str
    positions: tuple[Stand, ...]


@dataclass(frozen=True)
class Synthesis:
    """``dropped_attributions``: to letters that no answer had. ``dropped_points``: what was left without the support it
    needs. ``letters``: what the model called the answers, should its texts speak of them."""

    model: str
    answer: str
    consensus: tuple[Point, ...]
    contradictions: tuple[Contradiction, ...]
    only_one: tuple[Point, ...]
    not_covered: tuple[str, ...]
    dropped_attributions: int
    dropped_points: int
    letters: Mapping[str, str]
    warnings: tuple[str, ...]


def read_synthesis(ballot: Ballot, reply: Any, model: str) -> Synthesis | None:
    """None when it is unusable. ``reply``: parsed JSON. An attribution to a letter that does not exist is dropped, and
    so is a consensus of fewer than two, a contradiction of fewer than two positions, and a point that nobody made."""
    if not fits(reply, ballot.schema) or not reply["answer"].strip():
        return None
    named = [item["letters"] for item in reply["consensus"]] + [[item["letter"]] for item in reply["only_one"]]
    named += [stand["letters"] for item in reply["contradictions"] for stand in item["positions"]]
    consensus = [Point(item["point"], _models(ballot, item["letters"])) for item in reply["consensus"]]
    only_one = [Point(item["point"], _models(ballot, [item["letter"]])) for item in reply["only_one"]]
    disputes = [Contradiction(item["topic"], _stands(ballot, item["positions"])) for item in reply["contradictions"]]
    kept = (
        tuple(point for point in consensus if len(point.models) > 1),
        tuple(dispute for dispute in disputes if len({stand.models for stand in dispute.positions}) > 1),
        tuple(point for point in only_one if point.models),
    )
    lost = len(consensus) + len(disputes) + len(only_one) - sum(map(len, kept))
    strangers = sum(letter not in ballot.letters for letters in named for letter in letters)
    warnings = [f"dropped: attributions to answers that do not exist ({strangers})"] if strangers else []
    warnings += [f"dropped: points without the support they need ({lost})"] if lost else []
    return Synthesis(
        model,
        reply["answer"],
        *kept,
        tuple(reply["not_covered"]),
        strangers,
        lost,
        ballot.letters,
        (*warnings, *of_length([ballot])),
    )


def _models(ballot: Ballot, letters: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ballot.letters[letter] for letter in letters if letter in ballot.letters))


def _stands(ballot: Ballot, positions: Sequence[Mapping[str, Any]]) -> tuple[Stand, ...]:
    stands = [Stand(_models(ballot, stand["letters"]), stand["says"]) for stand in positions]
    return tuple(stand for stand in stands if stand.models)
