"""What may leave this machine, and what may be shown of it.

Before anything is sent: files that hold credentials by their name are refused (``check_path``), and every text is
scanned (``scan``) by the rules of secret_rules.toml and for the exact value of every key at hand (``secrets``). What is
printed or stored has those values written as ``[key]`` (``redact``, ``Redactor``).
"""

from __future__ import annotations

import os
import re
import shlex
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from litellm_skill import redaction, secret_rules
from litellm_skill.faults import BadInput, SecretFound
from litellm_skill.redaction import Redactor, redact
from litellm_skill.settings import Settings

__all__ = [
    "Finding",
    "Part",
    "Redactor",
    "check_changes",
    "check_path",
    "redact",
    "redact_values",
    "refuse",
    "scan",
    "secrets",
]

AT_HAND = "key of this environment"
# Names of variables, by their words; and those that only sound like it.
_SECRET_WORD = re.compile(
    r"\w*?(?:KEYS?|TOKENS?|SECRETS?|PASSWORDS?|PASSWD|PASSPHRASE|CREDENTIALS?)|PASS|PWD|PAT|JWT|PEM|AUTH|AUTHORIZATION"
)
_NO_SECRET = re.compile(r"(?:OLD)?PWD|GPG_KEY|GIT_CONFIG_KEY_\d+|.*_(?:NAME|FILE|PATH|DIR|SOCK|TYPE|COUNT|LIMIT)")
_PLAIN_WORD = re.compile(r"[A-Za-z]?[a-z]{0,14}|[A-Z]{0,15}")
_ASSIGNED = re.compile(r"(?i)(?:key|passw(?:or)?d|pwd|secret|token|sig|signature)=([^\s;&\"']{8,})")
_ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.-]*://")
_CREDENTIALS = re.compile(r"://([^\s/?#]*)@")


@dataclass(frozen=True)
class Part:
    """A text that would be sent. ``name`` is what messages call it; ``heading``: lines before its own first one."""

    name: str
    text: str
    heading: int = 0


@dataclass(frozen=True)
class Finding:
    """Where a secret stands; never the secret. Lines count from 1."""

    rule: str
    source: str
    line: int


def redact_values(document: Any, secrets: Sequence[str]) -> Any:
    """What json.dumps takes, with every secret in its values written as ``[key]``; its names are ours."""
    if isinstance(document, str):
        return redact(document, secrets)
    if isinstance(document, dict):
        return {name: redact_values(value, secrets) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [redact_values(value, secrets) for value in document]
    return document


def scan(parts: Iterable[Part], secrets: Sequence[str] = ()) -> list[Finding]:
    """Every line of ``parts`` that holds a secret, once: by the rules, or one of ``secrets`` in any usual spelling."""
    exact = [secret for secret in secrets if len(secret) >= redaction.SHORT and not _PLAIN_WORD.fullmatch(secret)]
    findings: list[Finding] = []
    for part in parts:
        found = [(at, AT_HAND) for at in redaction.find(part.text, exact)]
        for rule in secret_rules.rules():
            found += [(match.start(), rule.name) for match in rule.find(part.text)]
        if found:
            findings += _by_line(part, found)
    return findings


def _by_line(part: Part, found: list[tuple[int, str]]) -> list[Finding]:
    breaks = [match.start() for match in re.finditer("\n", part.text)]
    lines: dict[int, str] = {}
    for at, rule in found:
        lines.setdefault(max(1, bisect_left(breaks, at) + 1 - part.heading), rule)
    return [Finding(rule, part.name, line) for line, rule in sorted(lines.items())]


def refuse(findings: Sequence[Finding]) -> None:
    """Raises SecretFound when there are any; names three at most."""
    if not findings:
        return
    named = "; ".join(f"{one.rule} in {_source(one)}, line {one.line}" for one in findings[:3])
    more = f"; and {len(findings) - 3} more" if len(findings) > 3 else ""
    raise SecretFound(
        f"a secret would have been sent: {named}{more}", "take it out, or add --allow-secrets if it may be sent"
    )


def _source(finding: Finding) -> str:
    return "a file whose name holds one, too" if scan([Part("", finding.source)]) else _short(finding.source)


def _short(name: str, limit: int = 60) -> str:
    return name if len(name) <= limit else f"…{name[1 - limit :]}"


def secrets(settings: Settings) -> tuple[str, ...]:
    """The values of every key and password at hand, the longest first: by the name of the variable, by their shape,
    or as a part of an address, of a connection string or of JSON. Not what everybody knows or what is a plain word:
    to hide ``postgres`` would hide half of an answer."""
    found: set[str] = set()
    for setting in settings.values.values():
        found.update(_secrets_in(setting.name, setting.value))
        found.update(_by_shape(setting.value))
    return tuple(sorted(found, key=lambda secret: (-len(secret), secret)))


def _secrets_in(name: str, value: str) -> Iterator[str]:
    certain = name.upper().endswith(("KEY", "TOKEN"))
    candidates = [*_in_address(value), *(unquote(part) for part in _in_address(value)), *_ASSIGNED.findall(value)]
    if _names_secret(name) and not _ADDRESS.match(value) and not _is_place(value):
        parts = re.split(r"[\s,;]+", value)
        candidates += [value, *(part for part in parts if len(part) >= redaction.WORDS and secret_rules.mixed(part))]
    yield from (secret for secret in candidates if _worth_hiding(secret, certain=certain))
    yield from _in_json(value)


def _names_secret(name: str) -> bool:
    if _NO_SECRET.fullmatch(name.upper()):
        return False
    return any(_SECRET_WORD.fullmatch(word) for word in re.split("[^A-Z0-9]+", name.upper()))


def _is_place(value: str) -> bool:
    """A file's path, as GOOGLE_APPLICATION_CREDENTIALS has it; a key may begin with a slash, too."""
    return os.path.isabs(value) and (re.search(r"\.[a-z]{2,6}$", value) is not None or os.path.exists(value))


def _worth_hiding(secret: str, *, certain: bool) -> bool:
    if secret.casefold() in secret_rules.data()["words"]:
        return False
    if len(secret) < redaction.SHORT:
        return len(secret) >= 6 and not secret.isalpha() and not secret.isdigit()
    return certain or not _PLAIN_WORD.fullmatch(secret)


def _in_address(value: str) -> list[str]:
    """Password of each URL, else a token that stands in the user's place."""
    found = []
    for credentials in _CREDENTIALS.findall(value):
        user, _, password = credentials.partition(":")
        if password:
            found += [password] if secret_rules.chosen(user, password) else []
        elif len(user) >= redaction.WORDS and secret_rules.mixed(user):
            found.append(user)
    return found


def _in_json(value: str) -> Iterator[str]:
    """Of a service account's key, for example: from the document and the objects in it."""
    import json

    if not value.lstrip().startswith("{"):
        return
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return
    for name, inner in document.items():
        for key, text in inner.items() if isinstance(inner, dict) else [(name, inner)]:
            if isinstance(text, str):
                yield from _secrets_in(key, text)


def _by_shape(value: str) -> Iterator[str]:
    for rule in secret_rules.rules():
        for match in rule.find(value):
            if rule.bounded:
                yield match["secret"] if rule.inside else match[0]


def check_path(path: Path, name: str, directory: Path, allowed: Iterable[str] = (), pattern: str | None = None) -> None:
    """Whether the file may be opened and sent: SecretFound when its name, or that of the file it links to, says that it
    holds credentials; BadInput when a link in ``directory`` leads out of it.

    ``name``: what messages call it. ``allowed``: paths that are permitted by hand. ``pattern``: the glob that met it.
    """
    if "\0" in str(path) or is_allowed(path, directory, allowed):
        return
    target = os.path.realpath(path)
    if why := refused(os.path.abspath(path)) or refused(target):
        narrow = f"narrow {pattern} so that it leaves this file out" if pattern else "send what matters of it as text"
        raise SecretFound(f"{_short(name)} is not sent: such a file ({why}) holds secrets", _or_allow(narrow, name))
    if _leads_out(path, directory):
        relation = os.path.relpath(target, os.path.realpath(directory))
        what = f"{_short(name)} is a link out of the working directory, to {_short(relation)!r}"
        raise BadInput(what, _or_allow("leave it out", name))


def check_changes(paths: Iterable[Path], diff: str, directory: Path, allowed: Iterable[str] = ()) -> None:
    """The same, by name alone, for the files whose changes stand in a diff, which messages call ``diff``."""
    for path in paths:
        why = refused(os.path.abspath(path))
        if why and not is_allowed(path, directory, allowed):
            name = os.path.relpath(path, directory)
            what = f"{diff} is not sent: it holds changes of {_short(name)!r}, and such a file ({why}) holds secrets"
            raise SecretFound(what, _or_allow("attach the other files with -f", name))


def refused(path: str) -> str | None:
    """The pattern of secret_rules.toml that this absolute path has, in any case; None when it may be sent."""
    whole = path.replace(os.sep, "/").casefold()
    name = whole.rpartition("/")[2]
    paths = secret_rules.data()["paths"]
    if any(fnmatchcase(name, pattern) for pattern in paths["fine"]):
        return next((pattern for pattern in paths["refused"] if "/" in pattern and _has(whole, pattern)), None)
    return next((pattern for pattern in paths["refused"] if _has(whole, pattern)), None)


def _has(whole: str, pattern: str) -> bool:
    if pattern.endswith("/"):
        return f"/{pattern}" in whole
    if "/" not in pattern:
        return fnmatchcase(whole.rpartition("/")[2], pattern)
    return fnmatchcase(whole, pattern if pattern.startswith("/") else f"*/{pattern}")


def is_allowed(path: Path, directory: Path, allowed: Iterable[str]) -> bool:
    """Whether this very file was permitted by hand, by whatever name."""
    return any(os.path.realpath(directory / one) == os.path.realpath(path) for one in allowed)


def _or_allow(hint: str, name: str) -> str:
    return f"{hint}, or add --allow-path {shlex.quote(name)} if it may be sent"


def _leads_out(path: Path, directory: Path) -> bool:
    """Whether a link in ``directory`` on the way leads out of it. A path with ``..`` says where it goes."""
    home = Path(os.path.realpath(directory))
    if Path(os.path.realpath(path)).is_relative_to(home):
        return False
    return any(
        place.is_symlink()
        and Path(os.path.realpath(place.parent)).is_relative_to(home)
        and not Path(os.path.realpath(place)).is_relative_to(home)
        for place in (path, *path.parents)
    )
