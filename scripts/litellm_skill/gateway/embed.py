"""Vectors of texts: several requests at once, each tried again after a passing fault, handed out in their order."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType

from litellm_skill import faults, vectors
from litellm_skill.answer import Attempt
from litellm_skill.faults import Circumstances, DeadlinePassed, Fault, Interrupted, LimitReached, PromptTooLong
from litellm_skill.gateway import library, transport
from litellm_skill.gateway.embedder import Batch, Embedded, Embedder, Shape, reads_as_file, request
from litellm_skill.gateway.limits import Limits
from litellm_skill.gateway.transport import Traffic
from litellm_skill.providers import DEMO
from litellm_skill.texts import MARGIN, Text

HEARTBEAT = 30.0  # seconds; Gemini CLI ends a command that is silent for 300
GRACE = 0.5  # seconds; the reader of a pipe gives up by itself, and says more
AHEAD = 2  # batches that are read for each request under way, and no more: a file may have millions of lines
ENOUGH = 3  # batches that fail one after the other, before the others are not even tried
HOPELESS = (faults.NotSetUp, faults.UnknownModel, faults.Forbidden, Interrupted)
MAY_CUT = ("gemini", "vertex_ai")  # a text that is too long, and LiteLLM has no way to forbid it
REFUSED = (faults.BadInput, PromptTooLong, faults.PolicyRefusal)  # which may be for one of the texts alone


@dataclass(frozen=True)
class End:
    """How it ended. ``fault``: one of the input, or the user's own stop; ``unread``: not all of the input was read."""

    fault: Fault | None
    unread: bool
    attempts: tuple[Attempt, ...]
    warnings: tuple[str, ...]


async def embed(embedder: Embedder, batches: Iterator[Batch], take: Callable[[Embedded], None]) -> End:
    """Read ``batches`` as they are needed and give ``take`` what became of each, in their order.

    Never raises for what a provider does. A fault of the input is raised when nothing has been sent by then; later it
    is the end's, and what had been read is still embedded.
    """
    course = _Course(embedder, Limits(time.monotonic() + embedder.timeout, embedder.timeout), take)
    heartbeat = asyncio.ensure_future(course.beat())
    try:
        await course.run(batches)
    except asyncio.CancelledError:
        course.interrupt()
    finally:
        heartbeat.cancel()
    return End(course.fault, course.unread, tuple(course.attempts), tuple(course.warnings))


@dataclass
class _Course:
    """What has happened so far, and what follows from it. ``stop``: why no other request is made."""

    embedder: Embedder
    limits: Limits
    take: Callable[[Embedded], None]
    litellm: ModuleType | None = None
    fault: Fault | None = None
    stop: Fault | None = None
    unread: bool = True
    failures: int = 0  # in a row
    succeeded: bool = False
    spent_usd: float = 0.0  # by requests that are over, and at most by those under way
    embedded: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    sent: deque[tuple[Batch, asyncio.Task[list[Embedded]]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.shape = Shape(max(1.0, self.limits.left), self.embedder.dimensions)
        self.slots = asyncio.Semaphore(self.embedder.concurrency)
        self.room = asyncio.Semaphore(AHEAD * self.embedder.concurrency)
        self.news = asyncio.Event()

    async def run(self, batches: Iterator[Batch]) -> None:
        """The first batches are read before any is sent, so that a bad line among them costs nothing."""
        head: list[Batch] = []
        while len(head) < AHEAD * self.embedder.concurrency and (batch := await self._next(batches)):
            head.append(batch)
        self._check_price(head)
        if self.embedder.access.provider.name != DEMO:
            self.litellm = library.load()
            # LiteLLM takes it in place of a max_retries of 0.
            self.litellm.DEFAULT_MAX_RETRIES = 0  # type: ignore[attr-defined]
        reader = asyncio.ensure_future(self._send_all(head, batches))
        try:
            while not reader.done() or self.sent:
                await self._hand_out()
            await reader
        finally:
            reader.cancel()

    def interrupt(self) -> None:
        """What is there is handed out; what is under way is not waited for."""
        self.fault = Interrupted("interrupted", "what is printed is whole; embed the rest again")
        while self.sent:
            batch, task = self.sent.popleft()
            done = task.done() and not task.cancelled()
            self._give(task.result() if done else [Embedded(batch, fault=self.fault)])

    async def _next(self, batches: Iterator[Batch]) -> Batch | None:
        """Read in a thread, for a pipe may be slow: what is under way meanwhile must go on."""
        work = asyncio.get_running_loop().run_in_executor(None, next, batches, None)
        try:
            batch = await asyncio.wait_for(work, max(0.0, self.limits.left) + GRACE)
        except TimeoutError:
            what = f"the input did not come to its end within {self.limits.timeout:g} s"
            raise DeadlinePassed(what, "raise --timeout") from None
        self.unread = batch is not None
        return batch

    async def _send_all(self, head: Sequence[Batch], rest: Iterator[Batch]) -> None:
        try:
            for first in head:
                await self._send(first)
            while self.unread and not (self.stop or self._too_late()) and (batch := await self._next(rest)):
                await self._send(batch)
        except Fault as fault:
            self.fault = fault
        finally:
            self.news.set()

    async def _send(self, batch: Batch) -> None:
        await self.room.acquire()
        task = asyncio.ensure_future(self._embed(batch))
        task.add_done_callback(lambda _: self.news.set())
        self.sent.append((batch, task))

    async def _hand_out(self) -> None:
        """All that is next in order and there; waits until something is."""
        if not (self.sent and self.sent[0][1].done()):
            self.news.clear()
            await self.news.wait()
        while self.sent and self.sent[0][1].done():
            self._give(self.sent.popleft()[1].result())
            self.room.release()

    def _give(self, results: list[Embedded]) -> None:
        for result in results:
            self.embedded += len(result.vectors)
            self.take(result)

    async def _embed(self, batch: Batch) -> list[Embedded]:
        async with self.slots:
            return await self._whole_or_halves(batch)

    async def _whole_or_halves(self, batch: Batch) -> list[Embedded]:
        """What is refused may be too many texts, or one of them: the others must not suffer."""
        result = await self._persist(batch)
        if not isinstance(result.fault, REFUSED) or len(batch) == 1 or self.stop:
            self._judge(result.fault)
            return [result]
        middle = len(batch) // 2
        return [*await self._whole_or_halves(batch[:middle]), *await self._whole_or_halves(batch[middle:])]

    def _judge(self, fault: Fault | None) -> None:
        """After some faults no other request can succeed. One text that is refused says nothing of the others, unless
        nothing has been taken at all."""
        if fault is None:
            self.failures, self.succeeded = 0, True
            return
        about_the_text = isinstance(fault, PromptTooLong) or (isinstance(fault, REFUSED) and self.succeeded)
        self.failures += not about_the_text
        hopeless = isinstance(fault, HOPELESS) or (isinstance(fault, LimitReached) and not fault.retryable)
        if hopeless or self.failures >= ENOUGH:
            self.stop = self.stop or fault

    async def _persist(self, batch: Batch) -> Embedded:
        """Ask until the vectors are there, or until trying again is of no use."""
        tokens = sum(text.tokens for text in batch)
        result = Embedded(batch)
        for retry in range(self.embedder.retries + 1):
            worst = self.embedder.worst_usd(math.ceil(tokens * MARGIN))
            fault = self.stop or self._too_late() or await self._admitted(tokens) or self._unaffordable(worst)
            if fault:
                return replace(result, fault=result.fault or fault)
            try:
                settle = self.embedder.reserve(worst)
            except LimitReached as refusal:
                return replace(result, fault=refusal)
            result = await self._try(batch, worst, settle)
            wait = self._wait(result.fault, retry)
            if wait is None or result.fault is None:
                break
            self._note(f"{result.fault.message}; trying again in {wait:.1f} s")
            await asyncio.sleep(wait)
        return result

    def _wait(self, fault: Fault | None, retry: int) -> float | None:
        """Seconds until the next try, or None when there is none."""
        if fault is None or not fault.retryable or retry == self.embedder.retries:
            return None
        return self.limits.wait(fault, retry)

    def _too_late(self) -> Fault | None:
        if self.limits.left > 0:
            return None
        what = f"{self.limits.timeout:g} s were over before all was sent"
        return DeadlinePassed(what, "raise --timeout, or embed the rest again")

    async def _admitted(self, tokens: int) -> Fault | None:
        """Sleep until a rate limit lets this request pass; the fault when that would take too long."""
        try:
            wait = self.embedder.admit(tokens, self.limits.left)
        except LimitReached as fault:
            fault.retryable = False  # for this command
            return fault
        if wait > 0:
            self._note(f"waiting {wait:.0f} s for the rate limit")
        await asyncio.sleep(wait)
        return None

    def _unaffordable(self, usd: float | None) -> Fault | None:
        most = self.embedder.max_usd
        if most is None or usd == 0 or (usd is not None and self.spent_usd + usd <= most):
            return None
        if usd is None:
            what = f"the price of {self.embedder.model.id} is unknown, so --max-cost cannot hold"
            return LimitReached(what, "state its price in ~/.config/litellm-skill/models.toml, or leave out --max-cost")
        return LimitReached(
            f"--max-cost {most:g} does not suffice for all of the texts", "raise --max-cost, or send less"
        )

    def _check_price(self, head: Sequence[Batch]) -> None:
        """Raises LimitReached when what has been read may cost too much, before anything is sent."""
        tokens = sum(text.tokens for batch in head for text in batch)
        if fault := self._unaffordable(self.embedder.worst_usd(math.ceil(tokens * MARGIN))):
            raise fault

    async def _try(self, batch: Batch, worst: float | None, settle: Callable[[float | None], None]) -> Embedded:
        """One request. Never raises for what a provider does; ``CancelledError`` passes."""
        began = time.monotonic()
        result = Embedded(batch, fault=Interrupted("interrupted"))
        self.spent_usd += worst or 0.0
        with transport.watched() as traffic:
            try:
                result = await self._request(batch, traffic)
            except Exception as error:
                result = Embedded(batch, fault=_advised(faults.classify(error, self._circumstances(traffic))))
            finally:
                cost = self._cost(result, traffic)
                self.spent_usd += 0.0 if cost is None else cost - (worst or 0.0)
                settle(cost)
                self._record(result.fault, time.monotonic() - began)
        return result

    def _cost(self, result: Embedded, traffic: Traffic) -> float | None:
        """USD; None where that is not known. What was refused costs nothing."""
        if not traffic.sent or traffic.reply is not None:
            return 0.0
        if result.cost_usd is not None:
            return result.cost_usd
        return None if result.tokens is None else self.embedder.worst_usd(result.tokens)

    def _record(self, fault: Fault | None, seconds: float) -> None:
        kind, status = (fault.type, fault.http_status) if fault else (None, None)
        outcome = "error" if fault else "ok"
        self.attempts.append(Attempt(self.embedder.model.id, outcome, kind, status, round(seconds, 3)))

    async def _request(self, batch: Batch, traffic: Traffic) -> Embedded:
        if self.litellm is None:
            return Embedded(batch, tuple(vectors.demo(text.text, self.embedder.dimensions) for text in batch))
        for text in batch:
            self._look_at(text)
        return await request(self.litellm, self.embedder, batch, self.limits.deadline, traffic, self.shape)

    def _look_at(self, text: Text) -> None:
        model, access = self.embedder.model, self.embedder.access
        if reads_as_file(text, access):
            what = "begins like the address of a file, which LiteLLM would send in its place"
            self.warnings[f"{text.source} {what}: a space was put before it"] = None
        if access.provider.name in MAY_CUT and model.context is not None and text.tokens > model.context:
            what = f"is about {text.tokens:,} tokens, and {model.id} reads {model.context:,}"
            self.warnings[f"{text.source} {what}: the rest may have been left out"] = None

    def _circumstances(self, traffic: Traffic) -> Circumstances:
        access = self.embedder.access
        return Circumstances(
            model=self.embedder.model.id,
            host=access.host or access.provider.name,
            key_name=access.key_name,
            timeout=self.limits.timeout,
            text_came=False,
            answered=traffic.answered,
            reply=traffic.reply,
            redact=self.embedder.redact,
        )

    async def beat(self) -> None:
        """One line for every so many seconds."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            self._note(f"still at work, {self.embedded:,} texts so far")

    def _note(self, text: str) -> None:
        self.embedder.note(f"{self.embedder.model.id}: {text}")


def _advised(fault: Fault) -> Fault:
    """The same fault, with the advice that helps here."""
    if isinstance(fault, PromptTooLong):
        fault.hint = "cut the text into pieces, or take a model that reads more"
    if isinstance(fault, faults.IncompleteAnswer):
        fault.hint = "lower --batch-size"
    return fault
