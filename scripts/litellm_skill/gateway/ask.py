"""One answer from a list of models: retries, waits and fallbacks, all of it told in ``attempts``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import ModuleType
from typing import Any

from litellm_skill import faults
from litellm_skill.access import Access
from litellm_skill.answer import Answer, Attempt, Usage
from litellm_skill.deployments import Deployment
from litellm_skill.endpoints import PROXY
from litellm_skill.faults import DeadlinePassed, Fault, Interrupted, LimitReached
from litellm_skill.gateway import library, parameters, reply, router
from litellm_skill.gateway.attempt import Question, attempt
from litellm_skill.gateway.limits import Limits
from litellm_skill.gateway.minute import MinuteFull
from litellm_skill.gateway.reply import Received
from litellm_skill.gateway.terms import FollowUp, Further, Gate, Listener, Patience, Reply

PARAGRAPH = "\n\n"  # between what a model says before and after its tools ran
TICK = 0.25  # seconds
LOST = "an earlier attempt may have been billed, too: nobody knows what, and it is not in the cost of this answer"
# Another model helps against everything but these: what we did wrong, a refusal by policy, the user's own stop.
NO_FALLBACK = (faults.BadInput, faults.PolicyRefusal, Interrupted)


async def ask(
    questions: Sequence[Question],
    patience: Patience,
    listener: Listener,
    gate: Gate | None = None,
    follow_up: FollowUp | None = None,
) -> Answer:
    """The first model's answer, or a fallback's. Never raises for what a provider does: ``Answer.fault`` says what went
    wrong, beside whatever text came before. Raises BadInput when a strict parameter is refused."""
    began = time.monotonic()
    litellm = library.load()
    for question in questions:
        library.know(litellm, question.model)
    fitted = [parameters.fit(litellm, question, strict=patience.strict_parameters) for question in questions]
    fitted = [(await _balanced(litellm, question, gate), dropped) for question, dropped in fitted]
    limits = Limits(began + patience.timeout, patience.timeout)
    course = _Course(litellm, patience, limits, listener, gate, questions[0])
    works = [course.beat(), *([_tick(listener.tick)] if listener.tick else [])]
    beside = [asyncio.ensure_future(work) for work in works]
    try:
        await course.run(fitted)
        if follow_up:
            await course.go_on(follow_up)
    except asyncio.CancelledError:
        course.fault = Interrupted("interrupted", "the text so far is kept" if course.text else "ask again")
    finally:
        for work in beside:
            work.cancel()
    return course.answer(questions[0])


async def _balanced(litellm: ModuleType, question: Question, gate: Gate | None) -> Question:
    """Raises NotSetUp when the limits of a group cannot be kept."""
    if question.group is None:
        return question
    admit = partial(_rest, gate.rest, question) if gate else None
    url = gate.redis_url if gate else None
    return replace(question, balancer=await router.balancer(litellm, question.group, redis_url=url, admit=admit))


def _rest(rest: Callable[[Deployment, int], float], question: Question, deployment: Deployment) -> float:
    return rest(deployment, question.prompt_tokens)


@dataclass
class _Course:
    """What has happened so far, and what follows from it."""

    litellm: ModuleType
    patience: Patience
    limits: Limits
    listener: Listener
    gate: Gate | None
    question: Question
    dropped: tuple[str, ...] = ()
    fault: Fault | None = None
    attempts: list[Attempt] = field(default_factory=list)
    billed: bool = False
    spent_usd: float = 0.0
    broken: list[bool] = field(default_factory=list)  # of each attempt: it failed, and may have cost something
    started: float = field(default_factory=time.monotonic)
    rounds: list[Received] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.received = Received(self.listener.text)

    @property
    def text(self) -> str:
        """Of the rounds that count, as it was shown."""
        return PARAGRAPH.join(filter(None, (*self.said, self.received.text)))

    async def run(self, fitted: Sequence[tuple[Question, tuple[str, ...]]]) -> None:
        """Each model in turn, until one of them has begun to answer or asking another would not help."""
        for position, (question, dropped) in enumerate(fitted):
            self.question, self.dropped = question, dropped
            others = fitted[position + 1 :]
            await self._persist(last=not others)
            if self.fault is None or self.received.text or isinstance(self.fault, NO_FALLBACK):
                return
            if others:
                self._note(f"{self.fault.message}; asking {others[0][0].name}")

    async def go_on(self, follow_up: FollowUp) -> None:
        """Ask the same model again for as long as there is something to say to its reply."""
        while self.fault is None:
            try:
                async with asyncio.timeout_at(self._deadline()):
                    further = await follow_up(self._reply())
                if further is None:
                    return
                self._next_round(further)
            except Fault as fault:
                self.fault = fault
                return
            except TimeoutError:
                what = f"{self.limits.timeout:g} s were over before the tools were done"
                self.fault = DeadlinePassed(what, "raise --timeout")
                return
            await self._persist(last=True)

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.limits.left

    def _reply(self) -> Reply:
        received = self.received
        repeated = received.message.repeated(received.text, received.reasoning, self.question.access.provider.name)
        return Reply(received.text, received.message.calls, repeated)

    def _next_round(self, further: Further) -> None:
        """Raises LimitReached when too little money is left for it."""
        received, question = self.received, self.question
        afforded = self._affordable(received.usage)
        self.rounds.append(received)
        if further.instead:
            self.said.clear()
        elif received.text:
            self.said.append(received.text)
            self.listener.text(PARAGRAPH)
        self.question = replace(
            question,
            messages=[*question.messages, self._reply().message, *further.messages],
            **afforded,
        )
        self.received = Received(self.listener.text)

    def _affordable(self, usage: Usage) -> dict[str, Any]:
        """What the money that is left allows the next round."""
        most, limit = self.patience.max_usd, self.question.parameters.get("max_tokens")
        if most is None:
            return {}
        tokens = sum(filter(None, (usage.input_tokens or self.question.prompt_tokens, usage.output_tokens)))
        buys = self.question.affordable(tokens, most - self.spent_usd)
        if buys is None:
            return {}
        parameters = {**self.question.parameters, "max_tokens": min(buys, limit or buys)}
        return {"parameters": parameters, "worst_usd": most - self.spent_usd, "prompt_tokens": tokens}

    async def _persist(self, *, last: bool) -> None:
        """Ask one model until it answers, or until trying again is of no use."""
        retry = 0
        while True:
            if fault := self._too_late() or self._unaffordable() or await self._admitted():
                self.fault = fault
                return
            await self._attempt()
            free = self._free(last=last)
            wait = self._wait(retry, last=last) if free is None else free
            if wait is None or self.fault is None:
                return
            retry += free is None
            then = f"trying again in {wait:.1f} s" if wait else "asking another deployment"
            self._note(f"{self.fault.message}; {then}")
            await asyncio.sleep(wait)

    async def _attempt(self) -> None:
        self.received = Received(self.listener.text)
        self.fault = Interrupted("interrupted")  # unless the attempt comes to its own end
        try:
            self.fault = await attempt(self.litellm, self.question, self.limits, self.received, self.listener.redact)
            if self.fault and self.question.balancer:
                self.question.balancer.failed(self.fault)
        finally:
            if not isinstance(self.fault, MinuteFull):
                self._record()

    def _record(self) -> None:
        fault, seconds = self.fault, time.monotonic() - self.received.started
        outcome = "ok" if fault is None else "partial" if self.received.text else "error"
        kind, status = (fault.type, fault.http_status) if fault else (None, None)
        self.attempts.append(Attempt(self.question.name, outcome, kind, status, round(seconds, 3)))
        self.broken.append(fault is not None and self.received.billable and self.question.worst_usd != 0)
        if self.received.billable:
            self.billed = True
            self.spent_usd += self._cost()
        if self.gate:
            self.gate.used(self.question, self.received.usage)

    def _cost(self) -> float:
        """Of the last attempt: what is known of a whole one, else the worst."""
        known = self.received.provider_cost
        if known is None and self.fault is None:
            known = self.question.price(self.received.usage)
        return (self.question.worst_usd or 0.0) if known is None else known

    def _free(self, *, last: bool) -> float | None:
        """Seconds until a try that is no retry: of another deployment, or in the next minute as nothing was sent."""
        fault, balancer = self.fault, self.question.balancer
        if fault is None or balancer is None or self.received.text or isinstance(fault, NO_FALLBACK):
            return None
        if isinstance(fault, MinuteFull):
            wait = fault.retry_after or 0.0
            return wait if last and wait < self.limits.left else None
        return 0.0 if balancer.asked and balancer.another else None

    def _wait(self, retry: int, *, last: bool) -> float | None:
        """Seconds until the next try of the same model, or None when there is none."""
        fault = self.fault
        if fault is None or not fault.retryable or self.received.text or retry == self.patience.retries:
            return None
        if isinstance(fault, LimitReached) and not (last and self.patience.sits_out):
            return None
        return self.limits.wait(fault, retry)

    def _too_late(self) -> Fault | None:
        if self.limits.left > 0:
            return None
        return DeadlinePassed(f"{self.limits.timeout:g} s were over before anything was sent", "raise --timeout")

    def _unaffordable(self) -> Fault | None:
        """An attempt that was not refused may have been billed in full, whatever came of it; that money is spent."""
        most = self.patience.max_usd
        if most is None or not self.spent_usd or self.spent_usd + (self.question.worst_usd or 0.0) <= most:
            return None
        return LimitReached(
            f"an earlier attempt may have been billed, and no more than {most:.2g} USD may be spent: none is made",
            "raise --max-cost or the budget, or ask again later",
        )

    async def _admitted(self) -> Fault | None:
        """Sleep until a rate limit lets this request pass: once, for its time is reserved."""
        if self.gate is None:
            return None
        try:
            wait = self.gate.admit(self.question, self.limits.left)
        except LimitReached as fault:
            return fault
        if wait > 0:
            self._note(f"waiting {wait:.0f} s for the rate limit")
            await asyncio.sleep(wait)
        return None

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
        self.listener.note(f"{self.question.name}: {text}")

    def answer(self, first: Question) -> Answer:
        received, (model, access) = self.received, self.question.asked
        rounds = [*self.rounds, received]
        counted = [one for one in rounds if one.billable or one.usage != Usage()]
        costs = [one.provider_cost for one in counted] or [None]
        cost = None if None in costs else sum(one or 0.0 for one in costs)
        began = next((one for one in reversed(rounds) if one.began), None)
        lost = any(self.broken[:-1])
        return Answer(
            model_requested=first.name,
            model_used=began.model_named(model) if began else None,
            provider=access.provider.name,
            endpoint_host=access.host,
            text=self.text,
            reasoning=PARAGRAPH.join(filter(None, (one.reasoning for one in rounds))) or None,
            finish_reason=received.finish_reason,
            usage=reply.total(one.usage for one in counted),
            cost_usd=cost,
            cost_source="provider" if cost is not None else None,
            latency_s=round(time.monotonic() - self.started, 3),
            first_token_s=rounds[0].first_token_s,
            attempts=tuple(self.attempts),
            billed=self.billed,
            lost=lost,
            output_limit=self.question.parameters.get("max_tokens"),
            dropped_params=self.dropped,
            cached=all(one.cached for one in rounds),
            warnings=(*access.warnings, *_unannounced(access, received), *([LOST] if lost else [])),
            fault=self.fault,
        )


async def _tick(tick: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(TICK)
        tick()


def _unannounced(access: Access, received: Received) -> tuple[str, ...]:
    """A LiteLLM proxy that stands at a provider's address."""
    if not received.by_proxy or access.provider.name == PROXY:
        return ()
    set_by = f" ({access.address_name})" if access.address_name else ""
    names = "LITELLM_PROXY_API_BASE and LITELLM_PROXY_API_KEY"
    return (f"{access.host}{set_by} is a LiteLLM proxy: under {names} its own models, prices and limits hold",)
