"""How far a batch is, for whoever waits: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from litellm_skill import report
from litellm_skill.console import Console

EVERY_S = 30.0  # between two lines; hosts end a command that is silent for longer
BAR_S = 0.5


@dataclass(frozen=True)
class Count:
    """Rows and models, of this command: ``total`` to do, ``done``, of which ``failed``. ``usd``: spent so far."""

    total: int
    done: int
    failed: int
    usd: float

    def line(self, seconds: float) -> str:
        rate = self.done / seconds if seconds > 0 else 0.0
        left = f", about {_duration((self.total - self.done) / rate)} left" if rate else ""
        failed = f" ({self.failed:,} failed)" if self.failed else ""
        return f"{self.done:,} of {self.total:,} done{failed}, {rate:.3g}/s, {report.money(self.usd)} so far{left}"


async def tell(count: Callable[[], Count], console: Console) -> None:
    """Until cancelled."""
    if console.quiet:
        return
    if console.err.isatty():
        await _bar(count, console)
    began = time.monotonic()
    while True:
        await asyncio.sleep(EVERY_S)
        console.note(count().line(time.monotonic() - began))


async def _bar(count: Callable[[], Count], console: Console) -> None:
    from tqdm import tqdm

    with tqdm(total=count().total, file=console.err, unit="row", dynamic_ncols=True) as bar:
        while True:
            now = count()
            failed = f", {now.failed:,} failed" if now.failed else ""
            bar.set_postfix_str(f"{report.money(now.usd)}{failed}", refresh=False)
            bar.update(now.done - bar.n)
            await asyncio.sleep(BAR_S)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
