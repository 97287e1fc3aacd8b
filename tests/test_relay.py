"""Outliving the host: real processes, killed as hosts do it, and the worker that goes on.

What is waited for, cancelled and read again is asked in this process: that needs no LiteLLM, and costs nothing.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPTS, Outcome
from litellm_skill import database, relay
from provider_server import ProviderServer, Reply

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no relay without fork")

Run = Callable[..., Outcome]
Start = Callable[..., subprocess.Popen[str]]
ID = r"\d{8}-\d{6}-[0-9a-f]{6}"
ASK = ("hi", "-m", "openai/test-model", "--retries", "0")
SLOW = Reply(text="word " * 4_000, piece_delay_s=0.05)
CODEX = "codex exec kills it when its own run ends: wait before that"
LONG_S = 30.0  # more than a slow machine needs to get so far


@pytest.fixture
def wires(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url + "/v1")
    return provider


@pytest.fixture
def start() -> Iterator[Start]:
    """``start("hi", CLAUDECODE="1")``: the command in a process group of its own, as hosts start it. What still works
    in the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def call(*argv: str, pass_fds: tuple[int, ...] = (), **environ: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(SCRIPTS / "call_model.py"), *argv]
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        env = {**os.environ, **environ}
        process = subprocess.Popen(command, **pipes, env=env, text=True, start_new_session=True, pass_fds=pass_fds)
        processes.append(process)
        return process

    yield call
    for process in processes:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()
    for number in workers():
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def workers() -> list[int]:
    """The processes of the runs that are not over, oldest first."""
    if not database.file(os.environ).exists():
        return []
    with closing(database.connect(os.environ)) as connection:
        rows = connection.execute("SELECT pid FROM runs WHERE status = 'running' ORDER BY rowid").fetchall()
    return [number for (number,) in rows]


def kept(run: Run, id: str = "last") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run("call_model", "--result", id, "--json").stdout)
    return document


def wait_for_text(run: Run) -> dict[str, Any]:
    """The newest run, once some of its text is kept."""
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        if workers() and (document := kept(run))["text"]:
            return document
        time.sleep(0.05)
    raise TimeoutError("no text came")


def maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")


# --- the host ends the command


@pytest.mark.parametrize(
    ("marker", "number", "code", "more"),
    [
        ("CLAUDECODE", signal.SIGTERM, 11, []),
        ("CODEX_CI", signal.SIGHUP, 11, [f"warning: {CODEX}"]),
        ("OPENCODE", signal.SIGKILL, -signal.SIGKILL, []),
    ],
)
def test_the_answer_outlives_a_kill(
    run: Run, wires: ProviderServer, start: Start, marker: str, number: signal.Signals, code: int, more: list[str]
) -> None:
    wires.reply(Reply(text="paid once", delay_s=3))
    reader, writer = os.pipe()
    process = start(*ASK, pass_fds=(writer,), **{marker: "1"})
    os.close(writer)
    wires.wait_for(1, LONG_S)
    (worker,) = workers()
    assert os.getsid(worker) not in (os.getsid(process.pid), os.getsid(0))
    if Path("/proc/self/maps").exists():
        assert ["pydantic_core" in maps(pid) for pid in (worker, process.pid)] == [True, False]
    os.killpg(process.pid, number)
    stdout, stderr = process.communicate()
    with open(reader, "rb") as pipe:
        assert pipe.read() == b""
    assert workers() == [worker]  # so the pipes have ended while it still works
    id = kept(run)["run_id"]
    assert (process.returncode, stdout) == (code, "")
    if code == 11:
        error, hint, *others = stderr.splitlines()
        assert re.fullmatch(rf"error: run {id} still works: \d+ s, 0 characters so far", error)
        assert hint == f"next: python3 {SCRIPTS / 'call_model.py'} --wait {id}"
        assert others == more
    assert run("call_model", "--wait", id) == (0, "paid once\n", "")
    assert run("call_model", "--result", "last", "--json").code == 0
    assert len(wires.requests) == 1


def test_its_own_time_is_over(run: Run, wires: ProviderServer, start: Start) -> None:
    """The worker goes on; it is waited for in vain, then cancelled. What came is kept."""
    wires.reply(SLOW)
    process = start(*ASK, "--timeout", "1", "--json", CLAUDECODE="1")
    stdout, stderr = process.communicate()
    document = json.loads(stdout)
    id = document["run_id"]
    assert (process.returncode, document["error"]["type"]) == (11, "still_running")
    assert f"--wait {id}" in stderr.splitlines()[1]
    text = wait_for_text(run)["text"]
    again = run("call_model", "--wait", id, "--wait-timeout", "0.3")
    assert again.code == 11
    count = re.search(rf"error: run {id} still works: \d+ s, ([\d,]+) characters so far\n", again.stderr)
    assert count
    assert int(count[1].replace(",", "")) >= len(text)
    shown = run("call_model", "--result", id)
    assert (shown.code, shown.stdout.startswith(text)) == (11, True)
    cancelled = run("call_model", "--cancel", id)
    assert (cancelled.code, cancelled.stderr) == (0, "")
    assert re.fullmatch(rf"run {id}: partial, [\d,]+ characters kept\n", cancelled.stdout)
    assert workers() == []
    ended = run("call_model", "--wait", id, "--json")
    document = json.loads(ended.stdout)
    assert (ended.code, document["status"]) == (130, "partial")
    assert ("word " * 4_000).startswith(document["text"])
    assert len(document["text"]) >= len(text)
    assert Path(document["result_file"]).read_text() == document["text"]
    assert run("call_model", "--cancel", id) == cancelled


def test_ctrl_c_stops_the_worker_too(run: Run, wires: ProviderServer, start: Start) -> None:
    wires.reply(SLOW)
    process = start(*ASK, CLAUDECODE="1")
    assert wait_for_text(run)["text"].startswith("word")
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate()
    assert (process.returncode, workers()) == (130, [])
    assert stderr == "error: interrupted\nnext: the text so far is kept\n"
    assert f">>>\n{kept(run)['text']}\n<<<" in stdout


# --- the worker ends


def test_a_worker_that_is_killed_with_text(run: Run, wires: ProviderServer, start: Start) -> None:
    wires.reply(SLOW)
    process = start(*ASK, CLAUDECODE="1")
    text = wait_for_text(run)["text"]
    (worker,) = workers()
    os.kill(worker, signal.SIGKILL)
    stdout, stderr = process.communicate()
    assert process.returncode == 10
    assert "ended before the answer was whole\nnext: the text so far is kept" in stderr
    assert text in stdout
    document = kept(run)
    assert (document["status"], document["error"]["exit_code"], workers()) == ("partial", 10, [])
    assert ("word " * 4_000).startswith(document["text"])


def test_two_in_the_background_and_one_is_killed(run: Run, wires: ProviderServer, start: Start) -> None:
    wires.reply(*(Reply(text="slow", delay_s=4) for _ in range(2)))
    processes = [start(*ASK, "--background"), start(*ASK, "--background", "--json", CODEX_CI="1")]
    (plain, hint), (as_json, warning) = (process.communicate() for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert len(workers()) == 2
    assert re.fullmatch(rf"{ID}\n", plain)
    assert hint == f"next: python3 {SCRIPTS / 'call_model.py'} --wait {plain}"
    document = json.loads(as_json)
    assert (document["status"], warning) == ("running", f"warning: {CODEX}\n")
    assert document["wait"].endswith(f"--wait {document['run_id']}")
    wires.wait_for(2, LONG_S)
    with closing(database.connect(os.environ)) as connection:
        pids = dict(connection.execute("SELECT id, pid FROM runs"))
    os.kill(pids[document["run_id"]], signal.SIGKILL)
    dead = run("call_model", "--wait", document["run_id"])
    assert (dead.code, dead.stdout) == (8, "")
    assert "ended before the answer was whole\nnext: ask again\n" in dead.stderr
    assert run("call_model", "--wait", plain.strip()) == (0, "slow\n", "")


# --- without a relay


@pytest.mark.parametrize("argv", [["--no-relay"], ["--no-save"]])
def test_plain_behaviour(run: Run, wires: ProviderServer, start: Start, argv: list[str]) -> None:
    """The command asks by itself, and ends by a signal like any other."""
    wires.reply(Reply(text="late", delay_s=15))
    process = start(*ASK, *argv, CLAUDECODE="1")
    wires.wait_for(1, LONG_S)
    assert workers() == ([process.pid] if argv == ["--no-relay"] else [])
    process.terminate()
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (130, "")
    assert stderr == "error: interrupted\nnext: ask again\n"


@pytest.mark.parametrize(("argv", "codes"), [(["--timeout", "0.1"], [9]), (["--background"], [2, 3])])
def test_where_nothing_can_be_kept_nothing_is_promised(
    wires: ProviderServer, start: Start, tmp_path: Path, argv: list[str], codes: list[int]
) -> None:
    """Nobody could wait for the answer, so ``--timeout`` is the call's own limit."""
    (tmp_path / "file").write_text("")
    process = start(*ASK, *argv, CLAUDECODE="1", XDG_STATE_HOME=str(tmp_path / "file" / "below"))
    stdout, stderr = process.communicate()
    assert (process.returncode in codes, stdout, wires.requests) == (True, "", ())
    assert "no history: " in stderr


# --- what is passed on


def test_a_large_answer_passes_whole(run: Run, wires: ProviderServer, start: Start) -> None:
    text = "长 word\n" * 300_000
    wires.reply(Reply(text=text, pieces=(text[:1_000_000], text[1_000_000:])))
    process = start(*ASK, "--json", "-u", CLAUDECODE="1")
    stdout, stderr = process.communicate()
    assert process.returncode == 0
    assert json.loads(stdout)["text"] == text
    assert stderr.startswith("openai/test-model at 127.0.0.1:")
    assert stderr.count("\n") == 1
    assert run("call_model", "--result", "last", "--json").stdout == stdout


# The relay alone, without LiteLLM. argv: scripts, what to do before, the start, the work, patience in seconds.
DRIVER = """
import fcntl, os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from litellm_skill import relay
def work():
    exec(sys.argv[4])
    return 7
exec(sys.argv[2])
try:
    relayed = relay.relay(lambda: exec(sys.argv[3]), work, float(sys.argv[5]))
except OSError:
    files = len(os.listdir('/dev/fd')) - 1
    relayed = f"no worker; {files} files, {len(signal.pthread_sigmask(signal.SIG_BLOCK, []))} signals held back"
print(relayed, file=sys.stderr)
"""
MANY_FILES = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(2000, hard), hard))
for _ in range(1100): os.open(os.devnull, os.O_RDONLY)
"""
OPEN_FILES = """
numbers = [int(n) for n in os.listdir('/dev/fd') if os.path.exists(f'/dev/fd/{n}')]
print(sorted(n for n in numbers if os.get_inheritable(n)))
"""


def drive(work: str, *, before: str = "", start: str = "", patience: float = 20.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, str(SCRIPTS), before, start, work, str(patience)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, text=True)


# The wakeup pipe and the worker's two take six; none is left for the one by which it would say that it has started.
SIX_MORE_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (9, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
"""


@pytest.mark.parametrize(
    ("before", "start"),
    [("", "raise ValueError"), ("", "os.kill(os.getpid(), 9)"), (SIX_MORE_FILES, "")],
    ids=["fails", "killed", "no pipe"],
)
def test_a_worker_that_does_not_start(before: str, start: str) -> None:
    """Then the work is not begun there, and whoever asked may do it; nothing is left over."""
    stdout, stderr = drive("print('worked')", before=before, start=start).communicate(timeout=LONG_S)
    assert (stdout, stderr) == ("", "no worker; 3 files, 0 signals held back\n")


@pytest.mark.parametrize(
    ("before", "work", "said", "relayed"),
    [
        ("", "print('out'); print('err', file=sys.stderr)", "out\n", relay.Relayed(7)),
        ("", "os.kill(os.getpid(), 9)", "", relay.Relayed(relay.KILLED)),
        ("", "sys.exit(3)", "", relay.Relayed(1)),
        ("", "print(repr(sys.stdin.read()))", "''\n", relay.Relayed(7)),
        ("sid = os.getsid(0)", "print(os.getsid(0) != sid)", "True\n", relay.Relayed(7)),
        ("os.dup2(1, 77)", OPEN_FILES, "[0, 1, 2]\n", relay.Relayed(7)),
        (MANY_FILES, "print('out')", "out\n", relay.Relayed(7)),
        ("os.set_blocking(1, False)", "print('x' * 2_000_000)", "x" * 2_000_000 + "\n", relay.Relayed(7)),
        ("import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "", "", relay.Relayed(7)),
        ("", "import subprocess; print(subprocess.call(['true']))", "0\n", relay.Relayed(7)),
    ],
    ids=["streams", "killed", "exits", "stdin", "session", "files", "many", "non-blocking", "ignored", "children"],
)
def test_what_a_worker_does(before: str, work: str, said: str, relayed: relay.Relayed) -> None:
    stdout, stderr = drive(work, before=before).communicate(timeout=LONG_S)
    assert stdout == said
    assert stderr == ("err\n" if "err" in work else "") + f"{relayed}\n"


def test_an_answer_that_has_begun_is_printed_to_its_end() -> None:
    """The reader is slower than the relay's time: half a document would be of no use."""
    process = drive("print('x' * 500_000)", patience=0.5)
    time.sleep(1.5)
    stdout, stderr = process.communicate(timeout=LONG_S)
    assert (len(stdout), stderr) == (500_001, f"{relay.Relayed(7)}\n")


def test_a_reader_that_has_gone_does_not_end_the_work(tmp_path: Path) -> None:
    process = drive("print('x' * 500_000); open('done', 'w').close()")
    assert process.stdout
    process.stdout.close()
    assert process.wait(LONG_S) == 0
    assert Path("done").exists()
    assert process.stdin
    assert process.stderr
    process.stdin.close()
    with process.stderr:
        assert process.stderr.read() == f"{relay.Relayed(7)}\n"


def test_what_the_worker_started_is_not_waited_for() -> None:
    """It holds the worker's pipes open."""
    process = drive("import subprocess; print(subprocess.Popen(['sleep', '60']).pid)")
    stdout, stderr = process.communicate(timeout=LONG_S)
    os.kill(int(stdout), signal.SIGKILL)
    assert stderr == f"{relay.Relayed(7)}\n"
