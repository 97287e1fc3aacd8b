"""The fenced blocks of SKILL.md, README.md and references/*.md, and what stands in comments above them.

    <!-- run with: NAME==1.2 … -->   this and the later Python blocks run in an environment with these packages alone
    <!-- file: config.yaml -->       the block is a file that the other blocks of the page find in their working folder
    <!-- not run: REASON -->         the block is not run; test_references.py counts these

A ``text`` block that follows a block directly shows what it prints on stdout: ``…`` stands for anything within a line,
and a line that is only ``…`` for any lines. The Python blocks of a page are cells of one process: each sees the
names of those before it. Every bash block is a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCES = sorted((ROOT / "references").glob("*.md"))
PAGES = [ROOT / "SKILL.md", *sorted(ROOT.glob("README*.md")), *REFERENCES]
SHELLS = ("bash", "sh")
_FENCED = re.compile(
    r"(?m)^(?:<!-- (?P<mark>run with|file|not run): (?P<said>[^\n]+) -->\n)?"
    r"(?P<fence>`{3,})(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)\n(?:\n*```text\n(?P<shown>.*?)^```$)?",
    re.S,
)


@dataclass(frozen=True)
class Block:
    """``packages``: those of the last ``run with`` on the page. ``shown`` is None where no output is shown."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None
    why_not: str | None
    packages: tuple[str, ...]
    shown: str | None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_python(self) -> bool:
        return self._is_run and self.language == "python"

    @property
    def is_shell(self) -> bool:
        return self._is_run and self.language in SHELLS

    @property
    def _is_run(self) -> bool:
        return self.file is None and self.why_not is None

    def agrees_with(self, printed: str) -> bool:
        return self.shown is None or bool(re.fullmatch(_pattern(self.shown), _trimmed(printed)))


def of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    packages: tuple[str, ...] = ()
    for found in _FENCED.finditer(text):
        said = {found["mark"]: found["said"]}
        packages = tuple(said["run with"].split()) if "run with" in said else packages
        line = text.count("\n", 0, found.start("fence")) + 2
        marks = said.get("file"), said.get("not run")
        yield Block(page, line, found["language"], found["text"], *marks, packages, found["shown"])


def _trimmed(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())


def _pattern(shown: str) -> str:
    lines = _trimmed(shown).splitlines()
    return "".join(r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in lines)
