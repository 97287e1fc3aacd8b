"""The warm worker: what it answers is what a cold run answers, whatever the caller is, and nothing it does can hang."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from provider_server import Call, ProviderServer, Reply
from warm_skill import TIMEOUT_S, WarmSkill, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="made for Linux")
ASK = ("call_model", "hi", "-m", "openai/test-model")
KEY = "key-of-openai-" + "0123456789" * 2
# What differs from run to run, warm or not.
VARYING = (
    (r"\d{8}-\d{6}-[0-9a-f]{6}", "ID"),
    (r'("(?:latency_s|first_token_s|seconds)": )[\d.]+', r"\1T"),
    (r"untrusted-[0-9a-f]+", "untrusted-ID"),
    (r"/state/(warm|cold)", "/state"),
    (r"\d+(\.\d+)? s\b", "T s"),
    (r"warm worker: .*", "warm worker"),
)


@pytest.fixture(scope="module")
def skill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmSkill]:
    with serving(tmp_path_factory.mktemp("warm")) as skill:
        yield skill


@pytest.fixture
def own(tmp_path: Path) -> Iterator[WarmSkill]:
    """One whose worker may be harmed."""
    with serving(tmp_path / "own") as skill:
        yield skill


def keys(provider: ProviderServer) -> dict[str, str]:
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{provider.url}/v1"}


def plain(text: str) -> str:
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return text


def both(skill: WarmSkill, *argv: str, served: bool = True, **how) -> tuple[list[str | int], list[str | int]]:
    """Exit code, stdout and stderr of a cold and of a warm run."""
    cold = skill.run(*argv, warm=False, **how)
    with skill.only_warm() if served else contextlib.nullcontext():
        warm = skill.run(*argv, warm=True, **how)
    return [cold.code, plain(cold.stdout), plain(cold.stderr)], [warm.code, plain(warm.stdout), plain(warm.stderr)]


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("call_model", "--demo", "say hi", "--json"), 0),
        (("call_model", "--demo", "-"), 0),
        (("call_model", "hi", "--no-such-flag"), 2),
        (("call_model", "hi", "-f", "absent", "--demo"), 2),
        (("call_model", "hi"), 3),
        (("call_model", "hi", "-m", "openai/test-model", "--json"), 3),
        (("call_model", "hi", "-m", "gpt4o"), 4),
        (("call_model", "hi", "-m", "openai/test-model", "--dry-run"), 0),
        (("call_model", "--result", "none-such"), 2),
        (("compare_models", "--demo", "hi", "--json"), 0),
        (("cheap_route", "Which label: bug or feature?", "-m", "openai/test-model", "--dry-run"), 2),
        (("review_code", "--demo", "-f", "note.txt"), 0),
        (("embed_text", "hi"), 3),
        (("list_models", "--query", "gpt", "--no-endpoints", "--all"), 0),
        (("doctor", "--no-endpoints"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_same_as_a_cold_run(skill: WarmSkill, argv: tuple[str, ...], code: int) -> None:
    (skill.root / "work" / "note.txt").write_text("a note\n")
    cold, warm = both(skill, *argv, stdin="from a pipe")
    assert warm == cold
    assert cold[0] == code


@pytest.mark.parametrize(
    ("reply", "more", "code"),
    [
        (Reply(text="pong"), ("--json", "--system", "be brief"), 0),
        (Reply(text="pong"), ("--out", "answer.txt", "--force"), 0),
        (Reply(status=500), ("--retries", "0"), 8),
        (Reply(text="cut off here", stop_after=1), ("--retries", "0"), 10),
    ],
    ids=["json", "file", "broken", "cut"],
)
def test_a_call_is_the_same(
    skill: WarmSkill, provider: ProviderServer, reply: Reply, more: tuple[str, ...], code: int
) -> None:
    provider.reply(reply, reply)
    cold, warm = both(skill, *ASK, *more, env=keys(provider))
    assert warm == cold
    assert cold[0] == code
    assert provider.requests[0].body == provider.requests[1].body
    assert {request.headers["authorization"] for request in provider.requests} == {f"Bearer {KEY}"}


def test_functions_run_apart(skill: WarmSkill, provider: ProviderServer) -> None:
    (skill.root / "work" / "adds.py").write_text("def add(a: int, b: int) -> int:\n    return a + b\n")
    for _ in range(2):
        provider.reply(Reply(calls=(Call("add", '{"a": 2, "b": 3}'),)), Reply(text="five"))
    cold, warm = both(skill, *ASK, "--functions", "adds.py", "-v", env=keys(provider))
    assert warm == cold
    assert warm[:2] == [0, "five\n"]
    assert [message["content"] for message in provider.requests[3].body["messages"][-1:]] == ["5"]


def test_in_the_background(skill: WarmSkill, provider: ProviderServer) -> None:
    """The child's own child is nobody's, and waited for by whoever asks for it."""
    provider.reply(Reply(text="in its own time", piece_delay_s=0.3))
    with skill.only_warm():
        begun = skill.run(*ASK, "--background", warm=True, env=keys(provider))
        found = skill.run("call_model", "--wait", begun.stdout.strip(), warm=True, env=keys(provider))
    assert (begun.code, found) == (0, (0, "in its own time\n", ""))


HANDLED = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"


@pytest.mark.parametrize(
    "body",
    [
        "return 7",
        "sys.exit('no')",
        "print('unflushed', end='')",
        "raise RuntimeError('a bug')",
        "os.write(1, b'x' * 300_000)",
        "print(sys.stdin.read()[::-1], file=sys.stderr)",
        "sys.stdout = open('/dev/full', 'w'); sys.stdout.write('lost')",
        "os.kill(os.getpid(), 9)",
        f"{HANDLED}os.kill(os.getpid(), 15)",
        "import random, uuid, subprocess; return subprocess.call(['sh', '-c', 'cat; echo $X; umask; pwd; exit 6'])",
    ],
)
def test_how_a_script_ends(skill: WarmSkill, body: str) -> None:
    cold, warm = both(skill, "does", body, stdin="foo", env={"X": "y"})
    assert warm == cold


@pytest.mark.parametrize(
    "more", [{}, {"LANG": "C"}, {"TZ": "Asia/Tokyo", "X": "\udce4\n=\u00fc"}], ids=["", "C", "odd"]
)
def test_what_a_script_sees(skill: WarmSkill, more: dict[str, str]) -> None:
    skill.serve(env={"LANG": "C"})
    how = {"env": more, "umask": 0o027, "cwd": skill.root / "home"}
    cold = skill.run("tell", "a", "b c", "\udce4", warm=False, **how)
    with skill.only_warm():
        warm = skill.run("tell", "a", "b c", "\udce4", warm=True, **how)
    one, other = (json.loads(outcome.stdout) for outcome in (cold, warm))
    for told in (one, other):
        told["environ"] = {name: value for name, value in told["environ"].items() if name not in OWN}
    assert other.pop("descriptors") == one.pop("descriptors") + 1  # the line to the caller
    assert other == one


OWN = ("LITELLM_SKILL_WARM", "XDG_STATE_HOME", "TIKTOKEN_CACHE_DIR")  # the last is set by LiteLLM's import


@pytest.mark.parametrize("setting", [signal.SIG_IGN, signal.SIG_DFL])
def test_signals_it_was_started_with(skill: WarmSkill, setting: signal.Handlers) -> None:
    """As nohup and a shell's background jobs set them."""

    def before() -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1):
            signal.signal(number, setting)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])

    told = []
    for warm in (False, True):
        with skill.only_warm() if warm else contextlib.nullcontext():
            outcome = skill.run("tell", warm=warm, preexec_fn=before)
        told.append([json.loads(outcome.stdout)[name] for name in ("ignored", "handled", "blocked")])
    assert told[0] == told[1]
    assert int(signal.SIGUSR2) in told[0][2]


@contextlib.contextmanager
def streaming(skill: WarmSkill, provider: ProviderServer, **how) -> Iterator[subprocess.Popen[str]]:
    """A warm call that has shown the beginning of its answer, and will not end by itself."""
    provider.reply(Reply(text="soon never", pieces=("soon", " never"), piece_delay_s=15))
    environ = keys(provider) | how.pop("env", {})
    with skill.only_warm(), skill.start(*ASK, warm=True, env=environ, **how) as process:
        try:
            assert process.stdout
            assert process.stdout.read(4) == "soon"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_answer_is_kept(skill: WarmSkill, provider: ProviderServer, number: signal.Signals) -> None:
    with streaming(skill, provider) as process:
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, stdout) == (130, "\n")
    assert stderr == "error: interrupted\nnext: the text so far is kept\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_nothing_handles(skill: WarmSkill, number: signal.Signals) -> None:
    """Its end is the caller's, traceback and all."""
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored by whoever started the tests, as nohup has it")
    ends = []
    for warm in (False, True):
        served = skill.only_warm() if warm else contextlib.nullcontext()
        body = "print('on', flush=True); import time; time.sleep(60)"
        with served, skill.start("does", body, warm=warm) as process:
            assert process.stdout
            assert process.stdout.readline() == "on\n"
            process.send_signal(number)
            ends.append((*process.communicate(timeout=TIMEOUT_S), process.returncode))
    assert ends[0] == ends[1]
    assert ends[0][2] == (130 if number == signal.SIGINT else -number)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGUSR1])
def test_the_caller_s_end_is_the_child_s(skill: WarmSkill, provider: ProviderServer, number: signal.Signals) -> None:
    with streaming(skill, provider) as process:
        (child,) = skill.children()
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == -number
        gone(child)
    assert skill.run("does", "return 3", warm=True).code == 3


def gone(pid: int) -> None:
    """Wait until it is. A zombie is."""
    deadline = time.monotonic() + TIMEOUT_S
    with contextlib.suppress(OSError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X"):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_what_a_killed_group_leaves_behind(skill: WarmSkill, provider: ProviderServer) -> None:
    """Under an agent the run goes on when the host kills its command's whole group."""
    provider.reply(Reply(text="soon there", pieces=("soon", " there"), piece_delay_s=2))
    env = keys(provider) | {"CLAUDECODE": "1"}
    with skill.only_warm():
        process = skill.start(*ASK, warm=True, env=env, start_new_session=True)
        while not provider.requests:
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        found = skill.run("call_model", "--wait", "last", warm=True, env=env)
    assert found.code == 0
    assert "soon there" in found.stdout


def test_ctrl_z_and_ctrl_c_on_a_terminal(skill: WarmSkill) -> None:
    """A shell's foreground job: stopped, continued and interrupted, and the terminal is its."""
    job = (
        "print(sys.stdin.isatty(), sys.stdout.isatty(), sys.stdin.readline(), flush=True)\nimport time\n"
        "for number in range(600):\n    print(number, flush=True)\n    time.sleep(0.05)"
    )
    with skill.only_warm():
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(skill.root / "work")
            os.execve(sys.executable, [sys.executable, "-c", SHELL, *skill.command("does", job)], skill.environ(True))
        with open(terminal, "rb", buffering=0) as screen:
            os.write(terminal, b"typed\n")
            shown = read_until(screen, rb"True True typed\r\n\r\n0\r\n")
            os.write(terminal, b"\x1a")
            shown += read_until(screen, rb"stopped by 20\r\n")
            time.sleep(1)
            os.write(terminal, b"g\n")
            shown += read_until(screen, rb"\n\d+\r\n\d+\r\n")
            os.write(terminal, b"\x03")
            shown += read_until(screen, rb"ended with 130\r\n")
    os.waitpid(pid, 0)
    numbers = [int(number) for number in re.findall(rb"(?m)^(\d+)\r$", shown)]
    assert numbers == list(range(len(numbers)))
    before, _, after = shown.partition(b"stopped by")
    assert after.count(b"\n") < before.count(b"\n") + 15  # it did not go on while it was stopped


# A shell with job control, for one job: it says how it stopped, waits for a key, brings it back, says how it ended.
SHELL = """
import os, signal, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
modes = termios.tcgetattr(0)
modes[3] |= termios.NOFLSH  # else a signal's key drops what the terminal has not shown yet
termios.tcsetattr(0, termios.TCSANOW, modes)
job = os.fork()
if not job:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(job, os.WUNTRACED)
os.tcsetpgrp(0, os.getpgrp())
print("stopped by", os.WSTOPSIG(status), flush=True)
sys.stdin.readline()
os.tcsetpgrp(0, job)
os.killpg(job, signal.SIGCONT)
_, status = os.waitpid(job, 0)
os.tcsetpgrp(0, os.getpgrp())
print("ended with", os.waitstatus_to_exitcode(status), flush=True)
"""


def read_until(screen, pattern: bytes) -> bytes:
    text = b""
    while not re.search(pattern, text):
        ready, _, _ = select.select([screen], [], [], TIMEOUT_S)
        assert ready, text
        text += screen.read(4096)
    return text
