"""Functions of a user's files as tools, run apart from this process and without its keys. Not a sandbox.

Each call has a process to itself while it runs (``functions`` is what runs there), so that one that hangs, crashes or
ends its process harms no other. The first process is kept and used for every call that no other call runs beside:
what a function leaves in a global is there for the next one. Calls of the same moment get further processes, which
load the files again.

A process gets no variable but ``VARIABLES`` and leads a process group of its own. The group is killed when a call runs
out of time, when the toolbox closes and when this process dies, however it does (the other end of the pipe closes).
What makes a group of its own on purpose, as a daemon does, lives on.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litellm_skill import attachments, tools
from litellm_skill.faults import BadInput, Fault, NotSetUp
from litellm_skill.tools import Tool, ToolCall, ToolResult

PROGRAM = Path(__file__).with_name("functions.py")
ENDING = 2.0  # seconds for a killed process to be gone
LISTENING = 0.5  # seconds to learn how a process ended that has closed its pipe
SIZE = 4  # bytes of a frame's length, see functions.py
MAX_FRAME = 16_000_000  # bytes
MAX_FILE = 1_000_000  # bytes
LINES, WIDTH = 100, 500  # of what one process prints, and bytes of each, that are passed on

# Where programs and the user's files are, language, time, certificates; LD_… or DYLD_… may be what this Python needs to
# start. A list of what to leave out would miss the next key.
_VARIABLES = """PATH HOME USER LOGNAME SHELL TERM TZ TMPDIR TMP TEMP LANG LANGUAGE
    LC_ALL LC_ADDRESS LC_COLLATE LC_CTYPE LC_IDENTIFICATION LC_MEASUREMENT LC_MESSAGES LC_MONETARY LC_NAME LC_NUMERIC
    LC_PAPER LC_TELEPHONE LC_TIME
    XDG_CACHE_HOME XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS
    LD_LIBRARY_PATH DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH
    SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT USERNAME USERPROFILE HOMEDRIVE HOMEPATH APPDATA LOCALAPPDATA
    PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROCESSOR_ARCHITECTURE NUMBER_OF_PROCESSORS"""
VARIABLES = frozenset(_VARIABLES.split())
PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})  # unless they hold a password


@dataclass(frozen=True)
class Limits:
    """``seconds`` for one call, ``characters`` of one result, ``parallel`` calls at the same time; ``loading``: seconds
    for a process to load the files, which the first one and each further one does."""

    seconds: float = 60.0
    characters: int = 50_000
    parallel: int = 8
    loading: float = 60.0


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What of ``variables`` the functions may see."""
    kept = {name: value for name, value in variables.items() if name.upper() in VARIABLES}
    return kept | {name: value for name, value in variables.items() if name.upper() in PROXIES and "@" not in value}


def _drop(_: str) -> None:
    """For whoever does not want to know what the functions print."""


@asynccontextmanager
async def open(
    files: Sequence[str], limits: Limits = Limits(), note: Callable[[str], None] = _drop
) -> AsyncIterator[Toolbox]:
    """The functions of ``files`` as tools. ``note`` gets what they print, line by line, a bounded number of them.

    Raises BadInput when a file cannot be loaded or its functions cannot be tools, NotSetUp when no process starts.
    """
    for file in files:
        attachments.read_text(Path(file), attachments.label(Path(file), Path.cwd()), MAX_FILE)
    box = Toolbox(files, limits, note)
    try:
        await box.load()
        yield box
    finally:
        await box.close()


class Toolbox:
    """``tools``: what a model can call. Made by ``open``, usable inside it."""

    def __init__(self, files: Sequence[str], limits: Limits, note: Callable[[str], None]) -> None:
        self.tools: tuple[Tool, ...] = ()
        self._files, self._limits, self._note = tuple(files), limits, note
        self._slots = asyncio.Semaphore(limits.parallel)
        self._numbers = itertools.count()
        self._processes: list[_Process] = []
        self._idle: list[_Process] = []

    async def load(self) -> None:
        """Raises BadInput, NotSetUp."""
        process, reply = await self._start()
        rows = [(file, Tool(*fields)) for file, *fields in reply["tools"]]
        tools.unique((tool.name, file) for file, tool in rows)
        self.tools = tuple(tools.checked(tool, file) for file, tool in rows)
        self._idle.append(process)

    async def call(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """The results in the order of ``calls``, which run side by side. Whatever goes wrong is a result."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._call(call)) for call in calls]
        return [task.result() for task in running]

    async def close(self) -> None:
        """End every process, and what it has started."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            await process.gone()

    async def _call(self, call: ToolCall) -> ToolResult:
        names = [tool.name for tool in self.tools]
        if call.name not in names:
            text = f"there is no tool called {call.name[:100]!r}; there are: {', '.join(names)}"
            return ToolResult(call.id, call.name, text, ok=False, seconds=0.0)
        async with self._slots:
            try:
                process = await self._process()
            except Fault as fault:
                return ToolResult(call.id, call.name, fault.message, ok=False, seconds=0.0)
            began = time.monotonic()
            text, ok = await self._run(process, call)
            return ToolResult(call.id, call.name, text, ok, round(time.monotonic() - began, 3))

    async def _run(self, process: _Process, call: ToolCall) -> tuple[str, bool]:
        question = {"call": call.name, "arguments": call.arguments}
        reply, how = await _ask(process, question, self._limits.seconds)
        if reply is None:
            return how, False
        self._idle = sorted([*self._idle, process], key=lambda one: one.number)
        return str(reply.get("text"))[: self._limits.characters], reply.get("ok") is True

    async def _process(self) -> _Process:
        """The idle process that was started first, or a new one. Raises BadInput, NotSetUp."""
        while self._idle:
            process = self._idle.pop(0)
            if process.listens:
                return process
            process.kill()
        return (await self._start())[0]

    async def _start(self) -> tuple[_Process, dict[str, Any]]:
        process = _Process(next(self._numbers), self._note)
        await process.start()
        self._processes.append(process)
        ours = str(PROGRAM.parents[1])
        path = [folder for folder in sys.path if folder and os.path.realpath(folder) != os.path.realpath(ours)]
        question = {"load": self._files, "path": path, "limit": self._limits.characters}
        reply, how = await _ask(process, question, self._limits.loading)
        if reply is None:
            what = f"{', '.join(self._files)}: not loaded: {how}"
            raise BadInput(what, "keep to definitions at the top of the file: all of it runs when it is loaded")
        if "fault" in reply:
            raise BadInput(*map(str, reply["fault"]))
        return process, reply


async def _ask(process: _Process, question: Mapping[str, Any], seconds: float) -> tuple[dict[str, Any] | None, str]:
    """Its answer, or None and what became of it. One that did not answer is ended, also when this is cancelled."""
    reply: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(seconds):
            reply = await process.ask(question)
            return reply, "" if reply is not None else await process.how_it_ended()
    except TimeoutError:
        return None, f"it took longer than {seconds:g} s and was stopped"
    finally:
        if reply is None:
            process.kill()


class _Process(asyncio.SubprocessProtocol):
    """A process that has loaded the files, one question at a time. ``number``: as it was started."""

    def __init__(self, number: int, note: Callable[[str], None]) -> None:
        self.number = number
        self.listens = False
        self._prints = _Prints(note)
        self._received = bytearray()
        self._reply: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._reply.set_result(None)
        self._exited, self._closed = asyncio.Event(), asyncio.Event()

    async def start(self) -> None:
        """Raises NotSetUp."""
        # -I: until the process sets its path, neither this folder nor the user's packages shadow the standard library.
        # -B: no __pycache__ beside the user's files.
        command = [sys.executable, "-I", "-B", str(PROGRAM)]
        loop = asyncio.get_running_loop()
        try:
            await loop.subprocess_exec(
                lambda: self,
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment(os.environ),
                start_new_session=True,
            )
        except OSError as error:
            what = f"cannot start a process for the functions: {error.strerror}"
            raise NotSetUp(what, "end other programs, or raise the limit") from None

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """Its answer; None when it has ended or said something else."""
        if not self.listens:
            return None
        self._reply = asyncio.get_running_loop().create_future()
        body = json.dumps(question).encode()
        self._input.write(len(body).to_bytes(SIZE, "big") + body)
        return await self._reply

    async def how_it_ended(self) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(LISTENING):
                await self._exited.wait()
        code = self._pipes.get_returncode()
        if code is None:
            return "the tool's process no longer answers"
        with suppress(ValueError):
            return f"the tool's process ended: {signal.Signals(-code).name}"
        return f"the tool's process ended: exit code {code}"

    def kill(self) -> None:
        """It and its group, at once."""
        self.listens = False
        if self._exited.is_set():  # its number may be another's by now
            return
        with suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS, of a group that is dead already
            os.killpg(self._pipes.get_pid(), signal.SIGKILL) if hasattr(os, "killpg") else self._pipes.kill()

    async def gone(self) -> None:
        """Wait until a killed process is gone, and its pipes with it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING):
                await self._exited.wait()
        self._pipes.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING):
                await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        to_it = transport.get_pipe_transport(0)
        assert isinstance(to_it, asyncio.WriteTransport)
        self._pipes, self._input = transport, to_it
        self.listens = True

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._prints.feed(data)
            return
        self._received += data
        size = int.from_bytes(self._received[:SIZE], "big")
        if self._reply.done() or size > MAX_FRAME:  # unasked, or by somebody else than functions.py
            self._hang_up()
        elif len(self._received) >= SIZE + size:
            self._answer(bytes(self._received[SIZE:]))  # with anything behind the frame it is no JSON
            self._received.clear()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 2:
            self._prints.end()
        else:
            self._hang_up()

    def process_exited(self) -> None:
        self.kill()  # what it has left behind
        self._exited.set()
        self._hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pipes.close()
        self._closed.set()

    def _answer(self, body: bytes) -> None:
        try:
            reply = json.loads(body)
        except (ValueError, RecursionError):
            reply = None
        if isinstance(reply, dict):
            self._reply.set_result(reply)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        self.listens = False
        self._received.clear()
        if not self._reply.done():
            self._reply.set_result(None)


class _Prints:
    """What a process prints, as lines for ``note``; after ``LINES`` of them it is dropped."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._left = LINES
        self._rest = b""

    def feed(self, data: bytes) -> None:
        if self._left == 0:
            return
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: WIDTH + 1]
        for line in filter(None, lines[: self._left]):
            self._say(line)

    def end(self) -> None:
        if self._rest and self._left:
            self._say(self._rest)

    def _say(self, line: bytes) -> None:
        self._left -= 1
        text = line[:WIDTH].decode("utf-8", "replace").rstrip("\r")
        self._note(text + ("…" if len(line) > WIDTH else ""))
        if self._left == 0:
            self._note("what the functions print from here on is dropped")
