"""--refresh: the newest prices into the cache, only if they can be true; and what a cache that cannot be true does."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litellm_skill import catalog, pricetable
from provider_server import ProviderServer, Reply

Run = Callable[..., Any]
BUNDLED: dict[str, Any] = json.loads(pricetable.bundled_path().read_bytes())
NEW = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-7, "output_cost_per_token": 2e-7}
GREAT = {
    "id": "maker/great-1",
    "context_length": 200_000,
    "architecture": {"input_modalities": ["text", "image", "file"], "output_modalities": ["text"]},
    "pricing": {"prompt": "0.000001", "completion": "0.000004", "input_cache_read": "0", "request": "0"},
    "top_provider": {"max_completion_tokens": 32_000},
    "supported_parameters": ["tools", "structured_outputs", "reasoning"],
    "expiration_date": "2199-01-31",
}


def table(**rows: object) -> str:
    return json.dumps({**BUNDLED, "gpt-test-new": NEW, **rows})


def openrouter(*models: object) -> str:
    return json.dumps({"data": [GREAT, *models]})


@pytest.fixture
def sources(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    monkeypatch.setenv("LITELLM_SKILL_PRICES_URL", f"{provider.url}/prices")
    monkeypatch.setenv("LITELLM_SKILL_OPENROUTER_URL", f"{provider.url}/list")
    monkeypatch.setenv("OPENAI_API_KEY", "k-openai-1")
    monkeypatch.setenv("OPENROUTER_API_KEY", "k-openrouter-1")
    return provider


def listed(outcome: Any) -> dict[str, dict[str, Any]]:
    assert outcome.code == 0
    return {row["id"]: row for row in json.loads(outcome.stdout)["models"]}


def cached(name: str) -> Path:
    return Path(os.environ["XDG_CACHE_HOME"], "litellm-skill", "prices", f"{name}.json")


def refreshed(run: Run, sources: ProviderServer, prices: str, models: str, *more: str) -> Any:
    sources.reply(Reply(body=prices), path="/prices")
    sources.reply(Reply(body=models), path="/list")
    return run("list_models", "--no-endpoints", "--refresh", "--json", *more)


def test_the_newest_prices_are_used_from_then_on(run: Run, sources: ProviderServer) -> None:
    outcome = refreshed(run, sources, table(), openrouter())
    assert outcome.stderr == ""
    for again in (outcome, run("list_models", "--no-endpoints", "--json")):
        rows = listed(again)
        assert rows["openai/gpt-test-new"]["output_usd_per_million"] == 0.2
        assert rows["openrouter/maker/great-1"]["input_usd_per_million"] == 1
        prices = json.loads(again.stdout)["prices"]
        assert prices["source"] == "refreshed"
        assert 0 <= prices["age_s"] < 60
        assert 0 <= prices["openrouter_age_s"] < 60
    assert "prices   USD per million tokens, refreshed just now; OpenRouter's just now\n" in (
        run("list_models", "--no-endpoints").stdout
    )
    assert sorted(request.path for request in sources.requests) == ["/list", "/prices"]
    assert "authorization" not in {name for request in sources.requests for name in request.headers}


def test_the_cache_is_private(run: Run, sources: ProviderServer) -> None:
    refreshed(run, sources, table(), openrouter())
    assert {path.stat().st_mode & 0o777 for path in cached("litellm").parent.iterdir()} == {0o600}
    assert {path.name for path in cached("litellm").parent.iterdir()} == {"litellm.json", "openrouter.json"}
    assert cached("litellm").parent.stat().st_mode & 0o777 == 0o700


def test_openrouters_rows(run: Run, sources: ProviderServer) -> None:
    chat = {"architecture": {"output_modalities": ["text"]}}
    models = [
        {"id": "maker/great-1:free", "pricing": {"prompt": "0", "completion": "0"}, **chat},
        {"id": "maker/nil", "pricing": {"prompt": "0", "completion": "0"}, **chat},
        {"id": "auto", "pricing": {"prompt": "-1", "completion": "-1"}, **chat},
        {"id": "maker/searching", "pricing": {"prompt": "0.1", "completion": "0.1", "request": "0.005"}, **chat},
        {"id": "maker/painter", "pricing": GREAT["pricing"], "architecture": {"output_modalities": ["image"]}},
        {"id": "maker/odd", "pricing": ["x"], "top_provider": 7, "supported_parameters": None, **chat},
        {"id": 7},
        "text",
    ]
    rows = listed(refreshed(run, sources, table(), openrouter(*models), "--query", "openrouter/maker"))
    great = rows.pop("openrouter/maker/great-1")
    assert (great["context"], great["max_output"], great["deprecated"]) == (200_000, 32_000, "2199-01-31")
    assert (great["input_usd_per_million"], great["output_usd_per_million"]) == (1, 4)
    assert set(great["abilities"]) == {"vision", "pdf", "tools", "schema", "reasoning"}
    prices = {id.removeprefix("openrouter/"): row["input_usd_per_million"] for id, row in rows.items()}
    assert prices == {"maker/great-1:free": 0, "maker/nil": None, "maker/searching": None, "maker/odd": None}


def test_what_openrouter_says_goes_before_a_likeness_but_not_before_the_user(
    run: Run, sources: ProviderServer, tmp_path: Path
) -> None:
    like = next(id for id, stated in catalog.load().file.models.items() if stated.same_as)
    name = like.removeprefix("openrouter/")
    refreshed(run, sources, table(), openrouter({**GREAT, "id": name}))
    found = catalog.load().find(like)
    assert found
    assert (found.price.input, found.context) == (1e-6, 200_000)
    file = tmp_path / "models.toml"
    file.write_text(f'[models."{like}"]\nprice = {{ input = 7.0, output = 8.0 }}\n')
    assert catalog.load(file).find(like).price.source == "user"


REFUSED = [
    (Reply(body="<html>"), "did not answer with JSON"),
    (Reply(body="[]"), "0 models, where the bundled table has"),
    (Reply(body=json.dumps({"gpt-test-new": NEW})), "1 models, where"),
    (
        Reply(body=json.dumps({key: {"litellm_provider": "openai"} for key in BUNDLED})),
        "0 prices, where the bundled table has",
    ),
    (Reply(status=301, body="x", headers={"location": "/list"}), "redirects (301), which is not followed"),
    (Reply(status=404), "refused (404)"),
    (Reply(body="{}", stop_after=1, abrupt=True), "did not answer with JSON"),
]


@pytest.mark.parametrize(("reply", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_cannot_be_the_table_does_not_replace_it(
    run: Run, sources: ProviderServer, reply: Reply, said: str
) -> None:
    refreshed(run, sources, table(), openrouter())
    before = cached("litellm").read_bytes()
    sources.reply(reply, path="/prices")
    sources.reply(Reply(body=openrouter({**GREAT, "id": "maker/second"})), path="/list")
    outcome = run("list_models", "--no-endpoints", "--refresh")
    assert (outcome.code, outcome.stdout) == (8, "")
    assert outcome.stderr.startswith("error: prices not refreshed: 127.0.0.1:")
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 2
    assert cached("litellm").read_bytes() == before
    assert "openrouter/maker/second" in cached("openrouter").read_text()


@pytest.mark.parametrize("body", ["[]", '{"data": []}', '{"data": [{"id": "x"}]}', '{"data": 7}'])
def test_what_cannot_be_openrouters_list_is_refused(run: Run, sources: ProviderServer, body: str) -> None:
    outcome = refreshed(run, sources, table(), body)
    assert (outcome.code, json.loads(outcome.stdout)["error"]["exit_code"]) == (8, 8)
    assert "none of them with a price" in outcome.stderr
    assert cached("litellm").exists()
    assert not cached("openrouter").exists()


def test_a_cache_that_cannot_be_written_is_told(run: Run, sources: ProviderServer) -> None:
    cached("litellm").parent.parent.mkdir()
    cached("litellm").parent.write_text("in the way")
    outcome = refreshed(run, sources, table(), openrouter())
    assert outcome.code == 8
    assert "cannot write into" in outcome.stderr


def test_nothing_is_fetched_unasked(run: Run, sources: ProviderServer) -> None:
    assert run("list_models", "--no-endpoints").code == 0
    assert run("call_model", "--dry-run", "-m", "openai:best", "hi").code == 0
    assert sources.requests == ()


def test_odd_numbers_of_the_newest_table_are_left_out(run: Run, sources: ProviderServer) -> None:
    odd = {**NEW, "output_cost_per_token": 2.0, "max_input_tokens": "many", "deprecation_date": "soon"}
    rows = listed(refreshed(run, sources, table(**{"gpt-test-odd": odd}), openrouter(), "--query", "gpt-test"))
    row = rows["openai/gpt-test-odd"]
    assert (row["output_usd_per_million"], row["context"], row["deprecated"]) == (None, None, None)


# --- reading the cache


def good(**more: object) -> dict[str, object]:
    rows = {"gpt-test-new": NEW}
    return {"fetched_at": time.time() - 7200, "bundled": pricetable.bundled_version(), "rows": rows, **more}


def keep(name: str, content: object) -> Path:
    path = cached(name)
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_good_one_is_used_whole() -> None:
    keep("litellm", good())
    keep("openrouter", good(rows={"openrouter/a": NEW, "openai/gpt-4o": NEW}))
    read = pricetable.load()
    assert set(read.rows) == {"openai/gpt-test-new", "openrouter/a"}
    assert read.bare == {"gpt-test-new": "openai/gpt-test-new"}
    assert read.warnings == ()


NO_FILES = {
    "empty": "",
    "no json": "no json",
    "deep": "[" * 100_000,
    "a list": "[]",
    "an empty object": "{}",
    "too large": " " * (pricetable.MAX_BYTES + 1),
}
NO_VALUES = [("rows", []), ("rows", None), ("bundled", 7)]
NO_VALUES += [("fetched_at", at) for at in (None, "now", -5, True, 1e30, float("nan"))]


@pytest.mark.parametrize("name", ["litellm", "openrouter"])
@pytest.mark.parametrize("content", [*NO_FILES, *NO_VALUES], ids=str)
def test_a_file_that_is_none_is_not_used_and_said(name: str, content: str | tuple[str, object]) -> None:
    path = keep(name, NO_FILES[content] if isinstance(content, str) else good(**dict([content])))
    read = pricetable.load()
    assert len(read.rows) > 4000
    assert (read.fetched_at, read.openrouter_fetched_at) == (None, None)
    (warning,) = read.warnings
    assert warning.startswith(f"refreshed prices not used: {path}: ")
    assert "\n" not in warning


def test_the_list_says_that_a_file_is_not_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k-openai-1")
    keep("litellm", "no json")
    outcome = run("list_models", "--no-endpoints", "--json")
    assert listed(outcome)
    assert outcome.stderr.startswith("warning: refreshed prices not used: ")


@pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX's")
@pytest.mark.parametrize("harm", ["others may write the folder", "a link", "a pipe"])
def test_a_file_that_others_could_have_put_there_is_not_used(tmp_path: Path, harm: str) -> None:
    path = keep("litellm", good())
    if harm == "others may write the folder":
        path.parent.chmod(0o777)
    else:
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere") if harm == "a link" else os.mkfifo(path)
    read = pricetable.load()
    assert len(read.rows) > 4000
    assert len(read.warnings) == (harm != "a pipe")


def test_a_table_from_before_another_litellm_is_not_used() -> None:
    keep("litellm", good(bundled="0.0.1"))
    read = pricetable.load()
    assert len(read.rows) > 4000
    assert read.warnings == (
        "the refreshed prices are older than this LiteLLM, so its own are used: --refresh renews them",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input_cost_per_token", "0.1"),
        ("input_cost_per_token", -1e-6),
        ("input_cost_per_token", 1.0),
        ("input_cost_per_token", float("inf")),
        ("input_cost_per_token", True),
        ("output_cost_per_token_above_200k_tokens", "dear"),
        ("max_input_tokens", "128000"),
        ("max_input_tokens", 10**400),
        ("max_output_tokens", -1),
        ("max_tokens", 1.5),
        ("supports_vision", "yes"),
        ("supports_pdf_input", 1),
        ("mode", ["chat"]),
        ("mode", "ch\x1bat"),
        ("litellm_provider", None),
        ("deprecation_date", "2026-13-01"),
        ("deprecation_date", 20261301),
        ("tiered_pricing", [1]),
        ("tiered_pricing", [{"range": []}]),
        ("tiered_pricing", [{"range": ["0", 1]}]),
        ("tiered_pricing", [{"range": [0, 1], "input_cost_per_token": "1"}]),
        ("some_new_field", {"a": 1}),
    ],
)
def test_fields_that_cannot_be_true_are_unknown(name: str, value: object) -> None:
    assert pricetable.sane({name: value, "supports_reasoning": True}) == {"supports_reasoning": True}


def test_the_bundled_table_loses_nothing_by_being_kept() -> None:
    bundled = catalog.load()
    rows = {id: pricetable.sane(row) for id, row in bundled.table.rows.items()}
    kept = replace(bundled, table=replace(bundled.table, rows=rows))
    for id in bundled.table.rows:
        assert kept.find(id) == bundled.find(id), id
