"""The file: private or refused, made by many at once, set aside when it is damaged, errors told in one line."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from litellm_skill import database, settings
from litellm_skill.faults import NotSetUp

SCRIPTS = str(Path(database.__file__).parents[1])
MANY = 8
PAGE = 4096
# argv: scripts. Waits for a line, then opens the file and writes ten times; says what it was told.
WRITER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from litellm_skill import database
print("ready", flush=True)
sys.stdin.readline()
connection = database.connect(os.environ, lambda line: print("note:", line))
for number in range(10):
    with database.writing(connection):
        connection.execute("INSERT INTO slots (model, at, tokens) VALUES (?, ?, 1)", (str(os.getpid()), number))
connection.close()
"""


@pytest.fixture
def path() -> Path:
    return database.file(os.environ)


def connect(notes: list[str] | None = None) -> closing[sqlite3.Connection]:
    return closing(database.connect(os.environ, (notes if notes is not None else []).append))


def slots(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT count(*) FROM slots").fetchone()[0]


def add_slot(connection: sqlite3.Connection, model: str = "openai/test-model") -> None:
    with database.writing(connection):
        connection.execute("INSERT INTO slots (model, at, tokens) VALUES (?, 1, 1)", (model,))


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_all_is_private_whatever_the_umask(mask: int, path: Path) -> None:
    with umask(mask), connect() as connection:
        add_slot(connection)
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {"history.db", "history.db-wal", "history.db-shm"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_new_file_is_set_up() -> None:
    with connect() as connection:
        expected = {"user_version": len(database.MIGRATIONS), "auto_vacuum": 2, "journal_mode": "wal", "synchronous": 1}
        assert {name: pragma(connection, name) for name in expected} == expected


def test_an_empty_file_is_set_up(path: Path) -> None:
    settings.private_directory(path.parent)
    path.touch(mode=0o600)
    notes: list[str] = []
    with connect(notes) as connection:
        add_slot(connection)
    assert notes == []


def test_what_was_left_by_a_killed_process_is_no_part_of_a_new_file(path: Path) -> None:
    with connect() as connection:
        add_slot(connection)
        wal = path.with_name("history.db-wal").read_bytes()
    path.unlink()
    for name in ("history.db-wal", "history.db.new", "history.db.new-journal"):
        path.with_name(name).write_bytes(wal)
    with connect() as connection:
        assert slots(connection) == 0
        assert pragma(connection, "integrity_check") == "ok"
    assert {entry.name for entry in path.parent.iterdir()} == {"history.db", "history.db.lock"}


def linked(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    target = path.parent.parent / "target"
    target.touch()
    path.symlink_to(target)


def dangling(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.symlink_to(path.parent.parent / "target")


def linked_wal(path: Path) -> None:
    connect().thing.close()
    path.with_name("history.db-wal").symlink_to(path)


def fifo(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path, 0o600)


def folder(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.mkdir()


def writable(path: Path) -> None:
    connect().thing.close()
    path.chmod(0o620)


def writable_directory(path: Path) -> None:
    connect().thing.close()
    path.parent.chmod(0o770)


def linked_directory(path: Path) -> None:
    connect().thing.close()
    path.parent.rename(path.parent.parent / "elsewhere")
    path.parent.symlink_to(path.parent.parent / "elsewhere")


def foreign(path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    connect().thing.close()
    os.chown(path, 12345, 12345)


def read_only(path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write anywhere")
    path.parent.parent.chmod(0o500)


def newer(path: Path) -> None:
    with connect() as connection:
        connection.execute("PRAGMA user_version=99")


@pytest.mark.skipif(os.name != "posix", reason="modes, links and owners")
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (linked, "history.db is not a regular file"),
        (dangling, "history.db is not a regular file"),
        (linked_wal, "history.db-wal is not a regular file"),
        (fifo, "history.db is not a regular file"),
        (folder, "history.db is not a regular file"),
        (writable, "history.db belongs to another user, or others can write it"),
        (foreign, "history.db belongs to another user, or others can write it"),
        (writable_directory, "litellm-skill is not a private directory"),
        (linked_directory, "litellm-skill is not a private directory"),
        (read_only, "Permission denied"),
        (newer, "history.db was written by a newer version of this skill"),
    ],
)
def test_a_file_that_is_not_ours_alone_is_refused_and_left_alone(
    spoil: Callable[[Path], None], reason: str, path: Path
) -> None:
    spoil(path)
    before = tree(path)
    with pytest.raises(NotSetUp) as raised:
        connect()
    assert raised.value.message.startswith("no history: ")
    assert reason in raised.value.message
    assert "\n" not in raised.value.message + raised.value.hint
    assert tree(path) == before


def tree(path: Path) -> dict[str, tuple[int, int]]:
    places = [path.parent, *path.parent.glob("*")]
    return {str(place): (place.lstat().st_mode, place.lstat().st_size) for place in places if os.path.lexists(place)}


def test_a_place_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", f"{os.devnull}/state")
    with pytest.raises(NotSetUp, match="^no history: .*Not a directory"):
        connect()


def noise(content: bytes) -> bytes:
    return b"\x07" * len(content)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def overwritten(content: bytes) -> bytes:
    return content[:PAGE] + b"\x07" * (len(content) - PAGE)


@pytest.mark.parametrize("damage", [noise, cut, overwritten])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(damage: Callable[[bytes], bytes], path: Path) -> None:
    with connect() as connection:
        add_slot(connection)
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    notes: list[str] = []
    with connect(notes) as connection:
        assert slots(connection) == 0
        add_slot(connection)
    (note,) = notes
    kept = re.fullmatch(r".*history\.db was damaged: it is now (history\.db\.corrupt-\d{8}T\d{6}\.\d{6}Z), .*", note)
    assert kept
    assert path.with_name(kept[1]).read_bytes() == damaged
    with connect(notes) as connection:
        assert slots(connection) == 1
    assert len(notes) == 1


def test_damage_that_is_met_in_the_middle(path: Path) -> None:
    """One leaf of an index: nothing that opening the file would see."""
    with connect() as connection, database.writing(connection):
        rows = [(f"model-{number:05}",) for number in range(2000)]
        connection.executemany("INSERT INTO slots (model, at, tokens) VALUES (?, 1, 7777777)", rows)
    pages = [path.read_bytes()[at : at + PAGE] for at in range(0, path.stat().st_size, PAGE)]
    (leaf,) = (page for page in pages if b"model-00010" in page and page[0] == 10)
    path.write_bytes(b"".join(b"\x07" * PAGE if page == leaf else page for page in pages))
    meet = "DELETE FROM slots WHERE model = 'model-00010'"
    notes: list[str] = []
    with connect(notes) as first, connect(notes) as second:
        told = r"^no history: .*history\.db was damaged: it is now history\.db\.corrupt-"
        with pytest.raises(NotSetUp, match=told), database.writing(first):
            first.execute(meet)
        with connect(notes) as successor:
            add_slot(successor)
        with pytest.raises(NotSetUp, match=r"^no history: .*history\.db is damaged$"), database.writing(second):
            second.execute(meet)
    with connect(notes) as connection:
        assert slots(connection) == 1, "the new file is not what was damaged"
    assert notes == []


def test_what_was_set_aside_is_forgotten_in_time(path: Path) -> None:
    with connect() as connection:
        for name, written in (("old", 1000), ("old-wal", 1000), ("new", 3000)):
            path.with_name(f"history.db.corrupt-{name}").touch()
            os.utime(path.with_name(f"history.db.corrupt-{name}"), (written, written))
        database.forget_damaged(connection, 2000)
    assert [entry.name for entry in path.parent.glob("*.corrupt-*")] == ["history.db.corrupt-new"]


@pytest.mark.parametrize("damaged", [False, True])
def test_many_at_once(damaged: bool, path: Path) -> None:
    """All meet no file, or a damaged one, at the same moment."""
    if damaged:
        settings.private_directory(path.parent)
        path.touch(mode=0o600)
        path.write_bytes(b"\x07" * 10 * PAGE)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, SCRIPTS], **pipes) for _ in range(MANY)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = "".join(writer.communicate()[0] for writer in writers)
    assert [writer.returncode for writer in writers] == [0] * MANY
    assert said.count("\n") == said.count("note: ") == (1 if damaged else 0)
    with connect() as connection:
        assert slots(connection) == 10 * MANY
        assert pragma(connection, "integrity_check") == "ok"
    assert len(list(path.parent.glob("*.corrupt-*"))) == (1 if damaged else 0)


def test_a_transaction_is_all_or_nothing() -> None:
    with connect() as connection:
        with pytest.raises(KeyboardInterrupt), database.writing(connection):  # noqa: PT012  the block is what is tested
            connection.execute("INSERT INTO spend_day VALUES ('2026-11-20', 1)")
            raise KeyboardInterrupt
        assert connection.execute("SELECT * FROM spend_day").fetchall() == []
        add_slot(connection)


def test_reading_sees_one_state() -> None:
    with connect() as reader, connect() as writer:
        with database.reading(reader):
            assert slots(reader) == 0
            add_slot(writer)
            assert slots(reader) == 0
        assert slots(reader) == 1


def test_a_bug_stays_a_bug() -> None:
    with connect() as connection, pytest.raises(sqlite3.OperationalError), database.reading(connection):
        connection.execute("SELECT * FROM nothing")


def test_a_full_disk_is_told(path: Path) -> None:
    """SQLite's own limit stands for the disk's: the error is the same."""
    with connect() as connection:
        connection.execute(f"PRAGMA max_page_count={pragma(connection, 'page_count')}")
        with pytest.raises(NotSetUp) as raised:
            add_slot(connection, "x" * 100_000)
        assert raised.value.message == f"no history: {path} cannot grow: the disk is full"
        assert raised.value.hint == "free some space; LITELLM_SKILL_HISTORY=off does without"
        assert slots(connection) == 0


def test_a_lock_that_is_not_let_go_is_told(path: Path) -> None:
    with connect() as holder, connect() as connection:
        connection.execute("PRAGMA busy_timeout=1")
        told = f"^no history: {re.escape(str(path))} is locked by another process for too long$"
        with database.writing(holder), pytest.raises(NotSetUp, match=told), database.writing(connection, wait=0.05):
            pass
        add_slot(connection)
