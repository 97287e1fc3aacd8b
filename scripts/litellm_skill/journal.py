"""What is written down of one run, before, while and after it: the run itself in the history, its cost in the ledger,
its requests against rate limits. A file that cannot be written costs a warning, never the answer; but where a budget
cannot be kept, nothing is sent.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from litellm_skill import database, ledger, ratelimits, results, screen
from litellm_skill.answer import Usage, error_object
from litellm_skill.console import Console
from litellm_skill.faults import BadInput, Fault, Interrupted, LimitReached, NotSetUp
from litellm_skill.history import History, NewRun, Thread
from litellm_skill.plan import LIKELY_OUTPUT
from litellm_skill.ratelimits import RateLimit

if TYPE_CHECKING:
    from litellm_skill.catalog import Model
    from litellm_skill.deployments import Deployment
    from litellm_skill.ratelimits import Slot
    from litellm_skill.settings import Settings

T = TypeVar("T")
OFF = ("off", "0", "false", "no")
NAME = re.compile(r"\w[\w.-]{0,63}")
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
EVERY = 0.25  # seconds between two writes of streamed text


def wanted(settings: Settings) -> bool:
    """Whether ``LITELLM_SKILL_HISTORY`` lets anything be kept."""
    return (settings.get("LITELLM_SKILL_HISTORY") or "").lower() not in OFF


@dataclass
class Journal:
    """``keeps``: whether prompts and answers may be kept; without that only amounts are, and only where a budget or a
    rate limit is set."""

    environ: Mapping[str, str]
    settings: Settings
    keeps: bool
    console: Console
    warnings: list[str] = field(default_factory=list)
    _run: NewRun | None = None
    _handed_over: bool = False
    _reserved: list[str] = field(default_factory=list)
    _history: History | None = None
    _lost: NotSetUp | None = None
    _slots: dict[str, list[Slot]] = field(default_factory=dict)
    _unwritten: list[str] = field(default_factory=list)
    _written: float = 0.0

    @property
    def recording(self) -> bool:
        """Whether the run stands in the history."""
        return self._run is not None and self._lost is None

    def close(self) -> None:
        """Let go of the file: a connection must not be carried through a fork. The next use opens it again."""
        if self._history:
            self._history.close()
            self._history = None

    def keep(self, text: str, run_id: str) -> str | None:
        """The path of a file that holds all of the answer, without keys; None where nothing may be kept."""
        return results.keep(self.console.redact(text), run_id, self.environ) if self.keeps else None

    # --- conversations

    def thread(self, id: str) -> Thread:
        """Raises BadInput when it cannot be read, or there cannot be one of that name."""
        if not NAME.fullmatch(id):
            raise BadInput(f"--thread {id}: not a name", "letters, digits, - _ and . only, at most 64")
        found = self._read(lambda history: history.conversation(id), Thread(id))
        if found.turn == 0 and RUN_ID.fullmatch(id):
            raise BadInput(f"no conversation {id} is kept", "see --list-results")
        return found

    def last_thread(self, directory: str) -> Thread:
        """The newest conversation of this folder. Raises BadInput when there is none: another folder's must not be sent
        by accident."""
        last = self._read(lambda history: history.last_thread(directory), None)
        if last is None:
            raise BadInput("there is no conversation yet to go on with", "ask without --continue")
        id, where = last
        if where != directory:
            hint = f"--thread {id} goes on with the newest, from {where}"
            raise BadInput("nothing was asked in this folder yet", hint)
        return self._read(lambda history: history.conversation(id), Thread(id))

    def _read(self, what: Callable[[History], T], nothing: T) -> T:
        """``nothing``: where there is no file, for reading makes none."""
        if not self.keeps:
            raise BadInput("nothing is kept, so there is no conversation to go on with", "switch the history on")
        if self._history is None and not os.path.lexists(database.file(self.environ)):
            return nothing
        found = self._use(what)
        if self._lost:
            raise BadInput(f"no conversation can be read: {self._lost.message}", "ask without --continue or --thread")
        return nothing if found is None else found

    def envelopes(self, script: str) -> Iterator[dict[str, Any]]:
        """Of the finished runs of one script; none when nothing is kept."""
        return (self._use(lambda history: history.envelopes(script)) if self.keeps else None) or iter(())

    # --- the run

    def begin(self, run: NewRun) -> bool:
        """Before anything is sent. False when the thread has gone on meanwhile, or is at work: read it again."""
        if not self.keeps:
            return True
        begun = self._use(lambda history: history.begin(run))
        self._run = run if begun else None
        return begun is not False

    def hand_over(self) -> None:
        """To a worker: this process writes nothing more of the run."""
        self.close()
        self._handed_over = True

    def take_over(self) -> None:
        """The run and what is reserved for it are this process's, after a fork or when there could be none."""
        self._handed_over = False
        run = self._run
        if run:
            self._use(lambda history: history.take_over(run.id))
            for id in self._reserved:
                self._take_over_one(id)

    def _take_over_one(self, id: str) -> None:
        self._use(lambda history: ledger.take_over(history.connection, id))

    def piece(self, text: str) -> None:
        """Streamed text, written four times a second; ``write`` must be called now and then."""
        if self.recording:
            self._unwritten.append(text)
            self.write()

    def write(self, *, at_once: bool = False) -> None:
        run, now = self._run, time.monotonic()
        if run and self._unwritten and (at_once or now - self._written >= EVERY):
            text = "".join(self._unwritten)
            self._unwritten.clear()
            self._written = now
            self._use(lambda history: history.extend(run.id, text))

    def finish(self, document: Mapping[str, Any], reply: Sequence[Mapping[str, Any]], usd: float | None) -> None:
        """The envelope, before it is printed; ``reply``: the messages that the conversation goes on from; ``usd``: what
        it cost, None when that is not known, so that all that was reserved counts; without any, what is known of it."""
        if usd is None and not self._reserved:
            usd = document.get("cost_known_usd", document["cost_usd"])
        run = self._run
        if run:
            secrets = self.console.secrets
            safe = screen.redact_values(document, secrets), screen.redact_values(list(reply), secrets)
            self._use(lambda history: history.finish(run.id, *safe))
        self._settle(usd)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """What is raised inside is written down as the run's end."""
        try:
            yield
        except BaseException as error:
            self._fail(error if isinstance(error, Fault) else Interrupted(f"ended by {type(error).__name__}"))
            raise

    def _fail(self, fault: Fault) -> None:
        if self._handed_over:
            return
        run = self._run
        if run:
            document = {**run.envelope, "status": "error", "error": error_object(fault)}
            safe = screen.redact_values(document, self.console.secrets)
            self._use(lambda history: history.finish(run.id, safe, []))
        self._settle(None if isinstance(fault, Interrupted) else 0.0)

    # --- money and rates

    def left(self) -> float | None:
        """USD that the budgets leave for a call; None without one. Raises BadInput when one is no amount, LimitReached
        when it cannot be kept."""
        budget = ledger.budget(self.settings)
        if budget == ledger.Budget():
            return None
        left = self._use(lambda history: ledger.left(history.connection, budget, time.time()))
        self._check_budget()
        return left

    def reserve(self, run_id: str, usd: float, until: float) -> None:
        """The most that the run, or a further part of it, may cost, where there is a budget. Raises LimitReached."""
        budget = ledger.budget(self.settings)
        if budget == ledger.Budget() or usd == 0:
            return
        self._use(lambda history: ledger.reserve(history.connection, run_id, usd, budget, time.time(), until))
        self._check_budget()
        self._reserved.append(run_id)

    def _check_budget(self) -> None:
        if self._lost:
            hint = "let $XDG_STATE_HOME be a folder that can be written, or unset the budget"
            raise LimitReached(f"the budget cannot be kept: {self._lost.message}", hint)

    def _settle(self, usd: float | None) -> None:
        """``None``: not known, so that all that was reserved counts."""
        for id in self._reserved or ([self._run.id] if self._run and usd else []):
            self._settle_one(id, usd)
            usd = usd and 0.0  # all of it stands with the first

    def _settle_one(self, id: str, usd: float | None) -> None:
        self._use(lambda history: ledger.settle(history.connection, id, usd))

    def admit(self, model: Model, prompt_tokens: int, output_limit: int | None, patience: float) -> float:
        """Seconds to sleep before the next request to this model. Raises LimitReached when ``patience`` (seconds) is
        less, BadInput when a limit is no number. What an answer takes is a guess until it is there."""
        limit = ratelimits.limit_for(model, self.settings)
        if limit is None:
            return 0.0
        tokens = prompt_tokens + (output_limit or LIKELY_OUTPUT)
        slot = self._use(
            lambda history: ratelimits.admit(
                history.connection, model.id, limit, tokens, patience, prompt_tokens=prompt_tokens
            )
        )
        if slot is None:
            return 0.0
        self._slots.setdefault(model.id, []).append(slot)
        return slot.wait_s

    def rest(self, deployment: Deployment, prompt_tokens: int) -> float:
        """Seconds until this deployment may be asked, 0 when it may at once (and that is counted)."""
        limit = RateLimit(deployment.rpm, deployment.tpm)
        if limit == RateLimit():
            return 0.0
        tokens, id = prompt_tokens + LIKELY_OUTPUT, f"deployment {deployment.id}"
        try:
            self._use(lambda history: ratelimits.admit(history.connection, id, limit, tokens, 0.0, prompt_tokens=0))
        except LimitReached as full:
            return full.retry_after or ratelimits.SPAN_S
        return 0.0

    def used(self, model: Model, usage: Usage) -> None:
        """What a request to this model took. Of several under way the oldest is put right: their sum is what counts."""
        waiting = self._slots.get(model.id)
        slot = waiting.pop(0) if waiting else None
        if slot and usage.input_tokens and usage.output_tokens:
            tokens = usage.input_tokens + usage.output_tokens
            self._use(lambda history: ratelimits.correct(history.connection, slot.id, tokens))

    # --- the file

    def _use(self, what: Callable[[History], T]) -> T | None:
        """None when the file cannot be used, which is said once; then nothing more is written."""
        if self._lost:
            return None
        try:
            if self._history is None:
                self._history = History(database.connect(self.environ, self._warn))
            return what(self._history)
        except NotSetUp as fault:
            self._lost = fault
        self._warn(self._lost.message)
        return None

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        self.console.note(f"warning: {text}")
