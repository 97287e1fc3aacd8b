"""What came back: the values that travel from the gateway to the screen, and the JSON envelope made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from litellm_skill.faults import Fault, recorded

if TYPE_CHECKING:
    from litellm_skill.conversation import Conversation


@dataclass(frozen=True)
class Usage:
    """Tokens as the provider counted them; ``None`` where it said nothing (never 0 for unknown)."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True)
class Attempt:
    """One request: ``outcome`` is "ok", "partial" or "error"; ``seconds`` is wall clock."""

    model: str
    outcome: str
    error_type: str | None
    http_status: int | None
    seconds: float


@dataclass(frozen=True)
class Answer:
    """One model's answer, complete or not. ``fault`` says why it is not usable, or not whole.

    ``output_limit``: the limit that was sent, in tokens; None when none was. ``billed``: a provider got a request and
    did not refuse it, so it may cost something even if ``cost_usd`` is not known. ``lost``: so may an earlier attempt,
    which is not in ``cost_usd``. ``parsed``: the JSON that fits the schema. ``tool_calls``: as the envelope has them.
    ``cached``: a LiteLLM proxy says that it comes from its cache.
    """

    model_requested: str
    model_used: str | None = None
    provider: str | None = None
    endpoint_host: str | None = None
    text: str = ""
    reasoning: str | None = None
    parsed: Any = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    finish_reason: str | None = None
    usage: Usage = Usage()
    cost_usd: float | None = None
    cost_source: str | None = None
    cached: bool = False
    latency_s: float | None = None
    first_token_s: float | None = None
    attempts: tuple[Attempt, ...] = ()
    billed: bool = False
    lost: bool = False
    output_limit: int | None = None
    dropped_params: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    run_id: str | None = None
    thread: str | None = None
    result_file: str | None = None
    fault: Fault | None = None

    @property
    def status(self) -> str:
        if self.fault is None:
            return "ok"
        return "partial" if self.text else "error"

    @property
    def spent_usd(self) -> float | None:
        """With all that was asked for it; None when any of it may have cost something that is not known."""
        if self.cost_usd is None or self.lost:
            return None if self.billed else 0.0
        return self.cost_usd

    @property
    def exit_code(self) -> int:
        return self.fault.exit_code if self.fault else 0

    def warned(self, *warnings: str) -> Answer:
        return replace(self, warnings=tuple(dict.fromkeys((*self.warnings, *warnings))))


def error_object(fault: Fault) -> dict[str, Any]:
    return {
        "type": fault.type,
        "message": fault.message,
        "hint": fault.hint,
        "retryable": fault.retryable,
        "exit_code": fault.exit_code,
    }


def envelope(answer: Answer, sent: Conversation | None) -> dict[str, Any]:
    """The document ``--json`` prints (DESIGN §4); ``status`` is its first key."""
    return {
        "status": answer.status,
        "model_requested": answer.model_requested,
        "model_used": answer.model_used,
        "provider": answer.provider,
        "endpoint_host": answer.endpoint_host,
        "text": answer.text,
        "reasoning": answer.reasoning,
        "parsed": answer.parsed,
        "tool_calls": [dict(call) for call in answer.tool_calls],
        "finish_reason": answer.finish_reason,
        "usage": dict(vars(answer.usage)),
        "cost_usd": answer.cost_usd,
        "cost_source": answer.cost_source,
        "cached": answer.cached,
        "latency_s": answer.latency_s,
        "first_token_s": answer.first_token_s,
        "attempts": [dict(vars(attempt)) for attempt in answer.attempts],
        "dropped_params": list(answer.dropped_params),
        "warnings": list(answer.warnings),
        "sent": {
            "characters": sent.characters if sent and answer.attempts else 0,
            "files": [dict(vars(file)) for file in sent.files] if sent and answer.attempts else [],
            "max_tokens": answer.output_limit,
        },
        "run_id": answer.run_id,
        "thread": answer.thread,
        "result_file": answer.result_file,
        "untrusted": True,
        "error": error_object(answer.fault) if answer.fault else None,
    }


def restored(document: Mapping[str, Any]) -> Answer:
    """The answer that an envelope tells of."""
    names = (
        *("model_used", "provider", "endpoint_host", "text", "reasoning", "parsed", "finish_reason", "cost_usd"),
        *("cost_source", "latency_s", "first_token_s", "run_id", "thread", "result_file"),
    )
    return Answer(
        model_requested=document["model_requested"] or "",
        **{name: document[name] for name in names},
        usage=Usage(**document["usage"]),
        tool_calls=tuple(document["tool_calls"]),
        cached=document.get("cached", False),
        attempts=tuple(Attempt(**attempt) for attempt in document["attempts"]),
        dropped_params=tuple(document["dropped_params"]),
        warnings=tuple(document["warnings"]),
        fault=recorded(document["error"]) if document["error"] else None,
    )


def error_envelope(fault: Fault) -> dict[str, Any]:
    """The envelope of a command that failed before it could ask anybody."""
    return envelope(Answer(model_requested="", fault=fault), None) | {"model_requested": None}
