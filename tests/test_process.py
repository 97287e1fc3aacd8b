"""Whether a process lives: ended ones, zombies, later ones with the same pid, other places, no /proc."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from litellm_skill import process
from litellm_skill.process import PROC, Process

pytestmark = pytest.mark.skipif(os.name != "posix", reason="on Windows nothing is known of other processes")
needs_proc = pytest.mark.skipif(not (PROC / "self/stat").exists(), reason="no /proc")


SCRIPTS = str(Path(process.__file__).parents[1])
# argv: scripts, proc. Says who it is, and goes on until its stdin ends.
OTHER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from litellm_skill import process
print(process.this(Path(sys.argv[2])).birth, flush=True)
sys.stdin.read()
"""


@contextmanager
def another(proc: Path, program: str | Path = sys.executable) -> Iterator[Process]:
    """A process as it names itself; at the end it is killed, but not waited for until then."""
    command = [program, "-c", OTHER, SCRIPTS, proc]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield Process(child.pid, child.stdout.readline().rstrip("\n"))
        finally:
            child.kill()


@pytest.fixture(params=["proc", "ps"])
def proc(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The kernel's, or none at all."""
    if request.param == "proc" and not (PROC / "self/stat").exists():
        pytest.skip("no /proc")
    if request.param == "ps" and not shutil.which("ps"):
        pytest.skip("no ps")
    return PROC if request.param == "proc" else tmp_path / "none"


def test_this_process_lives(proc: Path) -> None:
    this = process.this(proc)
    assert this.pid == os.getpid()
    assert this.birth.partition(" ")[2]
    assert process.this(proc) == this
    assert process.alive(this, proc) is True


def test_another_process_lives_until_it_ends(proc: Path) -> None:
    with another(proc) as other:
        assert process.alive(other, proc) is True
    assert process.alive(other, proc) is False


def test_a_zombie_is_dead(proc: Path) -> None:
    with another(proc) as other:
        os.kill(other.pid, signal.SIGKILL)
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        assert process.alive(other, proc) is False


def test_a_later_process_with_the_same_pid_is_another(proc: Path) -> None:
    this = process.this(proc)
    assert process.alive(Process(this.pid, f"{this.birth}1"), proc) is False


def test_a_process_elsewhere_is_not_judged(proc: Path) -> None:
    this = process.this(proc)
    assert process.alive(Process(this.pid, f"elsewhere{this.birth}"), proc) is None


@needs_proc
def test_a_name_may_look_like_the_fields_behind_it(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to(sys.executable)
    with another(PROC, program) as other:
        assert (PROC / str(other.pid) / "comm").read_text() == f"{program.name}\n"
        assert other.birth.partition(" ")[2].isdigit()
        assert process.alive(other) is True


@needs_proc
def test_the_proc_of_another_namespace_is_not_believed(tmp_path: Path) -> None:
    """There, the same number is another process."""
    (tmp_path / "self").symlink_to("1")
    (tmp_path / str(os.getpid())).mkdir()
    (tmp_path / str(os.getpid()) / "stat").write_text(f"1 (init) Z{' 0' * 49}")
    this = process.this(tmp_path)
    assert this.birth.endswith(" ")
    assert process.alive(this, tmp_path) is True


def test_without_a_start_time_being_there_is_all_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("1")
    with another(tmp_path) as other:
        assert other.birth.endswith(" ")
        assert process.alive(other, tmp_path) is True
    assert process.alive(other, tmp_path) is False
    assert process.alive(Process(2**70, other.birth), tmp_path) is False
