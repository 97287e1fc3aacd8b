"""What is taken for a secret: the rules of secret_rules.toml, and whether a match looks like a real one. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import log2
from pathlib import Path
from typing import Any

from litellm_skill import redaction

DATA = Path(__file__).with_name("secret_rules.toml")
NEAR = 120  # characters


@dataclass(frozen=True)
class Rule:
    """The head of secret_rules.toml says what the fields mean."""

    name: str
    begins: tuple[str, ...]
    pattern: str
    entropy: float = 1.5
    mixed: bool = False
    near: str | None = None
    check: str | None = None
    inside: bool = False
    anywhere: bool = False

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    @property
    def bounded(self) -> bool:
        """Whether a match holds all of the secret, and not its beginning only."""
        return "secret" in self.compiled.groupindex

    def find(self, text: str) -> Iterator[re.Match[str]]:
        """Most texts have no beginning of most rules: those must cost next to nothing."""
        present = [begin for begin in self.begins if begin in text]
        return filter(self._real, self._shaped(text, present)) if present else iter(())

    def _shaped(self, text: str, present: Sequence[str]) -> Iterator[re.Match[str]]:
        if self.anywhere:
            yield from self.compiled.finditer(text)
            return
        for begin in present:
            at = text.find(begin)
            while at >= 0:
                match = self.compiled.match(text, at) if self.inside or _begins().match(text, at) else None
                if match:
                    yield match
                at = text.find(begin, max(at + len(begin), match.end() if match else 0))

    def _real(self, match: re.Match[str]) -> bool:
        """Whether it looks like a secret, and not like a placeholder, a name or a hash."""
        if not self.bounded:
            return True
        secret = match["secret"]
        if entropy(secret) < self.entropy or (self.mixed and not mixed(secret)) or _placeholder().search(secret):
            return False
        around = match.string[max(0, match.start() - NEAR) : match.end() + NEAR]
        if self.near and not re.search(self.near, around):
            return False
        return self.check is None or _CHECKS[self.check](match)


@cache
def data() -> Mapping[str, Any]:
    import tomllib

    return tomllib.loads(DATA.read_text(encoding="utf-8"))


@cache
def rules() -> tuple[Rule, ...]:
    return tuple(Rule(**{**row, "begins": tuple(row["begins"])}) for row in data()["rules"])


@cache
def _begins() -> re.Pattern[str]:
    return re.compile(redaction.BEGINS)


@cache
def _placeholder() -> re.Pattern[str]:
    return re.compile(data()["placeholder"])


def entropy(text: str) -> float:
    """Bits a character, by Shannon."""
    return -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values())


def mixed(text: str) -> bool:
    """Whether a stretch of letters and digits has both, or letters of both cases as no name has them."""
    return any(_mixed_stretch(stretch) for stretch in re.findall(r"[A-Za-z0-9]{8,}", text))


def _mixed_stretch(stretch: str) -> bool:
    if not stretch.isalpha():
        return not stretch.isdigit()
    return len(stretch) >= 12 and _jumbled(stretch)


def _jumbled(text: str) -> bool:
    """Whether the case changes as often as it does by chance, and in no name: NamesLikeThisOne do at 0.3 or less."""
    changes = sum(one.isupper() != other.isupper() for one, other in zip(text, text[1:], strict=False))
    return changes >= 0.35 * len(text)


def chosen(user: str, password: str) -> bool:
    """Whether somebody chose this password: it is no default, no variable, no row of asterisks."""
    known = password == user or password.casefold() in data()["words"]
    return not known and not password.startswith(("$", "%s")) and len(set(password)) > 2


def _is_token(match: re.Match[str]) -> bool:
    import base64
    import json

    header = match["secret"].partition(".")[0]
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, TypeError):
        return False


def _is_base64(match: re.Match[str]) -> bool:
    lower, upper, digits = (len(re.findall(kind, match["secret"])) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return lower > 0 and upper > 0 and digits > 0 and (digits > 2 or _jumbled(match["secret"]))


_CHECKS = {
    "jwt": _is_token,
    "password": lambda match: chosen(match["user"], match["secret"]),
    "base64": _is_base64,
}
