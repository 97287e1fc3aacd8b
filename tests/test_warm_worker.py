"""The warm worker where something is wrong: hostile callers, a worker that is dead, stopped or old, other settings.
Whatever it is, the command is done once, and right."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from litellm_skill import errand, quarters, warmer
from provider_server import ProviderServer, Reply
from warm_skill import BASE, TIMEOUT_S, WarmSkill, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="made for Linux")
ASK = ("call_model", "hi", "-m", "openai/test-model")
KEY = "key-of-openai-" + "9876543210" * 2
COLD = 99  # only_warm's
NOTE = "open('done', 'a').write('x'); return 4"


@pytest.fixture(scope="module")
def skill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmSkill]:
    with serving(tmp_path_factory.mktemp("warm")) as skill:
        yield skill


def line(skill: WarmSkill) -> socket.socket:
    """To the worker that serves."""
    (path,) = (skill.root / "run" / "litellm-skill").glob("*.sock")
    found = socket.socket(socket.AF_UNIX)
    found.settimeout(TIMEOUT_S)
    with contextlib.chdir(path.parent):  # the whole path may be too long for an address
        found.connect(path.name)
    return found


def task(path: str) -> bytes:
    return errand.pack(errand.Errand(path, [path], {b"X": b"y"}, 0o22, [], []))


@pytest.mark.parametrize(
    ("said", "files"),
    [
        (b"", 0),
        (b"\0" * 100, 4),
        (b"\xff" * 100, 4),
        (bytes(range(256)) * 400, 4),
        ((10).to_bytes(8, "big") + b"half", 4),
        ((4).to_bytes(8, "big") + b"more than that", 4),
        (task("/bin/sh"), 0),
        (task("scripts/../../x.py"), 0),
        (task(""), 9),
    ],
    ids=["none", "zeros", "ones", "all", "half", "more", "foreign", "beside", "files"],
)
def test_hostile_bytes(skill: WarmSkill, said: bytes, files: int) -> None:
    with line(skill) as caller, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        socket.send_fds(caller, [said], [caller.fileno()] * files) if files else caller.sendall(said)
        caller.shutdown(socket.SHUT_WR)
        heard = b""
        while piece := caller.recv(100):
            heard += piece
        assert heard == errand.ACCEPTED
    with skill.only_warm():
        assert skill.run("does", "return 4", warm=True).code == 4


def test_callers_that_say_nothing_hold_nobody_up(skill: WarmSkill) -> None:
    with contextlib.ExitStack() as callers, skill.only_warm():
        for _ in range(30):
            callers.enter_context(line(skill))
        assert skill.run("does", "return 4", warm=True).code == 4


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user")
def test_another_user_gets_no_answer(skill: WarmSkill) -> None:
    """Even where the folder does not keep him out."""
    folder = skill.root / "run" / "litellm-skill"
    (path,) = folder.glob("*.sock")

    def speak() -> None:
        """Between fork and exec: the interpreter may be where no other user comes."""
        os.chdir(folder)
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX) as stranger:
            try:
                stranger.connect(path.name)
                os.write(1, b"heard %r" % stranger.recv(1))
            except OSError as error:
                os.write(1, type(error).__name__.encode())
        os._exit(0)

    said = []
    for mode, of_socket in ((0o700, 0o600), (0o711, 0o777)):
        folder.chmod(mode)
        path.chmod(of_socket)
        said.append(subprocess.run([BASE], stdout=subprocess.PIPE, preexec_fn=speak, check=True).stdout)
    folder.chmod(0o700)
    assert said == [b"PermissionError", b"heard b''"]


def test_a_folder_that_others_can_enter_is_not_used(skill: WarmSkill) -> None:
    folder = skill.root / "run" / "litellm-skill"
    folder.chmod(0o755)
    try:
        with skill.only_warm():
            assert skill.run("does", "return 4", warm=True).code == COLD
    finally:
        folder.chmod(0o700)


def nicer() -> None:
    os.nice(1)


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def confined() -> None:
    """As in the sandboxes of host agents: no new privileges."""
    import ctypes

    ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)


def elsewhere() -> None:
    os.unshare(CLONE_NEWUTS)


CLONE_NEWUTS = 0x04000000
SITUATIONS = [nicer, limited, confined]
if hasattr(os, "unshare") and os.getuid() == 0:
    SITUATIONS.append(elsewhere)


@pytest.mark.parametrize("before", SITUATIONS)
def test_a_caller_in_another_situation(skill: WarmSkill, before: Callable[[], None]) -> None:
    with skill.only_warm():
        assert skill.run("does", "return 4", warm=True, preexec_fn=before).code == COLD


@pytest.mark.parametrize(("before", "ready"), [(lambda: None, True), *((before, False) for before in SITUATIONS)])
def test_a_sandboxed_caller_that_knows_the_socket(skill: WarmSkill, before: Callable[[], None], ready: bool) -> None:
    """No child outside of its sandbox works for it."""
    script = str(skill.folder / "scripts" / "does.py")

    def speak() -> None:
        before()
        with line(skill) as caller:
            caller.sendall(task(script))
            os.write(1, caller.recv(1) + caller.recv(1))
        os._exit(0)

    done = subprocess.run([BASE], stdout=subprocess.PIPE, preexec_fn=speak, check=True)
    assert done.stdout == (errand.ACCEPTED + errand.READY if ready else errand.ACCEPTED)


@pytest.mark.parametrize(
    ("more", "file", "code"),
    [
        ({}, "", 4),
        ({"LITELLM_SKILL_WARM": "0"}, "LITELLM_SKILL_WARM=1", COLD),
        ({"LITELLM_SKILL_WARM": ""}, "export LITELLM_SKILL_WARM='1'  # quick", 4),
        ({"LITELLM_SKILL_WARM": ""}, "", COLD),
        ({"REQUEST_TIMEOUT": "7"}, "", COLD),
        ({}, "REQUEST_TIMEOUT=7", COLD),
        ({"AZURE_OPENAI_AD_TOKEN": "none"}, "", COLD),
        ({"SSL_CERT_FILE": "/etc/hostname"}, "", COLD),
        ({"OPENAI_API_KEY": KEY, "HTTPS_PROXY": "http://127.0.0.1:1"}, "", 4),
    ],
)
def test_settings(skill: WarmSkill, more: dict[str, str], file: str, code: int) -> None:
    """What LiteLLM reads as it is imported must be what the worker imported it with."""
    (skill.root / "work" / ".env").write_text("LITELLM_SKILL_WARM=1\n")  # says nothing
    own = skill.root / "config" / "litellm-skill"
    own.mkdir(exist_ok=True)
    (own / ".env").write_text(f"{file}\n")
    try:
        with skill.only_warm():
            assert skill.run("does", "return 4", warm=True, env=more).code == code
    finally:
        (own / ".env").unlink()


def test_a_settings_file_that_is_a_pipe(skill: WarmSkill) -> None:
    own = skill.root / "config" / "litellm-skill"
    own.mkdir(exist_ok=True)
    os.mkfifo(own / ".env")
    try:
        with skill.only_warm():
            assert skill.run("does", "return 4", warm=True).code == 4
    finally:
        (own / ".env").unlink()


def test_other_code_or_packages_are_not_served(skill: WarmSkill) -> None:
    code, mark = skill.folder / "scripts" / "litellm_skill" / "faults.py", skill.environment / "packages.txt"
    for changed in (code, mark):
        before = changed.stat()
        changed.touch()
        with skill.only_warm():
            assert skill.run("does", "return 4", warm=True).code == COLD
        os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
        with skill.only_warm():
            assert skill.run("does", "return 4", warm=True).code == 4
    skill.environment.rename(skill.root / "aside")
    offline = {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1", "PATH": "/none", "UV_PYTHON_DOWNLOADS": "never"}
    assert skill.run("does", "return 4", warm=True, env=offline).code == 3
    (skill.root / "aside").rename(skill.environment)


def test_no_key_stays(skill: WarmSkill, provider: ProviderServer) -> None:
    provider.reply(Reply(text="pong"))
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{provider.url}/v1"}
    with skill.only_warm():
        assert skill.run(*ASK, warm=True, env=env).stdout == "pong\n"
        seen = skill.run("does", "return len([n for n in os.environ if n.endswith('_API_KEY')])", warm=True)
    assert seen.code == 0
    held = b"".join(memory(pid) for pid in skill.pids())
    assert str(skill.folder).encode() in held
    assert KEY.encode() not in held


def memory(pid: int) -> bytes:
    parts = []
    maps = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if " rw" in line]
    with Path(f"/proc/{pid}/mem").open("rb") as file:
        for row in maps:
            begin, end = (int(part, 16) for part in row[0].split("-"))
            file.seek(begin)
            with contextlib.suppress(OSError):
                parts.append(file.read(end - begin))
    return b"".join(parts)


def test_nothing_of_one_command_is_there_for_the_next(skill: WarmSkill) -> None:
    """Not its random numbers either."""
    body = (
        "import random, uuid, litellm, litellm_skill as s\n"
        "print(random.random(), uuid.uuid4(), getattr(s, 'left', 0), litellm.api_key, os.umask(0))\n"
        "s.left, litellm.api_key = 1, 'x'"
    )
    with skill.only_warm():
        first, second = (skill.run("does", body, warm=True).stdout.split() for _ in range(2))
    assert first[2:] == second[2:] == ["0", "None", str(0o22)]
    assert not {*first[:2]} & {*second[:2]}


def test_a_worker_that_hangs(skill: WarmSkill) -> None:
    """The command is done cold; the worker, when it goes on, does not do it once more."""
    (worker,) = skill.parents()
    (skill.root / "work" / "done").unlink(missing_ok=True)
    os.kill(worker, signal.SIGSTOP)
    try:
        assert skill.run("does", NOTE, warm=True).code == 4
    finally:
        os.kill(worker, signal.SIGCONT)
    with skill.only_warm():
        assert skill.run("does", NOTE, warm=True).code == 4
    assert (skill.root / "work" / "done").read_text() == "xx"


def test_descriptors_by_number_are_the_caller_s_alone(skill: WarmSkill) -> None:
    with skill.only_warm():
        assert [skill.run("does", "return 0", *argv, warm=True).code for argv in ((), ("/dev/fd/3",))] == [0, COLD]


def test_there_are_four_workers_at_most(tmp_path: Path) -> None:
    """Of commands each of which is in a sandbox of its own."""
    place = quarters.Quarters(os.open(tmp_path, os.O_RDONLY))
    held = [place.lock(str(number)) for number in range(warmer.MOST)]
    assert None not in held
    assert not warmer.start(place, sys.executable, "another", {})
    assert not Path(tmp_path, "another.lock").read_text()
    for number in held:
        os.close(number or -1)
    assert place.held() == []
    place.close()


def test_doctor(skill: WarmSkill) -> None:
    def doctor(**how) -> tuple[int, str]:
        outcome = skill.run("doctor", "--warm", "status", warm=True, **how)
        return outcome.code, outcome.stdout

    (worker,) = skill.parents()
    assert doctor() == (0, f"ok       warm worker: serves (process {worker})\n")
    assert doctor(env={"LITELLM_SKILL_WARM": ""}) == (0, "ok       warm worker: off (LITELLM_SKILL_WARM)\n")
    assert doctor(env={"REQUEST_TIMEOUT": "7"}) == (0, "ok       warm worker: on: the next command starts it\n")
    code, said = doctor(env={"SSL_KEY": "none"})
    assert (code, said.partition(" -> ")[2]) == (0, "unset SSL_KEY\n")
    first = skill.run("doctor", "--no-endpoints", warm=False).stdout
    assert "ok       warm worker: off (LITELLM_SKILL_WARM)\n" in first


def test_one_worker_and_its_end(tmp_path: Path, provider: ProviderServer) -> None:
    """Many first commands at once start one; a command outlives it, and the next one starts another."""
    skill = WarmSkill(tmp_path / "own")
    provider.reply(Reply(text="soon there", pieces=("soon", " there"), piece_delay_s=1))
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{provider.url}/v1"}
    try:
        first = [skill.start("does", "return 4", warm=True) for _ in range(6)]
        assert [process.communicate() and process.returncode for process in first] == [4] * 6
        skill.serve()
        (worker,) = skill.parents()
        with skill.only_warm(), skill.start(*ASK, warm=True, env=env) as process:
            assert process.stdout
            assert process.stdout.read(4) == "soon"
            os.kill(worker, signal.SIGKILL)
            assert process.communicate(timeout=TIMEOUT_S) == (" there\n", "")
            assert process.returncode == 0
        assert skill.run("does", NOTE, warm=True).code == 4
        assert (skill.root / "work" / "done").read_text() == "x"
        skill.serve()
        (another,) = skill.parents()
        assert another != worker
        os.kill(another, signal.SIGTERM)
        deadline = time.monotonic() + TIMEOUT_S
        while skill.pids():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert list((skill.root / "run" / "litellm-skill").glob("*.sock")) == []
    finally:
        skill.end()
