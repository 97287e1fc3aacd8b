"""What is under review, line by line: files and diffs as a model reads them, in parts that it can hold. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from litellm_skill.attachments import escape, text_part
from litellm_skill.prompt import estimate_tokens
from litellm_skill.screen import Part

NEAR = 3  # lines from a change that still belong to it, as in a plain diff
CONTEXTS = (60, 20, NEAR)  # lines of a function that are shown around a change, the most that fit
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


@dataclass(frozen=True, slots=True)
class Line:
    """``number``: in the file as it is now, None for a removed line. ``old``: before the change, None for one that was
    added, and in a file that is shown without changes. Lines of one ``hunk`` follow each other."""

    text: str
    number: int | None
    old: int | None = None
    hunk: int = 0

    @property
    def changed(self) -> bool:
        """Of a line in a diff."""
        return self.number is None or self.old is None


@dataclass(frozen=True)
class Source:
    """A file, or what of it is shown. ``diff``: its changes. ``note``: what else is to be known of it: that it was
    renamed, deleted, is binary. ``functions``: in which one a hunk stands, as git says."""

    path: str
    lines: tuple[Line, ...] = ()
    diff: bool = False
    note: str = ""
    functions: dict[int, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """With line numbers, and in a diff with ``+`` and ``-`` before them."""
        return "\n".join(_rows(self))

    def part(self) -> Part:
        what = "Changes of" if self.diff else "File"
        return text_part(self.path, f"{what} {self.path}{f' ({self.note})' if self.note else ''}", self.text)


def _rows(source: Source) -> Iterator[str]:
    hunk = None
    for line in source.lines:
        if line.hunk != hunk and (hunk is not None or source.diff):
            yield f"@@ {source.functions.get(line.hunk, '')}".rstrip()
        hunk = line.hunk
        mark = "" if not source.diff else "-" if line.number is None else "+" if line.old is None else " "
        yield f"{mark}{line.number or line.old:>5}| {line.text}"


def of_text(path: str, text: str) -> Source:
    """A whole file."""
    rows = text.split("\n")
    if rows[-1] == "":
        rows.pop()
    return Source(path, tuple(Line(row.removesuffix("\r"), number) for number, row in enumerate(rows, 1)))


# --- a diff


def of_diff(text: str) -> list[Source]:
    """Of what ``git diff`` prints, with the prefixes a/ and b/."""
    rows, at, found = text.split("\n"), 0, []
    while at < len(rows):
        if rows[at].startswith("diff --git "):
            source, at = _changed_file(rows, at)
            found.append(source)
        else:
            at += 1
    return found


def _changed_file(rows: Sequence[str], at: int) -> tuple[Source, int]:
    head = [rows[at]]
    at += 1
    while at < len(rows) and not rows[at].startswith(("@@ ", "diff --git ")):
        head.append(rows[at])
        at += 1
    lines: list[Line] = []
    functions: dict[int, str] = {}
    while at < len(rows) and (hunk := _HUNK.match(rows[at])):
        functions[len(functions)] = hunk[5].strip()
        at = _hunk(rows, at + 1, hunk, len(functions) - 1, lines)
    return Source(_path(head), tuple(lines), True, _note(head, lines), functions), at


def _hunk(rows: Sequence[str], at: int, hunk: re.Match[str], number: int, lines: list[Line]) -> int:
    """Where it ends. Counted, for a removed line may look like a header."""
    old, new = int(hunk[1]), int(hunk[3])
    old_end = old + int(hunk[2] if hunk[2] is not None else 1)
    new_end = new + int(hunk[4] if hunk[4] is not None else 1)
    while at < len(rows) and (old < old_end or new < new_end or rows[at].startswith("\\")):
        mark, text = rows[at][:1], rows[at][1:].removesuffix("\r")
        at += 1
        if mark == "\\":  # No newline at end of file
            continue
        lines.append(Line(text, None if mark == "-" else new, None if mark == "+" else old, number))
        old, new = old + (mark != "+"), new + (mark != "-")
    return at


def _path(head: Sequence[str]) -> str:
    """Of the file as it is now; of a deleted one as it was."""
    named = {start: row[len(start) :] for row in head for start in ("rename to ", "copy to ", "+++ ", "--- ")
             if row.startswith(start)}  # fmt: skip
    for start in ("rename to ", "copy to "):
        if start in named:
            return escape(_unquoted(named[start]))
    for start in ("+++ ", "--- "):
        path = _unquoted(named.get(start, "/dev/null").removesuffix("\t"))
        if path != "/dev/null":
            return escape(path[2:])
    both = head[0].removeprefix("diff --git ")  # binary, or only its mode changed: the same name twice
    return escape(_unquoted(both.split('" "')[0] + '"' if both[0] == '"' else both[: (len(both) - 1) // 2])[2:])


def _unquoted(path: str) -> str:
    """git quotes a name with a quote, a backslash or a control character as C does."""
    if not path.startswith('"'):
        return path

    def plain(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 8) & 0xFF]) if match[1].isdigit() else _ESCAPES.get(match[1], match[1])

    raw = re.sub(rb"\\([0-7]{3}|.)", plain, path[1:-1].encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "replace")


def _note(head: Sequence[str], lines: Sequence[Line]) -> str:
    rows = head[1:]
    moved = {"rename from ": "renamed from", "copy from ": "copied from"}
    notes = [
        f"{told} {escape(_unquoted(row[len(start) :]))}"
        for start, told in moved.items()
        for row in rows
        if row.startswith(start)
    ]
    said = {
        "new file mode": "new file",
        "deleted file mode": "deleted",
        "old mode": "its mode changed",
        "Binary files": "binary, its content is not shown",
        "GIT binary patch": "binary, its content is not shown",
    }
    notes += [note for start, note in said.items() if any(row.startswith(start) for row in rows)]
    if any(row.endswith(" 160000") for row in rows):
        notes.append("submodule")
    if not lines and not notes:
        notes.append("no lines are shown")
    return ", ".join(notes)


def shortened(sources: Sequence[Source], room: int) -> list[Source]:
    """With as much of the functions around the changes as lets all of it be at most ``room`` tokens, and at least the
    lines next to each change."""
    found = list(sources)
    for reach in CONTEXTS:
        found = [_near(source, reach) if source.diff else source for source in sources]
        if sum(map(tokens, found)) <= room:
            break
    return found


def _near(source: Source, reach: int) -> Source:
    """Without the lines that are farther than ``reach`` from every change."""
    close = set(_close(source.lines, reach)) | set(_close(source.lines[::-1], reach, len(source.lines) - 1))
    lines: list[Line] = []
    functions: dict[int, str] = {}
    before = None
    for at in sorted(close):
        line = source.lines[at]
        if before is None or at != before + 1 or line.hunk != source.lines[before].hunk:
            functions[len(functions)] = source.functions.get(line.hunk, "")
        lines.append(replace(line, hunk=len(functions) - 1))
        before = at
    return replace(source, lines=tuple(lines), functions=functions)


def _close(lines: Sequence[Line], reach: int, last: int | None = None) -> Iterator[int]:
    """Places at or up to ``reach`` behind a change; ``last``: counted from there backwards."""
    left, hunk = -1, None
    for at, line in enumerate(lines):
        left = reach if line.changed else left - 1 if line.hunk == hunk else -1
        hunk = line.hunk
        if left >= 0:
            yield at if last is None else last - at


# --- parts


def tokens(source: Source) -> int:
    return estimate_tokens(source.text)


def parts(sources: Iterable[Source], room: int) -> list[tuple[Source, ...]]:
    """All of ``sources`` in order, in parts of at most ``room`` tokens each, which is an estimate; only a single line
    may be more. What is longer than a part is split at a line, between hunks where there is one."""
    found: list[list[Source]] = [[]]
    left = room
    for source in sources:
        for piece in _pieces(source, room):
            size = tokens(piece)
            if size > left and found[-1]:
                found.append([])
                left = room
            found[-1].append(piece)
            left -= size
    return [tuple(part) for part in found if part]


def _pieces(source: Source, room: int) -> Iterator[Source]:
    if tokens(source) <= room:
        yield source
        return
    rows: list[Line] = []
    used = 0
    for line in source.lines:
        size = estimate_tokens(f" {line.number or line.old}| {line.text}\n") + 1
        late = used + size > room or (used > room * 3 // 4 and rows and line.hunk != rows[-1].hunk)
        if late and rows:
            yield replace(source, lines=tuple(rows))
            rows, used = [], 0
        rows.append(line)
        used += size
    yield replace(source, lines=tuple(rows))
