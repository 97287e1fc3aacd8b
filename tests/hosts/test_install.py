"""Each way to install of the README, typed as written into an empty home; then a script runs from another folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hosts import npm, readme
from hosts.refusing_proxy import RefusingProxy

ROOT = Path(__file__).resolve().parents[2]
WANTED = "LITELLM_SKILL_HOSTS"
needs_npm = pytest.mark.skipif(not os.environ.get(WANTED), reason=f"set {WANTED}=1 to install programs from npm")
SKILLS = ("skills", "1.5.18", "skills")  # the last that runs on Node 20; 1.7 lays the same folders
CLAUDE = ("@anthropic-ai/claude-code", "2.1.329", "claude")
SECONDS = 120.0
URL = "https://git.example/litellm.git"  # for which git takes a folder of this machine

CLAUDE_FOLDER, AGENTS_FOLDER = ".claude/skills/litellm", ".agents/skills/litellm"
CACHED = ".claude/plugins/cache/litellm-skill/litellm/*"
WAYS = [
    ("git clone URL ~/.claude", [CLAUDE_FOLDER]),
    ("git clone URL ~/.agents", [AGENTS_FOLDER, CLAUDE_FOLDER]),
    pytest.param("npx skills add", [AGENTS_FOLDER, CLAUDE_FOLDER], marks=needs_npm),
    pytest.param("claude plugin", [CACHED], marks=needs_npm),
]
Type = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as it lies here, committed."""
    folder = tmp_path_factory.mktemp("repository") / "a-clone"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".venv", ".env"))
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "tree"]):
        subprocess.run([*git, "-C", str(folder), *command], check=True, env={**os.environ, "HOME": str(folder.parent)})
    return folder


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with the program that a command begins with."""

    def folder(command: str) -> Path:
        try:
            if command.startswith("npx"):
                found = npm.program(*SKILLS)
                (shim := tmp_path_factory.mktemp("npx") / "npx").write_text(f'#!/bin/sh\nshift\nexec "{found}" "$@"\n')
                shim.chmod(0o755)
                return shim.parent
            return npm.program(*CLAUDE).parent if command.startswith("claude") else Path("/usr/bin")
        except npm.Unavailable as reason:
            pytest.skip(str(reason))

    return folder


@pytest.fixture
def type_in(tmp_path: Path) -> Type:
    """Bash in an empty home, with nothing else in its environment; its ``python3`` has the locked packages."""
    home, elsewhere = tmp_path / "a home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir(exist_ok=True)

    def call(command: str, *path: Path, **more: str) -> subprocess.CompletedProcess[str]:
        places = [*path, Path(sys.executable).parent, Path("/usr/local/bin"), Path("/usr/bin"), Path("/bin")]
        quiet = {"DO_NOT_TRACK": "1", "DISABLE_TELEMETRY": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
        env = {"HOME": str(home), "PATH": ":".join(map(str, places)), "LANG": "C.UTF-8", **quiet, **more}
        return subprocess.run(
            ["bash", "-c", command],
            cwd=elsewhere,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    return call


def scripts_in(home: Path, folders: list[str]) -> list[Path]:
    """One in each folder; the plugin's is named by its commit."""
    found = [list(home.glob(f"{folder}/scripts/call_model.py")) for folder in folders]
    assert [len(paths) for paths in found] == [1] * len(folders)
    return [path for paths in found for path in paths]


def test_every_way_is_tried() -> None:
    tried = [way.values[0] if isinstance(way, type(pytest.param())) else way[0] for way in WAYS]
    written = readme.commands("URL")
    assert [command for command in written if not any(command.startswith(way) for way in tried)] == []
    assert len(written) == len(WAYS)


@pytest.mark.parametrize(("way", "folders"), WAYS, ids=["clone", "clone and link", "npx skills", "plugin"])
def test_a_way_to_install(
    way: str, folders: list[str], repository: Path, programs: Callable[[str], Path], type_in: Type, tmp_path: Path
) -> None:
    (command,) = (line for line in readme.commands(URL) if line.startswith(way.replace("URL", URL)))
    (tmp_path / "a home" / ".gitconfig").write_text(f'[url "{repository}"]\n\tinsteadOf = {URL}\n')
    with RefusingProxy() as proxy:
        more = [programs(command)]
        more += [npm.node()] if way.startswith(("npx", "claude")) else []
        done = type_in(command, *more, **proxy.settings)
        assert done.returncode == 0, done.stdout + done.stderr
        assert proxy.asked_for == []
    for script in scripts_in(tmp_path / "a home", folders):
        answer = type_in(f'python3 "{script}" --demo "hi"')
        assert (answer.returncode, answer.stderr) == (0, "")
        assert answer.stdout.startswith("[demo: no model was called] Your prompt arrived here: 2 characters")


@needs_npm
def test_the_marketplace_is_valid(repository: Path, programs: Callable[[str], Path], type_in: Type) -> None:
    done = type_in(f'claude plugin validate --strict "{repository}"', programs("claude"), npm.node())
    assert (done.returncode, "Validation passed" in done.stdout) == (0, True), done.stdout + done.stderr
