"""Where a warm worker takes commands in: it accepts a connection, forks a child for it, and forgets both.

It reads nothing that a caller says, and forks only while it has a single thread: so the child begins as this process
was before the first command, and no lock is held by anybody.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time

from litellm_skill import errand, quarters, stand_in

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litellm_skill.quarters import Quarters

IDLE = 600.0  # seconds without a command, after which the worker ends
GLANCE = 30.0  # seconds between two looks at whether it is still the right one
WAITING = 1024  # connections that the system keeps
RESTS = 0.05  # seconds
MOST = 500  # children at a time; whoever comes then runs cold
CREDENTIALS = 12  # bytes: pid, uid and gid of the peer


class Reception:
    """``lock`` is held by this process; ``set_``: variables that the preparation has set."""

    def __init__(
        self, place: Quarters, name: str, lock: int, still_right: Callable[[], bool], set_: Mapping[str, str]
    ) -> None:
        self.place = place
        self.name = name
        self.lock = lock
        self.still_right = still_right
        self.set = set_
        self.children: set[int] = set()
        self.taken: list[socket.socket] = []
        self.told_to_end = False
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.waked, self.waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> str:
        """Until it is idle, told to end, or no longer the right one: ""; or why it can serve no more."""
        self._open()
        poll = select.poll()
        for end in (self.listener.fileno(), self.waked):
            poll.register(end, select.POLLIN)
        last = seen = time.monotonic()
        try:
            while not self.told_to_end and (self.children or time.monotonic() - last < IDLE):
                poll.poll(GLANCE * 1000)
                self._reap()
                if time.monotonic() - seen > GLANCE:
                    if not self._still_here() or not self.still_right():
                        return ""
                    seen = time.monotonic()
                while self._accept():
                    last = time.monotonic()
                    if threads() != 1:
                        return f"it has {threads()} threads"
                    self._send_out()
        finally:
            self.place.remove(f"{self.name}.sock")
        self.place.remove(f"{self.name}.lock")
        return ""

    def _open(self) -> None:
        self.listener.setblocking(False)
        self.place.remove(f"{self.name}.sock")
        self.listener.bind(self.place.address(self.name))
        self.listener.listen(WAITING)
        self.inode = os.stat(self.place.address(self.name)).st_ino
        signal.set_wakeup_fd(self.waker, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        quarters.tell(self.lock, f"{quarters.SERVING} {os.getpid()}")

    def _end(self, *_: object) -> None:
        self.told_to_end = True

    def _still_here(self) -> bool:
        """Whether callers still find this socket."""
        try:
            return os.stat(self.place.address(self.name)).st_ino == self.inode
        except OSError:
            return False

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.waked, 4096)
        while self.children:
            child, _ = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            self.children.discard(child)

    def _accept(self) -> bool:
        """Take all that have come, and tell them so: they wait the longer. Whether there is one to send out."""
        while len(self.taken) < MOST:
            try:
                line, _ = self.listener.accept()
            except BlockingIOError:
                break
            except OSError:  # it has left, or no descriptor is to be had
                time.sleep(RESTS)
                break
            if len(self.children) + len(self.taken) < MOST and _is_this_user(line) and _said(line, errand.ACCEPTED):
                self.taken.append(line)
            else:
                line.close()
        return bool(self.taken)

    def _send_out(self) -> None:
        """Fork a child for the first of them. Signals are held back until the child knows what to do with them."""
        line = self.taken.pop(0)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            child = os.fork()
            if child == 0:
                stand_in.live(line, self._own(), self.set)
            self.children.add(child)
        except OSError:  # no process can be made: the caller runs cold
            pass
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            line.close()

    def _own(self) -> list[int]:
        """Descriptors that no child may keep: another caller would not see that its child has ended."""
        ends = [self.lock, self.place.number, self.listener.fileno(), self.waked, self.waker]
        return [*ends, *(line.fileno() for line in self.taken)]


def threads() -> int:
    """The kernel's count, which also has those that Python did not start."""
    return len(os.listdir("/proc/self/task"))


def _is_this_user(line: socket.socket) -> bool:
    credentials = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS)
    return int.from_bytes(credentials[4:8], sys.byteorder) == os.getuid()


def _said(line: socket.socket, word: bytes) -> bool:
    try:
        line.setblocking(False)
        return line.send(word) == len(word)
    except OSError:
        return False
