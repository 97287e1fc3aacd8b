"""Runs and threads: what is kept at each moment, of dead processes too; found again, and forgotten in time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litellm_skill import database, history, process
from litellm_skill.history import History, NewRun, Thread
from litellm_skill.process import Process

SCRIPTS = str(Path(database.__file__).parents[1])
DAY_S = 86_400.0
EMPTY = {"status": "error", "text": "", "cost_usd": None, "error": None}
KILLS = 6
# argv: scripts. One run after another, each of 20 pieces; says what has been written, as soon as it has.
WORKER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from litellm_skill import database
from litellm_skill.history import History, NewRun
history = History(database.connect(os.environ))
for number in range(10_000):
    id, pieces = f"{os.getpid()}-{number}", [f"<{piece}>" * 50 for piece in range(20)]
    history.begin(NewRun(id, "call_model.py", "/work", None, id, 0, [], {"text": ""}, 1e12))
    print(id, "begun", flush=True)
    for piece in pieces:
        history.extend(id, piece)
        print(id, "piece", flush=True)
    history.finish(id, {"status": "ok", "text": "".join(pieces), "error": None}, [])
    print(id, "finished", flush=True)
"""
WHOLE = "".join(f"<{piece}>" * 50 for piece in range(20))


@pytest.fixture
def runs() -> Iterator[History]:
    with closing(History(database.connect(os.environ))) as opened:
        yield opened


@pytest.fixture
def others() -> Iterator[History]:
    """What another process sees."""
    with closing(History(database.connect(os.environ))) as opened:
        yield opened


@pytest.fixture(scope="module")
def dead() -> Process:
    """A process that was here, and has ended."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from litellm_skill import process; p = process.this()"
    command = [sys.executable, "-c", f"{code}; print(p.pid, p.birth)", SCRIPTS]
    pid, _, birth = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition(" ")
    return Process(int(pid), birth)


ELSEWHERE = Process(1, "elsewhere 1")


def new(id: str, thread: str | None = None, turn: int | None = 0, asked: str = "Why?", **changes: Any) -> NewRun:
    messages = [{"role": "user", "content": asked}]
    until = time.time() + 600
    run = NewRun(id, "call_model.py", "/work", "openai/test-model", thread or id, turn, messages, EMPTY, until)
    return replace(run, **changes)


def answered(text: str, cost: float | None = None) -> dict[str, Any]:
    return {**EMPTY, "status": "ok", "text": text, "cost_usd": cost}


def said(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


def make(runs: History, id: str, text: str = "Because.", **changes: Any) -> None:
    assert runs.begin(new(id, **changes))
    runs.finish(id, answered(text), said(text))


def belongs(runs: History, id: str, owner: Process) -> None:
    """As if another process had begun it."""
    with database.writing(runs.connection):
        runs.connection.execute("UPDATE runs SET pid = ?, birth = ? WHERE id = ?", (owner.pid, owner.birth, id))


def aged(runs: History, id: str, days: float) -> None:
    with database.writing(runs.connection):
        runs.connection.execute("UPDATE runs SET started = started - ? WHERE id = ?", (days * DAY_S, id))


def ids(found: Sequence[history.Run]) -> list[str]:
    return [run.id for run in found]


def test_a_run_from_its_beginning_to_its_end(runs: History, others: History) -> None:
    run = new("r1", thread="t1", asked="  Why\n is it? ")
    assert runs.begin(run)
    kept = others.find("r1", "/")
    assert kept is not None
    assert (kept.status, kept.alive, kept.finished, kept.text) == ("running", True, None, "")
    assert (kept.script, kept.directory, kept.model) == ("call_model.py", "/work", "openai/test-model")
    assert (kept.thread, kept.turn, kept.prompt, kept.until) == ("t1", 0, "Why is it?", run.until)
    assert (kept.messages, kept.reply, kept.envelope) == (run.messages, None, EMPTY)
    assert kept.process == process.this()

    runs.extend("r1", "Beca")
    runs.extend("r1", "use")
    assert others.find("r1", "/") == replace(kept, text="Because")

    runs.finish("r1", answered("Because.", 0.25), said("Because."))
    done = others.find("r1", "/")
    assert done is not None
    assert (done.status, done.exit_code, done.cost_usd, done.alive, done.text) == ("ok", 0, 0.25, False, "Because.")
    assert (done.envelope, done.reply) == (answered("Because.", 0.25), said("Because."))
    assert kept.started <= (done.finished or 0) <= time.time()
    assert runs.connection.execute("SELECT * FROM pieces").fetchall() == []


def test_a_run_ends_once(runs: History) -> None:
    make(runs, "r1", "first")
    runs.extend("r1", "late")
    runs.finish("r1", answered("second"), said("second"))
    runs.bury("r1", {**EMPTY, "error": {"exit_code": 8}})
    kept = runs.find("r1", "/")
    assert kept is not None
    assert (kept.status, kept.text, kept.reply) == ("ok", "first", said("first"))
    assert runs.connection.execute("SELECT * FROM pieces").fetchall() == []


def test_a_failed_run(runs: History) -> None:
    runs.begin(new("r1"))
    runs.finish("r1", {**EMPTY, "text": "half", "status": "partial", "error": {"exit_code": 10}}, None)
    kept = runs.find("r1", "/")
    assert kept is not None
    assert (kept.status, kept.exit_code, kept.text, kept.reply) == ("partial", 10, "half", None)


def test_a_run_whose_process_died(runs: History, dead: Process) -> None:
    runs.begin(new("r1"))
    runs.extend("r1", "so far")
    envelope = {**EMPTY, "text": "so far", "status": "partial", "error": {"exit_code": 10}}
    runs.bury("r1", envelope)
    assert ids(runs.newest(9)) == ["r1"]
    assert runs.newest(9)[0].alive, "one that lives is not buried"

    belongs(runs, "r1", dead)
    found = runs.find("r1", "/")
    assert found is not None
    assert (found.status, found.alive, found.text) == ("running", False, "so far")
    runs.bury("r1", envelope)
    buried = runs.find("r1", "/")
    assert buried is not None
    assert (buried.status, buried.exit_code, buried.text, buried.process) == ("partial", 10, "so far", None)
    assert buried.finished is not None

    runs.finish("r1", answered("all of it"), said("all of it"))  # it was not dead, only out of sight
    runs.finish("r1", answered("again"), said("again"))
    risen = runs.find("r1", "/")
    assert risen is not None
    assert (risen.status, risen.text, risen.process) == ("ok", "all of it", process.this())


@pytest.mark.parametrize(("seconds_left", "alive"), [(100, True), (-1, False)])
def test_of_a_process_elsewhere_its_time_tells(runs: History, seconds_left: float, alive: bool) -> None:
    runs.begin(new("r1", until=time.time() + seconds_left))
    belongs(runs, "r1", ELSEWHERE)
    kept = runs.find("r1", "/")
    assert kept is not None
    assert kept.alive is alive
    assert runs.conversation("r1").busy == ("r1" if alive else None)
    assert runs.begin(new("r2", thread="r1", turn=1)) is not alive


def test_after_a_fork_the_run_is_the_childs(runs: History, dead: Process) -> None:
    runs.begin(new("r1"))
    belongs(runs, "r1", dead)
    runs.take_over("r1")
    kept = runs.find("r1", "/")
    assert kept is not None
    assert (kept.alive, kept.process) == (True, process.this())


def test_a_thread_and_its_turns(runs: History, dead: Process) -> None:
    assert runs.conversation("t") == Thread("t")
    make(runs, "r1", thread="t", turn=0, asked="One?", text="One.")
    runs.begin(new("r2", thread="t", turn=1, asked="Two?"))
    runs.finish("r2", {**EMPTY, "error": {"exit_code": 8}}, [])
    runs.begin(new("r3", thread="t", turn=2, asked="Three?"))
    belongs(runs, "r3", dead)
    make(runs, "r4", thread="t", turn=3, asked="Four?", text="Four.")
    make(runs, "other", asked="Else?")
    messages = tuple(
        message
        for asked, text in (("One?", "One."), ("Four?", "Four."))
        for message in ({"role": "user", "content": asked}, *said(text))
    )
    assert runs.conversation("t") == Thread("t", 4, messages, None)
    runs.begin(new("r5", thread="t", turn=4))
    assert runs.conversation("t") == Thread("t", 5, messages, "r5")


def test_two_never_take_the_same_turn(runs: History, others: History, dead: Process) -> None:
    make(runs, "r1", thread="t")
    assert runs.begin(new("r2", thread="t", turn=0)) is False, "the turn is there"
    assert runs.begin(new("r2", thread="t", turn=1)) is True
    assert others.begin(new("r3", thread="t", turn=1)) is False, "the turn is there"
    assert others.begin(new("r3", thread="t", turn=2)) is False, "another works on the thread"
    assert others.begin(new("r4", thread="u", turn=0)) is True
    belongs(runs, "r2", dead)
    assert others.begin(new("r3", thread="t", turn=2)) is True
    assert sorted(ids(runs.newest(9))) == ["r1", "r2", "r3", "r4"]


def test_runs_without_a_thread_do_not_meet(runs: History) -> None:
    for id in ("r1", "r2"):
        assert runs.begin(replace(new(id), thread=None, turn=None))
    assert ids(runs.newest(9)) == ["r2", "r1"]


def test_the_last_thread(runs: History) -> None:
    assert runs.last_thread("/work") is None
    make(runs, "r1", thread="a", directory="/a")
    make(runs, "r2", thread="b", directory="/b")
    make(runs, "r3", thread="c", directory="/b")
    runs.begin(new("r4", thread="b", turn=1, directory="/b"))
    runs.finish("r4", {**EMPTY, "error": {"exit_code": 8}}, None)  # an answered thread that failed in its second turn
    runs.begin(new("r5", thread="d", directory="/b"))
    runs.finish("r5", {**EMPTY, "error": {"exit_code": 3}}, [])  # nothing in it to go on with
    assert runs.last_thread("/b") == ("b", "/b")
    assert runs.last_thread("/a") == ("a", "/a")
    assert runs.last_thread("/work") == ("b", "/b")
    runs.begin(new("r6", thread="e", directory="/work"))
    assert runs.last_thread("/work") == ("e", "/work")


def test_the_last_run(runs: History) -> None:
    assert runs.find("last", "/a") is None
    assert runs.find("r1", "/a") is None
    make(runs, "r1", directory="/a")
    make(runs, "r2", directory="/b")
    found = [runs.find("last", directory) for directory in ("/a", "/b", "/c")]
    assert [kept and kept.id for kept in found] == ["r1", "r2", "r2"]


def test_the_newest_runs(runs: History) -> None:
    for number in range(5):
        make(runs, f"r{number}")
    aged(runs, "r4", 1)
    assert ids(runs.newest(3)) == ["r3", "r2", "r1"]
    assert ids(runs.newest(9)) == ["r3", "r2", "r1", "r0", "r4"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("PARIS", ["answer", "asked"]),
        ("straße in köln", ["unicode"]),
        ("STRASSE IN KÖLN", ["unicode"]),
        ("100%", ["signs"]),
        ("a_b", ["signs"]),
        ('say "hi"\nor \\', ["signs"]),
        ("capital of France", ["asked"]),
        ("in a part", ["parts"]),
        ("so far", ["running"]),
        ("cut off", ["failed"]),
        ("user", []),
        ("role", []),
        ("openai/test-model", []),
        ("%", ["signs"]),
        ("", ["running", "failed", "parts", "signs", "unicode", "answer", "asked"]),
        ("x" * 100_000, []),
    ],
)
def test_runs_are_found_by_what_was_said(runs: History, query: str, expected: list[str]) -> None:
    make(runs, "asked", asked="The capital of France, Paris?")
    make(runs, "answer", text="It is paris.")
    make(runs, "unicode", text="Die Straße in Köln; the strasse IN KÖLN")
    make(runs, "signs", text='100% of a_b; say "hi"\nor \\')
    parts = [{"type": "text", "text": "in a part"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]
    make(runs, "parts", messages=[{"role": "user", "content": parts}, {"role": "assistant", "content": None}])
    runs.begin(new("failed"))
    runs.finish("failed", {**EMPTY, "text": "cut off", "error": {"exit_code": 10}}, None)
    runs.begin(new("running"))
    runs.extend("running", "so ")
    runs.extend("running", "far")
    assert ids(runs.newest(9, query)) == expected
    assert ids(runs.newest(1, query)) == expected[:1]


def test_any_text_can_be_kept(runs: History, others: History) -> None:
    strange = "\x00 \ud800 \udfff\U0001f600 \u2028 \\ud800 '\" \x1b[0m"
    directory = os.fsdecode(b"/work/\xff")
    runs.begin(new("r1", asked=strange, directory=directory, thread="t\x00"))
    for piece in (strange, "\ud83d", "\ude00"):
        runs.extend("r1", piece)
    kept = others.find("last", directory)
    assert kept is not None
    assert (kept.messages[0]["content"], kept.text) == (strange, f"{strange}\ud83d\ude00")
    runs.finish("r1", answered(strange), said(strange))
    kept = others.find("last", directory)
    assert kept is not None
    assert (kept.text, kept.reply) == (strange, said(strange))
    assert others.last_thread(directory) == ("t\x00", directory)
    assert ids(others.newest(9, "\ud800")) == ["r1"]


def test_old_runs_are_forgotten_a_few_at_a_time(runs: History, dead: Process) -> None:
    for number in range(history.PRUNED_RUNS + 5):
        make(runs, f"old{number}")
    for id in ("dead", "alive"):
        runs.begin(new(id))
        runs.extend(id, "text")
    belongs(runs, "dead", dead)
    with database.writing(runs.connection):
        runs.connection.execute("UPDATE runs SET started = started - ?", (31 * DAY_S,))
        runs.connection.execute("UPDATE runs SET until = 0 WHERE id = 'dead'")
    make(runs, "young")
    left = ids(runs.newest(99))
    assert 7 <= len(left) <= history.PRUNED_RUNS + 7, "a little, not all"
    for _ in range(history.PRUNED_RUNS + 5):  # a slow machine takes one at a time
        runs.prune(time.time())
    assert ids(runs.newest(99)) == ["young", "alive"]
    assert runs.connection.execute("SELECT DISTINCT run FROM pieces").fetchall() == [("alive",)]


def test_the_oldest_go_when_there_is_too_much_and_the_space_is_given_back(runs: History) -> None:
    for number in range(6):
        make(runs, f"r{number}", text="x" * 1_000_000)
    pages = runs.connection.execute("PRAGMA page_count").fetchone()[0]
    for _ in range(6):
        runs.prune(time.time(), limit=5_000_000)
    assert ids(runs.newest(9)) == ["r5", "r4"], "each is kept twice: in reply and envelope"
    deadline = time.monotonic() + 30
    while runs.connection.execute("PRAGMA freelist_count").fetchone()[0] > history.SPARE_PAGES:
        assert time.monotonic() < deadline
        runs.prune(time.time(), limit=5_000_000)
    assert runs.connection.execute("PRAGMA page_count").fetchone()[0] < pages / 2
    assert runs.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_what_is_at_work_is_never_forgotten(runs: History) -> None:
    runs.begin(new("r1"))
    aged(runs, "r1", 100)
    runs.prune(time.time(), limit=0)
    assert ids(runs.newest(9)) == ["r1"]


def test_a_killed_process_loses_nothing(runs: History) -> None:
    """Killed at any moment: what it says was written is there, and what is there is what it wrote."""
    for _ in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", WORKER, SCRIPTS], stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            lines = [worker.stdout.readline() for _ in range(random.randrange(1, 60))]
            worker.kill()
            lines += worker.stdout.readlines()
        written = [line.split() for line in lines if line.endswith("\n")]
        for id in {id for id, _ in written}:
            steps = [step for name, step in written if name == id]
            kept = runs.find(id, "/")
            assert kept is not None
            assert not kept.alive
            assert WHOLE.startswith(kept.text)
            assert len(kept.text) >= len("".join(f"<{piece}>" * 50 for piece in range(steps.count("piece"))))
            if "finished" in steps:
                assert (kept.status, kept.text) == ("ok", WHOLE)
    assert runs.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
