"""A function of this package, run in a process of its own: bounded in time and output, and on Linux in memory.

For work on data that may be hostile and that Python cannot interrupt from outside: a PDF, a regular expression.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    import threading

MEMORY = 1_000_000_000  # bytes of address space. macOS and Windows do not hold a process to it.
# What an interpreter needs to start and to find its packages. Keys stay out.
_ENVIRONMENT = ("PATH", "HOME", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "SYSTEMROOT", "APPDATA", "TMPDIR", "TEMP")
# -P: the modules beside this one must not stand before the standard library's.
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from litellm_skill import worker; worker.main(*sys.argv[2:])"
_OUT_OF_MEMORY = 77  # exit code


@dataclass(frozen=True)
class Outcome:
    """``output``: what came before the end. ``ending``: why it ended early, as a clause; None when it did not."""

    output: bytes
    ending: str | None = None


def run(function: str, payload: bytes, *, seconds: float, most: int) -> Outcome:
    """``function``, ``module:name`` of this package, of ``payload``: it yields bytes, at most ``most`` of them.

    Blocks for up to ``seconds``. The process is ended then, and whenever this one is interrupted.
    """
    import subprocess
    import threading

    folder = str(Path(__file__).resolve().parent.parent)
    late = threading.Event()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, folder, function, str(int(seconds) + 2)],
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        timer = threading.Timer(max(0.0, seconds), _end, (process, late))
        timer.start()
        try:
            output = _exchange(process, payload, most + 1)
            if len(output) > most:
                return Outcome(output[:most], f"it came to more than {most:,} bytes")
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
    return Outcome(output, _ending(code, seconds if late.is_set() else None))


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _exchange(process: subprocess.Popen[bytes], payload: bytes, most: int) -> bytes:
    """The worker reads everything before it writes, so neither can wait for the other."""
    import contextlib

    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):  # it has ended already: its exit code will say why
        process.stdin.write(payload)
    with contextlib.suppress(OSError):
        process.stdin.close()
    return process.stdout.read(most)


def _ending(code: int, late_after: float | None) -> str | None:
    if code == 0:
        return None
    if late_after is not None:
        return f"it took longer than {late_after:.0f} s"
    if code == _OUT_OF_MEMORY:
        return f"it needed more than {MEMORY // 1_000_000:,} MB of memory"
    return f"it broke off (exit code {code})"


def main(function: str, cpu_seconds: str) -> None:
    """In the other process."""
    import importlib

    _limit(int(cpu_seconds))
    module, _, name = function.partition(":")
    try:
        work = getattr(importlib.import_module(f"litellm_skill.{module}"), name)
        _write(work(sys.stdin.buffer.read()))
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)


def _write(outputs: Iterator[bytes]) -> None:
    for output in outputs:
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()  # what is done counts, whatever happens next


def _limit(cpu_seconds: int) -> None:
    """Also for the case that the process that started this one is gone, and nobody will end it."""
    if sys.platform == "win32":
        return
    import resource

    limits = {resource.RLIMIT_CPU: cpu_seconds}
    if sys.platform == "linux":
        limits[resource.RLIMIT_AS] = MEMORY
    for kind, wanted in limits.items():
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
