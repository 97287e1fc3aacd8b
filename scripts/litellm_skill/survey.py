"""The rows of a batch, all read before any is paid for: how many there are, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from litellm_skill import attachments, scoring
from litellm_skill.faults import BadInput
from litellm_skill.rows import Row, Shard, Source
from litellm_skill.tally import Tally


def survey(source: Source, score: str | None, note: Callable[[str], None]) -> tuple[int, Row]:
    """How many rows the shard has, and its first; the file's, where the shard has none. ``score``: how their answers
    will be scored; ``note`` gets a line for a warning. Raises BadInput for what is wrong with a row, but for secrets
    and files."""
    count, first = 0, None
    with closing(Tally()) as tally:
        for row in source.rows():
            if before := tally.first_line(row.id, row.line):
                what = f"{source.path.name}, line {row.line}: the id {row.id!r} stands in line {before}, too"
                raise BadInput(what, "give each row an id of its own, or none at all")
            _check(row, source, score)
            count, first = count + 1, first or row
    first = first or next(replace(source, shard=Shard()).rows(), None)
    if first is None:
        raise BadInput(f"{source.path} has no rows", "name another file")
    if unused := source.unused():
        note(f"warning: columns that are not used: {', '.join(unused)}")
    return count, first


def _check(row: Row, source: Source, score: str | None) -> None:
    try:
        for text in (row.prompt, row.system or ""):
            attachments.check_text(text, "the row")
        if score and row.expected is not None:
            scoring.check(score, row.expected)
    except BadInput as fault:
        raise BadInput(f"{source.path.name}, line {row.line}: {fault.message}", fault.hint) from fault
