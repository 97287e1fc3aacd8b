"""What is said to a model's reply: the results of the tools it calls, or what is wrong with its JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from litellm_skill import screen, structure
from litellm_skill.faults import IncompleteAnswer
from litellm_skill.gateway import Further, Reply
from litellm_skill.screen import Part
from litellm_skill.structure import Parsed, Schema
from litellm_skill.tools import Tool, ToolCall, ToolResult

SHOWN = 200  # characters of a call's arguments, and of its result, on stderr


class Box(Protocol):
    """Tools, and what runs them."""

    @property
    def tools(self) -> Sequence[Tool]: ...

    async def call(self, calls: Sequence[ToolCall]) -> list[ToolResult]: ...


@dataclass
class Dialogue:
    """With one model. ``calls`` become the envelope's ``tool_calls``, ``messages`` are what the conversation keeps of
    the rounds before the last reply, ``parsed`` is the reply's JSON that fits the ``schema``."""

    box: Box | None
    schema: Schema | None
    most_rounds: int
    secrets: Sequence[str]
    allow_secrets: bool
    tell: Callable[[str], None]
    calls: list[dict[str, Any]] = field(default_factory=list)
    messages: list[Mapping[str, Any]] = field(default_factory=list)
    parsed: Any = None
    rounds: int = 0
    repaired: bool = False

    async def follow(self, reply: Reply) -> Further | None:
        """Raises IncompleteAnswer when the tools or the JSON come to no good end."""
        if reply.calls:
            return await self._tools(reply)
        return await self._checked(reply) if self.schema else None

    async def _tools(self, reply: Reply) -> Further | None:
        """Without a toolbox the calls are for whoever asked."""
        if self.box is None:
            self.calls += [{"id": call.id, "name": call.name, "arguments": _read(call)} for call in reply.calls]
            return None
        if self.rounds == self.most_rounds:
            what = f"after {self.rounds} rounds the model still calls tools"
            raise IncompleteAnswer(what, "raise --max-tool-rounds, or ask for less")
        self.rounds += 1
        results = [self._screened(result) for result in await self.box.call(reply.calls)]
        for call, result in zip(reply.calls, results, strict=True):
            self._note(call, result)
        said = [_message(result) for result in results]
        self.messages += [reply.message, *said]
        return Further(said)

    def _screened(self, result: ToolResult) -> ToolResult:
        """What looks like a secret is not sent; the model is told so."""
        if self.allow_secrets:
            return result
        found = screen.scan((Part(result.name, result.text),), self.secrets)
        if not found:
            return result
        text = f"withheld: the result of this tool holds what looks like a secret ({found[0].rule})"
        return ToolResult(result.id, result.name, text, ok=False, seconds=result.seconds)

    def _note(self, call: ToolCall, result: ToolResult) -> None:
        row = {"id": call.id, "name": call.name, "arguments": _read(call), "round": self.rounds}
        self.calls.append({**row, "result": result.text, "ok": result.ok, "seconds": result.seconds})
        what = "" if result.ok else " failed:"
        self.tell(f"tool {call.name}({call.arguments[:SHOWN]}) ->{what} {result.text[:SHOWN]}")

    async def _checked(self, reply: Reply) -> Further | None:
        """One turn to mend what does not fit the schema. The check may take a while, and others are being asked."""
        assert self.schema is not None
        found = await asyncio.to_thread(structure.parse, reply.text, self.schema)
        if isinstance(found, Parsed):
            self.parsed = found.value
            return None
        if self.repaired:
            what = f"the reply does not fit the schema, and was mended in vain: {found.message}"
            raise IncompleteAnswer(what, "the text is kept; ask another model, or simplify the schema")
        self.repaired = True
        self.tell(f"the reply does not fit the schema: {found.message}; asking once more")
        return Further([{"role": "user", "content": structure.repair(found)}], instead=True)


def _message(result: ToolResult) -> dict[str, str]:
    return {"role": "tool", "tool_call_id": result.id, "name": result.name, "content": result.text}


def _read(call: ToolCall) -> Any:
    """The arguments as the JSON they should be, else as they came."""
    try:
        return json.loads(call.arguments)
    except (ValueError, RecursionError):
        return call.arguments
