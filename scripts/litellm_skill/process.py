"""Which process, and whether it still lives: safe against a pid that was given again, here or elsewhere.

A home may be shared by containers and machines, so a pid alone says nothing: ``birth`` is where the process lives
(boot id and pid namespace; the host's name and the root folder where there is no /proc) and when it began.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PS_TIMEOUT_S = 5.0
GONE = ("Z", "X")  # states in which nothing runs any more: a zombie is only waited for


@dataclass(frozen=True)
class Process:
    """``birth``: ``PLACE START``. START is empty where it cannot be known; on Windows both are."""

    pid: int
    birth: str


def this(proc: Path = PROC) -> Process:
    """This process. To be asked again after a fork."""
    start = _look(os.getpid(), proc)[1] if os.name == "posix" else ""
    return Process(os.getpid(), f"{_place(proc)} {start}")


def alive(process: Process, proc: Path = PROC) -> bool | None:
    """None when it cannot be told from here: another boot, machine or pid namespace, or Windows.

    Where no start time can be had (neither /proc nor ps), a later process with the same pid counts as this one.
    """
    place, _, start = process.birth.partition(" ")
    if os.name != "posix" or place != _place(proc):  # on Windows, os.kill(pid, 0) would be Ctrl-C
        return None
    state, started = _look(process.pid, proc)
    if state.startswith(GONE) or (start and started and start != started):
        return False
    return True if state else _exists(process.pid)


def _exists(pid: int) -> bool | None:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's, or a sandbox forbids asking
        return None
    return True


def _place(proc: Path) -> str:
    """No white space in it. Another one may still be the same machine: it was started again, or has a new name."""
    if os.name != "posix":
        return ""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = "".join(os.uname().nodename.split())
    try:
        return f"{boot}/{os.readlink(proc / 'self/ns/pid')}"
    except OSError:  # containers may share a host's name, but not its root
        root = os.stat("/")
        return f"{boot}/{root.st_dev}:{root.st_ino}"


def _look(pid: int, proc: Path) -> tuple[str, str]:
    """State and start of a process; empty where they cannot be had."""
    try:
        own = os.readlink(proc / "self")
    except OSError:
        return _ask_ps(pid)
    if own != str(os.getpid()):  # the /proc of another pid namespace
        return "", ""
    try:
        return _parse((proc / str(pid) / "stat").read_bytes())
    except OSError:
        return "", ""


def _parse(stat: bytes) -> tuple[str, str]:
    """Fields 3 and 22 of proc(5)'s stat. Field 2, the name, may hold blanks and parentheses."""
    fields = stat[stat.rindex(b")") + 1 :].decode("ascii").split()
    return fields[0], fields[19]


def _ask_ps(pid: int) -> tuple[str, str]:
    import subprocess

    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=PS_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "", ""
    state, _, start = done.stdout.strip().partition(" ")
    return (state, " ".join(start.split())) if done.returncode == 0 else ("", "")
