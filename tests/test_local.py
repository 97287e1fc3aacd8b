"""Servers of the user's own: roles, names as they list them, what to type where none is pulled, vLLM by address."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome
from provider_server import ProviderServer, Reply

Run = Callable[..., Outcome]
SIZES = {"middle:8b": 500, "large:70b": 900, "small:1b": 100, "embed-huge:latest": 9000, "far:1t-cloud": 1}
VARIABLES = ("OLLAMA_API_BASE", "LM_STUDIO_API_BASE", "LLAMAFILE_API_BASE", "HOSTED_VLLM_API_BASE")


@pytest.fixture(autouse=True)
def dead() -> None:
    """No server of the machine's own answers a test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ |= dict.fromkeys(VARIABLES, f"http://127.0.0.1:{free.getsockname()[1]}")


@pytest.fixture
def ollama(provider: ProviderServer) -> ProviderServer:
    os.environ["OLLAMA_API_BASE"] = provider.url
    provider.models = tuple(SIZES)
    return provider


def tags(sizes: dict[str, int]) -> Reply:
    return Reply(body=json.dumps({"models": [{"name": name, "size": size} for name, size in sizes.items()]}))


def asked(server: ProviderServer) -> list[str]:
    """Models that were asked for an answer."""
    return [request.body["model"] for request in server.requests if request.method == "POST" and request.prompt]


# --- roles


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("ollama:best", "large:70b"),
        ("ollama:code", "large:70b"),
        ("ollama:cheap", "small:1b"),
        ("ollama_chat:best", "large:70b"),
    ],
)
def test_a_role_of_ollama_goes_by_size(run: Run, ollama: ProviderServer, name: str, sent: str) -> None:
    ollama.reply(tags(SIZES), path="/api/tags")
    outcome = run("call_model", "hi", "-m", name, "--json")
    document = json.loads(outcome.stdout)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert (document["model_used"], document["cost_usd"], document["cost_source"]) == (f"ollama/{sent}", 0, "local")


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("LM_STUDIO_API_BASE", "lm_studio:best"),
        ("LLAMAFILE_API_BASE", "llamafile:best"),
        ("LLAMAFILE_API_BASE", "llamacpp:cheap"),
        ("HOSTED_VLLM_API_BASE", "hosted_vllm:best"),
    ],
)
def test_other_servers_have_roles_too(run: Run, provider: ProviderServer, variable: str, name: str) -> None:
    os.environ[variable] = f"{provider.url}/v1"
    provider.models = ("an-embedder", "/models/own.gguf")
    outcome = run("call_model", "hi", "-m", name, "--json")
    assert (outcome.code, asked(provider)) == (0, ["/models/own.gguf"])
    assert json.loads(outcome.stdout)["cost_source"] == "local"


def test_a_role_that_none_has(run: Run, ollama: ProviderServer) -> None:
    assert run("call_model", "hi", "-m", "ollama:greatest").code == 4


def test_a_role_of_a_server_that_does_not_answer(run: Run) -> None:
    outcome = run("call_model", "hi", "-m", "ollama:best")
    assert outcome.code == 8
    assert "127.0.0.1" in outcome.stderr


# --- names as Ollama lists them


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ("hf.co/maker/Own-GGUF:Q4", "hf.co/maker/Own-GGUF:Q4"),
        ("hf.co/maker/Own-GGUF:latest", "hf.co/maker/Own-GGUF"),
        ("maker/own:8b", "maker/own:8b"),
        ("own:latest", "own"),
        ("own:8b", "own:8b"),
    ],
)
def test_a_name_that_ollama_lists_is_ollamas(run: Run, ollama: ProviderServer, listed: str, name: str) -> None:
    ollama.models = (listed,)
    outcome = run("call_model", "hi", "-m", name, "--json")
    assert (outcome.code, outcome.stderr, asked(ollama)) == (0, "", [listed])


def test_a_name_with_a_key_of_its_provider_is_not_ollamas(run: Run, ollama: ProviderServer) -> None:
    ollama.models = ("elsewhere/own:8b",)
    os.environ["ELSEWHERE_API_KEY"] = "sk-elsewhere-1"
    document = json.loads(run("call_model", "hi", "-m", "elsewhere/own:8b", "--dry-run", "--json").stdout)
    assert (document["provider"], ollama.requests) == ("elsewhere", ())


@pytest.mark.parametrize("name", ["elsewhere/own", "own/"])
def test_a_name_that_it_does_not_list_is_not(run: Run, ollama: ProviderServer, name: str) -> None:
    assert run("call_model", "hi", "-m", name).code in (3, 4)
    assert asked(ollama) == []


# --- nothing pulled


@pytest.mark.parametrize("models", [(), ("test-embed:latest",)])
def test_without_a_model_it_says_what_to_type(run: Run, ollama: ProviderServer, models: tuple[str, ...]) -> None:
    ollama.models = models
    for name, code in ((None, 3), ("ollama:best", 4)):
        outcome = run("call_model", "hi", *(("-m", name) if name else ()))
        assert outcome.code == code
        assert "Ollama answers but has no model" in outcome.stderr or name
        assert "ollama pull NAME" in outcome.stderr


def test_without_a_server_it_does_not(run: Run) -> None:
    outcome = run("call_model", "hi")
    assert outcome.code == 3
    assert "no local server answers" in outcome.stderr
    assert "pull" not in outcome.stderr


@pytest.mark.parametrize("name", ["ollama/own", "ollama_chat/own", "ollama/hf.co/maker/own"])
@pytest.mark.parametrize("models", [(), ("other:8b",)])
@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
def test_a_model_that_is_not_pulled(
    run: Run, ollama: ProviderServer, name: str, models: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    ollama.models = models
    outcome = run("call_model", "hi", "-m", name, *flags)
    assert (outcome.code, asked(ollama)) == (4, [])
    assert f"type: ollama pull {name.partition('/')[2]}" in outcome.stderr
    assert ("it has: other:8b" in outcome.stderr) == bool(models)


def test_a_server_that_tells_no_list_is_asked_all_the_same(run: Run, ollama: ProviderServer) -> None:
    ollama.reply(Reply(status=404), path="/api/show")
    ollama.reply(Reply(status=404), path="/api/tags")
    outcome = run("call_model", "hi", "-m", "ollama/own")
    assert (outcome.code, asked(ollama)) == (0, ["own"])
    assert "the window of ollama/own is not known" in outcome.stderr


# --- servers by their addresses


@pytest.mark.parametrize("key", [None, "sk-own-1"])
def test_vllm_needs_no_key(run: Run, provider: ProviderServer, key: str | None) -> None:
    os.environ["HOSTED_VLLM_API_BASE"] = f"{provider.url}/v1"
    if key:
        os.environ["HOSTED_VLLM_API_KEY"] = key
    outcome = run("call_model", "hi", "-m", "hosted_vllm/maker/own", "--json")
    assert (outcome.code, outcome.stderr, asked(provider)) == (0, "", ["maker/own"])
    assert json.loads(outcome.stdout)["cost_source"] == "local"
    assert key is None or provider.requests[-1].key == key


@pytest.mark.parametrize("variable", ["LLAMAFILE_API_BASE", "LLAMACPP_API_BASE"])
def test_either_name_of_llama_cpps_address(run: Run, provider: ProviderServer, variable: str) -> None:
    del os.environ["LLAMAFILE_API_BASE"]
    os.environ[variable] = f"{provider.url}/v1"
    provider.models = ("/models/own.gguf",)
    document = json.loads(run("call_model", "hi", "--json").stdout)
    assert (document["model_requested"], document["cost_usd"]) == ("llamacpp//models/own.gguf", 0)


def test_a_wrong_name_of_a_group_names_groups(run: Run) -> None:
    params = {"model": "openai/test-model", "api_key": "sk-own-1", "api_base": "http://127.0.0.1:9"}
    rows = [{"model_name": name, "litellm_params": params} for name in ("team-best", "team-cheap")]
    Path("config.yaml").write_text(json.dumps({"model_list": rows}))
    outcome = run("call_model", "hi", "-m", "team-bst", "--config", "config.yaml")
    assert outcome.code == 4
    assert "groups of the file: team-best, team-cheap; nearest: " in outcome.stderr
