"""The list of models: rows, which of them are wanted, their order, and the list as text and as JSON. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from litellm_skill import report
from litellm_skill.catalog import ABILITIES, EMBEDDING, Model

KINDS = (*ABILITIES, EMBEDDING)
LETTERS = {"vision": "v", "tools": "t", "schema": "s", "pdf": "p", "reasoning": "r", EMBEDDING: "e"}
UNKNOWN = "?"
MILLION = 1_000_000
COLUMNS = "{:>7}  {:>6}  {:>7}  {:>7}  {:6}  {}"
FOOT = 2_300  # characters that a list which must be short has at most below its rows


@dataclass(frozen=True)
class Row:
    """Sizes in tokens, prices in USD per million tokens; None is unknown. ``source``: who says that there is such a
    model: catalog (LiteLLM's table), models.toml, proxy, or a local server."""

    id: str
    provider: str
    context: int | None
    max_output: int | None
    input: float | None
    output: float | None
    price_source: str | None
    abilities: tuple[str, ...]
    deprecated: date | None
    source: str
    callable: bool = True

    @property
    def order(self) -> tuple[float, str]:
        """By price, an unknown one last."""
        known = self.input is not None and self.output is not None
        return (self.input or 0.0) + (self.output or 0.0) if known else math.inf, self.id


@dataclass(frozen=True)
class Wanted:
    """``max_price`` holds of input and of output, in USD per million tokens."""

    query: str = ""
    can: tuple[str, ...] = ()
    min_context: int = 0
    max_price: float = math.inf

    def holds(self, row: Row) -> bool:
        """What is not known of a row does not count as given."""
        if not all(word in row.id.casefold() for word in self.query.casefold().split()):
            return False
        if not set(self.can) <= set(row.abilities) or (self.min_context and (row.context or 0) < self.min_context):
            return False
        dearest = math.inf if row.input is None or row.output is None else max(row.input, row.output)
        return self.max_price == math.inf or dearest <= self.max_price


@dataclass(frozen=True)
class Default:
    """``missing``: what the call of it would lack."""

    id: str
    why: str | None
    missing: str | None = None


@dataclass(frozen=True)
class Prices:
    """``age``, ``openrouter_age``: seconds since they were fetched; None for the bundled table, and without a list."""

    bundled: str
    age: float | None = None
    openrouter_age: float | None = None


@dataclass(frozen=True)
class Listing:
    """``roles`` (``provider:role``) and ``aliases`` -> the id that each means today."""

    rows: Sequence[Row]
    roles: Mapping[str, str]
    aliases: Mapping[str, str]
    default: Default | None
    prices: Prices
    warnings: tuple[str, ...] = field(default=())


def row(model: Model, source: str, *, price_source: str | None = None, callable: bool = True) -> Row:
    """``price_source``: where it is another one than the price itself says."""
    can = [name for name in ABILITIES if getattr(model, name)]
    price = model.price
    return Row(
        id=model.id,
        provider=model.provider,
        context=model.context,
        max_output=model.max_output,
        input=_per_million(price.input) if price else None,
        output=_per_million(price.output) if price else None,
        price_source=(price_source or price.source) if price else None,
        abilities=tuple([EMBEDDING, *can] if model.mode == EMBEDDING else can),
        deprecated=model.deprecated,
        source=source,
        callable=callable,
    )


def _per_million(usd: float) -> float:
    return float(f"{usd * MILLION:.9g}")  # 1e-7 a token is 0.1, not 0.09999999999999999


def select(rows: Iterable[Row], wanted: Wanted) -> list[Row]:
    return sorted(filter(wanted.holds, rows), key=lambda one: one.order)


def document(listing: Listing) -> dict[str, Any]:
    """The list for ``--json``."""
    prices = listing.prices
    return {
        "status": "ok",
        "models": [_row_document(row) for row in listing.rows],
        "roles": dict(listing.roles),
        "aliases": dict(listing.aliases),
        "default": vars(listing.default) if listing.default else None,
        "prices": {
            "source": f"LiteLLM {prices.bundled}" if prices.age is None else "refreshed",
            "age_s": _whole(prices.age),
            "openrouter_age_s": _whole(prices.openrouter_age),
        },
        "warnings": list(listing.warnings),
    }


def _row_document(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "provider": row.provider,
        "context": row.context,
        "max_output": row.max_output,
        "input_usd_per_million": row.input,
        "output_usd_per_million": row.output,
        "price_source": row.price_source,
        "abilities": list(row.abilities),
        "deprecated": row.deprecated.isoformat() if row.deprecated else None,
        "source": row.source,
        "callable": row.callable,
    }


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)


def text(listing: Listing, limit: float = math.inf) -> str:
    """The list for people; the id comes last, so that no long one moves a column. ``limit``: characters at most; what
    is left out for it is counted, and how to see it is said."""
    head = [COLUMNS.format("context", "output", "$/M in", "$/M out", "can", "model")] if listing.rows else []
    body = [*head, *map(_line, listing.rows)]
    foot = ["", *_foot(listing)]
    names = [f"{'' if number else 'names':9}{line}" for number, line in enumerate(_names(listing))]
    if _length([*body, *foot, *names]) > limit:
        names = _first(names, FOOT - _length(foot), "         … {:,} more")
        more = "… {:,} more: narrow it down (--query, --can, --max-price), or take --json"
        body = _first(body, limit - _length([*foot, *names]), more)
    return "\n".join([*body, *foot, *names]) + "\n"


def _line(row: Row) -> str:
    prices = [UNKNOWN if price is None else _usd(price) for price in (row.input, row.output)]
    can = "".join(LETTERS[kind] if kind in row.abilities else "-" for kind in KINDS)
    retires = f"  (retires {row.deprecated})" if row.deprecated else ""
    return COLUMNS.format(_size(row.context), _size(row.max_output), *prices, can, _shown(row.id)) + retires


def _shown(text: str) -> str:
    return report.one_line(text, 120)


def _size(tokens: int | None) -> str:
    if tokens is None:
        return UNKNOWN
    if tokens < 1000:
        return str(tokens)
    if tokens < 999_500:
        return f"{tokens / 1000:.0f}k" if tokens >= 9_950 else f"{tokens / 1000:.2g}k"
    return f"{tokens / MILLION:.3g}M"


def _usd(price: float) -> str:
    """Cents, and smaller parts only where there are any."""
    if price == 0:
        return "0"
    if price >= 1000:
        return f"{price:.0f}"
    return f"{price:.2f}" if abs(round(price, 2) - price) < 1e-9 or price >= 10 else f"{price:.4g}"


def _length(lines: Sequence[str]) -> int:
    """In characters, each line with its end."""
    return sum(map(len, lines)) + len(lines)


def _first(lines: list[str], limit: float, more: str) -> list[str]:
    """As many as ``limit`` characters take, and how many ``more`` there are."""
    if _length(lines) <= limit:
        return lines
    used = len(more) + 10
    for number, line in enumerate(lines):
        used += len(line) + 1
        if used > limit:
            return [*lines[:number], more.format(len(lines) - number)]
    return lines


def _foot(listing: Listing) -> list[str]:
    """The default model, what the letters mean, and how old the prices are."""
    default = listing.default
    lines = [f"default  {_shown(default.id)}{_because(default)}"] if default else []
    if listing.rows:
        names = "".join(f"{letter} {name}, " for name, letter in LETTERS.items())
        lines.append(f"can      {names}{UNKNOWN} unknown")
    return [*lines, f"prices   USD per million tokens, {_age(listing.prices)}"]


def _because(default: Default) -> str:
    reasons = "; ".join(report.one_line(reason, 200) for reason in (default.why, default.missing) if reason)
    return f" ({reasons})" if reasons else ""


def _names(listing: Listing) -> list[str]:
    """``NAME, NAME = ID``, of the models of the list."""
    shown = {row.id for row in listing.rows}
    names: dict[str, list[str]] = {}
    for name, id in (*listing.aliases.items(), *listing.roles.items()):
        if id in shown:
            names.setdefault(id, []).append(name)
    return [f"{', '.join(some)} = {_shown(id)}" for id, some in names.items()]


def _age(prices: Prices) -> str:
    own = f"of LiteLLM {prices.bundled} (--refresh fetches the newest)"
    table = own if prices.age is None else f"refreshed {_ago(prices.age)}"
    openrouter = prices.openrouter_age
    return table if openrouter is None else f"{table}; OpenRouter's {_ago(openrouter)}"


def _ago(seconds: float) -> str:
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "just now"
