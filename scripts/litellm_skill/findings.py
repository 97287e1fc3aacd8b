"""What reviewers claim of code: parsed, and what several say of the same merged. Pure. ``evidence`` checks it.

A claim is worth nothing until its quote is found in what was sent. The line follows from the quote, not from what the
reviewer counted. Nothing is dropped: what cannot be verified is kept apart, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

SEVERITIES = ("blocker", "major", "minor", "nit")  # worst first
FIELDS = ("file", "line", "quote", "severity", "claim", "why", "suggestion")
_KINDS = {"line": {"type": "integer"}, "severity": {"enum": list(SEVERITIES), "type": "string"}}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: _KINDS.get(name, {"type": "string"}) for name in FIELDS},
                "required": list(FIELDS),
                "additionalProperties": False,
            },
        }
    },
    "required": ["findings"],
    "additionalProperties": False,
}

TRIES = 1_000  # places in a reply that fits no schema, at which an object may begin
_APART = 3  # lines; quotes that overlap, but begin farther apart, are about different things
Position = tuple[int, int]  # a line, and a place in it with its white space squeezed


@dataclass(frozen=True)
class Claim:
    file: str
    line: int
    quote: str
    severity: str
    claim: str
    why: str = ""
    suggestion: str = ""


@dataclass(frozen=True)
class Finding:
    """``line`` to ``end_line``: where the quote stands when ``verified``, else what was claimed. ``side``: "new", or
    "old" for removed lines, which are counted as before the change. ``match``: how the quote was found, "exact",
    "whitespace" or "diff". ``problem``: why it is not verified. ``in_diff``: whether a change is at most ``NEAR`` lines
    away; None when no diff is under review. ``severities``: by model; ``severity`` is the worst. ``others``: what the
    other ``models`` say of the same."""

    file: str
    line: int
    quote: str
    severity: str
    claim: str
    why: str
    suggestion: str
    verified: bool
    models: tuple[str, ...]
    end_line: int
    claimed_line: int
    side: str = "new"
    match: str | None = None
    in_diff: bool | None = None
    problem: str | None = None
    severities: Mapping[str, str] = field(default_factory=dict)
    others: tuple[Mapping[str, Any], ...] = ()
    start: Position = (0, 0)
    end: Position = (0, 0)

    def document(self) -> dict[str, Any]:
        row = asdict(self)
        del row["start"], row["end"]
        return {**row, "models": list(self.models), "others": list(self.others)}


def kept(finding: Finding) -> dict[str, Any]:
    """All of it, as JSON has it."""
    return {**finding.document(), "start": list(finding.start), "end": list(finding.end)}


def restored(row: Mapping[str, Any]) -> Finding:
    spans = {name: tuple(row[name]) for name in ("start", "end", "models", "others")}
    return Finding(**{**row, **spans})


# --- what came


def claims(parsed: Mapping[str, Any]) -> list[Claim]:
    """Of a reply that fits ``SCHEMA``."""
    return [Claim(**{name: row[name] for name in FIELDS}) for row in parsed["findings"]]


def salvaged(text: str) -> list[Claim]:
    """Of a reply that was cut or does not fit: each object in it that names a file and claims something."""
    decoder = json.JSONDecoder()
    found, at, tries = [], text.find("{"), 0
    while at >= 0 and tries < TRIES:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at, tries = text.find("{", at + 1), tries + 1
            continue
        rows = value.get("findings") if isinstance(value.get("findings"), list) else [value]
        found += [claim for row in rows if (claim := _loose(row))]
        at = text.find("{", end)
    return found


def _loose(row: Any) -> Claim | None:
    if not isinstance(row, dict) or not isinstance(row.get("file"), str) or not isinstance(row.get("claim"), str):
        return None
    texts = {name: _whole(row.get(name)) for name in FIELDS if name != "line"}
    line = row.get("line")
    texts["severity"] = texts["severity"] if texts["severity"] in SEVERITIES else "minor"
    return Claim(line=line if isinstance(line, int) and not isinstance(line, bool) else 0, **texts)


def _whole(value: Any) -> str:
    """A text without halves of characters, which nothing can store."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else ""


def squeezed(text: str) -> str:
    """Without white space, but for one space where it parts two words."""
    return re.sub(r"(?<!\w) | (?!\w)", "", " ".join(text.split()))


# --- several reviewers


def merged(several: Sequence[Finding]) -> list[Finding]:
    """What is said of the same lines, with quotes that overlap, as one. A model never agrees with itself, unless it
    says the same twice."""
    groups: list[list[Finding]] = []
    by_file: dict[tuple[str, bool], list[list[Finding]]] = {}
    for one in several:
        near = by_file.setdefault((one.file, one.verified), [])
        group = next((group for group in near if _same(group, one)), None)
        if group is None:
            groups.append([one])
            near.append(groups[-1])
        else:
            group.append(one)
    return ordered(joined(group) for group in groups)


def _same(group: Sequence[Finding], one: Finding) -> bool:
    first = group[0]
    if any(one.models[0] in other.models for other in group):
        said = [(squeezed(other.quote), other.claim) for other in group if one.models[0] in other.models]
        return (squeezed(one.quote), one.claim) in said
    if not one.verified:
        return bool(one.quote.strip()) and squeezed(first.quote) == squeezed(one.quote)
    overlap = first.start < one.end and one.start < first.end
    return first.side == one.side and overlap and abs(first.line - one.line) <= _APART


def joined(group: Sequence[Finding]) -> Finding:
    """Told by the worst; what the others say stays with it."""
    chief, *rest = sorted(group, key=lambda one: SEVERITIES.index(one.severity))
    names = ("severity", "claim", "why", "suggestion", "quote", "line", "end_line", "side")
    others = [{"model": one.models[0], **{name: getattr(one, name) for name in names}} for one in rest]
    worst: dict[str, str] = {}
    for one in sorted(group, key=lambda one: SEVERITIES.index(one.severity)):
        worst.setdefault(one.models[0], one.severity)
    models = tuple(dict.fromkeys(one.models[0] for one in group))
    said = tuple(other for other in others if other["claim"] != chief.claim or other["model"] != chief.models[0])
    return replace(chief, models=models, severities={name: worst[name] for name in models}, others=said)


def ordered(several: Iterable[Finding]) -> list[Finding]:
    """The verified first: those that most models agree on, then the worst."""

    def rank(one: Finding) -> tuple[Any, ...]:
        return not one.verified, -len(one.models), SEVERITIES.index(one.severity), one.file, one.line

    return sorted(several, key=rank)


def reaching(several: Iterable[Mapping[str, Any]], severity: str) -> int:
    """How many verified ones are at least so bad."""
    bad = SEVERITIES[: SEVERITIES.index(severity) + 1]
    return sum(one["verified"] and one["severity"] in bad for one in several)
