"""What a model's tokens cost: prices from LiteLLM's table or from models.toml, and the sum for one call."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from litellm_skill.answer import Usage

_ABOVE = re.compile(r"(?:in|out)put_cost_per_token(_above_(\d+)(k?)_tokens)")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Rates:
    """USD per token; ``None`` where no price of its own is stated, so the plain one holds."""

    input: float
    output: float
    cached_input: float | None = None
    reasoning_output: float | None = None


@dataclass(frozen=True)
class Tier(Rates):
    """The rates of the whole request once its prompt is longer than ``above_tokens``."""

    above_tokens: int = 0


@dataclass(frozen=True)
class Price(Rates):
    """``tiers`` ascend. ``source``: LiteLLM's table, the user's models.toml, or a model that runs at home."""

    tiers: tuple[Tier, ...] = ()
    source: Literal["catalog", "user", "local"] = "catalog"


LOCAL = Price(input=0.0, output=0.0, source="local")


def from_row(row: Mapping[str, Any]) -> Price | None:
    """The price in a row of LiteLLM's table; ``None`` when it has none, or 0, which there means unknown.

    Peak prices: an ``off_peak_pricing`` discount is not taken, so the result is never too low for it.
    """
    steps = _ranges(row) or _thresholds(row)
    output_is_free = row.get("mode") in ("embedding", "rerank")
    if not all(step.input > 0 and (step.output > 0 or output_is_free) for step in steps):
        return None
    base, *above = steps
    return Price(base.input, base.output, base.cached_input, base.reasoning_output, tuple(above))


def _ranges(row: Mapping[str, Any]) -> list[Tier]:
    """Steps of a ``tiered_pricing`` list, whose items have a ``range`` of prompt tokens."""
    items = [item for item in row.get("tiered_pricing") or [] if "range" in item]
    return [_tier(item, "", int(item["range"][0])) for item in sorted(items, key=lambda item: item["range"][0])]


def _thresholds(row: Mapping[str, Any]) -> list[Tier]:
    """The plain step and those of ``…_above_NNNk_tokens`` keys."""
    keys = (match for key in row if "_above_" in key and (match := _ABOVE.fullmatch(key)))
    above = {int(match[2]) * (1000 if match[3] else 1): match[1] for match in keys}
    return [_tier(row, "", 0), *(_tier(row, above[tokens], tokens) for tokens in sorted(above))]


def _tier(row: Mapping[str, Any], suffix: str, above_tokens: int) -> Tier:
    def rate(key: str) -> float | None:
        stated: float | None = row.get(key + suffix, row.get(key))
        return stated

    return Tier(
        input=rate("input_cost_per_token") or 0.0,
        output=rate("output_cost_per_token") or 0.0,
        cached_input=rate("cache_read_input_token_cost"),
        reasoning_output=rate("output_cost_per_reasoning_token"),
        above_tokens=above_tokens,
    )


def stated(value: object) -> Price:
    """The user's own price: 0, or a table of prices per million tokens. Raises ValueError."""
    if value == 0 and not isinstance(value, bool):
        return Price(0.0, 0.0, source="user")
    if not isinstance(value, dict):
        raise ValueError("expected 0 or a table such as { input = 1.0, output = 2.0 }")
    unknown = value.keys() - {
        "input",
        "output",
        "cached_input",
        "reasoning_output",
        "currency",
        "usd_per_unit",
    }
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}")
    usd = _usd_per_unit(value)
    rates = {key: _number(value, key) * usd / _MILLION for key in value.keys() - {"currency", "usd_per_unit"}}
    if not {"input", "output"} <= rates.keys():
        raise ValueError("needs both input and output")
    cached, reasoning = rates.get("cached_input"), rates.get("reasoning_output")
    return Price(rates["input"], rates["output"], cached, reasoning, source="user")


def _usd_per_unit(value: Mapping[str, Any]) -> float:
    if "usd_per_unit" in value:
        return _number(value, "usd_per_unit")
    if value.get("currency", "USD") != "USD":
        raise ValueError(f"currency {value['currency']!r} needs usd_per_unit, the dollars one unit of it costs")
    return 1.0


def _number(value: Mapping[str, Any], key: str) -> float:
    number = value[key]
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < math.inf:
        raise ValueError(f"{key} must be a number, 0 or more")
    return float(number)


def cost(price: Price, usage: Usage) -> float | None:
    """USD for one call; ``None`` when a token count that matters is unknown.

    Input includes cached tokens and output includes reasoning tokens, as LiteLLM counts them. Where the
    provider named no cached or reasoning tokens, the plain price is taken.
    """
    rates = _rates_for(price, usage.input_tokens or 0)
    prompt = _part(usage.input_tokens, rates.input, usage.cached_tokens, rates.cached_input)
    reply = _part(usage.output_tokens, rates.output, usage.reasoning_tokens, rates.reasoning_output)
    return None if prompt is None or reply is None else prompt + reply


def _rates_for(price: Price, input_tokens: int) -> Rates:
    return next((tier for tier in reversed(price.tiers) if input_tokens > tier.above_tokens), price)


def _part(tokens: int | None, rate: float, special: int | None, special_rate: float | None) -> float | None:
    if tokens is None:
        return None if rate else 0.0
    special = min(special or 0, tokens)
    return (tokens - special) * rate + special * (rate if special_rate is None else special_rate)
