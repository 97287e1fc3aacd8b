"""What is sent of a conversation: order, system prompts, what other vendors can read, and what goes when it is long."""

from __future__ import annotations

from typing import Any

import pytest
from litellm_skill.conversation import Conversation, Message
from litellm_skill.prompt import Prompt
from litellm_skill.screen import Part


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str | None, *calls: str, **more: Any) -> Message:
    called = {"tool_calls": [call(id) for id in calls]} if calls else {}
    return {"role": "assistant", "content": text, **called, **more}


def call(id: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}}


def result(id: str) -> Message:
    return {"role": "tool", "tool_call_id": id, "name": "look", "content": f"result of {id}"}


def conversation(*earlier: Message, prompt: str = "now", new_system: str = "") -> Conversation:
    part = Part("the system prompt", new_system) if new_system else None
    return Conversation(Prompt((Part("the prompt", prompt),), part), earlier)


@pytest.mark.parametrize(
    ("earlier", "new_system", "sent"),
    [
        ([], "", [user("now")]),
        ([], "brief", [system("brief"), user("now")]),
        ([user("a"), assistant("b")], "", [user("a"), assistant("b"), user("now")]),
        (
            [system("old"), user("a"), assistant("b"), user("c"), assistant("d")],
            "",
            [system("old"), user("a"), assistant("b"), user("c"), assistant("d"), user("now")],
        ),
        ([system("old"), user("a"), assistant("b")], "new", [system("new"), user("a"), assistant("b"), user("now")]),
        (
            [system("one"), user("a"), assistant("b"), system("two"), user("c"), assistant("d")],
            "",
            [system("two"), user("a"), assistant("b"), user("c"), assistant("d"), user("now")],
        ),
    ],
)
def test_order_and_system_prompt(earlier: list[Message], new_system: str, sent: list[Message]) -> None:
    assert conversation(*earlier, new_system=new_system).messages() == sent


@pytest.mark.parametrize(
    ("earlier", "sent"),
    [
        (
            [user("a"), assistant("b", reasoning_content="hm", thinking_blocks=[{"signature": "s"}], annotations=[])],
            [user("a"), assistant("b")],
        ),
        (
            [user("a"), assistant(None, "1", "2"), result("1"), result("2"), assistant("b")],
            [user("a"), assistant(None, "1", "2"), result("1"), result("2"), assistant("b")],
        ),
        ([user("a"), assistant("I look", "1")], [user("a"), assistant("I look")]),
        ([user("a"), assistant(None, "1")], [user("a")]),
        ([user("a"), assistant(None, "1", "2"), result("2")], [user("a"), assistant(None, "2"), result("2")]),
        ([user("a"), result("1"), assistant("b")], [user("a"), assistant("b")]),
        ([user("a"), assistant("")], [user("a")]),
    ],
    ids=["reasoning", "whole", "no result, text", "no result", "one result", "no call", "empty"],
)
def test_every_vendor_can_read_it(earlier: list[Message], sent: list[Message]) -> None:
    assert conversation(*earlier).messages() == [*sent, user("now")]


@pytest.mark.parametrize(
    ("earlier", "new_system", "characters"),
    [
        ([], "", 3),
        ([], "brief", 8),
        ([user("four"), assistant("five5")], "", 12),
        ([system("six666"), user("four"), assistant("five5")], "", 18),
        ([system("six666"), user("four"), assistant("five5")], "new", 15),
        ([user("four"), assistant("five5", reasoning_content="not sent")], "", 12),
    ],
)
def test_characters_are_of_what_is_sent(earlier: list[Message], new_system: str, characters: int) -> None:
    assert conversation(*earlier, new_system=new_system).characters == characters


def test_tokens_are_of_what_is_sent() -> None:
    turns = [user("word " * 100), assistant("word " * 50)]
    alone, long = conversation().tokens, conversation(*turns).tokens
    assert long >= alone + 150
    replaced = conversation(system("word " * 500), *turns, new_system="brief").tokens
    assert replaced == conversation(*turns, new_system="brief").tokens


LONG = " ".join(["word"] * 100)  # about 100 tokens
THREE = [message for _ in range(3) for message in (user(LONG), assistant(LONG))]
TOOLS = [user(LONG), assistant(None, "1"), result("1"), assistant(LONG)]


@pytest.mark.parametrize(
    ("earlier", "tokens", "gone", "kept"),
    [
        (THREE, 700, 0, THREE),
        (THREE, 500, 1, THREE[2:]),
        (THREE, 300, 2, THREE[4:]),
        (THREE, 100, 3, []),
        (THREE, 0, 3, []),
        ([], 0, 0, []),
        ([system("S"), *THREE], 500, 1, [system("S"), *THREE[2:]]),
        ([system("S"), *THREE], 100, 3, [system("S")]),
        ([system("old"), *THREE[:2], system("S"), *THREE[2:]], 300, 2, [system("S"), *THREE[4:]]),
        ([*THREE[:4], system("S"), *THREE[4:]], 300, 2, [system("S"), *THREE[4:]]),
        ([*THREE[:2], *TOOLS], 300, 1, TOOLS),
        ([*TOOLS, *THREE[:2]], 300, 1, THREE[:2]),
    ],
)
def test_the_oldest_turns_go_first(earlier: list[Message], tokens: int, gone: int, kept: list[Message]) -> None:
    """A turn goes as a whole, with its calls and their results; the system prompt stays."""
    shorter, turns = conversation(*earlier).trimmed(tokens)
    assert turns == gone
    assert shorter.messages() == [*kept, user("now")]
