"""What was asked and answered: runs, their streamed text, and the threads they make.

A run is written before anything is sent (``begin``), while its text comes (``extend``), and with its envelope before
that is printed (``finish``); any process may read it then. Times are Unix times in seconds. Every method raises
NotSetUp when the file cannot be used, as ``database.reading`` and ``writing`` do.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from litellm_skill import database, process
from litellm_skill.process import Process

if TYPE_CHECKING:
    import sqlite3

KEPT_S = 30 * 86_400.0
KEPT_BYTES = 200_000_000
# A pass is a part of every start, so it does little: more than a start adds. What it leaves, the next takes.
PRUNED_RUNS = 20
RETURNED_PAGES = 64
PRUNING_S = 0.003
SPARE_PAGES = 256  # free pages that stay in the file, to be used again
PROMPT_CHARACTERS = 200

SHORT = "id, started, finished, status, exit_code, script, directory, model, thread, turn, prompt, cost_usd"
SHORT += ", pid, birth, until"
LONG = f"{SHORT}, messages, reply, envelope"
NEWEST = "ORDER BY started DESC, rowid DESC"

PLAIN_WORD = re.compile(r"[A-Za-z0-9]{1,100}")
Message = Mapping[str, Any]


@dataclass(frozen=True)
class NewRun:
    """``messages``: this turn's, as sent. ``envelope``: as it stands before anything came. ``until``: when the run is
    surely over, should nobody be able to ask for its process. Without ``thread`` and ``turn`` it goes on from nothing
    and nothing goes on from it."""

    id: str
    script: str
    directory: str
    model: str | None
    thread: str | None
    turn: int | None
    messages: Sequence[Message]
    envelope: Mapping[str, Any]
    until: float


@dataclass(frozen=True)
class Thread:
    """``turn``: the number of the next turn, from 0. ``messages``: of all turns that were answered, oldest first.
    ``busy``: the run that is at work on it."""

    id: str
    turn: int = 0
    messages: tuple[Message, ...] = ()
    busy: str | None = None


@dataclass(frozen=True)
class Run:
    """``status``: "running", "ok", "partial" or "error". ``prompt``: the beginning of it. ``process``: None once it
    was found dead. ``alive``: whether it is still worked on, as far as can be known."""

    id: str
    started: float
    finished: float | None
    status: str
    exit_code: int | None
    script: str
    directory: str
    model: str | None
    thread: str | None
    turn: int | None
    prompt: str
    cost_usd: float | None
    process: Process | None
    until: float
    alive: bool


@dataclass(frozen=True)
class Kept(Run):
    """``text``: all that came, or so far. ``reply``: None or empty when no turn of a conversation came of it."""

    messages: list[dict[str, Any]]
    reply: list[dict[str, Any]] | None
    envelope: dict[str, Any]
    text: str


class History:
    """Over one connection, which must not cross a fork: ``close`` before it, open another after it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def close(self) -> None:
        self.connection.close()

    def begin(self, run: NewRun) -> bool:
        """False, and nothing is written, when the thread has this turn already or another run works on it."""
        owner = process.this()
        row = {
            **{name: getattr(run, name) for name in ("id", "script", "directory", "model", "thread", "turn", "until")},
            **{"started": time.time(), "status": "running", "pid": owner.pid, "birth": owner.birth},
            **{"prompt": _beginning(run.messages), "messages": _json(run.messages), "envelope": _json(run.envelope)},
        }
        with database.writing(self.connection):
            if run.thread is not None and (self._busy(run.thread) or self._has_turn(run)):
                return False
            sql = f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
            self.connection.execute(sql, [_plain(value) for value in row.values()])
        self.prune(time.time())
        return True

    def take_over(self, id: str) -> None:
        """After a fork: the run is this process's."""
        owner = process.this()
        with database.writing(self.connection):
            sql = "UPDATE runs SET pid = ?, birth = ? WHERE id = ? AND status = 'running'"
            self.connection.execute(sql, (owner.pid, owner.birth, id))

    def extend(self, id: str, text: str) -> None:
        """More text of a run; nothing is written when it is over."""
        with database.writing(self.connection):
            sql = "INSERT INTO pieces SELECT id, ? FROM runs WHERE id = ? AND status = 'running'"
            self.connection.execute(sql, (_json(text), id))

    def finish(self, id: str, envelope: Mapping[str, Any], reply: Sequence[Message] | None) -> None:
        """The first end of a run is its end; only one that was taken for dead (``bury``) may still bring its answer."""
        open_run = "SELECT 1 FROM runs WHERE id = ? AND (status = 'running' OR birth IS NULL)"
        with database.writing(self.connection):
            if self.connection.execute(open_run, (id,)).fetchone():
                self._end(id, envelope, reply, process.this())

    def bury(self, id: str, envelope: Mapping[str, Any]) -> None:
        """The end of a run whose process is dead. Nothing is written when it is over, or alive after all."""
        with database.writing(self.connection):
            run = self._one("WHERE id = ? AND status = 'running'", id)
            if run and not run.alive:
                self._end(id, envelope, None, None)

    def conversation(self, thread: str) -> Thread:
        sql = "SELECT turn, messages, reply FROM runs WHERE thread = ? ORDER BY turn"
        with database.reading(self.connection):
            rows = self.connection.execute(sql, (_plain(thread),)).fetchall()
            busy = self._busy(thread)
        answered = [(json.loads(messages), json.loads(reply or "[]")) for _, messages, reply in rows]
        said = tuple(message for messages, reply in answered if reply for message in (*messages, *reply))
        return Thread(thread, rows[-1][0] + 1 if rows else 0, said, busy)

    def last_thread(self, directory: str) -> tuple[str, str] | None:
        """The newest thread begun or gone on with in this directory, else anywhere; and its directory. One in which
        nothing was answered yet does not count, unless it is at work."""
        going = "SELECT 1 FROM runs WHERE thread = r.thread AND (status = 'running' OR length(reply) > length('[]'))"
        sql = f"SELECT thread, directory FROM runs AS r WHERE {{}} EXISTS ({going}) {NEWEST} LIMIT 1"
        with database.reading(self.connection):
            here = self.connection.execute(sql.format("directory = ? AND"), (_plain(directory),)).fetchone()
            return (here[0], directory) if here else self.connection.execute(sql.format("")).fetchone()

    def find(self, id: str, directory: str, *, elsewhere: bool = True) -> Kept | None:
        """``id`` may be "last": the newest of this directory, else, where ``elsewhere`` will do, of all."""
        with database.reading(self.connection):
            if id != "last":
                return self._one("WHERE id = ?", _plain(id))
            here = self._one(f"WHERE directory = ? {NEWEST}", _plain(directory))
            return self._one(NEWEST) if here is None and elsewhere else here

    def newest(self, limit: int, query: str | None = None) -> list[Run]:
        """Newest first; with ``query`` those that have it in prompt or answer, whatever the case."""
        with database.reading(self.connection):
            if query is None:
                rows = self.connection.execute(f"SELECT {SHORT} FROM runs {NEWEST} LIMIT ?", (limit,))
                return [_run(row) for row in rows]
            runs = (self._kept(row) for row in self._likely(query))
            wanted = query.casefold()
            found = (run for run in runs if any(wanted in text.casefold() for text in _texts(run)))
            return list(islice(found, limit))

    def envelopes(self, script: str) -> Iterator[dict[str, Any]]:
        """Of the finished runs of one script, newest first."""
        sql = f"SELECT envelope FROM runs WHERE script = ? AND status != 'running' {NEWEST}"
        with database.reading(self.connection):
            rows = self.connection.execute(sql, (script,)).fetchall()
        return (json.loads(envelope) for (envelope,) in rows)

    def prune(self, now: float, limit: int = KEPT_BYTES) -> None:
        """Forget what is older than ``KEPT_S``, then the oldest of what exceeds ``limit`` bytes: a little of it."""
        database.forget_damaged(self.connection, now - KEPT_S)
        with database.reading(self.connection):
            if self._next_to_go(now, limit) is None and self._pragma("freelist_count") <= SPARE_PAGES:
                return
        end = time.monotonic() + PRUNING_S
        with database.writing(self.connection):
            for _ in range(PRUNED_RUNS):
                id = self._next_to_go(now, limit)
                self.connection.execute("DELETE FROM pieces WHERE run = ?", (id,))
                self.connection.execute("DELETE FROM runs WHERE id = ?", (id,))
                if id is None or time.monotonic() > end:
                    break
            for _ in range(min(RETURNED_PAGES, self._pragma("freelist_count") - SPARE_PAGES)):
                self.connection.execute("PRAGMA incremental_vacuum(1)")  # one step of a statement frees one page
                if time.monotonic() > end:
                    break

    def _likely(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Runs that may have the query in one of their texts, newest first: those with its longest plain word anywhere
        in their JSON. SQLite's LIKE knows the case of ASCII letters only, but is ten times as fast as reading JSON."""
        word = max(PLAIN_WORD.findall(query), key=len, default="")
        columns = " OR ".join(f"{column} LIKE ?1" for column in ("messages", "reply", "envelope"))
        sql = f"SELECT {LONG} FROM runs WHERE status = 'running' OR {columns} {NEWEST}"
        return self.connection.execute(sql, (f"%{word}%",))

    def _next_to_go(self, now: float, limit: int) -> str | None:
        sql = "SELECT id, started FROM runs WHERE status != 'running' OR until < ? ORDER BY started LIMIT 1"
        oldest = self.connection.execute(sql, (now,)).fetchone()
        return oldest[0] if oldest and (oldest[1] < now - KEPT_S or self._bytes() > limit) else None

    def _bytes(self) -> int:
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        return int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _busy(self, thread: str) -> str | None:
        sql = f"SELECT {SHORT} FROM runs WHERE thread = ? AND status = 'running'"
        running = [_run(row) for row in self.connection.execute(sql, (_plain(thread),))]
        return next((run.id for run in running if run.alive), None)

    def _has_turn(self, run: NewRun) -> bool:
        sql = "SELECT 1 FROM runs WHERE thread = ? AND turn >= ?"
        return self.connection.execute(sql, (_plain(run.thread), run.turn)).fetchone() is not None

    def _end(
        self, id: str, envelope: Mapping[str, Any], reply: Sequence[Message] | None, owner: Process | None
    ) -> None:
        error = envelope.get("error")
        row = {
            **{"finished": time.time(), "status": envelope["status"], "exit_code": error["exit_code"] if error else 0},
            **{"cost_usd": envelope.get("cost_usd"), "envelope": _json(envelope)},
            **{"reply": None if reply is None else _json(reply)},
            **{"pid": owner.pid if owner else None, "birth": owner.birth if owner else None},
        }
        sql = f"UPDATE runs SET {', '.join(f'{name} = ?' for name in row)} WHERE id = ?"
        self.connection.execute(sql, (*row.values(), id))
        self.connection.execute("DELETE FROM pieces WHERE run = ?", (id,))

    def _one(self, which: str, *values: str) -> Kept | None:
        row = self.connection.execute(f"SELECT {LONG} FROM runs {which} LIMIT 1", values).fetchone()
        return self._kept(row) if row else None

    def _kept(self, row: tuple[Any, ...]) -> Kept:
        run = _run(row[:-3])
        messages, reply, envelope = (json.loads(value or "null") for value in row[-3:])
        text = envelope.get("text") or ""
        if run.status == "running":
            sql = "SELECT text FROM pieces WHERE run = ? ORDER BY rowid"
            text = "".join(json.loads(piece) for (piece,) in self.connection.execute(sql, (run.id,)))
        return Kept(**vars(run), messages=messages, reply=reply, envelope=envelope, text=text)


def _run(row: tuple[Any, ...]) -> Run:
    """Of the columns ``SHORT``."""
    known = dict(zip(SHORT.split(", "), row, strict=True))
    pid, birth = known.pop("pid"), known.pop("birth")
    run = Run(**known, process=None if birth is None else Process(pid, birth), alive=False)
    return replace(run, alive=_lives(run)) if run.status == "running" else run


def _lives(run: Run) -> bool:
    known = process.alive(run.process) if run.process else False
    return time.time() < run.until if known is None else known


def _texts(run: Kept) -> Iterator[str]:
    for message in (*run.messages, *(run.reply or ())):
        yield _content(message)
    yield run.text


def _content(message: Message) -> str:
    """The text of a message, whose content is text, parts, or nothing (tool calls)."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))


def _beginning(messages: Sequence[Message]) -> str:
    """Of what the user said, on one line."""
    said = next((_content(message) for message in messages if message.get("role") == "user"), "")
    return " ".join(said[: 10 * PROMPT_CHARACTERS].split())[:PROMPT_CHARACTERS]


def _json(value: Any) -> str:
    return _storable(json.dumps(value, ensure_ascii=False))


def _plain(value: Any) -> Any:
    return _storable(value) if isinstance(value, str) else value


def _storable(text: str) -> str:
    """Lone surrogates, which SQLite could not store, as JSON escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
