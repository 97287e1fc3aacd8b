"""The money of a batch: what may still be spent, what calls under way may cost, and what was spent, told to the ledger.

Only calls under way are reserved, so a batch may be far larger than any budget's worst case, and stops when the next
call no longer fits. Amounts are in USD.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from litellm_skill import database, ledger
from litellm_skill.faults import LimitReached, NotSetUp
from litellm_skill.ledger import Budget

if TYPE_CHECKING:
    import sqlite3

CALL_S = 3_600.0  # seconds; what a call has reserved is free again by then
EVERY_S = 5.0  # seconds between two entries of what was spent, where no budget needs to know it at once
T = TypeVar("T")


@dataclass(frozen=True)
class Hold:
    """What one call may cost, kept back until it is settled."""

    id: str
    usd: float


class Purse:
    """``max_cost``: for the whole command, None without a limit. ``records``: whether spending is written down even
    where no budget asks for it."""

    def __init__(
        self,
        run_id: str,
        max_cost: float | None,
        budget: Budget,
        environ: Mapping[str, str],
        note: Callable[[str], None],
        *,
        records: bool,
    ) -> None:
        self.spent = 0.0
        self.known = 0.0
        self.unknown = 0
        self.in_flight = 0
        self._run_id = run_id
        self._max_cost = max_cost
        self._budget = budget
        self._environ = environ
        self._note = note
        self._records = records
        self._reserved = 0.0
        self._calls = 0
        self._unwritten = 0.0
        self._written = time.monotonic()
        self._lost = False
        self._connection: sqlite3.Connection | None = None
        self._settled: asyncio.Event | None = None

    @property
    def limited(self) -> bool:
        return self._max_cost is not None or self._budgeted

    def free(self) -> float | None:
        """What a further call may cost; None without a limit. Raises LimitReached when a budget cannot be kept."""
        left = []
        if self._max_cost is not None:
            left.append(self._max_cost - self.spent - self._reserved)
        if self._budgeted:
            found = self._kept(lambda file: ledger.left(file, self._budget, time.time()))
            left += [] if found is None else [found]
        return min((max(0.0, usd) for usd in left), default=None)

    def hold(self, usd: float | None) -> Hold:
        """Raises LimitReached when a budget has less."""
        self._calls += 1
        hold = Hold(f"{self._run_id}-{self._calls}", usd or 0.0)
        if self._budgeted and hold.usd:
            now = time.time()
            self._kept(lambda file: ledger.reserve(file, hold.id, hold.usd, self._budget, now, now + CALL_S))
        self._reserved += hold.usd
        self.in_flight += 1
        return hold

    def settle(self, hold: Hold, usd: float | None, *, billed: bool) -> None:
        """``usd`` None: unknown, and if it was ``billed`` it counts as all that was held."""
        self._reserved -= hold.usd
        self.in_flight -= 1
        if usd is None and billed:
            self.unknown += 1
        cost = (hold.usd if billed else 0.0) if usd is None else usd
        self.spent += cost
        self.known += usd or 0.0
        if self._budgeted and hold.usd:
            self._written_down(hold.id, cost)
        else:
            self._unwritten += cost
            if time.monotonic() - self._written > EVERY_S:
                self.flush()
        if self._settled:
            self._settled.set()

    async def next_settled(self) -> None:
        """Wait until some call under way has been settled."""
        self._settled = self._settled or asyncio.Event()
        self._settled.clear()
        await self._settled.wait()

    def flush(self) -> None:
        """Write down what was spent since the last time."""
        usd, self._unwritten, self._written = self._unwritten, 0.0, time.monotonic()
        if usd and (self._records or self._budgeted):
            self._written_down(self._run_id, usd)

    def close(self) -> None:
        """Let go of the file: a connection must not be carried through a fork."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _budgeted(self) -> bool:
        return self._budget != Budget()

    def _written_down(self, id: str, usd: float) -> None:
        """A file that cannot be written is said once; the answer is there, and paid."""
        try:
            if not self._lost:
                ledger.settle(self._file(), id, usd)
        except NotSetUp as fault:
            self._lost = True
            self._note(f"warning: {fault.message}")

    def _kept(self, what: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return what(self._file())
        except NotSetUp as fault:
            raise LimitReached(f"the budget cannot be kept: {fault.message}", fault.hint) from fault

    def _file(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = database.connect(self._environ, self._note)
        return self._connection
