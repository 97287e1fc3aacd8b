"""Batches through the command: what is asked, written down, resumed, scored, refused, and what it comes to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPTS, Outcome
from provider_server import ProviderServer, Reply

Run = Callable[..., Outcome]
SCRIPT = "compare_models"
MODEL = "openai/test-model"
KEY = "sk-" + "0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d"
OUT = ("--batch", "in.jsonl", "--out", "out.jsonl")
JUDGED = ("--score", "judge", "--judge", "openai/judge")
VERDICT = Reply(text=json.dumps({"reason": "same city", "correct": True}))


@pytest.fixture
def openai(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_BASE", f"{provider.url}/v1")
    return provider


def rows(*records: Any, name: str = "in.jsonl") -> None:
    given = [record if isinstance(record, dict) else {"prompt": record} for record in records]
    Path(name).write_text("".join(json.dumps(record) + "\n" for record in given))


def results(name: str = "out.jsonl") -> dict[str, dict[str, Any]]:
    """By id; every id but once, the first line left out."""
    first, *lines = [json.loads(line) for line in Path(name).read_text().splitlines()]
    assert list(first) == ["batch"]
    assert len({line["id"] for line in lines}) == len(lines)
    return {line["id"]: line for line in lines}


def priced(usd: float) -> None:
    """For a million tokens, in and out."""
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "litellm-skill"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "models.toml").write_text(f'models."{MODEL}".price = {{ input = {usd}, output = {usd} }}\n')


def test_every_row_is_asked_and_written_down(run: Run, openai: ProviderServer) -> None:
    rows("one", {"id": "b", "prompt": "two", "system": "Be brief.", "expected": "x"}, "three")
    done = run(SCRIPT, "-m", MODEL, *OUT)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("3 of 3 answers; 0 failed, 0 left\n")
    found = results()
    assert {id: line["text"] for id, line in found.items()} == {
        "1": "You said: one",
        "b": "You said: two",
        "3": "You said: three",
    }
    line = found["b"]
    assert list(line)[:3] == ["status", "id", "model"]
    assert (line["status"], line["model"], line["expected"], line["score"]) == ("ok", MODEL, "x", None)
    sent = next(request.body for request in openai.requests if "two" in str(request.body))
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two"}]
    assert not sent.get("stream")


def test_what_is_answered_is_not_asked_again(run: Run, openai: ProviderServer) -> None:
    rows("one", "two")
    run(SCRIPT, "-m", MODEL, *OUT)
    rows("one", "two", "three")
    done = run(SCRIPT, "-m", MODEL, *OUT, "--json")
    document = json.loads(done.stdout)
    assert (done.code, len(openai.requests), len(results())) == (0, 3, 3)
    assert (document["status"], document["batch"]["asked_now"], document["batch"]["answered"]) == ("ok", 1, 3)


@pytest.mark.parametrize(("flags", "asked", "status"), [((), 2, "partial"), (("--retry-errors",), 3, "ok")])
def test_failed_rows_are_asked_again_on_demand(
    run: Run, openai: ProviderServer, flags: tuple[str, ...], asked: int, status: str
) -> None:
    rows("one", "two")
    openai.reply(Reply(status=400, text="no"))
    first = run(SCRIPT, "-m", MODEL, *OUT, "-j", "1")
    assert (first.code, first.stdout.splitlines()[0]) == (0, "1 of 2 answers; 1 failed, 0 left")
    again = run(SCRIPT, "-m", MODEL, *OUT, *flags, "--json")
    assert (again.code, len(openai.requests), json.loads(again.stdout)["status"]) == (0, asked, status)


def test_a_rate_limit_costs_no_row(run: Run, openai: ProviderServer) -> None:
    rows(*map(str, range(12)))
    refusals = [Reply(status=429, headers={"retry-after": "0"}), Reply(text="ok"), Reply(status=429)]
    openai.reply(*refusals * 2)
    done = run(SCRIPT, "-m", MODEL, *OUT, "-j", "4")
    assert (done.code, done.stderr) == (0, "")
    assert {line["status"] for line in results().values()} == {"ok"}
    assert len(openai.requests) == 12 + 4
    met = [len(line["attempts"]) for line in results().values()]
    assert sum(met) == 16


@pytest.mark.parametrize(
    ("reply", "code", "kind"),
    [
        (Reply(status=401), 3, "not_set_up"),
        (Reply(status=404), 4, "unknown_model"),
        (Reply(status=429, headers={"retry-after": "90000"}), 7, "limit_reached"),
    ],
)
def test_a_model_that_always_fails_is_given_up(
    run: Run, openai: ProviderServer, reply: Reply, code: int, kind: str
) -> None:
    rows(*map(str, range(40)))
    openai.default = reply
    done = run(SCRIPT, "-m", MODEL, *OUT, "-j", "1")
    assert done.code == code
    assert len(openai.requests) == 5
    assert "35 left" in done.stdout
    assert "given up: " in done.stdout
    assert {line["error"]["type"] for line in results().values()} == {kind}


def test_two_models_and_how_they_stand(run: Run, openai: ProviderServer) -> None:
    rows({"prompt": "a", "expected": "said: A"}, {"prompt": "b", "expected": "nothing"}, "c")
    done = run(SCRIPT, "-m", MODEL, "-m", "openai/other", *OUT, "--score", "contains", "--json")
    batch = json.loads(done.stdout)["batch"]
    assert (done.code, batch["rows"], batch["answered"]) == (0, 3, 6)
    for one in batch["models"]:
        assert (one["answered"], one["scored"], one["score"]) == (3, 2, 0.5)
        assert one["interval"] == pytest.approx([0.0945, 0.9055], abs=5e-5)
        assert set(one["latency_s"]) == {"p50", "p95", "p99"}
        assert (one["cost_usd"], one["priced"]) == (None, 0)


def test_a_judge_that_was_given_up_is_named_as_that(run: Run, openai: ProviderServer) -> None:
    rows(*({"prompt": "one", "expected": "x"} for _ in range(6)))
    openai.reply(*[Reply(text="an answer"), Reply(status=401)] * 5)
    done = run(SCRIPT, "-m", MODEL, *OUT, "-j", "1", *JUDGED)
    reasons = {line["score"]["reason"] for line in results().values()}
    assert (done.code, len(openai.requests)) == (0, 11)
    assert len(reasons) == 1
    assert "401" in reasons.pop()


def test_a_judge_scores(run: Run, openai: ProviderServer) -> None:
    rows({"prompt": "capital?", "expected": "Paris"}, {"prompt": "other?", "expected": "Rome"})
    openai.reply(Reply(text="The city of Paris."), VERDICT, Reply(text="Rome"), Reply(text="no JSON"))
    openai.default = Reply(text="no JSON either")
    done = run(SCRIPT, "-m", MODEL, *OUT, "-j", "1", *JUDGED)
    assert done.code == 0
    first, second = results().values()
    assert first["score"] == {"value": 1.0, "by": "openai/judge", "reason": "same city"}
    assert (second["score"]["value"], second["status"]) == (None, "ok")
    asked = openai.requests[1].body["messages"]
    assert "<<<begin expected answer" in asked[-1]["content"]
    assert "100.0 % right of 1 " in done.stdout


def test_a_judge_that_was_of_no_use_is_asked_again_and_the_model_is_not(run: Run, openai: ProviderServer) -> None:
    rows(*({"prompt": f"say {word}", "expected": "x"} for word in ("one", "two")), "three")
    openai.reply(*[Reply(text="an answer"), *[Reply(text="no JSON")] * 2] * 2, Reply(text="three"))
    command = (SCRIPT, "-m", MODEL, *OUT, "-j", "1", *JUDGED)
    run(*command)
    assert [line["score"] and line["score"]["value"] for line in results().values()] == [None] * 3
    seen = len(openai.requests)
    openai.default = VERDICT
    assert (run(*command).code, len(openai.requests)) == (0, seen)
    done = run(*command, "--retry-errors")
    assert (done.code, done.stderr) == (0, "")
    assert "100.0 % right of 2 " in done.stdout
    assert [request.body["model"] for request in openai.requests[seen:]] == ["judge"] * 2
    last = {line["id"]: line for line in map(json.loads, Path("out.jsonl").read_text().splitlines()[1:])}
    assert [line["text"] for line in last.values()] == ["an answer", "an answer", "three"]
    assert [last[id]["score"]["value"] for id in "12"] == [1.0, 1.0]


def test_what_is_interrupted_while_it_is_judged_is_not_asked_again(
    interrupted: Callable[..., Outcome], run: Run, openai: ProviderServer
) -> None:
    rows({"prompt": "capital?", "expected": "Paris"})
    openai.reply(Reply(text="Paris, of course."))
    openai.default = Reply(delay_s=20)
    command = (SCRIPT, "-m", MODEL, *OUT, *JUDGED)
    assert interrupted(*command, after=2).code == 130
    openai.default = VERDICT
    done = run(*command)
    assert (done.code, done.stderr) == (0, "")
    assert [request.body["model"] for request in openai.requests] == ["test-model", "judge", "judge"]
    before, after = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()[1:]]
    assert after == {**before, "score": {"value": 1.0, "by": "openai/judge", "reason": "same city"}}


def test_a_template_and_what_is_sent_with_every_row(run: Run, openai: ProviderServer) -> None:
    Path("in.csv").write_text('word,note\ncat,"a, b"\n')
    Path("t.txt").write_text("\ufeffTranslate {word} ({note}).", encoding="utf-8")  # as editors of Windows write it
    Path("style.md").write_text("Be terse.")
    done = run(
        *(SCRIPT, "-m", MODEL, "--batch", "in.csv", "--template", "t.txt", "--out", "out.jsonl"),
        *("-s", "You translate.", "-f", "style.md", "--max-tokens", "9"),
    )
    assert (done.code, done.stderr) == (0, "")
    body = openai.requests[0].body
    assert body["messages"][0]["content"] == "You translate."
    assert body["messages"][1]["content"].startswith("Translate cat (a, b).\n\n")
    assert "Be terse." in body["messages"][1]["content"]
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 9


def test_a_secret_costs_its_row_alone(run: Run, openai: ProviderServer) -> None:
    rows("one", {"id": "leak", "prompt": f"my key is {KEY}"}, "three")
    done = run(SCRIPT, "-m", MODEL, *OUT)
    assert done.code == 0
    assert len(openai.requests) == 2
    error = results()["leak"]["error"]
    assert (error["type"], error["exit_code"]) == ("secret_found", 12)
    assert "row leak, line 1" in error["message"]
    assert KEY not in Path("out.jsonl").read_text() + done.stdout + done.stderr


def test_a_key_in_an_answer_is_not_kept(run: Run, openai: ProviderServer) -> None:
    rows("one")
    openai.reply(Reply(text=f"it is {KEY}"))
    run(SCRIPT, "-m", MODEL, *OUT)
    assert results()["1"]["text"] == "it is [key]"


def test_a_rows_files_lie_below_its_folder(run: Run, openai: ProviderServer) -> None:
    Path("data").mkdir()
    Path("data/a.txt").write_text("from a file")
    Path("outside.txt").write_text("elsewhere")
    given = [{"prompt": str(n), "files": names} for n, names in enumerate((["a.txt"], ["../outside.txt"], ["none"]))]
    rows(*given, {"prompt": "3", "files": [str(Path("outside.txt").resolve())]}, name="data/in.jsonl")
    done = run(SCRIPT, "-m", MODEL, "--batch", "data/in.jsonl", "--out", "out.jsonl")
    assert done.code == 0
    assert "from a file" in openai.requests[0].body["messages"][0]["content"]
    found = results()
    assert found["1"]["sent"]["files"][0]["path"] == "a.txt"
    assert {found[id]["error"]["type"] for id in "234"} == {"bad_input"}
    assert len(openai.requests) == 1


def test_keys_and_addresses_in_rows_mean_nothing(run: Run, openai: ProviderServer) -> None:
    rows({"prompt": "one", "api_base": "http://127.0.0.1:9/v1", "api_key": "sk-of-the-row", "model": "openai/x"})
    done = run(SCRIPT, "-m", MODEL, *OUT)
    assert (done.code, done.stderr) == (0, "warning: columns that are not used: api_base, api_key, model\n")
    (request,) = openai.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "sk-of-the-row" not in json.dumps(request.body)


def test_money_that_is_gone(run: Run, openai: ProviderServer) -> None:
    priced(1000.0)
    rows(*map(str, range(10)))
    done = run(SCRIPT, "-m", MODEL, *OUT, "-j", "4", "--max-cost", "0.4", "--json")
    document = json.loads(done.stdout)
    answered = len(openai.requests)
    assert (done.code, document["error"]["type"], document["status"]) == (7, "limit_reached", "partial")
    assert 0 < answered < 10
    assert document["batch"]["left"] == 10 - answered
    assert 0 < document["cost_usd"] <= 0.4
    again = run(SCRIPT, "-m", MODEL, *OUT, "--max-cost", "9")
    assert (again.code, len(openai.requests)) == (0, 10)


def test_a_budget_that_is_gone(run: Run, openai: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    priced(1000.0)
    rows(*map(str, range(10)))
    monkeypatch.setenv("LITELLM_SKILL_BUDGET_USD_DAY", "0.4")
    done = run(SCRIPT, "-m", MODEL, *OUT, "--json")
    spent = json.loads(run(SCRIPT, "--list-results", "--json").stdout)["spent_today_usd"]
    assert (done.code, spent) == (7, pytest.approx(json.loads(done.stdout)["cost_usd"]))
    assert 0 < spent <= 0.4


def test_what_was_spent_is_told_to_the_ledger(run: Run, openai: ProviderServer) -> None:
    priced(1000.0)
    rows("one", "two")
    done = run(SCRIPT, "-m", MODEL, *OUT, "--json")
    listed = json.loads(run(SCRIPT, "--list-results", "--json").stdout)
    assert listed["spent_today_usd"] == pytest.approx(json.loads(done.stdout)["cost_usd"])
    assert listed["runs"][0]["cost_usd"] == pytest.approx(listed["spent_today_usd"])


def test_shards_make_the_whole(run: Run, openai: ProviderServer) -> None:
    rows(*map(str, range(20)))
    for number in range(1, 4):
        done = run(SCRIPT, "-m", MODEL, "--batch", "in.jsonl", "--out", f"{number}.jsonl", "--shard", f"{number}/3")
        assert done.code == 0
    assert len(openai.requests) == 20
    whole = "".join(Path(f"{number}.jsonl").read_text() for number in range(1, 4))
    Path("out.jsonl").write_text(whole)
    done = run(SCRIPT, "-m", MODEL, *OUT)
    assert (done.code, done.stdout.splitlines()[0]) == (0, "20 of 20 answers; 0 failed, 0 left")
    assert len(openai.requests) == 20


def test_a_shard_without_rows_has_nothing_to_do(run: Run, openai: ProviderServer) -> None:
    rows("one")
    ends = [run(SCRIPT, "-m", MODEL, *OUT[:3], f"{number}.jsonl", "--shard", f"{number}/4") for number in range(1, 5)]
    assert ([done.code for done in ends], len(openai.requests)) == ([0] * 4, 1)
    assert sorted(done.stdout.splitlines()[0] for done in ends) == [
        *["0 of 0 answers; 0 failed, 0 left"] * 3,
        "1 of 1 answers; 0 failed, 0 left",
    ]
    assert len({Path(f"{number}.jsonl").read_text().splitlines()[0] for number in range(1, 5)}) == 1


def test_a_first_row_that_is_too_long_is_an_error_of_its_own(run: Run, openai: ProviderServer) -> None:
    priced(1)
    with Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml").open("a") as file:
        file.write(f'models."{MODEL}".context = 1000\n')
    rows("word " * 3000, "two")
    done = run(SCRIPT, "-m", MODEL, "-m", "openai/other", *OUT)
    assert done.code == 0
    assert done.stdout.startswith("3 of 4 answers for 2 models; 1 failed, 0 left\n")
    assert "1 prompt_too_long" in done.stdout


def test_results_of_rows_that_are_gone_are_not_of_these(run: Run, openai: ProviderServer) -> None:
    rows(*map(str, range(4)))
    run(SCRIPT, "-m", MODEL, *OUT)
    rows("0", "1")
    assert run(SCRIPT, "-m", MODEL, *OUT).stdout.startswith("4 answers, 2 wanted; 0 failed, 0 left\n")


@pytest.mark.parametrize("flag", ["--batch", "--template"])
def test_what_is_read_is_not_written_over(run: Run, openai: ProviderServer, flag: str) -> None:
    rows("one")
    Path("t.txt").write_text("{prompt}")
    given = {"--batch": "in.jsonl", "--template": "t.txt"}
    named = [word for pair in given.items() for word in pair]
    done = run(SCRIPT, "-m", MODEL, *named, "--out", f"./{given[flag]}", "--force")
    assert (done.code, done.stdout) == (2, "")
    assert f"--out and {flag} are one file" in done.stderr
    assert (Path("in.jsonl").read_text(), Path("t.txt").read_text()) == ('{"prompt": "one"}\n', "{prompt}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("hi",), "PROMPT is for one prompt, and --batch has many"),
        (("--continue",), "--continue is for one prompt"),
        (("-j", "257"), "-j 257: at most 256"),
        (("--score", "judge"), "--score judge and --judge MODEL belong together"),
        (("--shard", "5/4"), "argument --shard: '5/4' is not I/N with I from 1 to N"),
        (("--rpm", "0"), "argument --rpm: '0' is not a positive number"),
        (("--template", "none"), "--template none: No such file"),
        (("--score", "numeric"), "in.jsonl, line 2: expected is no number: 'x'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_sent(
    run: Run, openai: ProviderServer, flags: tuple[str, ...], message: str
) -> None:
    rows("one", {"prompt": "two", "expected": "x"})
    done = run(SCRIPT, *flags, "-m", MODEL, *OUT)
    assert (done.code, done.stdout, len(openai.requests)) == (2, "", 0)
    assert message in done.stderr
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "in.jsonl has no rows"),
        ('{"id": "a", "prompt": "p"}\n{"id": "a", "prompt": "q"}\n', "line 2: the id 'a' stands in line 1, too"),
        ('{"prompt": "p"}\n{"prompt": "a\\u0000b"}\n', "in.jsonl, line 2: the row is not text: NUL"),
        ('{"prompt": "p"}\n{"id": "x"}\n', "in.jsonl, line 2: no prompt"),
    ],
)
def test_rows_are_checked_before_anything_is_sent(run: Run, openai: ProviderServer, text: str, message: str) -> None:
    Path("in.jsonl").write_text(text)
    done = run(SCRIPT, "-m", MODEL, *OUT)
    assert (done.code, len(openai.requests)) == (2, 0)
    assert message in done.stderr


@pytest.mark.parametrize("flags", [("--temperature", "0.1"), ("-s", "x"), ("-m", "openai/other"), ("--score", "exact")])
def test_other_settings_need_another_file(run: Run, openai: ProviderServer, flags: tuple[str, ...]) -> None:
    rows("one")
    run(SCRIPT, "-m", MODEL, *OUT)
    done = run(SCRIPT, "-m", MODEL, *OUT, *flags)
    assert (done.code, len(openai.requests)) == (2, 1)
    assert "out.jsonl was begun with other settings: " in done.stderr
    assert run(SCRIPT, "-m", MODEL, *OUT, *flags, "--force").code == 0
    assert len(results() if "openai/other" not in flags else [1]) == 1


def test_a_row_that_was_changed_is_not_passed_off(run: Run, openai: ProviderServer) -> None:
    rows("one", "two")
    run(SCRIPT, "-m", MODEL, *OUT)
    rows("one", "changed")
    done = run(SCRIPT, "-m", MODEL, *OUT)
    assert (done.code, len(openai.requests)) == (2, 2)
    assert "line 2: the row '2' is not what --out holds a result of" in done.stderr


def test_a_dry_run_sends_nothing(run: Run, openai: ProviderServer) -> None:
    priced(10.0)
    rows(*map(str, range(10)))
    done = run(SCRIPT, "-m", MODEL, "--batch", "in.jsonl", "--dry-run", "--json")
    document = json.loads(done.stdout)
    assert (done.code, document["rows"], len(openai.requests)) == (0, 10, 0)
    (one,) = document["models"]
    assert one["all_rows"]["likely_usd"] == pytest.approx(10 * one["likely_usd"], rel=0.01)
    assert run(SCRIPT, "-m", MODEL, "--batch", "in.jsonl", "--dry-run").stdout.startswith("10 rows; the first one:\n")


def test_the_run_can_be_read_again(run: Run, openai: ProviderServer) -> None:
    rows("one")
    done = run(SCRIPT, "-m", MODEL, *OUT)
    again = run(SCRIPT, "--result", "last")
    assert (again.code, again.stdout) == (0, done.stdout)


def test_an_interrupted_batch_goes_on(openai: ProviderServer, run: Run) -> None:
    rows(*map(str, range(8)))
    openai.reply(*[Reply(text="ok")] * 4)
    openai.default = Reply(delay_s=20)
    command = [sys.executable, str(SCRIPTS / f"{SCRIPT}.py"), "-m", MODEL, *OUT, "-j", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    openai.wait_for(6, timeout=60)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stdout.startswith("4 of 8 answers; 0 failed, 4 left\n")
    assert stderr.startswith("error: interrupted\nnext: run the same command again")
    openai.default = Reply(text="later")
    assert run(SCRIPT, "-m", MODEL, *OUT).code == 0
    assert [line["text"] for line in results().values()] == ["ok"] * 4 + ["later"] * 4
