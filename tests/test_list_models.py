"""list_models.py: what can be called from here, told as text and as JSON, whatever the servers asked do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from provider_server import ProviderServer, Reply

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
PROXY_KEY = "sk-proxy-4f9a8b7c6d5e"
INFO = "/v1/model/info"

Run = Callable[..., Any]


@pytest.fixture
def openai_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k-openai-1")


@pytest.fixture
def proxy(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    monkeypatch.setenv("LITELLM_PROXY_API_BASE", provider.url)
    monkeypatch.setenv("LITELLM_PROXY_API_KEY", PROXY_KEY)
    return provider


def user_file(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / "config" / "litellm-skill" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def listed(outcome: Any) -> dict[str, dict[str, Any]]:
    """The rows of ``--json`` by id."""
    assert outcome.code == 0
    return {row["id"]: row for row in json.loads(outcome.stdout)["models"]}


def deployment(name: object, **info: object) -> dict[str, object]:
    return {"model_name": name, "litellm_params": {"model": "openai/x"}, "model_info": info}


def models_of(*rows: object) -> Reply:
    return Reply(body=json.dumps({"data": list(rows)}))


# --- what is listed


def test_a_key_opens_its_providers_models(run: Run, openai_key: None) -> None:
    outcome = run("list_models", "--no-endpoints", "--json")
    rows = list(listed(outcome).values())
    assert {row["provider"] for row in rows} == {"openai"}
    assert outcome.stderr == ""
    assert all(row["callable"] for row in rows)
    assert not any(row["deprecated"] and row["deprecated"] <= date.today().isoformat() for row in rows)
    assert any("embedding" in row["abilities"] for row in rows)


def test_the_cheapest_comes_first_and_unknown_prices_last(run: Run, openai_key: None) -> None:
    rows = listed(run("list_models", "--no-endpoints", "--json")).values()
    prices = [(row["input_usd_per_million"], row["output_usd_per_million"]) for row in rows]
    known = [sum(pair) for pair in prices if None not in pair]
    assert 0 < len(known) < len(prices)
    assert prices[len(known) :] == [(None, None)] * (len(prices) - len(known))
    assert known == sorted(known)


def test_text_has_a_line_a_model_and_says_what_names_mean(run: Run, openai_key: None) -> None:
    rows = listed(run("list_models", "--no-endpoints", "--json"))
    outcome = run("list_models", "--no-endpoints")
    head, *lines = outcome.stdout.splitlines()
    body = lines[: lines.index("")]
    assert (outcome.code, outcome.stderr) == (0, "")
    assert head.split() == ["context", "output", "$/M", "in", "$/M", "out", "can", "model"]
    assert [line.split()[5] for line in body] == list(rows)
    at = head.index("model")
    assert all(line[at - 1] == " " and line[at:].startswith("openai/") for line in body)
    best = rows and json.loads(run("list_models", "--no-endpoints", "--json").stdout)["roles"]["openai:best"]
    assert f"openai:best, openai:code = {best}" in outcome.stdout
    assert f"default  {best} (the best of a vendor you have a key for)" in outcome.stdout


def test_without_a_key_there_is_nothing(run: Run) -> None:
    outcome = run("list_models", "--no-endpoints")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert outcome.stderr.count("\n") == 1
    assert "--all lists every known model" in outcome.stderr
    assert run("list_models", "--no-endpoints", "-q").stderr == ""


def test_all_lists_what_needs_a_key(run: Run, openai_key: None) -> None:
    rows = listed(run("list_models", "--no-endpoints", "--all", "--json"))
    assert len(rows) > 2000
    assert rows["openai/gpt-4o"]["callable"] is True
    assert not any(row["callable"] for row in rows.values() if row["provider"] == "anthropic")
    assert {"anthropic", "gemini", "bedrock"} <= {row["provider"] for row in rows.values()}


def test_the_document(run: Run, openai_key: None) -> None:
    document = json.loads(run("list_models", "--no-endpoints", "--json").stdout)
    assert list(document) == ["status", "models", "roles", "aliases", "default", "prices", "warnings"]
    ids = {row["id"] for row in document["models"]}
    assert set(document["roles"].values()) | set(document["aliases"].values()) <= ids
    assert document["aliases"]["gpt"] == document["roles"]["openai:best"] == document["default"]["id"]
    assert document["prices"]["source"].startswith("LiteLLM 1.")
    assert document["prices"]["age_s"] is None


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (["--query", "NANO 5"], lambda row: "nano" in row["id"] and "5" in row["id"]),
        (["--can", "vision,tools"], lambda row: {"vision", "tools"} <= set(row["abilities"])),
        (["--can", "schema", "--can", "pdf"], lambda row: {"schema", "pdf"} <= set(row["abilities"])),
        (["--can", "embedding"], lambda row: "embedding" in row["abilities"]),
        (["--min-context", "200k"], lambda row: row["context"] >= 200_000),
        (["--min-context", "1M"], lambda row: row["context"] >= 1_000_000),
        (["--max-price", "0.5"], lambda row: max(row["input_usd_per_million"], row["output_usd_per_million"]) <= 0.5),
    ],
)
def test_filters(run: Run, openai_key: None, arguments: list[str], holds: Callable[[Any], bool]) -> None:
    every = listed(run("list_models", "--no-endpoints", "--json"))
    found = listed(run("list_models", "--no-endpoints", "--json", *arguments))
    assert 0 < len(found) < len(every)
    assert all(holds(row) for row in found.values())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--can", "fly"],
        ["--can", ""],
        ["--min-context", "many"],
        ["--min-context", "-5"],
        ["--min-context", "²"],
        ["--min-context", "9" * 5000],
        ["--max-price", "-1"],
        ["--max-price", "nan"],
        ["--max-price", "inf"],
        ["--max-price", "cheap"],
        ["--qu", "x"],
        ["prompt"],
        ["--env-file", "absent"],
    ],
)
def test_nonsense_is_bad_input(run: Run, arguments: list[str]) -> None:
    outcome = run("list_models", *arguments)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert [line.partition(":")[0] for line in outcome.stderr.splitlines()] == ["error", "next"]


def test_no_match_says_what_would_widen_it(run: Run, openai_key: None) -> None:
    outcome = run("list_models", "--no-endpoints", "--query", "no-such-model", "--max-price", "0", "--can", "pdf")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert outcome.stderr.count("\n") == 1
    assert "leave out one of --query, --can, --max-price, or add --all" in outcome.stderr


def test_the_users_models_and_names_are_his(run: Run, openai_key: None, tmp_path: Path) -> None:
    text = '[aliases]\nquick = ["openai/mine-1"]\n[models."openai/mine-1"]\nprice = { input = 0.5, output = 0.25 }\n'
    user_file(tmp_path, "models.toml", text + "tools = true\ncontext = 9000\n")
    outcome = run("list_models", "--no-endpoints", "--json", "--query", "mine-1")
    (row,) = listed(outcome).values()
    assert (row["source"], row["price_source"], row["context"]) == ("models.toml", "user", 9000)
    assert (row["input_usd_per_million"], row["output_usd_per_million"]) == (0.5, 0.25)
    assert row["abilities"] == ["tools"]
    assert json.loads(outcome.stdout)["aliases"]["quick"] == "openai/mine-1"


def test_the_model_that_is_set_is_listed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"LLM_PROVIDER": "siliconflow", "LLM_MODEL": "maker/odd-1", "LLM_PROVIDER_API_KEY": "k-1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    outcome = run("list_models", "--no-endpoints", "--json")
    (row,) = listed(outcome).values()
    assert (row["id"], row["source"], row["input_usd_per_million"]) == ("siliconflow/maker/odd-1", "settings", None)
    assert json.loads(outcome.stdout)["default"]["id"] == row["id"]
    assert "no list of siliconflow's models is at hand" in outcome.stderr


def test_an_address_of_ones_own_is_named(run: Run, openai_key: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    outcome = run("list_models", "--no-endpoints")
    assert outcome.stderr == (
        "warning: openai is called at 127.0.0.1:9 (OPENAI_BASE_URL), which may serve other models\n"
    )


def test_policy_leaves_out_what_it_forbids(run: Run, proxy: ProviderServer, openai_key: None, tmp_path: Path) -> None:
    policy = '[models]\ndeny = ["*mini*"]\n[hosts]\nallow = ["api.openai.com"]\n'
    user_file(tmp_path, "policy.toml", policy).chmod(0o600)
    outcome = run("list_models", "--json")
    assert listed(outcome)
    assert not [id for id in listed(outcome) if "mini" in id]
    assert proxy.requests == ()
    assert "litellm_proxy left out: policy.toml does not permit the host 127.0.0.1:" in outcome.stderr


# --- the proxy and the local servers


def test_a_proxys_models_as_it_tells_them(run: Run, proxy: ProviderServer) -> None:
    costs = {"input_cost_per_token": 1e-6, "output_cost_per_token": 3e-6}
    rich = {"mode": "chat", "max_input_tokens": 9000, "max_output_tokens": 500, "supports_vision": True, **costs}
    poor = {**rich, "input_cost_per_token": 2e-6, "max_input_tokens": 8000, "supports_vision": False}
    rows = [deployment("team", **rich), deployment("team", **poor), deployment("free", input_cost_per_token=0)]
    rows += [deployment("vec", mode="embedding", input_cost_per_token=1e-8), deployment("ear", mode="audio_speech")]
    rows += [deployment("any/*"), deployment(7), deployment("odd", max_input_tokens="many", mode=["x"]), "text", {}]
    proxy.reply(models_of(*rows), path=INFO)
    outcome = run("list_models", "--json", "--query", "litellm_proxy/")
    found = listed(outcome)
    assert set(found) == {f"litellm_proxy/{name}" for name in ("team", "free", "vec", "odd")}
    assert found["litellm_proxy/team"] == {
        "id": "litellm_proxy/team",
        "provider": "litellm_proxy",
        "context": 8000,
        "max_output": 500,
        "input_usd_per_million": 2.0,
        "output_usd_per_million": 3.0,
        "price_source": "proxy",
        "abilities": [],
        "deprecated": None,
        "source": "proxy",
        "callable": True,
    }
    assert found["litellm_proxy/free"]["input_usd_per_million"] is None
    assert found["litellm_proxy/vec"]["abilities"] == ["embedding"]
    assert outcome.stderr == ""
    assert [(request.path, request.headers["authorization"]) for request in proxy.requests] == [
        (INFO, f"Bearer {PROXY_KEY}")
    ]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_proxy_that_refuses_details_is_asked_for_names(run: Run, proxy: ProviderServer, status: int) -> None:
    proxy.reply(Reply(status=status), path=INFO)
    outcome = run("list_models", "--json", "--query", "litellm_proxy")
    assert list(listed(outcome)) == ["litellm_proxy/test-model"]
    assert outcome.stderr == ""


TROUBLES = [
    (Reply(body="<html>hello"), "did not answer with JSON"),
    (Reply(body=""), "did not answer with JSON"),
    (Reply(body="[" * 100_000), "did not answer with JSON"),
    (Reply(body="[]"), "did not answer with a list of models"),
    (Reply(body='{"data": {"a": 1}}'), "did not answer with a list of models"),
    (Reply(body='{"data": []}'), "serves no model"),
    (Reply(body='{"data": [{}]}', stop_after=1, abrupt=True), "did not answer with JSON"),
    (Reply(status=302, body="moved", headers={"location": "/v1/models"}), "redirects (302), which is not followed"),
]


@pytest.mark.parametrize(("reply", "said"), TROUBLES, ids=[said for _, said in TROUBLES])
def test_a_proxy_in_trouble_is_told_and_the_list_goes_on(
    run: Run, proxy: ProviderServer, openai_key: None, reply: Reply, said: str
) -> None:
    proxy.reply(reply, path=INFO)
    outcome = run("list_models", "--json")
    assert {row["provider"] for row in listed(outcome).values()} == {"openai"}
    assert outcome.stderr.count("\n") == 1
    assert outcome.stderr.startswith("warning: litellm_proxy")
    assert said in outcome.stderr
    assert [request.route for request in proxy.requests] == [INFO]
    assert json.loads(outcome.stdout)["warnings"] == [outcome.stderr.removeprefix("warning: ").strip()]


def test_a_local_server_that_pours_is_cut_off(
    run: Run, provider: ProviderServer, openai_key: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", provider.url)
    provider.reply(Reply(body=b'{"models": [' + b" " * 10_000_000), path="/api/tags")
    outcome = run("list_models", "--query", "gpt-4o")
    assert "openai/gpt-4o" in outcome.stdout
    assert outcome.stderr.count("\n") == 1
    assert "ollama left out: 127.0.0.1" in outcome.stderr
    assert "answered with more than 2 MB" in outcome.stderr


def test_local_models_cost_nothing_and_come_first(
    run: Run, provider: ProviderServer, openai_key: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", provider.url)
    provider.models = ("own:8b", "own-embed:latest")
    outcome = run("list_models", "--json")
    first, second = list(listed(outcome).values())[:2]
    assert [first["id"], second["id"]] == ["ollama/own-embed:latest", "ollama/own:8b"]
    assert (second["input_usd_per_million"], second["price_source"], second["source"]) == (0, "local", "local server")
    assert (second["context"], first["abilities"]) == (8192, ["embedding"])
    provider.reply(Reply(body='{"models": []}'), path="/api/tags")
    assert "serves no model; type: ollama pull NAME" in run("list_models", "--query", "gpt-4o").stderr


def test_no_endpoints_asks_none(run: Run, proxy: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OLLAMA_API_BASE", "LM_STUDIO_API_BASE", "LLAMAFILE_API_BASE", "HOSTED_VLLM_API_BASE"):
        monkeypatch.setenv(name, proxy.url)
    for setting in ({}, {"LLM_PROVIDER": "ollama"}):
        for name, value in setting.items():
            monkeypatch.setenv(name, value)
        assert run("list_models", "--no-endpoints").code == 0
    assert proxy.requests == ()


@pytest.mark.parametrize(
    ("key_in_file", "asked"), [(False, 0), (True, 1)], ids=["the key is the user's", "the file has its own key"]
)
def test_a_projects_address_gets_no_key_but_its_own(
    run: Run, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch, key_in_file: bool, asked: int
) -> None:
    provider.reply(models_of(deployment("its-model")), path=INFO)
    lines = [f"LITELLM_PROXY_API_BASE={provider.url}"]
    if key_in_file:
        lines.append("LITELLM_PROXY_API_KEY=sk-its-own")
    else:
        monkeypatch.setenv("LITELLM_PROXY_API_KEY", PROXY_KEY)
    Path(".env").write_text("\n".join(lines))
    outcome = run("list_models", "--json", "--query", "litellm_proxy")
    assert len(listed(outcome)) == asked
    assert [request.headers["authorization"] for request in provider.requests] == ["Bearer sk-its-own"] * asked
    assert ("ignored LITELLM_PROXY_API_BASE" in outcome.stderr) is not key_in_file
    assert PROXY_KEY not in outcome.stdout + outcome.stderr


def test_a_proxy_that_lacks_its_key_is_named(run: Run, provider: ProviderServer, monkeypatch) -> None:
    monkeypatch.setenv("LITELLM_PROXY_API_BASE", provider.url)
    outcome = run("list_models")
    assert "litellm_proxy left out: no key for litellm_proxy; set LITELLM_PROXY_API_KEY" in outcome.stderr
    assert provider.requests == ()


def test_names_cannot_drive_the_terminal_or_hold_the_key(run: Run, proxy: ProviderServer) -> None:
    names = ["\x1b[31mred", "two\nlines\tand more", "\u202eright", f"x-{PROXY_KEY}", "é\ud800", "n" * 150, "n" * 201]
    proxy.reply(models_of(*map(deployment, names)), path=INFO)
    outcome = run("list_models", "--query", "litellm_proxy")
    lines = outcome.stdout[: outcome.stdout.index("\n\n")].splitlines()[1:]
    assert len(lines) == 6  # the last is too long to be a name
    assert outcome.stdout.replace("\n", "").isprintable()
    assert PROXY_KEY not in outcome.stdout
    assert {line.split("litellm_proxy/")[1][:9] for line in lines} == {
        *("\\x1b[31mr", "two lines", "\\u202erig", "x-[key]", "é\\ud800", "nnnnnnnnn")
    }


def test_five_thousand_models(run: Run, proxy: ProviderServer) -> None:
    rows = [deployment(f"m-{number}", input_cost_per_token=1e-9 * (number + 1)) for number in range(5000)]
    proxy.reply(models_of(*rows), models_of(*rows), path=INFO)
    assert len(listed(run("list_models", "--json", "--query", "litellm_proxy/"))) == 5000
    assert run("list_models", "--query", "litellm_proxy/").stdout.count("\n") > 5000


# --- how it is run


@pytest.mark.parametrize("arguments", [[], ["--all"], ["--all", "--query", "gpt-4o"]])
def test_under_a_host_the_list_is_short(
    run: Run, openai_key: None, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    full = run("list_models", "--no-endpoints", *arguments).stdout
    monkeypatch.setenv("CLAUDECODE", "1")
    outcome = run("list_models", "--no-endpoints", *arguments)
    assert len(outcome.stdout) <= 8000
    shown = outcome.stdout.split("\n\n")[0].splitlines()
    if len(full) > 7800:
        assert len(outcome.stdout) > 7500
        assert "more: narrow it down (--query, --can, --max-price), or take --json" in shown.pop()
    assert full.startswith("\n".join(shown))
    assert ("openai:best" in outcome.stdout) is ("openai:best" in full)


def test_litellm_is_not_imported() -> None:
    program = (
        "import json, sys, list_models\n"
        "code = list_models.main(['--json', '--no-endpoints', '--all', '--query', 'gpt-4o'])\n"
        "heavy = {'litellm', 'httpx', 'openai', 'pydantic', 'asyncio', 'http.client'} & set(sys.modules)\n"
        "print(code, sorted(heavy), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=True)
    assert done.stderr == "0 []\n"
    assert json.loads(done.stdout)["models"]


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPTS / "list_models.py"), "--all", "--no-endpoints"]
    env = {"HOME": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
