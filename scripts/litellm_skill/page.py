"""A comparison to look at: one HTML page that needs nothing else, or one Markdown file. Pure.

All texts are untrusted. In the page an answer's Markdown is rendered without HTML and images, and what comes of it is
cleaned again; the page's policy (CSP) permits no script and no request. In the Markdown file answers stand in code
fences, where nothing of theirs is markup.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litellm_skill import report

if TYPE_CHECKING:
    from jinja2 import Environment
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

UNKNOWN = "unknown"
RENDERED = 100_000  # characters; a longer text is shown as it is, for one made to be hard takes seconds to render
SHORT = 1_500  # characters of a prompt that is shown without being asked for
HEADING = 3  # the level of an answer's own headings begins below this one

# What Markdown makes, less images. A link is followed only by whoever clicks on it.
TAGS = {"a", "p", "br", "hr", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
_LINK = re.compile(r"(?i)(https?|mailto):")
# Characters that are Markdown's wherever they stand, and those that are at the beginning of a line.
_MARKS = re.compile(r"[\\`*_{}\[\]<>|&~!$]")
_OPENING = re.compile(r"^(\d*)([.)#+=:-])(?=[\s#=-]|$)")


def html(comparison: Mapping[str, Any], *, prompt: str, date: str) -> str:
    """The page. ``comparison``: as ``comparison.document`` makes it; ``judge``, ``ranking`` and ``synthesis`` are null
    where nobody was asked, ``{"error": {"message"}}`` where it failed. ``date``: as it is to be read."""
    return render("comparison.html.j2", _view(comparison, prompt, date), markup=True)


def markdown(comparison: Mapping[str, Any], *, prompt: str, date: str) -> str:
    """The same as GitHub Flavored Markdown."""
    return render("comparison.md.j2", _view(comparison, prompt, date), markup=False)


def render(template: str, view: Mapping[str, Any], *, markup: bool) -> str:
    """A template beside this module. With ``markup`` every text that it shows is escaped as HTML wants it."""
    return _environment(autoescape=markup).get_template(template).render(view).strip() + "\n"


def _view(comparison: Mapping[str, Any], prompt: str, date: str) -> dict[str, Any]:
    """What the templates show."""
    answers = comparison["answers"]
    return {
        **comparison,
        "prompt": prompt,
        "date": date,
        "missing": [{**gone, "why": _why(gone["error"])} for gone in comparison["missing"]],
        "answers": [_row(answer, answers) for answer in answers],
        "total": _total(comparison),
        "warnings_of_all": comparison["warnings"],
        "short": len(prompt) <= SHORT,
    }


def _row(answer: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``time_bar``, ``cost_bar``: percent of the greatest, None where unknown."""
    usage = answer["usage"]
    return {
        "name": answer["label"],
        "text": answer["text"],
        "why": _why(answer["error"]),
        "warnings": answer["warnings"],
        "time": _seconds(answer["latency_s"]),
        "first": _seconds(answer["first_token_s"]),
        "cost": UNKNOWN if answer["cost_usd"] is None else report.money(answer["cost_usd"]),
        "tokens": [
            UNKNOWN if usage[name] is None else f"{usage[name]:,}" for name in ("input_tokens", "output_tokens")
        ],
        "time_bar": _percent(answer["latency_s"], (other["latency_s"] for other in answers)),
        "cost_bar": _percent(answer["cost_usd"], (other["cost_usd"] for other in answers)),
    }


def _why(error: Any) -> str:
    """Of an error object, or of the text that stands for one."""
    return error["message"] if isinstance(error, Mapping) else error or ""


def _seconds(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f} s"


def _percent(value: float | None, every: Iterable[float | None]) -> float | None:
    greatest = max((other for other in every if other is not None), default=0)
    return None if value is None else round(100 * value / greatest, 1) if greatest > 0 else 0.0


def _total(comparison: Mapping[str, Any]) -> str:
    """The cost of all; of what is known when not all is."""
    if comparison["cost_usd"] is not None:
        return report.money(comparison["cost_usd"])
    known = comparison["cost_known_usd"]
    return f"{UNKNOWN}, at least {report.money(known)}" if known else UNKNOWN


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


# Templates


@cache
def _environment(autoescape: bool) -> Environment:
    """Strict about names; every text that is not markup of ours is made printable, wherever it is shown."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: report.printable(value) if type(value) is str else value,
    )
    environment.filters.update(rendered=rendered, fenced=fenced, plain=plain, number=_number, seconds=_seconds)
    environment.filters.update(sha256=_sha256, money=report.money)
    return environment


def _sha256(text: str) -> str:
    """As a policy names an inline style."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# Markdown as HTML


def rendered(text: str) -> str:
    """Markdown as harmless HTML: no HTML of its own, no images, no ids, headings from level 4 on."""
    text = report.printable(text)
    if len(text) > RENDERED:
        return f'<pre tabindex="0">{escape(text)}</pre>'
    return _scrolling(_clean(_parser().render(text)))


def _clean(markup: str) -> str:
    import nh3

    return nh3.clean(
        markup,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=lambda tag, name, value: value if name != "href" or _LINK.match(value) else None,
        link_rel="noopener noreferrer nofollow",
    )


def _scrolling(markup: str) -> str:
    """Wide code and tables scroll by themselves, also by keyboard. In cleaned HTML these tags are nothing else."""
    opening = '<div class="wide" tabindex="0" role="group" aria-label="table"><table>'
    markup = markup.replace("<table>", opening).replace("</table>", "</table></div>")
    return markup.replace("<pre>", '<pre tabindex="0">')


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule("image", _image)
    parser.core.ruler.push("lower", lambda state: _lower(state.tokens))
    return parser


def _image(_: Any, tokens: Sequence[Token], index: int, *__: Any) -> str:
    """A link in its place: to show it would tell its server who reads this."""
    token = tokens[index]
    return f'<a href="{escape(str(token.attrs.get("src", "")))}">[image: {escape(token.content)}]</a>'


def _lower(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, HEADING + int(token.tag[1]))}"


# Texts in Markdown


def fenced(text: str, info: str = "") -> str:
    """A code block that ``text`` cannot close: its fence is longer than any row of backticks in it."""
    text = report.printable(text)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{info}\n{text}\n{fence}"


def plain(text: str) -> str:
    """One line in which nothing is markup."""
    line = _MARKS.sub(r"\\\g<0>", report.one_line(text, 2_000))
    return _OPENING.sub(r"\1\\\2", line)
