"""Local servers and the LiteLLM proxy: what they say they serve, and that asking them costs little."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest
from litellm_skill import endpoints, settings
from litellm_skill.catalog import Model
from litellm_skill.faults import NotSetUp, ProviderFailure
from litellm_skill.price import Tier
from provider_server import ProviderServer, Reply

INFO = "/v1/model/info"


def at(address: str, name: str = "OLLAMA_API_BASE") -> settings.Settings:
    return settings.load({name: address, "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"]}, Path.cwd())


def test_ollama_names_its_models(provider: ProviderServer) -> None:
    provider.models = ("qwen3:8b", "nomic-embed-text:latest")
    served = endpoints.serve("ollama", at(provider.url))
    assert [(model.id, model.embedding) for model in served] == [
        ("ollama/qwen3:8b", False),
        ("ollama/nomic-embed-text:latest", True),
    ]


def test_the_largest_comes_first(provider: ProviderServer) -> None:
    body = '{"models": [{"name": "small", "size": 1}, {"name": "large", "size": 9}, {"name": "odd", "size": null}]}'
    provider.reply(Reply(body=body), path="/api/tags")
    assert [model.name for model in endpoints.serve("ollama", at(provider.url))] == ["large", "small", "odd"]


def test_openai_like_servers_name_theirs(provider: ProviderServer) -> None:
    served = endpoints.serve("lm_studio", at(provider.url + "/v1", "LM_STUDIO_API_BASE"))
    assert [model.id for model in served] == ["lm_studio/test-model"]


@pytest.mark.parametrize(("told", "context"), [(40960, 40960), (0, None), ("many", None), (True, None), (None, None)])
def test_vllm_tells_its_window(provider: ProviderServer, told: object, context: int | None) -> None:
    provider.reply(Reply(body=json.dumps({"data": [{"id": "a/b", "max_model_len": told}]})), path="/v1/models")
    (served,) = endpoints.serve("lm_studio", at(provider.url + "/v1", "LM_STUDIO_API_BASE"))
    assert (served.name, served.context) == ("a/b", context)


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"models": {}}', '{"models": ["x", {"name": 1}]}', "null"])
def test_nonsense_is_no_model(provider: ProviderServer, body: str) -> None:
    provider.reply(Reply(body=body), path="/api/tags")
    assert endpoints.serve("ollama", at(provider.url)) == []


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert endpoints.serve("ollama", at(address)) == []


def test_a_server_that_never_answers_is_left() -> None:
    """It accepts and says nothing; without a limit this test would never end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert endpoints.serve("ollama", at(f"http://127.0.0.1:{silent.getsockname()[1]}")) == []


def test_a_server_that_drips_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        end = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not end.wait(0.05):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert endpoints.serve("ollama", at(f"http://127.0.0.1:{listening.getsockname()[1]}")) == []
        finally:
            end.set()
            dripping.join()


def test_an_untrusted_address_is_not_asked(provider: ProviderServer) -> None:
    Path(".env").write_text(f"OLLAMA_API_BASE={provider.url}\n")
    endpoints.serve("ollama", settings.load({}, Path.cwd()))
    assert provider.requests == ()


def test_a_key_that_stands_beside_the_address_is_sent(provider: ProviderServer) -> None:
    Path(".env").write_text(f"LM_STUDIO_API_BASE={provider.url}/v1\nLM_STUDIO_API_KEY=k-studio-1\n")
    assert endpoints.serve("lm_studio", settings.load({}, Path.cwd()))
    assert provider.requests[0].headers["authorization"] == "Bearer k-studio-1"


def test_why_a_server_serves_nothing_is_told(provider: ProviderServer) -> None:
    provider.reply(Reply(body="no json"), path="/api/tags")
    with pytest.raises(ProviderFailure, match="did not answer with JSON"):
        endpoints.ask_local("ollama", at(provider.url))
    with pytest.raises(NotSetUp, match="OLLAMA_API_BASE"):
        endpoints.ask_local("ollama", at("not an address"))


@pytest.mark.parametrize(
    ("capabilities", "told"),
    [
        (["completion", "tools", "thinking"], {"tools": True, "vision": False, "reasoning": True}),
        (["completion", "vision"], {"tools": False, "vision": True, "reasoning": False}),
        (["embedding"], {"mode": "embedding", "tools": False, "vision": False, "reasoning": False}),
        (None, {}),
        ("tools", {}),
        ([1, {}], {"tools": False, "vision": False, "reasoning": False}),
    ],
)
def test_ollama_tells_what_a_model_can(provider: ProviderServer, capabilities: object, told: dict[str, object]) -> None:
    shown = {"model_info": {"x.context_length": 4096}, "capabilities": capabilities}
    provider.reply(Reply(body=json.dumps(shown)), path="/api/show")
    (model,) = endpoints.with_ollama_details([Model.unlisted("ollama/own:8b")], provider.url, 5)
    assert model == Model("ollama/own:8b", "ollama", context=4096, known=False, **told)


@pytest.mark.parametrize("body", ["no json", "[]", '{"model_info": []}', '{"model_info": {"x.context_length": "4"}}'])
def test_a_model_that_ollama_does_not_explain_stays_as_it_is(provider: ProviderServer, body: str) -> None:
    provider.reply(Reply(body=body), path="/api/show")
    model = Model.unlisted("ollama/own:8b")
    assert endpoints.with_ollama_details([model], provider.url, 5) == [model]


def proxy(address: str, **more: str) -> settings.Settings:
    values = {"LITELLM_PROXY_API_BASE": address, "LITELLM_PROXY_API_KEY": "sk-proxy-1", **more}
    return settings.load({**values, "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"]}, Path.cwd())


def info(name: str, **facts: object) -> dict[str, object]:
    return {"model_name": name, "model_info": facts}


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/root/v1"])
def test_a_proxys_models_are_models(provider: ProviderServer, ending: str) -> None:
    facts = {"mode": "chat", "max_input_tokens": 900, "max_output_tokens": 50, "input_cost_per_token": 1e-6}
    facts |= {"output_cost_per_token": 2e-6, "input_cost_per_token_above_200k_tokens": 3e-6, "key": None}
    facts |= {"supports_function_calling": True, "supports_vision": None, "supports_pdf_input": False}
    path = ("/root" if "root" in ending else "") + INFO
    provider.reply(Reply(body=json.dumps({"data": [info("team", **facts)]})), path=path)
    (model,) = endpoints.ask_proxy(proxy(provider.url + ending))
    assert (model.id, model.provider, model.mode) == ("litellm_proxy/team", "litellm_proxy", "chat")
    assert (model.context, model.max_output) == (900, 50)
    assert (model.tools, model.vision, model.pdf) == (True, None, False)
    assert model.price
    assert (model.price.input, model.price.output) == (1e-6, 2e-6)
    assert model.price.tiers == (Tier(3e-6, 2e-6, above_tokens=200_000),)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"max_input_tokens": 9}, {"max_input_tokens": 7}, ("context", 7)),
        ({"max_input_tokens": 9}, {}, ("context", None)),
        ({"supports_vision": True}, {"supports_vision": True}, ("vision", True)),
        ({"supports_vision": True}, {}, ("vision", None)),
        ({}, {"supports_vision": False}, ("vision", False)),
        ({"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}, {}, ("price", None)),
    ],
)
def test_a_group_can_what_all_its_deployments_can(
    provider: ProviderServer, one: dict[str, object], other: dict[str, object], expected: tuple[str, object]
) -> None:
    for pair in ((one, other), (other, one)):
        rows = [info("team", **facts) for facts in pair]
        provider.reply(Reply(body=json.dumps({"data": rows})), path=INFO)
        (model,) = endpoints.ask_proxy(proxy(provider.url))
        assert getattr(model, expected[0]) == expected[1]


def test_a_proxy_that_gives_names_alone(provider: ProviderServer) -> None:
    provider.reply(Reply(status=403), path=INFO)
    assert endpoints.ask_proxy(proxy(provider.url)) == [Model.unlisted("litellm_proxy/test-model")]


def test_a_proxy_that_never_answers_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ProviderFailure, match="did not answer within 0.1 s"):
            endpoints.ask_proxy(proxy(address), 0.1)


def test_no_proxy_is_told() -> None:
    with pytest.raises(NotSetUp, match="no key for litellm_proxy"):
        endpoints.ask_proxy(settings.load({}, Path.cwd()))


def test_a_proxy_of_a_less_trusted_place_is_not_asked(provider: ProviderServer) -> None:
    Path(".env").write_text(f"LITELLM_PROXY_API_BASE={provider.url}\n")
    with pytest.raises(NotSetUp) as caught:
        endpoints.ask_proxy(settings.load({"LITELLM_PROXY_API_KEY": "sk-proxy-1"}, Path.cwd()))
    assert "ignored LITELLM_PROXY_API_BASE" in caught.value.hint
    assert provider.requests == ()


@pytest.mark.parametrize(
    ("params", "facts", "behind"),
    [
        ({"model": "openai/test"}, {}, ("openai/test",)),
        ({"model": "test"}, {"litellm_provider": "openai"}, ("openai/test",)),
        ({"model": "test", "custom_llm_provider": "groq"}, {"litellm_provider": "openai"}, ("groq/test",)),
        ({"model": "test"}, {}, ("test",)),
        ({"model": "azure/ours"}, {"base_model": "azure/test"}, ("azure/ours", "azure/test")),
        ({"model": ["x"]}, {"base_model": 7}, ()),
        (None, {}, ()),
    ],
)
def test_what_is_behind_a_proxys_name(
    provider: ProviderServer, params: object, facts: dict[str, object], behind: tuple[str, ...]
) -> None:
    row = {**info("team", **facts), "litellm_params": params}
    provider.reply(Reply(body=json.dumps({"data": [row, row]})), path=INFO)
    (model,) = endpoints.ask_proxy(proxy(provider.url))
    assert model.behind == behind
