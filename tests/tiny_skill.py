"""A skill folder with the real start-up code, a lock of tiny packages, and nothing else on the machine."""

from __future__ import annotations

import contextlib
import functools
import glob
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import uv
from litellm_skill import environment
from package_server import Package, wheel

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
BASE = Path(os.path.realpath(sys._base_executable))  # without the packages of the environment of the tests
TIMEOUT_S = 120.0  # far above what any of these takes, on a busy machine too
VERSION = "1.106.2"
PACKAGES = [wheel(name, VERSION, module) for name, module in environment.DIRECT.items()]
TELL = f"""
import importlib, json
versions = {{importlib.import_module(name).version for name in {list(environment.DIRECT.values())}}}
print(json.dumps({{"versions": sorted(versions), "prefix": sys.prefix, "pid": os.getpid(), "argv": sys.argv[1:],
                  "path": os.environ.get("PYTHONPATH")}}))
"""


class Outcome(NamedTuple):
    code: int
    stdout: str
    stderr: str

    @property
    def told(self) -> dict[str, Any]:
        """What the script ``tell`` said; anything else fails with what was said instead."""
        assert self.code == 0, self.stderr
        return json.loads(self.stdout)


@functools.cache
def old_python() -> str | None:
    """The oldest Python found (pyenv and uv lay them side by side) of those for which there are no packages."""
    found: list[str | None] = []
    for minor in (8, 9, 10):
        found.append(shutil.which(f"python3.{minor}"))
        for folder in (f"{BASE.parents[2]}/*3.{minor}.*", f"~/.local/share/uv/python/*3.{minor}.*"):
            found += [f"{home}/bin/python3" for home in glob.glob(os.path.expanduser(folder))]
    return next((python for python in found if python and _succeeds([python, "-c", ""])), None)


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@functools.cache
def bare_python(folder: Path, *, pip: bool = False) -> Path:
    """A Python that qualifies, without packages (nor uv as a module, which the base may have)."""
    path = folder / ("with-pip" if pip else "bare")
    command = [str(BASE), "-m", "venv", *([] if pip else ["--without-pip"]), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path / "bin" / "python"


class TinySkill:
    """Laid out below ``root``: the skill, a home, a folder ``bin`` that is the whole PATH, an empty work folder."""

    def __init__(self, root: Path, python: Path, packages: Iterable[Package] = PACKAGES) -> None:
        self.root = root
        self.python = python
        self.folder = root / "skills" / "litellm"
        shutil.copytree(
            SCRIPTS / "litellm_skill",
            self.folder / "scripts" / "litellm_skill",
            ignore=shutil.ignore_patterns("__pycache__", "gateway", ".*"),
        )
        self.lock(packages)
        self.home, self.work, self.bin, self.tmp = (root / name for name in ("home", "work", "bin", "tmp"))
        for folder in (self.home, self.work, self.bin, self.tmp):
            folder.mkdir(exist_ok=True)
        self.script("tell", TELL)

    def lock(self, packages: Iterable[Package]) -> None:
        entries = (f"{item.name}=={item.version} \\\n    --hash=sha256:{item.digest}\n" for item in packages)
        (self.folder / "requirements.lock").write_text("# test\n" + "".join(entries))

    def script(self, name: str, body: str) -> None:
        """An entry script like the real ones, whose ``main`` is ``body``."""
        lines = ["import os, sys", "sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))"]
        lines += ["from litellm_skill import launch", "def main():", *(f"    {line}" for line in body.splitlines())]
        lines += ["if __name__ == '__main__':", "    launch.run(main)", ""]
        (self.folder / "scripts" / f"{name}.py").write_text("\n".join(lines))

    def with_uv(self, *below: str) -> TinySkill:
        """uv lies on PATH, or in a folder of the home."""
        folder = self.home.joinpath(*below) if below else self.bin
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "uv").symlink_to(uv.find_uv_bin())
        return self

    def environ(self, **more: str | Path | None) -> dict[str, str]:
        """Nothing of the machine's own, nothing slow: no second tries, no Python from elsewhere. None unsets."""
        basis = {"PATH": self.bin, "HOME": self.home, "TMPDIR": self.tmp, "LANG": "C.UTF-8"}
        basis |= {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
        basis |= {"UV_HTTP_RETRIES": "0", "UV_PYTHON_DOWNLOADS": "never"}
        return {name: str(value) for name, value in (basis | more).items() if value is not None}

    @contextlib.contextmanager
    def start(
        self, name: str, *argv: str, python: str | Path | None = None, **more: str | Path | None
    ) -> Iterator[subprocess.Popen[str]]:
        """In a process group of its own, which is dead after TIMEOUT_S at the latest."""
        with subprocess.Popen(
            [str(python or self.python), str(self.folder / "scripts" / f"{name}.py"), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.work,
            env=self.environ(**more),
            text=True,
            start_new_session=True,
        ) as process:
            deadline = threading.Timer(TIMEOUT_S, os.killpg, (process.pid, signal.SIGKILL))
            deadline.start()
            try:
                yield process
                process.wait()
            finally:
                deadline.cancel()

    def run(
        self, name: str, *argv: str, stdin: str = "", python: str | Path | None = None, **more: str | Path | None
    ) -> Outcome:
        with self.start(name, *argv, python=python, **more) as process:
            stdout, stderr = process.communicate(stdin)
        return Outcome(process.returncode, stdout, stderr)

    def cached(self) -> list[str]:
        """What lies in the cache, but for what is no environment: locks of files, uv's settings and cache."""
        folders = self.home / ".cache" / "litellm-skill", self.tmp / f"litellm-skill-{os.getuid()}"
        names = itertools.chain.from_iterable(os.listdir(folder) for folder in folders if folder.is_dir())
        return sorted(name for name in names if name.startswith("env-") and not name.endswith(".lock"))

    def environment(self) -> Path:
        (name,) = self.cached()
        return self.home / ".cache" / "litellm-skill" / name
