"""What a call will need and may cost, before it is made: does the prompt fit, and what is the worst case. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litellm_skill.catalog import Catalog
from litellm_skill.choice import Choice, Chooser
from litellm_skill.faults import LimitReached, PromptTooLong
from litellm_skill.prompt import Prompt
from litellm_skill.providers import DEMO

LIKELY_OUTPUT = 800  # tokens; a few paragraphs
LIKELY_REASONING = 2_000  # tokens, on top, for a model that thinks first
LEAST_OUTPUT = 256  # tokens; less than this is no answer worth paying for
SMALL_WINDOW = 4_095  # tokens; rounded up to the next power of two, so that a model is not loaded anew for every prompt
MARGIN = 1.4  # times the estimate of the prompt, where money must suffice; see prompt.estimate_tokens
CERTAIN = 0.8  # of the estimate; see prompt.estimate_tokens
ANTHROPIC_OUTPUT = 8_192  # tokens; that wire requires a limit, and the table may not know the model's


@dataclass(frozen=True)
class Plan:
    """``parameters``: generation parameters as they will be sent.

    Tokens are estimates; costs are in USD, None when the price is unknown."""

    choice: Choice
    parameters: Mapping[str, Any]
    prompt_tokens: int
    output_limit: int | None
    likely_usd: float | None
    worst_usd: float | None
    notes: tuple[str, ...] = ()


def make(choice: Choice, prompt: Prompt, asked: Mapping[str, Any], chooser: Chooser, max_cost: float | None) -> Plan:
    """Raises PromptTooLong, or LimitReached when ``max_cost`` (USD) cannot hold."""
    tokens = prompt.tokens
    limit, notes = _output_limit(choice, tokens, asked, chooser.catalog, max_cost)
    _check_fit(choice, tokens, chooser)
    likely = LIKELY_OUTPUT + (LIKELY_REASONING if choice.model.reasoning else 0)
    most = limit or choice.model.max_output
    return Plan(
        choice,
        parameters={**({"max_tokens": limit} if limit else {}), **_window_to_open(choice, tokens, most), **asked},
        prompt_tokens=tokens,
        output_limit=limit,
        likely_usd=_price(choice, chooser.catalog, tokens, min(likely, most or likely)),
        worst_usd=_price(choice, chooser.catalog, int(tokens * MARGIN), most) if most else None,
        notes=notes,
    )


def _window_to_open(choice: Choice, tokens: int, most: int | None) -> dict[str, int]:
    """Ollama opens a small window unless told (4,096 tokens by its documentation) and cuts the prompt to it."""
    if choice.access.provider.name != "ollama" or choice.model.context is None:
        return {}
    needed = int(tokens * 1.25) + (most or LIKELY_OUTPUT + LIKELY_REASONING)
    rounded = 1 << max(SMALL_WINDOW, needed - 1).bit_length()
    return {"num_ctx": min(choice.model.context, rounded)}


def _output_limit(
    choice: Choice, tokens: int, asked: Mapping[str, Any], catalog: Catalog, max_cost: float | None
) -> tuple[int | None, tuple[str, ...]]:
    """The limit to send, if any: as asked, as the wire needs it, or as the money buys it."""
    asked_limit = asked.get("max_tokens")
    limit = asked_limit
    if limit is None and choice.access.provider.name == "anthropic":
        limit = choice.model.max_output or ANTHROPIC_OUTPUT
    if max_cost is None:
        return limit, ()
    affordable = _affordable(choice, tokens, catalog, max_cost)
    if affordable is None:
        return limit, ()
    if asked_limit is not None and asked_limit > affordable:
        raise LimitReached(
            f"{asked_limit} output tokens may cost more than {max_cost:g} USD", "lower --max-tokens or raise --max-cost"
        )
    if limit is None or limit > affordable:
        return affordable, (f"--max-cost {max_cost:g}: the answer is limited to {affordable} tokens",)
    return limit, ()


def _affordable(choice: Choice, tokens: int, catalog: Catalog, max_cost: float) -> int | None:
    """Output tokens that ``max_cost`` buys after the prompt; None when they cost nothing."""
    tokens = int(tokens * MARGIN)
    base = _price(choice, catalog, tokens, 0)
    step = _price(choice, catalog, tokens, 1000)
    if base is None or step is None:
        raise LimitReached(
            f"the price of {choice.model.id} is unknown, so --max-cost cannot hold",
            "state its price in ~/.config/litellm-skill/models.toml, or leave out --max-cost",
        )
    if step == base:
        return None
    affordable = int((max_cost - base) / ((step - base) / 1000))
    if affordable < LEAST_OUTPUT:
        raise LimitReached(
            f"--max-cost {max_cost:g} leaves less than {LEAST_OUTPUT} tokens for the answer",
            "raise --max-cost, attach less, or take a cheaper model",
        )
    return min(affordable, choice.model.max_output or affordable)


def _price(choice: Choice, catalog: Catalog, tokens: int, output: int) -> float | None:
    if choice.access.provider.name == DEMO:
        return 0.0
    return catalog.estimate(choice.model, tokens, output)


def _check_fit(choice: Choice, tokens: int, chooser: Chooser) -> None:
    """Refused is what certainly does not fit: the estimate may be a quarter too high, and a provider counts, too.
    A local server does not: it silently cuts what is too long."""
    window = choice.model.context
    if (
        window is None
        or tokens * (1 if choice.model.price and choice.model.price.source == "local" else CERTAIN) <= window
    ):
        return
    larger = chooser.catalog.larger_than(tokens, chooser.usable, chooser.today)
    names = ", ".join(model.id for model in larger)
    raise PromptTooLong(
        f"the prompt is about {tokens:,} tokens, {tokens - window:,} more than {choice.model.id} takes ({window:,})",
        f"attach less, or take a larger model: {names}" if names else "attach less",
    )
