"""What has arrived of one reply: text, reasoning, finish reason, and the tokens and cost the provider reported."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from litellm_skill import faults
from litellm_skill.answer import Usage
from litellm_skill.gateway.message import Message
from litellm_skill.gateway.transport import Traffic

# The providers' own words (their API references; Together, Hugging Face and others say eos).
WHOLE = {"stop", "end_turn", "stop_sequence", "eos", "eos_token", "completed", "complete", "tool_calls", "tool_use"}
WHOLE |= {"function_call", "refusal"}
LENGTH = {"length", "max_tokens", "model_length", "max_output_tokens", "model_context_window_exceeded"}
MAX_CHARACTERS = 20_000_000


class Received:
    """Filled as the reply comes, so that nothing that came is lost when the rest does not."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self._on_text = on_text
        self._text: list[str] = []
        self._characters = 0
        self._reasoning: list[str] = []
        self.message = Message()
        self.model: str | None = None
        self.started = time.monotonic()
        self.first_content: float | None = None
        self.last_content: float | None = None
        self.began = False
        self.billable = False  # a request reached the provider, which did not refuse it
        self.finish_reason: str | None = None
        self.finish_word: str | None = None  # the provider's own
        self.refusal = ""  # in its own words
        self.usage = Usage()
        self.provider_cost: float | None = None
        self.by_proxy = False  # a LiteLLM proxy answered
        self.cached = False  # from its cache

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def first_token_s(self) -> float | None:
        """Seconds from the request to the first piece of text or reasoning."""
        return round(self.first_content - self.started, 3) if self.first_content is not None else None

    def model_named(self, requested: str) -> str:
        """The model by the name in the reply, in the provider's namespace."""
        provider, name = requested.split("/", 1)
        asked = name.removeprefix("responses/")
        return requested if self.model in (None, "", asked) else f"{provider}/{self.model}"

    def take_chunk(self, chunk: Any) -> None:
        """One chunk of a stream; one without choices or delta carries no text."""
        self.began = True
        first = next((choice for choice in chunk.choices if not choice.index), None)
        delta = getattr(first, "delta", None)
        self._add(getattr(delta, "content", None), getattr(delta, "reasoning_content", None), self.message.take(delta))

    def take_whole(self, response: Any) -> None:
        """A reply that came in one piece."""
        self.began = True
        choice = response.choices[0] if response.choices else None
        message = getattr(choice, "message", None)
        self._add(
            getattr(message, "content", None), getattr(message, "reasoning_content", None), self.message.take(message)
        )
        self.finish_reason = getattr(choice, "finish_reason", None)
        self.take_usage([response])

    def take_usage(self, reports: Iterable[Any]) -> None:
        """Token counts as the provider reported them; of several reports the largest count of each is the last."""
        for report in reports:
            if usage := getattr(report, "usage", None):
                self.usage = _larger(self.usage, _counts(usage))
                if (cost := usd(getattr(usage, "cost", None))) is not None:
                    self.provider_cost = cost

    def take_headers(self, traffic: Traffic) -> None:
        """What a LiteLLM proxy says of itself. Its streams have the cost in the usage, not in the headers."""
        self.by_proxy, self.cached = traffic.by_proxy, traffic.cached
        if self.provider_cost is None:
            self.provider_cost = traffic.cost

    def take_text(self, text: str, reasoning: str, finish_reason: str | None, usage: Usage) -> None:
        """A reply that was read without LiteLLM."""
        self.began = True
        self._add(text, reasoning)
        self.finish_reason = finish_reason
        self.usage = usage

    def _add(self, text: str | None, reasoning: str | None, called: int = 0) -> None:
        """``called``: characters of tool calls."""
        if not text and not reasoning and not called:
            return
        self.last_content = time.monotonic()
        self.first_content = self.first_content or self.last_content
        self._characters += len(text or "") + len(reasoning or "") + called
        if self._characters > MAX_CHARACTERS:
            raise faults.IncompleteAnswer(
                f"the answer was stopped at {MAX_CHARACTERS:,} characters", "ask for a shorter one"
            )
        if reasoning:
            self._reasoning.append(reasoning)
        if text:
            self._text.append(text)
            self._on_text(text)


def usd(value: Any) -> float | None:
    """What a provider says that a call cost; None when no call can cost that."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= sys.float_info.max else None


def incompleteness(received: Received, *, streamed: bool) -> faults.Fault | None:
    """Why a reply that ended without an error is still not a whole answer; None when it is."""
    reason, text = received.finish_reason, received.text.strip()
    if reason == "content_filter":
        what = "the provider's content filter stopped the answer"
        return faults.PolicyRefusal(what, "rephrase, or ask another model")
    if reason == "length" or (received.finish_word or "").lower() in LENGTH:
        return _cut_at_the_limit(received)
    if received.refusal and not text:
        said = " ".join(received.refusal.split())[:200]
        return faults.PolicyRefusal(f"the model declined: {said}", "rephrase, or ask another model")
    if received.message.calls and reason is not None:
        return None
    if not text and streamed and reason is None:
        return faults.ProviderFailure("the reply was empty", "check the address: is it the provider's API?")
    if not text:
        return faults.IncompleteAnswer("the reply holds no text", "ask again, or ask another model")
    if received.finish_word is not None and received.finish_word.lower() not in WHOLE:
        what = f"the provider ended the reply with {received.finish_word!r}, which is no whole answer"
        return faults.IncompleteAnswer(what, "ask again, or ask another model")
    if reason is None:
        return faults.IncompleteAnswer("the reply ended without a finish reason: it may have been cut", "ask again")
    return None


def _cut_at_the_limit(received: Received) -> faults.IncompleteAnswer:
    usage = received.usage
    if not received.text.strip():
        spent = f" ({usage.reasoning_tokens} of them reasoning)" if usage.reasoning_tokens else ""
        return faults.IncompleteAnswer(
            f"the model reached its output limit{spent} before any answer",
            "raise --max-tokens, or lower --reasoning-effort",
        )
    reached = f" at {usage.output_tokens} tokens" if usage.output_tokens else ""
    return faults.IncompleteAnswer(f"the answer was cut by the output limit{reached}", "raise --max-tokens")


def _counts(usage: Any) -> Usage:
    return Usage(
        input_tokens=_positive(usage, "prompt_tokens"),
        output_tokens=_positive(usage, "completion_tokens"),
        reasoning_tokens=_positive(getattr(usage, "completion_tokens_details", None), "reasoning_tokens"),
        cached_tokens=_positive(getattr(usage, "prompt_tokens_details", None), "cached_tokens"),
    )


def _positive(counts: Any, name: str) -> int | None:
    """A count, or None: LiteLLM writes 0 where the provider said nothing."""
    value = getattr(counts, name, None)
    return value if isinstance(value, int) and value > 0 else None


def _larger(one: Usage, other: Usage) -> Usage:
    names = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in names}
    return Usage(**{name: max((n for n in pair if n is not None), default=None) for name, pair in pairs.items()})


def total(usages: Iterable[Usage]) -> Usage:
    """Of several replies. Unknown is what one of them does not say of its tokens in and out; of reasoning and cached
    tokens, which many never have, what none of them says."""
    every = list(usages)
    names = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
    counts = {name: [n for one in every if (n := getattr(one, name)) is not None] for name in names}
    told = {name for name, found in counts.items() if found and (len(found) == len(every) or name in names[2:])}
    return Usage(**{name: sum(counts[name]) for name in told})
