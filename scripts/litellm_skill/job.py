"""What a command has several models do: written down and paid for before it is done, here or by a worker."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litellm_skill import inquiry, run, screen
from litellm_skill.console import Console
from litellm_skill.conversation import Message
from litellm_skill.history import NewRun
from litellm_skill.inquiry import Inquiry
from litellm_skill.journal import Journal
from litellm_skill.run import Way


@dataclass(frozen=True)
class Job:
    """``model``, ``messages``, ``envelope``: how it begins in the history. ``asked``: all that may be asked. ``work``:
    asks, writes down and prints; the exit code."""

    script: str
    model: str
    messages: Sequence[Message]
    envelope: Mapping[str, Any]
    asked: Sequence[Inquiry]
    work: Callable[[], int]


def do(prepare: Callable[[Way], Job], run_id: str, args: argparse.Namespace, journal: Journal, console: Console) -> int:
    """The exit code of the command. ``prepare`` is called again where the work cannot outlive the command after all.
    Raises LimitReached when the budgets do not hold the worst case of all that may be asked."""
    how = run.way(args, journal, console)
    job = prepare(how)
    until = time.time() + run.MARGIN + sum(one.timeout for one in job.asked)
    journal.begin(_new_run(job, run_id, until, console.secrets))
    if how is not Way.HERE and not journal.recording:
        how = run.unrecorded(how)
        job = prepare(how)
    with journal.failing():
        journal.reserve(run_id, sum(inquiry.worst_usd(one.plans) for one in job.asked), until)
        return run.do(job.work, how, args, journal, run_id, console)


def _new_run(job: Job, run_id: str, until: float, secrets: Sequence[str]) -> NewRun:
    return NewRun(
        id=run_id,
        script=job.script,
        directory=os.getcwd(),
        model=job.model,
        thread=None,
        turn=None,
        messages=screen.redact_values(job.messages, secrets),
        envelope=job.envelope,
        until=until,
    )
