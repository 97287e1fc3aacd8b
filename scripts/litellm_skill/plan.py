"""What a call will need and may cost, before it is made: does the prompt fit, and what is the worst case. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litellm_skill import ledger
from litellm_skill.catalog import Catalog
from litellm_skill.choice import Choice, Chooser
from litellm_skill.conversation import Conversation
from litellm_skill.faults import LimitReached, PromptTooLong
from litellm_skill.providers import DEMO

LIKELY_OUTPUT = 800  # tokens; a few paragraphs
LIKELY_REASONING = 2_000  # tokens, on top, for a model that thinks first
BUDGET_OUTPUT = 16_384  # tokens; sent under a budget when no limit was asked for, so that a call cannot reserve it all
BUDGETS = "LITELLM_SKILL_BUDGET_USD_DAY or _MONTH"
LEAST_OUTPUT = 256  # tokens; less than this is no answer worth paying for
SMALL_WINDOW = 4_095  # tokens; rounded up to the next power of two, so that a model is not loaded anew for every prompt
MARGIN = 1.4  # times the estimate of the prompt, where money must suffice; see prompt.estimate_tokens
CERTAIN = 0.8  # of the estimate; see prompt.estimate_tokens
ANTHROPIC_OUTPUT = 8_192  # tokens; that wire requires a limit, and the table may not know the model's


@dataclass(frozen=True)
class Plan:
    """``conversation`` as it fits the model; ``parameters``: generation parameters as they will be sent.

    Tokens are estimates; costs are in USD, None when the price is unknown."""

    choice: Choice
    conversation: Conversation
    parameters: Mapping[str, Any]
    prompt_tokens: int
    output_limit: int | None
    likely_usd: float | None
    worst_usd: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Funds:
    """USD that one call may cost at most: ``max_cost`` of what the user gave, ``budget`` as the budgets leave; None: no
    limit. ``given``: what he gave, where ``max_cost`` is a part of that."""

    max_cost: float | None = None
    budget: float | None = None
    given: float | None = None

    @property
    def usd(self) -> float | None:
        return min((usd for usd in (self.max_cost, self.budget) if usd is not None), default=None)

    @property
    def name(self) -> str:
        if self.usd != self.max_cost:
            return f"the budget ({self.usd:.2g} USD left of --max-cost, {BUDGETS})"
        if self.given is None or self.given == self.max_cost:
            return f"--max-cost {self.max_cost:g}"
        return f"its part of --max-cost {self.given:g}"


def make(
    choice: Choice, conversation: Conversation, asked: Mapping[str, Any], chooser: Chooser, funds: Funds = Funds()
) -> Plan:
    """Raises PromptTooLong, or LimitReached when the ``funds`` do not suffice."""
    conversation, notes = _fitting(choice, conversation, asked)
    tokens = conversation.tokens
    limit, limited = _output_limit(choice, tokens, asked, chooser.catalog, funds)
    _check_fit(choice, conversation.least_tokens, chooser)
    likely = _likely_output(choice)
    most = limit or choice.model.max_output
    return Plan(
        choice,
        conversation,
        parameters={**({"max_tokens": limit} if limit else {}), **_window_to_open(choice, tokens, most), **asked},
        prompt_tokens=tokens,
        output_limit=limit,
        likely_usd=_price(choice, chooser.catalog, tokens, min(likely, most or likely)),
        worst_usd=_worst(choice, chooser.catalog, tokens, most),
        notes=(*notes, *limited),
    )


def _likely_output(choice: Choice) -> int:
    return LIKELY_OUTPUT + (LIKELY_REASONING if choice.model.reasoning else 0)


def _fitting(
    choice: Choice, conversation: Conversation, asked: Mapping[str, Any]
) -> tuple[Conversation, tuple[str, ...]]:
    """A long conversation loses its oldest turns, so that there is room for an answer."""
    window = choice.model.context
    room = asked.get("max_tokens") or min(choice.model.max_output or ANTHROPIC_OUTPUT, _likely_output(choice))
    if window is None or not conversation.earlier or conversation.least_tokens + room <= window:
        return conversation, ()
    shorter, gone = conversation.trimmed(window - room)
    if not gone:
        return conversation, ()
    turns = "the oldest turn was" if gone == 1 else f"the {gone} oldest turns were"
    return shorter, (f"{turns} left out: the conversation no longer fits {choice.model.id}",)


def _window_to_open(choice: Choice, tokens: int, most: int | None) -> dict[str, int]:
    """Ollama opens a small window unless told (4,096 tokens by its documentation) and cuts the prompt to it."""
    if choice.access.provider.name != "ollama" or choice.model.context is None:
        return {}
    needed = int(tokens * 1.25) + (most or LIKELY_OUTPUT + LIKELY_REASONING)
    rounded = 1 << max(SMALL_WINDOW, needed - 1).bit_length()
    return {"num_ctx": min(choice.model.context, rounded)}


def _output_limit(
    choice: Choice, tokens: int, asked: Mapping[str, Any], catalog: Catalog, funds: Funds
) -> tuple[int | None, tuple[str, ...]]:
    """The limit to send, if any: as asked, as the wire needs it, or as the money buys it."""
    asked_limit = asked.get("max_tokens")
    limit = asked_limit
    if limit is None and choice.access.provider.name == "anthropic":
        limit = choice.model.max_output or ANTHROPIC_OUTPUT
    if funds.usd is None or (buys := affordable(choice, tokens, catalog, funds)) is None:
        return limit, ()
    if asked_limit is not None and asked_limit > buys:
        what = f"{choice.model.id}: {asked_limit} output tokens may cost more than {funds.name} allows"
        raise LimitReached(what, "lower --max-tokens, or allow more")
    if limit is None and funds.max_cost is None:
        limit = min(BUDGET_OUTPUT, choice.model.max_output or BUDGET_OUTPUT)
    if limit is None or limit > buys:
        return buys, (f"{funds.name}: the answer of {choice.model.id} is limited to {buys} tokens",)
    return limit, ()


def affordable(choice: Choice, tokens: int, catalog: Catalog, funds: Funds) -> int | None:
    """Output tokens that the ``funds`` buy after the prompt; None when they cost nothing."""
    tokens = int(tokens * MARGIN)
    base = _price(choice, catalog, tokens, 0)
    step = _price(choice, catalog, tokens, 1000)
    if base is None or step is None:
        raise ledger.unpriced(choice.model.id)
    left = (funds.usd or 0.0) - base
    if step == base and left >= 0:
        return None
    buys = int(left / ((step - base) / 1000)) if step > base else 0
    if buys < LEAST_OUTPUT:
        what = f"{choice.model.id}: {funds.name} leaves less than {LEAST_OUTPUT} tokens for the answer"
        raise LimitReached(what, "allow more, attach less, or take a cheaper model")
    return min(buys, choice.model.max_output or buys)


def _worst(choice: Choice, catalog: Catalog, tokens: int, most: int | None) -> float | None:
    """Without a limit, only where the answer costs nothing, however long it is."""
    tokens = int(tokens * MARGIN)
    if most is None and _price(choice, catalog, tokens, 0) != _price(choice, catalog, tokens, 1000):
        return None
    return _price(choice, catalog, tokens, most or 0)


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
