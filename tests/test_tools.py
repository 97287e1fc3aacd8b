"""Tools: bare schemas, and functions of a user's file, run in real processes."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
from litellm_skill import toolbox, tools
from litellm_skill.faults import BadInput, NotSetUp
from litellm_skill.gateway import loop
from litellm_skill.toolbox import Limits, Toolbox
from litellm_skill.tools import Tool, ToolCall, ToolResult
from reading import posix

SCRIPTS = Path(toolbox.__file__).parents[1]
DEFAULT = Limits()
FUNCTIONS = """
import asyncio, dataclasses, datetime, enum, os, signal, subprocess, sys, time
from pydantic import BaseModel

class Unit(enum.Enum):
    C = "c"
class Text(str, enum.Enum):
    A = "value"
@dataclasses.dataclass
class Place:
    title: str
    at: datetime.date
class Inner(BaseModel):
    x: int
@dataclasses.dataclass
class Picky:
    x: int
    def __post_init__(self): raise KeyError(self.x)
class Strange:
    def __repr__(self): raise ZeroDivisionError("no face")
class Mute(Exception):
    def __str__(self): raise ZeroDivisionError
calls = []

def echo(text: str, number: int = 1) -> str: return f"{text} {number + 1}"
def count() -> int:
    calls.append(1)
    return len(calls)
async def slowly(place: Place, unit: Unit = Unit.C) -> dict:
    await asyncio.sleep(0)
    return {"place": place, "next": place.at + datetime.timedelta(1), "unit": unit, "set": {1}, "no": None}
async def loop() -> bool:
    global first
    first = globals().get("first") or asyncio.get_running_loop()
    return first is asyncio.get_running_loop()
def none() -> None: ...
def nothing() -> str: return ""
def enumerated() -> str: return Text.A
def not_text() -> bytes: return b"\\xff"
def unknown() -> list: return [1, object]
def strange() -> object: return Strange()
def surrogate() -> str: return "a\\ud800"
def huge() -> str: return "é" * 100_000_000
def raises() -> str: raise KeyError("city")
def huge_error() -> str: raise ValueError("x" * 100_000_000)
def mute() -> str: raise Mute
def picks(it: Picky) -> str: return "unreachable"
def own_validation() -> int: return Inner.model_validate({})
def recurses(n: int = 0) -> int: return recurses(n + 1)
def leaves() -> str: sys.exit(3)
def reads_stdin() -> str: return input()
def forks() -> bool: return os.fork() >= 0
def environment() -> dict: return dict(os.environ)
def directory() -> str: return os.getcwd()
def name() -> str: return __name__
def ends() -> str: os._exit(4)
def crashes() -> str: os.kill(os.getpid(), signal.SIGKILL)
def closes() -> str: os.closerange(0, 256)
def closes_and_hangs() -> str:
    os.closerange(0, 256)
    time.sleep(100)
def babbles() -> str:
    for descriptor in range(3, 20):
        try: os.write(descriptor, b"\\xff" * 10)
        except OSError: pass
    time.sleep(100)
def answers_twice() -> str:
    for descriptor in range(3, 20):
        try: os.write(descriptor, b"\\0\\0\\0\\2{}" * 2)
        except OSError: pass
    time.sleep(100)
def forever() -> str:
    while True: pass
def stuck() -> int: return 10 ** 10 ** 9
def prints() -> str:
    print("first")
    for _ in range(100): print("y" * 1_000_000)
    return "printed"
def says() -> str:
    os.system("echo from a shell; echo on stderr >&2")
    os.write(1, b"\\xff\\n")
    print("no end", end="")
def leave_behind(path: str) -> str:
    subprocess.Popen(f"exec 3>{path}; sleep 100 & sleep 100", shell=True)
    with open(path, "w"): return "left"
def leave_behind_and_hang(path: str) -> str:
    leave_behind(path)
    print("here", flush=True)
    while True: pass
def leave_a_daemon(path: str) -> str:
    subprocess.Popen(f"exec 3>{path}; sleep 1", shell=True, start_new_session=True)
    with open(path, "w"): os._exit(0)
def leave_behind_and_end(path: str) -> str:
    leave_behind(path)
    os._exit(0)
"""


def inside(files: list[Path], work: Callable[[Toolbox], Awaitable[Any]], limits: Limits = DEFAULT, **named: Any) -> Any:
    """What ``work`` returns, in the loop that a command uses."""

    async def open_and_work() -> Any:
        async with toolbox.open([str(file) for file in files], limits, **named) as box:
            return await work(box)

    return loop.run(open_and_work())


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(f"id-{name}", name, json.dumps(arguments))


def call_all(file: Path, *calls: ToolCall, limits: Limits = DEFAULT, **named: Any) -> list[ToolResult]:
    return inside([file], lambda box: box.call(calls), limits, **named)


def described(*files: Path) -> list[Tool]:
    async def listed(box: Toolbox) -> list[Tool]:
        return list(box.tools)

    return inside(list(files), listed)


def written(tmp_path: Path, text: str, name: str = "functions.py") -> Path:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    return written(tmp_path, FUNCTIONS)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[int]:
    """The reading end of ``tmp_path/alive``: at its end when nobody has it open for writing any more."""
    os.mkfifo(tmp_path / "alive")
    reading = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    yield reading
    os.close(reading)


def ended(reading: int) -> bool:
    """Whether all writers go within ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if select.select([reading], [], [], 1)[0] and os.read(reading, 1000) == b"":
            return True
    return False


def children() -> int:
    """Processes whose parent this one is, dead or alive; among them ``ps``."""
    listed = subprocess.run(["ps", "-A", "-o", "ppid="], capture_output=True, text=True, check=True).stdout
    return listed.split().count(str(os.getpid()))


def test_a_signature_becomes_a_schema(tmp_path: Path) -> None:
    text = '''
from __future__ import annotations
import math
from enum import Enum
from functools import cache, wraps
from json import dumps
from typing import Annotated, Literal, Optional
from pydantic import BaseModel, Field
from beside import imported

class Unit(Enum):
    C = "c"
class Place(BaseModel):
    title: str
def logged(function):
    @wraps(function)
    def run(*a, **k): return function(*a, **k)
    return run
logged.__module__ = "elsewhere"
_private = double = lambda x: x

def get_weather(
    city: Annotated[str, Field(description="Its name")], days: int = 3, unit: Unit = Unit.C,
    kind: Literal["rain", "sun"] = "sun", until: Optional[str] = None, *, places: list[Place] = [],
    wind: dict[str, float] = Field({}, description="By hour"), most: float = math.inf,
) -> str:
    """The weather.

    Args:
        city: kept as it is
    """

@cache
def cached(n: int) -> int: return n
@logged
def decorated(n: int) -> int: return n
async def waits(): ...
def _hidden(x): ...
'''
    written(tmp_path, "def imported(x: int): ...", "beside.py")
    weather, *others = described(written(tmp_path, text))
    assert [tool.name for tool in others] == ["cached", "decorated", "waits"]
    assert weather.description == "The weather.\n\nArgs:\n    city: kept as it is"
    assert weather.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["city"],
        "properties": {
            "city": {"type": "string", "description": "Its name"},
            "days": {"type": "integer", "default": 3},
            "unit": {"$ref": "#/$defs/Unit", "default": "c"},
            "kind": {"type": "string", "enum": ["rain", "sun"], "default": "sun"},
            "until": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "places": {"type": "array", "items": {"$ref": "#/$defs/Place"}, "default": []},
            "wind": {
                "type": "object",
                "additionalProperties": {"type": "number"},
                "default": {},
                "description": "By hour",
            },
            "most": {"type": "number", "default": "Infinity"},
        },
        "$defs": {
            "Unit": {"title": "Unit", "type": "string", "enum": ["c"]},
            "Place": {
                "title": "Place",
                "type": "object",
                "properties": {"title": {"type": "string"}},
                "required": ["title"],
            },
        },
    }
    no_parameters = {"type": "object", "properties": {}, "additionalProperties": False}
    assert others[2].as_message() == {"type": "function", "function": {"name": "waits", "parameters": no_parameters}}
    assert not list(tmp_path.rglob("__pycache__"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ndef f(x):\n  ...", "t.py, line 2: f: the parameter x has no type annotation"),
        ("def f(*x: int): ...", "t.py, line 1: f: a model cannot pass *x: int"),
        ("def f(x: int, /): ...", "t.py, line 1: f: a model cannot pass x: int"),
        ("class A: ...\ndef f(x: A): ...", "t.py, line 2: f: no schema can be made of its parameters: "),
        ("def f(x: 'Missing'): ...", "t.py, line 1: f: no schema can be made of its parameters: "),
        ("from json import dumps\ndef _f(): ...", "t.py defines no public function"),
        ("x = 1\nx = = 2", "t.py, line 2: SyntaxError: invalid syntax"),
        ("import broken", "t.py, line 1: SyntaxError: '(' was never closed"),
        ("\n\nimport no_such_package", "t.py, line 3: ModuleNotFoundError: No module named 'no_such_package'"),
        ("def f():\n  1/0\nf()", "t.py, line 2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('bye')", "t.py, line 2: SystemExit: bye"),
        ("import os\nos._exit(7)", "t.py: not loaded: the tool's process ended: exit code 7"),
        ("def größe(): ...", "t.py: 'größe' is no name that every vendor takes for a tool"),
        (f"def {'f' * 65}(): ...", f"t.py: '{'f' * 65}' is no name that every vendor takes for a tool"),
        ("def f(größe: int): ...", "t.py: f: 'größe' is no name that every vendor takes for a parameter"),
        ("def g(): ...\ndef f(): ...\ndef f(): ...", ""),
        (None, "no such file: t.py"),
        ("\0", "t.py is not text: NUL at byte offset 0"),
    ],
)
def test_a_file_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "(", "broken.py")
    if text is not None:
        written(tmp_path, text, "t.py")
    if not message:
        assert [tool.name for tool in described(Path("t.py"))] == ["g", "f"]
        return
    with pytest.raises(BadInput) as caught:
        described(Path("t.py"))
    assert caught.value.message.startswith(message)
    assert caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_a_file_that_does_not_come_to_its_end(tmp_path: Path) -> None:
    """Neither when it is loaded first nor for a call beside another."""
    file = written(tmp_path, "while True: pass")
    with pytest.raises(BadInput) as caught:
        inside([file], lambda box: box.call([]), Limits(loading=0.5))
    assert caught.value.message == f"{file}: not loaded: it took longer than 0.5 s and was stopped"
    once = f"""
import pathlib, time
if pathlib.Path({str(tmp_path / "loaded")!r}).exists(): time.sleep(60)
pathlib.Path({str(tmp_path / "loaded")!r}).touch()
def wait() -> str:
    time.sleep(1)
    return "waited"
"""
    file = written(tmp_path, once, "once.py")
    first, second = call_all(file, call("wait"), call("wait"), limits=Limits(loading=3))
    assert (first.text, first.ok) == ("waited", True)
    assert (second.text, second.ok) == (f"{file}: not loaded: it took longer than 3 s and was stopped", False)


def test_two_files(tmp_path: Path) -> None:
    """Of the same name, which is that of a module that others need; each with a module beside it."""
    files = [written(tmp_path, f"import {x}\ndef {x}_f() -> str: return {x}.x", f"{x}/json.py") for x in "ab"]
    for x in "ab":
        written(tmp_path, f"import json\nx = json.dumps('{x}')", f"{x}/{x}.py")
    results = inside(files, lambda box: box.call([call("a_f"), call("b_f")]))
    assert [result.text for result in results] == ['"a"', '"b"']
    with pytest.raises(BadInput, match=r"two tools are called a_f \(.*json.py and .*again.py\)"):
        described(files[0], written(tmp_path, "def a_f(): ...", "again.py"))


@pytest.mark.parametrize("folder", [".", ".."])
def test_where_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """In the user's directory, whatever the file's, which may be read-only."""
    written(tmp_path, FUNCTIONS, "project/functions.py").parent.chmod(0o500)
    monkeypatch.chdir(tmp_path / "project" / folder)
    file = Path("functions.py" if folder == "." else "project/functions.py")
    where, name = call_all(file, call("directory"), call("name"))
    (tmp_path / "project").chmod(0o700)
    assert (where.text, name.text) == (os.getcwd(), "functions_0_functions")
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["functions.py"]


# What a function is called with, and what the model is told: True for a result, False for a complaint.
ANSWERS: list[tuple[ToolCall, bool, str]] = [
    (call("echo", text="hi", number="41"), True, "hi 42"),
    (ToolCall("1", "none", ""), True, "null"),
    (ToolCall("2", "none", " {}\n"), True, "null"),
    (call("nothing"), True, ""),
    (
        call("slowly", place={"title": "Ulm", "at": "2024-02-29"}),
        True,
        '{"place":{"title":"Ulm","at":"2024-02-29"},"next":"2024-03-01","unit":"c","set":[1],"no":null}',
    ),
    (call("loop"), True, "true"),
    (call("loop"), True, "true"),
    (call("enumerated"), True, "value"),
    (call("not_text"), True, repr(b"\xff")),
    (call("unknown"), True, "[1,\"<class 'object'>\"]"),
    (call("surrogate"), True, "a?"),
    (call("forks"), True, "true"),
    (call("strange"), False, "ZeroDivisionError: no face"),
    (call("raises"), False, "KeyError: 'city'"),
    (call("mute"), False, "Mute"),
    (call("leaves"), False, "SystemExit: 3"),
    (call("reads_stdin"), False, "EOFError: EOF when reading a line"),
    (call("recurses"), False, "RecursionError: maximum recursion depth exceeded"),
    (call("echo", text="hi", other=1), False, "bad arguments: other: Unexpected keyword argument"),
    (call("echo", number="x"), False, "bad arguments: text: Missing required argument; number: Input should be"),
    (ToolCall("3", "echo", '{"text": '), False, "bad arguments: Invalid JSON: EOF while parsing"),
    (ToolCall("4", "echo", "7"), False, "bad arguments: Arguments must be an array or an object"),
    (ToolCall("5", "echo", "[" * 100_000), False, "bad arguments: Invalid JSON: recursion limit exceeded"),
    (ToolCall("6", "echo", '{"text": "\\ud800"}'), False, "bad arguments: Invalid JSON"),
    (call("picks", it={"x": 1}), False, "bad arguments: KeyError: 1"),
    (call("own_validation"), False, "ValidationError: 1 validation error for Inner"),
    (call("no_such", text=""), False, "there is no tool called 'no_such'; there are: echo, count, "),
    (call("count"), True, "1"),
    (call("count"), True, "2"),
]


@posix
def test_what_the_model_is_told(functions: Path) -> None:
    async def one_after_another(box: Toolbox) -> list[ToolResult]:
        return [result for one, _, _ in ANSWERS for result in await box.call([one])]

    results = inside([functions], one_after_another)
    for (asked, ok, text), result in zip(ANSWERS, results, strict=True):
        assert (result.id, result.name, result.ok) == (asked.id, asked.name, ok), result
        assert result.text == text if ok else result.text.startswith(text), result
        assert "litellm_skill" not in result.text
        assert "Traceback" not in result.text


@posix
def test_a_call_harms_no_other(functions: Path) -> None:
    """Side by side; what hangs is stopped, what ends its process is said, and the toolbox goes on."""
    ended, late = "the tool's process ended: ", "it took longer than 2 s and was stopped"
    fates = {"ends": f"{ended}exit code 4", "crashes": f"{ended}SIGKILL", "closes": f"{ended}exit code 1"}
    fates |= {"forever": late, "stuck": late, "closes_and_hangs": "the tool's process no longer answers"}
    fates |= dict.fromkeys(("babbles", "answers_twice"), "the tool's process no longer answers")

    async def twice(box: Toolbox) -> list[ToolResult]:
        first = await box.call([*map(call, fates), call("echo", text="beside"), call("echo", text="waits")])
        return first + await box.call([call("echo", text="after"), call("count")])

    results = inside([functions], twice, Limits(seconds=2, parallel=8))
    assert {result.name: result.text for result in results[:8]} == fates
    assert [result.text for result in results[8:]] == ["beside 2", "waits 2", "after 2", "1"]
    assert [result.ok for result in results] == [False] * 8 + [True] * 4


@pytest.mark.parametrize(
    ("name", "characters", "ok"), [("huge", 100_000_000, True), ("huge_error", 100_000_012, False)]
)
def test_a_long_result_is_cut(functions: Path, name: str, characters: int, ok: bool) -> None:
    (result,) = call_all(functions, call(name), limits=Limits(characters=1000))
    assert result.text.endswith(f"\n[cut here: the whole has {characters:,} characters, the limit is 1,000]")
    assert (len(result.text), result.ok) == (1000, ok)


def test_what_is_printed(functions: Path, capfd: pytest.CaptureFixture[str]) -> None:
    notes: list[str] = []
    (result,) = call_all(functions, call("prints"), note=notes.append)
    assert result.text == "printed"
    assert notes[0] == "first"
    assert set(notes[1:-1]) == {"y" * 500 + "…"}
    assert notes[-1] == "what the functions print from here on is dropped"
    assert len(notes) == 101
    notes.clear()
    call_all(functions, call("says"), note=notes.append)
    assert sorted(notes) == ["from a shell", "no end", "on stderr", "\ufffd"]
    call_all(functions, call("says"))
    assert capfd.readouterr() == ("", "")


def test_no_key_is_in_its_environment(functions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GH_TOKEN", "PGPASSWORD", "LC_TOKEN", "XDG_SECRET"]
    for name in [*names, "DATABASE_URL", "SSH_AUTH_SOCK", "OPENAI_BASE_URL", "REDIS_URL", "PYTHONPATH"]:
        monkeypatch.setenv(name, "sk-secret")
    monkeypatch.setenv("https_proxy", "http://me:" + "sk-secret@proxy.invalid")
    kept = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "SSL_CERT_FILE": "/ca.pem", "HTTP_PROXY": "http://proxy.invalid"}
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    (result,) = call_all(functions, call("environment"))
    assert "sk-secret" not in result.text
    seen = json.loads(result.text)
    assert seen.items() >= (kept | {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}).items()
    assert not [name for name in seen if any(word in name for word in ("KEY", "TOKEN", "SECRET", "PASSWORD"))]


@posix
@pytest.mark.parametrize("name", ["leave_behind", "leave_behind_and_hang", "leave_behind_and_end", "leave_a_daemon"])
def test_nothing_is_left_behind(tmp_path: Path, functions: Path, fifo: int, name: str) -> None:
    """No process, thread, descriptor or warning, whether the function returned, hung, or ended its process.

    A daemon has a session of its own: it lives on, with its end of the pipes, and is not waited for.
    """
    descriptors, threads, processes = sorted(os.listdir("/dev/fd")), set(threading.enumerate()), children()
    call_all(functions, call(name, path=str(tmp_path / "alive")), limits=Limits(seconds=1))
    assert ended(fifo)
    for thread in set(threading.enumerate()) - threads:  # asyncio's, that waited for the process (Python 3.11)
        thread.join(10)
    assert set(threading.enumerate()) == threads
    assert sorted(os.listdir("/dev/fd")) == descriptors
    assert children() == processes


@posix
def test_a_call_that_is_given_up(tmp_path: Path, functions: Path, fifo: int) -> None:
    """As at the deadline of a command: its process ends at once, the toolbox can still be used."""

    async def give_up(box: Toolbox) -> list[ToolResult]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await box.call([call("leave_behind_and_hang", path=str(tmp_path / "alive"))])
        assert await asyncio.to_thread(ended, fifo)
        return await box.call([call("count")])

    assert inside([functions], give_up)[0].text == "1"


@posix
def test_packages_are_found_where_the_command_has_them(tmp_path: Path, functions: Path) -> None:
    """Which may be PYTHONPATH, where the interpreter itself has none and the functions' process does not look."""
    venv.create(tmp_path / "bare", with_pip=False)
    packages = str(Path(pydantic.__file__).parents[1])
    script = """
import asyncio, sys
from litellm_skill import toolbox
async def work():
    async with toolbox.open(sys.argv[1:]) as box:
        print(len(box.tools) > 0)
asyncio.run(work())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPTS), packages])}
    command = [str(tmp_path / "bare/bin/python"), "-c", script, str(functions)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_killed(tmp_path: Path, functions: Path, fifo: int, number: int) -> None:
    script = f"""
import sys
sys.path[:0] = [{str(SCRIPTS)!r}]
from litellm_skill import toolbox
from litellm_skill.gateway import loop
from litellm_skill.tools import ToolCall
def tell(line):
    print(line, file=sys.__stdout__, flush=True)
async def work():
    async with toolbox.open([{str(functions)!r}], note=tell) as box:
        await box.call([ToolCall("1", "leave_behind_and_hang", sys.argv[1])])
loop.run(work())
"""
    arguments = json.dumps({"path": str(tmp_path / "alive")})
    command = [sys.executable, "-X", "dev", "-c", script, arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(number)
        _, complaints = process.communicate(timeout=20)
    assert ended(fifo)
    assert "Warning" not in complaints
    assert "Interrupted" in complaints if number == signal.SIGTERM else complaints == ""


@posix
def test_no_process_can_be_started(functions: Path) -> None:
    import resource

    async def starved(box: Toolbox) -> list[ToolResult]:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")), limits[1]))
        try:
            with pytest.raises(NotSetUp, match="cannot start a process for the functions: Too many open files"):
                async with toolbox.open([]):
                    pass
            return await box.call([call("count"), call("count")])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    one, other = inside([functions], starved)
    assert (one.text, one.ok) == ("1", True)
    assert (other.text, other.ok) == ("cannot start a process for the functions: Too many open files", False)


WEATHER = {"name": "get_weather", "description": "Of a city", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ([{"type": "function", "function": WEATHER}], [Tool(**WEATHER)]),
        ([{"type": "function", "function": {**WEATHER, "strict": True}}], [Tool(**WEATHER, strict=True)]),
        ([WEATHER, {"name": "b"}], [Tool(**WEATHER), Tool("b", "", {"type": "object", "properties": {}})]),
        ([{"name": "a", "input_schema": {"type": "object"}}], [Tool("a", "", {"type": "object"})]),
        ("[", "--tools is not JSON: "),
        ("[NaN]", "--tools is not JSON: NaN is no JSON"),
        ("[" * 100_000, "--tools is not JSON: "),
        ([], "--tools is not a list of tools"),
        (WEATHER, "--tools is not a list of tools"),
        ([WEATHER, 3], "--tools: tool 2 is not a tool with name, description and parameters"),
        ([{"name": 3}], "--tools: tool 1 is not a tool with"),
        ([{"name": "a", "description": 3}], "--tools: tool 1 is not a tool with"),
        ([{"name": "a", "parameters": []}], "--tools: tool 1 is not a tool with"),
        ([{"name": "a", "parameters": {}, "input_schema": {}}], "--tools: tool 1 is not a tool with"),
        ([{"name": "a", "cache_control": {}}], "--tools: tool 1: cache_control is not known"),
        ([{"type": "function", "function": {"name": "a"}, "x": 1}], "--tools: tool 1: x is not known"),
        ([{"type": "web_search", "name": "web_search"}], "--tools: tool 1: type web_search is not known"),
        ([{"name": "a", "parameters": {"type": "strin"}}], "--tools: tool 1: the parameters of a are no JSON Schema: "),
        ([{"name": "a", "parameters": {"type": "array"}}], "--tools: tool 1: the parameters of a are not those of an"),
        ([{"name": "a b"}], "--tools: tool 1: 'a b' is no name that every vendor takes for a tool"),
        ([{"name": "1a"}], "--tools: tool 1: '1a' is no name that every vendor takes for a tool"),
        ([WEATHER, WEATHER], "two tools are called get_weather (--tools)"),
        (
            [{"name": "a", "parameters": {"type": "object", "properties": {"x y": {}}}}],
            "--tools: tool 1: a: 'x y' is no name that every vendor takes for a parameter",
        ),
    ],
)
def test_bare_schemas(tmp_path: Path, text: Any, expected: list[Tool] | str) -> None:
    text = text if isinstance(text, str) else json.dumps(text)
    if isinstance(expected, list):
        file = written(tmp_path, text, "tools.json")
        assert tools.bare(text) == tools.bare(str(file)) == expected
        assert [tool.as_message()["function"]["name"] for tool in expected] == [tool.name for tool in expected]
        return
    with pytest.raises(BadInput) as caught:
        tools.bare(text)
    assert caught.value.message.startswith(expected)
    assert caught.value.hint
    with pytest.raises(BadInput, match="no such file"):
        tools.bare(str(tmp_path / "missing.json"))
