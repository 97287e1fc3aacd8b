"""One event loop for one command, left without waiting for whatever hangs in it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from litellm_skill.faults import Interrupted
from litellm_skill.gateway import library, router

T = TypeVar("T")
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
LEAVING = 0.3


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end. SIGINT, SIGTERM and SIGHUP cancel it, which it sees as ``CancelledError``; raises
    Interrupted when it lets that pass.

    Unlike ``asyncio.run`` this does not wait for the loop's threads: a name lookup that hangs in one must not
    outlive the deadline.
    """
    loop = asyncio.new_event_loop()
    try:
        with library.stdout_kept_clean():
            task = loop.create_task(work)
            _cancel_on_signals(loop, task)
            return loop.run_until_complete(task)
    except asyncio.CancelledError:
        raise Interrupted("interrupted", "ask again") from None
    finally:
        _leave(loop)


def _cancel_on_signals(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    for name in SIGNALS:
        if number := getattr(signal, name, None):
            try:
                loop.add_signal_handler(number, task.cancel)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(task.cancel))
            except (RuntimeError, ValueError):  # not the main thread
                return


def _leave(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs, close connections, and wait for neither longer than ``LEAVING`` seconds."""
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    ends = (library.close_connections(), router.close(), loop.shutdown_asyncgens())
    rest |= {loop.create_task(work) for work in ends}
    loop.run_until_complete(asyncio.wait(rest, timeout=LEAVING))
    loop.close()
