"""What kind of work a prompt asks for, told by rules from its text, in English and Chinese. Pure.

Rules look at the form (options, code, figures) and at what is asked; none looks at names or at a benchmark's own words.
Right on the prompts of tests/data/task_prompts.jsonl and on recorded benchmarks: see benchmarks/routing.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from litellm_skill import modelfile
from litellm_skill import task_rules as rules
from litellm_skill.task_rules import Rule

NAMES = modelfile.TASKS
_HEAD, _TAIL = 900, 500  # characters: what is asked stands at one end of a long prompt
_LONG = 700  # characters; a question longer than this that fits no rule is not called simple
_STORY = 3  # figures in a sum told in words that is surely one
_CHINESE = re.compile("[\u4e00-\u9fff]")
# Code and its docstrings say nothing of what is asked in words; what has a question mark or reads as a sentence does.
_ASIDE = re.compile(r"(?s)```.*?(?:```|\Z)|\"\"\".*?(?:\"\"\"|\Z)|\'\'\'.*?(?:\'\'\'|\Z)")
_CODE = (  # compiled with the first prompt that has code: it takes milliseconds
    rf"{rules.CODE_LINE}|^[ \t]{{2,}}\S|[;{{}}][ \t]*$|^[\w.]+\(.*\)$|^[ \t]*[\w.\[\]]+[ \t]*[-+*/]?=[ \t]*\S|^[ \t]*(?://|#)"
)
_SENTENCE = re.compile(r"[?？\u4e00-\u9fff]|^[^\w\n]*[A-Z][a-z']+(?: [\w'`()./-]+){3,}|^\S.*:$")
_DRAWING = re.compile(r"(?s)\[asy\].*?(?:\[/asy\]|\Z)")


@dataclass(frozen=True)
class Task:
    """``comparable``: the answer asked for is short, so that two of them can be compared."""

    name: str
    comparable: bool
    why: str


@dataclass(frozen=True)
class _Asked:
    """``shown``: the ends of the prompt without drawings; ``words``: in lower case, without code between fences."""

    shown: str
    words: str
    vocabulary: frozenset[str]
    chinese: bool
    has_code: bool

    def fits(self, rule: Rule) -> bool:
        if not rule.cues.isdisjoint(self.vocabulary) and re.search(rule.english, self.words, re.M):
            return True
        return self.chinese and bool(rule.chinese) and re.search(rule.chinese, self.words, re.M) is not None


def of(text: str, name: str | None = None) -> Task:
    """The task of a prompt; ``name``: as the user says, then only whether its answer is comparable is told."""
    asked = _read(text)
    if name is not None:
        return Task(name, _is_comparable(name, asked), "as told")
    name, why = _by_form(asked) or _by_words(asked) or _by_length(text)
    return Task(name, _is_comparable(name, asked), why)


def _read(text: str) -> _Asked:
    ends = text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"
    shown = re.sub(r"\s{40,}", "\n\n", _DRAWING.sub(" [asy] ", ends))
    has_code = "```" in shown or re.search(rules.CODE_LINE, shown) is not None
    words = _spoken(shown) if has_code else shown.lower()
    vocabulary = frozenset(re.findall(r"[a-zü][a-zü'-]*", words))
    return _Asked(shown, words, vocabulary, _CHINESE.search(words) is not None, has_code)


def _spoken(shown: str) -> str:
    lines = _ASIDE.sub(" ", shown).splitlines()
    return "\n".join(line for line in lines if _SENTENCE.search(line) or not re.search(_CODE, line)).lower()


def _by_form(asked: _Asked) -> tuple[str, str] | None:
    if _has_options(asked) or asked.fits(rules.YES_OR_NO):
        return "choice", "has options to choose from"
    if _is_formula(asked) or (not asked.has_code and _is_sum(asked)):
        return "math", "asks for a figure to be worked out"
    if asked.has_code and (asked.fits(rules.YIELDS) or "??" in asked.words):
        return "code-reading", "asks what code yields"
    return None


def _by_words(asked: _Asked) -> tuple[str, str] | None:
    if asked.fits(rules.TRANSLATE):
        return "translate", "asks for another language"
    if asked.fits(rules.CODE) or (asked.has_code and asked.fits(rules.CHANGE)):
        return "code", "asks for code"
    if asked.has_code:
        reading = asked.fits(rules.ABOUT) or asked.fits(rules.SUMMARISE) or "?" in asked.words or "？" in asked.words
        return ("code-reading", "asks about code") if reading else ("code", "is code, and asks nothing else")
    if asked.fits(rules.SUMMARISE):
        return "summarise", "asks for a shorter text"
    if asked.fits(rules.EXTRACT):
        return "extract", "asks for what a text holds"
    if asked.fits(rules.WRITING):
        return "writing", "asks for a text"
    if _is_math(asked):
        return "math", "asks for a figure to be worked out"
    if asked.fits(rules.PROOF) or asked.fits(rules.REASONING):
        return "reasoning", "asks for a proof or a judgement"
    return None


def _by_length(text: str) -> tuple[str, str]:
    if len(text) > _LONG:
        return "reasoning", "is long, and no rule knows it"
    return "simple", "a short question"


def _is_comparable(name: str, asked: _Asked) -> bool:
    if name == "code-reading":
        return asked.fits(rules.YIELDS) or "??" in asked.words
    if name == "math":
        return not asked.fits(rules.PROOF)
    return name in ("choice", "extract")


def _has_options(asked: _Asked) -> bool:
    """At least two marks that follow one another, from the first on: A. B. / (a) (b) / 1) 2)."""
    text = asked.shown
    if re.search(_options("A", "B"), text):
        return True
    if re.search(_options("1", "2"), text) or "①" in text:  # more often a list than options
        return asked.fits(rules.CHOOSE)
    lettered = re.search(r"(?s)(?:^|\s)[(\[]a[)\]]\s?.{1,600}?\s[(\[]b[)\]]", text)
    return bool(lettered) and (asked.fits(rules.CHOOSE) or asked.fits(rules.ASKED))


def _options(first: str, second: str) -> str:
    mark = r"\s?[.)）\]、．:：](?![\w/])\s?" if first.isdigit() else r"\s?[.)）\]、．:：]\s?"
    return rf"(?sm)(?:^|[\s？：:?])[(（\[]?{first}{mark}.{{1,1200}}?(?:^|\s)[(（\[]?{second}{mark}"


def _figures(asked: _Asked) -> int:
    return len(re.findall(rules.FIGURE, asked.words))


def _is_formula(asked: _Asked) -> bool:
    """A question in TeX; what reads as a line of code in it is none."""
    if "```" in asked.shown or asked.fits(rules.PROOF) or asked.fits(rules.TRANSLATE) or asked.fits(rules.SUMMARISE):
        return False
    return re.search(rules.TEX, asked.words) is not None


def _is_sum(asked: _Asked) -> bool:
    """Surely one: a formula, or several figures and a question for another one. An order for a text goes before it."""
    orders = (rules.PROOF, rules.TRANSLATE, rules.SUMMARISE, rules.CODE, rules.EXTRACT, rules.WRITING)
    if any(asked.fits(rule) for rule in orders):
        return False
    if re.search(rules.NOTATION, asked.words):
        return True
    return asked.fits(rules.HOW_MANY) and _figures(asked) >= _STORY


def _is_math(asked: _Asked) -> bool:
    """A sum told in words needs figures and a question for a figure."""
    if asked.fits(rules.WORKED_OUT):
        return True
    figures = _figures(asked)
    return figures >= 1 and asked.fits(rules.HOW_MANY) and (figures > 1 or asked.fits(rules.MATH_TERM))
