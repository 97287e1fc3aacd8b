"""The user's own test of an answer: a command that gets its code, apart and without keys. Not a sandbox."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from litellm_skill.faults import BadInput

if TYPE_CHECKING:
    from asyncio.subprocess import Process

SECONDS = 60.0
FILE = "{file}"  # in a word of the command: the path of the answer
ENDING = 2.0  # seconds for a killed process to be gone


def read(command: str) -> list[str]:
    """The command as its words; no shell reads it. Raises BadInput."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput(f"--check-cmd cannot be read: {error}", "close its quotes") from error
    if not words:
        raise BadInput("--check-cmd is empty", "give a command")
    return words


def check(command: str) -> None:
    """Before anything is paid for: whether there is such a program. Where the answer itself is the program, only
    running it can tell. Raises BadInput."""
    from litellm_skill import toolbox

    program = read(command)[0]
    if FILE not in program and not shutil.which(program, path=toolbox.environment(os.environ).get("PATH")):
        raise BadInput(f"--check-cmd: there is no program {program!r} that can be run", "install it, or give its path")


async def run(words: list[str], code: str, seconds: float = SECONDS) -> bool | None:
    """Whether it accepts the code, which it gets on stdin and, where a word says ``{file}``, as a file. None when it
    cannot be run. What takes longer is stopped, with all that it has started, and does not accept."""
    import asyncio

    from litellm_skill import toolbox

    with tempfile.TemporaryDirectory(prefix="litellm-skill-") as folder:
        file = Path(folder) / "answer.txt"
        file.write_text(code, encoding="utf-8", errors="backslashreplace")
        try:
            process = await asyncio.create_subprocess_exec(
                *(word.replace(FILE, str(file)) for word in words),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=toolbox.environment(os.environ),
                start_new_session=True,
            )
        except OSError:
            return None
        try:
            async with asyncio.timeout(seconds):
                await process.communicate(code.encode("utf-8", "backslashreplace"))
        except TimeoutError:
            return False
        finally:
            await _end(process)
        return process.returncode == 0


async def _end(process: Process) -> None:
    """And whatever it has left running."""
    import asyncio

    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(ENDING):
            await process.wait()
