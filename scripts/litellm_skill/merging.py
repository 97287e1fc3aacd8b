"""Findings of several reviewers merged by a model: which of them mean the same, whatever lines they name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from litellm_skill import findings, inquiry, run
from litellm_skill.answer import Answer, error_object
from litellm_skill.console import Console
from litellm_skill.faults import Fault, IncompleteAnswer
from litellm_skill.findings import Finding
from litellm_skill.intake import Extras
from litellm_skill.journal import Journal
from litellm_skill.material import words
from litellm_skill.planner import Planner
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
Merged = tuple[list[Finding], dict[str, Any], float | None]


async def by_meaning(
    several: Sequence[Finding], judge: str, planner: Planner, journal: Journal, console: Console, money: float | None
) -> Merged:
    """The findings, who merged them (and what failed), and what it cost in USD. The judge sees no model's name. When it
    is of no use they are merged by lines. ``money``: USD it may cost, None without a limit."""
    told: dict[str, Any] = {"judge": judge, "error": None}
    if len(several) < 2:
        return findings.merged(several), told, 0.0
    answer = await _ask(several, judge, planner, journal, console, money)
    groups = None if answer.fault else grouped(several, answer.parsed["groups"])
    if groups is None:
        fault = answer.fault or IncompleteAnswer("the groups are of no use", "ask another model")
        return findings.merged(several), {**told, "error": error_object(fault)}, answer.spent_usd
    return findings.ordered(map(findings.joined, groups)), told, answer.spent_usd


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


async def _ask(
    several: Sequence[Finding], judge: str, planner: Planner, journal: Journal, console: Console, money: float | None
) -> Answer:
    """Never raises a fault."""
    names = ("file", "line", "severity", "claim", "why", "suggestion")
    rows = [
        {"number": number, **{name: getattr(one, name) for name in names}, "quote": one.quote[:_QUOTED]}
        for number, one in enumerate(several, 1)
    ]
    try:
        if len(rows) > MOST:
            raise IncompleteAnswer(f"{len(rows)} findings are too many for a judge", "narrow what is under review")
        choice = planner.chooser.choose(judge)
        fitted = replace(planner, extras=Extras(schema=Schema(SCHEMA, "groups")))
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        prompt = Prompt((Part("the reports", text),), Part("the task of the judge", words()["judge"]))
        planned = fitted.plan(choice, prompt, max_cost=money)
        timeout = run.timeout(planner.args, run.Way.HERE, local=choice.access.local)
        asked = fitted.inquiry([planned], "merge-judge", None, timeout, max_usd=money, file=False, pieces=False)
        outcome = await inquiry.ask(asked, journal, planner.chooser.catalog, console, _drop)
    except Fault as fault:
        return Answer(judge, fault=fault)
    return outcome.answer


def _drop(_: str) -> None:
    """A judge's reply is not shown."""
