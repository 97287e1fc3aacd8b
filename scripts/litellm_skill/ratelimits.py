"""Rate limits over every process of the user on this machine: each limited call is given the time it may start at.

A slot is such a time, with the call's tokens. Slots are given in one transaction, past and future ones considered, so
a call that must wait sleeps once and need not look again. Times are seconds since the epoch. A process for which no
limit is stated has its calls not counted. What reads or writes the file raises NotSetUp when that cannot be done.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litellm_skill import database
from litellm_skill.faults import BadInput, LimitReached
from litellm_skill.settings import Settings

if TYPE_CHECKING:
    import sqlite3

    from litellm_skill.catalog import Model

WINDOW_S = 60.0
# A provider counts requests as they arrive, which is some time after their slots: connections are opened, names
# resolved, the machine is busy. Where one takes longer than a later one, they arrive closer together than their slots
# are, so slots are spread over this much more than the window.
MARGIN_S = 5.0
SPAN_S = WINDOW_S + MARGIN_S
HORIZON_S = 86_400.0  # no call waits for longer; a slot beyond it was given by a clock that has been set back
_PRUNED = 1000  # rows at a time, so that no call pays for a large clearing
_RAISE = "the limit is LLM_RPM, LLM_TPM, or rpm, tpm in models.toml"


@dataclass(frozen=True)
class RateLimit:
    """Requests and tokens a minute, at least 1; None is no limit."""

    rpm: int | None = None
    tpm: int | None = None

    def __str__(self) -> str:
        counts = {"request": self.rpm, "token": self.tpm}
        stated = [f"{count:,} {noun}{'s' * (count != 1)}" for noun, count in counts.items() if count is not None]
        return f"{' and '.join(stated)} a minute"


@dataclass(frozen=True)
class Slot:
    """``wait_s``: seconds from now until the call may start."""

    id: int
    wait_s: float


def limit_for(model: Model, settings: Settings, rpm: str = "LLM_RPM", tpm: str = "LLM_TPM") -> RateLimit | None:
    """What models.toml says of the model, else these two settings, which hold for each model by itself.

    Raises BadInput when a setting that is needed is no whole number above 0."""
    limit = RateLimit(model.rpm or _stated(settings, rpm), model.tpm or _stated(settings, tpm))
    return None if limit == RateLimit() else limit


def admit(
    connection: sqlite3.Connection,
    model_id: str,
    limit: RateLimit,
    tokens: int,
    patience_s: float,
    *,
    prompt_tokens: int,
    clock: Callable[[], float] = time.time,
) -> Slot:
    """A slot at the earliest time that leaves no ``SPAN_S`` seconds with more starts or tokens than allowed.

    ``tokens``: of prompt and answer, as far as can be told. A call with more than the limit gets a span of its own.
    The clock is read when the file is locked, as waiting for that must not count for the call.
    Raises LimitReached, and gives no slot, when the wait is longer than ``patience_s`` or the prompt never fits.
    """
    if limit.tpm is not None and prompt_tokens > limit.tpm:
        what = f"the prompt is about {prompt_tokens:,} tokens, and {model_id} is limited to {limit}"
        raise LimitReached(what, f"attach less, or ask another model; {_RAISE}")
    with database.writing(connection):
        now = clock()
        _prune(connection, now)
        given = connection.execute(
            "SELECT at, tokens FROM slots WHERE model = ? AND at > ? ORDER BY at", (model_id, now - SPAN_S)
        ).fetchall()
        start = _earliest(given, limit, tokens, now)
        if start - now > min(patience_s, HORIZON_S):
            raise _refusal(model_id, limit, start, start - now)
        # Not the file's own count: it gives the number of a pruned row again, whose call may yet correct it.
        id = int.from_bytes(os.urandom(7), "big")
        connection.execute(
            "INSERT INTO slots (id, model, at, tokens) VALUES (?, ?, ?, ?)", (id, model_id, start, tokens)
        )
    return Slot(id, start - now)


def correct(connection: sqlite3.Connection, slot_id: int, tokens: int) -> None:
    """The call is over and has used so many tokens. Of a slot long past nothing is kept, and nothing happens."""
    with database.writing(connection):
        connection.execute("UPDATE slots SET tokens = ? WHERE id = ?", (tokens, slot_id))


def _earliest(given: Sequence[tuple[float, int]], limit: RateLimit, tokens: int, now: float) -> float:
    """The first time from ``now`` on that no closed interval holds; ``given`` in order of time."""
    closed: list[tuple[float, float]] = []
    if limit.rpm is not None:
        closed += _closed([(at, 1) for at, _ in given], 1, limit.rpm)
    if limit.tpm is not None:
        closed += _closed(given, min(tokens, limit.tpm), limit.tpm)
    start = now
    for begin, end in sorted(closed):
        if begin < start < end:
            start = end
    return start


def _closed(given: Sequence[tuple[float, int]], weight: int, most: int) -> Iterator[tuple[float, float]]:
    """Open intervals in which a start of ``weight`` (at most ``most``) would put too much into one span.

    For each slot the nearest later one such that both, what is between them, and the new one weigh too much: if they
    are less than a span apart, the new one must be a span after the first, or a span before the last.
    """
    total, end = 0, 0  # the weight from the slot at hand up to given[end]
    for first, own in given:
        while end < len(given) and total + weight <= most:
            total += given[end][1]
            end += 1
        if total + weight <= most:
            return
        last = given[end - 1][0]
        if last - first < SPAN_S:
            yield last - SPAN_S, first + SPAN_S
        total -= own


def _prune(connection: sqlite3.Connection, now: float) -> None:
    connection.execute(
        "DELETE FROM slots WHERE id IN (SELECT id FROM slots WHERE at <= ? OR at > ? LIMIT ?)",
        (now - SPAN_S, now + HORIZON_S, _PRUNED),
    )


def _refusal(model_id: str, limit: RateLimit, start: float, wait_s: float) -> LimitReached:
    when = time.strftime("%H:%M:%S", time.localtime(start))
    return LimitReached(
        f"{model_id} is limited to {limit}, and its next call may start at {when}",
        f"try again then, allow more time, or ask another model; {_RAISE}",
        retryable=True,
        retry_after=wait_s,
    )


def _stated(settings: Settings, name: str) -> int | None:
    setting = settings.find(name)
    if setting is None:
        return None
    try:
        number = int(setting.value)
    except ValueError:
        number = 0
    if number < 1:
        raise BadInput(f"{name} ({setting.source}) is not a whole number above 0", "give one such as 60, or unset it")
    return number
