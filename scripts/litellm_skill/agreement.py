"""The short answer in a reply -- a number, a letter, a label, a JSON value -- and whether two are the same. Pure.

Two cheap models of different makers that agree are mostly right (measured: benchmarks/routing.py); what cannot be read
never agrees with anything.
"""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from fractions import Fraction

Value: TypeAlias = "Fraction | str | tuple[Value, ...] | frozenset[tuple[str, Value]]"

_READ = 20_000  # characters of a reply that are looked at; what is longer holds no short answer but at its end
_LONGEST = 2_000  # characters; longer is no short answer
_LABEL = 60  # characters that a label or a value in words has at most
_DEEPEST = 20  # of nested JSON or Python values
_DIGITS = 40  # of a number; what has more is compared as text
_NUMBER = r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:\s*/\s*\d+(?:\.\d+)?)?"
_SAID = (  # where the final answer stands, the surest first; the last match is taken
    r"\\boxed\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}",
    r"(?:^|\n)\s*####\s*(.+)",
    r"(?i:(?:final answer|correct (?:answer|option|choice)|(?:the|my) answer|^answer|\nanswer|\boutput)"
    r"\W{0,6}(?:is|are|would be|will be|[:=：])\W{0,4}?)\s*(.+)",
    r"(?:最终答案|正确答案|答案|正确选项|应?选|输出|结果)\s*(?:是|为|[:：])*\s*(.+)",
)


@dataclass(frozen=True)
class Answer:
    """``value``: in the form it is compared in; ``text``: as it was written."""

    value: Value
    text: str


def read(task: str, text: str) -> Answer | None:
    """The short answer of a reply to a task of this kind (``tasks.NAMES``); None when there is none to be read."""
    plain = _plain(text[-_READ:])
    if not plain:
        return None
    if task == "choice":
        return _letter(plain) or _label(plain)
    if task == "math":
        return _number(plain)
    exact = task == "code-reading"
    return _json(plain, exact) or _value(plain, exact)


def stated(answer: str | None, exact: bool = False) -> Answer | None:
    """Of an answer that stands alone: a number, a letter, a label, a value of JSON or Python.

    ``exact``: the case of letters counts, as in what a program prints.
    """
    plain = _plain(answer or "")
    return Answer(_normal(plain, exact), plain) if plain else None


def same(first: Answer, second: Answer) -> bool:
    return first.value == second.value


def _plain(text: str) -> str:
    """Full-width forms as plain ones, without emphasis."""
    return unicodedata.normalize("NFKC", text).replace("**", "").replace("−", "-").strip()


def _said(text: str) -> Iterator[str]:
    """What the reply itself calls its answer, the surest way of saying so first."""
    for pattern in _SAID:
        found = re.findall(pattern, text)
        if found:
            yield found[-1].strip()


def _letter(text: str) -> Answer | None:
    """A letter of an option, alone or before its text: ``B``, ``(b)``, ``B. because``, ``answer: B``; ``A, C`` too."""
    lines = text.splitlines()
    for said in (*_said(text), lines[0], lines[-1]):
        bare = re.sub(r"\\(?:text|mathrm|textbf)\s*\{([^{}]*)\}", r"\1", said).strip(" \t*`$\"'“”:：")
        several = re.fullmatch(r"[(\[]?([A-J])[)\]]?(?:\s*(?:,|、|and|和|\s)\s*[(\[]?([A-J])[)\]]?)+[.。]?", bare)
        if several or re.fullmatch(r"[A-J]{2,5}", bare):
            letters = tuple(sorted(set(re.findall(r"[A-J]", bare))))
            return Answer(letters, ", ".join(letters))
        one = re.match(r"(?:[Oo]ption |选项 ?)?[(\[]?([A-Ja-j])(?:[)\].:,、。]|$|\s+[-—(]|\s*[\u4e00-\u9fff])", bare)
        if one:
            return Answer(one[1].upper(), one[1].upper())
    return None


def _label(text: str) -> Answer | None:
    """A word such as ``True`` or ``entailment``, first or called the answer."""
    for said in (*_said(text), text.splitlines()[0]):
        word = re.match(r"[\"'“(]*([\w-]+)", said)
        if word and len(said) <= _LABEL:
            return stated(_short(said))
        if word and word[1].lower() in ("yes", "no", "true", "false"):
            return stated(word[1])
    return None


def _number(text: str) -> Answer | None:
    """The answer that the reply names; else the last number of a short last line; else the last one of all."""
    for said in _said(text):
        expression = _expression(said)
        if expression is not None:
            return expression
    numbers = re.findall(rf"(?<![\w.]){_NUMBER}", text.splitlines()[-1]) or re.findall(rf"(?<![\w.]){_NUMBER}", text)
    return stated(numbers[-1]) if numbers else None


def _expression(said: str) -> Answer | None:
    """A number with its unit as the number; another short expression as it is written, without spaces."""
    tidy = _untexed(said)
    number = re.match(rf"[^\w\d(\[{{+.\-]*({_NUMBER})(?![\w^*(\\]|\.\d|\s*[+*/^=\-]\s*\w)", tidy)
    if number and not re.match(r"\s*(?:,|and|or|或|和)\s*[-(\d]", tidy[number.end() :]):
        return stated(number[1])
    short = tidy.rstrip(" .。$")
    return Answer(re.sub(r"\s+", "", short).lower(), short) if 0 < len(short) <= _LABEL else None


def _untexed(text: str) -> str:
    text = re.sub(r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}", r"\1/\2", text)
    text = re.sub(r"\\(?:text|mathrm|textbf|mbox)\s*\{([^{}]*)\}", r" \1", text)
    return re.sub(r"\\[,;!() ]|\\left|\\right|\\\$|\$|\^\\circ|\\%", "", text).strip()


def _json(text: str, exact: bool) -> Answer | None:
    """A JSON document: the whole reply, a fenced block of it, or what stands between its outer brackets."""
    fenced = re.findall(r"```(?:json)?\s*\n(.*?)```", text, re.S)
    begins = min((at for at in map(text.find, "[{") if at >= 0), default=0)
    outer = text[begins : max(map(text.rfind, "]}")) + 1]
    for candidate in (text, *fenced[-1:], outer):
        if candidate.lstrip()[:1] in ("{", "["):
            try:
                return Answer(_comparable(json.loads(candidate), exact), candidate)
            except (ValueError, RecursionError):
                continue
    return None


def _value(text: str, exact: bool) -> Answer | None:
    """What the reply calls its answer, the code it ends with, or the whole of a short reply."""
    for said in _said(text):
        if len(said) <= _LABEL * 3:
            return stated(_short(said), exact)
    fenced = re.findall(r"```\w*\s*\n(.*?)```", text, re.S) or re.findall(r"`([^`\n]+)`[.。]?\Z", text)
    if fenced and len(alone := fenced[-1].strip()) <= _LONGEST:
        return stated(alone, exact)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(len(line) <= _LABEL for line in lines) and len(text) <= _LONGEST:
        return Answer(tuple(_normal(re.sub(r"^(?:[-*•]|\d+[.)])\s+", "", line), exact) for line in lines), text)
    if len(lines) != 1 or len(text) > _LABEL * 3:
        return None
    named = re.fullmatch(r"[^\W\d][\w ]{0,20}:\s*([^\s:][^:]*)", text)  # Sentiment: positive
    return stated(_short(named[1] if named and not exact else text), exact)


def _short(text: str) -> str:
    return text.strip().strip("`$ ").rstrip(".。;；")


def _normal(text: str, exact: bool = False) -> Value:
    """A number, a Python or JSON value, or else the words without quotes and closing points."""
    tidy = _untexed(text.strip())
    if (number := _rational(tidy)) is not None:
        return number
    if tidy[:1] in "[({'\"" and len(tidy) <= _LONGEST:
        try:
            return _comparable(ast.literal_eval(tidy), exact)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            pass  # no value of Python's: words
    return _words(tidy.strip(" \"'“”‘’`").rstrip(".。!！"), exact)


def _words(text: str, exact: bool) -> str:
    """``True``, ``true`` and ``None``, ``null`` are the same in Python and in JSON."""
    words = re.sub(r"\s+", " ", text).strip()
    known = {"True": "true", "False": "false", "None": "null"}
    return known.get(words, words) if exact else known.get(words, words).casefold()


def _rational(text: str) -> Fraction | None:
    """``1,234.50`` and ``3/4`` exactly; a currency sign before and a unit or % after are left out."""
    from fractions import Fraction  # with decimal: 7 ms, and most decisions need none

    found = re.fullmatch(rf"[$€£¥]?\s*({_NUMBER})\s*(?:%|[a-z°元个人块米]{{0,8}}\.?)", text, re.I)
    if not found or sum(map(str.isdigit, found[1])) > _DIGITS:
        return None
    above, _, below = found[1].replace(",", "").replace(" ", "").partition("/")
    try:
        return Fraction(above) / Fraction(below or 1)
    except (ValueError, ZeroDivisionError):
        return None


def _comparable(value: Any, exact: bool, depth: int = 0) -> Value:
    """A value of JSON or Python, hashable: objects without order, numbers by value.

    Raises ValueError when it is nested too deep.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = _rational(repr(value))
        return str(value) if number is None else number
    if isinstance(value, dict):
        items = value.items()
        return frozenset((_words(str(key), exact), _comparable(item, exact, depth + 1)) for key, item in items)
    if isinstance(value, list):
        return tuple(_comparable(item, exact, depth + 1) for item in value)
    if isinstance(value, tuple):
        return ("()", *(_comparable(item, exact, depth + 1) for item in value))
    if isinstance(value, set):
        return ("{}", *sorted((_comparable(item, exact, depth + 1) for item in value), key=repr))
    return _words(str(value), exact)
