"""What a model may look at by itself in one folder: three read-only tools, confined, screened and bounded.

Visible are regular text files that git does not ignore, and whose names do not say that they hold secrets; where no
repository is, those without a dot before a part of their path. No link is followed. A file whose text holds a secret is
withheld. Patterns run apart, for Python cannot stop one that never ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any

from litellm_skill import attachments, changes, screen, worker
from litellm_skill.faults import BadInput, Fault
from litellm_skill.screen import Part
from litellm_skill.sources import Line, Source
from litellm_skill.tools import Tool, ToolCall, ToolResult

FILES = 20_000  # in one folder; more are not seen
FILE_BYTES = 2_000_000
LINES = 400  # of one result
CHARACTERS = 40_000  # of one result
TOTAL_CHARACTERS = 600_000  # of all results for one model
NAMES = 500  # of one list
MATCHES, WIDTH = 100, 400  # lines of one search, and characters of each
SECONDS = 5.0  # for one search

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
TOOLS = (
    Tool(
        "list_files",
        "List the files of the project whose path fits a pattern such as src/*.py; * is all of them.",
        {"type": "object", "properties": {"pattern": _TEXT}, "required": ["pattern"]},
    ),
    Tool(
        "read_file",
        f"Read lines of a file, numbered, at most {LINES} at a time. Paths are those of list_files.",
        {
            "type": "object",
            "properties": {"path": _TEXT, "first_line": _NUMBER, "last_line": _NUMBER},
            "required": ["path", "first_line", "last_line"],
        },
    ),
    Tool(
        "search",
        "Search lines by a regular expression (Python's) in the files whose path fits a pattern; * is all of them.",
        {"type": "object", "properties": {"regex": _TEXT, "pattern": _TEXT}, "required": ["regex", "pattern"]},
    ),
)


@dataclass(frozen=True)
class Folder:
    """``root``: its real path. ``names``: the files that may be seen, relative to it, with ``/``."""

    root: str
    names: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    allow_secrets: bool = False

    def fitting(self, pattern: str) -> list[str]:
        wanted = pattern.strip().removeprefix("./") or "*"
        return [name for name in self.names if name == wanted or fnmatchcase(name, wanted)]

    def text(self, name: str) -> str:
        """Raises BadInput when it cannot be shown, and why."""
        if name not in self.names:
            raise BadInput(f"there is no file {name[:200]!r} here; see list_files")
        text = _text(self.root, name)
        if not self.allow_secrets and (found := screen.scan((Part(name, text),), self.secrets)):
            raise BadInput(f"{name} is withheld: it holds what looks like a secret ({found[0].rule})")
        return text


def open_folder(
    directory: str, allowed: Sequence[str], secrets: tuple[str, ...] = (), *, allow_secrets: bool = False
) -> Folder:
    """Raises BadInput. ``allowed``: paths, relative to the working directory, that are shown whatever their names."""
    root = os.path.realpath(directory)
    if not os.path.isdir(root):
        raise BadInput(f"--read {directory}: no such folder", "name a folder")
    listed = changes.listed(Path(root))
    found = sorted(islice(_walked(root), FILES)) if listed is None else listed
    names = [name for name in found if _visible(root, name, allowed)]
    return Folder(root, tuple(names[:FILES]), secrets, allow_secrets)


def _walked(root: str) -> Iterator[str]:
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def _visible(root: str, name: str, allowed: Sequence[str]) -> bool:
    path = os.path.join(root, name)
    try:
        plain = os.path.isfile(path) and os.path.realpath(path) == os.path.normpath(path)
    except (OSError, ValueError):
        return False
    printable = name.isprintable()
    return plain and printable and (not screen.refused(path) or screen.is_allowed(Path(path), Path.cwd(), allowed))


def _text(root: str, name: str) -> str:
    """Raises BadInput. Looks again whether a link has taken its place."""
    path = os.path.join(root, name)
    if os.path.realpath(path) != os.path.normpath(path):
        raise BadInput(f"{name} is a link")
    return attachments.read_text(Path(path), name, FILE_BYTES)[0].replace("\r\n", "\n")


@dataclass
class Looking:
    """One model's. ``rounds``: in how many it may look before it is told to answer. ``seen``: lines by file, as they
    were sent; ``listed``: the patterns whose file names were. ``seconds``: for one search."""

    folder: Folder
    rounds: int
    seconds: float = SECONDS
    tools: tuple[Tool, ...] = TOOLS
    seen: dict[str, dict[int, str]] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)
    _left: int = TOTAL_CHARACTERS
    _round: int = 0

    async def call(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """The results in the order of ``calls``. Whatever goes wrong is a result."""
        self._round += 1
        return [await self._result(call) for call in calls]

    async def _result(self, call: ToolCall) -> ToolResult:
        began = time.monotonic()
        try:
            self._check()
            text, ok = await self._answer(call), True
        except Fault as fault:
            text, ok = fault.message, False
        except (ValueError, RecursionError) as error:
            text, ok = f"these arguments cannot be used: {error}", False
        self._left -= len(text)
        return ToolResult(call.id, call.name, text, ok, round(time.monotonic() - began, 3))

    def _check(self) -> None:
        if self._round > self.rounds or self._left <= 0:
            raise BadInput("enough was looked at: answer now, with what you have seen")

    async def _answer(self, call: ToolCall) -> str:
        """Raises BadInput or ValueError."""
        arguments = json.loads(call.arguments or "{}")
        if not isinstance(arguments, dict):
            raise ValueError("they are no object")
        if call.name == "list_files":
            return self._list(_word(arguments, "pattern", "*"))
        if call.name == "read_file":
            return self._read(
                _word(arguments, "path"), _whole(arguments, "first_line", 1), _whole(arguments, "last_line", 0)
            )
        if call.name == "search":
            return await self._search(_word(arguments, "regex"), _word(arguments, "pattern", "*"))
        raise BadInput(
            f"there is no tool {call.name[:100]!r}; there are: {', '.join(tool.name for tool in self.tools)}"
        )

    def _list(self, pattern: str) -> str:
        names = self.folder.fitting(pattern)
        self.listed.append(pattern)
        more = [f"[{NAMES} of {len(names):,}: narrow the pattern]"] if len(names) > NAMES else []
        return "\n".join([*names[:NAMES], *more]) or "no file fits"

    def _read(self, path: str, first: int, last: int) -> str:
        name = path.strip().removeprefix("./")
        rows = self.folder.text(name).split("\n")
        if rows[-1] == "":
            rows.pop()
        first = max(1, first)
        last = min(last if last >= first else len(rows), len(rows), first + LINES - 1)
        shown: list[str] = []
        room = min(CHARACTERS, self._left)
        for number in range(first, last + 1):
            row = f"{number:>5}| {rows[number - 1]}"
            if len(row) >= room:
                break
            room -= len(row) + 1
            self._see(name, number, rows[number - 1])
            shown.append(row)
        end = first + len(shown) - 1
        return (
            "\n".join([f"{name}, lines {first} to {end} of {len(rows)}:", *shown])
            if shown
            else f"{name} has {len(rows)} lines"
        )

    async def _search(self, regex: str, pattern: str) -> str:
        asked = {"root": self.folder.root, "names": self.folder.fitting(pattern), "regex": regex}
        payload = json.dumps(asked).encode()
        outcome = await asyncio.to_thread(
            worker.run, "looking:matches", payload, seconds=self.seconds, most=MATCHES * WIDTH * 12
        )
        lines = [json.loads(row) for row in outcome.output.split(b"\n")[:-1]]
        if lines and not lines[0][0]:
            raise ValueError(lines[0][2])
        shown, withheld = self._permitted(lines)
        notes = [f"[the search was stopped: {outcome.ending}]"] if outcome.ending else []
        notes += [f"[only the first {MATCHES} lines]"] if len(lines) >= MATCHES else []
        notes += [f"[withheld: {name} holds what looks like a secret]" for name in withheld]
        return "\n".join([*shown, *notes]) or "nothing matches"

    def _permitted(self, lines: Iterable[tuple[str, int, str]]) -> tuple[list[str], list[str]]:
        """Of the lines found, those of files that may be shown; and the names of the others."""
        fine: dict[str, bool] = {}
        shown: list[str] = []
        for name, number, text in lines:
            if name not in fine:
                try:
                    fine[name] = bool(self.folder.text(name)) or True
                except BadInput:
                    fine[name] = False
            if fine[name]:
                self._see(name, number, text)
                shown.append(f"{name}:{number}: {text}")
        return shown, [name for name, good in fine.items() if not good]

    def _see(self, name: str, number: int, text: str) -> None:
        rows = self.seen.setdefault(name, {})
        if len(text) >= len(rows.get(number, "")):
            rows[number] = text

    def sources(self) -> list[Source]:
        """What was seen, as evidence."""
        found = []
        for name, rows in self.seen.items():
            lines: list[Line] = []
            for number in sorted(rows):
                gap = bool(lines) and lines[-1].number != number - 1
                lines.append(Line(rows[number], number, None, (lines[-1].hunk if lines else 0) + gap))
            found.append(Source(name, tuple(lines)))
        return found

    def sent(self) -> list[dict[str, Any]]:
        """Every file and range that left the machine, and the patterns whose file names did."""
        rows: list[dict[str, Any]] = [{"listed": pattern} for pattern in dict.fromkeys(self.listed)]
        for source in self.sources():
            hunks: dict[int, list[Line]] = {}
            for line in source.lines:
                hunks.setdefault(line.hunk, []).append(line)
            ranges = [[lines[0].number, lines[-1].number] for lines in hunks.values()]
            characters = sum(len(line.text) + 1 for line in source.lines)
            rows.append({"path": source.path, "lines": ranges, "characters": characters})
        return rows


def _word(arguments: dict[str, Any], name: str, default: str | None = None) -> str:
    value = arguments.get(name, default)
    if not isinstance(value, str) or len(value) > 2_000:
        raise ValueError(f"{name} is no text of up to 2,000 characters")
    return value


def _whole(arguments: dict[str, Any], name: str, default: int) -> int:
    value = arguments.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is no whole number")
    return value


def matches(payload: bytes) -> Iterator[bytes]:
    """Lines that fit, each as JSON: the file, the number, the text; or no file, and what is wrong. Runs apart."""
    asked = json.loads(payload)
    try:
        regex = re.compile(asked["regex"])
    except (re.error, RecursionError, OverflowError) as error:
        yield json.dumps(["", 0, f"no regular expression: {error}"]).encode() + b"\n"
        return
    left = MATCHES
    for name in asked["names"]:
        try:
            rows = _text(asked["root"], name).split("\n")
        except BadInput:
            continue
        for number, row in enumerate(rows, 1):
            if left and regex.search(row):
                left -= 1
                yield json.dumps([name, number, row[:WIDTH]]).encode() + b"\n"
        if not left:
            return
