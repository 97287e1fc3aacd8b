"""What the ballots of judges come to: one judge's verdict, or a council's ranking. Pure.

Every order is seen forward and backward, and a choice that goes with the order is a tie. A reply that cannot be used is
missing; it never counts as a zero. ``dataclasses.asdict`` of a ``Verdict`` or a ``Ranking`` is its JSON document:
the keys ``judge`` and ``ranking`` of a comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from litellm_skill.ballot import Ballot, Candidate, Vote, of_length

# From here on judges are said to agree, or to contradict one another: a convention, the number stands beside it.
STRONG, WEAK = 0.7, 0.3


@dataclass(frozen=True)
class Standing:
    """One candidate under one judge; None where no round could be counted. ``wins``, ``losses``, ``ties``: pairs, once
    a round. ``mean`` and ``scores``: 1 to 10."""

    model: str
    rank: int | None
    wins: int | None
    losses: int | None
    ties: int | None
    mean: float | None
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class Position:
    """Pairs of answers that were seen in both orders. ``flips``: those with another outcome in the other order; in
    ``toward_first`` of them it was better for the one shown before the other, in ``toward_last`` for the one after."""

    pairs: int
    flips: int
    toward_first: int
    toward_last: int


@dataclass(frozen=True)
class Verdict:
    """``rounds``: those counted, of which both orders were usable. ``winner``: None when the best are equal, or nothing
    was counted. ``same_family``: candidates from the judge's own vendor."""

    judge: str
    criteria: tuple[str, ...]
    ballots: int
    unusable: int
    rounds: int
    winner: str | None
    results: tuple[Standing, ...]
    position: Position
    same_family: tuple[str, ...]
    warnings: tuple[str, ...]
    votes: tuple[Vote, ...]


@dataclass(frozen=True)
class Place:
    """``share``: Borda points per rival, 0 to 1, averaged over the judges who ranked it; None when none did.
    ``points``: the Borda count itself, rivals beaten, an equal one as half."""

    model: str
    rank: int | None
    share: float | None
    points: float | None
    judges: int


@dataclass(frozen=True)
class Agreement:
    """Of judges among one another: over every two of them and every two answers that both ranked, the mean of 1 for the
    same outcome, -1 for the opposite and 0 where only one sees them equal (Kendall's tau, averaged). None: unknown."""

    value: float | None
    comparisons: int
    means: str


@dataclass(frozen=True)
class Kinship:
    """A judge on a candidate of its own vendor: the share it gave, and that by judges of other vendors, if any."""

    judge: str
    model: str
    share: float
    by_others: float | None


@dataclass(frozen=True)
class Ranking:
    """``missing``: judges without a usable ballot. ``first_shown``: how many judges put the answer they saw first above
    all others; ``by_chance``: how many would if order were all chance, and none were equal."""

    judges: tuple[str, ...]
    missing: tuple[str, ...]
    winner: str | None
    results: tuple[Place, ...]
    agreement: Agreement
    same_family: tuple[Kinship, ...]
    first_shown: int
    by_chance: float
    warnings: tuple[str, ...]
    votes: tuple[Vote, ...]


# One judge


def tally(
    ballots: Sequence[Ballot], votes: Sequence[Vote | None], candidates: Sequence[Candidate], judge: str, family: str
) -> Verdict:
    """``votes``: a reply a ballot, in the order of ``judge_questions``; None where it was unusable or did not come.

    A round counts when both of its orders are usable. A pair is won where both orders say so, else it is a tie.
    """
    rounds = [(one, other) for one, other in zip(votes[::2], votes[1::2], strict=True) if one and other]
    usable = [vote for vote in votes if vote]
    position = _position(rounds, [candidate.label for candidate in candidates])
    results = _standings(rounds, [candidate.label for candidate in candidates], ballots[0].criteria)
    kin = tuple(candidate.label for candidate in candidates if family and candidate.family == family)
    warnings = [*_of_family(judge, kin), *_of_rounds(len(votes), len(usable), len(rounds)), *_of_position(position)]
    warnings += [*_of_scores(usable), *of_length(ballots)]
    return Verdict(
        judge=judge,
        criteria=ballots[0].criteria,
        ballots=len(votes),
        unusable=len(votes) - len(usable),
        rounds=len(rounds),
        winner=_winner(results),
        results=results,
        position=position,
        same_family=kin,
        warnings=tuple(warnings),
        votes=tuple(usable),
    )


def _outcome(one: Vote, other: Vote, x: str, y: str) -> int:
    """1 when both orders prefer ``x``, -1 when both prefer ``y``, else 0."""
    return one.prefers(x, y) if one.prefers(x, y) == other.prefers(x, y) else 0


def _position(rounds: Sequence[tuple[Vote, Vote]], names: Sequence[str]) -> Position:
    leanings = [_leaning(one, other, x, y) for one, other in rounds for x, y in combinations(names, 2)]
    flips = [leaning for leaning in leanings if leaning]
    first = sum(leaning > 0 for leaning in flips)
    return Position(len(leanings), len(flips), first, len(flips) - first)


def _leaning(one: Vote, other: Vote, x: str, y: str) -> int:
    """Above 0 where an answer did better shown before the other than after it; 0 where both orders agree."""
    shown = list(one.letters.values())
    change = one.prefers(x, y) - other.prefers(x, y)
    return change if shown.index(x) < shown.index(y) else -change


def _standings(
    rounds: Sequence[tuple[Vote, Vote]], names: Sequence[str], criteria: Sequence[str]
) -> tuple[Standing, ...]:
    """Ranked by wins less losses; equals stand in the order of their scores."""
    if not rounds:
        return tuple(Standing(name, None, None, None, None, None, dict.fromkeys(criteria)) for name in names)
    outcomes = {
        name: [_outcome(one, other, name, rival) for one, other in rounds for rival in names if rival != name]
        for name in names
    }
    nets = {name: sum(found) for name, found in outcomes.items()}
    votes = [vote for pair in rounds for vote in pair]
    standings = []
    for name, found in outcomes.items():
        scores = {criterion: fmean(vote.scores[name][criterion] for vote in votes) for criterion in criteria}
        rank = 1 + sum(net > nets[name] for net in nets.values())
        wins, losses, ties = (found.count(outcome) for outcome in (1, -1, 0))
        standings.append(Standing(name, rank, wins, losses, ties, fmean(scores.values()), scores))
    return tuple(sorted(standings, key=lambda standing: (standing.rank or 0, -(standing.mean or 0))))


def _winner(results: Sequence[Standing | Place]) -> str | None:
    best = [result.model for result in results if result.rank == 1]
    return best[0] if len(best) == 1 else None


def _of_family(judge: str, kin: Sequence[str]) -> Iterator[str]:
    if kin:
        yield f"{judge} judged answers of its own vendor ({', '.join(kin)}): ask a judge of another"


def _of_rounds(asked: int, usable: int, rounds: int) -> Iterator[str]:
    if usable < asked:
        ending = "" if rounds else ": there is no verdict"
        yield f"{asked - usable} of {asked} ballots are missing; {rounds} of {asked // 2} rounds count{ending}"


def _of_position(position: Position) -> Iterator[str]:
    if position.flips:
        yield (
            f"in {position.flips} of {position.pairs} pairs the outcome changed with the order, "
            f"{position.toward_first} times to the good of the answer shown first: these count as ties"
        )


def _of_scores(votes: Sequence[Vote]) -> Iterator[str]:
    odd = sum(any(_against(vote, x, y) for x, y in combinations(vote.scores, 2)) for vote in votes)
    if odd:
        yield f"in {odd} of {len(votes)} ballots an answer is ranked above one with better scores"


def _against(vote: Vote, x: str, y: str) -> bool:
    return (sum(vote.scores[x].values()) - sum(vote.scores[y].values())) * vote.prefers(x, y) < 0


# A council


def rank(ballots: Sequence[Ballot], votes: Sequence[Vote | None], candidates: Sequence[Candidate]) -> Ranking:
    """``votes``: a reply a ballot, in the order of ``council_questions``; None where it was unusable, or none came."""
    usable = [vote for vote in votes if vote]
    results = _places(usable, [candidate.label for candidate in candidates])
    missing = tuple(ballot.judge or "" for ballot, vote in zip(ballots, votes, strict=True) if vote is None)
    warnings = [f"no usable ballot from {', '.join(missing)}"] if missing else []
    return Ranking(
        judges=tuple(vote.judge or "" for vote in usable),
        missing=missing,
        winner=_winner(results),
        results=results,
        agreement=_agreement(usable),
        same_family=tuple(_kinships(usable, candidates)),
        first_shown=sum(vote.ranking[0] == (next(iter(vote.letters.values())),) for vote in usable),
        by_chance=sum(1 / len(vote.letters) for vote in usable),
        warnings=(*warnings, *of_length(ballots)),
        votes=tuple(usable),
    )


def _places(votes: Sequence[Vote], names: Sequence[str]) -> tuple[Place, ...]:
    """By share, not by points: who judges less often for himself must not gain points by a judge that is missing."""
    shares = {name: [vote.share(name) for vote in votes if name in vote.letters.values()] for name in names}
    rivals = {name: [len(vote.letters) - 1 for vote in votes if name in vote.letters.values()] for name in names}
    means = {name: round(fmean(given), 9) if given else None for name, given in shares.items()}
    places = []
    for name, mean in means.items():
        points = sum(share * beaten for share, beaten in zip(shares[name], rivals[name], strict=True))
        above = sum(other is not None and mean is not None and other > mean for other in means.values())
        known = mean is not None
        places.append(
            Place(name, 1 + above if known else None, mean, round(points, 9) if known else None, len(shares[name]))
        )
    return tuple(sorted(places, key=lambda place: (place.rank is None, place.rank)))


def _agreement(votes: Sequence[Vote]) -> Agreement:
    found = []
    for one, other in combinations(votes, 2):
        common = [label for label in one.letters.values() if label in other.letters.values()]
        for x, y in combinations(common, 2):
            first, second = one.prefers(x, y), other.prefers(x, y)
            found.append(1 if first == second else first * second)
    value = round(fmean(found), 9) if found else None
    return Agreement(value, len(found), _meaning(value))


def _meaning(value: float | None) -> str:
    if value is None:
        return "no two judges ranked the same two answers"
    if value <= -WEAK:
        return "the judges contradict one another"
    if value < WEAK:
        return "the judges agree no more than chance would have them"
    return "the judges agree" if value >= STRONG else "the judges agree in part"


def _kinships(votes: Sequence[Vote], candidates: Sequence[Candidate]) -> Iterator[Kinship]:
    family = {name: candidate.family for candidate in candidates for name in (candidate.label, candidate.model)}
    for vote in votes:
        judge = vote.judge or ""
        for label in vote.letters.values():
            if family[label] == family[judge]:
                others = [
                    other.share(label)
                    for other in votes
                    if label in other.letters.values() and family[other.judge or ""] != family[label]
                ]
                yield Kinship(judge, label, vote.share(label), fmean(others) if others else None)
