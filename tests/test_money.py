"""Budgets and rate limits as the command keeps them: what is refused is not sent."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from litellm_skill import database, ledger
from litellm_skill.ledger import Budget
from provider_server import ProviderServer, Reply, Usage

Run = Callable[..., Outcome]
DAY, MONTH = ledger.DAY, ledger.MONTH
ASK = ("-m", "openai/test-model", "--retries", "0")
PRICED = '[models."openai/test-model"]\nprice = { input = 1, output = 1_000 }\n'  # USD a million tokens


@pytest.fixture
def wires(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url + "/v1")
    return provider


def configure(text: str, name: str = "models.toml") -> None:
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", name)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def refused(outcome: Outcome, wires: ProviderServer, requests: int = 0) -> str:
    assert (outcome.code, outcome.stdout, len(wires.requests)) == (7, "", requests)
    assert outcome.stderr.count("\n") == 2
    return outcome.stderr


def spent(run: Run) -> float:
    document = json.loads(run("call_model", "--list-results", "--json").stdout)
    assert document["spent_month_usd"] == document["spent_today_usd"]
    amount: float = document["spent_today_usd"]
    return amount


def spend(usd: float) -> None:
    with closing(database.connect(os.environ)) as connection:
        ledger.settle(connection, "before", usd)


def reserved() -> list[float]:
    with closing(database.connect(os.environ)) as connection:
        return [usd for (usd,) in connection.execute("SELECT usd FROM reservations")]


# --- budgets


@pytest.mark.parametrize("name", [DAY, MONTH])
@pytest.mark.parametrize("argv", [(), ("--max-tokens", "600"), ("--json",), ("--max-cost", "0.5")])
def test_a_budget_that_is_spent(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, name: str, argv: tuple[str, ...]
) -> None:
    configure(PRICED)
    monkeypatch.setenv(name, "1")
    spend(0.9)
    outcome = run("call_model", "hi", *ASK, *argv)
    if "--json" in argv:
        assert json.loads(outcome.stdout)["error"]["type"] == "limit_reached"
        outcome = outcome._replace(stdout="")
    assert "budget" in refused(outcome, wires)
    assert (spent(run), reserved()) == (0.9, [])


def test_a_budget_limits_the_answer_and_is_settled(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left buys 500 tokens; what 100 of them have cost is spent, the rest is free again."""
    configure(PRICED)
    monkeypatch.setenv(DAY, "1")
    spend(0.5)
    wires.reply(Reply(text="dear", usage=Usage(input=10, output=100)))
    outcome = run("call_model", "hi", *ASK, "--json")
    document = json.loads(outcome.stdout)
    (request,) = wires.requests
    assert outcome.code == 0
    assert 490 <= request.body["max_tokens"] == document["sent"]["max_tokens"] <= 500
    assert outcome.stderr == f"warning: {document['warnings'][0]}\n"
    assert "limited to" in document["warnings"][0]
    assert (document["cost_usd"], reserved()) == (pytest.approx(0.10001), [])
    assert spent(run) == pytest.approx(0.60001)


def test_a_limit_is_sent_under_a_budget_even_if_there_is_plenty(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call without one could not be held to what is reserved for it."""
    configure(PRICED)
    monkeypatch.setenv(MONTH, "1000")
    assert run("call_model", "hi", *ASK) == (0, "You said: hi\n", "")
    assert wires.requests[0].body["max_tokens"] == 16_384


@pytest.mark.parametrize(
    ("reply", "code", "cost"),
    [
        (Reply(status=500), 8, 0.0),
        (Reply(status=401), 3, 0.0),
        (Reply(status=429), 7, 0.0),
        (Reply(text="cut", finish_reason="length", usage=Usage(input=10, output=300)), 10, 0.3),
        (Reply(text="unknown", usage=None), 0, 0.6),
        (Reply(text="cut off", pieces=("cut", " off"), stop_after=1), 10, 0.6),
    ],
    ids=["failed", "refused", "limited", "cut", "usage unknown", "broken off"],
)
def test_what_a_call_counts(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, reply: Reply, code: int, cost: float
) -> None:
    """Where the provider may have billed and nobody knows how much, all that was reserved."""
    configure(PRICED)
    monkeypatch.setenv(DAY, "10")
    wires.reply(reply)
    assert run("call_model", "hi", *ASK, "--max-tokens", "600").code == code
    assert (spent(run), reserved()) == (pytest.approx(cost, abs=1e-4), [])


def test_a_round_that_breaks_off_is_not_free(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first reply does not fit the schema; nobody knows what the second would have said of its tokens."""
    configure(PRICED)
    monkeypatch.setenv(DAY, "10")
    broken = Reply(text='{"a": 1}', pieces=('{"a"', ": 1}"), stop_after=1)
    wires.reply(Reply(text="no JSON", usage=Usage(input=10, output=10)), broken)
    schema = '{"type": "object", "properties": {"a": {"type": "integer"}}}'
    outcome = run("call_model", "hi", *ASK, "--max-tokens", "600", "--schema", schema, "--json")
    document = json.loads(outcome.stdout)
    assert (outcome.code, document["cost_usd"], document["usage"]["output_tokens"]) == (10, None, None)
    assert (spent(run), reserved()) == (pytest.approx(0.6, abs=1e-4), [])


BROKEN = Reply(text="never", reasoning="for a long time", stop_after=2, abrupt=True)


def test_what_came_of_nothing_is_not_free(run: Run, wires: ProviderServer) -> None:
    """The first attempt breaks while it thinks; the second is an answer, and has a cost of its own."""
    configure(PRICED)
    wires.reply(BROKEN, Reply(text="whole", usage=Usage(input=10, output=10)))
    outcome = run("call_model", "hi", "-m", "openai/test-model", "--max-tokens", "600", "--json")
    document = json.loads(outcome.stdout)
    assert (outcome.code, document["cost_usd"]) == (0, pytest.approx(0.01, abs=1e-3))
    assert "an earlier attempt may have been billed, too" in document["warnings"][-1]
    assert spent(run) == pytest.approx(0.01, abs=1e-3)


def test_a_free_model_that_stands_in_does_not_make_the_first_one_free(run: Run, wires: ProviderServer) -> None:
    configure(PRICED + '[models."openai/free"]\nprice = { input = 0, output = 0 }\n')
    wires.reply(BROKEN, Reply(text="whole"))
    outcome = run("call_model", "hi", *ASK, "--fallback", "openai/free", "--json")
    document = json.loads(outcome.stdout)
    assert (outcome.code, document["model_used"], document["cost_usd"]) == (0, "openai/free", 0)
    assert "an earlier attempt may have been billed, too" in document["warnings"][-1]


def test_a_sum_that_nobody_knows_is_not_told_as_known(run: Run, wires: ProviderServer) -> None:
    configure(PRICED + PRICED.replace("test-model", "other"))
    whole = Reply(text="whole", usage=Usage(input=10, output=10))
    models = ("-m", "openai/test-model", "-m", "openai/other")
    wires.reply(BROKEN, whole, whole)
    compared = json.loads(run("compare_models", "hi", *models, "--sequential", "--max-tokens", "600", "--json").stdout)
    assert (compared["cost_usd"], compared["cost_known_usd"]) == (None, pytest.approx(0.02, abs=1e-3))
    Path("in.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two"}\n')
    wires.reply(Reply(text="", usage=None), whole, whole)
    done = run("compare_models", *models[:2], "--batch", "in.jsonl", "--out", "out.jsonl", "-j", "1")
    assert "2 asked, cost unknown, at least 0.01 USD" in done.stdout


def test_a_retry_that_the_budget_does_not_hold_is_not_made(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One refused with 429 costs nothing; an empty reply may have been billed."""
    configure(PRICED)
    monkeypatch.setenv(DAY, "1")
    wires.reply(Reply(status=429, headers={"retry-after": "0"}), Reply(text="", usage=None))
    outcome = run("call_model", "hi", "-m", "openai/test-model", "--max-tokens", "600")
    assert (outcome.code, len(wires.requests)) != (0, 3)
    assert spent(run) == pytest.approx(0.6, abs=1e-4)


def test_two_budgets_hold_at_once(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(PRICED)
    monkeypatch.setenv(DAY, "1000")
    monkeypatch.setenv(MONTH, "0.1")
    assert "budget" in refused(run("call_model", "hi", *ASK), wires)


def test_another_calls_reservation_counts(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(PRICED)
    monkeypatch.setenv(DAY, "1")
    with closing(database.connect(os.environ)) as connection:
        ledger.reserve(connection, "other", 0.95, Budget(day=1.0), time.time(), time.time() + 60)
    refused(run("call_model", "hi", *ASK), wires)
    with closing(database.connect(os.environ)) as connection:
        ledger.release(connection, "other")
    assert run("call_model", "hi", *ASK, "--max-tokens", "300").code == 0


def test_an_unknown_price_is_refused_and_the_line_that_states_one_works(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DAY, "1")
    told = refused(run("call_model", "hi", *ASK), wires)
    assert "the price of openai/test-model is unknown" in told
    line = re.search(r'models\."openai/test-model".+\}', told)
    assert line
    configure(line[0].replace("999", "0.5") + "\n")
    document = json.loads(run("call_model", "hi", *ASK, "--json").stdout)
    assert document["cost_usd"] == pytest.approx(18 * 0.5e-6)
    assert spent(run) == pytest.approx(18 * 0.5e-6)


@pytest.mark.parametrize(
    ("argv", "source"),
    [(("--demo",), "demo"), (("-m", "openai/free"), "user"), (("-m", "ollama/small:1b"), "local")],
)
def test_what_costs_nothing_passes(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], source: str
) -> None:
    configure('[models."openai/free"]\nprice = 0\n')
    monkeypatch.setenv("OLLAMA_API_BASE", wires.url)
    monkeypatch.setenv(DAY, "0")
    wires.models = ("small:1b",)
    document = json.loads(run("call_model", "hi", *argv, "--json").stdout)
    assert (document["status"], document["cost_usd"], document["cost_source"]) == ("ok", 0, source)
    assert spent(run) == 0


@pytest.mark.parametrize("price", ["{ input = 1_000, output = 1_000 }", "{ input = 1_000, output = 0 }"])
def test_a_budget_of_nothing_lets_nothing_pass(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, price: str
) -> None:
    configure(f'[models."openai/test-model"]\nprice = {price}\n')
    monkeypatch.setenv(DAY, "0")
    refused(run("call_model", "hi", *ASK), wires)


@pytest.mark.parametrize("name", [DAY, MONTH])
@pytest.mark.parametrize("value", ["plenty", "-1", "nan", "inf", "1,5", "$5"])
def test_nonsense_is_no_budget(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    configure(PRICED)
    monkeypatch.setenv(name, value)
    outcome = run("call_model", "hi", *ASK)
    assert (outcome.code, outcome.stdout, wires.requests) == (2, "", ())
    assert name in outcome.stderr


@pytest.mark.parametrize("by", ["user", "directory", "env_file"])
def test_only_the_user_sets_a_budget(run: Run, wires: ProviderServer, by: str) -> None:
    """A project must not raise it; that it could lower it helps nobody."""
    configure(PRICED)
    line = f"{DAY}=0.0001\n"
    if by == "user":
        configure(line, ".env")
    Path(".env" if by == "directory" else "other.env").write_text(line)
    argv = ["--env-file", "other.env"] if by == "env_file" else []
    outcome = run("call_model", "hi", *ASK, *argv)
    assert (outcome.code, len(wires.requests)) == ((7, 0) if by == "user" else (0, 1))


def test_a_directory_cannot_raise_a_budget(run: Run, wires: ProviderServer) -> None:
    configure(PRICED)
    configure(f"{DAY}=0.0001\n", ".env")
    Path(".env").write_text(f"{DAY}=1000\n")
    refused(run("call_model", "hi", *ASK), wires)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_budget_holds_whatever_is_kept(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, keeps: bool
) -> None:
    configure(PRICED)
    monkeypatch.setenv(DAY, "1")
    flags = () if keeps else ("--no-save",)
    wires.reply(Reply(text="dear", usage=Usage(input=10, output=800)))
    assert run("call_model", "a secret plan", *ASK, "--max-tokens", "900", *flags).code == 0
    assert spent(run) == pytest.approx(0.80001)
    refused(run("call_model", "hi", *ASK, *flags), wires, requests=1)
    runs = json.loads(run("call_model", "--list-results", "--json").stdout)["runs"]
    assert [row["prompt"] for row in runs] == (["a secret plan"] if keeps else [])
    kept = b"".join(path.read_bytes() for path in Path(os.environ["XDG_STATE_HOME"]).rglob("*") if path.is_file())
    assert (b"a secret plan" in kept) == keeps


@pytest.mark.parametrize("budget", [True, False])
def test_a_state_directory_that_cannot_be_written(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, budget: bool
) -> None:
    configure(PRICED)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    if budget:
        monkeypatch.setenv(DAY, "1")
        outcome = run("call_model", "hi", *ASK)
        assert (outcome.code, outcome.stdout, wires.requests) == (7, "", ())
        assert "\nerror: the budget cannot be kept: " in outcome.stderr
        return
    outcome = run("call_model", "hi", *ASK)
    assert (outcome.code, outcome.stdout) == (0, "You said: hi\n")
    assert outcome.stderr.startswith("warning: no history: ")
    assert outcome.stderr.count("\n") == 1


# --- rate limits


@pytest.mark.parametrize(
    ("variables", "models", "first", "said"),
    [
        ({"LLM_RPM": "1"}, "", "openai/test-model", "limited to 1 request a minute"),
        ({"LLM_TPM": "900"}, "", "openai/test-model", "limited to 900 tokens a minute"),
        ({}, '[models."openai/test-model"]\nrpm = 1\n', "openai/test-model", "limited to 1 request a minute"),
        ({"LLM_RPM": "9"}, '[models."openai/test-model"]\nrpm = 1\n', "openai/test-model", "1 request a minute"),
        ({"LLM_RPM": "1"}, '[models."openai/test-model"]\nrpm = 9\n', "openai/test-model", ""),
        ({"LLM_RPM": "1"}, "", "openai/other", ""),
        ({"LLM_RPM": "2"}, "", "openai/test-model", ""),
    ],
    ids=["rpm", "tpm", "of the model", "model first, less", "model first, more", "each by itself", "not reached"],
)
def test_a_rate_limit(
    run: Run,
    wires: ProviderServer,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    models: str,
    first: str,
    said: str,
) -> None:
    """The second call is told when it may come, if it cannot wait for that; nothing of it is sent."""
    configure(models)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    wires.reply(Reply(text="first", usage=Usage(input=100, output=800)))
    assert run("call_model", "hi", "-m", first) == (0, "first\n", "")
    outcome = run("call_model", "hi", *ASK, "--timeout", "10")
    if not said:
        assert (outcome.code, outcome.stderr) == (0, "")
        return
    told = refused(outcome, wires, requests=1)
    assert said in told
    assert re.search(r"its next call may start at \d\d:\d\d:\d\d\n", told)


def test_tokens_are_corrected_by_what_was_used(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the answer is there, 800 tokens are taken for likely."""
    monkeypatch.setenv("LLM_TPM", "1000")
    wires.reply(Reply(text="short", usage=Usage(input=5, output=5)))
    for _ in range(2):
        assert run("call_model", "hi", *ASK, "--timeout", "10").code == 0


def test_a_prompt_that_never_fits_the_limit(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_TPM", "100")
    told = refused(run("call_model", "word " * 200, *ASK), wires)
    assert "limited to 100 tokens a minute" in told
    assert "attach less" in told


@pytest.mark.parametrize("name", ["LLM_RPM", "LLM_TPM"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_nonsense_is_no_rate_limit(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    outcome = run("call_model", "hi", *ASK)
    assert (outcome.code, outcome.stdout, wires.requests) == (2, "", ())
    assert f"{name} (environment) is not a whole number above 0" in outcome.stderr


def test_a_fallback_is_asked_when_a_rate_limit_is_reached(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_RPM", "1")
    run("call_model", "hi", *ASK)
    outcome = run("call_model", "hi", *ASK, "--fallback", "openai/other", "--timeout", "10", "--json")
    document: dict[str, Any] = json.loads(outcome.stdout)
    assert (outcome.code, document["model_used"], len(wires.requests)) == (0, "openai/other", 2)


def test_a_rate_limit_costs_no_answer(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where it cannot be kept, a warning says so."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("LLM_RPM", "1")
    outcome = run("call_model", "hi", *ASK, "--no-save")
    assert (outcome.code, outcome.stdout) == (0, "You said: hi\n")
    assert outcome.stderr.startswith("warning: no history: ")
