"""Spending, reservations and budgets: texts, calendar, dead processes, many at once."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from catalogs import TODAY, having, loaded
from litellm_skill import database, ledger, process
from litellm_skill.faults import BadInput, LimitReached
from litellm_skill.ledger import Budget, Spent
from litellm_skill.price import Price
from litellm_skill.process import Process
from litellm_skill.settings import Origin, Setting, Settings

SCRIPTS = Path(process.__file__).parents[1]
NOON = datetime(2026, 11, 20, 12).timestamp()  # local
DAY_S = 86_400.0
FAR = 1e12

# argv: id, USD, the day's budget. Reserves, says how that went, and settles half of it when its stdin ends.
CALLER = """
import os, sys, time
sys.path.insert(0, sys.argv[4])
from litellm_skill import database, faults, ledger, process
connection = database.connect(os.environ)
usd, budget = float(sys.argv[2]), ledger.Budget(day=float(sys.argv[3]))
try:
    ledger.reserve(connection, sys.argv[1], usd, budget, time.time(), time.time() + 600)
except faults.LimitReached as fault:
    print(fault.exit_code, flush=True)
else:
    print("reserved", flush=True)
    sys.stdin.read()
    ledger.settle(connection, sys.argv[1], usd / 2)
connection.close()
"""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(database.connect(os.environ)) as opened:
        yield opened


@pytest.fixture(scope="module")
def dead() -> Process:
    """A process that was there, and has ended."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from litellm_skill import process; p = process.this()"
    code += "; import json; print(json.dumps([p.pid, p.birth]))"
    done = subprocess.run([sys.executable, "-c", code, str(SCRIPTS)], capture_output=True, text=True, check=True)
    return Process(*json.loads(done.stdout))


def die(connection: sqlite3.Connection, id: str, owner: Process) -> None:
    """As if ``owner`` had made the reservation."""
    values = (owner.pid, owner.birth, id)
    with database.writing(connection):
        connection.execute("UPDATE reservations SET pid = ?, birth = ? WHERE id = ?", values)


def reserved(connection: sqlite3.Connection) -> dict[str, float]:
    return dict(connection.execute("SELECT id, usd FROM reservations ORDER BY made, id"))


def settings(**values: str) -> Settings:
    return Settings({name: Setting(name, value, Origin.ENVIRONMENT) for name, value in values.items()})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Budget()),
        ({ledger.DAY: "2.50"}, Budget(day=2.5)),
        ({ledger.MONTH: "1e2"}, Budget(month=100.0)),
        ({ledger.DAY: "0", ledger.MONTH: "7"}, Budget(0.0, 7.0)),
    ],
)
def test_budgets_are_settings(values: dict[str, str], expected: Budget) -> None:
    assert ledger.budget(settings(**values)) == expected


@pytest.mark.parametrize("name", [ledger.DAY, ledger.MONTH])
@pytest.mark.parametrize("value", ["x", "-1", "nan", "inf", "5 USD", "$5", "1,50", "-0.01"])
def test_what_is_no_amount_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadInput) as caught:
        ledger.budget(settings(**{name: value}))
    assert caught.value.message == f"{name} (environment) is not an amount of USD"
    assert caught.value.hint == "give a number such as 2.50, or unset it"


@pytest.mark.parametrize(
    ("budget", "usd", "message", "hint"),
    [
        (
            Budget(day=2.0),
            0.5,
            "0.25 USD is left of today's budget of 2 USD, and this call may cost 0.5 USD",
            "it begins anew at midnight (2026-11-21 00:00); until then lower --max-tokens, attach less, take a cheaper "
            "model, or raise LITELLM_SKILL_BUDGET_USD_DAY",
        ),
        (
            Budget(month=3.0),
            0.5,
            "0.25 USD is left of this month's budget of 3 USD, and this call may cost 0.5 USD",
            "it begins anew on 2026-12-01; until then lower --max-tokens, attach less, take a cheaper model, or raise "
            "LITELLM_SKILL_BUDGET_USD_MONTH",
        ),
        (
            Budget(2.0, 3.0),
            2.5,
            "0.25 USD is left of this month's budget of 3 USD, and this call may cost 2.5 USD",
            "it begins anew on 2026-12-01; until then lower --max-tokens, attach less, take a cheaper model, or raise "
            "LITELLM_SKILL_BUDGET_USD_MONTH",
        ),
        (
            Budget(2.0, 30.0),
            2.5,
            "0.25 USD is left of today's budget of 2 USD, and this call may cost 2.5 USD",
            "lower --max-tokens, attach less, take a cheaper model, or raise LITELLM_SKILL_BUDGET_USD_DAY",
        ),
        (
            Budget(day=0.0),
            1e-5,
            "0 USD is left of today's budget of 0 USD, and this call may cost 1e-05 USD",
            "lower --max-tokens, attach less, take a cheaper model, or raise LITELLM_SKILL_BUDGET_USD_DAY",
        ),
    ],
)
def test_a_refusal_says_what_is_left_and_until_when(
    connection: sqlite3.Connection, budget: Budget, usd: float, message: str, hint: str
) -> None:
    ledger.settle(connection, "earlier", 1.0, now=NOON - DAY_S)
    ledger.settle(connection, "today", 1.5, now=NOON)
    ledger.reserve(connection, "under way", 0.25, Budget(), NOON, FAR)
    with pytest.raises(LimitReached) as caught:
        ledger.reserve(connection, "call", usd, budget, NOON, FAR)
    assert (caught.value.message, caught.value.hint, caught.value.exit_code) == (message, hint, 7)
    assert reserved(connection) == {"under way": 0.25}
    ledger.reserve(connection, "free", 0.0, budget, NOON, FAR)  # what costs nothing may always run


@pytest.mark.parametrize("whole", [0.1, 1.0, 3.3, 5.0, 1e-3, 1e6, 0.7, 1 / 3])
def test_six_sixths_fit_and_never_seven(connection: sqlite3.Connection, whole: float) -> None:
    for budget in (Budget(day=whole), Budget(month=whole)):
        for n in range(6):
            ledger.reserve(connection, str(n), whole / 6, budget, NOON, FAR)
        assert ledger.left(connection, budget, NOON) == pytest.approx(0, abs=whole * 1e-9)
        with pytest.raises(LimitReached):
            ledger.reserve(connection, "7", whole / 6, budget, NOON, FAR)
        for n in range(6):
            ledger.release(connection, str(n))


@pytest.mark.parametrize(
    ("now", "expected", "left"),
    [
        (datetime(2026, 11, 20, 23, 59, 59), Spent(2.0, 3.0), 2.0),
        (datetime(2026, 11, 21, 0, 0, 0), Spent(0.0, 3.0), 4.0),
        (datetime(2026, 11, 30, 23, 59, 59), Spent(0.0, 3.0), 4.0),
        (datetime(2026, 12, 1, 0, 0, 0), Spent(0.0, 0.0), 4.0),
        (datetime(2027, 11, 20, 12), Spent(0.0, 0.0), 4.0),
        (datetime(2026, 10, 31, 23, 59, 59), Spent(0.0, 8.0), 2.0),
    ],
)
def test_days_and_months_are_the_local_calendars(
    connection: sqlite3.Connection, now: datetime, expected: Spent, left: float
) -> None:
    ledger.settle(connection, "a", 8.0, now=datetime(2026, 10, 1).timestamp())
    ledger.settle(connection, "b", 1.0, now=datetime(2026, 11, 1).timestamp())
    ledger.settle(connection, "c", 0.75, now=NOON)
    ledger.settle(connection, "d", 1.25, now=NOON + 3600)
    assert ledger.spent(connection, now.timestamp()) == expected
    assert ledger.left(connection, Budget(4.0, 10.0), now.timestamp()) == left
    assert ledger.left(connection, Budget(), now.timestamp()) is None


def test_what_is_settled_after_midnight_counts_for_the_new_day(connection: sqlite3.Connection) -> None:
    budget = Budget(day=1.0)
    late, early = (datetime(2026, 11, 20, 23, 59).timestamp(), datetime(2026, 11, 21, 0, 1).timestamp())
    ledger.reserve(connection, "a", 0.75, budget, late, FAR)
    assert ledger.left(connection, budget, early) == 0.25  # still under way, so it may cost that today
    ledger.settle(connection, "a", 0.5, now=early)
    assert (ledger.spent(connection, late).day, ledger.spent(connection, early).day) == (0.0, 0.5)
    assert reserved(connection) == {}


@pytest.mark.parametrize(
    ("usd", "counted"),
    [(0.0, 0.0), (0.25, 0.25), (2.0, 2.0), (None, 0.5), (float("nan"), 0.5), (float("inf"), 0.5), (-1.0, 0.5)],
)
def test_what_a_call_cost_or_else_what_it_may_have_cost(
    connection: sqlite3.Connection, usd: float | None, counted: float
) -> None:
    ledger.reserve(connection, "a", 0.5, Budget(day=1.0), NOON, FAR)
    ledger.settle(connection, "a", usd, now=NOON)
    assert ledger.spent(connection, NOON) == Spent(counted, counted)
    assert ledger.left(connection, Budget(day=1.0), NOON) == max(0.0, 1.0 - counted)
    ledger.settle(connection, "b", usd, now=NOON)  # not reserved, as there was no budget
    known = usd if counted == usd else 0.0
    assert ledger.spent(connection, NOON).day == counted + known


def test_old_days_are_forgotten(connection: sqlite3.Connection) -> None:
    for days in (63, 62, 61, 0):
        ledger.settle(connection, "a", 1.0, now=NOON - days * DAY_S)
    kept = [day for (day,) in connection.execute("SELECT day FROM spend_day ORDER BY day")]
    assert kept == ["2026-09-19", "2026-09-20", "2026-11-20"]


@pytest.mark.parametrize(
    ("is_dead", "until", "now", "free"),
    [(True, FAR, NOON, True), (False, FAR, NOON, False), (False, NOON + 9, NOON + 8, False), (False, NOON, NOON, True)],
)
def test_what_nobody_uses_any_more_is_free_again(
    connection: sqlite3.Connection, dead: Process, is_dead: bool, until: float, now: float, free: bool
) -> None:
    budget = Budget(day=1.0)
    ledger.reserve(connection, "a", 1.0, budget, NOON - 1, until)
    if is_dead:
        die(connection, "a", dead)
    assert ledger.left(connection, budget, now) == float(free)
    assert reserved(connection) == {"a": 1.0}  # looking changes nothing
    if free:
        ledger.reserve(connection, "b", 1.0, budget, now, FAR)
        assert reserved(connection) == {"b": 1.0}
    else:
        with pytest.raises(LimitReached):
            ledger.reserve(connection, "b", 1.0, budget, now, FAR)


def test_a_reservation_is_taken_over_by_the_process_that_goes_on(connection: sqlite3.Connection, dead: Process) -> None:
    budget = Budget(day=1.0)
    ledger.reserve(connection, "a", 1.0, budget, NOON, FAR)
    die(connection, "a", dead)
    ledger.take_over(connection, "a")
    assert ledger.left(connection, budget, NOON) == 0
    die(connection, "a", dead)
    ledger.reserve(connection, "b", 1.0, budget, NOON, FAR)
    ledger.take_over(connection, "a")
    assert reserved(connection) == {"b": 1.0}


def test_what_is_taken_over_in_the_last_moment_is_not_released(connection: sqlite3.Connection, dead: Process) -> None:
    """Between the look at the owner and the transaction that releases what it had."""
    ledger.reserve(connection, "a", 1.0, Budget(), NOON, FAR)
    die(connection, "a", dead)
    with closing(database.connect(os.environ)) as other:

        def take_over(statement: str) -> None:
            if statement == "BEGIN IMMEDIATE":
                ledger.take_over(other, "a")

        connection.set_trace_callback(take_over)
        with pytest.raises(LimitReached):
            ledger.reserve(connection, "b", 1.0, Budget(day=1.0), NOON, FAR)
    assert reserved(connection) == {"a": 1.0}


@pytest.mark.parametrize(
    ("act", "statements"),
    [
        (lambda it: ledger.reserve(it, "b", 1.0, Budget(day=2.0), NOON, FAR), ["SELECT total", "SELECT day", "INSERT"]),
        (lambda it: ledger.settle(it, "a", None, now=NOON), ["SELECT total", "DELETE", "INSERT", "DELETE"]),
    ],
)
def test_nobody_writes_between_the_parts_of_a_change(
    connection: sqlite3.Connection, act: Callable[[sqlite3.Connection], None], statements: list[str]
) -> None:
    ledger.reserve(connection, "a", 1.0, Budget(), NOON, FAR)
    shut_out = []
    with closing(database.connect(os.environ)) as other:
        other.execute("PRAGMA busy_timeout = 0")

        def try_to_write(statement: str) -> None:
            if statement.startswith(tuple(statements)):
                try:
                    other.execute("BEGIN IMMEDIATE").execute("ROLLBACK")
                except sqlite3.OperationalError:
                    shut_out.append(statement)
                else:
                    shut_out.append("nobody")

        connection.set_trace_callback(try_to_write)
        act(connection)
    assert len(shut_out) == len(statements)
    for statement, beginning in zip(shut_out, statements, strict=True):
        assert statement.startswith(beginning)


def test_no_interleaving_spends_more_than_the_budget(connection: sqlite3.Connection, dead: Process) -> None:
    """Calls that cost at most what they reserved, in any order, some of them killed, over days and months."""
    outcomes = {"reserved": 0, "refused": 0, "freed": 0}
    for seed in range(250):
        chance = random.Random(seed)
        with database.writing(connection):
            connection.execute("DELETE FROM reservations")
            connection.execute("DELETE FROM spend_day")
        budget = chance.choice([Budget(day=1.0), Budget(month=1.0), Budget(1.0, 2.0), Budget(0.7, 0.9)])
        one_run(connection, chance, budget, dead, outcomes)
    assert min(outcomes.values()) > 500, outcomes


def one_run(
    connection: sqlite3.Connection, chance: random.Random, budget: Budget, dead: Process, outcomes: dict[str, int]
) -> None:
    now, living, killed = NOON + chance.random() * 40 * DAY_S, {}, set()
    for step in range(25):
        now += chance.choice([1, 600, DAY_S / 3])
        what = chance.choice(["reserve", "reserve", "reserve", "settle", "release", "kill"])
        if what == "reserve":
            usd = chance.choice([budget.day or 1.0, 1.0, 0.5, 0.3]) / chance.randint(1, 7)
            before = ledger.spent(connection, now)
            total = sum(living.values()) + usd
            uses = [(before.day, budget.day), (before.month, budget.month)]
            room = min(cap - used - total for used, cap in uses if cap is not None)
            try:
                ledger.reserve(connection, str(step), usd, budget, now, FAR)
            except LimitReached:
                assert room < 1e-12, "refused what had room"
                outcomes["refused"] += 1
            else:
                assert room > -1e-8, "promised more than there was"
                living[str(step)] = usd
                assert reserved(connection).keys() == living.keys()
                outcomes["freed"] += len(killed)
                outcomes["reserved"] += 1
                killed.clear()
        elif living:
            id = chance.choice(list(living))
            usd = living.pop(id)
            if what == "settle":
                ledger.settle(connection, id, chance.choice([0.0, usd * chance.random(), usd, None]), now=now)
            elif what == "release":
                ledger.release(connection, id)
            else:
                die(connection, id, dead)
                killed.add(id)
        within(connection, budget, now, sum(living.values()))


def within(connection: sqlite3.Connection, budget: Budget, now: float, under_way: float) -> None:
    used = ledger.spent(connection, now)
    for spent, cap in ((used.day, budget.day), (used.month, budget.month)):
        assert cap is None or spent + under_way <= cap * (1 + 1e-9)


def test_processes_at_once_share_a_budget(connection: sqlite3.Connection) -> None:
    """Nine that ask for a sixth each; five of those that got it are killed."""
    budget, sixth = Budget(day=0.9), 0.9 / 6
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    arguments = [[f"call-{n}", str(sixth), "0.9", str(SCRIPTS)] for n in range(9)]
    callers = [subprocess.Popen([sys.executable, "-c", CALLER, *rest], **pipes) for rest in arguments]
    said = [caller.stdout.readline().strip() for caller in callers]
    assert sorted(said) == ["7"] * 3 + ["reserved"] * 6
    assert ledger.left(connection, budget, time.time()) == pytest.approx(0, abs=1e-9)
    holders = [caller for caller, word in zip(callers, said, strict=True) if word == "reserved"]
    for caller in holders[:5]:
        caller.kill()
        caller.wait()
    assert ledger.left(connection, budget, time.time()) == pytest.approx(5 * sixth)
    for caller in callers:
        caller.communicate()
    assert [caller.returncode for caller in holders[5:]] == [0]
    assert ledger.spent(connection, time.time()).month == pytest.approx(sixth / 2)
    for n in range(5):
        ledger.reserve(connection, f"next-{n}", sixth, budget, time.time(), FAR)
    with pytest.raises(LimitReached):
        ledger.reserve(connection, "next-5", sixth, budget, time.time(), FAR)


@pytest.mark.parametrize("id", ["openrouter/maker/test-model", 'maker/a"b', "maker/a\\b", "maker/ä:free", "maker/😀"])
def test_the_line_that_states_a_price_is_one_models_toml_takes(tmp_path: Path, id: str) -> None:
    fault = ledger.unpriced(id)
    assert (fault.exit_code, fault.message) == (7, f"the price of {id} is unknown, so no budget can hold")
    where, line = fault.hint.split(": ", 1)
    assert where == (
        "put its USD per million tokens for 999 and this line at the head of ~/.config/litellm-skill/models.toml"
    )
    models = loaded(tmp_path, f'{line}\n[models."openai/other"]\ntools = true\n[aliases]\nx = "openai/other"\n')
    model = models.resolve(id, usable=having(), today=TODAY)
    assert model.price == Price(999e-6, 999e-6, source="user")
