"""The ledger: what was spent on each local calendar day, what calls under way have reserved, and the budgets.

A call reserves its worst case before it is sent and settles what it cost afterwards, so that processes at work at once
never spend more together than a budget has left. What a dead process had reserved is free again. All money is in USD,
all times are seconds since the epoch. What reads or writes the file raises NotSetUp when that cannot be done.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from litellm_skill import database, process
from litellm_skill.faults import BadInput, LimitReached
from litellm_skill.process import Process
from litellm_skill.settings import Settings

if TYPE_CHECKING:
    import sqlite3

DAY = "LITELLM_SKILL_BUDGET_USD_DAY"
MONTH = "LITELLM_SKILL_BUDGET_USD_MONTH"
KEPT_DAYS = 62  # two months, whatever their lengths
_ROUNDING = 1e-9  # of a budget: six sixths of it may add up to a hair more than the whole


@dataclass(frozen=True)
class Budget:
    """What may be spent in a local calendar day and month; 0 is nothing, None is no limit."""

    day: float | None = None
    month: float | None = None


@dataclass(frozen=True)
class Spent:
    """In the local calendar day and month of now, by settled calls."""

    day: float
    month: float


@dataclass(frozen=True)
class _Account:
    """One of the budgets, and how much of it is spent or reserved."""

    setting: str
    period: str
    begins_anew: str
    budget: float
    used: float

    @property
    def left(self) -> float:
        return max(0.0, self.budget - self.used)

    def holds(self, usd: float) -> bool:
        """What costs nothing always fits: calls may have cost more than was expected of them."""
        return usd == 0 or self.used + usd <= self.budget * (1 + _ROUNDING)

    def refusal(self, usd: float) -> LimitReached:
        cheaper = f"lower --max-tokens, attach less, take a cheaper model, or raise {self.setting}"
        later = f"it begins anew {self.begins_anew}; until then " if usd <= self.budget else ""
        return LimitReached(
            f"{_amount(self.left)} is left of {self.period} budget of {_amount(self.budget)}, "
            f"and this call may cost {_amount(usd)}",
            later + cheaper,
        )


def budget(settings: Settings) -> Budget:
    """Raises BadInput when one is not an amount of money."""
    return Budget(_stated(settings, DAY), _stated(settings, MONTH))


def unpriced(model_id: str) -> LimitReached:
    """The refusal of a model whose price is unknown, with the line for models.toml that states one."""
    key = json.dumps(model_id, ensure_ascii=False)  # of printable text; TOML writes it the same way
    return LimitReached(
        f"the price of {model_id} is unknown, so no budget can hold",
        "put its USD per million tokens for 999 and this line at the head of ~/.config/litellm-skill/models.toml: "
        f"models.{key}.price = {{ input = 999, output = 999 }}",
    )


def reserve(connection: sqlite3.Connection, id: str, usd: float, budget: Budget, now: float, until: float) -> None:
    """For this process's call ``id``, which may cost ``usd`` and is over by ``until`` at the latest.

    Raises LimitReached, and reserves nothing, when a budget has less than that left.
    """
    abandoned, owner = _abandoned(connection, now), process.this()  # not while the file is locked: it may take long
    with database.writing(connection):
        for owned in abandoned:  # by owner, too: another process may have taken it over
            connection.execute("DELETE FROM reservations WHERE id = ? AND pid = ? AND birth = ?", owned)
        (reserved,) = connection.execute("SELECT total(usd) FROM reservations").fetchone()
        for account in _accounts(budget, _spent(connection, now), reserved, now):
            if not account.holds(usd):
                raise account.refusal(usd)
        connection.execute(
            "INSERT INTO reservations (id, usd, made, until, pid, birth) VALUES (?, ?, ?, ?, ?, ?)",
            (id, usd, now, until, owner.pid, owner.birth),
        )


def take_over(connection: sqlite3.Connection, id: str) -> None:
    """Make this process, after a fork, the owner of the reservation."""
    owner = process.this()
    with database.writing(connection):
        connection.execute("UPDATE reservations SET pid = ?, birth = ? WHERE id = ?", (owner.pid, owner.birth, id))


def settle(connection: sqlite3.Connection, id: str, usd: float | None, *, now: float | None = None) -> None:
    """The call is over and has cost ``usd``, which counts for the day of ``now``. Once a call, reserved or not.

    None (unknown), or what no call can cost (a provider may report anything), counts as all that was reserved.
    """
    today = date.fromtimestamp(time.time() if now is None else now)
    with database.writing(connection):
        if usd is None or not (math.isfinite(usd) and usd >= 0):
            (usd,) = connection.execute("SELECT total(usd) FROM reservations WHERE id = ?", (id,)).fetchone()
        connection.execute("DELETE FROM reservations WHERE id = ?", (id,))
        connection.execute(
            "INSERT INTO spend_day (day, usd) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET usd = usd + excluded.usd",
            (today.isoformat(), usd),
        )
        oldest = today - timedelta(days=KEPT_DAYS)
        connection.execute("DELETE FROM spend_day WHERE day < ?", (oldest.isoformat(),))


def release(connection: sqlite3.Connection, id: str) -> None:
    """The call was not made, or cost nothing."""
    with database.writing(connection):
        connection.execute("DELETE FROM reservations WHERE id = ?", (id,))


def spent(connection: sqlite3.Connection, now: float) -> Spent:
    with database.reading(connection):
        return _spent(connection, now)


def left(connection: sqlite3.Connection, budget: Budget, now: float) -> float | None:
    """What a call may cost now; None without a budget."""
    gone = {id for id, *_ in _abandoned(connection, now)}
    with database.reading(connection):
        rows = connection.execute("SELECT id, usd FROM reservations").fetchall()
        before = _spent(connection, now)
    reserved = math.fsum(usd for id, usd in rows if id not in gone)
    return min((account.left for account in _accounts(budget, before, reserved, now)), default=None)


def _spent(connection: sqlite3.Connection, now: float) -> Spent:
    """Within a transaction."""
    today = date.fromtimestamp(now)
    bounds = (f"{today:%Y-%m}-01", f"{today:%Y-%m}-31")
    days = dict(connection.execute("SELECT day, usd FROM spend_day WHERE day BETWEEN ? AND ?", bounds))
    return Spent(days.get(today.isoformat(), 0.0), math.fsum(days.values()))


def _abandoned(connection: sqlite3.Connection, now: float) -> list[tuple[str, int, str]]:
    """(id, pid, birth) of the reservations whose process has ended, or whose time is over."""
    with database.reading(connection):
        rows = connection.execute("SELECT id, pid, birth, until FROM reservations").fetchall()
    return [
        (id, pid, birth)
        for id, pid, birth, until in rows
        if until <= now or process.alive(Process(pid, birth)) is False
    ]


def _accounts(budget: Budget, spent: Spent, reserved: float, now: float) -> list[_Account]:
    """The month first: where both are short, it is the month's end that matters."""
    today = date.fromtimestamp(now)
    month = (today.replace(day=1) + timedelta(days=31)).replace(day=1)
    accounts = []
    if budget.month is not None:
        accounts.append(_Account(MONTH, "this month's", f"on {month}", budget.month, spent.month + reserved))
    if budget.day is not None:
        anew = f"at midnight ({today + timedelta(days=1)} 00:00)"
        accounts.append(_Account(DAY, "today's", anew, budget.day, spent.day + reserved))
    return accounts


def _stated(settings: Settings, name: str) -> float | None:
    setting = settings.find(name)
    if setting is None:
        return None
    try:
        amount = float(setting.value)
    except ValueError:
        amount = math.nan
    if not (math.isfinite(amount) and amount >= 0):
        raise BadInput(f"{name} ({setting.source}) is not an amount of USD", "give a number such as 2.50, or unset it")
    return amount


def _amount(usd: float) -> str:
    return f"{usd:.6g} USD"
