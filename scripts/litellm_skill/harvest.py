"""What came of the texts, in their order: lines of vectors, or a ranking by likeness to a query."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from litellm_skill import report, vectors
from litellm_skill.texts import Id, Text
from litellm_skill.vectors import Vector

if TYPE_CHECKING:
    from litellm_skill.faults import Fault
    from litellm_skill.gateway import Embedded

SHOWN = 200  # characters of a text in a ranking
NAMED = 5  # ids in a message

Row = dict[str, Any]


@dataclass
class Harvest:
    """``line`` gets each row of vectors as it comes, where they are not kept for a document or ranked.

    ``query``: the text that the others are compared with, which comes first. ``tokens`` and ``provider_usd``: None once
    a request did not say; ``fault``: the first one.
    """

    line: Callable[[Row], None] | None = None
    query: Text | None = None
    demo: bool = False
    done: int = 0
    dimensions: int | None = None
    tokens: int | None = 0
    provider_usd: float | None = 0.0
    model: str | None = None
    fault: Fault | None = None
    missing: list[Id] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    _asked: Vector | None = None

    def take(self, came: Embedded) -> None:
        """One request's texts with their vectors, or with the fault that they share. What has nothing to be compared
        with is missing, too."""
        self.fault = self.fault or came.fault
        if came.fault or (self.query and self._asked is None and self.query not in came.texts):
            self.missing += [text.id for text in came.texts if text is not self.query]
            return
        self.tokens = None if self.tokens is None or came.tokens is None else self.tokens + came.tokens
        paid, more = self.provider_usd, came.cost_usd
        self.provider_usd = None if paid is None or more is None else paid + more
        self.model = came.model or self.model
        for text, vector in zip(came.texts, came.vectors, strict=True):
            self._add(text, vector)

    def ranking(self, top: int | None) -> list[Row]:
        """The likest first, of equals the first; what cannot be compared last."""
        return sorted(self.rows, key=lambda row: -2.0 if row["score"] is None else row["score"], reverse=True)[:top]

    def _add(self, text: Text, vector: Vector) -> None:
        self.dimensions = len(vector)
        if text is self.query:
            self._asked = vector
            return
        self.done += 1
        if self.query is not None:
            score = vectors.similarity(self._asked or (), vector)
            self.rows.append({"id": text.id, "score": score, "text": report.one_line(text.text, SHOWN)})
            return
        row: Row = {"id": text.id, "embedding": list(vector), "dims": len(vector)}
        row |= {"demo": True} if self.demo else {}
        if self.line:
            self.line(row)
        else:
            self.rows.append(row)


def written(document: Any) -> str:
    """JSON on one line. Numbers read back as they were; what must not be shown as it is stands as an escape."""
    text = json.dumps(document, ensure_ascii=False)
    return json.dumps(document) if report.UNSAFE.search(text) else text


def named(ids: list[Id]) -> str:
    """Some of the ids, and how many others there are."""
    shown = ", ".join(report.one_line(str(id), 60) for id in ids[:NAMED])
    return shown if len(ids) <= NAMED else f"{shown} and {len(ids) - NAMED:,} more"
