"""One model's way through the rows of a batch: which are left for it, how many at once, and when to give it up."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from litellm_skill.answer import Answer, Attempt
from litellm_skill.choice import Choice
from litellm_skill.faults import DeadlinePassed, Fault, LimitReached, NotSetUp, ProviderFailure, UnknownModel
from litellm_skill.rows import Row
from litellm_skill.throttle import Throttle

TOO_MANY_REQUESTS = 429
# So many failures of one kind, with no success between them, and the model is given up: a wrong key or a dead server
# would make an error of every row. What is not here lies in the row itself.
GIVEN_UP_AFTER = {NotSetUp: 5, UnknownModel: 5, LimitReached: 5, ProviderFailure: 50, DeadlinePassed: 50}


@dataclass
class Lane:
    """``todo``: rows that have no answer yet, read as they are needed. ``choice`` as it was planned: asked for its
    window. ``given_up``: why no more rows are put to it."""

    choice: Choice
    timeout: float
    throttle: Throttle
    todo: Iterator[Row]
    rows: int
    given_up: Fault | None = None
    done: int = 0
    failed: int = 0
    _failures: dict[type[Fault], int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.choice.name

    def wait(self, answer: Answer, entered: int, tries: int) -> float | None:
        """Seconds until this call may be made again, as its rate was limited; None when it is over, well or not. The
        throttle hears of it in either case."""
        limit, fault = _rate_limit(answer), answer.fault
        wait = self.throttle.limited(entered, limit.retry_after, tries) if limit else None
        if not limit and not (fault and fault.retryable):
            self.throttle.succeeded()
        if limit is None or wait is None or limit is not fault or not limit.retryable:
            return None
        return wait * random.uniform(1.0, 1.25)

    def count(self, answer: Answer) -> None:
        """A row is done."""
        self.done += 1
        fault = answer.fault
        if fault is None:
            self._failures.clear()
            return
        self.failed += 1
        limit = GIVEN_UP_AFTER.get(type(fault))
        if limit is None or not answer.attempts:
            return
        seen = self._failures[type(fault)] = self._failures.get(type(fault), 0) + 1
        if seen >= limit and self.given_up is None:
            self.given_up = fault


def _rate_limit(answer: Answer) -> LimitReached | None:
    """Of the provider, met on the way to this answer or instead of it; or of ours, whose time is too far off."""
    fault = answer.fault
    if isinstance(fault, LimitReached) and (fault.retryable or _last(answer)):
        return fault
    if any(attempt.http_status == TOO_MANY_REQUESTS for attempt in answer.attempts):
        return LimitReached("a rate limit", retryable=True)
    return None


def _last(answer: Answer) -> bool:
    last: Attempt | None = answer.attempts[-1] if answer.attempts else None
    return last is not None and last.http_status == TOO_MANY_REQUESTS
