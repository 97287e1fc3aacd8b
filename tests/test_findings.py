"""Claims of reviewers: what is believed of them, and what of several becomes one."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from litellm_skill import evidence, findings, sources
from litellm_skill.evidence import Evidence
from litellm_skill.findings import Claim, Finding

STATS = """\
def mean(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)


def last(values):
    return values[ -1 ]


def first(values):
    if (values):
        return values[0]
    return None
"""
DIFF = """\
diff --git a/src/lock.py b/src/lock.py
index 111..222 100644
--- a/src/lock.py
+++ b/src/lock.py
@@ -10,4 +10,5 @@ class Lock:
     def take(self):
-        self.held = True
+        while self.held:
+            wait()
         return self
 
@@ -40,2 +41,2 @@ class Lock:
-    old = 1
+    new = 2
     end = 3
"""


def claim(file: str, line: int, quote: str, severity: str = "major", said: str = "wrong") -> Claim:
    return Claim(file, line, quote, severity, said, "because", "mend it")


@pytest.fixture
def sent() -> Evidence:
    return Evidence([sources.of_text("stats.py", STATS), *sources.of_diff(DIFF)])


@pytest.mark.parametrize(
    ("file", "line", "quote", "expected"),
    [
        ("stats.py", 5, "    return total / len(values)", (5, 5, "new", "exact")),
        ("stats.py", 99, "return total / len(values)", (5, 5, "new", "exact")),
        ("./stats.py", 3, "for value in values:\n        total += value", (3, 4, "new", "exact")),
        ("stats.py", 1, "for value in values:\n  total  +=  value", (3, 4, "new", "whitespace")),
        ("stats.py", 9, "return values[-1]", (9, 9, "new", "whitespace")),
        ("stats.py", 13, "if(values):", (13, 13, "new", "whitespace")),
        ("stats.py", 5, "   5|     return total / len(values)", (5, 5, "new", "diff")),
        ("src/lock.py", 11, "while self.held:\n            wait()", (11, 12, "new", "exact")),
        ("b/src/lock.py", 1, "+        while self.held:\n+            wait()", (11, 12, "new", "diff")),
        ("lock.py", 11, "self.held = True", (11, 11, "old", "exact")),
        ("src/lock.py", 11, "-        self.held = True\n+        while self.held:", (11, 11, "new", "diff")),
        ("src/lock.py", 41, "-    old = 1", (40, 40, "old", "diff")),
        ("stats.py", 5, "\treturn total / len(values)\r\n", (5, 5, "new", "whitespace")),
    ],
)
def test_a_quote_that_is_there(sent: Evidence, file: str, line: int, quote: str, expected: Any) -> None:
    found = sent.check(claim(file, line, quote), "a")
    assert found.verified
    assert (found.line, found.end_line, found.side, found.match) == expected
    assert (found.claimed_line, found.problem) == (line, None)


@pytest.mark.parametrize(
    ("file", "line", "quote", "problem"),
    [
        ("invented.py", 1, "def mean(values):", "no such file was sent; its quote stands in stats.py, line 1"),
        ("invented.py", 1, "nothing at all", "no such file was sent"),
        ("", 1, "def mean(values):", "no such file was sent; its quote stands in stats.py, line 1"),
        ("stats.py", 1, "def median(values):", "its quote is not in what was sent of this file"),
        ("stats.py", 1, "returntotal / len(values)", "its quote is not in what was sent of this file"),
        ("stats.py", 1, "", "it quotes nothing"),
        ("stats.py", 1, " \n\t", "it quotes nothing"),
        ("stats.py", 1, "to", "its quote is too short to be found"),
        ("stats.py", 1, "a\0b", "its quote is no text of a file"),
        ("stats.py", 1, "x" * 30_000, "its quote is no text of a file"),
        ("src/lock.py", 14, "return self\n\n    new = 2", "its quote is not in what was sent of this file"),
    ],
)
def test_a_quote_that_is_not_there(sent: Evidence, file: str, line: int, quote: str, problem: str) -> None:
    found = sent.check(claim(file, line, quote), "a")
    assert (found.verified, found.problem, found.line, found.match) == (False, problem, line, None)


def test_a_short_quote_counts_at_its_line(sent: Evidence) -> None:
    assert sent.check(claim("stats.py", 2, "0"), "a").verified


def test_of_several_places_the_nearest(sent: Evidence) -> None:
    text = "\n".join(["x = call()"] * 20)
    proof = Evidence([sources.of_text("x.py", text)])
    assert proof.check(claim("x.py", 14, "x = call()"), "a").line == 14


@pytest.mark.parametrize(("quote", "near"), [("wait()", True), ("self.held = True", True), ("end = 3", True)])
def test_the_reach_of_a_diff(sent: Evidence, quote: str, near: bool) -> None:
    assert sent.check(claim("src/lock.py", 1, quote), "a").in_diff is near


def test_outside_the_reach_of_a_diff(sent: Evidence) -> None:
    assert sent.check(claim("stats.py", 1, "def mean(values):"), "a").in_diff is False
    alone = Evidence([sources.of_text("stats.py", STATS)])
    assert alone.check(claim("stats.py", 1, "def mean(values):"), "a").in_diff is None


# --- replies that are no good


def test_what_is_whole_of_a_cut_reply() -> None:
    rows = [{"file": "a.py", "line": 1, "quote": "x", "severity": "nit", "claim": f"{n}"} for n in range(3)]
    text = json.dumps({"findings": rows})
    assert [one.claim for one in findings.salvaged(text)] == ["0", "1", "2"]
    assert [one.claim for one in findings.salvaged(text[:-30])] == ["0", "1"]
    assert [one.claim for one in findings.salvaged(f"Here they are: {text} That is all.")] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "text", ["", "none", "{", '{"findings": {}}', '{"file": 1, "claim": 2}', "{" * 50_000, "[1, 2"]
)
def test_nothing_to_be_had(text: str) -> None:
    assert findings.salvaged(text) == []


def test_loose_fields_become_usable() -> None:
    (one,) = findings.salvaged('{"file": "a.py", "claim": "c", "line": "12", "severity": "HIGH", "quote": null}')
    assert (one.line, one.severity, one.quote) == (0, "minor", "")


def test_half_a_character_is_no_text() -> None:
    (one,) = findings.salvaged(r'{"file": "a\ud800.py", "claim": "c", "quote": "\udfff"}')
    assert (one.file, one.quote) == ("a\\ud800.py", "\\udfff")


# --- several reviewers


def told(sent: Evidence, *rows: tuple[str, str, int, str, str]) -> list[Finding]:
    several = [
        sent.check(claim(file, line, quote, severity, f"{model} {quote}"), model)
        for model, file, line, quote, severity in rows
    ]
    return findings.merged(several)


def test_the_same_lines_become_one(sent: Evidence) -> None:
    found = told(
        sent,
        ("a", "stats.py", 5, "total / len(values)", "minor"),
        ("b", "stats.py", 4, "return total / len(values)", "blocker"),
        ("c", "stats.py", 2, "total = 0", "nit"),
    )
    assert [(one.models, one.severity, one.line) for one in found] == [(("a", "b"), "blocker", 5), (("c",), "nit", 2)]
    assert dict(found[0].severities) == {"a": "minor", "b": "blocker"}
    assert [one["claim"] for one in found[0].others] == ["a total / len(values)"]


@pytest.mark.parametrize(
    "rows",
    [
        [("a", "stats.py", 5, "total /", "nit"), ("b", "stats.py", 5, "len(values)", "nit")],  # side by side
        [("a", "stats.py", 5, "return total", "nit"), ("a", "stats.py", 5, "return total /", "nit")],  # by one model
        [("a", "stats.py", 1, STATS, "nit"), ("b", "stats.py", 9, "values[-1]", "nit")],  # all, and one line
        [("a", "none.py", 1, "x = 1", "nit"), ("b", "none.py", 1, "x = 2", "nit")],
        [("a", "stats.py", 2, "total = 0", "nit"), ("b", "none.py", 2, "total = 0", "nit")],
    ],
)
def test_different_things_stay_apart(sent: Evidence, rows: list[Any]) -> None:
    assert len(told(sent, *rows)) == 2


def test_the_order(sent: Evidence) -> None:
    found = told(
        sent,
        ("a", "none.py", 1, "x = 1", "blocker"),
        ("a", "stats.py", 9, "values[ -1 ]", "nit"),
        ("a", "stats.py", 2, "total = 0", "minor"),
        ("b", "stats.py", 2, "total = 0", "nit"),
        ("b", "stats.py", 15, "return None", "blocker"),
    )
    assert [(one.line, len(one.models), one.verified) for one in found] == [
        (2, 2, True),
        (15, 1, True),
        (9, 1, True),
        (1, 1, False),
    ]
    rows = [one.document() for one in found]
    assert [findings.reaching(rows, severity) for severity in findings.SEVERITIES] == [1, 1, 2, 3]


def test_it_survives_the_journal(sent: Evidence) -> None:
    (one,) = told(sent, ("a", "stats.py", 2, "total = 0", "minor"))
    assert findings.restored(json.loads(json.dumps(findings.kept(one)))) == one


# --- whatever the source, whatever the quote


def spoiled(quote: str, rng: random.Random) -> str:
    """With other white space, marks, or another text."""
    lines = quote.split("\n")
    ways = [
        lambda: quote,
        lambda: "\n".join("  " * rng.randrange(4) + line.strip() for line in lines),
        lambda: quote.replace("\n", "\r\n"),
        lambda: "\n".join("+" + line for line in lines),
        lambda: "\n".join(f"{number:>5}| {line}" for number, line in enumerate(lines, 1)),
        lambda: quote[: rng.randrange(len(quote) + 1)],
        lambda: quote + rng.choice("xyz({"),
        lambda: "".join(rng.sample(quote, len(quote))),
    ]
    return rng.choice(ways)()


@pytest.mark.parametrize("seed", range(300))
def test_a_verified_quote_is_in_the_file_at_its_line(seed: int) -> None:
    rng = random.Random(seed)
    words = ["a", "b", "=", "(", ")", "{", "}", "x1", "é", " ", "  ", "\t", "+", "-", "\\", "12|", "return", "\u2028"]
    lines = ["".join(rng.choices(words, k=rng.randrange(12))) for _ in range(rng.randrange(1, 40))]
    proof = Evidence([sources.of_text("f", "\n".join(lines))])
    first = rng.randrange(len(lines))
    quote = spoiled("\n".join(lines[first : first + rng.randrange(1, 5)]), rng)
    found = proof.check(claim("f", rng.randrange(-5, 60), quote), "a")
    if not found.verified:
        return
    there = "\n".join(lines[found.line - 1 : found.end_line])
    marked = evidence._unmarked(quote)
    assert 1 <= found.line <= found.end_line <= len(lines)
    if found.match == "exact":
        assert quote.replace("\r\n", "\n").strip("\n") in there
    else:
        wanted = quote if found.match == "whitespace" else marked
        assert findings.squeezed(wanted or "") in findings.squeezed(there)


@pytest.mark.parametrize("seed", range(100))
def test_a_quote_that_is_there_is_found(seed: int) -> None:
    rng = random.Random(seed)
    lines = [f"{rng.choice('abc')} = call{number}({rng.random()})" for number in range(50)]
    first, count = rng.randrange(45), rng.randrange(1, 5)
    proof = Evidence([sources.of_text("f", "\n".join(lines))])
    found = proof.check(claim("f", rng.randrange(60), "\n".join(lines[first : first + count])), "a")
    assert (found.verified, found.line, found.end_line) == (True, first + 1, first + count)
