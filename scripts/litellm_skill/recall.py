"""Runs that were made before, or still are: read again, listed, waited for, cancelled. Nothing is sent."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from litellm_skill import comparison, critique, database, ledger, process, report, results
from litellm_skill.answer import Answer, envelope, restored
from litellm_skill.console import Console
from litellm_skill.faults import BadInput, Fault, IncompleteAnswer, NotSetUp, ProviderFailure, StillRunning, recorded
from litellm_skill.history import History, Kept, Run
from litellm_skill.settings import Settings

LISTED = 20
GLANCE = 0.2  # seconds between two looks at a run that is waited for
CANCELLED = 5.0  # seconds that a run may take to stop


def asked(args: argparse.Namespace) -> bool:
    named = (args.result, args.wait, args.cancel, args.query)
    return args.list_results or any(value is not None for value in named)


def recall(args: argparse.Namespace, settings: Settings, console: Console) -> int:
    """The exit code of the whole command: of ``--result`` and ``--wait`` that of the run itself, or 11."""
    chosen = [name for name in ("result", "wait", "cancel") if getattr(args, name) is not None]
    if len(chosen) + bool(args.list_results or args.query is not None) > 1:
        raise BadInput("of --result, --wait, --cancel and --list-results, one at a time", "leave the others out")
    if empty := [name for name in chosen if not getattr(args, name)]:
        raise BadInput(f"--{empty[0]} names no run", "give its id, or last")
    if args.prompt is not None or args.prompt_file is not None:
        raise BadInput(f"--{[*chosen, 'list-results'][0]} asks nobody, so it takes no prompt", "leave it out")
    results.check_new(args.out, "out", force=args.force)
    with opened(console) as history:
        if args.cancel is not None:
            return _cancel(history, args.cancel, console)
        if args.list_results or args.query is not None:
            return _list(history, args.query, settings, console)
        if args.wait is not None:
            document = when_done(history, args.wait, args.wait_timeout)
        else:
            document = as_it_stands(history, find(history, args.result))
    code = tell(document, console, so_far=args.result is not None)
    text = _text(document)
    if not args.out or not text or code == StillRunning.exit_code:
        return code
    return results.write(args.out, text, "out", console, force=args.force) or code


def _text(document: dict[str, Any]) -> str:
    if "answers" in document:
        return comparison.text(document)
    return critique.text(document) if "findings" in document else document["text"]


@contextmanager
def opened(console: Console) -> Iterator[History]:
    """Raises NotSetUp when the file cannot be read."""
    history = History(database.connect(os.environ, console.note))
    try:
        yield history
    finally:
        history.close()


def command(flag: str, run_id: str) -> str:
    """What to type for a run, from any directory."""
    return f"python3 {shlex.quote(os.path.abspath(sys.argv[0]))} {flag} {run_id}"


def as_it_stands(history: History, kept: Kept) -> dict[str, Any]:
    """The envelope of a run: as it was printed, or with what has come so far. A run whose process is gone is written
    down as failed."""
    if kept.finished is not None:
        return kept.envelope
    if "answers" in kept.envelope:
        return _several_so_far(history, kept, comparison.so_far)
    if "findings" in kept.envelope:
        return _several_so_far(history, kept, critique.so_far)
    document = {**kept.envelope, "text": kept.text, "latency_s": round(time.time() - kept.started, 3)}
    answer = replace(restored(document), fault=_working(kept) if kept.alive else _gone(kept))
    document = {**document, "status": answer.status, "error": envelope(answer, None)["error"]}
    _bury(history, kept, document)
    return document


def _several_so_far(history: History, kept: Kept, so_far: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """What came of each model was written down as a line when it was whole; the last line may not be."""
    lines = [line for line in kept.text.splitlines(keepends=True) if line.endswith("\n")]
    fault = _working(kept) if kept.alive else _gone(kept)
    document = so_far(kept.envelope, [json.loads(line) for line in lines], fault)
    _bury(history, kept, document)
    return document


def _bury(history: History, kept: Kept, document: dict[str, Any]) -> None:
    """Write a run whose process is gone down as ended."""
    if not kept.alive:
        with suppress(NotSetUp):  # a disk that cannot be written does not keep it from being read
            history.bury(kept.id, document)


def _working(kept: Kept) -> StillRunning:
    seconds = time.time() - kept.started
    what = f"run {kept.id} still works: {seconds:.0f} s, {len(kept.text):,} characters so far"
    return StillRunning(what, command("--wait", kept.id), retryable=True)


def _gone(kept: Kept) -> Fault:
    what = f"the process of run {kept.id} ended before the answer was whole"
    if kept.text:
        return IncompleteAnswer(what, "the text so far is kept; ask again for a whole one", retryable=True)
    return ProviderFailure(what, "ask again", retryable=True)


def tell(document: dict[str, Any], console: Console, *, so_far: bool = False) -> int:
    """Print an envelope, a comparison or a review, as the call itself would have; the exit code it stands for.
    ``so_far``: also the text of a run that is still at work."""
    if "answers" in document:
        return _tell_comparison(document, console)
    if "findings" in document:
        return _tell_review(document, console)
    answer = restored(document)
    if console.json:
        console.document(document)
    elif answer.text and (so_far or not isinstance(answer.fault, StillRunning)):
        _show(answer, console)
    if answer.fault:
        console.fault(answer.fault)
    return answer.exit_code


def _tell_comparison(document: dict[str, Any], console: Console) -> int:
    if console.json:
        console.document(document)
    elif console.host:
        console.text_for_host(
            comparison.text(document, report.HOST_LIMIT - 600),
            f"{document['answered']} models",
            document["result_file"],
        )
    else:
        console.show(comparison.text(document))
    if error := document["error"]:
        fault = recorded(error)
        console.fault(fault)
        return fault.exit_code
    return 0


def _tell_review(document: dict[str, Any], console: Console) -> int:
    if console.json:
        console.document(document)
    elif console.host:
        shown = critique.text(document, report.HOST_LIMIT - 600)
        console.text_for_host(shown, f"{document['answered']} reviewers", document["result_file"])
    else:
        console.show(critique.text(document))
    if error := document["error"]:
        console.fault(recorded(error))
    return critique.exit_code(document)


def _show(answer: Answer, console: Console) -> None:
    if console.host:
        there = answer.result_file is not None and Path(answer.result_file).exists()
        console.answer_for_host(answer if there else replace(answer, result_file=None))
    else:
        console.show(answer.text if answer.text.endswith("\n") else f"{answer.text}\n")


def find(history: History, id: str) -> Kept:
    if kept := history.find(id, os.getcwd()):
        return kept
    if id == "last":
        raise BadInput("nothing has been kept yet", "ask something first")
    raise BadInput(f"no run {id} is kept", f"see {command('--list-results', '').strip()}")


def when_done(history: History, id: str, patience: float) -> dict[str, Any]:
    """The envelope of a run, as it stands after so many seconds at most. No notice comes when another process finishes,
    so the file is looked at."""
    deadline = time.monotonic() + patience
    kept = find(history, id)
    while kept.finished is None and kept.alive and time.monotonic() < deadline:
        time.sleep(min(GLANCE, max(0.0, deadline - time.monotonic())))
        kept = find(history, kept.id)
    return as_it_stands(history, kept)


def _cancel(history: History, id: str, console: Console) -> int:
    """0 when the run is no longer at work; what came of it is kept. Raises BadInput rather than stop another folder's
    last run, NotSetUp for a process that cannot be reached."""
    kept = find(history, id)
    if not history.find(id, os.getcwd(), elsewhere=False):
        raise BadInput("nothing was asked in this folder", f"the newest elsewhere: {command('--cancel', kept.id)}")
    if kept.alive and kept.process and process.alive(kept.process) is None:
        what = f"run {kept.id} cannot be stopped from here: it works on another machine or in a container, if at all"
        raise NotSetUp(what, "cancel it there")
    kept = stop(history, kept)
    if kept.finished is None and kept.alive:
        raise StillRunning(f"run {kept.id} was told to stop and has not yet", command("--wait", kept.id))
    document = as_it_stands(history, kept)
    if console.json:
        console.document(document)
    else:
        console.show(f"run {kept.id}: {document['status']}, {len(_text(document)):,} characters kept\n")
    return 0


def stop(history: History, kept: Kept) -> Kept:
    """Tell a run to stop, and wait until it has, for at most ``CANCELLED`` seconds."""
    deadline = time.monotonic() + CANCELLED
    told = False
    while kept.finished is None and kept.alive and time.monotonic() < deadline:
        if not told and kept.process and process.alive(kept.process):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(kept.process.pid, signal.SIGTERM)
            told = True
        time.sleep(GLANCE / 4)
        kept = find(history, kept.id)
    return kept


def _list(history: History, query: str | None, settings: Settings, console: Console) -> int:
    rows = history.newest(LISTED, query)
    spent = ledger.spent(history.connection, time.time())
    if console.json:
        runs = [_row(kept) for kept in rows]
        console.document({"status": "ok", "runs": runs, "spent_today_usd": spent.day, "spent_month_usd": spent.month})
        return 0
    for kept in rows:
        console.show(f"{_line(kept)}\n")
    console.show(_spent(spent, ledger.budget(settings)))
    return 0


def _line(kept: Run) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.started))
    cost = "cost ?" if kept.cost_usd is None else report.money(kept.cost_usd)
    model, prompt = report.one_line(kept.model or "?", 40), report.one_line(kept.prompt, 60)
    return f"{kept.id}  {when}  {_status(kept):8}{model}  {cost}  {prompt}"


def _status(kept: Run) -> str:
    return kept.status if kept.finished or kept.alive else "error"


def _spent(spent: ledger.Spent, budget: ledger.Budget) -> str:
    """One line: what today and this month have cost, and what they may."""
    periods = (("today", spent.day, budget.day), ("this month", spent.month, budget.month))
    told = [f"{name} {report.money(usd)}{f' of {most:g}' if most is not None else ''}" for name, usd, most in periods]
    return f"spent {', '.join(told)}\n"


def _row(kept: Run) -> dict[str, Any]:
    return {
        "run_id": kept.id,
        "thread": kept.thread,
        "status": _status(kept),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(kept.started)),
        "model": kept.model,
        "directory": kept.directory,
        "cost_usd": kept.cost_usd,
        "prompt": kept.prompt,
    }
