"""Keys by their value, in any text: found in every usual spelling, and written as ``[key]``. Pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, quote_plus

SHORT = 8  # characters; a shorter key counts only where it stands alone: within other words it would shred them
WORDS = 16  # characters; the same for a key that is made of words, such as a password
_MADE_OF_WORDS = re.compile(r"[A-Za-z]+(?:[-_. ][A-Za-z]+)*")
# Where a key that stands alone may begin: also after an escape, as in JSON (backslash n) or in a URL (%3D).
BEGINS = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
_LOOKS_BACK = 6  # characters, by BEGINS
_SHOWN = "[key]"


@dataclass(frozen=True)
class _Spelling:
    text: str
    alone: bool

    @property
    def pattern(self) -> str:
        literal = re.escape(self.text)
        return rf"{BEGINS}{literal}(?![A-Za-z0-9])" if self.alone else literal


@dataclass(frozen=True)
class _Keys:
    """All spellings of all keys, the longest first, and one alternation of them."""

    spellings: tuple[_Spelling, ...]
    pattern: re.Pattern[str]

    def matches(self, text: str, start: int = 0) -> Iterator[tuple[int, int]]:
        """Where keys begin and end, in order; they may overlap."""
        match = self.pattern.search(text, start)
        while match:
            yield match.span()
            match = self.pattern.search(text, match.start() + 1)

    def rewrite(self, text: str, start: int, hidden: int, stop: int) -> tuple[str, int]:
        """What may be shown of ``text`` up to ``stop``, of which all before ``hidden`` has been dealt with; and up to
        where it is dealt with now: a key that begins before ``stop`` may end after it. Overlapping keys are one."""
        shown, done = [], hidden
        for first, end in self.matches(text, start):
            if first >= stop:
                break
            if first >= done:
                shown += [text[done:first], _SHOWN]
            done = max(done, end)
        if done < stop:
            shown.append(text[done:stop])
        return "".join(shown), max(done, stop)

    def undecided(self, text: str, start: int) -> int:
        """Where the tail of ``text`` begins that could be the beginning of a key; its length when there is none."""
        stop = len(text)
        for spelling in self.spellings:
            reach = len(spelling.text) - (not spelling.alone)  # whether it stands alone, the next character tells
            at = text.find(spelling.text[0], max(start, len(text) - reach), stop)
            while at >= 0 and not spelling.text.startswith(text[at:]):
                at = text.find(spelling.text[0], at + 1, stop)
            stop = at if at >= 0 else stop
        return stop


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` with every secret, whatever its shape and spelling, written as ``[key]``."""
    keys = _keys(tuple(secrets))
    return keys.rewrite(text, 0, 0, len(text))[0] if keys else text


def redact_cut(text: str, secrets: Iterable[str]) -> str:
    """The same for a text that broke off, perhaps within a secret."""
    redactor = Redactor(secrets)
    return redactor.feed(text) + redactor.flush(cut=True)


def find(text: str, secrets: Iterable[str]) -> Iterator[int]:
    """Where in ``text`` a secret begins."""
    keys = _keys(tuple(secrets))
    return (first for first, _ in keys.matches(text)) if keys else iter(())


class Redactor:
    """``redact`` for text that comes in pieces; only a tail that could be the beginning of a secret is held back.

    However the text is cut: what ``feed`` and ``flush`` return, joined, is what ``redact`` makes of the whole.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._keys = _keys(tuple(secrets))
        # Some characters that were dealt with (they tell whether a key stands alone); from ``_start`` on what is held
        # back, of which all before ``_hidden`` belongs to a key that has been shown as such.
        self._text = ""
        self._start = self._hidden = 0

    def feed(self, piece: str) -> str:
        """What may be shown now."""
        if self._keys is None:
            return piece
        self._text += piece
        return self._show(self._keys, self._keys.undecided(self._text, self._start))

    def flush(self, *, cut: bool = False) -> str:
        """The rest, when no more text comes. ``cut``: because it broke off, so that what is held back may be most of a
        key; from ``SHORT`` characters on it is shown as one."""
        if self._keys is None:
            return ""
        held = self._text[max(self._start, self._hidden) :]
        if cut and len(held) >= SHORT:
            self._text, self._start, self._hidden = "", 0, 0
            return _SHOWN
        return self._show(self._keys, len(self._text))

    def _show(self, keys: _Keys, stop: int) -> str:
        shown, done = keys.rewrite(self._text, self._start, self._hidden, stop)
        gone = max(stop - _LOOKS_BACK, 0)
        self._text, self._start, self._hidden = self._text[gone:], stop - gone, done - gone
        return shown


@lru_cache(maxsize=8)
def _keys(secrets: tuple[str, ...]) -> _Keys | None:
    alone: dict[str, bool] = {}
    for secret in filter(None, secrets):
        wordlike = len(secret) < WORDS and _MADE_OF_WORDS.fullmatch(secret) is not None
        for spelling in _spellings(secret):
            alone[spelling] = alone.get(spelling, True) and (len(secret) < SHORT or wordlike)
    spellings = tuple(_Spelling(text, alone[text]) for text in sorted(alone, key=len, reverse=True))
    return _Keys(spellings, re.compile("|".join(one.pattern for one in spellings))) if spellings else None


def _spellings(secret: str) -> set[str]:
    """As it is, and as it stands in JSON, in JSON within JSON, in a URL, in HTML and in Python's ``repr``."""
    plain = json.dumps(secret, ensure_ascii=False)[1:-1]
    escaped = json.dumps(secret)[1:-1]
    in_json = {plain, escaped, plain.replace("/", r"\/"), escaped.replace("/", r"\/")}
    within = {json.dumps(text, ensure_ascii=False)[1:-1] for text in in_json}
    quoted = {quote(secret, safe, errors="replace") for safe in ("", "/", "/:@!$&'()*+,;=")}
    quoted.add(quote_plus(secret, errors="replace"))
    small = {re.sub("%..", lambda code: code[0].lower(), text) for text in quoted}
    return {secret, *in_json, *within, *quoted, *small, html.escape(secret), repr(secret)[1:-1]}
