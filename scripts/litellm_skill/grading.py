"""What a model is asked that scores an answer against the one expected, and what it replies. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from litellm_skill import report

DATA = Path(__file__).with_name("grading.toml")
ANSWER_CHARACTERS = 20_000  # of one answer, that the judge gets to see
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "correct": {"type": "boolean"}},
    "required": ["reason", "correct"],
    "additionalProperties": False,
}


def question(prompt: str, expected: str, answer: str, rng: Random) -> tuple[str, str]:
    """System prompt and prompt. None of the texts holds the id of the marks, so none can end where it does not."""
    texts = {"question": prompt, "expected": expected, "answer": answer[:ANSWER_CHARACTERS]}
    texts = {name: report.printable(text) for name, text in texts.items()}
    while any((fence := f"{rng.getrandbits(64):016x}") in text for text in texts.values()):
        pass
    names = {"question": "question", "expected": "expected answer", "answer": "answer"}
    fenced = {
        name: f"<<<begin {names[name]} {fence}>>>\n{text}\n<<<end {names[name]} {fence}>>>"
        for name, text in texts.items()
    }
    return _texts()["system"].format(fence=fence), _texts()["user"].format(**fenced)


def read(reply: Any) -> tuple[bool, str] | None:
    """Whether the answer is right, and why; None when the reply is of no use. ``reply``: parsed JSON."""
    if not isinstance(reply, dict) or not isinstance(reply.get("correct"), bool):
        return None
    return reply["correct"], str(reply.get("reason", ""))


@cache
def _texts() -> dict[str, str]:
    return tomllib.loads(DATA.read_text(encoding="utf-8"))
