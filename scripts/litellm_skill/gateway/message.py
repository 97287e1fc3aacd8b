"""The assistant's message beyond its text: tool calls and signed thinking, as a further request must repeat them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from litellm_skill.tools import ToolCall

# Which further fields must come back, by provider: signed thinking (Anthropic, and where its models are served),
# thought signatures (Gemini, also of the message as a whole), plain reasoning within a round of tools (DeepSeek,
# Moonshot). Others may refuse them.
SIGNED = ("anthropic", "bedrock", "vertex_ai", "gemini")
THOUGHTS = ("vertex_ai", "gemini")
REASONED = ("deepseek", "moonshot")


@dataclass
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""
    signed: Mapping[str, Any] | None = None

    @property
    def whole(self) -> bool:
        try:
            json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            return False
        return True


@dataclass
class Message:
    """Filled as the reply comes."""

    _calls: dict[int, _Call] = field(default_factory=dict)
    _thinking: list[dict[str, Any]] = field(default_factory=list)
    _signed: Mapping[str, Any] | None = None

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """Those with a name. A provider that gives no ids gets some: results are matched by them."""
        named = [(index, call) for index, call in sorted(self._calls.items()) if call.name]
        return tuple(ToolCall(call.id or f"call_{index}", call.name, call.arguments) for index, call in named)

    def take(self, part: Any) -> int:
        """A delta of a stream, or a whole message; how many characters of tool calls it has."""
        self._think(getattr(part, "thinking_blocks", None) or ())
        self._signed = _mapping(getattr(part, "provider_specific_fields", None)) or self._signed
        taken = 0
        for position, piece in enumerate(getattr(part, "tool_calls", None) or ()):
            call = self._call_of(piece, position)
            function = getattr(piece, "function", None)
            name, arguments = getattr(function, "name", None) or "", getattr(function, "arguments", None) or ""
            call.id = getattr(piece, "id", None) or call.id
            call.name = name or call.name
            call.arguments += arguments
            call.signed = _mapping(getattr(piece, "provider_specific_fields", None)) or call.signed
            taken += len(name) + len(arguments)
        return taken

    def _call_of(self, piece: Any, position: int) -> _Call:
        """The call that a piece belongs to. For Ollama LiteLLM 1.106.2 gives every call the index 0; an id each, save
        to one without arguments."""
        index, id = getattr(piece, "index", None), getattr(piece, "id", None)
        index = position if index is None else index
        known = self._calls.get(index)
        named = getattr(getattr(piece, "function", None), "name", None)
        if known and id != known.id and (id or (named and known.whole)):
            index = next((at for at, one in self._calls.items() if id and one.id == id), max(self._calls) + 1)
        return self._calls.setdefault(index, _Call())

    def call(self, name: str, arguments: str) -> None:
        """A call that was read without LiteLLM."""
        self._calls[len(self._calls)] = _Call(name=name, arguments=arguments)

    def repeated(self, text: str, reasoning: str, provider: str) -> dict[str, Any]:
        """In OpenAI's words, with what ``provider`` wants to see again."""
        message: dict[str, Any] = {"role": "assistant", "content": text or None}
        if self.calls:
            message["tool_calls"] = [self._row(call, index, provider) for index, call in enumerate(self.calls)]
        if provider in SIGNED and self._thinking:
            message["thinking_blocks"] = self._thinking
        if provider in THOUGHTS and self._signed:
            message["provider_specific_fields"] = dict(self._signed)
        if provider in REASONED and reasoning and self.calls:
            message["reasoning_content"] = reasoning
        return message

    def _row(self, call: ToolCall, index: int, provider: str) -> dict[str, Any]:
        signed = [one for _, one in sorted(self._calls.items()) if one.name][index].signed
        row = {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": _sendable(call.arguments)},
        }
        return row | ({"provider_specific_fields": dict(signed)} if signed and provider in SIGNED else {})

    def _think(self, blocks: Sequence[Any]) -> None:
        """Anthropic's thinking comes in pieces, and the signature of a block at its end."""
        for block in filter(None, map(_mapping, blocks)):
            last = self._thinking[-1] if self._thinking else None
            if block.get("type") != "thinking" or last is None or last.get("type") != "thinking" or last["signature"]:
                self._thinking.append({"thinking": "", "signature": "", **block} if _thinks(block) else dict(block))
            else:
                last["thinking"] += block.get("thinking") or ""
                last["signature"] = block.get("signature") or ""


def _sendable(arguments: str) -> str:
    """Arguments that are no JSON object cannot be sent back on every wire; what was wrong with them the result says."""
    try:
        return arguments if isinstance(json.loads(arguments), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def _thinks(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "thinking"


def _mapping(value: Any) -> dict[str, Any] | None:
    """LiteLLM's values are dicts or models, by version and wire."""
    if isinstance(value, Mapping):
        return dict(value)
    return value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else None
