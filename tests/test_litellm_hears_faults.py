"""What LiteLLM itself makes of ``FaultyServer``: what came before the fault, and which faults it does not notice."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from exchange import BEFORE_FAULT, TEXT, WIRES
from faulty_server import FaultyServer
from raw_client import KEY, TURNS, WAYS

# LiteLLM ignores these itself, but once at import, which pytest undoes after that test.
QUIET = [
    ".*`ReadOnly` qualifier",
    ".*Accessing the 'model_(computed_)?fields' attribute on the instance",
    "Pydantic serializer warnings",
]
MODELS = {
    "chat": "openai/test-model",
    "responses": "openai/responses-test",
    "messages": "anthropic/claude-test",
    "gemini": "gemini/gemini-test",
}
STREAMED = [wire for wire in WIRES if wire != "gemini"]


class Heard(NamedTuple):
    text: str
    finish_reason: str | None  # the provider's, not what LiteLLM makes up for a stream that ended without one
    tokens: tuple[int, int] | None
    error: Exception | None = None


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    monkeypatch.setenv("LITELLM_MODE", "PRODUCTION")
    import litellm

    litellm.suppress_debug_info = True
    # A model LiteLLM does not know is never streamed on /v1/responses.
    streams = {"litellm_provider": "openai", "mode": "responses", "supports_native_streaming": True}
    litellm.register_model({MODELS["responses"]: streams})
    return litellm


def ask(litellm: ModuleType, server: FaultyServer, wire: str, *, streamed: bool) -> Heard:
    async def call() -> Heard:
        options = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
        options |= {"api_base": server.base(wire), "api_key": KEY, "max_retries": 0, "num_retries": 0}
        try:
            answer = await litellm.acompletion(model=MODELS[wire], messages=TURNS, **options)
            return await heard_stream(answer) if streamed else heard_whole(answer)
        finally:
            for _ in range(3):  # lets LiteLLM's logging begin, which would else go over to the next loop, loudly
                await asyncio.sleep(0)
            await litellm.close_litellm_async_clients()
            await litellm.module_level_aclient.close()
            litellm.in_memory_llm_clients_cache.flush_cache()

    return asyncio.run(call())


def heard_whole(answer: Any) -> Heard:
    choice, usage = answer.choices[0], answer.usage
    return Heard(choice.message.content, choice.finish_reason, (usage.prompt_tokens, usage.completion_tokens))


async def heard_stream(stream: Any) -> Heard:
    text, tokens, error = "", None, None
    try:
        async for chunk in stream:
            text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
            if usage := getattr(chunk, "usage", None):
                tokens = (usage.prompt_tokens, usage.completion_tokens)
    except Exception as fault:
        error = fault
    return Heard(text, stream.received_finish_reason or stream.intermittent_finish_reason, tokens, error)


def quiet(test: Any) -> Any:
    for message in QUIET:
        test = pytest.mark.filterwarnings(f"ignore:{message}")(test)
    return test


@quiet
@pytest.mark.parametrize(("wire", "streamed"), WAYS)
def test_litellm_hears_it_all(litellm: ModuleType, wire: str, streamed: bool) -> None:
    with FaultyServer("ok") as server:
        heard = ask(litellm, server, wire, streamed=streamed)
        assert (server.requests[0].wire, server.requests[0].credentials) == (WIRES[wire], KEY)
    if wire == "gemini" and streamed:  # LiteLLM makes it up there, so it says nothing
        heard = heard._replace(finish_reason="stop")
    assert heard == Heard(TEXT, "stop", (11, 7))


@quiet
@pytest.mark.parametrize("wire", STREAMED)
@pytest.mark.parametrize("name", ["close_mid", "end_mid", "err_mid"])
def test_litellm_hears_what_came_before_the_fault(litellm: ModuleType, wire: str, name: str) -> None:
    with FaultyServer(name) as server:
        heard = ask(litellm, server, wire, streamed=True)
        assert len(server.requests) == 1
    assert (heard.text, heard.finish_reason) == (BEFORE_FAULT, None)
    if name == "end_mid" and wire != "responses":  # a cut stream passes for a whole one
        assert heard.error is None
    else:
        assert isinstance(heard.error, litellm.exceptions.MidStreamFallbackError)
