"""A child of the warm worker that becomes a command: it takes over the caller's files, folder, variables and signals,
runs the script as Python would, and tells the caller its exit code. The caller's end is the child's, and its group's,
too: the kernel sees to that.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import select
import signal
import socket
import sys
import time
import types

from litellm_skill import errand, leaving, situation
from litellm_skill.errand import Errand

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import TextIOWrapper
    from types import CodeType
    from typing import Literal

HEARS = 20.0  # seconds for the errand to come
HESITATES = 120.0  # seconds for the caller to say go: it may have been stopped meanwhile
PROVES = 1.0  # seconds


def live(line: socket.socket, own: list[int], set_: Mapping[str, str]) -> None:
    """The child's whole life. Does not return; all signals are blocked. ``own``: the worker's descriptors; ``set_``:
    variables that LiteLLM set as it was imported."""
    try:
        signal.set_wakeup_fd(-1)
        for number in own:
            os.close(number)
        os.setpgid(0, 0)
        task = _hear(line)
        script = _compiled(task.script)
        if situation.confinement() != situation.confinement(str(_caller(line))):
            os._exit(1)
        line.settimeout(HESITATES)
        line.sendall(errand.READY + b"%*d" % (errand.PID, os.getpid()))
        word, files, _, _ = socket.recv_fds(line, 1, errand.FILES)
        if word == errand.GO and len(files) == errand.FILES:
            _end_with(line, signal.SIGKILL, -os.getpid())
            _become(task, files, set_)
            _run(script, task, line)
    finally:
        os._exit(1)


def ends_with_its_caller() -> bool:
    """Whether the kernel of this machine tells a process that the other end of a socket has been closed."""
    here, there = socket.socketpair()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
    try:
        _end_with(here, signal.SIGIO, os.getpid())
        there.close()
        return signal.sigtimedwait([signal.SIGIO], PROVES) is not None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        here.close()


def _end_with(line: socket.socket, number: int, owner: int) -> None:
    """From now on signal ``number`` comes to ``owner`` (a pid, or minus a group) when the other end of ``line`` is
    closed: a process that is killed cannot say so itself."""
    fcntl.fcntl(line, fcntl.F_SETSIG, number)
    fcntl.fcntl(line, fcntl.F_SETOWN, owner)
    fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(line, 0)
    if poll.poll(0):  # it was closed before that
        os._exit(1)


def _caller(line: socket.socket) -> int:
    return int.from_bytes(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)


def _hear(line: socket.socket) -> Errand:
    """Raises OSError or ValueError."""
    until = time.monotonic() + HEARS
    body = bytearray()
    while len(body) < errand.SIZE or len(body) < errand.SIZE + _size(body):
        line.settimeout(max(0.001, until - time.monotonic()))
        piece = line.recv(65536)
        if not piece:
            raise ValueError("half an errand")
        body += piece
    if len(body) != errand.SIZE + _size(body):
        raise ValueError("more than an errand")
    return errand.unpack(bytes(body[errand.SIZE :]))


def _size(body: bytearray) -> int:
    size = int.from_bytes(body[: errand.SIZE], "big")
    if size > errand.MOST:
        raise ValueError("too large")
    return size


def _compiled(path: str) -> CodeType:
    """Raises ValueError when it is none of this skill's scripts."""
    real = os.path.realpath(path)
    if os.path.dirname(real) != situation.SCRIPTS or not real.endswith(".py"):
        raise ValueError("no script of this skill")
    with open(real, "rb") as file:
        return compile(file.read(), path, "exec")


def _become(task: Errand, files: list[int], set_: Mapping[str, str]) -> None:
    os.fchdir(files[3])
    for target, source in enumerate(files[:3]):
        os.dup2(source, target)
    for source in files:
        os.close(source)
    os.umask(task.umask)
    os.environ.clear()
    os.environb.update(task.environ)
    os.environ.update(set_)
    time.tzset()
    sys.argv = task.argv
    sys.stdin, sys.stdout, sys.stderr = (_stream(number) for number in (0, 1, 2))
    # Final to a type checker; but this is the start of an interpreter.
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN if number in task.ignored else signal.SIG_DFL)
    if signal.SIGINT not in task.ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _stream(number: int) -> TextIOWrapper:
    """As the interpreter makes them. The locale is the worker's, for it is in its name."""
    own = (sys.stdin, sys.stdout, sys.stderr)[number]
    mode: Literal["w", "r"] = "w" if number else "r"
    stream = open(number, mode, encoding=own.encoding, errors=own.errors, newline="\n", closefd=False)  # noqa: SIM115
    stream.reconfigure(line_buffering=number == 2 or stream.isatty())
    return stream


def _run(script: CodeType, task: Errand, line: socket.socket) -> None:
    """Does not return."""
    main = types.ModuleType("__main__")
    main.__file__ = script.co_filename
    sys.modules["__main__"] = main
    leaving.end = functools.partial(_say, line, os.getpid())

    def whole() -> int:
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, task.blocked)
            exec(script, main.__dict__)
            return 0
        except SystemExit:
            raise
        except BaseException as error:
            trace = error.__traceback__ and error.__traceback__.tb_next  # without this frame
            sys.excepthook(type(error), error.with_traceback(trace), trace)
            if isinstance(error, KeyboardInterrupt):  # the interpreter ends by the signal, too
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGINT)
            return 1

    leaving.leave(whole)


def _say(line: socket.socket, pid: int, code: int) -> None:
    """To the caller, unless this is a process that the command has forked."""
    if os.getpid() == pid:
        with contextlib.suppress(OSError):  # it has just gone
            line.sendall(errand.DONE + bytes([code & 0xFF]))
    os._exit(code)
