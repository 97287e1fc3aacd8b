"""Fixtures of every test: the played provider, a bare environment, loopback only, scripts run in-process."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from provider_server import ProviderServer
from xdist.scheduler import LoadScopeScheduling

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
PROCESS_TIMEOUT_S = 60.0
KEYS = {f"{vendor}_API_KEY": f"key-of-{vendor.lower()}-0123456789" for vendor in ("OPENAI", "ANTHROPIC", "GEMINI")}

# Everything else goes: keys, addresses, proxies, certificates, host markers, git's and LiteLLM's settings.
# A list of what to remove would miss the next provider's.
KEPT_NAMES = {"PATH", "LANG", "LANGUAGE", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR", "TMP", "TEMP"}
KEPT_NAMES |= {"SYSTEMROOT", "COMSPEC", "PATHEXT", "WINDIR"}
KEPT_PREFIXES = ("LC_", "PYTEST_", "PYTHON", "UV_", "PIP_", "COVERAGE_")


# Their tests share a server that is slow to start, or large: one worker has them all.
SHARING = {"test_proxy.py": "proxy", "test_warm.py": "warm", "test_warm_worker.py": "warm"}


class Together(LoadScopeScheduling):
    """Each test by itself but for those that share. By file: pytest 9.2 loses the marks of ``--dist=loadgroup``."""

    def _split_scope(self, nodeid: str) -> str:
        return SHARING.get(Path(nodeid.partition("::")[0]).name, nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


class Outcome(NamedTuple):
    """What a command did: exit code, and the text of both streams."""

    code: int
    stdout: str
    stderr: str


class LeftLoopback(AssertionError):
    """The code under test tried to reach another machine."""


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server
    assert server.failures == []


@pytest.fixture
def wires(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    """The provider behind each vendor's own address variable, and a key for each."""
    addresses = {"OPENAI_BASE_URL": "/v1", "ANTHROPIC_BASE_URL": "", "GEMINI_API_BASE": "/v1beta"}
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for name, path in addresses.items():
        monkeypatch.setenv(name, provider.url + path)
    return provider


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path) -> Iterator[None]:
    """No setting of the machine or of the host agent reaches a test, none of a test's reaches the next.

    Not by ``monkeypatch``: the code under test sets variables of its own (LiteLLM's switches), and a
    test's ``monkeypatch`` must be undone before the environment is put back.
    """
    before = dict(os.environ)
    kept = {name: value for name, value in before.items() if _kept(name)}
    os.environ.clear()
    os.environ.update(kept | _private_directories(tmp_path))
    work = tmp_path / "work"
    work.mkdir()
    with contextlib.chdir(work):
        yield
    os.environ.clear()
    os.environ.update(before)


def _kept(name: str) -> bool:
    return name.upper() in KEPT_NAMES or name.upper().startswith(KEPT_PREFIXES)


def _private_directories(root: Path) -> dict[str, str]:
    places = {"HOME": "home", "USERPROFILE": "home", "XDG_CONFIG_HOME": "config"}
    places |= {"XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data"}
    for directory in set(places.values()):
        (root / directory).mkdir()
    return {name: str(root / directory) for name, directory in places.items()}


@pytest.fixture(scope="session")
def escapes() -> Iterator[list[str]]:
    """Refuse, below every library, to connect or to resolve a name outside this machine."""
    tried: list[str] = []

    def guarded(original: Callable[..., Any], host_of: Callable[..., object]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            host = host_of(*args, **kwargs)
            if not _is_local(host):
                tried.append(str(host))
                raise LeftLoopback(f"a test tried to reach {host!r}")
            return original(*args, **kwargs)

        return call

    def peer(sock: socket.socket, address: Any) -> object:
        return address[0] if sock.family in (socket.AF_INET, socket.AF_INET6) else None

    def name(host: object, *args: object, **kwargs: object) -> object:
        if str(host).rstrip(".").endswith(".invalid"):  # resolves nowhere (RFC 6761), so nobody is asked
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return host

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect, peer))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex, peer))
        patch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, name))
        yield tried


def _is_local(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def loopback_only(escapes: list[str]) -> Iterator[None]:
    """Fail a test that tried to leave, even if the code under test made an ordinary error of the refusal."""
    escapes.clear()
    yield
    assert escapes == []


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """``run("call_model", "--demo", "hi", stdin=b"")`` calls that script's ``main`` in this process.

    ``stdin`` is what a pipe holds before it ends, or a file descriptor of the test's own (a pipe left
    open, a terminal). The name may also be a path without ``.py``.
    """

    def call(name: str, *argv: str, stdin: bytes | int = b"") -> Outcome:
        script = _load(SCRIPTS / f"{name}.py")
        capfd.readouterr()
        with _standard_input(stdin):
            code = _exit_code(script, list(argv))
        return Outcome(code, *capfd.readouterr())

    return call


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _exit_code(script: ModuleType, argv: list[str]) -> int:
    """argparse leaves by ``SystemExit``; like the interpreter, a text there is printed and means 1."""
    try:
        return script.main(argv)
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)


@contextlib.contextmanager
def _standard_input(source: bytes | int) -> Iterator[None]:
    """File descriptor 0 and ``sys.stdin`` are ``source``."""
    with contextlib.ExitStack() as stack:
        if isinstance(source, bytes):
            source = stack.enter_context(_pipe(source))
        original, before = os.dup(0), sys.stdin
        stack.callback(os.close, original)
        os.dup2(source, 0)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  closed below
        try:
            yield
        finally:
            sys.stdin.close()
            sys.stdin = before
            os.dup2(original, 0)


@contextlib.contextmanager
def _pipe(content: bytes) -> Iterator[int]:
    """The reading end of a pipe that holds ``content`` and then ends."""
    reading, writing = os.pipe()

    def fill() -> None:
        with contextlib.suppress(BrokenPipeError), open(writing, "wb") as pipe:
            pipe.write(content)

    writer = threading.Thread(target=fill)
    writer.start()
    try:
        yield reading
    finally:
        os.close(reading)
        writer.join()


@pytest.fixture
def interrupted(provider: ProviderServer) -> Callable[..., Outcome]:
    """``interrupted("cheap_route", "hi", after=2)``: the command in a process that gets SIGINT when the provider has
    had so many requests, and it has read what came."""

    def call(name: str, *argv: str, after: int) -> Outcome:
        command = [sys.executable, str(SCRIPTS / f"{name}.py"), *argv]
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, **pipes, text=True) as process:
            until = time.monotonic() + PROCESS_TIMEOUT_S
            while len(provider.requests) < after and time.monotonic() < until:
                time.sleep(0.02)
            _rests(process.pid)
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=PROCESS_TIMEOUT_S)
        return Outcome(process.returncode, stdout, stderr)

    return call


def _rests(pid: int) -> None:
    """Wait until it has used no processor for a while; a while, where the system does not tell."""
    stat, before = Path(f"/proc/{pid}/stat"), None
    while True:
        used = stat.read_text().rpartition(")")[2].split()[11:13] if stat.exists() else []
        if used == before:
            return
        before = used
        time.sleep(1)


@pytest.fixture
def run_process() -> Callable[..., Outcome]:
    """The same as ``run`` in a process of its own, with exactly ``env``; killed after ``timeout`` seconds."""

    def call(
        name: str,
        *argv: str,
        env: Mapping[str, str],
        stdin: bytes = b"",
        timeout: float = PROCESS_TIMEOUT_S,
        python: str | Path = sys.executable,
    ) -> Outcome:
        command = [str(python), str(SCRIPTS / f"{name}.py"), *argv]
        done = subprocess.run(command, input=stdin, capture_output=True, env=env, timeout=timeout, check=False)
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call
