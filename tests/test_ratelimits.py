"""Slots: when each call may start, given all that were given before; the clock is the tests' own."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from litellm_skill import database, ratelimits
from litellm_skill.catalog import Model
from litellm_skill.faults import BadInput, LimitReached
from litellm_skill.ratelimits import HORIZON_S, SPAN_S, RateLimit, Slot
from litellm_skill.settings import Origin, Setting, Settings

SCRIPTS = Path(ratelimits.__file__).parents[1]
NOW = 1_795_176_000.0
MODEL = "openai/test-model"
REASON = "the limit is LLM_RPM, LLM_TPM, or rpm, tpm in models.toml"
AGAIN = f"try again then, allow more time, or ask another model; {REASON}"

CALLER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from litellm_skill import database, ratelimits
connection = database.connect(os.environ)
limit = ratelimits.RateLimit(rpm=3, tpm=100)
for tokens in (50, 10, 40, 20, 30):
    ratelimits.admit(connection, "openai/test-model", limit, tokens, 3600, prompt_tokens=1)
connection.close()
"""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(database.connect(os.environ)) as opened:
        yield opened


def ask(
    connection: sqlite3.Connection,
    limit: RateLimit,
    after_s: float = 0.0,
    tokens: int = 1,
    patience_s: float = 3600.0,
    model: str = MODEL,
    prompt_tokens: int = 0,
) -> Slot:
    """A slot asked for ``after_s`` seconds after the test began."""
    return ratelimits.admit(
        connection, model, limit, tokens, patience_s, prompt_tokens=prompt_tokens, clock=lambda: NOW + after_s
    )


def slots(connection: sqlite3.Connection, model: str = MODEL) -> list[tuple[float, int]]:
    rows = connection.execute("SELECT at, tokens FROM slots WHERE model = ? ORDER BY at, tokens", (model,))
    return [(at - NOW, tokens) for at, tokens in rows]


def fits(starts: Sequence[tuple[float, int]], limit: RateLimit) -> bool:
    """Whether no span holds too much; one that holds a single call may hold more tokens."""
    for first, _ in starts:
        span = [tokens for at, tokens in starts if first <= at < first + SPAN_S - 1e-6]
        if limit.rpm is not None and len(span) > limit.rpm:
            return False
        if limit.tpm is not None and len(span) > 1 and sum(span) > limit.tpm:
            return False
    return True


@pytest.mark.parametrize(
    ("limit", "calls", "starts"),
    [
        (RateLimit(rpm=1), [(0, 1), (10, 1), (61, 1), (500, 1)], [0, 65, 130, 500]),
        (RateLimit(rpm=2), [(0, 1)] * 5, [0, 0, 65, 65, 130]),
        (RateLimit(rpm=2), [(0, 1), (30, 1), (31, 1), (32, 1), (33, 1)], [0, 30, 65, 95, 130]),
        (RateLimit(rpm=3), [(0, 1), (64.9, 1), (64.9, 1), (64.9, 1), (65, 1)], [0, 64.9, 64.9, 65, 129.9]),
        (RateLimit(rpm=1), [(0, 1), (65, 1)], [0, 65]),
        (RateLimit(tpm=100), [(0, 60), (0, 60), (0, 40), (0, 1), (0, 40)], [0, 65, 0, 65, 130]),
        (RateLimit(tpm=100), [(0, 100), (5, 100)], [0, 65]),
        (RateLimit(tpm=100), [(0, 250), (1, 10), (2, 90), (3, 1)], [0, 65, 65, 130]),
        (RateLimit(tpm=100), [(0, 10), (1, 250), (2, 1)], [0, 65, 130]),
        (RateLimit(tpm=100), [(0, 60), (30, 50), (31, 40)], [0, 65, 31]),
        (RateLimit(tpm=100), [(0, 60), (30, 50), (40, 55)], [0, 65, 130]),
        (RateLimit(rpm=2, tpm=100), [(0, 10), (0, 10), (0, 95), (0, 5), (0, 5)], [0, 0, 65, 65, 130]),
        (RateLimit(rpm=10**9, tpm=10**12), [(0, 10**11)] * 4, [0, 0, 0, 0]),
    ],
)
def test_each_call_starts_as_early_as_the_others_allow(
    connection: sqlite3.Connection, limit: RateLimit, calls: list[tuple[float, int]], starts: list[float]
) -> None:
    given = [after + ask(connection, limit, after, tokens).wait_s for after, tokens in calls]
    assert given == pytest.approx(starts)
    sizes = [tokens for _, tokens in calls]
    assert fits(sorted(zip(given, sizes, strict=True)), limit)


@pytest.mark.parametrize(("patience_s", "given"), [(64.9, False), (65.0, True), (0.0, False), (-1.0, False)])
def test_who_cannot_wait_so_long_is_told_when(connection: sqlite3.Connection, patience_s: float, given: bool) -> None:
    limit = RateLimit(rpm=1, tpm=1000)
    ask(connection, limit, tokens=7)
    if given:
        assert ask(connection, limit, patience_s=patience_s).wait_s == 65
        return
    with pytest.raises(LimitReached) as caught:
        ask(connection, limit, patience_s=patience_s)
    fault = caught.value
    when = time.strftime("%H:%M:%S", time.localtime(NOW + 65))
    what = f"{MODEL} is limited to 1 request and 1,000 tokens a minute, and its next call may start at {when}"
    assert (fault.message, fault.hint) == (what, AGAIN)
    assert (fault.exit_code, fault.retryable, fault.retry_after) == (7, True, 65)
    assert slots(connection) == [(0, 7)]


def test_a_call_that_need_not_wait_needs_no_patience(connection: sqlite3.Connection) -> None:
    assert ask(connection, RateLimit(rpm=1), patience_s=0).wait_s == 0


@pytest.mark.parametrize(("prompt_tokens", "refused"), [(100, False), (101, True)])
def test_a_prompt_larger_than_the_limit_never_goes(
    connection: sqlite3.Connection, prompt_tokens: int, refused: bool
) -> None:
    limit = RateLimit(tpm=100)
    if not refused:
        assert ask(connection, limit, tokens=900, prompt_tokens=prompt_tokens).wait_s == 0
        return
    with pytest.raises(LimitReached) as caught:
        ask(connection, limit, tokens=900, prompt_tokens=prompt_tokens)
    what = f"the prompt is about 101 tokens, and {MODEL} is limited to 100 tokens a minute"
    assert (caught.value.message, caught.value.hint) == (what, f"attach less, or ask another model; {REASON}")
    assert (caught.value.exit_code, caught.value.retryable) == (7, False)
    assert slots(connection) == []


@pytest.mark.parametrize(("counted", "wait_s"), [(10, 0), (40, 0), (41, 65), (500, 65)])
def test_the_real_count_takes_the_place_of_the_estimate(
    connection: sqlite3.Connection, counted: int, wait_s: float
) -> None:
    limit = RateLimit(tpm=100)
    slot = ask(connection, limit, tokens=100)
    ratelimits.correct(connection, slot.id, counted)
    assert ask(connection, limit, tokens=60).wait_s == wait_s


def test_the_clock_is_read_when_the_file_is_ours(connection: sqlite3.Connection) -> None:
    """Else the time that the wait for it took would be missing between two starts."""
    locked = []

    def clock() -> float:
        locked.append(connection.in_transaction)
        return NOW

    ratelimits.admit(connection, MODEL, RateLimit(rpm=1), 1, 0, prompt_tokens=1, clock=clock)
    assert locked == [True]


def test_models_do_not_share_a_limit(connection: sqlite3.Connection) -> None:
    limit = RateLimit(rpm=1)
    assert [ask(connection, limit, model=model).wait_s for model in ("a/b", "a/c", "a/b")] == [0, 0, 65]


def test_calls_are_served_in_the_order_they_came(connection: sqlite3.Connection) -> None:
    chance = random.Random(1)
    limit, now, starts = RateLimit(rpm=3), 0.0, []
    for _ in range(60):
        now += chance.random() * 15
        starts.append(now + ask(connection, limit, now).wait_s)
    assert starts == sorted(starts)


def test_old_slots_are_pruned_a_few_at_a_time(connection: sqlite3.Connection) -> None:
    rows = [(n, f"a/{n % 7}", NOW - SPAN_S - n, 1) for n in range(2500)]
    with database.writing(connection):
        connection.executemany("INSERT INTO slots (id, model, at, tokens) VALUES (?, ?, ?, ?)", rows)
    left = []
    for _ in range(4):
        ask(connection, RateLimit(rpm=9))
        left.append(connection.execute("SELECT count(*) FROM slots").fetchone()[0])
    assert left == [1501, 502, 3, 4]


def test_a_slot_of_a_clock_that_was_set_back_binds_nobody(connection: sqlite3.Connection) -> None:
    rows = [(1, MODEL, NOW + HORIZON_S + 1, 1), (2, MODEL, NOW + HORIZON_S - 1, 1)]
    with database.writing(connection):
        connection.executemany("INSERT INTO slots (id, model, at, tokens) VALUES (?, ?, ?, ?)", rows)
    assert ask(connection, RateLimit(rpm=1)).wait_s == 0
    assert slots(connection) == [(0, 1), (HORIZON_S - 1, 1)]


def test_nobody_is_given_a_slot_that_would_be_forgotten(connection: sqlite3.Connection) -> None:
    limit, patience_s = RateLimit(rpm=1), 10 * HORIZON_S
    rows = [(n, MODEL, NOW + n * SPAN_S, 1) for n in range(int(HORIZON_S // SPAN_S) + 1)]
    with database.writing(connection):
        connection.executemany("INSERT INTO slots (id, model, at, tokens) VALUES (?, ?, ?, ?)", rows)
    with pytest.raises(LimitReached):
        ask(connection, limit, patience_s=patience_s)
    assert len(slots(connection)) == len(rows)


def test_a_late_correction_meets_no_other_call(connection: sqlite3.Connection) -> None:
    """The slot of a long call is pruned while it runs; no other one may get its number."""
    limit = RateLimit(tpm=100)
    long_call = ask(connection, limit, tokens=50)
    ask(connection, limit, 200, tokens=50)
    ratelimits.correct(connection, long_call.id, 9999)
    assert slots(connection) == [(200, 50)]


@pytest.mark.parametrize("seed", range(20))
def test_no_span_holds_too_much_and_no_start_is_later_than_it_must_be(
    connection: sqlite3.Connection, seed: int
) -> None:
    """Against all the times at which a start can become possible, tried one by one."""
    chance = random.Random(seed)
    limit = chance.choice([RateLimit(rpm=2), RateLimit(tpm=100), RateLimit(3, 100), RateLimit(5, 60)])
    now, made = 0.0, {}
    for _ in range(40):
        now += chance.choice([0, 0, 1, 20, 62, 100])
        tokens = chance.choice([1, 10, 30, 60, 100, 150])
        slot = ask(connection, limit, now, tokens, 1e5)
        start = now + slot.wait_s
        assert start == pytest.approx(earliest(list(made.values()), limit, tokens, now))
        made[slot.id] = (start, tokens)
        assert fits(sorted(made.values()), limit)
        if chance.random() < 0.2:
            fewer = max(1, tokens // 2)
            ratelimits.correct(connection, slot.id, fewer)
            made[slot.id] = (start, fewer)


def earliest(made: list[tuple[float, int]], limit: RateLimit, tokens: int, now: float) -> float:
    candidates = sorted([now, *(at + SPAN_S for at, _ in made if at + SPAN_S > now)])
    return next(time for time in candidates if fits(sorted([*made, (time, tokens)]), limit))


def test_processes_at_once_share_a_limit(connection: sqlite3.Connection) -> None:
    command = [sys.executable, "-c", CALLER, str(SCRIPTS)]
    callers = [subprocess.Popen(command) for _ in range(4)]
    assert [caller.wait() for caller in callers] == [0] * 4
    given = slots(connection)
    assert sorted(tokens for _, tokens in given) == sorted([50, 10, 40, 20, 30] * 4)
    assert fits(given, RateLimit(rpm=3, tpm=100))


@pytest.mark.parametrize(
    ("model", "values", "limit"),
    [
        (Model("a/b", "a"), {}, None),
        (Model("a/b", "a"), {"LLM_RPM": "5"}, RateLimit(rpm=5)),
        (Model("a/b", "a"), {"LLM_TPM": "90_000"}, RateLimit(tpm=90_000)),
        (Model("a/b", "a", rpm=7), {"LLM_RPM": "5", "LLM_TPM": "9"}, RateLimit(7, 9)),
        (Model("a/b", "a", rpm=7, tpm=8), {"LLM_RPM": "x", "LLM_TPM": "x"}, RateLimit(7, 8)),
        (Model("a/b", "a", tpm=8), {}, RateLimit(tpm=8)),
    ],
)
def test_the_models_own_limit_goes_before_the_general_one(
    model: Model, values: dict[str, str], limit: RateLimit | None
) -> None:
    assert ratelimits.limit_for(model, settings(values)) == limit


@pytest.mark.parametrize("name", ["LLM_RPM", "LLM_TPM"])
@pytest.mark.parametrize("value", ["0", "-5", "x", "1.5", "inf", "9" * 5000])
def test_what_is_no_limit_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadInput) as caught:
        ratelimits.limit_for(Model("a/b", "a"), settings({name: value}))
    assert caught.value.message == f"{name} (environment) is not a whole number above 0"
    assert caught.value.hint == "give one such as 60, or unset it"


def settings(values: dict[str, str]) -> Settings:
    return Settings({name: Setting(name, value, Origin.ENVIRONMENT) for name, value in values.items()})
