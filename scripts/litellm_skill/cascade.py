"""Which check a cheap answer must pass, what it says of the answer, and what the cascade is expected to cost. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from litellm_skill import agreement
from litellm_skill.agreement import Answer
from litellm_skill.task_forms import CODE_LINE
from litellm_skill.tasks import Task

PARSE, AGREE, SCHEMA, CMD, JUDGE, NONE = CHECKS = ("parse", "agree", "schema", "cmd", "judge", "none")
VERIFYING = (AGREE, CMD, JUDGE)  # that say something of whether the answer is right; the others see its form at most

# Shares escalated, as measured on recorded answers: of 8 pairs of cheap models between .14 and .54 disagree, the middle
# is .385; 1 answer of 20 cannot be read. How often a test, a schema or a judge refuses has not been measured, so that
# is not foretold. The user's own history goes before all of them.
ESCALATED = {AGREE: 0.385, PARSE: 0.05, NONE: 0.0}


@dataclass(frozen=True)
class Cascade:
    """What was tried, and so what experience is about: of another task, model or check it says nothing. ``cheap``:
    ids, sorted, since two that agree may stand in either order; ``check_with``: the command, the judge or the digest
    of the schema, None for the other checks; ``strong``: an id, None where there is none."""

    task: str
    cheap: tuple[str, ...]
    check: str
    check_with: str | None
    strong: str | None


@dataclass(frozen=True)
class Verdict:
    """Whether the cheap answer is given, and in a word or two why."""

    accepted: bool
    why: str


def parse(task: Task, text: str) -> Answer | None:
    """What a reply holds, in the shape that the task asks for: a short answer, code, or any text; None without it."""
    if task.comparable:
        return agreement.read(task.name, text)
    if task.name == "code" and "```" not in text and not re.search(CODE_LINE, text):
        return None
    return Answer(text, text) if text.strip() else None


def verdict(check: str, first: Answer | None, second: Answer | None = None, passed: bool | None = None) -> Verdict:
    """``first`` and ``second`` as ``parse`` read them; ``passed``: what a schema, a command or a judge said, None
    when it could not say."""
    if check == NONE:
        return Verdict(True, "not checked")
    if first is None:
        return Verdict(False, "unreadable")
    if check == PARSE:
        return Verdict(True, "readable")
    if check != AGREE:
        return Verdict(passed is True, {True: "passed", False: "failed", None: "check failed to run"}[passed])
    if second is None:
        return Verdict(False, "second unreadable")
    return Verdict(True, "agree") if agreement.same(first, second) else Verdict(False, "disagree")


def expected_usd(cheap: float | None, strong: float | None, escalated: float | None) -> float | None:
    """USD of cheap calls and, in that share of cases, the strong one; None when a part that counts is unknown."""
    if cheap is None or escalated is None:
        return None
    if escalated == 0:
        return cheap
    return None if strong is None else cheap + escalated * strong
