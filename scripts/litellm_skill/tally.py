"""What has become of every row and model, in a temporary file of SQLite's own: memory stays flat however many."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litellm_skill import scoring

if TYPE_CHECKING:
    import sqlite3

PAGES_KB = 4_000  # kept in memory; the rest is on disk
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Standing:
    """One model. ``cost_usd``: the sum of what is known, of so many (``priced``) answers. ``latency_s``: seconds by
    percentile. ``score``: the share of scored answers that were right, with its 95 % interval."""

    model: str
    answered: int
    failed: int
    errors: dict[str, int]
    cost_usd: float | None
    priced: int
    latency_s: dict[str, float] | None
    scored: int
    score: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Found:
    """Of a row and model: whether it was answered; the digest of the row then; whether a score was looked for, and
    found; where its line begins in the file of results (bytes)."""

    ok: bool
    digest: str
    tried: bool
    scored: bool
    at: int


class Tally:
    """The last word on a pair of row and model counts."""

    def __init__(self) -> None:
        import sqlite3

        self._file: sqlite3.Connection = sqlite3.connect("", isolation_level=None)
        self._file.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{PAGES_KB};"
            "CREATE TABLE ids (key INTEGER PRIMARY KEY, line INTEGER);"
            "CREATE TABLE pairs (key INTEGER PRIMARY KEY, model TEXT, digest TEXT, ok INTEGER, error TEXT,"
            " cost REAL, latency REAL, score REAL, tried INTEGER, at INTEGER);"
        )

    def close(self) -> None:
        self._file.close()

    def first_line(self, id: str, line: int) -> int | None:
        """Where the id stood before, None when it is new; now it stands in ``line``."""
        key = _key(id)
        if found := self._file.execute("SELECT line FROM ids WHERE key = ?", (key,)).fetchone():
            return int(found[0])
        self._file.execute("INSERT INTO ids VALUES (?, ?)", (key, line))
        return None

    def take(self, document: dict[str, Any], at: int) -> None:
        """One line of the results, which begins ``at`` so many bytes."""
        error, score = document.get("error"), document.get("score")
        row = (
            _key(document["id"], document["model"]),
            document["model"],
            document["row"],
            int(document["status"] == "ok"),
            error["type"] if error else None,
            document.get("cost_usd"),
            document.get("latency_s"),
            score["value"] if score else None,
            score is not None,
            at,
        )
        self._file.execute(f"INSERT OR REPLACE INTO pairs VALUES ({', '.join('?' * len(row))})", row)

    def find(self, id: str, model: str) -> Found | None:
        """None when nothing is known of the pair."""
        sql = "SELECT ok, digest, tried, score NOT NULL, at FROM pairs WHERE key = ?"
        row = self._file.execute(sql, (_key(id, model),)).fetchone()
        return Found(bool(row[0]), row[1], bool(row[2]), bool(row[3]), row[4]) if row else None

    def standing(self, model: str) -> Standing:
        sql = "SELECT count(*), sum(ok), sum(cost), count(cost), sum(score), count(score) FROM pairs WHERE model = ?"
        rows, ok, cost, priced, right, scored = self._file.execute(sql, (model,)).fetchone()
        answered = ok or 0
        sql = "SELECT error, count(*) FROM pairs WHERE model = ? AND ok = 0 GROUP BY error ORDER BY count(*) DESC"
        return Standing(
            model,
            answered,
            rows - answered,
            dict(self._file.execute(sql, (model,)).fetchall()),
            cost,
            priced,
            self._latency(model, answered),
            scored,
            right / scored if scored else None,
            scoring.interval(right or 0.0, scored),
        )

    def _latency(self, model: str, answered: int) -> dict[str, float] | None:
        """By nearest rank, of the rows that were answered."""
        if not answered:
            return None
        sql = "SELECT latency FROM pairs WHERE model = ? AND ok = 1 AND latency NOT NULL ORDER BY latency"
        at = {f"p{percent}": -(-answered * percent // 100) for percent in PERCENTILES}
        found = {}
        for rank, (seconds,) in enumerate(self._file.execute(sql, (model,)), 1):
            if rank in at.values():
                found[rank] = seconds
        return {name: found[rank] for name, rank in at.items() if rank in found} or None


def _key(*parts: str) -> int:
    """Sixty-three bits: two of a million pairs are the same once in twenty million batches."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 1
