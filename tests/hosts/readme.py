"""What the README tells people to type and to write into their hosts' settings."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = TEXT.partition("## Install as a skill\n")[2].partition("\n## ")[0]
BLOCKS = re.compile(r"^([^\n|]+):\n\n((?:    [^\n]*\n|\n(?=    ))+)", re.M)


def commands(url: str) -> list[str]:
    """Each way to install, with ``url`` as the address of the repository."""
    first = next(text for before, text in BLOCKS.findall(SECTION) if "`URL`" in before)
    return [line.strip().replace("URL", url) for line in first.splitlines() if line.strip()]


def rule(file: str, home: Path) -> str:
    """What is to be written into ``file`` (below the home folder) of somebody who lives in ``home``."""
    (text,) = (text for before, text in BLOCKS.findall(SECTION) if f"`~/{file}`" in before)
    return re.sub(r"(?m)^    ", "", text).replace("/home/you", str(home))
