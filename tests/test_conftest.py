"""What ``conftest.py`` promises: a bare environment, loopback only, commands run in-process, no error swallowed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module", autouse=True)
def _hostile_machine() -> Iterator[None]:
    """Settings that ``clean_environment`` has to keep away from every test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MADE_UP_API_KEY", "OPENAI_BASE_URL", "https_proxy", "CLAUDECODE", "LLM_MODEL"):
            patch.setenv(name, "http://192.0.2.1:9")
        yield


PROBE = """
import os, sys

def main(argv=None):
    said = "" if argv == ["--unread"] else sys.stdin.read()
    sys.stdout.write(f"{argv} {sys.stdin.isatty()} {sys.stdin.fileno()} {said}")
    sys.stdout.flush()
    os.write(2, b"to the descriptor")
    if argv == ["--leave"]:
        sys.exit(2)
    return 7

if __name__ == "__main__":
    print(sorted(os.environ))
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def probe(tmp_path: Path) -> str:
    (tmp_path / "probe.py").write_text(PROBE)
    return str(tmp_path / "probe")


@pytest.mark.parametrize(("argv", "code"), [([], 7), (["--leave"], 2)])
def test_run_gives_code_and_streams(run: Callable[..., Any], probe: str, argv: list[str], code: int) -> None:
    outcome = run(probe, *argv, stdin="四".encode())
    assert outcome == (code, f"{argv} False 0 四", "to the descriptor")


def test_run_takes_a_descriptor_and_more_input_than_a_pipe_holds(run: Callable[..., Any], probe: str) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from my own pipe")
    os.close(writing)
    assert "from my own pipe" in run(probe, stdin=reading).stdout
    os.close(reading)
    assert run(probe, stdin=b"x" * 1_000_000).stdout.endswith("x" * 1_000_000)
    assert run(probe, "--unread", stdin=b"x" * 1_000_000).code == 7


def test_run_process_has_only_the_given_environment(run_process: Callable[..., Any], probe: str) -> None:
    outcome = run_process(probe, "a", env={"ONLY": "this"}, stdin="四".encode())
    assert (outcome.code, outcome.stderr) == (7, "to the descriptor")
    assert "'ONLY'" in outcome.stdout
    assert "PATH" not in outcome.stdout


def test_environment_is_bare_and_private(tmp_path: Path) -> None:
    assert [name for name, value in os.environ.items() if "192.0.2.1" in value] == []
    assert Path.cwd() == (tmp_path / "work").resolve()
    assert list(Path.cwd().iterdir()) == []
    assert Path.home() == tmp_path / "home"


@pytest.mark.parametrize("address", [("192.0.2.1", 9), ("2001:db8::1", 9), ("provider.example", 443)])
def test_nothing_leaves_loopback(escapes: list[str], address: tuple[str, int]) -> None:
    with pytest.raises(AssertionError, match="tried to reach"):
        socket.create_connection(address)
    assert escapes == [address[0]]  # which ``loopback_only`` fails the test for, whoever caught the error
    escapes.clear()


SWALLOWED = """
import contextlib, http.client, socket

def test_swallows_the_refusal():
    with contextlib.suppress(BaseException):
        socket.create_connection(("192.0.2.1", 9))

def test_makes_the_server_fail(provider):
    provider.reply(None)
    connection = http.client.HTTPConnection("127.0.0.1", provider.server_address[1])
    connection.request("POST", "/v1/responses", '{"model": "test-model", "input": "hi"}')
    with contextlib.suppress(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()
"""


def test_fixtures_fail_a_test_that_swallowed_the_error(tmp_path: Path) -> None:
    (tmp_path / "test_swallowed.py").write_text(SWALLOWED)
    # A folder of its own: else it removes those of earlier runs as it ends, which may take a minute.
    options = ["-q", "-p", "conftest", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base")]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    env = dict(os.environ, PYTHONPATH=str(Path(__file__).parent))
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert "2 passed, 2 errors" in done.stdout
    assert "assert ['192.0.2.1'] == []" in done.stdout
    assert "assert [AttributeErr" in done.stdout


def test_reserved_name_does_not_resolve() -> None:
    with pytest.raises(socket.gaierror):
        socket.create_connection(("provider.invalid", 443))
