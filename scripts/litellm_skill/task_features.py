"""What a prompt shows of the work it asks for: its form, its words, and who acts on what. Pure.

A feature is a short text that a reader understands, with a weight between 0 and 1: "form: code", "names a tool",
"change … a kind of code", "“rewrite”". None looks at more than the two ends of a long prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from litellm_skill import task_forms as forms
from litellm_skill import task_lexicon

_HEAD, _TAIL = 900, 500  # characters: what is asked stands at one end of a long prompt
_ASK, _LAST = 240, 160  # characters of an order at the head, and of one after the material
_FEW = 24  # characters behind a colon that belong to the order
_MATERIAL = 600  # characters of the rest that are looked at
_MANY = 6  # lines of code
_GREETING = 40  # characters of an order that may be no more than a greeting
_LONGEST = 4  # tokens of a phrase, and characters of a Chinese word, that are looked up
_TOKEN = re.compile(r"[a-zà-ÿ][a-zà-ÿ0-9+#'-]*(?:\.[a-z]{1,4}\b)?|[\u4e00-\u9fff]|[?？]|\d[\d.,]*")
_CHINESE = re.compile("[\u4e00-\u9fff]+")
_QUOTED = re.compile("\"[^\"\n]{12,}\"|“[^”\n]{4,}”|「[^」\n]{4,}」|(?<!\\w)'[^'\n]{16,}'(?!\\w)|《[^》\n]+》")
_CUT = re.compile(r"[:：](?![)(/DP-])(?=\s*\S)|[:：]\s*$|—\s|\s-\s")
_STEMS = (("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("'s", ""))

_OBJECTS = (
    *("a programming language", "a tool", "a kind of code", "parts of programs", "an error"),
    *("a human language", "a kind of text", "people"),
)
_ORDERS = (
    *("make", "change", "explain", "yield", "faults", "translate", "summarise", "extract", "draft", "decide", "think"),
    *("how many", "a fact"),
)
_FOR_TEXT = ("make", "change", "translate", "summarise", "extract", "draft")
_TELLING = ("form: options", "form: yes or no", "form: formula", "form: notation", "form: a sum in words")
_GENERAL = ("a programming language", "a tool", "a human language", "an error")


def _kinds() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for kind, words in task_lexicon.KINDS.items():
        of_kind = dict.fromkeys(words.split("|"), (kind,))
        found |= of_kind | {word: (*found[word], kind) for word in of_kind.keys() & found.keys()}
    return found


_KINDS = _kinds()


@dataclass(frozen=True)
class Seen:
    """``shown``: the two ends of the prompt; ``code``: its lines of code; ``ask``: where the order is likely to stand;
    ``material``: the other words. ``ask`` and ``material`` are in lower case."""

    shown: str
    code: tuple[str, ...]
    ask: str
    material: str


def see(text: str) -> Seen:
    ends = text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"
    shown = re.sub(r"\s{40,}", "\n\n", forms.without_drawings(ends))
    code, prose = forms.parted(shown)
    ask, material = _asked([line.strip() for line in prose or [forms.last_comment(code)]])
    return Seen(shown, tuple(code), ask.lower(), material.lower())


def _asked(prose: list[str]) -> tuple[str, str]:
    """The order: the first line, up to a colon that the material follows, and the last one when it is short."""
    if not prose:
        return "", ""
    (head, tail), rest, last = _cut(forms.without_sheet_formulas(prose[0])), prose[1:], ""
    quoted = " ".join(_QUOTED.findall(head))
    head = _QUOTED.sub(" ⁂ ", head)
    if len(head) > _ASK + _LAST:
        head, tail = f"{head[:_ASK]} {head[-_LAST:]}", f"{head[_ASK:-_LAST]} {tail}"
    if rest and len(rest[-1]) <= _LAST:
        last = _QUOTED.sub(" ⁂ ", rest.pop())
    return f"{head}\n{last}", "\n".join((quoted, tail, *rest))


def _cut(first: str) -> tuple[str, str]:
    """At a colon or dash with much behind it, unless nothing before it is known: "Java: …" begins no order."""
    cut = _CUT.search(first)
    if cut is None or 0 < len(first) - cut.end() < _FEW:
        return first, ""
    head = first[: cut.end()]
    return (head, first[cut.end() :]) if any(kinds for _, kinds in _units(head[:_ASK].lower())) else (first, "")


def of(seen: Seen) -> dict[str, float]:
    """Features and their weights."""
    asked = list(_units(seen.ask))
    if len(seen.ask) > _GREETING:  # who says "hi" first and asks for something then
        asked = [(phrase, () if kinds == ("a greeting",) else kinds) for phrase, kinds in asked]
    form, named, words = dict.fromkeys(_form(seen), 1.0), _named(asked), dict.fromkeys(_words(asked, seen.ask))
    told = dict.fromkeys(kind for _, kinds in _units(seen.material[:_MATERIAL]) for kind in kinds)
    return {
        **form,
        **named,
        **_together(form, named),
        **{f"material: {kind}": 0.5 for kind in told},
        **dict.fromkeys(words, min(0.5, 10 / (len(words) + 1))),  # many words say no more than a few
    }


def _together(form: dict[str, float], named: dict[str, float]) -> dict[str, float]:
    """What is asked of code that stands in the prompt, and what is asked as a question."""
    about = next((name for name in ("code", "code in a line") if f"form: {name}" in form), "no code")
    hows = [about, "question"] if "form: question" in form else [about]
    orders = [name for name in named if name.startswith(("asks", "begins", "no order"))]
    together = {f"{how}; {order}": 1.0 for how in hows for order in orders}
    if not any(f"begins with: {order}" in named for order in _FOR_TEXT):
        together.update({f"{sign}; no order for a text": 1.0 for sign in _TELLING if sign in form})
    return together


def _units(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Words and phrases with their kinds, the longest phrase first."""
    tokens = _TOKEN.findall(text)
    at = 0
    while at < len(tokens):
        for length in range(min(_LONGEST, len(tokens) - at), 0, -1):
            phrase = _joined(tokens[at : at + length])
            kinds = _KINDS.get(phrase) or (_stemmed(phrase) if length == 1 else None)
            if kinds or length == 1:
                yield phrase, kinds or ()
                at += length
                break


def _joined(tokens: list[str]) -> str:
    return ("" if tokens[0] > "\u4e00" else " ").join(tokens)


def _stemmed(word: str) -> tuple[str, ...] | None:
    for ending, instead in _STEMS:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            kinds = _KINDS.get(word[: -len(ending)] + instead)
            if kinds and (ending == "ing" or set(kinds).isdisjoint(_ORDERS)):  # who "decides" asks for nothing
                return kinds
    return None


def _named(asked: list[tuple[str, tuple[str, ...]]]) -> dict[str, float]:
    """Kinds of words, those the order begins with, and which order comes before which object."""
    features: dict[str, float] = {}
    times: dict[str, int] = {}
    for position, kind in ((position, kind) for position, (_, kinds) in enumerate(asked) for kind in kinds):
        times[kind] = times.get(kind, 0) + 1
        if position < 2:
            features[f"begins with: {kind}"] = 1.0
        if kind in _OBJECTS:
            features.update({f"{order} … {kind}": 1.0 for order in _ORDERS if order in times})
    for kind, count in times.items():
        features[f"names {kind}" if kind in _OBJECTS else f"asks: {kind}"] = 1.0
        if count > 1:
            features[f"twice: {kind}"] = 1.0
    if times.keys().isdisjoint(_ORDERS):
        features["no order"] = 1.0
    return features


def _words(asked: list[tuple[str, tuple[str, ...]]], ask: str) -> Iterator[str]:
    """Words and pairs of words; names of languages and tools by their kind, so that what is learnt holds for others."""
    before = "^"
    for phrase, kinds in asked:
        general = next((f"({kind})" for kind in kinds if kind in _GENERAL), None)
        word = general or ("0" if phrase[0].isdigit() else phrase)
        if general is None:
            yield f"“{word}”"
        yield f"“{before} {word}”"
        before = word
    for run in _CHINESE.findall(ask):
        yield from (f"“{run[at : at + 2]}”" for at in range(len(run) - 1))


def _form(seen: Seen) -> Iterator[str]:
    yield "always"
    question, chinese = forms.is_question(seen.ask), _CHINESE.search(seen.ask) is not None
    inline = 0 if seen.code else forms.inline(seen.shown)
    if question:
        yield "form: question"
    if forms.is_request(seen.ask):
        yield "form: a request"
    if chinese:
        yield "form: Chinese"
    if "⁂" in seen.ask:
        yield "form: quotes"
    if forms.asks_for_a_proof(seen.ask):
        yield "form: asks for a proof"
    if forms.has_sheet_formula(seen.shown):
        yield "form: a sheet's formula"
        yield f"form: a sheet's formula, {'a question' if question else 'no question'}"
    if forms.odd_lines(seen.material):
        yield f"form: odd lines, {'a question' if question else 'no question'}"
    if forms.has_error(seen.shown):
        yield "form: an error's text"
    if (seen.code or inline) and forms.asks_what_code_yields(f"{seen.ask}\n{seen.material}"):
        yield "form: asks what code yields"
    yield from _code(seen, "a question" if question else "no question", "Chinese" if chinese else "English")
    yield from _lengths(seen, inline)
    lower = seen.shown.lower()
    beside = ", beside code" if seen.code else ""
    yield from (f"form: {name}{beside}" for name in [*forms.options(seen.shown, lower)] or ["no options"])
    yield from (f"form: {name}" for name in forms.sums(lower, bool(seen.code)))


def _code(seen: Seen, how: str, language: str) -> Iterator[str]:
    lines = len(seen.code)
    if not lines:
        return
    if "```" in seen.shown:
        yield "form: fenced"
    yield "form: code"
    size = "one line" if lines == 1 else "two lines" if lines == 2 else "lines" if lines < _MANY else "many lines"
    yield f"form: code of {size}"
    yield f"form: code, {how}"
    yield f"form: code, {language}"
    if not seen.ask.strip():
        yield "form: code left open" if forms.is_left_open(seen.shown.lower()) else "form: code alone"


def _lengths(seen: Seen, inline: int) -> Iterator[str]:
    if inline:
        yield "form: code in a line"
    if inline > 1:
        yield "form: some code in a line" if inline < 5 else "form: much code in a line"
    ask, material = len(seen.ask), len(seen.material)
    yield f"form: {'a short' if ask < 30 else 'an' if ask < 80 else 'a long'} order"
    if not seen.code:
        size = "no" if material < 10 else "short" if material < 80 else "some" if material < 300 else "long"
        yield f"form: {size} material"
    if len(seen.shown) > 700:
        yield "form: long"
