"""One question to one model: streaming inside, a deadline that holds, and an honest account of what came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from litellm_skill import faults
from litellm_skill.access import Access
from litellm_skill.answer import Answer, Attempt
from litellm_skill.catalog import Model
from litellm_skill.gateway import library, parameters, reply
from litellm_skill.gateway.reply import Received

# A stream of these ends the same way whether it was cut or complete, so a cut one could not be told (litellm 1.106.2).
NOT_STREAMED = ("gemini", "vertex_ai")


@dataclass(frozen=True)
class Question:
    """``timeout``: seconds of wall clock for all of it. ``parameters``: generation parameters, LiteLLM's names."""

    model: Model
    access: Access
    messages: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 100.0
    strict_parameters: bool = False


async def ask(question: Question, on_text: Callable[[str], None]) -> Answer:
    """The answer; ``on_text`` gets each piece of it as it comes. Never raises for what a provider does:
    ``Answer.fault`` says what went wrong, beside whatever text came before."""
    began = time.monotonic()
    litellm = library.load()
    kept, dropped = parameters.fit(litellm, question)
    started = time.monotonic()
    received = Received(on_text, started)
    fault: faults.Fault | None = None
    try:
        async with asyncio.timeout(question.timeout - (started - began)):
            await _receive(litellm, question, kept, received)
        fault = reply.incompleteness(received)
    except asyncio.CancelledError:
        fault = faults.Interrupted("interrupted", "the text so far is kept" if received.text else "")
    except Exception as error:
        fault = faults.classify(error, _where(question, received))
    return _answer(question, received, dropped, fault, time.monotonic() - started)


async def _receive(
    litellm: ModuleType, question: Question, kept: Mapping[str, Any], received: Received
) -> None:
    call = arguments(question, kept)
    if not call["stream"]:
        received.take_whole(await litellm.acompletion(**call))
        return
    stream = await litellm.acompletion(**call)
    async for chunk in _chunks(stream, received):
        received.take_chunk(chunk)


async def _chunks(stream: Any, received: Received) -> AsyncIterator[Any]:
    """The stream's chunks. LiteLLM keeps every one of them to estimate usage from; only what the provider itself
    reported is wanted here, so each is dropped once it has been read."""
    async for chunk in stream:
        yield chunk
        received.take_usage(stream.chunks)
        stream.chunks.clear()
    received.take_usage(stream.chunks)
    received.finish_reason = stream.received_finish_reason or stream.intermittent_finish_reason


def arguments(question: Question, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What ``litellm.acompletion`` is called with. Its own retries are off: they differ by provider and hide."""
    access = question.access
    provider = access.provider
    name = question.model.id.split("/", 1)[1]
    call: dict[str, Any] = {
        "model": f"{provider.litellm}/{name}",
        "messages": [dict(message) for message in question.messages],
        "stream": provider.name not in NOT_STREAMED,
        "timeout": question.timeout,
        "max_retries": 0,
        "num_retries": 0,
        "api_key": access.key,
        "api_base": access.address,
        **access.arguments,
        **kept,
    }
    if access.address is None and (provider.port is not None or provider.litellm != provider.name):
        call["api_base"] = provider.address  # LiteLLM has no address of its own for these
    if call["stream"]:
        call["stream_options"] = {"include_usage": True}
    return call


def _where(question: Question, received: Received) -> faults.Circumstances:
    access = question.access
    return faults.Circumstances(
        model=question.model.id,
        host=access.host,
        key_name=access.key_name,
        keys=tuple(key for key in (access.key,) if key),
        timeout=question.timeout,
        text_came=bool(received.text),
    )


def _answer(
    question: Question,
    received: Received,
    dropped: tuple[str, ...],
    fault: faults.Fault | None,
    seconds: float,
) -> Answer:
    access, model = question.access, question.model
    outcome = "ok" if fault is None else "partial" if received.text else "error"
    attempt = Attempt(
        model=model.id,
        outcome=outcome,
        error_type=fault.type if fault else None,
        http_status=fault.http_status if fault else None,
        seconds=round(seconds, 3),
    )
    return Answer(
        model_requested=model.id,
        model_used=received.model_named(model.id) if received.began else None,
        provider=access.provider.name,
        endpoint_host=access.host,
        text=received.text,
        reasoning=received.reasoning or None,
        finish_reason=received.finish_reason,
        usage=received.usage,
        cost_usd=received.provider_cost,
        cost_source="provider" if received.provider_cost is not None else None,
        latency_s=round(seconds, 3),
        first_token_s=round(received.first_token_s, 3) if received.first_token_s is not None else None,
        attempts=(attempt,),
        dropped_params=dropped,
        warnings=access.warnings,
        fault=fault,
    )
