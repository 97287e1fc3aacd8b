"""What was sent to a reviewer, as evidence: whether a quote stands in it, and at which line. Pure.

A quote is looked for as it is, then with its white space squeezed, then without the marks of a diff.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from litellm_skill.findings import Claim, Finding, Position, squeezed
from litellm_skill.sources import NEAR, Line, Source

SHORT = 4  # characters; a shorter quote may stand anywhere, so it counts only at the line that is claimed
LONG = 20_000  # characters; no quote is so long
_PLACES = 10_000  # of one quote, that are looked at; fewer of a long one, as so many characters
_COMPARED = 2_000_000
_GAP = "\0"  # stands in no text that is sent
_MARKED = re.compile(r"[ +-]? *\d+\| ?(.*)")  # as sources.Source.text has it
_UNIFIED = re.compile(r"[ +-](.*)")


@dataclass(frozen=True)
class _View:
    """Lines in order, squeezed into one text that has a gap where lines between them are not shown."""

    lines: Sequence[Line]
    side: str

    @cached_property
    def _squeezed(self) -> tuple[str, list[int]]:
        """The text, and where in it each line begins."""
        pieces: list[str] = []
        starts: list[int] = []
        length, last, before = 0, _GAP, None
        for line in self.lines:
            text = squeezed(line.text)
            gap = before is not None and line.hunk != before.hunk
            space = " " if text and _in_word(last) and _in_word(text[0]) else ""
            between = _GAP if gap else space
            starts.append(length + len(between))
            pieces += [between, text]
            length += len(between) + len(text)
            last, before = text[-1:] or (_GAP if gap else last), line
        return "".join(pieces), starts

    def places(self, quote: str) -> Iterator[tuple[int, int, Position, Position]]:
        """Where ``quote``, which is squeezed, stands: first and last of ``lines``, and the same as positions."""
        text, starts = self._squeezed
        at, left = text.find(quote), min(_PLACES, 10 + _COMPARED // len(quote))
        while at >= 0 and left:
            first, last = bisect_right(starts, at) - 1, bisect_right(starts, at + len(quote) - 1) - 1
            begin = self.number(first), at - starts[first]
            yield first, last, begin, (self.number(last), at + len(quote) - starts[last])
            at, left = text.find(quote, at + 1), left - 1

    def number(self, place: int) -> int:
        """Of a removed line among those that are: of the next one that is there, else of the last."""
        if self.side == "old":
            return self.lines[place].old or 0
        after = (line.number for line in self.lines[place:] if line.number)
        before = (line.number for line in reversed(self.lines[:place]) if line.number)
        return next(after, None) or next(before, 0)


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


@dataclass(frozen=True)
class _Text:
    """One source as it is now, as it was, and as the diff has it."""

    source: Source

    @cached_property
    def views(self) -> Sequence[_View]:
        lines = self.source.lines
        now = _View([line for line in lines if line.number is not None], "new")
        if not self.source.diff:
            return (now,)
        return now, _View([line for line in lines if line.old is not None], "old"), _View(lines, "new")

    @cached_property
    def reach(self) -> frozenset[int]:
        """Lines, as counted now, near a change."""
        near: set[int] = set()
        number = 0
        for line in self.source.lines:
            number = line.number or number
            if line.changed:
                near.update(range(number - NEAR, number + NEAR + 1))
        return frozenset(near)


class Evidence:
    """What was sent to a model: against it its claims are checked."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._texts: dict[str, list[_Text]] = {}
        for source in sources:
            self._texts.setdefault(source.path, []).append(_Text(source))
        self._has_diff = any(text.source.diff for texts in self._texts.values() for text in texts)

    def check(self, claim: Claim, model: str) -> Finding:
        """Never raises."""
        path = self._path(claim.file)
        finding = Finding(
            **{**asdict(claim), "file": path or claim.file},
            verified=False,
            models=(model,),
            end_line=claim.line,
            claimed_line=claim.line,
            severities={model: claim.severity},
        )
        quote = squeezed(claim.quote)
        if not quote:
            return replace(finding, problem="it quotes nothing")
        if _GAP in quote or len(claim.quote) > LONG:
            return replace(finding, problem="its quote is no text of a file")
        if path is None:
            return replace(finding, problem=f"no such file was sent{self._elsewhere(claim, quote)}")
        found = self._found(self._texts[path], claim, quote)
        if found is None:
            short = len(quote) < SHORT and self._anywhere(self._texts[path], quote)
            what = "its quote is too short to be found" if short else "its quote is not in what was sent of this file"
            return replace(finding, problem=what + ("" if short else self._elsewhere(claim, quote)))
        return self._at(finding, found)

    def _at(self, finding: Finding, found: _Found) -> Finding:
        finding = replace(
            finding,
            verified=True,
            line=found.start[0],
            end_line=max(found.start[0], found.end[0]),
            side=found.side,
            match=found.how,
            start=found.start,
            end=found.end,
        )
        if not self._has_diff:
            return finding
        reach = frozenset().union(*(text.reach for text in self._texts[finding.file] if text.source.diff))
        near = not reach.isdisjoint(range(finding.line, finding.end_line + 1))
        return replace(finding, in_diff=found.side == "old" or near)

    def _path(self, named: str) -> str | None:
        """As it was sent: a reviewer may add the a/ or b/ of a diff, or leave out folders where one file is meant."""
        name = named.strip().replace("\\", "/")
        tries = (named, named.removeprefix("b/"), name, name.removeprefix("./"), re.sub(r"^[ab]/", "", name))
        if exact := next((one for one in tries if one in self._texts), None):
            return exact
        ends = [path for path in self._texts if name and path.endswith(f"/{name.removeprefix('./').lstrip('/')}")]
        return ends[0] if len(ends) == 1 else None

    def _found(self, texts: Sequence[_Text], claim: Claim, quote: str) -> _Found | None:
        """As it is, then without the marks of a diff or our line numbers."""
        for view in (text.views[number] for number in (0, 1) for text in texts if number < len(text.views)):
            if found := _nearest(view, claim.quote, quote, claim.line, "whitespace"):
                return found
        bare = _unmarked(claim.quote)
        small = squeezed(bare) if bare is not None else ""
        if bare is None or len(small) < SHORT:
            return None
        for view in (text.views[number] for number in (0, 1, 2) for text in texts if number < len(text.views)):
            if found := _nearest(view, bare, small, claim.line, "diff"):
                return replace(found, how="diff")
        return None

    def _anywhere(self, texts: Sequence[_Text], quote: str) -> bool:
        return any(next(view.places(quote), None) for text in texts for view in text.views)

    def _elsewhere(self, claim: Claim, quote: str) -> str:
        """Where the quote stands, if that is in one other file only."""
        if len(quote) < 3 * SHORT:
            return ""
        found = {(path, place.start[0]) for path, texts in self._texts.items() for text in texts
                 if (place := _nearest(text.views[0], claim.quote, quote, claim.line, ""))}  # fmt: skip
        return "; its quote stands in {}, line {}".format(*found.pop()) if len(found) == 1 else ""


@dataclass(frozen=True)
class _Found:
    start: Position
    end: Position
    side: str
    how: str


def _nearest(view: _View, raw: str, quote: str, line: int, how: str) -> _Found | None:
    """The place of ``quote`` nearest to ``line``, of those where it stands exactly if there are any."""
    wanted = raw.replace("\r\n", "\n").strip("\n")
    best: tuple[bool, int] | None = None
    found = None
    exactly: dict[tuple[int, int], bool] = {}  # a long line may hold it often
    for first, last, start, end in view.places(quote):
        distance = abs(start[0] - line)
        if len(quote) < SHORT and distance:
            continue
        if (first, last) not in exactly:
            exactly[first, last] = wanted in "\n".join(one.text for one in view.lines[first : last + 1])
        exact = exactly[first, last]
        if best is None or (not exact, distance) < best:
            best = not exact, distance
            found = _Found(start, end, view.side, "exact" if exact else how)
    return found


def _unmarked(quote: str) -> str | None:
    """Without line numbers, or the marks of a diff; None when it has neither."""
    lines = [line for line in quote.splitlines() if line.strip()]
    for form in (_MARKED, _UNIFIED):
        matches = [form.fullmatch(line) for line in lines]
        if matches and all(matches):
            return "\n".join(match[1] for match in matches if match)
    return None
