"""What a command has several models do: written down and paid for before it is done, here or by a worker."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from litellm_skill import inquiry, run
from litellm_skill.console import Console
from litellm_skill.history import NewRun
from litellm_skill.inquiry import Inquiry
from litellm_skill.journal import Journal
from litellm_skill.run import Way


@dataclass(frozen=True)
class Job:
    """``asked``: all that may be asked. ``new_run``: how it begins in the history, given when it is over at the latest
    (seconds since the epoch). ``work``: asks, writes down and prints; the exit code."""

    asked: Sequence[Inquiry]
    new_run: Callable[[float], NewRun]
    work: Callable[[], int]


def do(prepare: Callable[[Way], Job], args: argparse.Namespace, journal: Journal, console: Console) -> int:
    """The exit code of the command. ``prepare`` is called again where the work cannot outlive the command after all.
    Raises LimitReached when the budgets do not hold the worst case of all that may be asked."""
    how = run.way(args, journal, console)
    job = prepare(how)
    until = time.time() + run.MARGIN + sum(one.timeout for one in job.asked)
    new = job.new_run(until)
    journal.begin(new)
    if how is not Way.HERE and not journal.recording:
        how = run.unrecorded(how)
        job = prepare(how)
    with journal.failing():
        journal.reserve(new.id, sum(inquiry.worst_usd(one.plans) for one in job.asked), until)
        return run.do(job.work, how, args, journal, new.id, console)
