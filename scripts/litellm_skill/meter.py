"""The rate limit and the budgets of embeddings, over every process of the user on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from litellm_skill import database, ledger, ratelimits, results
from litellm_skill.catalog import Model
from litellm_skill.faults import LimitReached, NotSetUp
from litellm_skill.ledger import Budget
from litellm_skill.ratelimits import RateLimit

if TYPE_CHECKING:
    import sqlite3

RPM, TPM = "EMBEDDING_RPM", "EMBEDDING_TPM"
REQUEST_S = 3_600.0  # seconds; what a request has reserved is free again by then


@dataclass
class Meter:
    """The file is opened when it is needed: where a limit or a budget is set. ``note`` gets a line for a warning."""

    model: Model
    limit: RateLimit | None
    budget: Budget
    environ: Mapping[str, str]
    note: Callable[[str], None]
    requests: int = 0
    run_id: str = field(default_factory=results.new_run_id)
    _connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def admit(self, tokens: int, patience: float) -> float:
        """Seconds until a request of so many tokens may start. Raises LimitReached when ``patience`` (seconds) is less,
        or when no limit can be kept."""
        if self.limit is None:
            return 0.0
        try:
            slot = ratelimits.admit(self._file(), self.model.id, self.limit, tokens, patience, prompt_tokens=tokens)
        except NotSetUp as fault:
            raise LimitReached(f"the rate limit cannot be kept: {fault.message}", fault.hint) from fault
        except LimitReached as fault:
            fault.hint = f"raise --timeout, lower --batch-size, or try again later; {RPM} and {TPM} are the limit"
            raise
        return slot.wait_s

    def reserve(self, usd: float | None) -> Callable[[float | None], None]:
        """For one request that may cost ``usd``; the result gets what it did cost. Raises LimitReached."""
        if self.budget == Budget() or usd == 0:
            return lambda _: None
        if usd is None:
            raise ledger.unpriced(self.model.id)
        self.requests += 1
        id, now = f"{self.run_id}-{self.requests}", time.time()
        try:
            ledger.reserve(self._file(), id, usd, self.budget, now, now + REQUEST_S)
        except NotSetUp as fault:
            raise LimitReached(f"the budget cannot be kept: {fault.message}", fault.hint) from fault
        return lambda cost: self._settle(id, cost)

    def _settle(self, id: str, usd: float | None) -> None:
        try:
            ledger.settle(self._file(), id, usd)
        except NotSetUp as fault:  # the vectors are there, and paid
            self.note(f"warning: {fault.message}")

    def _file(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = database.connect(self.environ, self.note)
        return self._connection
