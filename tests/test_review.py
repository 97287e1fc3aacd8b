"""Reviews as users type them: scripted reviewers, diffs of every kind, and what is said of what is missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from provider_server import Call, ProviderServer, Reply, Usage

Run = Callable[..., Outcome]
SOURCE = """\
def mean(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)
"""
CHAT = "/v1/chat/completions"
TRUE = {
    "file": "stats.py",
    "line": 5,
    "quote": "    return total / len(values)",
    "severity": "major",
    "claim": "An empty list divides by zero.",
    "why": "mean([])",
    "suggestion": "Refuse it.",
}
MODEL = ["-m", "openai/a"]


@pytest.fixture
def wires(wires: ProviderServer) -> ProviderServer:
    Path("stats.py").write_text(SOURCE)
    wires.default = says()
    return wires


def says(*rows: dict[str, Any], **changed: Any) -> Reply:
    return Reply(text=json.dumps({"findings": [{**row, **changed} for row in rows]}))


def document(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outcome.stdout)
    assert next(iter(found)) == "status"
    return found


def reviewed(run: Run, *argv: str) -> dict[str, Any]:
    outcome = run("review_code", *MODEL, "-f", "stats.py", "--json", *argv)
    assert outcome.code == 0, outcome.stderr
    return document(outcome)


def git(*arguments: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=n@example.invalid", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def committed() -> None:
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "all")


# --- scripted reviewers


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, (True, 5, "exact", None)),
        ({"line": 2}, (True, 5, "exact", None)),
        ({"quote": "return  total/len( values )"}, (True, 5, "whitespace", None)),
        ({"quote": "+    return total / len(values)"}, (True, 5, "diff", None)),
        ({"file": "made_up.py", "quote": "x = 1"}, (False, 5, None, "no such file was sent")),
        ({"quote": "return sum(values)"}, (False, 5, None, "its quote is not in what was sent of this file")),
    ],
)
def test_one_finding(run: Run, wires: ProviderServer, changed: dict[str, Any], expected: Any) -> None:
    wires.default = says(TRUE, **changed)
    found = reviewed(run)
    (one,) = found["findings"]
    assert (one["verified"], one["line"], one["match"], one["problem"]) == expected
    assert (found["status"], found["asked"], found["answered"], found["missing"]) == ("ok", 1, 1, [])
    assert found["coverage"]["files"] == [
        {"file": "stats.py", "lines": 5, "models": ["openai/a"], "partly": {}, "note": ""}
    ]


def test_several_reviewers(run: Run, wires: ProviderServer) -> None:
    """True with a wrong line, twice; invented; malformed; cut; a good one without findings."""
    wires.reply(
        says({**TRUE, "line": 1}),
        says({**TRUE, "severity": "minor"}, {**TRUE, "file": "none.py"}),
        says(),
        Reply(text="I think it is fine."),
        Reply(text="Still fine."),
        Reply(text=says(TRUE, TRUE).text[:-90], finish_reason="length"),
        path=CHAT,
    )
    names = [part for name in "abcde" for part in ("-m", f"openai/{name}")]
    outcome = run("review_code", *names, "-f", "stats.py", "--json", "--sequential")
    found = document(outcome)
    assert (outcome.code, found["status"], found["asked"], found["answered"]) == (0, "partial", 5, 3)
    assert {one["model"]: one["error"]["type"] for one in found["missing"]} == {
        "openai/d": "incomplete_answer",
        "openai/e": "incomplete_answer",
    }
    first, second = found["findings"]
    assert (first["models"], first["line"], first["severity"]) == (["openai/a", "openai/b", "openai/e"], 5, "major")
    assert first["severities"] == {"openai/a": "major", "openai/b": "minor", "openai/e": "major"}
    assert (second["verified"], second["file"], second["models"]) == (False, "none.py", ["openai/b"])
    again = run("review_code", "--result", "last", "--json")
    assert (again.code, document(again)) == (0, found)


def test_text_is_in_order(run: Run, wires: ProviderServer) -> None:
    wires.default = says({**TRUE, "file": "none.py"}, {**TRUE, "line": 1, "claim": "one\x1b[2J\nline"})
    outcome = run("review_code", *MODEL, "-f", "stats.py")
    assert (outcome.code, outcome.stderr) == (0, "")
    head, *rest = outcome.stdout.splitlines()
    assert re.fullmatch(r"asked 1, answered 1; findings: 1 verified, 1 unverified; .*", head)
    assert "stats.py:5: major: one\\x1b[2J line [openai/a]" in rest
    assert (
        outcome.stdout.index("stats.py:5") < outcome.stdout.index("## Unverified") < outcome.stdout.index("none.py:5")
    )


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (says(), 0, "no findings: 1 of 1 went through it and reported none"),
        (Reply(text=""), 10, "no reviewer finished, so nothing can be said about the code"),
        (Reply(text='{"findings": []}', finish_reason="length"), 10, "no reviewer finished"),
        (Reply(text='{"findings": []'), 10, "no reviewer finished"),
        (Reply(text='{"findings": []}', stop_after=2), 10, "no reviewer finished"),
        (Reply(text="LGTM"), 10, "no reviewer finished"),
        (Reply(status=401), 3, "no reviewer finished"),
    ],
)
def test_an_empty_review_is_not_a_clean_one(
    run: Run, wires: ProviderServer, reply: Reply, code: int, said: str
) -> None:
    wires.default = reply
    outcome = run("review_code", *MODEL, "-f", "stats.py", "--retries", "0")
    assert outcome.code == code
    assert said in outcome.stdout
    assert ("no findings" in outcome.stdout) == (code == 0)


@pytest.mark.parametrize(
    ("severity", "changed", "code"),
    [
        ("major", {}, 14),
        ("nit", {}, 14),
        ("blocker", {}, 0),
        ("nit", {"quote": "invented()"}, 0),
    ],
)
def test_fail_on(run: Run, wires: ProviderServer, severity: str, changed: dict[str, Any], code: int) -> None:
    wires.default = says(TRUE, **changed)
    assert run("review_code", *MODEL, "-f", "stats.py", "--fail-on", severity).code == code
    assert run("review_code", "--result", "last").code == code


def test_a_cut_reply_that_reaches_it(run: Run, wires: ProviderServer) -> None:
    wires.default = Reply(text=says(TRUE, TRUE).text[:-50], finish_reason="length")
    outcome = run("review_code", *MODEL, "-f", "stats.py", "--fail-on", "major")
    assert outcome.code == 14
    assert "missing: openai/a" in outcome.stdout


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], 2, "nothing to review"),
        (["-f", "absent.py"], 2, "no such file"),
        (["-f", "stats.py", "-c"], 2, "no conversation"),
        (["-f", "stats.py", "--fail-on", "bad"], 2, "invalid choice"),
        (["-f", "stats.py", "--sarif", "absent/x.sarif"], 2, "no such folder"),
        (["-f", "image.png"], 2, "only text can be reviewed"),
        (["-f", "secret.py"], 12, "a secret would have been sent"),
        (["-f", ".env"], 12, "is not sent"),
        (["-f", "stats.py", "--read", "absent"], 2, "no such folder"),
        (["-f", "stats.py", "--max-cost", "1"], 7, "price of openai/a is unknown"),
    ],
)
def test_odd_input(run: Run, wires: ProviderServer, argv: list[str], code: int, said: str) -> None:
    Path("secret.py").write_text("\n" * 9 + 'token = "ghp_' + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8" + '"\n')
    Path(".env").write_text("A=1\n")
    Path("image.png").write_bytes(
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
    )
    outcome = run("review_code", *MODEL, *argv)
    assert (outcome.code, wires.requests) == (code, ())
    assert said in outcome.stderr


def test_what_is_sent(run: Run, wires: ProviderServer) -> None:
    Path("AGENTS.md").write_text("No globals.\n")
    found = reviewed(run, "Is it fast?", "--conventions", "AGENTS.md", "-s", "Be brief.")
    system, user = (message["content"] for message in wires.requests[0].body["messages"])
    assert "Be brief." in system
    assert "Is it fast?" in user
    assert "No globals." in user
    assert "    5|     return total / len(values)" in user
    assert [one["path"] for one in found["sent"]["files"]] == ["stats.py", "AGENTS.md"]


def test_nothing_is_sent_by_a_dry_run(run: Run, wires: ProviderServer) -> None:
    outcome = run("review_code", *MODEL, "-f", "stats.py", "--dry-run", "--json")
    found = document(outcome)
    assert (outcome.code, wires.requests) == (0, ())
    assert [one["file"] for one in found["files"]] == ["stats.py"]
    assert len(found["models"][0]["parts"]) == 1


def test_under_an_agent(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    rows = [{**TRUE, "claim": f"{number} " + "word " * 60, "quote": f"x{number} = 1"} for number in range(99)]
    wires.default = says(TRUE, *rows)
    outcome = run("review_code", *MODEL, "-f", "stats.py")
    assert outcome.code == 0
    assert len(outcome.stdout) < 8_000
    assert re.search(r"\[\d+ of 100 findings are not shown\]", outcome.stdout)
    path = re.search(r"full answer: (.*)\n$", outcome.stdout)
    assert path
    assert Path(path[1]).read_text().count("not verified") == 99


def test_pages(run: Run, wires: ProviderServer) -> None:
    wires.default = says({**TRUE, "claim": "<script>alert(1)</script> `x`"}, {**TRUE, "file": "<b>.py"})
    argv = ("--html", "r.html", "--md", "r.md", "--sarif", "r.sarif", "--out", "r.txt")
    outcome = run("review_code", *MODEL, "-f", "stats.py", *argv)
    assert (outcome.code, outcome.stderr) == (0, "")
    page = Path("r.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "\\<script\\>" in Path("r.md").read_text()
    assert Path("r.txt").read_text() == outcome.stdout
    assert len(json.loads(Path("r.sarif").read_text())["runs"][0]["results"]) == 2
    assert run("review_code", *MODEL, "-f", "stats.py", "--sarif", "r.sarif").code == 2


def test_a_cut_reply_with_half_a_character(run: Run, wires: ProviderServer) -> None:
    text = '{"findings": [{"file": "stats.py", "quote": "total = 0", "claim": "half \\ud83d", "line": 2},'
    wires.default = Reply(text=text)
    outcome = run("review_code", *MODEL, "-f", "stats.py", "--json")
    (one,) = document(outcome)["findings"]
    assert (outcome.code, one["verified"], one["claim"]) == (10, True, "half \\ud83d")


def test_an_empty_file(run: Run, wires: ProviderServer) -> None:
    Path("empty.py").touch()
    outcome = run("review_code", *MODEL, "-f", "empty.py", "-f", "stats.py")
    assert outcome.code == 0
    assert "without lines to review: empty.py\ncovered: 1 of 2 files\n" in outcome.stdout


# --- merged by meaning


@pytest.mark.parametrize(
    ("groups", "merged"),
    [
        ([[1, 2]], [["openai/a", "openai/b"]]),
        ([], [["openai/a"], ["openai/b"]]),
        ([[1, 9]], None),
        ([[1], [1, 2]], None),
    ],
)
def test_a_judge_merges(run: Run, wires: ProviderServer, groups: list[list[int]], merged: Any) -> None:
    other = {**TRUE, "quote": "total = 0", "claim": "Integers."}
    wires.reply(says(TRUE), says(other), Reply(text=json.dumps({"groups": groups})), path=CHAT)
    found = reviewed(run, "-m", "openai/b", "--merge-judge", "openai/judge", "--sequential")
    assert bool(found["merge"]["error"]) == (merged is None)
    assert sorted(one["models"] for one in found["findings"]) == (merged or [["openai/a"], ["openai/b"]])
    asked = wires.requests[-1].body["messages"][-1]["content"]
    assert "openai/" not in asked


# --- diffs


def test_a_diff_with_its_function(run: Run, wires: ProviderServer) -> None:
    body = "".join(f"    step({number})\n" for number in range(30))
    Path("long.py").write_text(f"class A:\n  def go(self):\n{body}\n  def other(self):\n    pass\n")
    committed()
    Path("long.py").write_text(Path("long.py").read_text().replace("step(20)", "step(99)"))
    wires.default = says(
        {**TRUE, "file": "long.py", "line": 1, "quote": "step(99)"}, {**TRUE, "file": "a/long.py", "quote": "step(2)"}
    )
    outcome = run("review_code", *MODEL, "--diff", "--json")
    found = document(outcome)
    user = wires.requests[0].body["messages"][-1]["content"]
    assert ("def go" in user, "step(0)" in user, "def other" in user) == (True, True, False)
    rows = {one["quote"]: (one["line"], one["in_diff"], one["verified"]) for one in found["findings"]}
    assert rows == {"step(99)": (23, True, True), "step(2)": (5, False, True)}


def test_every_kind_of_change(run: Run, wires: ProviderServer) -> None:
    for name in ("old name.py", "gone.py", "crlf.py", "mode.sh", 'quo"te\t.py'):
        end = "\r\n" if name == "crlf.py" else "\n"
        Path(name).write_bytes("".join(f"line {number} of it, {name!r}{end}" for number in range(20)).encode())
    Path("picture.bin").write_bytes(bytes(range(256)))
    sub = Path("../sub")
    sub.mkdir()
    subprocess.run(["git", "init", "-q", str(sub)], check=True)
    git("-C", "../sub", "commit", "-q", "--allow-empty", "-m", "one")
    git("init", "-q")
    git("submodule", "add", "-q", str(sub.resolve()), "module")
    git("add", "-A")
    git("commit", "-qm", "all")
    Path("old name.py").rename("new name.py")
    Path("new name.py").write_text(Path("new name.py").read_text().replace("line 3 ", "line three "))
    Path("gone.py").unlink()
    Path("crlf.py").write_bytes(Path("crlf.py").read_bytes().replace(b"line 5 of", b"line five of"))
    Path("mode.sh").chmod(0o755)
    Path('quo"te\t.py').write_text("-- another\n++ better\n")
    Path("picture.bin").write_bytes(bytes(range(255, -1, -1)))
    git("-C", "module", "commit", "-q", "--allow-empty", "-m", "two")
    git("add", "-A")
    quotes = {
        "new name.py": "line three of it",
        "gone.py": "line 7 of it",
        "crlf.py": "line five of it",
        'quo"te\\t.py': "++ better",
    }
    wires.default = says(*({**TRUE, "file": file, "quote": quote, "line": 0} for file, quote in quotes.items()))
    found = document(run("review_code", *MODEL, "--diff", "--json"))
    rows = {one["file"]: (one["line"], one["side"], one["match"]) for one in found["findings"] if one["verified"]}
    assert rows == {
        "new name.py": (4, "new", "exact"),
        "gone.py": (8, "old", "exact"),
        "crlf.py": (6, "new", "exact"),
        'quo"te\\t.py': (2, "new", "exact"),
    }
    notes = {one["file"]: one["note"] for one in found["coverage"]["files"] if one["note"]}
    assert notes == {
        "new name.py": "renamed from old name.py",
        "gone.py": "deleted",
        "mode.sh": "its mode changed",
        "picture.bin": "binary, its content is not shown",
        "module": "submodule",
    }


def test_a_large_diff_is_split(run: Run, wires: ProviderServer) -> None:
    """20,000 lines over 300 files; the second part fails."""
    for number in range(300):
        Path(f"f{number:03}.py").write_text("".join(f"before_{line} = {number}\n" for line in range(33)))
    committed()
    for number in range(300):
        Path(f"f{number:03}.py").write_text("".join(f"after_{line} = {number}\n" for line in range(34)))
    wires.reply(says(), Reply(status=401), path=CHAT)
    outcome = run("review_code", *MODEL, "--diff", "--json", "--sequential", "--max-parts", "4")
    found = document(outcome)
    sent = [request.body["messages"][-1]["content"] for request in wires.requests]
    assert (outcome.code, found["status"], found["answered"], len(sent)) == (10, "partial", 0, 4)
    shown = [sum(text.count(f"Changes of f{number:03}.py") for text in sent) for number in range(300)]
    files = {one["file"]: one for one in found["coverage"]["files"]}
    assert (len(files), sum(one["lines"] for one in files.values())) == (301 - ("stats.py" not in files), 300 * 67)
    covered = {name for name, one in files.items() if one["models"]}
    assert found["coverage"]["covered"] == len(covered)
    assert all((f"f{number:03}.py" in covered) <= (shown[number] > 0) for number in range(300))
    assert 0 < len(covered) < sum(map(bool, shown))
    assert found["coverage"]["not_covered"] == 300 - len(covered)
    told = run("review_code", "--result", "last").stdout
    assert "not covered: f0" in told


def test_too_much_for_its_parts(run: Run, wires: ProviderServer) -> None:
    Path("big.py").write_text("".join(f"value_{line} = compute({line}, {line + 1})\n" for line in range(12_000)))
    outcome = run("review_code", *MODEL, "-f", "big.py", "--json", "--max-parts", "1")
    found = document(outcome)
    assert (outcome.code, found["status"], found["answered"]) == (0, "partial", 1)
    (one,) = found["coverage"]["files"]
    assert (one["models"], one["lines"]) == ([], 12_000)
    assert 0 < one["partly"]["openai/a"] < 12_000
    assert "more than --max-parts 1" in found["warnings"][0]


# --- models that look for themselves


def test_a_model_looks(run: Run, wires: ProviderServer) -> None:
    Path("lib").mkdir()
    Path("lib/far.py").write_text("def far():\n    return 1 / 0\n")
    calls = (
        Call("list_files", '{"pattern": "*"}', id="1"),
        Call("read_file", '{"path": "lib/far.py", "first_line": 1, "last_line": 2}', id="2"),
        Call("search", '{"regex": "1 / 0", "pattern": "*.py"}', id="3"),
    )
    wires.reply(Reply(calls=calls), says({**TRUE, "file": "lib/far.py", "quote": "return 1 / 0"}), path=CHAT)
    found = reviewed(run, "--read", ".")
    results = [message["content"] for message in wires.requests[1].body["messages"] if message["role"] == "tool"]
    assert results == [
        "lib/far.py\nstats.py",
        "lib/far.py, lines 1 to 2 of 2:\n    1| def far():\n    2|     return 1 / 0",
        "lib/far.py:2:     return 1 / 0",
    ]
    assert (found["findings"][0]["verified"], found["findings"][0]["line"]) == (True, 2)
    assert found["sent"]["read"] == [
        {"model": "openai/a", "listed": "*"},
        {"model": "openai/a", "path": "lib/far.py", "lines": [[1, 2]], "characters": 28},
    ]


def test_a_model_that_looks_for_ever(run: Run, wires: ProviderServer) -> None:
    wires.default = Reply(calls=(Call("read_file", '{"path": "stats.py", "first_line": 1, "last_line": 9}'),))
    outcome = run("review_code", *MODEL, "-f", "stats.py", "--read", ".", "--max-tool-rounds", "2", "--json")
    found = document(outcome)
    assert (outcome.code, found["status"], len(wires.requests)) == (10, "error", 4)
    assert "still calls tools" in found["missing"][0]["error"]["message"]
    last = wires.requests[-1].body["messages"][-1]["content"]
    assert last.startswith("enough was looked at: answer now")
    assert found["sent"]["read"] == [
        {"model": "openai/a", "path": "stats.py", "lines": [[1, 5]], "characters": len(SOURCE)}
    ]


def test_a_model_that_looks_may_cost_so_much(run: Run, wires: ProviderServer) -> None:
    """Each reply costs a dollar, and all of it may cost 2.5."""
    settings = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    settings.parent.mkdir(exist_ok=True)
    settings.write_text('[models."openai/a"]\nprice = { input = 1, output = 1_000 }\n')
    calls = (Call("list_files", '{"pattern": "*"}'),)
    wires.default = Reply(calls=calls, usage=Usage(input=10, output=1_000))
    outcome = run("review_code", *MODEL, "-f", "stats.py", "--read", ".", "--max-cost", "2.5", "--json")
    found = document(outcome)
    assert (outcome.code, found["status"], found["missing"][0]["error"]["type"]) == (7, "error", "limit_reached")
    limits = [request.body.get("max_tokens") or request.body["max_completion_tokens"] for request in wires.requests]
    assert (len(limits), limits[2] <= 500) == (3, True)  # what is left buys no more; the played model does not heed it


@pytest.mark.parametrize("script", ["review_code", "compare_models"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no background without fork")
def test_why_one_in_the_background_could_not_begin(run: Run, run_process: Callable[..., Outcome], script: str) -> None:
    Path("a.py").write_text("one = 1\n")
    unsafe = {**os.environ, "SSL_VERIFY": "false"}
    begun = run_process(script, "look", "--demo", "-f", "a.py", "--background", env=unsafe)
    ended = run(script, "--wait", begun.stdout.strip())
    assert (begun.code, ended.code) == (0, 3)
    assert "SSL_VERIFY" in ended.stderr


def test_the_demo(run: Run) -> None:
    Path("stats.py").write_text(SOURCE)
    outcome = run("review_code", "--demo", "-f", "stats.py")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "stats.py:1: nit: [demo: no model was called] [demo/echo, demo/second]" in outcome.stdout
