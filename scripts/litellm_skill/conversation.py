"""What is sent: a prompt, and the turns of its thread that came before it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from litellm_skill.attachments import SentFile
from litellm_skill.prompt import Prompt, estimate_tokens

Message = Mapping[str, Any]
# What every vendor takes. Reasoning blocks and signatures are left out: only the vendor that made them can read them.
FIELDS = ("role", "content", "tool_calls", "tool_call_id", "name")


@dataclass(frozen=True)
class Conversation:
    """``earlier``: the messages of the turns before, oldest first. ``beside``: what is sent along with them, such as
    tools."""

    prompt: Prompt
    earlier: tuple[Message, ...] = ()
    beside: str = ""

    @property
    def files(self) -> tuple[SentFile, ...]:
        return self.prompt.files

    @property
    def characters(self) -> int:
        return self.prompt.characters + sum(len(_text(message)) for message in self._before) + len(self.beside)

    @property
    def tokens(self) -> int:
        """Estimate; see ``prompt.estimate_tokens``."""
        return self.prompt.tokens + self._other_tokens

    @property
    def least_tokens(self) -> int:
        """The same for a model that needs fewest for an image: for what certainly does not fit."""
        return self.prompt.least_tokens + self._other_tokens

    @property
    def _other_tokens(self) -> int:
        return sum(estimate_tokens(text) for text in (*map(_text, self._before), self.beside))

    @property
    def _before(self) -> list[Message]:
        """Of the turns before, what is sent: no system prompt that a newer one replaces."""
        system = [] if self.prompt.system else _newest_system(self.earlier)
        return [*system, *_without_system(self.earlier)]

    def messages(self) -> list[dict[str, Any]]:
        """The newest system prompt first, then all else in order."""
        every = [*self.earlier, *self.prompt.messages()]
        chosen = (*_newest_system(every), *_paired(_without_system(every)))
        return [{name: message[name] for name in FIELDS if name in message} for message in chosen]

    def trimmed(self, tokens: int) -> tuple[Conversation, int]:
        """Without its oldest turns, as many as must go for it to be at most so many tokens; and how many those are."""
        system = _newest_system(self.earlier)
        turns = _turns(_without_system(self.earlier))
        for gone in range(len(turns) + 1):
            kept = [message for turn in turns[gone:] for message in turn]
            shorter = replace(self, earlier=tuple((*system, *kept) if gone else self.earlier))
            if shorter.least_tokens <= tokens:
                return shorter, gone
        return replace(self, earlier=tuple(system)), len(turns)


def _newest_system(messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages if message["role"] == "system"][-1:]


def _without_system(messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages if message["role"] != "system"]


def _turns(messages: Sequence[Message]) -> list[list[Message]]:
    """Each begins with what the user said."""
    turns: list[list[Message]] = []
    for message in messages:
        if message["role"] == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _paired(messages: Sequence[Message]) -> Iterator[Message]:
    """Without calls that have no result and results that have no call: providers refuse those."""
    called = {call["id"] for message in messages for call in message.get("tool_calls") or ()}
    answered = {message.get("tool_call_id") for message in messages}
    for message in messages:
        calls = [call for call in message.get("tool_calls") or () if call["id"] in answered]
        if message["role"] == "tool" and message.get("tool_call_id") not in called:
            continue
        if calls:
            yield {**message, "tool_calls": calls}
        elif message.get("content"):
            yield {name: value for name, value in message.items() if name != "tool_calls"}


def _text(message: Message) -> str:
    content = message.get("content") or ""
    parts = content if isinstance(content, list) else [{"text": content}]
    calls = json.dumps(message["tool_calls"]) if message.get("tool_calls") else ""
    return "\n\n".join(part.get("text") or "" for part in parts) + calls
