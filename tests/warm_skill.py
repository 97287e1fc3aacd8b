"""A copy of the skill with an environment that was not installed but linked, so that scripts start as a user starts
them: by a Python without packages, which hands over to the environment's, or to a warm worker."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from litellm_skill import environment

ROOT = Path(__file__).resolve().parent.parent
BASE = os.path.realpath(sys._base_executable)  # without the packages of the environment of the tests
TIMEOUT_S = 120.0
MINOR = "python{}.{}".format(*sys.version_info)
TELL = """
import json, signal
import litellm_skill
numbers = sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP})
print(json.dumps({
    "argv": sys.argv, "cwd": os.getcwd(), "umask": os.umask(0), "environ": dict(os.environ), "file": __file__,
    "flags": str(sys.flags).replace("safe_path=True", "safe_path=False"), "executable": sys.executable,
    "terminals": [stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "streams": [[s.encoding, s.errors, s.line_buffering, s.newlines] for s in (sys.stdin, sys.stdout, sys.stderr)],
    "ignored": [int(n) for n in numbers if signal.getsignal(n) == signal.SIG_IGN],
    "handled": [int(n) for n in numbers if callable(signal.getsignal(n)) and signal.getsignal(n) not in
                (signal.SIG_IGN, signal.SIG_DFL)],
    "blocked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "path": [p for p in sys.path if p], "main": sys.modules["__main__"].__file__,
    "descriptors": len(os.listdir("/proc/self/fd")), "hidden": sys._xoptions,
}))
"""
DOES = """
scope = {}
exec("def work():\\n" + "".join(f"    {line}\\n" for line in sys.argv[1].splitlines()), globals(), scope)
return scope["work"]()
"""


class Outcome(NamedTuple):
    code: int
    stdout: str
    stderr: str


class WarmSkill:
    """``python`` of its environment can be taken away, so that what is answered was answered warm."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "skill"
        shutil.copytree(ROOT / "scripts", self.folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "requirements.lock", self.folder)
        self.script("tell", TELL)
        self.script("does", DOES)
        for name in ("cache/litellm-skill", "state", "config", "run", "work", "home"):
            (root / name).mkdir(parents=True, mode=0o700)
        lock = environment.read(str(self.folder / "requirements.lock"))
        self.environment = root / "cache" / "litellm-skill" / environment.name_for(lock)
        packages = self.environment / "lib" / MINOR / "site-packages"
        for folder in (self.environment / "bin", packages.parent):
            folder.mkdir(parents=True)
        packages.symlink_to(sysconfig.get_path("purelib"))
        shutil.copy(Path(sys.prefix, "pyvenv.cfg"), self.environment)
        (self.environment / "bin" / "python").symlink_to(BASE)
        (self.environment / environment.MARK).write_text(str(packages.relative_to(self.environment)))

    def script(self, name: str, body: str) -> None:
        """An entry script like the real ones, whose ``main`` is ``body``."""
        lines = ["import os, sys", "sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))"]
        lines += ["from litellm_skill import launch", "def main():", *(f"    {line}" for line in body.splitlines())]
        lines += ["if __name__ == '__main__':", "    launch.run(main)", ""]
        (self.folder / "scripts" / f"{name}.py").write_text("\n".join(lines))

    def environ(self, warm: bool, **more: str) -> dict[str, str]:
        """What is kept of a cold and a warm run lies apart."""
        state = self.root / "state" / ("warm" if warm else "cold")
        places = {name: str(self.root / name.lower()) for name in ("CACHE", "CONFIG")}
        found = {f"XDG_{name}_HOME": path for name, path in places.items()}
        found |= {"HOME": str(self.root / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        found |= {"XDG_RUNTIME_DIR": str(self.root / "run"), "XDG_STATE_HOME": str(state)}
        return found | ({"LITELLM_SKILL_WARM": "1"} if warm else {}) | more

    def command(self, name: str, *argv: str) -> list[str]:
        return [BASE, str(self.folder / "scripts" / f"{name}.py"), *argv]

    def start(self, name: str, *argv: str, warm: bool, env: dict[str, str] | None = None, **how: Any):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        environ = self.environ(warm, **(env or {}))
        how = {**pipes, "cwd": self.root / "work", "env": environ, **how}
        return subprocess.Popen(self.command(name, *argv), text=True, **how)

    def run(self, name: str, *argv: str, warm: bool, stdin: str = "", **how: Any) -> Outcome:
        with self.start(name, *argv, warm=warm, **how) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Outcome(process.returncode, stdout, stderr)

    def serve(self, **how: Any) -> None:
        """Have a worker that serves commands of this environment. The first one learns what LiteLLM reads, and may not
        be the one that is wanted."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            self.run("does", "return 0", warm=True, **how)
            with self.only_warm():
                if self.run("does", "return 0", warm=True, **how).code == 0:
                    return
            assert time.monotonic() < deadline, self.workers("")
            time.sleep(0.2)

    def workers(self, told: str) -> list[str]:
        """Names of locks that tell so."""
        folder = self.root / "run" / "litellm-skill"
        locks = folder.glob("*.lock") if folder.is_dir() else ()
        return [path.stem for path in locks if told in path.read_text()]

    def pids(self) -> list[int]:
        """Of all processes that import this copy of the skill: workers and their children."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
                if b"warmer.live" in words and str(self.folder).encode() in words:
                    found.append(int(entry.name))
        return found

    def parents(self) -> list[int]:
        """Workers, without their children."""
        return sorted({*self.pids()} - {*self.children()})

    def children(self) -> list[int]:
        """Of workers."""
        pids = self.pids()
        return [pid for pid in pids if _parent(pid) in pids]

    @contextlib.contextmanager
    def only_warm(self) -> Iterator[None]:
        """A command that is not answered by the worker ends with exit code 99."""
        python, aside = self.environment / "bin" / "python", self.environment / "bin" / "aside"
        python.rename(aside)
        python.write_text(f'#!/bin/sh\ncase "$*" in *"-X litellm_skill="*) exit 99;; esac\nexec {aside} "$@"\n')
        python.chmod(0o700)
        try:
            yield
        finally:
            aside.rename(python)

    def end(self) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def serving(root: Path) -> Iterator[WarmSkill]:
    skill = WarmSkill(root)
    try:
        skill.serve()
        yield skill
    finally:
        skill.end()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
