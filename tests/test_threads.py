"""Conversations: what is sent of them on each wire, which turns count, and two processes that go on with one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import KEYS, SCRIPTS, Outcome
from litellm_skill import database
from litellm_skill.history import History, NewRun
from provider_server import ProviderServer, Reply, Request

Run = Callable[..., Outcome]
OPENAI, ANTHROPIC, GEMINI = MODELS = ("openai/test-model", "anthropic/claude-test", "gemini/gemini-test")
ASK = ("-m", OPENAI, "--retries", "0")


def said(request: Request) -> list[tuple[str, str]]:
    """Role and text of each message, the system prompt first, in OpenAI's words."""
    body = request.body
    system = body.get("system") or body.get("system_instruction") or body.get("systemInstruction")
    turns = body.get("messages") or body["contents"]
    told = [("system", _text(system))] if system else []
    return told + [(turn["role"].replace("model", "assistant"), _text(turn)) for turn in turns]


def _text(message: Any) -> str:
    if isinstance(message, str):
        return message
    if isinstance(message, list):
        return "".join(map(_text, message))
    return _text(message.get("text") or message.get("content") or message.get("parts") or "")


def last(wires: ProviderServer) -> list[tuple[str, str]]:
    return said(wires.requests[-1])


def state() -> Path:
    return Path(os.environ["XDG_STATE_HOME"], "litellm-skill")


def configure(name: str, text: str) -> None:
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", name)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC, "gemini:best"])
def test_the_whole_conversation_is_sent_in_order(run: Run, wires: ProviderServer, model: str) -> None:
    wires.reply(Reply(text="one"), Reply(text="two"), Reply(text="三"), Reply(text="four"))
    assert run("call_model", "a", "-m", model, "-s", "brief") == (0, "one\n", "")
    assert run("call_model", "b", "-m", model, "-c") == (0, "two\n", "")
    turns = [("user", "a"), ("assistant", "one"), ("user", "b")]
    assert last(wires) == [("system", "brief"), *turns]
    assert run("call_model", "c", "-m", model, "-c", "-s", "long") == (0, "三\n", "")
    turns += [("assistant", "two"), ("user", "c")]
    assert last(wires) == [("system", "long"), *turns]
    assert run("call_model", "d", "-m", model, "--continue") == (0, "four\n", "")
    assert last(wires) == [("system", "long"), *turns, ("assistant", "三"), ("user", "d")]


def test_the_model_may_change_in_the_middle(run: Run, wires: ProviderServer) -> None:
    """What another vendor thought is not for this one."""
    for number, model in enumerate((*MODELS, *MODELS)):
        wires.reply(Reply(text=f"answer {number}", reasoning="thinking"))
        outcome = run("call_model", f"question {number}", "-m", model, "--thread", "talk")
        assert (outcome.code, outcome.stderr) == (0, "")
        turns = [turn for n in range(number) for turn in (("user", f"question {n}"), ("assistant", f"answer {n}"))]
        assert last(wires) == [*turns, ("user", f"question {number}")]
        assert "thinking" not in json.dumps(wires.requests[-1].body.get("messages"))


@pytest.mark.parametrize("name", ["talk", "Gespräch-2.txt", "讨论", "a" * 64, "20261120-101502"])
def test_a_thread_by_name(run: Run, wires: ProviderServer, name: str) -> None:
    first = json.loads(run("call_model", "a", *ASK, "--thread", name, "--json").stdout)
    run("call_model", "elsewhere", *ASK)
    second = json.loads(run("call_model", "b", *ASK, "--thread", name, "--json").stdout)
    assert (first["thread"], second["thread"]) == (name, name)
    assert first["run_id"] != second["run_id"]
    assert last(wires) == [("user", "a"), ("assistant", "You said: a"), ("user", "b")]


def test_a_thread_without_a_name_has_the_id_of_its_first_run(run: Run, wires: ProviderServer) -> None:
    first = json.loads(run("call_model", "a", *ASK, "--json").stdout)
    assert first["thread"] == first["run_id"]
    run("call_model", "elsewhere", *ASK)
    second = json.loads(run("call_model", "b", *ASK, "--thread", first["run_id"], "--json").stdout)
    assert second["thread"] == first["run_id"] != second["run_id"]
    assert last(wires) == [("user", "a"), ("assistant", "You said: a"), ("user", "b")]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["-c"], "no conversation yet"),
        (["-c", "--thread", "talk"], "exclude each other"),
        (["--thread", "20261120-101502-3f9a1c"], "no conversation 20261120-101502-3f9a1c is kept"),
        (["--thread", "../../x"], "not a name"),
        (["--thread", "a b"], "not a name"),
        (["--thread", "-x"], "--thread"),
        (["--thread", "talk\n"], "not a name"),
        (["--thread", "a" * 65], "not a name"),
        (["--thread", ""], "not a name"),
        (["-c", "--no-save"], "nothing is kept"),
        (["--thread", "talk", "--no-save"], "nothing is kept"),
        (["--background", "--no-save"], "--background needs the history"),
    ],
)
def test_bad_input(run: Run, wires: ProviderServer, argv: list[str], said: str) -> None:
    outcome = run("call_model", "hi", *ASK, *argv)
    assert (outcome.code, outcome.stdout, wires.requests) == (2, "", ())
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 2


@pytest.mark.parametrize("way", ["variable", "policy"])
def test_without_a_history_there_is_no_conversation(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    run("call_model", "a", *ASK)
    if way == "variable":
        monkeypatch.setenv("LITELLM_SKILL_HISTORY", "off")
    else:
        configure("policy.toml", "history = false\n")
    outcome = run("call_model", "b", *ASK, "-c")
    assert (outcome.code, outcome.stdout, len(wires.requests)) == (2, "", 1)
    assert "nothing is kept" in outcome.stderr


@pytest.mark.parametrize(
    ("reply", "code", "kept"),
    [
        (Reply(status=500), 8, None),
        (Reply(status=400, text="no"), 2, None),
        (Reply(text=""), 10, None),
        (Reply(text="half of it", pieces=("half", " of it"), stop_after=1), 10, "half"),
        (Reply(text="cut", finish_reason="length"), 10, "cut"),
    ],
)
def test_only_what_was_answered_counts(
    run: Run, wires: ProviderServer, reply: Reply, code: int, kept: str | None
) -> None:
    """A turn that failed leaves no trace; of one that was cut, what came of it stays."""
    wires.reply(reply)
    assert run("call_model", "a", *ASK, "-s", "brief", "--thread", "talk").code == code
    assert run("call_model", "b", *ASK, "--thread", "talk").code == 0
    before = [("system", "brief"), ("user", "a"), ("assistant", kept)] if kept else []
    assert last(wires) == [*before, ("user", "b")]
    wires.reply(reply)
    assert run("call_model", "c", *ASK, "-c").code == code
    run("call_model", "d", *ASK, "-c")
    again = [("user", "c"), ("assistant", kept)] if kept else []
    assert last(wires) == [*before, ("user", "b"), ("assistant", "You said: b"), *again, ("user", "d")]


def test_nothing_answered_is_no_conversation(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(status=500))
    run("call_model", "a", *ASK)
    assert "no conversation yet" in run("call_model", "b", *ASK, "-c").stderr


def test_continue_means_this_folder(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here, elsewhere, empty = (tmp_path / name for name in ("here", "elsewhere", "empty"))
    for folder, prompt in ((here, "a"), (elsewhere, "x"), (empty, None)):
        folder.mkdir()
        monkeypatch.chdir(folder)
        if prompt:
            run("call_model", prompt, *ASK)
    outcome = run("call_model", "y", *ASK, "-c")
    assert (outcome.code, len(wires.requests)) == (2, 2)
    assert outcome.stderr.startswith("error: nothing was asked in this folder yet\nnext: --thread ")
    assert outcome.stderr.endswith(f", from {elsewhere}\n")
    monkeypatch.chdir(here)
    assert run("call_model", "b", *ASK, "-c").stderr == ""
    assert last(wires) == [("user", "a"), ("assistant", "You said: a"), ("user", "b")]


def test_the_oldest_turns_are_left_out_when_it_no_longer_fits(run: Run, wires: ProviderServer) -> None:
    configure("models.toml", '[models."openai/small"]\ncontext = 2_000\nmax_output = 500\n')
    for number in range(3):
        wires.reply(Reply(text=f"{number} " + "answer " * 300, pieces=(f"{number} " + "answer " * 300,)))
        run("call_model", f"{number} " + "word " * 300, *ASK, "-s", "brief", "--thread", "talk")
    outcome = run("call_model", "now", "-m", "openai/small", "--thread", "talk", "--json")
    what = "the oldest turn was left out: the conversation no longer fits openai/small"
    assert (outcome.code, outcome.stderr) == (0, f"warning: {what}\n")
    assert what in json.loads(outcome.stdout)["warnings"]
    roles = ["system", *("user", "assistant") * 2, "user"]
    assert [role for role, _ in last(wires)] == roles
    assert [text[:2] for _, text in last(wires)] == ["br", "1 ", "1 ", "2 ", "2 ", "no"]
    assert run("call_model", "later", *ASK, "--thread", "talk").stderr == ""
    assert len(last(wires)) == 1 + 4 * 2 + 1


def test_a_dry_run_counts_the_conversation_and_writes_nothing(run: Run, wires: ProviderServer) -> None:
    run("call_model", "hi", *ASK, "--thread", "new", "--dry-run")
    assert not state().exists()
    run("call_model", "a" * 1_000, *ASK, "--thread", "talk")
    before = {path: path.read_bytes() for path in state().rglob("*.txt")}, run("call_model", "--list-results")
    outcome = run("call_model", "b", *ASK, "-c", "--dry-run", "--json")
    document = json.loads(outcome.stdout)
    assert document["would_send"]["characters"] == 1_000 + len("You said: ") + 1_000 + 1
    assert document["prompt_tokens"] > 200
    after = {path: path.read_bytes() for path in state().rglob("*.txt")}, run("call_model", "--list-results")
    assert (before, len(wires.requests)) == (after, 1)


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_no_key_is_kept(run: Run, wires: ProviderServer, model: str) -> None:
    keys = list(KEYS.values())
    Path("notes.txt").write_text(f"in a file: {keys[1]}\n")
    wires.reply(Reply(text=f"you said {keys[0]}", reasoning=f"think {keys[2]}"), Reply(status=401, text=keys[0]))
    told = ("-s", f"system {keys[2]}", "-f", "notes.txt", "--allow-secrets", "--json")
    outcome = run("call_model", f"my key is {keys[0]}", "-m", model, *told)
    assert json.loads(outcome.stdout)["text"] == "you said [key]"
    assert run("call_model", "again", "-m", model, "-c").code == 3
    for command in (["--result", "last"], ["--list-results"], ["--query", "key", "--json"]):
        outcome = run("call_model", *command)
        assert [key for key in keys if key in outcome.stdout + outcome.stderr] == []
    files = [path for path in state().rglob("*") if path.is_file()]
    assert len(files) > 1
    assert [(path, key) for path in files for key in keys if key.encode() in path.read_bytes()] == []
    assert run("call_model", "later", "-m", model, "-c").code == 0
    assert last(wires)[0] == ("system", "system [key]")
    assert last(wires)[1][1].startswith("my key is [key]")


def test_a_thread_at_work_is_waited_for(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """This process is taken for the other one, which does not end in time."""
    with closing(History(database.connect(os.environ))) as history:
        asked = [{"role": "user", "content": "a"}]
        history.begin(NewRun("the-run", "a.py", str(tmp_path), OPENAI, "talk", 0, asked, {}, time.time() + 60))
    outcome = run("call_model", "b", *ASK, "--thread", "talk", "--timeout", "1")
    assert (outcome.code, outcome.stdout, wires.requests) == (11, "", ())
    error, hint = outcome.stderr.splitlines()
    assert error == "error: another run is at work on conversation talk"
    assert "--wait the-run" in hint
    assert json.loads(run("call_model", "--list-results", "--json").stdout)["runs"][0]["run_id"] == "the-run"


def test_two_processes_go_on_with_one_thread(run: Run, wires: ProviderServer) -> None:
    """One after the other: the later turn knows the earlier one."""
    run("call_model", "begin", *ASK, "--thread", "talk")
    command = [sys.executable, str(SCRIPTS / "call_model.py"), *ASK, "--thread", "talk"]
    wires.reply(*(Reply(delay_s=1) for _ in range(2)))
    processes = [
        subprocess.Popen([*command, prompt], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for prompt in ("left", "right")
    ]
    ends = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert ends == [(b"You said: left\n", b"", 0), (b"You said: right\n", b"", 0)]
    _, earlier, later = map(said, wires.requests)
    first = earlier[-1][1]
    assert earlier == [("user", "begin"), ("assistant", "You said: begin"), ("user", first)]
    other = {"left": "right", "right": "left"}[first]
    assert later == [*earlier, ("assistant", f"You said: {first}"), ("user", other)]
