"""The page and the Markdown file of a comparison, read as text and looked at in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any

import pytest
from litellm_skill import ballot, page, panel, synthesis
from litellm_skill.answer import Answer, Usage, envelope, error_object
from litellm_skill.faults import DeadlinePassed, IncompleteAnswer, LimitReached

NAMES = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "google-chrome-stable", "chrome")
MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
CHROMIUM = next((found for name in (*NAMES, *MAC) if os.name == "posix" and (found := shutil.which(name))), None)

LARGE, MEDIUM, SMALL = "alpha/test-large", "beta/test-medium", "gamma/test-small"
GOOD = """# Use a queue

A **bounded queue** keeps memory flat:

```python
async def worker(queue: asyncio.Queue[Task], results: list[Result], *, deadline: float = 30.0) -> None:  # a long line
    results.append(await queue.get())
```

| Option | Memory | Ordering | Notes on the matter that are rather long and wide | One more column |
|---|---|---|---|---|
| queue | flat | no | simple | yes |

See [the docs](https://docs.example/a?b=1&c=2)."""
HOSTILE = (
    """<script>window.owned = 1; document.title = 'owned'</script><img src=http://127.0.0.1:9/a onerror="owned=2">
<style>body { display: none }</style><meta http-equiv=refresh content="0;url=http://127.0.0.1:9/"><svg onload=owned=3>

![pixel](http://127.0.0.1:9/pixel.png "t") ![data](data:image/svg+xml;base64,AAAA) ![x](x" onerror="owned=4)
[js](javascript:owned=5) [data](data:text/html,<script>owned=6</script>) [file](file:///etc/passwd) [here](#answers)
<javascript:owned=7> [ref][models] [space](<java script:owned=8>) [entity](&#106;avascript:owned=9) [rel](../../x)

[models]: javascript:owned=10

</div></article></main></body><!-- <details> ]]> {{ 7 * 7 }} {% raw %}
\u202edesrever\u2028 \x1b[2J\x07 \U000e0041 \udce9 `</code></pre><script>owned=11</script>`

````html title="x" onload=owned
</code></pre><script>owned=12</script>
````

# Missing
## All models agree
| a | b |
|---|---|
| <b onclick=owned=13>x</b> | """
    + "W" * 3_000
)
HOSTILE_NAME = '"><script>owned=14</script> `|*_x_* [l](javascript:1) <!-- \u202e\n# Fake\n'


def comparison(**changes: Any) -> dict[str, Any]:
    """Three answers of four, the last of them hostile and cut; judged by all means."""
    answers = [
        Answer(LARGE, text=GOOD, usage=Usage(420, 1812), cost_usd=0.5, cost_source="catalog", latency_s=8.0),
        Answer(
            MEDIUM, text="Take a semaphore. " * 40, usage=Usage(400, 0), cost_usd=0.0, latency_s=2.0, first_token_s=0.5
        ),
        Answer(SMALL, text=HOSTILE, fault=IncompleteAnswer("it <b>stopped</b>"), warnings=("a <i>was</i> dropped",)),
    ]
    fault = DeadlinePassed("no answer from api.example within 100 s")
    document = {
        "status": "partial",
        "asked": 4,
        "answered": 3,
        "missing": [{"model": "delta/test-slow", "error": error_object(fault)}],
        "answers": [labelled(answer) for answer in answers],
        **judged([ballot.Candidate(answer.model_requested, answer.text, "v") for answer in answers]),
        "cost_usd": None,
        "cost_known_usd": 0.5,
        "latency_s": 8.25,
        "warnings": [],
    }
    return document | changes


def labelled(answer: Answer, label: str | None = None) -> dict[str, Any]:
    return {**envelope(answer, None), "label": label or answer.model_requested}


def judged(candidates: list[ballot.Candidate]) -> dict[str, Any]:
    """By models that put the candidates in their order, and say hostile things."""
    questions = ballot.judge_questions("Q", candidates, ("Right", "Short | <i>sweet</i>"), Random(1))
    votes = [ballot.read_ballot(asked, reply(asked, candidates)) for asked in questions]
    asked_of = ballot.council_questions("Q", candidates, Random(1))
    council = [ballot.read_ballot(asked, reply(asked, candidates)) for asked in asked_of[1:]]
    merged = ballot.synthesis_question("Q", candidates, Random(1))
    says = HOSTILE_NAME
    found = {
        "answer": HOSTILE,
        "consensus": [{"point": says, "letters": ["A", "B"]}],
        "contradictions": [
            {"topic": says, "positions": [{"letters": ["A"], "says": says}, {"letters": ["B"], "says": "no"}]}
        ],
        "only_one": [{"letter": "C", "point": says}, {"letter": "Z", "point": says}],
        "not_covered": [says],
    }
    written = synthesis.read_synthesis(merged, found, "v/test-judge")
    assert written
    return {
        "judge": asdict(panel.tally(questions, votes, candidates, "v/test-judge", "v")),
        "ranking": asdict(panel.rank(asked_of, [None, *council], candidates)),
        "synthesis": asdict(written),
    }


def reply(asked: ballot.Ballot, candidates: list[ballot.Candidate]) -> dict[str, Any]:
    order = [candidate.label for candidate in candidates]
    letters = sorted(asked.letters, key=lambda letter: order.index(asked.letters[letter]))
    given = {"reason": HOSTILE_NAME, "ranking": [[letter] for letter in letters]}
    scores = {
        letter: {f"c{number + 1}": 9 - place for number in range(len(asked.criteria))}
        for place, letter in enumerate(letters)
    }
    return given | ({"scores": scores} if asked.criteria else {})


def html(document: Mapping[str, Any] | None = None, prompt: str = "How do I <limit> it?") -> str:
    return page.html(document or comparison(), prompt=prompt, date="2026-01-31 12:00 UTC")


def markdown(document: Mapping[str, Any] | None = None, prompt: str = "How do I <limit> it?") -> str:
    return page.markdown(document or comparison(), prompt=prompt, date="2026-01-31 12:00 UTC")


# As text


class Outline(HTMLParser):
    """Every element with its attributes, in order; raises where elements are not closed as they were opened."""

    VOID = frozenset({"meta", "link", "br", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.style = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.style += data
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


def test_the_page_is_well_formed_and_accessible() -> None:
    outline = Outline(html())
    tags = [tag for tag, _ in outline.elements]
    assert [tags.count(tag) for tag in ("html", "title", "h1", "main", "nav")] == [1] * 5
    assert outline.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert [(one, two) for one, two in zip(levels, levels[1:], strict=False) if two > one + 1] == []
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {value for _, attributes in outline.elements if (value := attributes.get("aria-labelledby"))}
    links = [str(attributes.get("href")) for attributes in outline.all("a")]
    inner = {link[1:] for link in links if link.startswith("#")}
    assert named | inner <= set(ids)
    assert len([attributes for attributes in outline.all("th") if attributes.get("scope")]) >= 20
    assert all(
        "aria-label" in found or "aria-labelledby" in found for found in outline.all("section", "nav", "article")
    )


def test_nothing_in_the_page_runs_or_loads() -> None:
    outline = Outline(html(comparison(), HOSTILE))
    ours = {"html", "head", "meta", "link", "title", "style", "body", "header", "main", "nav", "section", "article"}
    ours |= {"h1", "h2", "h3", "div", "details", "summary", "svg", "rect", "span"}
    assert {tag for tag, _ in outline.elements} - page.TAGS == ours
    attributes = {name for _, found in outline.elements for name in found}
    assert [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset", "action")] == []
    links = {str(found["href"]) for found in outline.all("a") if found.get("href")}
    assert {re.split("[:#]", link)[0] for link in links} == {"", "https", "http"}
    assert [
        found
        for found in outline.all("a")
        if str(found.get("href")).startswith("http") and "nofollow" not in str(found["rel"])
    ] == []
    (policy,) = [
        found["content"] for found in outline.all("meta") if found.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(outline.style.encode()).digest()).decode()
    assert (
        policy == f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert re.findall(r"url\(|@import|https?:", outline.style) == []


def test_what_the_page_says() -> None:
    text = " ".join(Outline(html()).text.split())
    for said in (
        "3 of 4 models answered",
        "2026-01-31 12:00 UTC · cost unknown, at least 0.50 USD · 8.2 s in all",
        "delta/test-slow: no answer from api.example within 100 s",
        "How do I <limit> it?",
        f"{SMALL} unknown · cost unknown · tokens out unknown Not whole: it <b>stopped</b>",
        "a <i>was</i> dropped",
        f"v/test-judge prefers {LARGE}",
        f"no usable ballot from {LARGE}",
        "dropped: attributions to answers that do not exist (1)",
        "\\u202edesrever\\u2028 \\x1b[2J\\x07 \\U000e0041 \\udce9",
    ):
        assert said in text, said
    assert text.index("Missing") < text.index("Prompt")


def test_bars_are_drawn_for_what_is_known() -> None:
    bars = [found for found in Outline(html()).all("rect") if found["class"] != "track"]
    assert [(bar["class"], bar["width"]) for bar in bars] == [
        ("time", "100.0"),
        ("cost", "100.0"),
        ("time", "25.0"),
        ("cost", "0.0"),
    ]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("# One\n\n###### Six", "<h4>One</h4>\n<h6>Six</h6>"),
        ("<b>x</b> &amp; `<i>`", "<p>&lt;b&gt;x&lt;/b&gt; &amp; <code>&lt;i&gt;</code></p>"),
        ("![a](http://h/p.png)", '<p><a href="http://h/p.png" rel="noopener noreferrer nofollow">[image: a]</a></p>'),
        ("![<b>](javascript:x)", "<p>![&lt;b&gt;](javascript:x)</p>"),
        ("![a](data:image/png;base64,AA)", '<p><a rel="noopener noreferrer nofollow">[image: a]</a></p>'),
        (
            "[a](//h/x) [b](x) [c](#x)",
            "<p>" + " ".join(f'<a rel="noopener noreferrer nofollow">{name}</a>' for name in "abc") + "</p>",
        ),
        ("[a](HTTPS://h)", '<p><a href="HTTPS://h" rel="noopener noreferrer nofollow">a</a></p>'),
        ("```x onload=y\n</pre><table>\n```", '<pre tabindex="0"><code>&lt;/pre&gt;&lt;table&gt;\n</code></pre>'),
        ("~~a~~\u200b", "<p><s>a</s>\\u200b</p>"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>'),
        ("", ""),
    ],
)
def test_markdown_as_html(text: str, made: str) -> None:
    assert page.rendered(text).strip() == made


@pytest.mark.parametrize(
    "text",
    ["[" * 5_000, "*a " * 3_000, "`" * 6_000, ">" * 5_000, "![" * 3_000, "a\n" * 5_000, "- " * 5_000]
    + ["|a" * 3_000 + "\n" + "|-" * 3_000, "<" * 6_000, "**a_" * 2_000, "[a](" * 2_000, "&#x" * 2_000],
    ids=lambda text: repr(text[:6]),
)
def test_texts_that_are_hard_to_parse(text: str) -> None:
    Outline(f"<div>{page.rendered(text)}</div>")


def test_a_very_long_answer_is_shown_as_it_is() -> None:
    assert page.rendered("# <b>\n" * 50_000).startswith('<pre tabindex="0"># &lt;b&gt;\n#')


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"judge": None, "ranking": None, "synthesis": None}, "cost unknown"),
        ({"judge": {"error": error_object(LimitReached("too <b>much</b>"))}}, "It failed: too <b>much</b>"),
        ({"ranking": {"error": error_object(LimitReached("too <b>much</b>"))}}, "It failed: too <b>much</b>"),
        ({"synthesis": {"error": error_object(LimitReached("too <b>much</b>"))}}, "It failed: too <b>much</b>"),
        ({"cost_usd": 1.5, "latency_s": None}, "cost 1.50 USD · unknown in all"),
        ({"missing": [{"model": "x/y", "error": "it is down"}]}, "x/y: it is down"),
        ({"answers": []}, "3 of 4 models answered"),
        ({"cost_known_usd": 0}, "cost unknown · 8.2 s in all"),
        ({"warnings": ["only <b>one</b> answered"]}, "only <b>one</b> answered"),
        ({"answers": [labelled(Answer("a/b", text="x"), f"a/b{more}") for more in ("", "#2")]}, "a/b#2"),
        ({"answers": [labelled(Answer("a/b", fault=LimitReached("rate")))]}, "No answer: rate"),
        ({"answers": [labelled(Answer(HOSTILE_NAME, text="x"))]}, '"><script>owned=14</script> `|*_x_*'),
    ],
)
def test_what_may_be_missing(changes: dict[str, Any], says: str) -> None:
    document = comparison(**changes)
    assert json.loads(json.dumps(document))
    assert says in " ".join(Outline(html(document)).text.split())
    unescaped = re.sub(r"\\([^A-Za-z0-9\s])|\*\*", r"\1", markdown(document))
    assert says in " ".join(unescaped.split())


def test_a_judge_without_a_verdict() -> None:
    candidates = [ballot.Candidate(name, "x", "v") for name in (LARGE, MEDIUM)]
    questions = ballot.judge_questions("Q", candidates, ("Right",), Random(1))
    verdict = asdict(panel.tally(questions, [None, None], candidates, "w/judge", "w"))
    text = " ".join(Outline(html(comparison(judge=verdict))).text.split())
    assert "w/judge gave no verdict. 2 of 2 ballots are missing" in text
    assert "| alpha/test-large | unknown | unknown |" in markdown(comparison(judge=verdict))


def test_a_long_prompt_is_folded() -> None:
    assert {"open": None} in Outline(html(prompt="short")).all("details")
    assert {"open": None} not in Outline(html(prompt="x" * 2_000)).all("details")


# As Markdown


def test_texts_do_not_change_the_structure_of_the_markdown() -> None:
    from markdown_it import MarkdownIt

    names = [HOSTILE_NAME, "* x", "1. x"]
    document = comparison(
        answers=[labelled(Answer(name, text=HOSTILE + "\n" + "`" * 9, warnings=("# w",))) for name in names],
        missing=[{"model": HOSTILE_NAME, "error": "# why\n***"}],
    )
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(markdown(document, HOSTILE + "\n```"))
    inline = [inner.type for token in tokens for inner in token.children or ()]
    assert {token.type for token in tokens} & {
        "html_block",
        "hr",
        "code_block",
        "blockquote_open",
        "ordered_list_open",
    } == set()
    assert set(inline) <= {"text", "text_special", "strong_open", "strong_close", "softbreak"}
    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[:6] == ["3 of 4 models answered", "Missing", "Prompt", "Models", "Synthesis", "What several say"]
    assert headings[9:-3] == ["Judge", "Council", "Answers"]
    assert [token.tag for token in tokens if token.type == "heading_open"][-3:] == ["h3"] * 3
    blocks = [token.content for token in tokens if token.type == "fence"]
    assert len(blocks) == 5
    assert all("# Missing\n## All models agree" in block for block in blocks)
    rows = [line for line in markdown(document).splitlines() if line.startswith("| ")]
    assert len([token for token in tokens if token.type == "tr_open"]) == len(
        [row for row in rows if row != "| a | b |" and "onclick" not in row]
    )


def test_an_answer_stands_in_the_markdown_as_it_was() -> None:
    text = "a\n\n\n# b\n\n\n\n| c |  \n\tend\n"
    assert f"```markdown\n{text}\n```" in markdown(comparison(answers=[labelled(Answer("a/b", text=text))]))


# In a browser


class Browser:
    """Headless Chromium, told what to do over pipes (Chrome DevTools Protocol: JSON, a NUL after each)."""

    # It reads commands from descriptor 3 and writes to 4.
    START = (
        "import fcntl, os, sys\n"
        "ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]\n"
        "[os.dup2(end, place) for place, end in enumerate(ends, 3)]\n"
        "os.execv(sys.argv[3], sys.argv[3:])"
    )
    FLAGS = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
    )
    FLAGS += (
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--remote-debugging-pipe",
        "--hide-scrollbars",
    )
    FLAGS += ("--host-resolver-rules=MAP * ~NOTFOUND",)

    def __init__(self, executable: str, profile: Path) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        command = [sys.executable, "-c", self.START, str(theirs_in), str(theirs_out), executable, *self.FLAGS]
        command += [f"--user-data-dir={profile}", "about:blank"]
        self.log = (profile / "stderr").open("wb")
        self.process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), stdout=self.log, stderr=self.log)
        os.close(theirs_in)
        os.close(theirs_out)
        self.writer, self.reader = os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb")
        self.waiting, self.number = b"", 0
        self.events: list[dict[str, Any]] = []
        self.session: str | None = None

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self.writer.close()  # its end is the browser's
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.close()
        self.log.close()

    def receive(self) -> dict[str, Any]:
        while b"\0" not in self.waiting:
            piece = self.reader.read1(65_536)
            assert piece, f"the browser ended: {Path(self.log.name).read_text(errors='replace')[-2_000:]}"
            self.waiting += piece
        document, self.waiting = self.waiting.split(b"\0", 1)
        return json.loads(document)

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        self.writer.write(json.dumps(command | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        self.writer.flush()
        while (message := self.receive()).get("id") != self.number:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def show(self, address: str, width: int, scheme: str) -> None:
        """A fresh tab, loaded."""
        self.session, self.events = None, []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.do(f"{domain}.enable")
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events = []
        self.do("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())

    def value(self, expression: str) -> Any:
        return self.do("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def heard(self, *methods: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") in methods]

    def requested(self) -> list[str]:
        return [sent["request"]["url"] for sent in self.heard("Network.requestWillBeSent")]

    def complaints(self) -> list[dict[str, Any]]:
        names = (
            "Log.entryAdded",
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
            "Page.javascriptDialogOpening",
        )
        return self.heard(*names)


# Texts whose colour is too near to what lies behind them (WCAG 2.2, 1.4.3), as "tag ratio text".
FAINT = """(() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number)
  const light = colour => parts(colour).slice(0, 3).map(part => part / 255)
    .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [.2126, .7152, .0722][place], 0)
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor
      if (parts(colour)[3] !== 0) return colour
    }
    return 'rgb(255, 255, 255)'
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = []
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement
    if (!walker.currentNode.data.trim()) continue
    const [low, high] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => a - b)
    const ratio = (high + .05) / (low + .05)
    if (ratio < 4.5) faint.push(`${element.tagName} ${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 30)}`)
  }
  return faint
})()"""
BOXES = "[...document.querySelectorAll('.answers article')].map(a => [a.offsetLeft, a.offsetTop])"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; on Debian: chromium-headless-shell")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert CHROMIUM
    found = Browser(CHROMIUM, tmp_path_factory.mktemp("chromium"))
    yield found
    found.close()


@needs_browser
@pytest.mark.parametrize(("width", "side_by_side"), [(1280, True), (390, False)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(browser: Browser, tmp_path: Path, width: int, side_by_side: bool, scheme: str) -> None:
    file = tmp_path / "page.html"
    file.write_text(html(prompt=HOSTILE), encoding="utf-8")
    browser.show(file.as_uri(), width, scheme)
    assert browser.value("[document.title, typeof owned, document.compatMode]") == [
        "3 of 4 models answered",
        "undefined",
        "CSS1Compat",
    ]
    browser.value("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert browser.value(OVERFLOW) <= 0
    first, second, _ = browser.value(BOXES)
    assert (first[1] == second[1]) is side_by_side
    assert (first[0] == second[0]) is not side_by_side
    assert browser.value(FAINT) == []
    dark = browser.value("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark is (scheme == "dark")
    assert browser.complaints() == []
    assert [address for address in browser.requested() if not address.startswith("data:,")] == [file.as_uri()]


@needs_browser
def test_the_browser_would_have_told(browser: Browser, tmp_path: Path) -> None:
    """Every check above, on a page that fails it."""
    file = tmp_path / "bad.html"
    text = "<body><img src=http://127.0.0.1:9/a><script>owned = 1</script><p style='color: #999; width: 2000px'>faint"
    file.write_text(text, encoding="utf-8")
    browser.show(file.as_uri(), 390, "dark")
    assert browser.value("typeof owned") == "number"
    assert browser.value(OVERFLOW) > 0
    assert browser.value(FAINT) == ["P 2.85 faint"]
    assert "http://127.0.0.1:9/a" in browser.requested()
    assert browser.complaints()
