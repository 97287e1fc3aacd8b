"""How long a command may take, how long it waits before it tries again, and when other work has its turn."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from litellm_skill.faults import Fault

FIRST_WAIT = 0.5  # seconds; doubled with every retry, and jittered
TURN = 0.02  # seconds that work may go on without a pause


async def others_first(since: float) -> float:
    """Let the loop's other work run, deadlines among it, if what goes on without a pause has done so ``since``
    (``time.monotonic()``) longer than a turn. Since when it does from here on."""
    if time.monotonic() - since < TURN:
        return since
    await asyncio.sleep(0)
    return time.monotonic()


@dataclass(frozen=True)
class Limits:
    """``deadline``: ``time.monotonic()`` when all must be over; ``timeout``: the seconds that were asked for."""

    deadline: float
    timeout: float

    @property
    def left(self) -> float:
        """Seconds; negative when they are over."""
        return self.deadline - time.monotonic()

    def wait(self, fault: Fault, retry: int) -> float | None:
        """Seconds until the next try after ``retry`` others, as the server asks or else doubled each time; None when
        they are longer than what is left, which ``fault`` then says."""
        asked = fault.retry_after
        wait = asked if asked is not None else FIRST_WAIT * 2**retry * random.uniform(0.75, 1)
        if wait < self.left:
            return wait
        if asked is not None:
            fault.hint = f"it asks to wait {asked:g} s, which is longer than --timeout leaves; try again then"
        return None
