"""Who reviews what: the models that are asked, and the parts of what is under review that each of them can hold."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from litellm_skill import run, sources
from litellm_skill.choice import Choice, with_window
from litellm_skill.faults import Fault
from litellm_skill.inquiry import Inquiry
from litellm_skill.looking import Folder, Looking
from litellm_skill.material import Material
from litellm_skill.planner import Planner
from litellm_skill.seats import taken
from litellm_skill.sources import Source

PART = 50_000  # tokens under review in one request: more are read with less care
SMALL = 1_000  # tokens; a smaller part is no use


@dataclass(frozen=True)
class Task:
    """One request: a part of what is under review, for one model."""

    model: str
    number: int
    part: tuple[Source, ...]
    inquiry: Inquiry
    box: Looking | None


@dataclass(frozen=True)
class Reviewer:
    """``fault``: why it cannot be asked. ``left``: what is more than its parts."""

    model: str
    tasks: tuple[Task, ...] = ()
    left: tuple[Source, ...] = ()
    fault: Fault | None = None


@dataclass(frozen=True)
class Assignment:
    """Of ``under`` to models. ``folder``: where they may look by themselves."""

    args: argparse.Namespace
    under: Material
    folder: Folder | None
    planner: Planner
    run_id: str

    def chosen(self, how: run.Way) -> list[Reviewer]:
        """Who cannot be asked is missing, with why. Raises it when that is so of all."""
        places = taken(self.args, self.planner.chooser)
        split = [self._split(one) if isinstance(one, Choice) else ([], ()) for _, one in places]
        share = self.args.max_cost and self.args.max_cost / max(1, sum(len(parts) for parts, _ in split))
        found = [
            self._reviewer(label, one, parts, left, share, how)
            for (label, one), (parts, left) in zip(places, split, strict=True)
        ]
        if all(one.fault for one in found) and found[0].fault:
            raise found[0].fault
        return found

    def _split(self, choice: Choice) -> tuple[list[tuple[Source, ...]], tuple[Source, ...]]:
        """The parts that this model can hold, and what is more than ``--max-parts`` of them."""
        context = with_window(choice).model.context
        room = min(PART, max(SMALL, context // 2 - 2_000)) if context else PART
        parts = sources.parts(sources.shortened(self.under.sources, room), room) or [()]
        most = self.args.max_parts
        return parts[:most], tuple(source for part in parts[most:] for source in part)

    def _reviewer(
        self,
        label: str,
        choice: Choice | Fault,
        parts: Sequence[tuple[Source, ...]],
        left: tuple[Source, ...],
        share: float | None,
        how: run.Way,
    ) -> Reviewer:
        if isinstance(choice, Fault):
            return Reviewer(label, fault=choice)
        try:
            tasks = [self._task(label, choice, parts, at, share, how) for at in range(len(parts))]
        except Fault as fault:
            return Reviewer(label, fault=fault)
        return Reviewer(label, tuple(tasks), left)

    def _task(
        self,
        label: str,
        choice: Choice,
        parts: Sequence[tuple[Source, ...]],
        at: int,
        share: float | None,
        how: run.Way,
    ) -> Task:
        rounds = self.args.max_tool_rounds if self.folder else 0
        prompt = self.under.prompt(parts[at], at + 1, len(parts), rounds)
        planned = self.planner.plan(choice, prompt, max_cost=share)
        timeout = run.timeout(self.args, how, local=choice.access.local)
        run_id = f"{self.run_id}-{re.sub('[^A-Za-z0-9._#-]+', '-', label)[-60:]}-{at + 1}"
        box = Looking(self.folder, rounds) if self.folder else None
        asked = self.planner.inquiry([planned], run_id, None, timeout, max_usd=share, pieces=False, box=box)
        asked = replace(asked, tools=(), max_tool_rounds=rounds + 1)  # the box has them; the last one is told to answer
        return Task(label, at, parts[at], asked, box)
