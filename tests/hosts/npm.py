"""Programs from npm at exact versions, each in a folder of its own that is kept for the next time."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

INSTALL_S = 300.0
ANSWER_S = 60.0
OUTSIDE = dict(os.environ)  # the machine's own, with its registry: to install with, and for nothing else
CACHE = Path(OUTSIDE.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "litellm-skill-hosts"
FLAGS = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]


class Unavailable(Exception):
    """Why a program cannot be had here."""


def program(package: str, version: str, name: str) -> Path:
    """The program ``name`` of ``package``, installed the first time. Raises Unavailable."""
    folder = CACHE / f"{package.replace('/', '_')}-{version}"
    found = folder / "node_modules" / ".bin" / name
    if not found.exists():
        _install(f"{package}@{version}", folder)
    _try(found)
    return found


def node() -> Path:
    """Its folder, which has npm too. Raises Unavailable."""
    found = shutil.which("npm", path=OUTSIDE.get("PATH"))
    if found is None:
        raise Unavailable("no npm on PATH")
    return Path(found).parent


def _install(wanted: str, folder: Path) -> None:
    """Built beside and renamed into place: one that was killed leaves nothing that looks whole."""
    CACHE.mkdir(parents=True, exist_ok=True)
    beside = tempfile.mkdtemp(prefix="unfinished-", dir=CACHE)
    command = [str(node() / "npm"), "install", "--prefix", beside, *FLAGS, wanted]
    try:
        done = _run(command, INSTALL_S, OUTSIDE)
        if done.returncode:
            raise Unavailable(f"npm cannot install {wanted}: {done.stderr.strip()[-300:]}")
        with contextlib.suppress(OSError):  # another process was faster
            os.rename(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _try(found: Path) -> None:
    """A package may install where its program does not run: for another processor, or an older Node."""
    with tempfile.TemporaryDirectory() as home:
        bare = {"HOME": home, "PATH": f"{node()}:/usr/bin:/bin", "DO_NOT_TRACK": "1"}
        done = _run([str(found), "--version"], ANSWER_S, bare)
    if done.returncode:
        raise Unavailable(f"{found.name} does not run here: {done.stderr.strip()[-300:]}")


def _run(command: list[str], seconds: float, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=env,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{Path(command[0]).name} {command[1]} took longer than {seconds:g} s") from None
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from None
