"""Many prompts from a file, put to one or more models: from the command line to the file of results."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any

from litellm_skill import (
    command,
    demo,
    inquiry,
    intake,
    ledger,
    recall,
    results,
    scoring,
    screen,
    standings,
    survey,
)
from litellm_skill import prompt as prompts
from litellm_skill import rows as rows_
from litellm_skill import run as running
from litellm_skill import settings as settings_
from litellm_skill.answer import Answer, envelope
from litellm_skill.choice import Choice
from litellm_skill.console import Console
from litellm_skill.faults import BadInput, Fault, PromptTooLong, SecretFound
from litellm_skill.history import NewRun
from litellm_skill.intake import Extras
from litellm_skill.journal import Journal
from litellm_skill.lane import Lane
from litellm_skill.plan import Plan
from litellm_skill.planner import Planner
from litellm_skill.prompt import Inputs, Prompt
from litellm_skill.purse import Purse
from litellm_skill.quantity import per_minute
from litellm_skill.records import Records
from litellm_skill.rows import Row, Shard, Source
from litellm_skill.screen import Part
from litellm_skill.settings import Settings
from litellm_skill.tally import Tally
from litellm_skill.throttle import Throttle
from litellm_skill.works import Works, todo

MAX_JOBS = 256
LONGEST_S = 30 * 86_400.0  # of a run whose process nobody can be asked about
STAND_IN = "a row"  # where the prompt of a single call would be
JUDGE = "judge"
# What belongs to one prompt, not to many.
SINGLE = {
    **{"prompt": "PROMPT", "prompt_file": "--prompt-file", "go_on": "--continue", "thread": "--thread"},
    **{"functions": "--functions", "council": "--council", "synthesize": "--synthesize", "rubric": "--rubric"},
    **{"html": "--html", "md": "--md"},
}


def add_flags(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("many prompts; see references/scale.md")
    group.add_argument("--batch", metavar="FILE", help="rows of prompts, JSON lines or CSV; results go to --out FILE")
    group.add_argument("--template", metavar="FILE", help="a prompt with {column}s, filled in from each row")
    group.add_argument("--rpm", type=per_minute, metavar="N", help="start at most N calls a minute, each model")
    group.add_argument(
        "--retry-errors", action="store_true", help="ask again for rows that failed, or could not be scored"
    )
    group.add_argument("--shard", type=shard, default=Shard(), metavar="I/N", help="only the I-th of N parts, from 1")
    group.add_argument(
        "--score", choices=[*scoring.SCORERS, JUDGE], help="how answers are compared with the column expected"
    )


def shard(text: str) -> Shard:
    """An argparse type."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    number, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= of:
        raise argparse.ArgumentTypeError(f"{text!r} is not I/N with I from 1 to N")
    return Shard(number, of)


def run(args: argparse.Namespace, at_hand: Settings, console: Console) -> int:
    """The exit code of the whole command."""
    _check_flags(args)
    around = intake.look_around(args, at_hand, console)
    source = Source(Path(args.batch), rows_.read_template(args.template) if args.template else None, args.shard)
    if not args.allow_secrets:
        screen.refuse(screen.scan([Part("the template", source.template or "")], console.secrets))
    stand_in = argparse.Namespace(**{**vars(args), "prompt": STAND_IN})
    shared, extras = intake.read(stand_in, around.rules, around.console)
    run_id = results.new_run_id()
    with closing(Journal(os.environ, at_hand, around.keeps, around.console)) as diary:
        budget = ledger.budget(at_hand)
        purse = Purse(run_id, args.max_cost, budget, os.environ, around.console.note, records=around.keeps)
        with closing(purse):
            planner = Planner(args, extras, around.chooser, around.rules, purse.free)
            batch = _Batch(args, source, shared, planner, diary, purse, around.console, run_id)
            return batch.show() if args.dry_run else batch.make()


def _check_flags(args: argparse.Namespace) -> None:
    """Raises BadInput."""
    for name, flag in SINGLE.items():
        if vars(args).get(name):
            raise BadInput(f"{flag} is for one prompt, and --batch has many", "leave it out")
    if not args.out and not args.dry_run:
        raise BadInput("--batch needs --out FILE: the results go there, and it goes on from there", "add --out FILE")
    for name in ("batch", "template"):
        if args.out and (path := vars(args)[name]) and os.path.realpath(path) == os.path.realpath(args.out):
            raise BadInput(f"--out and --{name} are one file: {path}", "name another --out")
    if vars(args).get("repeat", 1) != 1:
        raise BadInput("--repeat is for one prompt", "give the rows of the batch more than once, by other ids")
    if args.jobs > MAX_JOBS:
        raise BadInput(f"-j {args.jobs}: at most {MAX_JOBS}", "run shards on several machines: --shard I/N")
    if (args.score == JUDGE) != bool(args.judge):
        raise BadInput("--score judge and --judge MODEL belong together in a batch", "give both, or neither")


@dataclass(frozen=True)
class _Batch:
    """One batch, and all that it needs. ``shared``: what is sent with every row."""

    args: argparse.Namespace
    source: Source
    shared: Prompt
    planner: Planner
    journal: Journal
    purse: Purse
    console: Console
    run_id: str

    def show(self) -> int:
        """What would be sent where, and what all of it may cost."""
        count, first = survey.survey(self.source, self.args.score, self.console.note)
        plans = self._plans(first)
        estimates = [self._estimate(planned) for planned in plans]
        if self.console.json:
            self.console.document(standings.plan_document(count, plans, estimates))
        else:
            self.console.show(standings.plan_text(count, plans, estimates))
        return 0

    def make(self) -> int:
        how = running.way(self.args, self.journal, self.console)
        count, first = survey.survey(self.source, self.args.score, self.console.note)
        plans = self._plans(first)
        judge = self._judge(first)
        header = self._header(plans, judge)
        with closing(Tally()) as tally:  # refused now, not by a worker that nobody may be watching
            Records(Path(self.args.out), header, tally, force=self.args.force).close()
        settings_.export(self.planner.chooser.settings)
        for line in (line for planned in plans for line in planned.choice.warnings):
            self.console.note(f"warning: {line}")
        self.journal.begin(self._new_run(plans, count))
        self.purse.close()
        with self.journal.failing():
            work = partial(self._work, plans, judge, count, header)
            return running.do(work, how, self.args, self.journal, self.run_id, self.console)

    def _plans(self, first: Row) -> list[Plan]:
        """Of the first row, for each model. Raises why one of them cannot be asked: nothing has been paid yet."""
        named = [*self.args.model, *(name.strip() for name in (self.args.models or "").split(","))]
        names: list[str | None] = [name for name in named if name]
        names = names or [demo.MODEL if self.args.demo else None]
        choices = [self.planner.chooser.choose(name) for name in names]
        try:
            prompt = self._read(first)
        except (BadInput, SecretFound):  # the row's own fault, told where its result would be
            prompt = Prompt((Part(STAND_IN, STAND_IN),))
        return [self._plan(choice, prompt) for choice in {choice.name: choice for choice in choices}.values()]

    def _plan(self, choice: Choice, prompt: Prompt) -> Plan:
        """A first row that the model cannot take, as it is too long for it, is told where its result would be, too."""
        try:
            return self.planner.plan(choice, prompt)
        except (BadInput, PromptTooLong):
            return self.planner.plan(choice, Prompt((Part(STAND_IN, STAND_IN),)))

    def _read(self, row: Row) -> Prompt:
        """With the row's own files. Raises BadInput or SecretFound."""
        own = Prompt((), None)
        if row.files:
            folder = self.source.path.resolve().parent
            _check_inside(row.files, folder, self.args.allow_path)
            named = Inputs(STAND_IN, files=row.files, allow_paths=tuple(self.args.allow_path))
            own = prompts.read(named, stdin=None, directory=folder)
        text = Part(f"row {row.id}", row.prompt)
        system = Part(f"the system prompt of row {row.id}", row.system) if row.system else None
        own = replace(own, content=(text, *own.content[1:]), system=system)
        if not self.args.allow_secrets:
            screen.refuse(screen.scan(own.parts, self.console.secrets))
        return Prompt(
            (text, *self.shared.content[1:], *own.content[1:]),
            system or self.shared.system,
            (*self.shared.files, *own.files),
            (*self.shared.media, *own.media),
        )

    def _judge(self, first: Row) -> Plan | None:
        if self.args.score != JUDGE:
            return None
        planner, prompt = self._judging(first, "")
        return planner.plan(self.planner.chooser.choose(self.args.judge), prompt)

    def _judging(self, row: Row, answer: str) -> tuple[Planner, Prompt]:
        """What the judge is asked of an answer, and by which planner: with a schema of its own."""
        from litellm_skill import grading, structure

        system, text = grading.question(row.prompt, row.expected or "", answer, SystemRandom())
        schema = structure.Schema(grading.SCHEMA, "score")
        prompt = Prompt((Part("the answer", text),), Part("the task of the judge", system))
        return replace(self.planner, extras=Extras(schema=schema)), prompt

    def _header(self, plans: Sequence[Plan], judge: Plan | None) -> dict[str, Any]:
        """What must be the same for results to stand in one file."""
        extras, system = self.planner.extras, self.shared.system
        options = {
            "generation": dict(command.generation(self.args)),
            "system": _digest(system.text if system else None),
            "template": _digest(self.source.template),
            "attached": [_digest(part.text) for part in self.shared.content[1:]]
            + [file.sha256 for file in self.shared.files],
            "beside": _digest(extras.text or None),
            "strict_params": self.args.strict_params,
            "score": self.args.score,
            "judge": judge.choice.name if judge else None,
        }
        return {"models": sorted(planned.choice.name for planned in plans), "options": options}

    def _new_run(self, plans: Sequence[Plan], count: int) -> NewRun:
        model = ", ".join(planned.choice.name for planned in plans)
        out = os.path.abspath(self.args.out)
        said = f"batch {self.args.batch}: {count:,} rows{self.source.shard.told}, results in {out}"
        unanswered = Answer(model, run_id=self.run_id, result_file=out)
        return NewRun(
            id=self.run_id,
            script=Path(sys.argv[0]).name,
            directory=os.getcwd(),
            model=model,
            thread=None,
            turn=None,
            messages=[{"role": "user", "content": self.console.redact(said)}],
            envelope=envelope(unanswered, None),
            until=time.time() + LONGEST_S,
        )

    def _work(self, plans: Sequence[Plan], judge: Plan | None, count: int, header: Mapping[str, Any]) -> int:
        """What a worker may do in place of this process: ask, write down, print."""
        from litellm_skill import gateway

        with self.journal.failing(), closing(self.purse), closing(Tally()) as tally:
            with closing(Records(Path(self.args.out), header, tally)) as records:
                inquiry.prepare([*plans, *([judge] if judge else [])])
                gateway.load()
                began = time.monotonic()
                records.begin()
                works = self._works(plans, judge, count, records, tally)
                gateway.run(works.run())
                self.purse.flush()
            document = self._document(works, tally, count, time.monotonic() - began)
            self.journal.finish(document, [], 0.0)  # the purse has told the ledger
        return recall.tell(document, self.console)

    def _works(self, plans: Sequence[Plan], judge: Plan | None, count: int, records: Records, tally: Tally) -> Works:
        if records.skipped:
            self.console.note(f"warning: {records.skipped} lines of {records.path} cannot be read: they do not count")
        return Works(
            run_id=self.run_id,
            lanes=[self._lane(planned.choice, tally) for planned in plans],
            jobs=self.args.jobs,
            planner=self.planner,
            judging=self._judging,
            judge=replace(self._lane(judge.choice, tally), todo=iter(())) if judge else None,
            scorer=self.args.score,
            read=self._read,
            journal=self.journal,
            purse=self.purse,
            records=records,
            tally=tally,
            console=self.console,
        )

    def _lane(self, choice: Choice, tally: Tally) -> Lane:
        scored = self.args.score is not None
        left_of = partial(todo, model=choice.name, tally=tally, scored=scored, again=self.args.retry_errors)
        left = sum(1 for _ in left_of(self.source.rows()))
        timeout = running.timeout(self.args, running.Way.HERE, local=choice.access.local)
        throttle = Throttle(self.args.jobs, self.args.rpm)
        return Lane(choice, timeout, throttle, left_of(self.source.rows()), left)

    def _document(self, works: Works, tally: Tally, count: int, seconds: float) -> dict[str, Any]:
        summary = standings.Summary(
            count,
            [tally.standing(lane.name) for lane in works.lanes],
            {lane.name: lane.given_up for lane in works.lanes if lane.given_up},
            works.fault,
            sum(lane.done for lane in works.lanes),
            None if self.purse.unknown else self.purse.spent,
            self.purse.known,
            seconds,
        )
        fault = standings.failure(summary)
        answer = Answer(
            ", ".join(lane.name for lane in works.lanes),
            text=standings.text(summary),
            cost_usd=None if self.purse.unknown else self.purse.spent,
            latency_s=round(seconds, 3),
            warnings=tuple(self.journal.warnings),
            run_id=self.run_id,
            result_file=os.path.abspath(self.args.out),
            fault=fault,
        )
        return {
            **envelope(answer, None),
            "status": standings.status(summary),
            "batch": standings.document(summary),
        }

    def _estimate(self, planned: Plan) -> tuple[float | None, float | None]:
        """Likely and worst cost (USD) of all rows; None when a price is unknown."""
        likely, worst = 0.0, 0.0
        known = planned.likely_usd is not None, planned.worst_usd is not None
        for row in self.source.rows():
            try:
                one = self.planner.again(planned.choice, self._read(row))
            except Fault:
                continue
            likely, worst = likely + (one.likely_usd or 0.0), worst + (one.worst_usd or 0.0)
        return likely if known[0] else None, worst if known[1] else None


def _check_inside(files: Sequence[str], folder: Path, allowed: Sequence[str]) -> None:
    """A row's files lie below the folder of the batch file: rows may come from anywhere."""
    for name in files:
        path = folder / name
        outside = ".." in Path(name).parts or not path.is_relative_to(folder)
        if outside and not screen.is_allowed(path, folder, [str(Path.cwd() / one) for one in allowed]):
            what = f"{name} is not below the folder of the batch file"
            raise BadInput(what, "put it there, or add --allow-path for it")


def _digest(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
