"""Every model through a LiteLLM proxy: the names it has, what it costs, what it refuses; played, and with real ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import litellm_proxy
import pytest
from conftest import Outcome
from litellm_proxy import MASTER_KEY
from litellm_skill import catalog, settings
from litellm_skill.choice import Chooser
from provider_server import ProviderServer, Reply

Run = Callable[..., Outcome]
KEY = "sk-proxy-key-1"
ROLES = catalog.load().roles
CHEAP, BEST, OTHER = ROLES["openai"]["cheap"], ROLES["openai"]["best"], ROLES["anthropic"]["best"]
BY_PROXY = {"x-litellm-call-id": "c-1", "x-litellm-version": "1.106.2"}


def bare(id: str) -> str:
    return id.partition("/")[2]


def behind(address: str, key: str = KEY) -> None:
    os.environ["LITELLM_PROXY_API_BASE"] = address
    os.environ["LITELLM_PROXY_API_KEY"] = key


@pytest.fixture
def proxy(provider: ProviderServer) -> ProviderServer:
    """Played: it gives names alone."""
    behind(provider.url)
    return provider


def asked(server: ProviderServer) -> list[str]:
    """Models that were asked for an answer."""
    return [request.body["model"] for request in server.requests if request.method == "POST"]


def document(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


# --- whose name is meant


@pytest.mark.parametrize(
    ("listed", "name", "sent"),
    [
        ([CHEAP, bare(CHEAP)], CHEAP, CHEAP),
        ([bare(CHEAP)], CHEAP, bare(CHEAP)),
        ([CHEAP], bare(CHEAP), CHEAP),
        (["somewhere/our-own"], "our-own", "somewhere/our-own"),
        (["team-best"], "team-best", "team-best"),
        (["team-best"], "litellm_proxy/team-best", "team-best"),
        ([bare(CHEAP)], "openai:cheap", bare(CHEAP)),
        (["other", "openai/*"], "openai:cheap", CHEAP),
        (["other", "*"], bare(CHEAP), CHEAP),
        (["openai/*"], "openai/not-yet-known", "openai/not-yet-known"),
        (["gpt"], "gpt", "gpt"),
    ],
)
def test_a_name_is_what_the_proxy_calls_it(
    run: Run, proxy: ProviderServer, listed: list[str], name: str, sent: str
) -> None:
    proxy.models = tuple(listed)
    outcome = run("call_model", "hi", "-m", name, "--json")
    assert (outcome.code, outcome.stderr, asked(proxy)) == (0, "", [sent])
    assert (document(outcome)["model_used"], document(outcome)["provider"]) == (
        f"litellm_proxy/{sent}",
        "litellm_proxy",
    )
    assert {request.key for request in proxy.requests} == {KEY}


@pytest.mark.parametrize("name", ["anthropic/claude-nothing", "nothing-like-it", "claude"])
def test_a_name_it_does_not_have_is_not_sent(run: Run, proxy: ProviderServer, name: str) -> None:
    proxy.models = ("team-best", "openai/*")
    outcome = run("call_model", "hi", "-m", name)
    assert (outcome.code, asked(proxy)) == (4, [])
    assert "127.0.0.1" in outcome.stderr
    assert "nearest of its names: team-best" in outcome.stderr
    assert "--no-proxy" in outcome.stderr


@pytest.mark.parametrize(
    ("marker", "listed", "sent"),
    [
        (None, [OTHER, bare(BEST)], bare(BEST)),
        ("CODEX_CI", [bare(BEST), OTHER], OTHER),
        ("CODEX_CI", [BEST], BEST),
        (None, ["team-a", "team-b"], "team-a"),
    ],
)
def test_no_name_is_the_best_on_its_list(
    run: Run, proxy: ProviderServer, marker: str | None, listed: list[str], sent: str
) -> None:
    if marker:
        os.environ[marker] = "1"
    proxy.models = tuple(listed)
    outcome = run("call_model", "hi", "--no-relay")
    assert (outcome.code, asked(proxy)) == (0, [sent])
    assert "on the proxy's list" in outcome.stderr or marker


def test_a_proxy_without_a_list_gets_the_name_as_it_is(run: Run, proxy: ProviderServer) -> None:
    proxy.reply(Reply(status=500), Reply(status=500), path="/v1/models")
    outcome = run("call_model", "hi", "-m", "some/model", "--json")
    assert (outcome.code, asked(proxy)) == (0, ["some/model"])
    assert "are not known (127.0.0.1" in document(outcome)["warnings"][0]


@pytest.mark.parametrize("name", ["ollama/own:8b", "lm_studio/own", "demo/echo"])
def test_models_of_this_machine_need_no_proxy(run: Run, proxy: ProviderServer, name: str) -> None:
    with ProviderServer() as local:
        os.environ |= {"OLLAMA_API_BASE": local.url, "LM_STUDIO_API_BASE": f"{local.url}/v1"}
        local.models = ("own:8b", "own")
        assert run("call_model", "hi", "-m", name).code == 0
        assert asked(proxy) == []
        assert len([request for request in local.requests if request.route != "/api/show"]) == (name[:4] != "demo")


def test_no_proxy_asks_the_provider_itself(run: Run, proxy: ProviderServer) -> None:
    with ProviderServer() as openai:
        os.environ |= {"OPENAI_BASE_URL": f"{openai.url}/v1", "OPENAI_API_KEY": "key-of-openai"}
        assert run("call_model", "hi", "-m", "openai/test-model", "--no-proxy").code == 0
        assert (proxy.requests, asked(openai)) == ((), ["test-model"])


# --- names of its own before the models behind them


def served(name: str, calls: str, output: float = 1e-6, **info: object) -> dict[str, object]:
    facts = {"mode": "chat", "input_cost_per_token": 1e-7, "output_cost_per_token": output, **info}
    return {"model_name": name, "litellm_params": {"model": calls}, "model_info": facts}


TEAM = [
    served("vectors", "openai/text-embedding-test", mode="embedding", output=9),
    served("team-mini", "openai/test-mini", 1e-6, supports_vision=True),
    served("big", "openai/test-big", 9e-6, supports_vision=False),
    served("sonnet-5", "anthropic/claude-sonnet-test", 5e-6),
    served("mixed", "openai/test-big", 8e-6),
    served("mixed", "anthropic/claude-sonnet-test", 8e-6),
    served("cloud", "azure/ours", 2e-6, base_model="azure/gpt-test"),
]


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("openai/test-mini", "team-mini"),
        ("test-mini", "team-mini"),
        ("openai/test-big", "big"),
        ("azure/ours", "cloud"),
        ("openai:best", "big"),
        ("openai:code", "big"),
        ("openai:cheap", "team-mini"),
        ("gpt", "big"),
        ("anthropic:best", "sonnet-5"),
        ("claude", "sonnet-5"),
        ("sonnet", "sonnet-5"),
        ("azure:best", "cloud"),
        ("groq:best", None),
        ("opus", None),
        ("gemini:best", None),
        ("openai:none", None),
        ("openai/test-other", None),
    ],
)
def test_what_its_deployments_call_is_what_is_meant(
    run: Run, proxy: ProviderServer, name: str, sent: str | None
) -> None:
    proxy.reply(Reply(body=json.dumps({"data": TEAM})), path="/v1/model/info")
    proxy.models = ()
    outcome = run("call_model", "hi", "-m", name)
    assert (outcome.code, asked(proxy)) == ((0, [sent]) if sent else (4, []))
    own_words = sent is None or "/" in name or name == "test-mini"
    assert own_words or f"{name}: the {'cheapest' if 'cheap' in name else 'dearest'} of " in outcome.stderr


def test_its_own_model_goes_before_a_dearer_one(run: Run, proxy: ProviderServer) -> None:
    rows = [*TEAM, served("ours", BEST, 1e-7)]
    proxy.reply(Reply(body=json.dumps({"data": rows})), path="/v1/model/info")
    assert (run("call_model", "hi", "-m", "openai:best").code, asked(proxy)) == (0, ["ours"])


@pytest.mark.parametrize(("marker", "sent"), [(None, "big"), ("CODEX_CI", "sonnet-5"), ("CLAUDECODE", "big")])
def test_another_vendor_is_told_by_the_deployments(
    run: Run, proxy: ProviderServer, marker: str | None, sent: str
) -> None:
    if marker:
        os.environ[marker] = "1"
    rows = [{**row, "model_name": row["model_name"].replace("sonnet-5", "theirs")} for row in TEAM]
    proxy.reply(Reply(body=json.dumps({"data": rows})), path="/v1/model/info")
    assert run("call_model", "hi", "--no-relay").code == 0
    assert asked(proxy) == [sent.replace("sonnet-5", "theirs")]


@pytest.mark.parametrize("params", [None, "x", {}, {"model": None}, {"model": 7}, {"model": ["x"]}])
def test_what_a_deployment_calls_may_be_untold(run: Run, proxy: ProviderServer, params: object) -> None:
    rows = [{"model_name": "own", "litellm_params": params, "model_info": {"base_model": []}}]
    proxy.reply(Reply(body=json.dumps({"data": rows})), path="/v1/model/info")
    assert (run("call_model", "hi", "-m", "own").code, asked(proxy)) == (0, ["own"])


def test_names_of_its_list_that_have_an_ability(proxy: ProviderServer) -> None:
    proxy.reply(Reply(body=json.dumps({"data": TEAM})), path="/v1/model/info")
    chooser = Chooser(settings.load(dict(os.environ), Path.cwd()), catalog.load(), None, date(2026, 11, 20))
    assert (chooser.able("vision"), chooser.able("pdf")) == (["team-mini"], [])


# --- trust


def test_an_address_of_the_working_directory_gets_no_key(run: Run, provider: ProviderServer) -> None:
    Path(".env").write_text(f"LITELLM_PROXY_API_BASE={provider.url}\n")
    os.environ |= {"LITELLM_PROXY_API_KEY": KEY}
    outcome = run("call_model", "hi", "-m", "openai/test-model")
    assert (outcome.code, provider.requests) == (3, ())
    assert "ignored LITELLM_PROXY_API_BASE from" in outcome.stderr


def test_an_address_without_a_key_is_said_not_to_be_used(run: Run, provider: ProviderServer) -> None:
    os.environ |= {"LITELLM_PROXY_API_BASE": provider.url}
    outcome = run("call_model", "hi", "-m", "openai/test-model")
    assert (outcome.code, provider.requests) == (3, ())
    assert "LITELLM_PROXY_API_BASE is not used: no LITELLM_PROXY_API_KEY" in outcome.stderr


@pytest.mark.parametrize("address", ["http://[x", "http://h:0", "http://h:99999", "ftp://h", "h:4000"])
@pytest.mark.parametrize("name", ["LITELLM_PROXY_API_BASE", "OPENAI_BASE_URL"])
def test_what_is_no_address_is_said(run: Run, name: str, address: str) -> None:
    os.environ |= {name: address, "LITELLM_PROXY_API_KEY": KEY, "OPENAI_API_KEY": KEY}
    outcome = run("call_model", "hi", "-m", "openai/test-model")
    assert outcome.code == 3
    assert outcome.stderr.startswith(f"error: {name} (environment) is no address")


# --- what it says in headers


@pytest.mark.parametrize(
    ("headers", "cost", "source", "cached"),
    [
        ({"x-litellm-response-cost": "0.25"}, 0.25, "provider", False),
        ({"x-litellm-response-cost": "0.25", "x-litellm-cache-key": "k"}, 0.25, "provider", True),
        ({"x-litellm-cache-key": "k"}, None, None, True),
        ({"x-litellm-response-cost": "0"}, None, None, False),
        ({"x-litellm-response-cost": "None"}, None, None, False),
        ({"x-litellm-response-cost": "nan"}, None, None, False),
        ({"x-litellm-response-cost": "inf"}, None, None, False),
        ({"x-litellm-response-cost": "-1"}, None, None, False),
    ],
)
def test_cost_and_cache_are_read(
    run: Run, proxy: ProviderServer, headers: dict[str, str], cost: float | None, source: str | None, cached: bool
) -> None:
    proxy.reply(Reply(headers=BY_PROXY | headers))
    found = document(run("call_model", "hi", "-m", "test-model", "--json"))
    assert (found["cost_usd"], found["cost_source"], found["cached"]) == (cost, source, cached)


def test_a_cost_that_is_not_said_is_counted_by_its_prices(run: Run, proxy: ProviderServer) -> None:
    facts = {"mode": "chat", "input_cost_per_token": 1e-3, "output_cost_per_token": 1e-2}
    rows = [{"model_name": "team", "model_info": facts}]
    proxy.reply(Reply(body=json.dumps({"data": rows})), path="/v1/model/info")
    found = document(run("call_model", "hi", "-m", "team", "--json"))
    assert (found["cost_usd"], found["cost_source"]) == (pytest.approx(11 * 1e-3 + 7 * 1e-2), "catalog")


@pytest.mark.parametrize(
    ("vendor", "variable", "path"),
    [("openai", "OPENAI_BASE_URL", "/v1"), ("anthropic", "ANTHROPIC_BASE_URL", "")],
)
@pytest.mark.parametrize("headers", [BY_PROXY, {}])
def test_a_proxy_at_a_providers_address_is_said(
    run: Run, provider: ProviderServer, vendor: str, variable: str, path: str, headers: dict[str, str]
) -> None:
    os.environ |= {variable: provider.url + path, f"{vendor.upper()}_API_KEY": KEY}
    provider.reply(Reply(headers=headers))
    found = document(run("call_model", "hi", "-m", f"{vendor}/test-model", "--json"))
    said = [line for line in found["warnings"] if f"({variable}) is a LiteLLM proxy" in line]
    assert (len(said), found["status"], len(provider.requests)) == (bool(headers), "ok", 1)


# --- what it refuses, in the words of litellm 1.106.2


def refusal(status: int, type: str, words: str = "words", *, passed_on: bool = True, **headers: str) -> Reply:
    body = json.dumps({"error": {"message": words, "type": type, "param": None, "code": str(status)}})
    return Reply(status=status, body=body, headers={**(BY_PROXY if passed_on else {}), **headers})


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (refusal(400, "no_db_connection", "No connected db.", passed_on=False), 3, "refused LITELLM_PROXY_API_KEY"),
        (refusal(401, "token_not_found_in_db", passed_on=False), 3, "refused LITELLM_PROXY_API_KEY"),
        (refusal(401, "auth_error", passed_on=False), 3, "refused LITELLM_PROXY_API_KEY"),
        (refusal(400, "expired_key", passed_on=False), 3, "refused LITELLM_PROXY_API_KEY"),
        (refusal(422, "budget_exceeded", passed_on=False), 7, "a budget at 127.0.0.1"),
        (refusal(429, "budget_exceeded", passed_on=False), 7, "a budget at 127.0.0.1"),
        (refusal(403, "key_model_access_denied", passed_on=False), 4, "does not let LITELLM_PROXY_API_KEY use"),
        (refusal(401, "team_model_access_denied", passed_on=False), 4, "does not let LITELLM_PROXY_API_KEY use"),
        (refusal(401, "authentication_error"), 3, "refused the proxy's own key"),
        (refusal(403, "permission_error"), 3, "refused the proxy's own key"),
        (refusal(404, "invalid_request_error"), 4, "the provider behind 127.0.0.1"),
        (refusal(400, "invalid_request_error", "There are no healthy deployments for this model"), 4, "does not know"),
        (refusal(400, "None", "/chat/completions: Invalid model name passed in model=x."), 4, "does not know"),
        (refusal(429, "throttling_error", **{"retry-after": "60"}), 7, "limits the rate"),
        (refusal(429, "all_deployments_in_cooldown", **{"retry-after": "5"}), 8, "rests litellm_proxy/test-model"),
        (Reply(status=404, body="<h1>Not Found</h1>"), 8, "is no LiteLLM proxy"),
        (Reply(status=404, body='{"detail": "Not Found"}'), 8, "is no LiteLLM proxy"),
        (Reply(status=501, body=""), 8, "is no LiteLLM proxy"),
        (Reply(body="<html>hello</html>", headers={"content-type": "text/html"}), 8, "web page"),
    ],
)
def test_refusals_are_told_apart(run: Run, proxy: ProviderServer, reply: Reply, code: int, said: str) -> None:
    proxy.reply(reply)
    outcome = run("call_model", "hi", "-m", "test-model", "--retries", "0")
    assert outcome.code == code
    assert said in outcome.stderr
    assert "127.0.0.1" in outcome.stderr
    assert len(asked(proxy)) == 1


def test_a_provider_may_answer_404_too(run: Run, provider: ProviderServer) -> None:
    """Without a proxy's header it is the provider that does not know the model."""
    os.environ |= {"OPENAI_BASE_URL": f"{provider.url}/v1", "OPENAI_API_KEY": KEY}
    provider.reply(Reply(status=404))
    assert run("call_model", "hi", "-m", "openai/test-model", "--retries", "0").code == 4


def test_nobody_at_the_address(run: Run) -> None:
    behind(f"http://127.0.0.1:{litellm_proxy.free_port()}")
    outcome = run("call_model", "hi", "-m", "test-model", "--retries", "0")
    assert outcome.code == 8
    assert "connection refused by 127.0.0.1" in outcome.stderr


# --- real ones


@pytest.fixture(scope="module")
def upstream() -> Iterator[ProviderServer]:
    """The provider behind the proxies."""
    with ProviderServer() as server:
        yield server


@pytest.fixture(scope="module")
def team(upstream: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    if why := litellm_proxy.hindrance():
        pytest.skip(why)
    there = {"api_key": "sk-of-the-proxy", "api_base": f"{upstream.url}/v1"}
    priced = {"input_cost_per_token": 1e-3, "output_cost_per_token": 1e-2}
    models = [
        {"model_name": "behind", "litellm_params": {"model": "openai/own-1", **there}},
        {"model_name": "priced", "litellm_params": {"model": "openai/own-2", **there}, "model_info": priced},
        {"model_name": "mock", "litellm_params": {"model": "openai/own-3", "api_key": "k", "mock_response": "mocked"}},
        {"model_name": "rare", "litellm_params": {"model": "openai/own-4", **there, "rpm": 1}},
        {"model_name": "wide/*", "litellm_params": {"model": "openai/*", **there}},
    ]
    with (
        litellm_proxy.redis() as port,
        litellm_proxy.proxies(tmp_path_factory.mktemp("team"), models, port) as addresses,
    ):
        yield addresses


@pytest.mark.parametrize(
    ("name", "cost", "source"),
    [("priced", 11 * 1e-3 + 7 * 1e-2, "provider"), ("behind", None, None), ("wide/thing", None, None)],
)
def test_a_real_proxy_says_the_cost(
    run: Run, team: tuple[str, str], name: str, cost: float | None, source: str | None
) -> None:
    behind(team[0], MASTER_KEY)
    outcome = run("call_model", f"what does {name} cost?", "-m", name, "--json")
    found = document(outcome)
    assert (outcome.code, outcome.stderr, found["text"]) == (0, "", f"You said: what does {name} cost?")
    assert (found["cost_usd"], found["cost_source"]) == (cost and pytest.approx(cost), source)
    assert (found["model_used"], found["cached"]) == (f"litellm_proxy/{name}", False)


def test_two_real_proxies_share_a_cache(run: Run, team: tuple[str, str], upstream: ProviderServer) -> None:
    before = len(upstream.requests)
    answers = []
    for address in (team[0], f"{team[1]}/v1"):
        behind(address, MASTER_KEY)
        answers.append(document(run("call_model", "asked on both", "-m", "priced", "--json")))
    assert [answer["cached"] for answer in answers] == [False, True]
    assert answers[0]["text"] == answers[1]["text"] == "You said: asked on both"
    assert len(upstream.requests) == before + 1


def test_two_real_proxies_share_a_limit(run: Run, team: tuple[str, str]) -> None:
    """One request a minute of both together. The minute may end between two calls, so there are three pairs."""
    pairs = []
    for pair in range(3):
        codes = []
        for number, address in enumerate(team):
            behind(address, MASTER_KEY)
            codes.append(run("call_model", f"{pair}, {number}", "-m", "rare", "--retries", "0").code)
        pairs.append(codes)
    assert [0, 7] in pairs
    assert {code for pair in pairs for code in pair} == {0, 7}


@pytest.mark.parametrize(
    ("key", "code", "said"),
    [
        ("sk-broke", 7, "a budget at 127.0.0.1"),
        ("sk-denied", 4, "does not let LITELLM_PROXY_API_KEY use litellm_proxy/behind (403)"),
        ("sk-narrow", 4, "nearest of its names: priced; or add --no-proxy"),
        ("sk-expired", 3, "refused LITELLM_PROXY_API_KEY (400)"),
    ],
)
def test_a_real_proxy_refuses_a_key(run: Run, team: tuple[str, str], key: str, code: int, said: str) -> None:
    behind(team[1], key)
    outcome = run("call_model", "hi", "-m", "behind", "--retries", "0")
    assert outcome.code == code
    assert said in outcome.stderr


def test_a_real_proxy_without_a_database_refuses_a_wrong_key(run: Run, team: tuple[str, str]) -> None:
    behind(team[0], "sk-wrong")
    outcome = run("call_model", "hi", "-m", "behind")
    assert outcome.code == 3
    assert "refused LITELLM_PROXY_API_KEY (400): No connected db." in outcome.stderr


def test_a_real_proxy_limits_a_key(run: Run, team: tuple[str, str]) -> None:
    behind(team[1], "sk-hasty")
    outcomes = [run("call_model", f"hasty {n}", "-m", "behind", "--retries", "0") for n in range(3)]
    assert outcomes[0].code == 0
    (refused, *_) = [outcome for outcome in outcomes if outcome.code]
    assert refused.code == 7
    assert "limits the rate (429)" in refused.stderr
    assert "next: try again in" in refused.stderr


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (Reply(status=401), 3, "the provider behind 127.0.0.1"),
        (Reply(status=404), 4, "the provider behind 127.0.0.1"),
        (Reply(status=429), 7, "limits the rate (429)"),
        (Reply(status=500), 8, "failed (500)"),
    ],
)
def test_what_fails_behind_a_real_proxy(
    run: Run, team: tuple[str, str], upstream: ProviderServer, reply: Reply, code: int, said: str
) -> None:
    behind(team[0], MASTER_KEY)
    upstream.default = reply
    try:
        outcome = run("call_model", f"fail with {reply.status}", "-m", "behind", "--retries", "0")
    finally:
        upstream.default = Reply()
    assert outcome.code == code
    assert said in outcome.stderr


def test_a_real_proxy_whose_list_cannot_be_had_names_no_model(run: Run, team: tuple[str, str]) -> None:
    """OPENAI_BASE_URL knows no list; the proxy's own words say that it has no such model."""
    os.environ |= {"OPENAI_BASE_URL": f"{team[0]}/v1", "OPENAI_API_KEY": MASTER_KEY}
    outcome = run("call_model", "hi", "-m", "openai/nothing-like-it", "--json")
    assert (outcome.code, document(outcome)["error"]["type"]) == (4, "unknown_model")
    assert "(OPENAI_BASE_URL) is a LiteLLM proxy" in document(outcome)["warnings"][0]


def test_a_slow_real_proxy(run: Run, team: tuple[str, str], upstream: ProviderServer) -> None:
    behind(team[0], MASTER_KEY)
    upstream.reply(Reply(delay_s=8))
    outcome = run("call_model", "take your time", "-m", "behind", "--timeout", "2")
    assert outcome.code == 9
    assert "no answer from 127.0.0.1" in outcome.stderr
