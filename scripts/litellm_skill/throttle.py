"""How many calls of one model may be under way: halved by a rate limit, regained slowly, paced where asked."""

from __future__ import annotations

import asyncio
import time
from collections import deque

LEAST = 1.0
PAUSE_S, LONGEST_PAUSE_S = 0.25, 30.0  # after a rate limit that does not say how long to wait; doubled every time
GIVE_UP_S = 600.0  # without one success, or asked for: then it is no rate but a quota


class Throttle:
    """Additive increase, multiplicative decrease, as TCP has it: each success adds the part of a slot that makes one
    slot of a whole round of them; a rate limit halves, once for all the calls that were under way then."""

    def __init__(self, most: int, rpm: float | None = None) -> None:
        self.most = most
        self.limit = float(most)
        self.cuts = 0
        self._active = 0
        self._interval = 60.0 / rpm if rpm else 0.0
        self._next = 0.0
        self._since_success = time.monotonic()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Wait for a slot. The result is what ``limited`` wants to know."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._wake()
        try:
            await turn
            while (wait := self._next - time.monotonic()) > 0:
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise
        self._next = max(self._next, time.monotonic()) + self._interval
        return self.cuts

    def leave(self) -> None:
        self._active -= 1
        self._wake()

    def succeeded(self) -> None:
        self._since_success = time.monotonic()
        self.limit = min(float(self.most), self.limit + 1.0 / self.limit)

    def limited(self, entered: int, retry_after: float | None, tries: int) -> float | None:
        """Seconds after which that call may be made again; None when the limit holds for too long. ``tries``: how
        often the call has met it, from 1. A time that the provider asked for holds for all calls."""
        now = time.monotonic()
        if entered == self.cuts:
            self.cuts += 1
            self.limit = max(LEAST, self.limit / 2)
        wait = min(LONGEST_PAUSE_S, PAUSE_S * 2 ** (tries - 1)) if retry_after is None else retry_after
        if wait > GIVE_UP_S or now - self._since_success > GIVE_UP_S:
            return None
        if retry_after is not None:
            self._next = max(self._next, now + retry_after)
        return wait

    def _wake(self) -> None:
        """A slot is taken by whoever is woken, so that nobody else can take it meanwhile."""
        while self._waiting and self._active < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self._active += 1
                turn.set_result(None)
