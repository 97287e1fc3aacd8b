"""policy.toml: which models may be asked, at which hosts, and whether answers are kept. Two files apply, the user's
(``~/.config/litellm-skill/policy.toml``) and the machine's (``/etc/litellm-skill/policy.toml``); the stricter wins.

    history = true                       # keep what was asked and answered
    overrides_under_agent = false        # may --allow-secrets and --allow-path be used when an agent runs the command?

    [models]
    allow = ["openai/*", "anthropic/*"]  # these only (provider/model, * and ?)
    deny = ["*/*-preview"]               # none of these; wins over allow

    [hosts]
    allow = ["*.openai.com", "proxy.internal:4000"]  # host, or host:port
    deny = []

A file that cannot be relied on denies everything: one that does not parse, that has an unknown key or a wrong type,
that belongs to somebody else or that others may write.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from litellm_skill.faults import Forbidden
from litellm_skill.settings import user_directory

NAME = "policy.toml"
SYSTEM_DIRECTORY = Path("/etc/litellm-skill")
MAX_BYTES = 100_000
_FLAGS = ("history", "overrides_under_agent")
_LISTS = ("allow", "deny")
_DEFAULT_PORTS = ("443", "80")


@dataclass(frozen=True)
class Globs:
    """``allow`` None: whatever is not denied."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()

    def denies(self, *names: str) -> str | None:
        """Why something of these names is denied (``deny = "x/*"``), or None."""
        for pattern in self.deny:
            if _matches(pattern, names):
                return f'deny has "{pattern}"'
        if self.allow is not None and not any(_matches(pattern, names) for pattern in self.allow):
            return f"allow has only {', '.join(self.allow[:5]) or 'nothing'}"
        return None


@dataclass(frozen=True)
class Rules:
    """One file. None: it says nothing of it."""

    path: Path
    models: Globs = field(default_factory=Globs)
    hosts: Globs = field(default_factory=Globs)
    history: bool | None = None
    overrides_under_agent: bool | None = None


@dataclass(frozen=True)
class Policy:
    """``user_file`` is where the user's own would be; ``files`` are those that exist."""

    user_file: Path
    files: tuple[Rules, ...] = ()

    @property
    def history(self) -> bool:
        """Whether anything may be kept."""
        return all(rules.history is not False for rules in self.files)

    def check(self, model_id: str, host: str | None) -> None:
        """Raises Forbidden unless every file permits this ``provider/model`` and host (``host`` or ``host:port``). A
        model behind a LiteLLM proxy also counts by the name that it has there.

        A host that is not known before the call is denied where hosts are listed at all.
        """
        for rules in self.files:
            if why := rules.models.denies(*{model_id, model_id.removeprefix("litellm_proxy/")}):
                raise Forbidden(f"{rules.path} does not permit the model {model_id}: {why}", _another(rules, "model"))
            if why := _denies_host(rules.hosts, host):
                raise Forbidden(f"{rules.path} does not permit the host {host}: {why}", _another(rules, "host"))

    def check_overrides(self, host_agent: str | None, wanted: Sequence[str]) -> None:
        """Raises Forbidden when an agent runs this command and ``wanted`` names flags (``--allow-secrets`` …) that only
        a person may use, unless a file permits it and none forbids it."""
        if host_agent is None or not wanted:
            return
        answers = {rules.overrides_under_agent: rules.path for rules in self.files}
        what = f"{', '.join(wanted)} is for people, and {host_agent} runs this command"
        if False in answers:
            raise Forbidden(f"{what}; {answers[False]} forbids it", "leave out what must not be sent")
        if True not in answers:
            line = f"overrides_under_agent = true, above the first [table] of {self.user_file}"
            raise Forbidden(what, f"leave out what must not be sent; the user may permit it by the line {line}")


def load(environ: Mapping[str, str], system_directory: Path = SYSTEM_DIRECTORY) -> Policy:
    """Raises Forbidden, naming file and key, when one cannot be relied on."""
    user_file = user_directory(environ) / NAME
    found = (_read(path) for path in (user_file, system_directory / NAME))
    return Policy(user_file, tuple(rules for rules in found if rules is not None))


def _matches(pattern: str, names: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for name in names)


def _denies_host(hosts: Globs, host: str | None) -> str | None:
    if hosts == Globs():
        return None
    if host is None:
        return "hosts are listed, and this one is not known before the call"
    host = host.replace(".:", ":").rstrip(".")  # the root's dot: another spelling of the same name
    name, _, port = host.rpartition(":")
    others = [name] if name and port.isdigit() else [f"{host}:{number}" for number in _DEFAULT_PORTS]
    return hosts.denies(host, *others)


def _another(rules: Rules, what: str) -> str:
    return f"take another {what}, or ask whoever wrote {rules.path}"


def _read(path: Path) -> Rules | None:
    """None when there is no such file."""
    content = _content(path)
    if content is None:
        return None
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _malformed(path, f"it is not TOML: {error}") from None
    known: dict[str, Callable[[Path, str, Any], Any]]
    known = {"models": _globs, "hosts": _globs} | dict.fromkeys(_FLAGS, _flag)
    if unknown := sorted(document.keys() - known.keys()):
        raise _malformed(path, f"unknown key {unknown[0]!r}; known are {', '.join(known)}")
    return Rules(path, **{key: known[key](path, key, value) for key, value in document.items()})


def _content(path: Path) -> bytes | None:
    try:
        _check_owner(path, path.lstat())
        _check_folder(path)
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise _malformed(path, "it is a link to nothing") from None
        return None
    except OSError as error:
        raise _malformed(path, f"it cannot be read: {error.strerror}") from None
    try:
        _check_file(path, os.fstat(descriptor))
        return os.read(descriptor, MAX_BYTES)
    finally:
        os.close(descriptor)


def _check_file(path: Path, status: os.stat_result) -> None:
    _check_owner(path, status)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
        raise _malformed(path, f"it is not a regular file of at most {MAX_BYTES:,} bytes")
    if os.name == "posix" and status.st_mode & 0o022:
        raise _malformed(path, "others than its owner may write it", f"chmod go-w {path}")


def _check_owner(path: Path, status: os.stat_result) -> None:
    """Of the file, and of the link that leads to it: the user or root."""
    if hasattr(os, "getuid") and status.st_uid not in (os.getuid(), 0):
        raise _malformed(path, f"it belongs to another user ({status.st_uid})")


def _check_folder(path: Path) -> None:
    """Whoever may write a folder may replace the files in it, unless it is sticky as /tmp."""
    mode = path.parent.stat().st_mode
    if os.name == "posix" and mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise _malformed(path, "everybody may write its folder", f"chmod o-w {path.parent}")


def _flag(path: Path, key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _malformed(path, f"{key} must be true or false")
    return value


def _globs(path: Path, key: str, value: Any) -> Globs:
    if not isinstance(value, dict):
        raise _malformed(path, f"{key} must be a table: [{key}]")
    if unknown := sorted(value.keys() - set(_LISTS)):
        raise _malformed(path, f"unknown key {key}.{unknown[0]}; known are {', '.join(_LISTS)}")
    for name, patterns in value.items():
        if not isinstance(patterns, list) or not all(isinstance(one, str) and one.strip() for one in patterns):
            raise _malformed(path, f'{key}.{name} must be a list of texts: ["openai/*"]')
    return Globs(**{name: tuple(patterns) for name, patterns in value.items()})


def _malformed(path: Path, why: str, hint: str = "correct it, or move it away") -> Forbidden:
    return Forbidden(f"{path} denies everything, for it cannot be relied on: {why}", hint)
