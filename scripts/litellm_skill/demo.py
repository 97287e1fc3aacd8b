"""The ``demo/…`` models' replies: the whole path without a key, a provider or a cent. Knows nothing of LiteLLM."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from litellm_skill.prompt import estimate_tokens

MODEL, OTHER = "demo/echo", "demo/second"
NOTICE = "[demo: no model was called] "


@dataclass(frozen=True)
class Reply:
    """``pieces`` joined are the text; ``usage`` as LiteLLM's streaming chunks carry it, in estimated tokens."""

    pieces: tuple[str, ...]
    usage: dict[str, int]


def reply(model: str, messages: Sequence[dict[str, Any]]) -> Reply:
    """An answer that says what arrived. Every answer begins by saying that no model was called."""
    prompt = str(messages[-1]["content"])
    text = _finding(messages) or (
        f"{NOTICE}Your prompt arrived here: {len(prompt)} characters, beginning with “{_beginning(prompt)}”. "
        f"With a provider's key set, the same command with -m puts it to a real model."
    )
    sent = sum(estimate_tokens(str(message["content"])) for message in messages)
    received = estimate_tokens(text)
    usage = {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}
    return Reply(tuple(re.findall(r"\S+\s*", text)), usage)


def _finding(messages: Sequence[dict[str, Any]]) -> str | None:
    """To a reviewer, who is told to answer with findings: one about the first line that is shown, to be found again."""
    shown = re.search(
        r"(?m)^(?:File|Changes of) (\S+)[^\n]*\n`+[^\n]*\n(?:@@[^\n]*\n)?[ +-]? *(\d+)\| (.*)",
        str(messages[-1]["content"]),
    )
    if shown is None or "findings" not in str(messages[0]["content"]):
        return None
    row = {"file": shown[1], "line": int(shown[2]), "quote": shown[3], "severity": "nit", "claim": NOTICE.strip()}
    return json.dumps({"findings": [{**row, "why": "it shows what a finding looks like", "suggestion": ""}]})


def _beginning(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
