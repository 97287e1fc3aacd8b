"""Outliving the host: the work is done by a worker in a session of its own, and the process that the host sees, and may
kill, only relays what it prints.

Hosts end a command after a while (OpenCode at 120 s) or move it out of sight (Claude Code), some by killing its process
group, or its children and theirs. The worker is forked before LiteLLM is imported, is nobody's child, and has a session
of its own and none of the host's pipes: so it survives that, and no host waits for it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
STARTED, KILLED = b"s", -1
PIECE = 4096  # bytes; a pipe that select calls writable takes so many at once (PIPE_BUF on Linux, a multiple elsewhere)
FULL = 65_536  # bytes that wait for a reader; while there are more, the worker is not read from
LAST = 0.2  # seconds to read what a worker that has ended left; what it started itself may hold its pipes open


@dataclass(frozen=True)
class Relayed:
    """How it went: the worker's ``exit_code`` (``KILLED``: it did not live to say one), or None while it works on;
    ``signal``: what made this process leave, if one did."""

    exit_code: int | None
    signal: int | None = None


@dataclass
class _Stream:
    """What the worker writes at one end and this process at the other."""

    source: int
    target: int
    waiting: bytearray = field(default_factory=bytearray)
    open: bool = True
    begun: bool = False
    broken: bool = False

    def read(self) -> None:
        piece = os.read(self.source, FULL)
        self.open = bool(piece)
        self.begun |= bool(piece)
        if not self.broken:
            self.waiting += piece

    def write(self) -> None:
        """A reader that has gone, or a full disk, does not end the work."""
        try:
            del self.waiting[: os.write(self.target, self.waiting[:PIECE])]
        except BlockingIOError:  # another process was faster to fill it
            return
        except OSError:
            self.broken = True
            self.waiting.clear()


def possible() -> bool:
    """Only a process with one thread can be forked safely."""
    return hasattr(os, "fork") and threading.active_count() == 1


def relay(start: Callable[[], None], work: Callable[[], int], patience: float) -> Relayed:
    """Let a worker ``start`` (this process waits until it has) and do the ``work``, whose result is its exit code; copy
    what it prints for at most ``patience`` seconds. Raises OSError when there can be no worker."""
    with contextlib.ExitStack() as ends:
        readers, writers = _pipes(ends, 2)
        with _woken_by_signals() as woken:
            try:
                status = _fork(start, work, writers)
            finally:
                for writer in writers:
                    os.close(writer)
            ends.callback(os.close, status)
            streams = [_Stream(*pair) for pair in zip(readers, (1, 2), strict=True)]
            return _copy(status, streams, woken, time.monotonic() + patience)


def background(start: Callable[[], None], work: Callable[[], int]) -> None:
    """The same without waiting for the work; what it prints is lost."""
    with contextlib.ExitStack() as ends:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        ends.callback(os.close, nowhere)
        ends.callback(os.close, _fork(start, work, [nowhere, nowhere]))


def _pipes(ends: contextlib.ExitStack, count: int) -> tuple[list[int], list[int]]:
    """Reading ends, which are closed in the end, and writing ends."""
    pairs = [os.pipe() for _ in range(count)]
    for reader, _ in pairs:
        ends.callback(os.close, reader)
    return [reader for reader, _ in pairs], [writer for _, writer in pairs]


@contextlib.contextmanager
def _woken_by_signals() -> Iterator[int]:
    """A descriptor from which the number of each signal can be read; nothing else happens when one comes."""
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)
    before = {number: signal.signal(number, lambda *_: None) for number in _numbers()}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _numbers() -> list[int]:
    return [getattr(signal, name) for name in SIGNALS]


def _fork(start: Callable[[], None], work: Callable[[], int], writers: list[int]) -> int:
    """The end of a pipe into which the worker says its exit code; it is closed without one when the worker is killed.
    Raises OSError when there is no worker, or it ended before it had started.
    A signal to this process's group must not reach the worker: signals are held back until it has left that group, and
    what came before is forgotten there."""
    sys.stdout.flush()
    sys.stderr.flush()
    status, told = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _numbers())
    try:
        _beget(start, work, writers, told, before)
        if os.read(status, 1) != STARTED:
            raise ChildProcessError("the worker ended before it had started")
        return status
    except OSError:
        os.close(status)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _beget(
    start: Callable[[], None], work: Callable[[], int], writers: list[int], told: int, mask: Iterable[int]
) -> None:
    """Make the worker, whose end of the pipe is closed here."""
    try:
        child = os.fork()
        if child == 0:
            _leave_the_family(start, work, writers, told, mask)
    finally:
        os.close(told)
    with contextlib.suppress(ChildProcessError):  # where SIGCHLD is ignored nobody needs to wait
        os.waitpid(child, 0)


def _leave_the_family(
    start: Callable[[], None], work: Callable[[], int], writers: list[int], told: int, mask: Iterable[int]
) -> None:
    """Does not return, in either process: the child ends at once, and its own child is the worker."""
    try:
        os.setsid()
        if os.fork() == 0:
            _live(start, work, writers, told, mask)
    finally:
        os._exit(1)


def _live(
    start: Callable[[], None], work: Callable[[], int], writers: list[int], told: int, mask: Iterable[int]
) -> None:
    """The worker's whole life."""
    code = 1
    try:
        _forget_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for target, source in enumerate((os.open(os.devnull, os.O_RDONLY), *writers)):
            os.dup2(source, target)
        _close_all_but(told)
        start()
        _say(told, STARTED)
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        _say(told, bytes([code]))
        os._exit(code)


def _say(told: int, word: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody may be listening any more
        os.write(told, word)


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in _numbers():
        signal.signal(number, signal.SIG_IGN)
        signal.signal(number, signal.default_int_handler)


def _close_all_but(kept: int) -> None:
    """Whoever started the command may wait for the end of any pipe that it gave to it."""
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        numbers = list(range(3, 256))
    for number in numbers:
        if number > 2 and number != kept:
            with contextlib.suppress(OSError):
                os.close(number)


def _copy(status: int, streams: list[_Stream], woken: int, deadline: float) -> Relayed:
    """Until the worker has ended and all is written, the time is up, or a signal says to leave. What has begun to
    be printed is printed to its end: half a document is of no use."""
    output, code, last = streams[0], None, deadline
    while True:
        left = last - time.monotonic()
        waiting = any(stream.waiting for stream in streams)
        if code is not None and not waiting and (left <= 0 or not any(stream.open for stream in streams)):
            return Relayed(code)
        if time.monotonic() >= deadline and not output.begun:
            return Relayed(code)
        ready = _pass_on(streams, [woken, *([status] if code is None else [])], max(left, LAST))
        if woken in ready:
            return Relayed(None, min(os.read(woken, 64)))
        if status in ready and code is None:
            told = os.read(status, 1)
            code = told[0] if told else KILLED
            last = min(deadline, time.monotonic() + LAST)


def _pass_on(streams: list[_Stream], others: list[int], patience: float) -> set[int]:
    """Wait for something to do, and do it; the descriptors that were ready."""
    readable = [stream.source for stream in streams if stream.open and len(stream.waiting) < FULL]
    writable = [stream.target for stream in streams if stream.waiting]
    ready = _ready([*others, *readable], writable, patience)
    for stream in streams:
        if stream.source in ready:
            stream.read()
        if stream.target in ready:
            stream.write()
    return ready


def _ready(readable: list[int], writable: list[int], patience: float) -> set[int]:
    """Not by ``select.select``, which knows no descriptor above 1023: a host may have left that many open."""
    poll = select.poll()
    for number in readable:
        poll.register(number, select.POLLIN)
    for number in writable:
        poll.register(number, select.POLLOUT)
    return {number for number, _ in poll.poll(patience * 1000)}
