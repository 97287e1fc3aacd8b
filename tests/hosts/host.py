"""A host agent in a home of its own, talking to a scripted model; ``hosts.toml`` says how each is started."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import pytest
from hosts import npm, readme
from hosts.refusing_proxy import RefusingProxy
from hosts.scripted_model import ScriptedModel, text_of
from provider_server import Call, Reply, Request

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240.0
PROMPT = "What would another model say?"
UNWANTED = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".venv", ".env")


@dataclass(frozen=True)
class Host:
    """What ``hosts.toml`` says of one."""

    name: str
    package: str
    version: str
    program: str
    folder: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    load: Mapping[str, Any]
    shell: Mapping[str, Any]
    rule: str
    refusal: str
    files: Mapping[str, str]
    poll: Mapping[str, Any]
    cautious: Mapping[str, str]
    needs: tuple[str, ...]

    def installed(self) -> Path:
        """Raises Unavailable."""
        for name in self.needs:
            if shutil.which(name) is None:
                raise npm.Unavailable(f"no {name} on PATH, without which {self.program} fetches one")
        return npm.program(self.package, self.version, self.program)


@dataclass(frozen=True)
class Session:
    """What came of it. ``said``: on the host's stdout and stderr. ``heard``: all that its model could read, turn by
    turn; ``results``: what the tools gave it in each. ``asked``: how many prompts the other model got. ``asked_for``:
    what was wanted from beyond loopback.
    """

    said: str
    heard: tuple[str, ...]
    results: tuple[str, ...]
    asked: int
    asked_for: tuple[str, ...]


def _new_results(heard: Sequence[Request]) -> Iterator[str]:
    """What each turn brought: some hosts repeat the results of the turns before."""
    known: set[str] = set()
    for request in heard:
        results = dict(request.tool_results)
        yield "\n".join(text for name, text in results.items() if name not in known)
        known |= set(results)


def read() -> dict[str, Host]:
    """The hosts of ``hosts.toml``, by name."""
    table = tomllib.loads(Path(__file__).with_name("hosts.toml").read_text(encoding="utf-8"))
    empty = {"files": {}, "cautious": {}, "poll": {}, "needs": ()}
    return {name: Host(name=name, **empty | fields) for name, fields in table.items()}


def available(host: Host) -> Host:
    """Skips the test where it is not."""
    try:
        host.installed()
    except npm.Unavailable as reason:
        pytest.skip(str(reason))
    return host


class Home:
    """A home folder with the skill. ``settings`` names files that are written as the README has them; where there are
    none, the host is as cautious as it can be. ``python`` is its ``python3``."""

    def __init__(
        self, root: Path, host: Host, settings: Sequence[str] = (), python: Path = Path(sys.executable)
    ) -> None:
        self.host, self.root, self.work = host, root / "home", root / "project"
        self.work.mkdir(parents=True)
        self._polls = itertools.count()
        self.skill = self.root / host.folder
        shutil.copytree(ROOT, self.skill, ignore=UNWANTED)
        self._path = ":".join(map(str, [python.parent, npm.node(), "/usr/local/bin", "/usr/bin", "/bin"]))
        self._write({".profile": f"PATH={self._path}\n"})  # of a login shell, which forgets what it is given
        self._write(host.files)
        self._write({name: readme.rule(name, self.root) for name in settings} or host.cautious)

    def converse(self, *commands: str, answer: str = "ok", arguments: Sequence[str] = ()) -> Session:
        """The model loads the skill, runs each command, and ends. ``call_model.py`` in one is the skill's."""
        script = str(self.skill / "scripts" / "call_model.py")
        calls = [self._call(self.host.load)]
        calls += [self._call(self.host.shell, command=command.replace("call_model.py", script)) for command in commands]
        turns = [Reply(calls=(Call(*call, id=f"call_{place}"),)) for place, call in enumerate(calls)]
        with ScriptedModel(turns, answer, self._wait) as model, RefusingProxy() as proxy:
            said = self._start(model.url, proxy.settings, arguments)
            return Session(
                said,
                tuple(map(text_of, model.heard)),
                tuple(_new_results(model.heard)),
                len([request for request in model.asked if request.model == "test-model"]),
                tuple(proxy.asked_for),
            )

    def _wait(self, request: Request) -> Call | None:
        poll = self.host.poll
        said = "\n".join(text for _, text in request.tool_results)
        running = re.search(poll["running"], said) if poll else None
        if running is None:
            return None
        arguments = {poll["session"]: int(running[1]), **poll["arguments"]}
        return Call(poll["name"], json.dumps(arguments), id=f"poll_{next(self._polls)}")

    def _call(self, tool: Mapping[str, Any], **values: str) -> tuple[str, str]:
        return tool["name"], json.dumps({key: self._filled(text, **values) for key, text in tool["arguments"].items()})

    def _start(self, url: str, proxy: Mapping[str, str], arguments: Sequence[str]) -> str:
        fixed = {"HOME": str(self.root), "PATH": self._path, "LANG": "C.UTF-8", **proxy}
        other = {"OPENAI_API_KEY": "dummy", "OPENAI_BASE_URL": f"{url}/v1"}
        own = {name: self._filled(text, url=url) for name, text in self.host.environment.items()}
        given = [self._filled(text, url=url, prompt=PROMPT) for text in (*self.host.arguments, *arguments)]
        done = subprocess.run(
            [str(self.host.installed()), *given],
            cwd=self.work,
            env=fixed | other | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.stdout

    def _write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._filled(text), encoding="utf-8")

    def _filled(self, text: Any, **values: str) -> Any:
        if not isinstance(text, str):
            return text
        return Template(text).safe_substitute(values, home=str(self.root), skill=str(self.skill))
