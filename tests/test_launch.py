"""Start-up: which interpreter runs a script, that it gets there at most once, and that all passes through."""

from __future__ import annotations

import io
import os
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from litellm_skill import environment
from package_server import Package, PackageServer, wheel
from tiny_skill import PACKAGES, VERSION, TinySkill, bare_python

LOCKED = [VERSION]
OTHERS = PACKAGES[1:]  # PACKAGES[0] is LiteLLM


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare_python(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def index() -> Iterator[PackageServer]:
    with PackageServer(PACKAGES) as server:
        yield server


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory, bare: Path, index: PackageServer) -> TinySkill:
    """A skill whose environment is there."""
    skill = TinySkill(tmp_path_factory.mktemp("warm"), bare).with_uv()
    assert skill.run("tell", UV_DEFAULT_INDEX=index.url).told["versions"] == LOCKED
    return skill


@pytest.fixture
def skill(tmp_path: Path, bare: Path) -> TinySkill:
    """One on whose machine nothing is."""
    return TinySkill(tmp_path, bare)


def unpacked(folder: Path, *packages: Package) -> str:
    for package in packages:
        zipfile.ZipFile(io.BytesIO(package.content)).extractall(folder)
    return str(folder)


@pytest.mark.parametrize("dependency", [VERSION, "1.106.3"])
def test_an_interpreter_with_the_locked_litellm_is_enough(skill: TinySkill, bare: Path, dependency: str) -> None:
    *packages, last = PACKAGES
    site = unpacked(skill.root / "site", *packages, wheel(last.name, dependency, environment.DIRECT[last.name]))
    found = skill.run("tell", "a", "b c", PYTHONPATH=site)
    assert found.told["versions"] == sorted({VERSION, dependency})
    assert found.told["argv"] == ["a", "b c"]
    assert Path(found.told["prefix"]) == bare.parent.parent
    assert found.stderr == ""
    assert not (skill.home / ".cache").exists()


@pytest.mark.parametrize(
    "folders",
    [
        [[]],
        [[wheel("litellm", "1.83.0", "litellm"), *OTHERS]],
        [[wheel("litellm", "1.109.1", "litellm"), *OTHERS]],
        [PACKAGES[:-1]],
        [[wheel("litellm", "1.83.0", "litellm")], PACKAGES],
    ],
    ids=["none", "older", "newer", "one is missing", "shadowed by an older"],
)
def test_other_packages_do_not_count(warm: TinySkill, tmp_path: Path, folders: list[list[Package]]) -> None:
    path = os.pathsep.join(unpacked(tmp_path / str(number), *some) for number, some in enumerate(folders))
    found = warm.run("tell", PYTHONPATH=path)
    assert found.told["versions"] == LOCKED
    assert Path(found.told["prefix"]) == warm.environment()
    assert found.told["path"] == path  # what main starts sees the user's own
    assert found.stderr == ""


def test_it_becomes_the_other_python(warm: TinySkill) -> None:
    """One process, so that a host's signals reach the one that works."""
    with warm.start("tell") as process:
        stdout, stderr = process.communicate()
    assert f'"pid": {process.pid}' in stdout
    assert stderr == ""


@pytest.mark.parametrize(
    ("body", "code", "stdout", "stderr"),
    [
        ("return 0", 0, "", ""),
        ("pass", 0, "", ""),
        ("return 11", 11, "", ""),
        ("sys.exit(4)", 4, "", ""),
        ("sys.exit('no')", 1, "", "no\n"),
        ("print('unflushed', end='')", 0, "unflushed", ""),
        ("print(sys.stdin.read()[::-1], file=sys.stderr)", 0, "", "oof\n"),
        ("import atexit; atexit.register(print, 'torn down')", 0, "", ""),
        (
            "import subprocess as s; return s.call([sys.executable, __file__, 'x']) if not sys.argv[1:] else 6",
            6,
            "",
            "",
        ),
    ],
)
def test_streams_and_exit_code(warm: TinySkill, body: str, code: int, stdout: str, stderr: str) -> None:
    warm.script("passes", body)
    assert warm.run("passes", stdin="foo") == (code, stdout, stderr)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_what_could_not_be_written_is_no_success(warm: TinySkill) -> None:
    warm.script("full", "sys.stdout = open('/dev/full', 'w')\nsys.stdout.write('lost')")
    assert warm.run("full").code == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_reach_main(warm: TinySkill, number: signal.Signals) -> None:
    body = "import signal, time\nfor n in (1, 2, 15):\n    signal.signal(n, lambda n, f: sys.exit(100 + n))\n"
    warm.script("sleeps", f"{body}print('ready', flush=True)\ntime.sleep(60)")
    with warm.start("sleeps") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
    assert process.returncode == 100 + number


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_needs_no_environment(skill: TinySkill, flag: str) -> None:
    skill.script("helps", "print('usage')")
    assert skill.run("helps", flag) == (0, "usage\n", "")
    assert not (skill.home / ".cache").exists()


def test_an_environment_that_lost_itself_is_not_entered_again(skill: TinySkill, index: PackageServer) -> None:
    skill.with_uv().run("tell", UV_DEFAULT_INDEX=index.url)
    (skill.environment() / "pyvenv.cfg").unlink()
    found = skill.run("tell", UV_DEFAULT_INDEX=index.url)
    assert (found.code, found.stdout) == (3, "")
    what, next_step = found.stderr.splitlines()
    assert what.startswith(f"error: {skill.environment()}")
    assert next_step.startswith("next: remove that environment's folder")


def test_a_script_without_its_folder(skill: TinySkill) -> None:
    (skill.folder / "requirements.lock").unlink()
    lock = skill.folder / "requirements.lock"
    what = f"error: cannot read {lock}: No such file or directory\n"
    assert skill.run("tell") == (3, "", f"{what}next: install the whole skill folder, not single files of it\n")


def test_started_from_a_link(warm: TinySkill, tmp_path: Path) -> None:
    (tmp_path / "a link").symlink_to(warm.folder)
    found = warm.run(str(tmp_path / "a link" / "scripts" / "tell"))
    assert Path(found.told["prefix"]) == warm.environment()
    assert found.stderr == ""
