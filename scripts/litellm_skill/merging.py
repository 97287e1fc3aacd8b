"""Findings of several reviewers merged by a model: which of them mean the same, whatever lines they name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from litellm_skill import findings
from litellm_skill.answer import Answer
from litellm_skill.aside import Aside
from litellm_skill.faults import Fault, IncompleteAnswer
from litellm_skill.findings import Finding
from litellm_skill.material import words
from litellm_skill.prompt import Prompt
from litellm_skill.screen import Part
from litellm_skill.structure import Schema

MOST = 300  # findings that a judge is shown
_QUOTED = 600  # characters of each quote
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"groups": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}},
    "required": ["groups"],
    "additionalProperties": False,
}
Merged = tuple[list[Finding], Fault | None, float | None]


async def by_meaning(several: Sequence[Finding], judge: str, aside: Aside, money: float | None) -> Merged:
    """The findings, what went wrong, and what it cost in USD. The judge sees no model's name. When it is of no use they
    are merged by lines. ``money``: USD it may cost, None without a limit."""
    if len(several) < 2:
        return findings.merged(several), None, 0.0
    answer = await _ask(several, judge, aside, money)
    groups = None if answer.fault else grouped(several, answer.parsed["groups"])
    if groups is None:
        fault = answer.fault or IncompleteAnswer("the groups are of no use", "ask another model")
        return findings.merged(several), fault, answer.spent_usd
    return findings.ordered(map(findings.joined, groups)), None, answer.spent_usd


def grouped(several: Sequence[Finding], groups: Sequence[Sequence[int]]) -> list[list[Finding]] | None:
    """Each finding once, those of a group together; None when the groups do not fit. Verified and unverified ones are
    never one: that would lend the proof of the one to the other."""
    named = [number for group in groups for number in group]
    if len(set(named)) < len(named) or not all(1 <= number <= len(several) for number in named):
        return None
    alone = [[number] for number in range(1, len(several) + 1) if number not in set(named)]
    found = []
    for group in (*groups, *alone):
        for verified in (True, False):
            own = [several[number - 1] for number in group if several[number - 1].verified is verified]
            found += [own] if own else []
    return found


async def _ask(several: Sequence[Finding], judge: str, aside: Aside, money: float | None) -> Answer:
    """Never raises a fault."""
    names = ("file", "line", "severity", "claim", "why", "suggestion")
    rows = [
        {"number": number, **{name: getattr(one, name) for name in names}, "quote": one.quote[:_QUOTED]}
        for number, one in enumerate(several, 1)
    ]
    if len(rows) > MOST:
        what = f"{len(rows)} findings are too many for a judge"
        return Answer(judge, fault=IncompleteAnswer(what, "narrow what is under review"))
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    prompt = Prompt((Part("the reports", text),), Part("the task of the judge", words()["judge"]))
    return await aside.ask(judge, prompt, Schema(SCHEMA, "groups"), money)
