"""Findings about changes or files, from several models: from the command line to what is printed."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from typing import Any

from litellm_skill import (
    critique,
    findings,
    inquiry,
    intake,
    job,
    looking,
    material,
    merging,
    recall,
    report,
    results,
    run,
    screen,
)
from litellm_skill import settings as settings_
from litellm_skill.answer import Answer, error_object
from litellm_skill.aside import Aside
from litellm_skill.console import Console
from litellm_skill.critique import Report, Scope
from litellm_skill.evidence import Evidence
from litellm_skill.faults import BadInput, Fault, Interrupted
from litellm_skill.findings import Finding
from litellm_skill.intake import Extras
from litellm_skill.job import Job
from litellm_skill.journal import Journal
from litellm_skill.looking import Folder
from litellm_skill.material import Material
from litellm_skill.planner import Planner
from litellm_skill.reviewers import Assignment, Reviewer, Task
from litellm_skill.seats import all_done
from litellm_skill.sources import Source
from litellm_skill.structure import Schema

SCRIPT = "review_code.py"


def review(args: argparse.Namespace, at_hand: settings_.Settings, console: Console) -> int:
    """The exit code of the whole command."""
    if recall.asked(args):
        return recall.recall(args, at_hand, console)
    if args.go_on or args.thread:
        raise BadInput("a review is no conversation", "leave out --continue and --thread")
    around = intake.look_around(args, at_hand, console)
    under, _ = material.read(args, around.rules, around.console)
    folder = None
    if args.read:
        secrets = around.console.secrets
        folder = looking.open_folder(args.read, args.allow_path, secrets, allow_secrets=args.allow_secrets)
    extras = Extras(looking.TOOLS if folder else (), Schema(findings.SCHEMA, "findings"))
    with closing(Journal(os.environ, at_hand, around.keeps, around.console)) as diary:
        planner = Planner(args, extras, around.chooser, around.rules, diary.left)
        whole = _Review(args, under, folder, planner, diary, around.console, results.new_run_id())
        if args.merge_judge:
            planner.check(args.merge_judge)
        return whole.show() if args.dry_run else whole.make()


@dataclass(frozen=True)
class _Review:
    """One review, and all that it needs."""

    args: argparse.Namespace
    under: Material
    folder: Folder | None
    planner: Planner
    journal: Journal
    console: Console
    run_id: str

    def show(self) -> int:
        reviewers = self._assigned(run.Way.HERE)
        plans = {one.model: [task.inquiry.plans[0] for task in one.tasks] for one in reviewers if one.tasks}
        missing = [{"model": one.model, "error": one.fault.message} for one in reviewers if one.fault]
        coverage = critique.document(self._scope(reviewers), (), (), run_id=self.run_id, seconds=0.0)["coverage"]
        if self.console.json:
            models = [{"model": name, "parts": list(map(report.plan_document, own))} for name, own in plans.items()]
            self.console.document(
                {"status": "dry_run", "models": models, "missing": missing, "files": coverage["files"]}
            )
            return 0
        texts = [
            f"part {number} of {len(own)}\n{report.plan_text(one)}"
            for own in plans.values()
            for number, one in enumerate(own, 1)
        ]
        lines = [f"missing   {one['model']}: {one['error']}\n" for one in missing]
        lines += [
            f"review    {one['file']}, {one['lines']} lines {one['note']}".rstrip() + "\n" for one in coverage["files"]
        ]
        self.console.show("\n".join([*texts, "".join(lines)]) + "Nothing was sent.\n")
        return 0

    def make(self) -> int:
        for name in ("out", "html", "md", "sarif"):
            results.check_new(getattr(self.args, name), name, force=self.args.force)
        settings_.export(self.planner.chooser.settings)
        return job.do(self._job, self.run_id, self.args, self.journal, self.console)

    def _job(self, how: run.Way) -> Job:
        reviewers = self._assigned(how)
        asked = [task.inquiry for one in reviewers for task in one.tasks]
        return Job(
            SCRIPT,
            model=", ".join(one.model for one in reviewers),
            messages=self.under.asked.messages(),
            envelope=critique.begun(self._scope(reviewers), self.run_id),
            asked=asked,
            work=partial(self._work, reviewers),
        )

    def _assigned(self, how: run.Way) -> list[Reviewer]:
        return Assignment(self.args, self.under, self.folder, self.planner, self.run_id).chosen(how)

    def _scope(self, reviewers: Sequence[Reviewer]) -> Scope:
        def sizes(part: Sequence[Source]) -> list[list[Any]]:
            return [[source.path, len(source.lines)] for source in part]

        left = {one.model: sizes(one.left) for one in reviewers if one.left}
        more = [f"{name}: more than --max-parts {self.args.max_parts}, so not all is reviewed" for name in left]
        return Scope(
            parts={one.model: [sizes(task.part) for task in one.tasks] for one in reviewers if not one.fault},
            left_out=left,
            notes={source.path: source.note for source in self.under.sources if source.note},
            unasked={one.model: error_object(one.fault) for one in reviewers if one.fault},
            fail_on=self.args.fail_on,
            files=[asdict(file) for file in self.under.files.values()],
            warnings=(*self.under.warnings, *more),
        )

    # --- asking

    def _work(self, reviewers: Sequence[Reviewer]) -> int:
        """What a worker may do in place of this process: ask, write down, print."""
        from litellm_skill import gateway

        tasks = [task for one in reviewers for task in one.tasks]
        with self.journal.failing():
            inquiry.prepare([task.inquiry.plans[0] for task in tasks])
            document = gateway.run(self._reviewed(self._scope(reviewers), tasks))
            self.journal.finish(document, [], document["cost_usd"])
        return self._finish(document)

    async def _reviewed(self, scope: Scope, tasks: Sequence[Task]) -> dict[str, Any]:
        from litellm_skill import gateway

        gateway.load()
        began = time.monotonic()
        several = asyncio.Semaphore(1 if self.args.sequential else self.args.jobs)
        alone = {one.inquiry.plans[0].choice.access.host: asyncio.Lock() for one in tasks if _local(one)}
        running = [asyncio.ensure_future(self._report(task, several, alone)) for task in tasks]
        interrupted = not await all_done(running)
        reports = [one.result() for one in running]
        found = [findings.restored(row) for one in reports for row in one.found]
        stopped: Fault | None = Interrupted("interrupted", "ask again") if interrupted else None
        judge: dict[str, Any] | None = None
        usd: float | None = 0.0
        if self.args.merge_judge and not stopped:
            found, fault, usd = await self._by_meaning(found, tasks, reports)
            judge = {"judge": self.args.merge_judge, "error": error_object(fault) if fault else None}
            stopped = fault if isinstance(fault, Interrupted) else None
        else:
            found = findings.merged(found)
        document = critique.document(
            scope,
            reports,
            found,
            run_id=self.run_id,
            seconds=time.monotonic() - began,
            judge=judge,
            judge_usd=usd,
            fault=stopped,
        )
        document["result_file"] = self.journal.keep(critique.text(document), self.run_id)
        return document

    async def _by_meaning(
        self, found: Sequence[Finding], tasks: Sequence[Task], reports: Sequence[Report]
    ) -> merging.Merged:
        money, asked = self.args.max_cost, [task.inquiry for task in tasks]
        if money is not None:
            spent = [inquiry.spent_usd(*pair) for pair in zip(asked, (one.cost_usd for one in reports), strict=True)]
            money = max(0.0, money - sum(spent))
        aside = Aside(self.planner, self.journal, self.console)
        return await merging.by_meaning(found, self.args.merge_judge, aside, money)

    async def _report(self, task: Task, several: asyncio.Semaphore, alone: Mapping[Any, asyncio.Lock]) -> Report:
        """Never raises: what is wrong stands in it. A local server gets one question at a time."""
        choice = task.inquiry.plans[0].choice
        try:
            async with several, alone.get(choice.access.host) or asyncio.Semaphore():
                catalog = self.planner.chooser.catalog
                answer = (await inquiry.ask(task.inquiry, self.journal, catalog, self.console, _drop)).answer
        except Fault as fault:
            answer = Answer(task.model, fault=fault)
        except asyncio.CancelledError:
            answer = Answer(task.model, fault=Interrupted("interrupted", "ask again"))
        told = _told(task, answer)
        self.journal.piece(json.dumps(asdict(told), ensure_ascii=False) + "\n")
        self.journal.write(at_once=True)
        if self.console.err.isatty():
            end = answer.fault.message if answer.fault else f"{len(told.found)} findings; {report.summary(answer)}"
            self.console.note(f"{task.model}, part {task.number + 1}: {end}")
        return told

    # --- telling

    def _finish(self, document: dict[str, Any]) -> int:
        code = recall.tell(document, self.console)
        if self.args.usage:
            self.console.note(critique.head(document))
        safe = screen.redact_values(document, self.console.secrets)
        for name, text in self._pages(safe):
            code = results.write(getattr(self.args, name), text, name, self.console, force=self.args.force) or code
        return code

    def _pages(self, document: Any) -> list[tuple[str, str]]:
        """The files that are asked for, as text."""
        from litellm_skill import page, sarif

        view = {
            "review": document,
            "prompt": self.console.redact(self.under.asked.text),
            "date": date.today().isoformat(),
        }
        makers: dict[str, Callable[[], str]] = {
            "html": lambda: page.render("review.html.j2", view, markup=True),
            "md": lambda: page.render("review.md.j2", view, markup=False),
            "sarif": lambda: sarif.text(document),
            "out": lambda: critique.text(document),
        }
        return [(name, make()) for name, make in makers.items() if getattr(self.args, name)]


def _told(task: Task, answer: Answer) -> Report:
    """Its claims checked against what was sent; of a reply that is not whole, those that are."""
    seen = task.box.sources() if task.box else []
    proof = Evidence([*task.part, *seen])
    claims = findings.salvaged(answer.text) if answer.fault else findings.claims(answer.parsed)
    asked = task.inquiry.plans[0].conversation
    return Report(
        task.model,
        task.number,
        [findings.kept(proof.check(claim, task.model)) for claim in claims],
        error_object(answer.fault) if answer.fault else None,
        answer.spent_usd,
        asked.characters if answer.attempts else 0,
        task.box.sent() if task.box else (),
        [f"{task.model}: {line}" for line in answer.warnings],
    )


def _local(task: Task) -> bool:
    return task.inquiry.plans[0].choice.access.local


def _drop(_: str) -> None:
    """Nothing is shown as it comes: a claim is shown when it has been checked."""
