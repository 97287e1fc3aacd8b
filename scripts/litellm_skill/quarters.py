"""The folder where callers and warm workers of one user meet: sockets, locks, and what the next start must know.

``NAME.sock``: where a worker listens. ``NAME.lock``: held for a worker's whole life, and by whoever is about to start
one; it tells how far the last one has come, or why it could not serve. ``PURPOSE.read``: the variables LiteLLM reads as
it is imported, a line each. Everything goes through the folder's descriptor: it cannot be replaced under us, and no
path is too long for a socket.
"""

from __future__ import annotations

import os
import time

from litellm_skill import environment

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Iterable

STARTING, SERVING, CANNOT = "starting", "serving", "cannot"  # first words in a lock
AGAIN = 5.0  # seconds after a start before there is another one
AGAIN_AFTER_FAILURE = 600.0  # seconds
KEPT = 7 * 86400.0  # seconds


class Quarters:
    """``number`` is the folder's descriptor."""

    def __init__(self, number: int) -> None:
        self.number = number

    def address(self, name: str) -> str:
        return f"/proc/self/fd/{self.number}/{name}.sock"

    def read(self, purpose: str) -> list[str] | None:
        """The variables; None as long as no worker for this purpose has been there."""
        text = self._text(f"{purpose}.read")
        return None if text is None else text.split("\n")

    def write_read(self, purpose: str, names: Iterable[str]) -> None:
        draft = f"{purpose}.{os.getpid()}"
        with os.fdopen(self._open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w", encoding="utf-8") as file:
            file.write("\n".join(names))
        os.replace(draft, f"{purpose}.read", src_dir_fd=self.number, dst_dir_fd=self.number)

    def lock(self, name: str) -> int | None:
        """A descriptor that holds the lock, also in another process that inherits it; None when another has it."""
        import fcntl

        path = f"{name}.lock"
        while True:
            held = self._open(path, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(held)
                return None
            if self._is(path, held):
                return held
            os.close(held)  # it was swept away between the two

    def may_start(self, held: int) -> bool:
        """Not at once again, and not soon after one that could not serve. Notes the try."""
        told, age = _told(held), time.time() - os.fstat(held).st_mtime
        if told and age < (AGAIN if told.startswith((STARTING, SERVING)) else AGAIN_AFTER_FAILURE):
            return False
        tell(held, STARTING)
        return True

    def is_held(self, name: str) -> bool:
        """Whether the process that took the lock lives."""
        held = self.lock(name)
        if held is not None:
            os.close(held)
        return held is None

    def told(self, name: str) -> str:
        """``STARTING`` or ``SERVING`` with a pid, or why the last worker could not serve; "" when nothing is known."""
        return self._text(f"{name}.lock") or ""

    def remove(self, path: str) -> None:
        try:  # noqa: SIM105  contextlib costs each caller 2 ms
            os.unlink(path, dir_fd=self.number)
        except OSError:
            pass

    def sweep(self) -> None:
        """Take away what was of other code or settings, and is of no use any more."""
        old = time.time() - KEPT
        for path in os.listdir(self.number):
            name, kind = os.path.splitext(path)
            if kind not in (".lock", ".read") or os.stat(path, dir_fd=self.number).st_mtime > old:
                continue
            held = self.lock(name)
            if held is not None:
                for ending in (".sock", ".read", ".lock"):
                    self.remove(name + ending)
                os.close(held)

    def names(self) -> list[str]:
        """Of all locks."""
        return sorted(path[: -len(".lock")] for path in os.listdir(self.number) if path.endswith(".lock"))

    def held(self) -> list[str]:
        """Names of the processes that live, or are being started."""
        return [name for name in self.names() if self.is_held(name)]

    def close(self) -> None:
        os.close(self.number)

    def _text(self, path: str) -> str | None:
        try:
            with os.fdopen(self._open(path, os.O_RDONLY), encoding="utf-8") as file:
                return file.read()
        except OSError:
            return None

    def _open(self, path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self.number)

    def _is(self, path: str, number: int) -> bool:
        try:
            return os.path.samestat(os.stat(path, dir_fd=self.number), os.fstat(number))
        except OSError:
            return False


def tell(held: int, words: str) -> None:
    """In a lock that is held."""
    os.ftruncate(held, 0)
    os.pwrite(held, words.encode(), 0)


def _told(held: int) -> str:
    return os.pread(held, 1000, 0).decode(errors="replace")


def enter() -> Quarters | None:
    """None where there is no folder that only this user can enter."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folders = [os.path.join(runtime, "litellm-skill")] if os.path.isabs(runtime) else []
    folders += [os.path.join(folder, "warm") for folder in environment.folders() if environment.is_private(folder)]
    for folder in folders:
        number = _open(folder)
        if number is not None:
            return Quarters(number)
    return None


def _open(folder: str) -> int | None:
    try:
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
    except OSError:  # read-only, no such parent, or another was faster
        pass
    try:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(number)
    if found.st_uid == os.getuid() and found.st_mode & 0o077 == 0:
        return number
    os.close(number)
    return None
