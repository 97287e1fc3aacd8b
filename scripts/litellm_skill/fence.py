"""Code between fences, as Markdown has it."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\r\n]*)")


def first(text: str, lang: str | None = None) -> str | None:
    """The first fenced code block as it was written, or the first whose info string begins with ``lang`` in any case;
    None when there is none. By CommonMark 0.31, 4.5; one that is not closed goes to the end."""
    lines = iter(re.findall(r"[^\n]*\n|[^\n]+", text))
    for line in lines:
        opening = _FENCE.match(line)
        if not opening or ("`" in opening["fence"] and "`" in opening["info"]):
            continue
        block = _block(lines, opening["fence"], indent=opening.start("fence"))
        if lang is None or opening["info"].casefold().split()[:1] == [lang.casefold()]:
            return block
    return None


def _block(lines: Iterator[str], fence: str, indent: int) -> str:
    """The lines up to the closing fence, which is taken, too; without as much indentation as the opening one has."""
    closing = re.compile(rf" {{0,3}}{re.escape(fence)}{re.escape(fence[0])}*[ \t]*\r?\n?")
    taken = []
    for line in lines:
        if closing.fullmatch(line):
            break
        taken.append(re.sub(rf"^ {{0,{indent}}}", "", line))
    return "".join(taken)
