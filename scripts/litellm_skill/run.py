"""How a command's work is done: here, by a worker that outlives this command, or in the background."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from enum import Enum
from functools import partial

from litellm_skill import command, recall, relay
from litellm_skill.console import Console
from litellm_skill.faults import BadInput, NotSetUp, StillRunning
from litellm_skill.journal import Journal
from litellm_skill.relay import Relayed

TIMEOUT, LOCAL_TIMEOUT = 100.0, 600.0  # seconds; the first is below the hosts' 120
WORKER_TIMEOUT = 3600.0  # seconds
DYING = 5.0  # seconds that the end of a killed worker may take
MARGIN = 60.0  # seconds; a run that is not over by then has no process any more


class Way(Enum):
    HERE = "here"
    RELAYED = "relayed"
    BACKGROUND = "background"


def way(args: argparse.Namespace, journal: Journal, console: Console) -> Way:
    """Raises BadInput or NotSetUp when ``--background`` cannot be."""
    if args.background:
        if not journal.keeps:
            raise BadInput("--background needs the history: nothing else would hold the answer", "switch it on")
        if not relay.possible():
            raise NotSetUp("--background is not possible here: no process can be forked", "leave it out")
        return Way.BACKGROUND
    outlives = console.host is not None and not args.no_relay and journal.keeps and relay.possible()
    return Way.RELAYED if outlives else Way.HERE


def unrecorded(how: Way) -> Way:
    """The way of a run that could not be written down, so that nobody could ask for it later. Raises NotSetUp."""
    if how is Way.BACKGROUND:
        raise NotSetUp("--background is not possible: nothing would hold the answer", "leave it out")
    return Way.HERE


def timeout(args: argparse.Namespace, how: Way, *, local: bool) -> float:
    """Seconds that the work itself may take. Under an agent ``--timeout`` is how long its command waits."""
    if how is Way.RELAYED:
        return WORKER_TIMEOUT
    if how is Way.BACKGROUND:
        return args.timeout or WORKER_TIMEOUT
    return args.timeout or (LOCAL_TIMEOUT if local else TIMEOUT)


def do(
    work: Callable[[], int], how: Way, args: argparse.Namespace, journal: Journal, run_id: str, console: Console
) -> int:
    """The exit code of the command. ``journal`` has begun the run; ``work`` ends it."""
    if how is Way.HERE or not journal.recording:
        return work()
    guarded = partial(command.guarded, work, lambda: console)
    journal.hand_over()
    try:
        if how is Way.BACKGROUND:
            relay.background(journal.take_over, guarded)
            return _begun(run_id, console)
        relayed = relay.relay(journal.take_over, guarded, args.timeout or TIMEOUT)
    except OSError:  # no process can be made
        journal.take_over()
        return work()
    if relayed.exit_code is not None and relayed.exit_code >= 0:
        return relayed.exit_code
    return _left(run_id, console, relayed)


def _begun(run_id: str, console: Console) -> int:
    if console.json:
        console.document({"status": "running", "run_id": run_id, "wait": recall.command("--wait", run_id)})
    else:
        console.show(f"{run_id}\n")
        console.note(f"next: {recall.command('--wait', run_id)}")
    _warn(console)
    return 0


def _warn(console: Console) -> None:
    """Of what the host does to the worker."""
    if console.host and console.host.at_end:
        console.note(f"warning: {console.host.at_end}")


def _left(run_id: str, console: Console, relayed: Relayed) -> int:
    """The worker works on, or was killed, or is now told to stop: what the history says of it. One that was killed
    may for a moment look alive: its pipes are closed before it is gone."""
    with recall.opened(console) as history:
        if relayed.signal == signal.SIGINT:
            recall.stop(history, recall.find(history, run_id))
        dying = DYING if relayed.exit_code == relay.KILLED else 0.0
        code = recall.tell(recall.when_done(history, run_id, dying), console)
    if code == StillRunning.exit_code:
        _warn(console)
    return code
