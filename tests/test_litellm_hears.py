"""LiteLLM itself hears from ``ProviderServer`` what was scripted, on every wire."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from provider_server import ProviderServer, Reply, Usage

SAID = "答案是四 👩‍👩‍👧 e\u0301\tok"
THOUGHT = "二加二… hm"
TURNS = [{"role": "user", "content": "二加二？ 🦜"}]


# LiteLLM ignores these itself, but once at import, which pytest undoes after that test.
litellm_is_quiet = [
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier"),
    pytest.mark.filterwarnings("ignore:.*Accessing the 'model_(computed_)?fields' attribute on the instance"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]


def quiet(test: Any) -> Any:
    for mark in litellm_is_quiet:
        test = mark(test)
    return test


MODELS = {
    "openai/test-model": "sk-openai",
    "openai/responses/test-model": "sk-openai",
    "openai/responses-test": "sk-openai",
    "anthropic/claude-test": "sk-ant",
    "gemini/gemini-test": "AIza-gemini",
    "ollama_chat/test-model": "sk-ollama",
}
every_model = pytest.mark.parametrize("model", MODELS)
STREAMED = [model for model in MODELS if model != "openai/responses/test-model"]
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@dataclass(frozen=True)
class Heard:
    text: str
    reasoning: str
    finish_reason: str | None
    usage: Any


@pytest.fixture
def litellm(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name, value in {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "OPENAI_BASE_URL": f"{provider.url}/v1",
        "OPENAI_API_KEY": "sk-openai",
        "ANTHROPIC_BASE_URL": provider.url,
        "ANTHROPIC_API_KEY": "sk-ant",
        "GEMINI_API_BASE": provider.url,
        "GEMINI_API_KEY": "AIza-gemini",
        "OLLAMA_API_BASE": provider.url,
        "OLLAMA_API_KEY": "sk-ollama",
    }.items():
        monkeypatch.setenv(name, value)
    import litellm

    litellm.suppress_debug_info = True
    # A model LiteLLM does not know is never streamed on /v1/responses: it asks for the whole, cuts that
    # itself, and says "stop" even of an incomplete answer.
    streams = {"litellm_provider": "openai", "mode": "responses", "supports_native_streaming": True}
    litellm.register_model({"openai/responses-test": streams})
    return litellm


def ask(litellm: ModuleType, model: str, *, stream: bool) -> Heard:
    async def call() -> Heard:
        options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        answer = await litellm.acompletion(model=model, messages=TURNS, max_retries=0, **options)
        return await _heard_stream(answer) if stream else _heard_whole(answer)

    return asyncio.run(_closing(litellm, call()))


async def _closing(litellm: ModuleType, call: Awaitable[Heard]) -> Heard:
    """Leave no connection behind in a loop that is about to be closed."""
    try:
        return await call
    finally:
        await litellm.close_litellm_async_clients()
        await litellm.module_level_aclient.close()  # which LiteLLM's cache forgets after 200 other clients


def _heard_whole(answer: Any) -> Heard:
    choice = answer.choices[0]
    reasoning = getattr(choice.message, "reasoning_content", None)
    return Heard(choice.message.content, reasoning or "", choice.finish_reason, answer.usage)


async def _heard_stream(answer: Any) -> Heard:
    chunks = [chunk async for chunk in answer]
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    return Heard(
        "".join(choice.delta.content or "" for choice in choices),
        "".join(getattr(choice.delta, "reasoning_content", None) or "" for choice in choices),
        next((choice.finish_reason for choice in choices if choice.finish_reason), None),
        next((chunk.usage for chunk in chunks if getattr(chunk, "usage", None)), None),
    )


@quiet
@every_model
@both_ways
def test_litellm_hears_everything(provider: ProviderServer, litellm: ModuleType, model: str, stream: bool) -> None:
    provider.reply(Reply(text=SAID, reasoning=THOUGHT, usage=Usage(20, 10, cached=5, reasoning=4)))
    heard = ask(litellm, model, stream=stream)
    assert (heard.text, heard.reasoning, heard.finish_reason) == (SAID, THOUGHT, "stop")
    assert (heard.usage.prompt_tokens, heard.usage.completion_tokens) == (20, 10)
    if not model.startswith("ollama_chat/"):  # which counts neither
        assert heard.usage.prompt_tokens_details.cached_tokens == 5
    if model.startswith(("openai/", "gemini/")):  # LiteLLM guesses where the wire has no such number
        assert heard.usage.completion_tokens_details.reasoning_tokens == 4
    generation = [request for request in provider.requests if request.route != "/api/show"]
    assert [(request.key, request.prompt) for request in generation] == [(MODELS[model], "二加二？ 🦜")]


@quiet
@pytest.mark.parametrize("model", STREAMED)
@both_ways
def test_litellm_hears_that_the_answer_was_cut_at_the_limit(
    provider: ProviderServer, litellm: ModuleType, model: str, stream: bool
) -> None:
    provider.reply(Reply(text="half an ans", finish_reason="length"))
    heard = ask(litellm, model, stream=stream)
    assert (heard.text, heard.finish_reason) == ("half an ans", "length")


@quiet
@every_model
@pytest.mark.parametrize(
    ("status", "error"), [(401, "AuthenticationError"), (404, "NotFoundError"), (429, "RateLimitError")]
)
def test_litellm_knows_the_errors(
    provider: ProviderServer, litellm: ModuleType, model: str, status: int, error: str
) -> None:
    provider.reply(Reply(status=status))
    with pytest.raises(getattr(litellm, error)):
        ask(litellm, model, stream=False)


@quiet
@pytest.mark.parametrize("model", STREAMED)
def test_litellm_notices_a_broken_stream(provider: ProviderServer, litellm: ModuleType, model: str) -> None:
    provider.reply(Reply(text="abcdefghijkl", stop_after=2, abrupt=True))
    with pytest.raises(litellm.exceptions.MidStreamFallbackError):
        ask(litellm, model, stream=True)


@quiet
def test_litellm_is_quiet_in_loop_after_loop(
    provider: ProviderServer, litellm: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    for _ in range(3):
        for model in MODELS:
            assert ask(litellm, model, stream=False).text == "You said: 二加二？ 🦜"
            assert ask(litellm, model, stream=True).text == "You said: 二加二？ 🦜"
    gc.collect()
    assert capfd.readouterr() == ("", "")
