"""What a model is asked about the answers of others, and what it replies: messages, JSON Schema, and the check. Pure.

It sees letters, never names, in an order that is drawn anew. The answers are untrusted: each stands between marks with
a random id that occurs in none of the texts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count, product
from pathlib import Path
from random import Random
from statistics import fmean
from string import ascii_uppercase
from typing import Any

from litellm_skill import report
from litellm_skill.faults import BadInput

DATA = Path(__file__).with_name("ballot.toml")
ANSWER_CHARACTERS = 20_000  # of one answer, that a judge gets to see
CRITERIA = 10  # at most
MIN_SCORE, MAX_SCORE = 1, 10


@dataclass(frozen=True)
class Candidate:
    """``label``: see ``labels``. ``family``: the vendor of the model."""

    label: str
    text: str
    family: str

    @property
    def model(self) -> str:
        return re.sub(r"#\d+$", "", self.label)


@dataclass(frozen=True)
class Ballot:
    """What one model is asked about anonymous answers. ``judge``: the model to ask, None where there is but one.

    ``letters``: each letter's candidate, in the order shown. ``messages``: system and user. ``schema``: of the reply,
    a JSON Schema. ``cut``: candidates of whom not all was shown.
    """

    letters: Mapping[str, str]
    messages: tuple[dict[str, str], ...]
    schema: Mapping[str, Any]
    criteria: tuple[str, ...] = ()
    judge: str | None = None
    cut: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vote:
    """A usable reply to a ballot. ``ranking``: groups of candidates that are equally good, best first. ``scores``: by
    candidate and criterion, 1 to 10; a council gives none. ``reason`` speaks of ``letters``."""

    judge: str | None
    letters: Mapping[str, str]
    ranking: tuple[tuple[str, ...], ...]
    scores: Mapping[str, Mapping[str, int]]
    reason: str

    def prefers(self, one: str, other: str) -> int:
        """1 when ``one`` is ranked better, -1 when ``other`` is, 0 when they are equal."""
        places = {label: place for place, group in enumerate(self.ranking) for label in group}
        return (places[one] < places[other]) - (places[one] > places[other])

    def share(self, label: str) -> float:
        """Of the other candidates ranked, the part that it beats; an equal counts half."""
        others = [other for group in self.ranking for other in group if other != label]
        return fmean((1 + self.prefers(label, other)) / 2 for other in others)


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(DATA.read_text(encoding="utf-8"))


def labels(models: Iterable[str]) -> list[str]:
    """Their ids, the second answer of a model as ``id#2``."""
    seen: dict[str, int] = {}
    named = []
    for model in models:
        seen[model] = seen.get(model, 0) + 1
        named.append(model if seen[model] == 1 else f"{model}#{seen[model]}")
    return named


def read_rubric(text: str | None) -> tuple[str, ...]:
    """A criterion a line, without list marks, empty lines and ``#`` comments; the default for None. Raises BadInput."""
    lines = _texts()["rubric"] if text is None else report.printable(text).splitlines()
    stripped = (re.sub(r"^\s*([-*+]|\d+[.)])\s+", "", line).strip() for line in lines)
    criteria = tuple(dict.fromkeys(line for line in stripped if line and not line.startswith("#")))
    if not 1 <= len(criteria) <= CRITERIA:
        raise BadInput(f"--rubric has {len(criteria)} criteria; it may have 1 to {CRITERIA}", "give a criterion a line")
    return criteria


# What is asked


def judge_questions(
    question: str,
    candidates: Sequence[Candidate],
    rubric: Sequence[str],
    rng: Random,
    *,
    rounds: int = 1,
    budget: int = ANSWER_CHARACTERS,
) -> list[Ballot]:
    """Two ballots a round: a fresh order and its reverse. Raises BadInput when there are not two answers."""
    _check_several(len(candidates), 2, "answer", "to judge")
    ballots = []
    for _ in range(rounds):
        order = rng.sample(candidates, len(candidates))
        ballots += [_ballot("judge", question, shown, rng, budget, tuple(rubric)) for shown in (order, order[::-1])]
    return ballots


def council_questions(
    question: str, candidates: Sequence[Candidate], rng: Random, *, budget: int = ANSWER_CHARACTERS
) -> list[Ballot]:
    """A ballot a model, about all answers but its own, in an order of its own. Raises BadInput when there are not
    answers of three models: with fewer nobody has anything to rank."""
    judges = list(dict.fromkeys(candidate.model for candidate in candidates))
    _check_several(len(judges), 3, "model", "for a council")
    ballots = []
    for judge in judges:
        others = [candidate for candidate in candidates if candidate.model != judge]
        ballots.append(_ballot("council", question, rng.sample(others, len(others)), rng, budget, judge=judge))
    return ballots


def synthesis_question(
    question: str, candidates: Sequence[Candidate], rng: Random, *, budget: int = ANSWER_CHARACTERS
) -> Ballot:
    """Raises BadInput when there are not two answers: one alone agrees with nobody."""
    _check_several(len(candidates), 2, "answer", "to synthesize")
    return _ballot("synthesis", question, rng.sample(candidates, len(candidates)), rng, budget)


def _check_several(number: int, least: int, noun: str, purpose: str) -> None:
    if number < least:
        counted = f"is 1 {noun}" if number == 1 else f"are {number} {noun}s"
        raise BadInput(f"there {counted} {purpose}; it takes {least}", "ask more models")


def _ballot(
    kind: str,
    question: str,
    shown: Sequence[Candidate],
    rng: Random,
    budget: int,
    criteria: tuple[str, ...] = (),
    judge: str | None = None,
) -> Ballot:
    letters = dict(zip(_letters(), (candidate.label for candidate in shown), strict=False))
    texts = [report.printable(candidate.text) for candidate in shown]
    fence = _fence(rng, [question, *texts])
    answers = "\n\n".join(
        _fenced(f"answer {letter}", text[:budget], fence) + _notice(letter, text, budget)
        for letter, text in zip(letters, texts, strict=True)
    )
    said, values = _texts(), {"letters": ", ".join(letters), "answers": answers}
    values["question"] = _fenced("question", report.printable(question), fence)
    values["criteria"] = "\n".join(f"c{number}: {text}" for number, text in enumerate(criteria, 1))
    system = said[kind]["system"] + "\n\n" + said["ground"].format(fence=fence)
    user = said[kind]["user"].format(**values)
    return Ballot(
        letters,
        ({"role": "system", "content": system}, {"role": "user", "content": user}),
        _synthesis_schema() if kind == "synthesis" else _vote_schema(list(letters), criteria),
        criteria,
        judge,
        tuple(candidate.label for candidate, text in zip(shown, texts, strict=True) if len(text) > budget),
    )


def _letters() -> Iterator[str]:
    """A to Z, then AA, AB …"""
    for length in count(1):
        yield from map("".join, product(ascii_uppercase, repeat=length))


def _fence(rng: Random, texts: Sequence[str]) -> str:
    """An id that is in none of the texts, so that none of them can end where it does not."""
    while any((fence := f"{rng.getrandbits(64):016x}") in text for text in texts):
        pass
    return fence


def _fenced(name: str, text: str, fence: str) -> str:
    return f"<<<begin {name} {fence}>>>\n{text}\n<<<end {name} {fence}>>>"


def _notice(letter: str, text: str, budget: int) -> str:
    if len(text) <= budget:
        return ""
    return f"\n(Answer {letter} is cut: these are the first {budget:,} of its {len(text):,} characters.)"


def _object(**properties: Any) -> dict[str, Any]:
    """Closed, with all properties required, as OpenAI's strict mode wants it."""
    names = list(properties)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _list(items: Mapping[str, Any], **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


def _vote_schema(letters: list[str], criteria: Sequence[str]) -> dict[str, Any]:
    score = {"type": "integer", "minimum": MIN_SCORE, "maximum": MAX_SCORE}
    numbered = {f"c{number}": score | {"description": text} for number, text in enumerate(criteria, 1)}
    scores = {"scores": _object(**dict.fromkeys(letters, _object(**numbered)))} if criteria else {}
    group = _list({"type": "string", "enum": letters}, minItems=1)
    return _object(reason={"type": "string"}, **scores, ranking=_list(group, minItems=1))


def _synthesis_schema() -> dict[str, Any]:
    """Letters are any text: one that does not exist must not cost the whole reply."""
    text = {"type": "string"}
    return _object(
        answer=text,
        consensus=_list(_object(point=text, letters=_list(text))),
        contradictions=_list(_object(topic=text, positions=_list(_object(letters=_list(text), says=text)))),
        only_one=_list(_object(letter=text, point=text)),
        not_covered=_list(text),
    )


def of_length(ballots: Sequence[Ballot]) -> Iterator[str]:
    """A warning about answers that were cut."""
    cut = sorted({label for ballot in ballots for label in ballot.cut})
    if cut:
        yield f"of {', '.join(cut)} only the beginning was shown"


# What is replied


def read_ballot(ballot: Ballot, reply: Any) -> Vote | None:
    """None when it is unusable: not by the schema, or a letter is not ranked exactly once. ``reply``: parsed JSON."""
    if not fits(reply, ballot.schema):
        return None
    ranked = [letter for group in reply["ranking"] for letter in group]
    if sorted(ranked) != sorted(ballot.letters):
        return None
    ranking = tuple(tuple(ballot.letters[letter] for letter in group) for group in reply["ranking"])
    scores = {
        ballot.letters[letter]: dict(zip(ballot.criteria, map(int, _numbered(given)), strict=True))
        for letter, given in reply.get("scores", {}).items()
    }
    return Vote(ballot.judge, ballot.letters, ranking, scores, reply["reason"])


def _numbered(given: Mapping[str, int]) -> list[int]:
    return [given[f"c{number}"] for number in range(1, len(given) + 1)]


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether it is valid by a schema of this module: jsonschema's answer, for the few keywords in use here."""
    match schema["type"]:
        case "object":
            inner = schema["properties"]
            same = isinstance(value, Mapping) and value.keys() == inner.keys()
            return same and all(fits(value[name], inner[name]) for name in inner)
        case "array":
            long_enough = isinstance(value, list) and len(value) >= schema.get("minItems", 0)
            return long_enough and all(fits(item, schema["items"]) for item in value)
        case "integer":
            number = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
            return number and schema["minimum"] <= value <= schema["maximum"]
        case _:
            return isinstance(value, str) and value in schema.get("enum", (value,))
