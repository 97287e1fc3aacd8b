"""Building an environment: beside its place, by one process at a time, then renamed into it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time

from litellm_skill import environment, installer
from litellm_skill.environment import SetupFailed

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

WAIT_SECONDS = 600  # for another process that installs; a host kills a command long before
_UNFINISHED = ".unfinished-"


def build(lock_file: str) -> str:
    """The Python of an environment for ``lock_file``, built by this process or by another at the same time.

    Says what it does in a line on stderr. Raises SetupFailed.
    """
    lock = environment.read(lock_file)
    name = environment.name_for(lock)
    with _interruptible():
        path = os.path.join(_writable_folder(name), name)
        try:
            with open(f"{path}.lock", "a") as file:
                alone = _wait_for_turn(file)
                if not environment.is_whole(path, lock):
                    _build(path, lock_file, lock, alone)
        except OSError as error:
            what = f"cannot install into {path}: {error}"
            raise SetupFailed(what, "make room there, or set XDG_CACHE_HOME to another folder") from None
    return environment.python_in(path)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """A signal ends an installation as a failure does: the installer is stopped, what it wrote is removed."""

    def stop(number: int, frame: object) -> None:
        raise SetupFailed("interrupted while installing", "run the command again", exit_code=130)

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _writable_folder(name: str) -> str:
    reasons = []
    for folder in environment.folders():
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            if not environment.is_private(folder):
                raise PermissionError(None, "not a folder of this user alone")
            with open(os.path.join(folder, f"{name}.lock"), "a"):  # os.access knows nothing of sandboxes
                return folder
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror}")
    what = f"no folder to install into ({'; '.join(reasons)})"
    next_step = "set XDG_CACHE_HOME to a folder that only you can write to"
    raise SetupFailed(what, installer.OUTSIDE if installer.in_codex_sandbox() else next_step)


def _wait_for_turn(file: IO[str]) -> bool:
    """Whether this process alone may build; the kernel takes the turn back when its holder dies.

    False where there are no such locks (Windows, some network file systems): there the first to rename wins.
    """
    try:
        import fcntl
    except ImportError:
        return False
    deadline = time.monotonic() + WAIT_SECONDS
    waiting = False
    while time.monotonic() < deadline:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if not waiting:
                environment.say("another first run is installing, waiting for it")
                waiting = True
            time.sleep(0.2)
        except OSError:
            return False
    what = f"another process has been installing for {WAIT_SECONDS} s"
    raise SetupFailed(what, "end that one, then run the command again")


def _build(path: str, lock_file: str, lock: str, alone: bool) -> None:
    folder, name = os.path.split(path)
    if alone:  # else another process may be at work in one of these
        for entry in os.listdir(folder):
            if entry.startswith(name + _UNFINISHED):
                shutil.rmtree(os.path.join(folder, entry), ignore_errors=True)
    beside = tempfile.mkdtemp(prefix=name + _UNFINISHED, dir=folder)
    try:
        packages = installer.install(lock_file, beside, path)
        with open(os.path.join(beside, environment.MARK), "w", encoding="utf-8") as file:
            file.write(packages)
        _put_in_place(beside, path, lock)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put_in_place(beside: str, path: str, lock: str) -> None:
    """Unless another process was first; a broken environment makes room."""
    try:
        os.rename(beside, path)
    except OSError:
        if not environment.is_whole(path, lock):
            shutil.rmtree(path)
            os.rename(beside, path)
