"""One private SQLite file for all processes of a user: made, opened by many at once, set aside when it is damaged.

WAL with ``synchronous=NORMAL``: what was committed outlives a killed process; a power cut may take the last commits,
but leaves the file whole. A connection must not cross a fork.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from litellm_skill.faults import NotSetUp
from litellm_skill.settings import private_directory, state_directory

if TYPE_CHECKING:
    import sqlite3

NAME = "history.db"
DAMAGED = ".corrupt-"
WAIT_S = 10.0
ATTEMPTS = 5
WAL_BYTES = 8_000_000
OFF = "LITELLM_SKILL_HISTORY=off does without"

# Script n takes the schema from version n to n + 1 (``PRAGMA user_version``). Times are Unix times in seconds.
MIGRATIONS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, started REAL NOT NULL, finished REAL,
        status TEXT NOT NULL,  -- running, ok, partial, error
        exit_code INTEGER, script TEXT NOT NULL, directory TEXT NOT NULL, model TEXT, thread TEXT, turn INTEGER,
        prompt TEXT NOT NULL,  -- its beginning: listing reads none of the long columns at the end
        cost_usd REAL,
        pid INTEGER, birth TEXT,  -- the process that works on it; NULL once it was found dead
        until REAL NOT NULL,  -- after this it is over, whatever can be known of the process
        messages TEXT NOT NULL,  -- JSON: this turn's new messages, as sent
        reply TEXT,  -- JSON: the messages that answered; NULL or [] when none did
        envelope TEXT NOT NULL  -- JSON
    );
    CREATE INDEX runs_started ON runs (started);
    CREATE INDEX runs_directory ON runs (directory, started);
    CREATE UNIQUE INDEX runs_thread ON runs (thread, turn);
    CREATE TABLE pieces (
        run TEXT NOT NULL, text TEXT NOT NULL  -- what has come for a running run, in order of rowid; JSON strings
    );
    CREATE INDEX pieces_run ON pieces (run);
    CREATE TABLE spend_day (day TEXT PRIMARY KEY, usd REAL NOT NULL);
    CREATE TABLE reservations (
        id TEXT PRIMARY KEY, usd REAL NOT NULL, made REAL NOT NULL, until REAL NOT NULL,
        pid INTEGER NOT NULL, birth TEXT NOT NULL
    );
    CREATE TABLE slots (id INTEGER PRIMARY KEY, model TEXT NOT NULL, at REAL NOT NULL, tokens INTEGER NOT NULL);
    CREATE INDEX slots_model ON slots (model, at)
    """,
)
# Reads the end of every table and index: cheap, and finds most of what can happen to a file.
PROBE = """SELECT (SELECT max(rowid) FROM runs), (SELECT max(id) FROM runs), (SELECT max(started) FROM runs),
    (SELECT max(directory) FROM runs), (SELECT max(thread) FROM runs), (SELECT max(rowid) FROM pieces),
    (SELECT max(run) FROM pieces), (SELECT max(day) FROM spend_day), (SELECT max(rowid) FROM reservations),
    (SELECT max(id) FROM slots), (SELECT max(model) FROM slots)"""

# Primary result codes (sqlite.org/rescode.html) that are the machine's doing, not ours: what happened, what to do.
BUSY, LOCKED, PROTOCOL, CORRUPT, NOTADB = 5, 6, 15, 11, 26
CIRCUMSTANCES = {
    **dict.fromkeys((BUSY, LOCKED, PROTOCOL), ("is locked by another process for too long", "end that process")),
    **dict.fromkeys((CORRUPT, NOTADB), ("is damaged", "move it away")),
    # PERM, READONLY, CANTOPEN
    **dict.fromkeys((3, 8, 14), ("cannot be written", "check its permissions, and that the disk is not read-only")),
    10: ("cannot be read or written: the disk fails", "check the disk"),  # IOERR
    13: ("cannot grow: the disk is full", "free some space"),  # FULL
    22: ("is too large for this disk", "remove it"),  # NOLFS
}
T = TypeVar("T")


def file(environ: Mapping[str, str]) -> Path:
    return Path(os.path.abspath(state_directory(environ))) / NAME


def connect(environ: Mapping[str, str], note: Callable[[str], None] = lambda _: None) -> sqlite3.Connection:
    """The user's database, of today's schema, in autocommit mode (see ``writing``); the caller closes it.

    ``note`` is told, in one line, of a damaged file that was set aside. Raises NotSetUp when there can be none: the
    directory or file is not private, a link or foreign, the disk read-only or full, the file newer than this code.
    """
    try:
        import sqlite3
    except ImportError as error:
        raise NotSetUp("no history: this Python was built without sqlite3", f"use another Python; {OFF}") from error
    path = file(environ)
    try:
        for _ in range(ATTEMPTS):  # each but the last meets another process that sets the file aside
            if connection := _attempt(path, note):
                return connection
    except sqlite3.Error as error:
        raise unavailable(error, path) from error
    except OSError as error:
        raise _unusable(error) from error
    raise NotSetUp(f"no history: {path} cannot be opened", OFF)


@contextlib.contextmanager
def writing(connection: sqlite3.Connection, wait: float = WAIT_S) -> Iterator[None]:
    """One transaction that sees and makes a state no other process touches meanwhile (BEGIN IMMEDIATE).

    ``wait``: seconds that it may be kept out. Raises NotSetUp as ``reading`` does; nothing is changed then.
    """
    with _told(connection):
        _patiently(lambda: connection.execute("BEGIN IMMEDIATE"), wait)
        try:
            yield
            _patiently(lambda: connection.execute("COMMIT"), wait)
        except BaseException:
            if connection.in_transaction:  # after some errors SQLite has rolled back itself
                connection.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """One state of the file, whatever others write meanwhile.

    Raises NotSetUp for what disk or other processes did (a full disk in the middle, say); a bug stays what it is.
    """
    with _told(connection):
        _patiently(lambda: connection.execute("BEGIN"))
        try:
            yield
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def unavailable(error: sqlite3.Error, path: Path) -> NotSetUp:
    """What SQLite says of the file, as one line of what and one of what next."""
    what, hint = CIRCUMSTANCES.get(_code(error), (f"is of no use: {error}", "move it away"))
    return NotSetUp(f"no history: {path} {what}", f"{hint}; {OFF}")


def forget_damaged(connection: sqlite3.Connection, before: float) -> None:
    """Remove what was set aside and not written since ``before`` (Unix time). Raises NotSetUp when it cannot be."""
    try:
        for entry in os.scandir(_path(connection).parent):
            with contextlib.suppress(FileNotFoundError):  # another process does the same
                if entry.name.startswith(NAME + DAMAGED) and entry.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(entry.path)
    except OSError as error:
        raise _unusable(error) from error


def _path(connection: sqlite3.Connection) -> Path:
    return Path(connection.execute("PRAGMA database_list").fetchone()[2])


@contextlib.contextmanager
def _told(connection: sqlite3.Connection) -> Iterator[None]:
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        if _code(error) not in CIRCUMSTANCES:
            raise
        raise _in_the_middle(error, _path(connection)) from error


def _unusable(error: Exception) -> NotSetUp:
    what = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
    return NotSetUp(f"no history: {what}", f"$XDG_STATE_HOME names another place; {OFF}")


def _in_the_middle(error: sqlite3.Error, path: Path) -> NotSetUp:
    """A damaged file is set aside, so that the next command begins a new one."""
    import sqlite3

    told: list[str] = []
    if _code(error) in (CORRUPT, NOTADB):
        try:
            _set_aside(path, told.append)
        except (OSError, sqlite3.Error) as hindrance:
            return _unusable(hindrance)
    return NotSetUp(f"no history: {told[0]}", OFF) if told else unavailable(error, path)


def _attempt(path: Path, note: Callable[[str], None]) -> sqlite3.Connection | None:
    """None when the file was set aside, by us or another process. Raises sqlite3.Error and OSError."""
    import sqlite3

    identity = _private_file(path)
    if identity is None:
        return None
    try:
        return _open(path, identity)
    except sqlite3.Error as error:
        if _identity(path) == identity:  # else this failed because the file was moved away
            if _code(error) not in (CORRUPT, NOTADB):
                raise
            _set_aside(path, note)
    return None


def _private_file(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file, made 0600 when there is none. Raises OSError for one that is not private."""
    private_directory(path.parent)
    if not os.path.lexists(path):
        _make(path)
    for name in (path, *_companions(path)):
        with contextlib.suppress(FileNotFoundError):
            _check(name)
    return _identity(path)


def _make(path: Path) -> None:
    """The file has its name only when it is whole: nobody meets it half made, or with the WAL of one that is gone."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with _alone(path):
        if os.path.lexists(path):
            return
        new = path.with_name(f"{NAME}.new")
        for name in (*_companions(path), new, *_companions(new)):  # left by one that was killed here
            name.unlink(missing_ok=True)
        os.close(os.open(new, flags, 0o600))
        with contextlib.closing(_raw(new)) as connection:
            _migrate(connection)
        os.rename(new, path)


def _check(path: Path) -> None:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise PermissionError(f"{path} is not a regular file")
    if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        raise PermissionError(f"{path} belongs to another user, or others can write it")


def _companions(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in ("-wal", "-shm", "-journal")]


def _identity(path: Path) -> tuple[int, int] | None:
    """None when there is no such file (any more)."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _open(path: Path, identity: tuple[int, int]) -> sqlite3.Connection | None:
    """None when the file was moved away meanwhile.

    SQLite finds the WAL by name at the first read. So a first read, and then a look whether the name still means the
    file that was opened: else the WAL may be that of its successor, and writing would damage it.
    """
    connection = _raw(path)
    try:
        version = _patiently(lambda: _version(connection))
        if _identity(path) != identity:
            connection.close()
            return None
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
        if version < len(MIGRATIONS):
            _migrate(connection)
        elif version > len(MIGRATIONS):
            what = f"no history: {path} was written by a newer version of this skill"
            raise NotSetUp(what, f"update this one; {OFF}")
        _patiently(lambda: connection.execute(PROBE).fetchone())
    except BaseException:
        connection.close()
        raise
    return connection


def _raw(path: Path) -> sqlite3.Connection:
    """Never makes a file: SQLite would give it the mode that the umask leaves."""
    import sqlite3

    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=WAIT_S, isolation_level=None)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection) -> None:
    """auto_vacuum can only be chosen while the file is empty; it and the change to WAL cannot be in a transaction."""
    if _version(connection) == 0:
        _patiently(lambda: connection.execute("PRAGMA auto_vacuum=INCREMENTAL"))
        _patiently(lambda: connection.execute("PRAGMA journal_mode=WAL").fetchall())
    with writing(connection):
        for version, script in enumerate(MIGRATIONS[_version(connection) :], _version(connection) + 1):
            for statement in script.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={version}")


def _patiently(act: Callable[[], T], wait: float = WAIT_S) -> T:
    """Some changes (to WAL, recovery after a crash) report a lock at once, whatever the busy timeout says."""
    import sqlite3

    end = time.monotonic() + wait
    while True:
        try:
            return act()
        except sqlite3.OperationalError as error:
            if _code(error) not in (BUSY, LOCKED) or time.monotonic() > end:
                raise
        time.sleep(0.01)


def _code(error: BaseException) -> int:
    """The primary result code; 0 for an exception of the Python module alone."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _set_aside(path: Path, note: Callable[[str], None]) -> None:
    """Rename a damaged file. Nothing is done when it is sound: then another process has already begun a new one.

    Raises OSError when that cannot be done.
    """
    with _alone(path):
        if not path.exists() or _sound(path):
            return
        moment = time.time()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(moment))
        kept = f"{NAME}{DAMAGED}{stamp}.{int(moment % 1 * 1e6):06}Z"
        for name in (path, *_companions(path)):  # the file first: nobody may find it without its WAL
            with contextlib.suppress(FileNotFoundError):
                os.rename(name, path.with_name(name.name.replace(NAME, kept, 1)))
    note(f"{path} was damaged: it is now {kept}, and a new one begins")


def _sound(path: Path) -> bool:
    import sqlite3

    with contextlib.closing(_raw(path)) as connection:
        try:
            verdict: str = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            return verdict == "ok"
        except sqlite3.DatabaseError as error:
            if _code(error) in (CORRUPT, NOTADB):
                return False
            raise


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Making the file and setting it aside exclude each other, so that no new file meets the WAL of an old one.

    Raises OSError. On Windows a file in use cannot be renamed anyway.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    descriptor = os.open(path.with_name(f"{NAME}.lock"), flags, 0o600)
    try:
        end = time.monotonic() + WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)
