"""What an agent did in one run: its commands, what they printed, and its report.

Read from Claude Code's ``--output-format stream-json --verbose`` (or ``json``); for any other host from one document:
``{"steps": [{"command": TEXT, "output": TEXT}], "report": TEXT}``, where reading a file is a step, too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ASKING = re.compile(r"(?:call_model|compare_models|review_code|cheap_route)\.py\b")
NOT_ASKING = re.compile(r"--(?:wait|result|cancel|list-results|dry-run|help|query)\b|\s-h\b")
CAME = re.compile(r"<<<untrusted answer|still works|^  \"status\": \"(?:ok|partial)\"", re.M)
ANSWERED_BY = re.compile(
    r"untrusted answer \w+ from ([\w.-]+/\S+?)>>>|^## ([\w.-]+/\S+)|\"model_used\": \"([^\"]+)\"", re.M
)
MISSING = re.compile(r"^missing: (\S+?):? ", re.M)


@dataclass(frozen=True)
class Step:
    """``command``: as typed, or a tool's name and arguments."""

    command: str
    output: str

    @property
    def calls(self) -> int:
        """Prompts that were answered, or are at work: a loop in one command may make many."""
        if not ASKING.search(self.command) or NOT_ASKING.search(self.command):
            return 0
        return len(CAME.findall(self.output))


@dataclass(frozen=True)
class Run:
    steps: tuple[Step, ...]
    report: str
    workspace: Path

    @property
    def answered_by(self) -> list[str]:
        """Model ids, as the skill's output names them."""
        names = [name for step in self.steps for found in ANSWERED_BY.findall(step.output) for name in found if name]
        return list(dict.fromkeys(names))

    @property
    def missing(self) -> list[str]:
        return list(dict.fromkeys(name for step in self.steps for name in MISSING.findall(step.output)))


def read(path: Path, workspace: Path) -> Run:
    """Raises ValueError when the file is neither form."""
    text = path.read_text(encoding="utf-8")
    try:
        document = json.loads(text)
    except ValueError:
        document = [json.loads(line) for line in text.splitlines() if line.strip()]
    try:
        if isinstance(document, list):
            return _stream(document, workspace)
        steps = tuple(Step(step["command"], step["output"]) for step in document["steps"])
        return Run(steps, document["report"], workspace)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: no transcript: {error!r}") from error


def _stream(events: list[dict[str, Any]], workspace: Path) -> Run:
    """Raises ValueError when there is no result: the run did not come to its end."""
    used: dict[str, str] = {}
    printed: dict[str, str] = {}
    for block in (block for event in events for block in _blocks(event)):
        if block.get("type") == "tool_use":
            given = block["input"]
            used[block["id"]] = given.get("command") or f"{block['name']} {json.dumps(given, ensure_ascii=False)}"
        elif block.get("type") == "tool_result":
            printed[block["tool_use_id"]] = _text(block.get("content"))
    reports = [str(event.get("result", "")) for event in events if event.get("type") == "result"]
    if not reports:
        raise ValueError("no transcript: it has no result")
    return Run(tuple(Step(used[id], printed.get(id, "")) for id in used), reports[-1], workspace)


def _blocks(event: dict[str, Any]) -> list[dict[str, Any]]:
    content = event.get("message", {}).get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return str(content or "")
