"""What LiteLLM drops of a whole Gemini reply: it raises when usage is missing or a text is null, and throws away the
text of a reply that a filter stopped (litellm 1.106.2). Wire format: Gemini API, ``GenerateContentResponse``."""

from __future__ import annotations

import json
from typing import Any

from litellm_skill.answer import Usage
from litellm_skill.faults import PolicyRefusal
from litellm_skill.gateway.reply import Received

FINISH_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}  # every other one is some filter
NO_FINISH = ("FINISH_REASON_UNSPECIFIED", "OTHER", "MALFORMED_FUNCTION_CALL", None)


def recover(received: Received, body: bytes) -> bool:
    """Fill ``received`` from the body as it came over the wire; False when it is no such reply.

    Raises PolicyRefusal when the prompt itself was blocked.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict) or not {"candidates", "promptFeedback"} & set(document):
        return False
    if reason := _of(document, "promptFeedback").get("blockReason"):
        raise PolicyRefusal(f"the prompt was blocked: {reason}", "rephrase, or ask another model")
    candidates = document.get("candidates")
    candidate = candidates[0] if isinstance(candidates, list) and candidates else None
    candidate = candidate if isinstance(candidate, dict) else {}
    reason = candidate.get("finishReason")
    for call in _calls(candidate):
        received.message.call(str(call.get("name") or ""), json.dumps(call.get("args") or {}, ensure_ascii=False))
    received.take_text(
        _text(candidate, thought=False),
        _text(candidate, thought=True),
        None if reason in NO_FINISH else FINISH_REASONS.get(reason, "content_filter"),
        _usage(_of(document, "usageMetadata")),
    )
    return True


def _of(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _parts(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    parts = _of(candidate, "content").get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _calls(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for part in _parts(candidate) if (call := _of(part, "functionCall"))]


def _text(candidate: dict[str, Any], *, thought: bool) -> str:
    return "".join(part.get("text") or "" for part in _parts(candidate) if bool(part.get("thought")) is thought)


def _usage(counts: dict[str, Any]) -> Usage:
    known = {name: count for name, count in counts.items() if isinstance(count, int)}
    answer, thoughts = known.get("candidatesTokenCount"), known.get("thoughtsTokenCount")
    return Usage(
        input_tokens=known.get("promptTokenCount"),
        output_tokens=None if answer is None else answer + (thoughts or 0),
        reasoning_tokens=thoughts,
        cached_tokens=known.get("cachedContentTokenCount"),
    )
