"""Answers read again: the same, from anywhere, for nothing; runs listed and searched."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPTS, Outcome
from litellm_skill import database, process
from litellm_skill.history import History, NewRun
from litellm_skill.process import Process
from provider_server import ProviderServer, Reply

Run = Callable[..., Outcome]
ASK = ("-m", "openai/test-model", "--retries", "0")
HEAD = '[models."openai/test-model"]\n'
LONG = "长 word\n" * 2_000


@pytest.fixture
def wires(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url + "/v1")
    return provider


def state(path: str = "") -> Path:
    return Path(os.environ["XDG_STATE_HOME"], "litellm-skill", path)


def configure(name: str, text: str) -> None:
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", name)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def documents(outcome: Outcome) -> list[dict[str, Any]]:
    assert (outcome.code, outcome.stderr) == (0, "")
    runs: list[dict[str, Any]] = json.loads(outcome.stdout)["runs"]
    return runs


CASES = {
    "ok": (Reply(text="四十二\nline two"), 0),
    "ends with a line break": (Reply(text="one\n"), 0),
    "escapes": (Reply(text="\x1b[31mred \u202e", pieces=("\x1b[31mred \u202e",)), 0),
    "long": (Reply(text=LONG, pieces=(LONG,)), 0),
    "cut": (Reply(text="half of it", pieces=("half", " of it"), stop_after=1), 10),
    "output limit": (Reply(text="half", finish_reason="length"), 10),
    "filtered": (Reply(text="half", finish_reason="content_filter"), 6),
    "refused": (Reply(status=400, text="no such thing"), 2),
    "failed": (Reply(status=500), 8),
    "key": (Reply(status=401), 3),
    "limited": (Reply(status=429), 7),
    "empty": (Reply(text=""), 10),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_again(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """The very same bytes, without the key, the provider or anything else the call needed."""
    reply, code = CASES[case]
    wires.reply(reply, reply)
    as_text = run("call_model", "hi", *ASK)
    as_json = run("call_model", "hi", *ASK, "--json")
    assert (as_text.code, as_json.code) == (code, code)
    id = json.loads(as_json.stdout)["run_id"]
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name)
    asked = len(wires.requests)
    assert run("call_model", "--result", id, "--json") == as_json
    assert run("call_model", "--wait", "last", "--json") == as_json
    assert run("call_model", "--result", id) == as_text
    assert len(wires.requests) == asked


@pytest.mark.parametrize("case", ["ok", "long", "cut", "failed"])
def test_an_answer_again_for_a_host(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setenv("AI_AGENT", "1")
    reply, code = CASES[case]
    wires.reply(reply)
    first, again = run("call_model", "hi", *ASK), run("call_model", "--result", "last")
    fences = [re.findall(r"untrusted answer ([0-9a-f]{12})", outcome.stdout) for outcome in (first, again)]
    shown = [re.sub("[0-9a-f]{12}(?= from|>>>)", "FENCE", outcome.stdout) for outcome in (first, again)]
    assert (first.code, again.code, again.stderr) == (code, code, first.stderr)
    assert shown[0] == shown[1]
    assert len(again.stdout) < 8_000
    if case == "failed":
        assert again.stdout == ""
        return
    assert fences[0] != fences[1]
    for file in state("results").iterdir():
        file.unlink()
    assert "full answer: " not in run("call_model", "--result", "last").stdout


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--result", "last"], "nothing has been kept yet"),
        (["--wait", "last"], "nothing has been kept yet"),
        (["--cancel", "last"], "nothing has been kept yet"),
        (["--result", "20261120-101502-3f9a1c"], "no run 20261120-101502-3f9a1c is kept"),
        (["--result", "'; DROP TABLE runs; --"], "is kept"),
        (["--wait", "\x1b[31m\n\0"], "\\x1b[31m"),
        (["--result", "9" * 10_000], "9999…"),
        (["--result", "last", "hi"], "--result asks nobody"),
        (["--wait", "last", "--prompt-file", "absent"], "--wait asks nobody"),
        (["hi", "--list-results"], "--list-results asks nobody"),
        (["hi", "--query", "x"], "asks nobody"),
        (["--result", "last", "--wait", "last"], "one at a time"),
        (["--cancel", "last", "--list-results"], "one at a time"),
        (["--query", "x", "--result", "last"], "one at a time"),
        (["--result", ""], "--result"),
        (["hi", "--demo", "--wait", ""], "--wait"),
        (["hi", "--demo", "--cancel", ""], "--cancel"),
        (["--wait", "last", "--wait-timeout", "0"], "positive number of seconds"),
    ],
)
def test_bad_input(run: Run, wires: ProviderServer, argv: list[str], said: str) -> None:
    outcome = run("call_model", *argv)
    assert (outcome.code, outcome.stdout, wires.requests) == (2, "", ())
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 2
    assert all(len(line) <= 420 for line in outcome.stderr.splitlines())
    as_json = run("call_model", *argv, "--json")
    assert (as_json.code, json.loads(as_json.stdout)["error"]["exit_code"]) == (2, 2)


def test_an_answer_again_into_a_file(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(text="paid for"))
    run("call_model", "hi", *ASK)
    assert run("call_model", "--result", "last", "--out", "again.txt") == (0, "paid for\n", "")
    assert Path("again.txt").read_text() == "paid for"
    assert run("call_model", "--result", "last", "--out", "again.txt").code == 2


def test_the_list(run: Run, wires: ProviderServer) -> None:
    configure("models.toml", f"{HEAD}price = {{ input = 1_000, output = 1_000_000 }}\n")
    wires.reply(Reply(text="first"), Reply(status=500))
    run("call_model", "erste Frage\n\x1b[31m", *ASK)
    run("call_model", "second", *ASK, "--thread", "talk")
    outcome = run("call_model", "--list-results")
    second, first, spent = outcome.stdout.splitlines()
    assert (outcome.code, outcome.stderr) == (0, "")
    assert re.fullmatch(
        r"\d{8}-\d{6}-[0-9a-f]{6}  \d{4}-\d\d-\d\d \d\d:\d\d  error +openai/test-model .* second", second
    )
    assert re.search(r"  ok +openai/test-model  7\.01 USD  erste Frage \\x1b\[31m$", first)
    assert spent == "spent today 7.01 USD, this month 7.01 USD"


def test_the_list_as_a_document(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LITELLM_SKILL_BUDGET_USD_DAY", "12.5")
    configure("models.toml", f"{HEAD}price = {{ input = 1, output = 1 }}\n")
    done = json.loads(run("call_model", "hi", *ASK, "--json", "--max-tokens", "300").stdout)
    listed = run("call_model", "--list-results", "--json")
    (row,) = documents(listed)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row.pop("started"))
    assert row == {
        **{name: done[name] for name in ("run_id", "thread", "status", "cost_usd")},
        **{"model": "openai/test-model", "directory": str(tmp_path / "work"), "prompt": "hi"},
    }
    document = json.loads(listed.stdout)
    assert (document["spent_today_usd"], document["spent_month_usd"]) == pytest.approx((done["cost_usd"],) * 2)
    assert " of 12.5, this month " in run("call_model", "--list-results").stdout


def test_an_empty_list(run: Run) -> None:
    assert run("call_model", "--list-results") == (0, "spent today 0 USD, this month 0 USD\n", "")
    assert documents(run("call_model", "--list-results", "--json")) == []


def test_a_long_list_is_cut(run: Run) -> None:
    with closing(History(database.connect(os.environ))) as history:
        for number in range(22):
            asked = [{"role": "user", "content": f"question {number}"}]
            history.begin(NewRun(f"run-{number}", "a.py", "/", "m", None, None, asked, {}, time.time() + 60))
    rows = documents(run("call_model", "--list-results", "--json"))
    assert [row["prompt"] for row in rows] == [f"question {number}" for number in range(21, 1, -1)]
    assert {row["status"] for row in rows} == {"running"}


SAID = [
    ("Where is the LOCK taken?", "In Cache.get, line 41."),
    ("解释这个锁", "第四十一行"),
    ("100% of it_all", 'C:\\path "quoted" Ünïcode'),
    ("multi\nline", "a" * 5_000 + " needle"),
]


FOUND: list[tuple[str, list[int]]] = [
    ("lock", [0]),
    ("cache.GET", [0]),
    ("line", [3, 0]),
    ("这个", [1]),
    ("四十一行", [1]),
    ("100%", [2]),
    ("t_a", [2]),
    ("i_", []),
    ("%", [2]),
    ("üNÏ", [2]),
    ('"quoted"', [2]),
    ("\\path", [2]),
    ("needle", [3]),
    ("multi\nline", [3]),
    ("nobody said this", []),
    ("content", []),
    ("user", []),
]


def test_a_search(run: Run, wires: ProviderServer) -> None:
    """In prompt and answer alike, whatever the case; nothing in the term means anything but itself."""
    for prompt, answer in SAID:
        wires.reply(Reply(text=answer, pieces=(answer,)))
        run("call_model", prompt, *ASK)
    prompts = [" ".join(prompt.split()) for prompt, _ in SAID]
    for term, expected in FOUND:
        rows = documents(run("call_model", "--query", term, "--json"))
        assert (term, [prompts.index(row["prompt"]) for row in rows]) == (term, expected)
    assert run("call_model", "--query", "needle").stdout.count("\n") == 2


def test_last_is_of_this_folder(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def last() -> str:
        again = run("call_model", "--result", "last", "--json")
        assert (again.code, again.stderr) == (0, "")
        id: str = json.loads(again.stdout)["run_id"]
        return id

    asked = {}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        asked[name] = json.loads(run("call_model", "hi", "--demo", "--json").stdout)["run_id"]
    assert last() == asked["two"]
    monkeypatch.chdir(tmp_path / "one")
    assert last() == asked["one"]
    assert run("call_model", "--result", asked["two"], "--json").code == 0
    monkeypatch.chdir(tmp_path)
    assert last() == asked["two"]
    refused = run("call_model", "--cancel", "last")
    assert (refused.code, refused.stdout, refused.stderr.count("\n")) == (2, "", 2)
    assert "nothing was asked in this folder" in refused.stderr
    assert asked["two"] in refused.stderr


def at_work(process: Process) -> None:
    """What was asked last is work of this process."""
    owner = (process.pid, process.birth)
    with closing(database.connect(os.environ)) as connection:
        connection.execute("UPDATE runs SET status = 'running', finished = NULL, pid = ?, birth = ?", owner)


@pytest.mark.parametrize(
    "argv",
    [("call_model", "hi"), ("compare_models", "hi"), ("review_code", "-f", "a.py")],
    ids=["call", "compare", "review"],
)
@pytest.mark.skipif(os.name != "posix", reason="no limit for the size of files")
def test_a_dead_run_is_read_where_nothing_can_be_written(run: Run, argv: tuple[str, ...]) -> None:
    Path("a.py").write_text("one = 1\n")
    run(*argv, "--demo")
    at_work(Process(2**22 + 1, process.this().birth))  # one more than Linux ever gives
    again = [str(SCRIPTS / "call_model.py"), "--result", "last", "--json"]
    with closing(database.connect(os.environ)):  # so that reading needs no new file
        limited = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, *again]
        done = subprocess.run(limited, capture_output=True, text=True, check=False)
    after = run("call_model", *again[1:])
    assert (done.returncode, after.code) == (after.code, 8)
    first, second = json.loads(done.stdout), json.loads(after.stdout)
    assert first["error"] == second["error"]
    assert "ended before the answer was whole" in first["error"]["message"]


@pytest.mark.parametrize("script", ["call_model", "compare_models"])
def test_cancelling_counts_what_is_kept(run: Run, script: str) -> None:
    run(script, "hi", "--demo")
    text = run(script, "--result", "last").stdout.rstrip("\n")
    cancelled = run("call_model", "--cancel", "last")
    count = re.fullmatch(r"run .*: ok, ([\d,]+) characters kept\n", cancelled.stdout)
    assert count
    assert int(count[1]) - len(text) in (0, 1)


def test_what_works_elsewhere_cannot_be_cancelled_here(run: Run) -> None:
    run("call_model", "hi", "--demo")
    at_work(Process(1, "another-boot/pid:[1] 2"))
    outcome = run("call_model", "--cancel", "last")
    assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (3, "", 2)
    assert "cannot be stopped from here" in outcome.stderr


@pytest.mark.parametrize("way", ["flag", "variable", "policy"])
def test_nothing_is_kept(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    if way == "variable":
        monkeypatch.setenv("LITELLM_SKILL_HISTORY", "off")
    if way == "policy":
        configure("policy.toml", "history = false\n")
    flags = ["--no-save"] if way == "flag" else []
    wires.reply(Reply(text="the answer"))
    outcome = run("call_model", "the prompt", *ASK, *flags, "--json")
    document = json.loads(outcome.stdout)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert (document["thread"], document["result_file"]) == (None, None)
    assert not state().exists()
    assert run("call_model", "--result", "last").code == 2
    assert run("call_model", "--list-results").stdout.count("\n") == 1


def test_the_working_directory_cannot_switch_it_off(run: Run, wires: ProviderServer) -> None:
    Path(".env").write_text("LITELLM_SKILL_HISTORY=off\n")
    run("call_model", "hi", *ASK)
    assert run("call_model", "--result", "last").code == 0


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_what_is_kept_is_private(run: Run, wires: ProviderServer, umask: int) -> None:
    before = os.umask(umask)
    try:
        run("call_model", "hi", *ASK)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (state(), *state().rglob("*"))}
    directories = {"litellm-skill", "results"}
    assert {name for name, mode in modes.items() if mode == 0o700} == directories
    assert {mode for name, mode in modes.items() if name not in directories} == {0o600}
