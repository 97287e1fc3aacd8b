"""One prompt to several models: from the command line to the printed comparison."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from random import SystemRandom
from typing import Any

from litellm_skill import comparison, inquiry, intake, job, judging, recall, report, results, run, screen
from litellm_skill import settings as settings_
from litellm_skill.answer import Answer, envelope, error_object
from litellm_skill.aside import Aside
from litellm_skill.ballot import Candidate
from litellm_skill.choice import Choice
from litellm_skill.console import Console
from litellm_skill.conversation import Conversation
from litellm_skill.faults import BadInput, Fault, Interrupted
from litellm_skill.inquiry import Inquiry
from litellm_skill.job import Job
from litellm_skill.journal import Journal
from litellm_skill.planner import Planner
from litellm_skill.prompt import Prompt
from litellm_skill.seats import all_done, taken
from litellm_skill.settings import Settings

SCRIPT = "compare_models.py"


def several(args: argparse.Namespace, at_hand: Settings, console: Console) -> int:
    """The exit code of the whole command."""
    if recall.asked(args):
        return recall.recall(args, at_hand, console)
    if args.go_on or args.thread:
        raise BadInput("a comparison is no conversation", "leave out --continue and --thread")
    around = intake.look_around(args, at_hand, console)
    prompt, extras = intake.read(args, around.rules, around.console)
    with closing(Journal(os.environ, at_hand, around.keeps, around.console)) as diary:
        planner = Planner(args, extras, around.chooser, around.rules, diary.left)
        panel = _Panel(args, prompt, planner, diary, around.console, results.new_run_id())
        judging.check(args, planner)
        return panel.show() if args.dry_run else panel.make()


@dataclass(frozen=True)
class _Seat:
    """One model's place in the comparison. ``fault``: why it cannot be asked."""

    label: str
    inquiry: Inquiry | None = None
    fault: Fault | None = None

    @property
    def sent(self) -> Conversation | None:
        return self.inquiry.plans[0].conversation if self.inquiry else None


@dataclass(frozen=True)
class _Panel:
    """One comparison, and all that it needs."""

    args: argparse.Namespace
    prompt: Prompt
    planner: Planner
    journal: Journal
    console: Console
    run_id: str
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def show(self) -> int:
        seats = self._seats(run.Way.HERE)
        plans = [seat.inquiry.plans[0] for seat in seats if seat.inquiry]
        documents = [report.plan_document(one) for one in plans]
        missing = [{"model": seat.label, "error": seat.fault.message} for seat in seats if seat.fault]
        if self.console.json:
            together = {name: report.sum_usd(one[name] for one in documents) for name in ("likely_usd", "worst_usd")}
            document = {"status": "dry_run", "models": documents, "missing": missing, **together}
            self.console.document({**document, "not_in_the_sum": judging.later(self.args)})
            return 0
        texts = [*map(report.plan_text, plans), report.plans_text(plans)]
        lines = [f"missing   {one['model']}: {one['error']}\n" for one in missing]
        then = [f"then      {flag}: reads the answers, and is not in the sum\n" for flag in judging.later(self.args)]
        self.console.show("\n".join([*texts, *lines]) + "".join([*then, "Nothing was sent.\n"]))
        return 0

    def make(self) -> int:
        for name in ("out", "html", "md"):
            results.check_new(getattr(self.args, name), name, force=self.args.force)
        settings_.export(self.planner.chooser.settings)
        return job.do(self._job, self.run_id, self.args, self.journal, self.console)

    def _job(self, how: run.Way) -> Job:
        seats = self._seats(how)
        able = {seat.inquiry.plans[0].choice.name for seat in seats if seat.inquiry}
        if self.args.council and len(able) < 3:
            raise BadInput("a council takes three models that can be asked", "name more, or leave out --council")
        asked = [seat.inquiry for seat in seats if seat.inquiry]
        unanswered = [Answer(seat.label, fault=seat.fault or Interrupted("not answered")) for seat in seats]
        nothing = [(answer.model_requested, answer, None) for answer in unanswered]
        return Job(
            SCRIPT,
            model=", ".join(seat.label for seat in seats),
            messages=self.prompt.messages(with_media=False),
            envelope=comparison.document(nothing, run_id=self.run_id, seconds=0.0, judged={}, judges=()),
            asked=asked,
            work=partial(self._work, seats),
        )

    def _seats(self, how: run.Way) -> list[_Seat]:
        """A model that cannot be asked has a seat, too: it is missing, with why. Raises it when that is so of all."""
        places = taken(self.args, self.planner.chooser)
        share = self.args.max_cost and self.args.max_cost / len(places)
        found = [self._seat(label, one, share, how) for label, one in places]
        if all(seat.fault for seat in found) and found[0].fault:
            raise found[0].fault
        return found

    def _seat(self, label: str, choice: Choice | Fault, share: float | None, how: run.Way) -> _Seat:
        if isinstance(choice, Fault):
            return _Seat(label, fault=choice)
        try:
            planned = self.planner.plan(choice, self.prompt, max_cost=share)
        except Fault as fault:
            return _Seat(label, fault=fault)
        timeout = run.timeout(self.args, how, local=choice.access.local)
        run_id = f"{self.run_id}-{re.sub('[^A-Za-z0-9._#-]+', '-', label)[-60:]}"
        asked = self.planner.inquiry([planned], run_id, None, timeout, max_usd=share, pieces=False)
        return _Seat(label, asked)

    def _work(self, seats: Sequence[_Seat]) -> int:
        """What a worker may do in place of this process: ask, write down, print."""
        from litellm_skill import gateway

        with self.journal.failing():
            inquiry.prepare([seat.inquiry.plans[0] for seat in seats if seat.inquiry])
            document = gateway.run(self._compared(seats))
            self.journal.finish(document, [], document["cost_usd"])
        return self._finish(document)

    async def _compared(self, seats: Sequence[_Seat]) -> dict[str, Any]:
        from litellm_skill import gateway

        gateway.load()
        began = time.monotonic()
        several = asyncio.Semaphore(1 if self.args.sequential else self.args.jobs)
        tasks = [asyncio.ensure_future(self._answer(seat, several)) for seat in seats]
        interrupted = not await all_done(tasks)
        answers = [task.result() for task in tasks]
        labelled = [(seat.label, answer, seat.sent) for seat, answer in zip(seats, answers, strict=True)]
        stop = Interrupted("interrupted", "ask again")
        judged, judges = judging.left_out(self.args, stop) if interrupted else await self._judged(seats, answers)
        stopped = stop if interrupted or judging.interruption(judges) else None
        seconds = time.monotonic() - began
        document = comparison.document(labelled, run_id=self.run_id, seconds=seconds, judged=judged, judges=judges)
        document["warnings"] += [*self.prompt.warnings, *self.journal.warnings]
        document["result_file"] = self.journal.keep(comparison.text(document), self.run_id)
        if stopped:
            document |= {"status": "partial" if document["answers"] else "error", "error": error_object(stopped)}
        return document

    async def _answer(self, seat: _Seat, several: asyncio.Semaphore) -> Answer:
        """Never raises: what is wrong is the answer's fault."""
        asked = seat.inquiry
        if asked is None:
            return Answer(seat.label, fault=seat.fault)
        try:
            async with several, self._alone(asked.plans[0].choice):
                outcome = await inquiry.ask(asked, self.journal, self.planner.chooser.catalog, self.console, _drop)
                answer = outcome.answer
        except Fault as fault:
            answer = Answer(seat.label, fault=fault)
        except asyncio.CancelledError:
            answer = Answer(seat.label, fault=Interrupted("interrupted", "ask again"))
        self._tell(seat, answer)
        return answer

    def _alone(self, choice: Choice) -> Any:
        """A local server answers one question at a time: it would only divide its memory among several."""
        if not choice.access.local:
            return _Free()
        return self.locks.setdefault(choice.access.host or "", asyncio.Lock())

    def _tell(self, seat: _Seat, answer: Answer) -> None:
        """Each answer is written down as it comes; a person sees who is done."""
        row = {**envelope(answer, seat.sent), "label": seat.label}
        self.journal.piece(json.dumps(row, ensure_ascii=False) + "\n")
        self.journal.write(at_once=True)
        if self.console.err.isatty():
            done = answer.fault.message if answer.fault else report.summary(answer)
            self.console.note(f"{seat.label}: {done}" if answer.fault else done)

    async def _judged(self, seats: Sequence[_Seat], answers: Sequence[Answer]) -> judging.Judged:
        whole = [(seat, answer) for seat, answer in zip(seats, answers, strict=True) if answer.fault is None]
        candidates = [Candidate(seat.label, answer.text, _family(seat)) for seat, answer in whole]
        money = self.args.max_cost
        if money is not None:
            pairs = [(seat.inquiry, answer) for seat, answer in zip(seats, answers, strict=True) if seat.inquiry]
            money = max(0.0, money - sum(inquiry.spent_usd(asked, answer.spent_usd) for asked, answer in pairs))
        court = judging.Court(self.args, Aside(self.planner, self.journal, self.console), money)
        return await court.sit(self.prompt.text, candidates, SystemRandom())

    def _finish(self, document: dict[str, Any]) -> int:
        code = recall.tell(document, self.console)
        if self.args.usage:
            self.console.note(comparison.text(document).split("\n", 1)[0])
        if self.args.html or self.args.md:
            code = self._write_pages(document) or code
        if self.args.out:
            text = self.console.redact(comparison.text(document))
            code = results.write(self.args.out, text, "out", self.console, force=self.args.force) or code
        return code

    def _write_pages(self, document: dict[str, Any]) -> int:
        from litellm_skill import page

        safe = screen.redact_values(document, self.console.secrets)
        prompt, today = self.console.redact(self.prompt.text), date.today().isoformat()
        pages = (("html", page.html), ("md", page.markdown))
        codes = [
            results.write(path, make(safe, prompt=prompt, date=today), name, self.console, force=self.args.force)
            for name, make in pages
            if (path := getattr(self.args, name))
        ]
        return max(codes)


class _Free:
    """Nobody needs to wait."""

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


def _drop(_: str) -> None:
    """Nothing is shown as it comes: the answers would be mixed."""


def _family(seat: _Seat) -> str:
    return seat.inquiry.plans[0].choice.vendor if seat.inquiry else ""
