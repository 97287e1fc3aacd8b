"""The rows of a batch put to its models, many at once: asked, scored, written down. One event loop, bounded tasks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from litellm_skill import inquiry, scoring, screen
from litellm_skill.answer import Answer, Attempt, envelope
from litellm_skill.console import Console
from litellm_skill.conversation import Conversation
from litellm_skill.faults import BadInput, Fault, Interrupted, LimitReached, SecretFound
from litellm_skill.journal import Journal
from litellm_skill.lane import Lane
from litellm_skill.plan import Plan
from litellm_skill.planner import Planner
from litellm_skill.progress import Count, tell
from litellm_skill.prompt import Prompt
from litellm_skill.purse import Hold, Purse
from litellm_skill.records import Records
from litellm_skill.rows import Row
from litellm_skill.tally import Found, Tally

TOO_LONG = "the pattern took too long"


@dataclass(frozen=True)
class Score:
    """``value``: 1 right, 0 wrong; None where that could not be told, and why."""

    value: float | None
    by: str
    reason: str | None = None


@dataclass
class Works:
    """``read``: a row's prompt, of which every file was read and every secret looked for. ``judge``: a lane of its own,
    whose rows are answers; None without one. ``fault``: why the whole of it ended early."""

    run_id: str
    lanes: Sequence[Lane]
    jobs: int
    planner: Planner
    judging: Callable[[Row, str], tuple[Planner, Prompt]]
    judge: Lane | None
    scorer: str | None
    read: Callable[[Row], Prompt]
    journal: Journal
    purse: Purse
    records: Records
    tally: Tally
    console: Console
    fault: Fault | None = None
    _several: asyncio.Semaphore = field(init=False)

    async def run(self) -> None:
        """Until every row is done, the money is gone, or it is interrupted. Never raises a Fault."""
        self._several = asyncio.Semaphore(self.jobs)
        workers = [
            asyncio.ensure_future(self._serve(lane)) for lane in self.lanes for _ in range(min(self.jobs, lane.rows))
        ]
        told = asyncio.ensure_future(tell(self._count, self.console))
        try:
            if workers:
                await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError:
            self.fault = Interrupted("interrupted", "run the same command again: it goes on from what is in --out")
        finally:
            for task in (*workers, told):
                task.cancel()
            ends = await asyncio.gather(*workers, told, return_exceptions=True)
        for bug in (end for end in ends if isinstance(end, Exception)):
            raise bug

    def _count(self) -> Count:
        lanes = self.lanes
        total, done = sum(lane.rows for lane in lanes), sum(lane.done for lane in lanes)
        return Count(total, done, sum(lane.failed for lane in lanes), self.purse.spent)

    async def _serve(self, lane: Lane) -> None:
        """One of several that take the lane's rows in turn."""
        try:
            for row in lane.todo:
                if lane.given_up or self.fault:
                    return
                await self._row(lane, row)
        except Fault as fault:  # of the batch, not of a row: what is under way comes to its end
            self.fault = self.fault or fault

    async def _row(self, lane: Lane, row: Row) -> None:
        found = self.tally.find(row.id, lane.name)
        if found and found.ok and (document := self.records.read(found.at)):
            await self._score_again(lane, row, document)
            return
        try:
            prompt = self.read(row)
        except (BadInput, SecretFound) as fault:
            self._write(lane, row, Answer(lane.name, fault=fault), None, None)
            return
        asked = await self._asked(lane, prompt, self.planner)
        if asked is None:
            return
        answer, sent = asked
        try:
            score = await self._scored(row, answer)
        except asyncio.CancelledError:  # the answer is paid for: the judge is asked when the batch goes on
            self._write(lane, row, answer, sent, None)
            raise
        self._write(lane, row, answer, sent, score)

    async def _score_again(self, lane: Lane, row: Row, document: dict[str, Any]) -> None:
        answer = Answer(lane.name, text=document.get("text") or "")
        score = await self._scored(row, answer)
        if score is not None:
            self._record({**document, "score": vars(score)})
        lane.count(answer)

    async def _asked(self, lane: Lane, prompt: Prompt, planner: Planner) -> tuple[Answer, Conversation | None] | None:
        """As often as a rate limit wants; None when there is no money, or the model was given up meanwhile."""
        before: tuple[Attempt, ...] = ()
        tries = 0
        while not (self.fault or lane.given_up):
            entered = await lane.throttle.enter()
            try:
                async with self._several:
                    answer, sent = await self._once(lane, prompt, planner)
            finally:
                lane.throttle.leave()
            tries += 1
            wait = lane.wait(answer, entered, tries)
            answer = replace(answer, attempts=(*before, *answer.attempts))
            if wait is None:
                return None if isinstance(answer.fault, _NoMoney) else (answer, sent)
            before = answer.attempts
            await asyncio.sleep(wait)
        return None

    async def _once(self, lane: Lane, prompt: Prompt, planner: Planner) -> tuple[Answer, Conversation | None]:
        try:
            planned, hold = await self._funded(lane, prompt, planner)
        except Fault as fault:
            return Answer(lane.name, fault=fault), None
        answer = Answer(lane.name, fault=Interrupted("interrupted"), billed=True)
        try:
            answer = await self._answer(lane, planned, hold, planner)
        except Fault as fault:
            answer = Answer(lane.name, fault=fault)
        finally:
            self.purse.settle(hold, answer.spent_usd, billed=answer.billed)
        if isinstance(answer.fault, Interrupted):
            raise asyncio.CancelledError
        return answer, planned.conversation

    async def _answer(self, lane: Lane, planned: Plan, hold: Hold, planner: Planner) -> Answer:
        """Raises BadInput when a parameter is refused."""
        limited = planned.output_limit is not None and self.purse.limited
        asked = planner.inquiry(
            [planned],
            self.run_id,
            None,
            lane.timeout,
            max_usd=hold.usd if limited and hold.usd else None,
            file=False,
            pieces=False,
            one_of_many=True,
        )
        catalog = planner.chooser.catalog
        outcome = await inquiry.ask(asked, self.journal, catalog, self._hushed, _drop)
        return outcome.answer

    @cached_property
    def _hushed(self) -> Console:
        """A thousand rows must not tell of every retry."""
        return self.console if self.console.verbose else replace(self.console, quiet=True)

    async def _funded(self, lane: Lane, prompt: Prompt, planner: Planner) -> tuple[Plan, Hold]:
        """Raises what keeps the row from being asked. Where the money that is free is too little, calls under way may
        yet cost less than is held for them; only when there are none is an answer limited to what it buys."""
        while True:
            try:
                planned = planner.again(lane.choice, prompt)
                if not (planned.notes and self.purse.in_flight):
                    return planned, self.purse.hold(planned.worst_usd)
            except LimitReached as fault:
                if not self.purse.limited:
                    raise
                if not self.purse.in_flight:
                    self.fault = self.fault or _NoMoney(fault.message, fault.hint)
                    raise _NoMoney(fault.message) from fault
            await self.purse.next_settled()

    async def _scored(self, row: Row, answer: Answer) -> Score | None:
        """Only whole answers are: one that failed is neither right nor wrong."""
        if self.scorer is None or row.expected is None or answer.fault:
            return None
        if self.judge is None:
            score = partial(scoring.SCORERS[self.scorer], answer.text, row.expected)
            right = await asyncio.to_thread(score) if self.scorer in scoring.BLOCKING else score()
            return Score(None if right is None else float(right), self.scorer, None if right is not None else TOO_LONG)
        return await self._judged(self.judge, row, answer)

    async def _judged(self, judge: Lane, row: Row, answer: Answer) -> Score | None:
        """None when the batch ends before the judge could be asked."""
        from litellm_skill import grading

        planner, prompt = self.judging(row, answer.text)
        asked = await self._asked(judge, prompt, planner)
        if asked:
            judge.count(asked[0])
        elif judge.given_up is None:
            return None
        fault = asked[0].fault if asked else judge.given_up
        said = grading.read(asked[0].parsed) if asked and fault is None else None
        if said is None:
            return Score(None, judge.name, fault.message if fault else "the judge's reply is of no use")
        return Score(float(said[0]), judge.name, said[1])

    def _write(self, lane: Lane, row: Row, answer: Answer, sent: Conversation | None, score: Score | None) -> None:
        """Raises BadInput when the file cannot be written."""
        answer = replace(answer, run_id=self.run_id)
        status, *rest = envelope(answer, sent).items()
        scored = vars(score) if score else None
        own = {"id": row.id, "model": lane.name}
        document = dict([status, *own.items(), *rest]) | {"row": row.digest, "expected": row.expected, "score": scored}
        self._record(document)
        lane.count(answer)

    def _record(self, document: dict[str, Any]) -> None:
        line = json.dumps(document, ensure_ascii=False)
        if self.console.redact(line) != line:
            line = json.dumps(screen.redact_values(document, self.console.secrets), ensure_ascii=False)
        self.tally.take(document, self.records.write(line))


class _NoMoney(LimitReached):
    """For one more call."""


def todo(rows: Iterator[Row], model: str, tally: Tally, *, scored: bool, again: bool) -> Iterator[Row]:
    """Those without an answer of the model, or, where answers are ``scored``, whose score nobody has looked for. What
    failed only ``again``. Raises BadInput for a row that is not what was answered under its id."""
    for row in rows:
        found = tally.find(row.id, model)
        if found and found.digest != row.digest:
            what = f"line {row.line}: the row {row.id!r} is not what --out holds a result of"
            raise BadInput(what, "give it another id, or the batch another --out")
        if found is None or (again and not found.ok) or (scored and found.ok and _wants_score(row, found, again)):
            yield row


def _wants_score(row: Row, found: Found, again: bool) -> bool:
    return row.expected is not None and not found.scored and (again or not found.tried)


def _drop(_: str) -> None:
    """Nothing is shown as it comes."""
