"""What langchain.md and agents-sdk.md say beyond what their blocks show: how often is asked, with which key, where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import blocks
import pytest
from blocks import ROOT
from conftest import KEYS
from provider_server import ProviderServer, Request
from test_references import played, printed_by_python

MODULE_KEY, OWN_KEY = "key-of-the-module", "key-of-the-model"
UPLOAD = "CONNECT api.openai.com:443 HTTP/1.1"
NO_TRACING = "set_tracing_disabled(True)"

# Each asks with its name as the prompt; those that fail do so at the same time, as each waits between its tries.
LANGCHAIN = f"""
from concurrent.futures import ThreadPoolExecutor

lone = litellm.Router([{{"model_name": "fast", "litellm_params": {{"model": "openai/limited-model"}}}}])
failing = {{
    "429": ChatLiteLLM(model="openai/limited-model"),
    "429, two tries": ChatLiteLLM(model="openai/limited-model", max_retries=2),
    "500, two tries": ChatLiteLLM(model="openai/broken-model", max_retries=2),
    "429, LangChain's alone": ChatLiteLLM(model="openai/limited-model", model_kwargs={{"max_retries": 0}}),
    "429, Router": ChatLiteLLMRouter(router=lone, model="fast"),
}}


def fail(prompt: str) -> str:
    try:
        return failing[prompt].invoke(prompt).text
    except Exception as error:
        return type(error).__name__


with ThreadPoolExecutor(len(failing)) as pool:
    print(*pool.map(fail, failing))
free = ChatLiteLLM(model="openai/test-model", temprature=0)
before = free.invoke("cost").response_metadata
litellm.Router([{{"model_name": "fast", "litellm_params": {{"model": "openai/test-model"}}}}])
print(before.get("response_cost"), free.invoke("cost").response_metadata.get("response_cost"))
print(ChatLiteLLM(model="openai/uncounted-model").invoke("uncounted").usage_metadata["total_tokens"])
whole = list(ChatLiteLLM(model="openai/test-model", stream_options={{}}).stream("not asked for"))
print({{chunk.usage_metadata and chunk.usage_metadata["total_tokens"] for chunk in whole}})
litellm.api_key = {MODULE_KEY!r}
ChatLiteLLM(model="openai/test-model").invoke("module key, openai")
ChatLiteLLM(model="anthropic/test-model").invoke("module key, anthropic")
ChatLiteLLM(model="anthropic/test-model", api_key={OWN_KEY!r}).invoke("own key")
litellm.api_key, litellm.api_base = None, os.environ["ANTHROPIC_BASE_URL"] + "/elsewhere"
ChatLiteLLM(model="openai/test-model").invoke("module address, openai")
ChatLiteLLM(model="anthropic/test-model").invoke("module address, anthropic")
"""
AGENTS = f"""
def say(model: LitellmModel, prompt: str, **settings: object) -> object:
    agent = Agent(name="Test", model=model, model_settings=ModelSettings(**settings))
    try:
        return Runner.run_sync(agent, prompt).context_wrapper.usage.total_tokens
    except Exception as error:
        return type(error).__name__


print(say(LitellmModel("openai/limited-model"), "429"))
print(say(LitellmModel("openai/limited-model"), "429, no retries", extra_args={{"max_retries": 0}}))
print(say(LitellmModel("openai/uncounted-model"), "uncounted"))
litellm.api_key = {MODULE_KEY!r}
say(LitellmModel("anthropic/test-model"), "module key")
say(LitellmModel("anthropic/test-model", api_key={OWN_KEY!r}), "own key")
"""


def asked(provider: ProviderServer, prompt: str) -> list[Request]:
    return [request for request in provider.requests if request.prompt == prompt]


def set_up(page: str) -> blocks.Block:
    return next(block for block in blocks.of(ROOT / "references" / page) if block.is_python)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "work"


def test_langchain_retries_keys_and_counts(folder: Path) -> None:
    first = set_up("langchain.md")
    with played() as (environment, provider, outside):
        _, printed = printed_by_python([first, replace(first, text=LANGCHAIN)], environment, folder)
        tries = ["429", "429, two tries", "500, two tries", "429, LangChain's alone", "429, Router"]
        assert [len(asked(provider, prompt)) for prompt in tries] == [3, 6, 3, 1, 3]
        limited = "RateLimitError"
        assert printed.splitlines() == [
            f"{limited} {limited} InternalServerError {limited} {limited}", "None 0.0", "0", "{None}"
        ]  # fmt: skip
        assert "temperature" not in asked(provider, "cost")[0].body
        keys = [request.key for request in provider.requests[-5:]]
        assert keys == [MODULE_KEY, MODULE_KEY, OWN_KEY, KEYS["OPENAI_API_KEY"], KEYS["ANTHROPIC_API_KEY"]]
        assert all(request.path.startswith("/elsewhere/") for request in provider.requests[-2:])
    assert outside.asked_for == []


def test_agents_sdk_retries_and_keys_and_its_tracing_variable(folder: Path) -> None:
    first = set_up("agents-sdk.md")
    untold = replace(first, text=first.text.replace(NO_TRACING, ""))
    with played() as (environment, provider, outside):
        environment["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
        _, printed = printed_by_python([untold, replace(first, text=AGENTS)], environment, folder)
        assert [len(asked(provider, prompt)) for prompt in ("429", "429, no retries")] == [3, 1]
        assert printed.split() == ["RateLimitError", "RateLimitError", "0"]
        assert [request.key for request in provider.requests[-2:]] == [MODULE_KEY, OWN_KEY]
    assert outside.asked_for == []


def test_the_agents_sdk_uploads_its_traces_when_not_told_otherwise(folder: Path) -> None:
    """So the page's own run, which asks nobody else (test_references.py), owes that to its one line."""
    first = set_up("agents-sdk.md")
    assert first.text.count(f"\n{NO_TRACING}") == 1
    with played() as (environment, _, outside):
        printed_by_python([replace(first, text=first.text.replace(NO_TRACING, ""))], environment, folder)
    assert set(outside.asked_for) == {UPLOAD}
