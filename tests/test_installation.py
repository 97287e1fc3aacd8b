"""Building an environment: once, whole or not at all, in a folder that nobody else can write to."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from package_server import PackageServer
from tiny_skill import PACKAGES, VERSION, TinySkill, bare_python

LOCKED = [VERSION]
WAITING = "litellm: another first run is installing, waiting for it\n"


@pytest.fixture
def index() -> Iterator[PackageServer]:
    with PackageServer(PACKAGES) as server:
        yield server


@pytest.fixture
def skill(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> TinySkill:
    return TinySkill(tmp_path, bare_python(tmp_path_factory.getbasetemp())).with_uv()


def announced(skill: TinySkill) -> str:
    amount = f"up to {len(PACKAGES)} packages (about 340 MB on disk)"
    return f"litellm: first run, installing {amount} with uv into {skill.environment()}\n"


@contextlib.contextmanager
def installing(skill: TinySkill, index: PackageServer) -> Iterator[subprocess.Popen[str]]:
    """A first run that waits for the index."""
    index.answers.clear()
    with skill.start("tell", UV_DEFAULT_INDEX=index.url) as process:
        assert index.called.wait(60)
        yield process


def test_the_first_run_says_so_and_the_second_is_silent(skill: TinySkill, index: PackageServer) -> None:
    first = skill.run("tell", "x", UV_DEFAULT_INDEX=index.url)
    assert first.told["versions"] == LOCKED
    assert first.stderr == announced(skill)
    index.asked.clear()
    second = skill.run("tell", "x", UV_DEFAULT_INDEX=index.url)
    assert (second.told["prefix"], second.stderr) == (first.told["prefix"], "")
    assert index.asked == []
    assert list(skill.environment().rglob("litellm/__pycache__/unused.*.pyc"))


def test_a_new_lock_gets_its_own_environment(skill: TinySkill, index: PackageServer) -> None:
    before = skill.run("tell", UV_DEFAULT_INDEX=index.url).told["prefix"]
    with (skill.folder / "requirements.lock").open("a") as lock:
        lock.write("# renewed\n")
    assert skill.run("tell", UV_DEFAULT_INDEX=index.url).told["prefix"] != before
    assert len(skill.cached()) == 2


def test_of_two_first_runs_one_installs(skill: TinySkill, index: PackageServer) -> None:
    with installing(skill, index) as first, skill.start("tell", UV_DEFAULT_INDEX=index.url) as second:
        assert second.stderr is not None
        assert second.stderr.readline() == WAITING
        index.answers.set()
        outputs = [process.communicate() for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0]
    assert [stderr for _, stderr in outputs] == [announced(skill), ""]
    assert all(str(skill.environment()) in stdout for stdout, _ in outputs)


def test_where_nothing_locks_the_first_to_finish_wins(skill: TinySkill, index: PackageServer) -> None:
    """The other's environment comes into its place while this run still installs."""
    skill.run("tell", UV_DEFAULT_INDEX=index.url)
    ready, aside = skill.environment(), skill.root / "aside"
    ready.rename(aside)
    shutil.rmtree(skill.home / ".cache" / "uv")
    index.called.clear()
    with installing(skill, index) as process:
        aside.rename(ready)
        (ready / "theirs").touch()
        index.answers.set()
        stdout, _ = process.communicate()
    assert (process.returncode, str(ready) in stdout) == (0, True)
    assert (skill.environment() / "theirs").exists()


def test_a_first_run_that_was_killed_does_no_harm(skill: TinySkill, index: PackageServer) -> None:
    with installing(skill, index) as process:
        os.killpg(process.pid, signal.SIGKILL)
    assert [".unfinished-" in name for name in skill.cached()] == [True]
    index.answers.set()
    again = skill.run("tell", UV_DEFAULT_INDEX=index.url)
    assert again.told["versions"] == LOCKED
    assert again.stderr == announced(skill)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_installer_too(skill: TinySkill, index: PackageServer, number: signal.Signals) -> None:
    with installing(skill, index) as process:
        process.send_signal(number)
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[1:] == ["error: interrupted while installing", "next: run the command again"]
    assert skill.cached() == []
    with pytest.raises(ProcessLookupError):  # nobody of its group is left
        os.killpg(process.pid, 0)


def without_python(environment: Path) -> None:
    (environment / "bin" / "python").unlink()
    (environment / "bin" / "python").symlink_to("/nowhere/python")


def without_package(environment: Path) -> None:
    shutil.rmtree(next(environment.glob("lib/*/site-packages/mcp")))


def unfinished(environment: Path) -> None:
    (environment / "packages.txt").unlink()


@pytest.mark.parametrize("harm", [without_python, without_package, unfinished])
def test_a_broken_environment_is_built_again(
    skill: TinySkill, index: PackageServer, harm: Callable[[Path], None]
) -> None:
    skill.run("tell", UV_DEFAULT_INDEX=index.url)
    harm(skill.environment())
    again = skill.run("tell", UV_DEFAULT_INDEX=index.url)
    assert again.told["versions"] == LOCKED
    assert again.stderr == announced(skill)


def test_a_folder_that_is_read_only_or_has_spaces(tmp_path: Path, skill: TinySkill, index: PackageServer) -> None:
    other = TinySkill(tmp_path / "with a space", skill.python).with_uv()
    shutil.rmtree(other.folder / "scripts" / "litellm_skill" / "__pycache__", ignore_errors=True)
    before = sorted(other.folder.rglob("*"))
    for path in [*before, other.folder]:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    assert other.run("tell", UV_DEFAULT_INDEX=index.url).told["versions"] == LOCKED
    after = [path for path in other.folder.rglob("*") if "__pycache__" not in path.parts]
    assert sorted(after) == before  # root may write byte code there


@pytest.mark.parametrize("setting", ["HOME", "XDG_CACHE_HOME"])
def test_without_a_cache_the_temporary_folder_serves(skill: TinySkill, index: PackageServer, setting: str) -> None:
    (skill.root / "file").touch()
    refused = {setting: skill.root / "file" / "below"}
    found = skill.run("tell", UV_DEFAULT_INDEX=index.url, **refused)
    folder = skill.tmp / f"litellm-skill-{os.getuid()}"
    assert Path(found.told["prefix"]).parent == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert skill.run("tell", **refused).stderr == ""


def test_a_relative_cache_folder_is_not_the_working_directory(skill: TinySkill, index: PackageServer) -> None:
    found = skill.run("tell", UV_DEFAULT_INDEX=index.url, XDG_CACHE_HOME="cache")
    assert Path(found.told["prefix"]) == skill.environment()
    assert list(skill.work.iterdir()) == []


def writable(folder: Path) -> None:
    folder.chmod(0o777)


def link(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def foreign(folder: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give a folder away")
    os.chown(folder, 65534, 65534)


@pytest.mark.parametrize("make", [writable, link, foreign])
def test_no_python_is_executed_that_others_could_have_put_there(
    skill: TinySkill, index: PackageServer, make: Callable[[Path], None]
) -> None:
    (skill.root / "file").touch()
    refused = {"HOME": skill.root / "file"}
    skill.run("tell", UV_DEFAULT_INDEX=index.url, **refused)
    folder = skill.tmp / f"litellm-skill-{os.getuid()}"
    make(folder)
    found = skill.run("tell", UV_DEFAULT_INDEX=index.url, **refused)
    assert (found.code, found.stdout) == (3, "")
    what, next_step = found.stderr.splitlines()
    assert what.endswith(f"{folder}: not a folder of this user alone)")
    assert next_step == "next: set XDG_CACHE_HOME to a folder that only you can write to"
