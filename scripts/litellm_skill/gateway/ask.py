"""One answer from a list of models: retries, waits and fallbacks, all of it told in ``attempts``."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from litellm_skill import faults
from litellm_skill.answer import Answer, Attempt
from litellm_skill.faults import DeadlinePassed, Fault, Interrupted, LimitReached
from litellm_skill.gateway import library, parameters
from litellm_skill.gateway.attempt import Limits, Question, attempt
from litellm_skill.gateway.reply import Received

FIRST_WAIT = 0.5  # seconds; doubled with every retry, and jittered
# Another model helps against everything but these: what we did wrong, a refusal by policy, the user's own stop.
NO_FALLBACK = (faults.BadInput, faults.PolicyRefusal, Interrupted)


@dataclass(frozen=True)
class Patience:
    """Seconds: ``timeout`` over everything; ``heartbeat`` of silence, after which a line says that it still waits
    (Gemini CLI ends a command that is silent for 300). ``retries``: per model. ``max_usd``: for the sum of all.
    """

    timeout: float = 100.0
    heartbeat: float = 30.0
    retries: int = 2
    max_usd: float | None = None
    strict_parameters: bool = False


@dataclass(frozen=True)
class Listener:
    """``text`` gets each piece of the answer as it comes, ``note`` a line for every wait; ``redact`` takes keys out of
    what a provider said."""

    text: Callable[[str], None]
    note: Callable[[str], None]
    redact: Callable[[str], str]


async def ask(questions: Sequence[Question], patience: Patience, listener: Listener) -> Answer:
    """The first model's answer, or a fallback's. Never raises for what a provider does: ``Answer.fault`` says what went
    wrong, beside whatever text came before. Raises BadInput when a strict parameter is refused."""
    began = time.monotonic()
    litellm = library.load()
    for question in questions:
        library.know(litellm, question.model)
    fitted = [parameters.fit(litellm, question, strict=patience.strict_parameters) for question in questions]
    limits = Limits(began + patience.timeout, patience.timeout)
    course = _Course(litellm, patience, limits, listener, questions[0])
    heartbeat = asyncio.ensure_future(course.beat())
    try:
        await course.run(fitted)
    except asyncio.CancelledError:
        course.fault = Interrupted("interrupted", "the text so far is kept" if course.received.text else "ask again")
    finally:
        heartbeat.cancel()
    return course.answer(questions[0])


@dataclass
class _Course:
    """What has happened so far, and what follows from it."""

    litellm: ModuleType
    patience: Patience
    limits: Limits
    listener: Listener
    question: Question
    dropped: tuple[str, ...] = ()
    fault: Fault | None = None
    attempts: list[Attempt] = field(default_factory=list)
    spent_usd: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.received = Received(self.listener.text)

    async def run(self, fitted: Sequence[tuple[Question, tuple[str, ...]]]) -> None:
        """Each model in turn, until one of them has begun to answer or asking another would not help."""
        for position, (question, dropped) in enumerate(fitted):
            self.question, self.dropped = question, dropped
            others = fitted[position + 1 :]
            await self._persist(last=not others)
            if self.fault is None or self.received.text or isinstance(self.fault, NO_FALLBACK):
                return
            if others:
                self._note(f"{self.fault.message}; asking {others[0][0].model.id}")

    async def _persist(self, *, last: bool) -> None:
        """Ask one model until it answers, or until trying again is of no use."""
        for retry in range(self.patience.retries + 1):
            if fault := self._too_late() or self._unaffordable():
                self.fault = fault
                return
            await self._attempt()
            wait = self._wait(retry, last=last)
            if wait is None or self.fault is None:
                return
            self._note(f"{self.fault.message}; trying again in {wait:.1f} s")
            await asyncio.sleep(wait)

    async def _attempt(self) -> None:
        self.received = Received(self.listener.text)
        self.fault = Interrupted("interrupted")  # unless the attempt comes to its own end
        try:
            self.fault = await attempt(self.litellm, self.question, self.limits, self.received, self.listener.redact)
        finally:
            self._record()

    def _record(self) -> None:
        fault, seconds = self.fault, time.monotonic() - self.received.started
        outcome = "ok" if fault is None else "partial" if self.received.text else "error"
        kind, status = (fault.type, fault.http_status) if fault else (None, None)
        self.attempts.append(Attempt(self.question.model.id, outcome, kind, status, round(seconds, 3)))
        if self.received.billable:
            self.spent_usd += self.question.worst_usd or 0.0

    def _wait(self, retry: int, *, last: bool) -> float | None:
        """Seconds until the next try of the same model, or None when there is none."""
        fault = self.fault
        if fault is None or not fault.retryable or self.received.text or retry == self.patience.retries:
            return None
        if isinstance(fault, LimitReached) and not last:
            return None
        asked = fault.retry_after
        wait = asked if asked is not None else FIRST_WAIT * 2**retry * random.uniform(0.75, 1)
        if wait < self.limits.deadline - time.monotonic():
            return wait
        if asked is not None:
            fault.hint = f"it asks to wait {asked:g} s, which is longer than --timeout leaves; try again then"
        return None

    def _too_late(self) -> Fault | None:
        if time.monotonic() < self.limits.deadline:
            return None
        return DeadlinePassed(f"{self.limits.timeout:g} s were over before anything was sent", "raise --timeout")

    def _unaffordable(self) -> Fault | None:
        """An attempt that was not refused may have been billed in full, whatever came of it; that money is spent."""
        most = self.patience.max_usd
        if most is None or not self.spent_usd or self.spent_usd + (self.question.worst_usd or 0.0) <= most:
            return None
        return LimitReached(
            f"--max-cost {most:g}: an earlier attempt may have been billed, so no other one is made",
            "raise --max-cost, or ask again later",
        )

    async def beat(self) -> None:
        """One line for every so many seconds of silence."""
        told, every = self.started, self.patience.heartbeat
        while True:
            heard = self.received.last_content or self.received.started
            await asyncio.sleep(max(0.1, max(told, heard) + every - time.monotonic()))
            silence = time.monotonic() - (self.received.last_content or self.received.started)
            if silence >= every:
                told = time.monotonic()
                self._note(f"still waiting, {silence:.0f} s without content")

    def _note(self, text: str) -> None:
        self.listener.note(f"{self.question.model.id}: {text}")

    def answer(self, first: Question) -> Answer:
        received, access = self.received, self.question.access
        return Answer(
            model_requested=first.model.id,
            model_used=received.model_named(self.question.model.id) if received.began else None,
            provider=access.provider.name,
            endpoint_host=access.host,
            text=received.text,
            reasoning=received.reasoning or None,
            finish_reason=received.finish_reason,
            usage=received.usage,
            cost_usd=received.provider_cost,
            cost_source="provider" if received.provider_cost is not None else None,
            latency_s=round(time.monotonic() - self.started, 3),
            first_token_s=received.first_token_s,
            attempts=tuple(self.attempts),
            output_limit=self.question.parameters.get("max_tokens"),
            dropped_params=self.dropped,
            warnings=access.warnings,
            fault=self.fault,
        )
