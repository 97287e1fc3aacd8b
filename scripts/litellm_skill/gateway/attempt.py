"""One request to one model: streamed where the wire can show an early end, and left when its time is up."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from litellm_skill import faults
from litellm_skill.access import Access
from litellm_skill.answer import Usage
from litellm_skill.catalog import Model
from litellm_skill.deployments import Group
from litellm_skill.endpoints import PROXY
from litellm_skill.faults import Circumstances, DeadlinePassed, Fault
from litellm_skill.gateway import gemini, library, reply, transport
from litellm_skill.gateway.limits import Limits, others_first
from litellm_skill.gateway.reply import Received
from litellm_skill.gateway.router import Balancer
from litellm_skill.gateway.transport import Traffic

# A stream of these ends the same way whether it was cut or complete, so a cut one could not be told (litellm 1.106.2).
NOT_STREAMED = ("gemini", "vertex_ai")
Completion = Callable[..., Awaitable[Any]]  # litellm.acompletion, or what stands for it
SAYS_WHY = ("anthropic", *NOT_STREAMED)  # wires on which a whole reply always says why it ended


@dataclass(frozen=True)
class Question:
    """One model and what it is asked. ``parameters``: generation parameters, by LiteLLM's names.

    ``tools`` in OpenAI's words, and so ``formats``: of these the first that the model takes becomes the
    ``response_format``; where it holds no schema, ``in_words`` asks for it.
    ``worst_usd``: what one attempt may cost at most, None when that is unknown; ``prompt_tokens``: an estimate.
    ``affordable``: output tokens that so many USD buy after a prompt of so many tokens, None when they cost nothing;
    raises LimitReached when that is too little. ``price``: USD.
    ``idle``: seconds that content may fail to come; ``idle_at_first``: before the first token, too. ``group``: whose
    deployments serve the model, each with an access of its own; the ``balancer`` chooses among them. ``whole``: nobody
    reads the answer as it comes, so it need not be streamed, which costs LiteLLM more than twice the time.
    """

    model: Model
    access: Access
    messages: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[Mapping[str, Any]] = ()
    formats: Sequence[Mapping[str, Any]] = ()
    in_words: str = ""
    response_format: Mapping[str, Any] | None = None
    worst_usd: float | None = None
    prompt_tokens: int = 0
    affordable: Callable[[int, float], int | None] = lambda *_: None
    price: Callable[[Usage], float | None] = lambda _: None
    idle: float = 60.0
    idle_at_first: bool = True
    group: Group | None = None
    balancer: Balancer | None = None
    whole: bool = False

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self.group.name if self.group else self.model.id

    @property
    def asked(self) -> tuple[str, Access]:
        """Which model was asked last, and how it was reached: of a group, the deployment's."""
        deployment = self.balancer.asked if self.balancer else None
        return (deployment.model, deployment.access) if deployment else (self.model.id, self.access)

    @property
    def streams(self) -> bool:
        if self.whole:
            return False
        reached = [one.access for one in self.group.deployments] if self.group else [self.access]
        return not any(way.provider.name in NOT_STREAMED for way in reached)

    @property
    def on_responses(self) -> bool:
        """Whether LiteLLM asks OpenAI's Responses API, which keeps what it is sent unless told not to."""
        return self.model.mode == "responses" or "/responses/" in self.model.id


async def attempt(
    litellm: ModuleType,
    question: Question,
    limits: Limits,
    received: Received,
    redact: Callable[[str], str],
) -> Fault | None:
    """Fill ``received``; the fault that kept the answer from being whole, or None. Never raises for what a provider
    does; ``CancelledError`` passes."""
    with transport.watched() as traffic:
        try:
            streams = question.streams and library.can_stream(litellm, question.model)
            receive = _receive_stream if streams else _receive_whole
            call = arguments(question, limits, streams=streams)
            completion = question.balancer.acompletion if question.balancer else litellm.acompletion
            await _within(question, limits, received, receive(completion, call, received, traffic))
        except _Idle:
            return _silent(question, received)
        except Exception as error:
            return faults.classify(error, _circumstances(question, limits, received, traffic, redact))
        finally:
            received.model = traffic.model
            received.finish_word = traffic.finish
            received.refusal = traffic.refusal
            received.take_headers(traffic)
            received.billable = traffic.sent and traffic.reply is None
        if question.access.provider.name in SAYS_WHY and traffic.finish is None:
            received.finish_reason = None  # what LiteLLM says then is its own word
        return reply.incompleteness(received, streamed=streams)


class _Idle(Exception):
    """Bytes may have come, but no content."""


async def _within(question: Question, limits: Limits, received: Received, work: Any) -> None:
    """Let ``work`` run until the deadline, or until no content has come for too long.

    Content is looked at, not bytes: a server that pings keeps a connection busy for ever.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            until, for_silence = _patience_ends(question, limits, received)
            left = until - time.monotonic()
            if left <= 0:
                raise _Idle if for_silence else TimeoutError
            await asyncio.wait({task}, timeout=left)
        task.result()
    finally:
        task.cancel()


def _patience_ends(question: Question, limits: Limits, received: Received) -> tuple[float, bool]:
    """When to give up as things stand, and whether that is for silence."""
    if received.last_content is None and not question.idle_at_first:
        return limits.deadline, False
    silent_at = (received.last_content or received.started) + question.idle
    return min(limits.deadline, silent_at), silent_at < limits.deadline


async def _receive_whole(completion: Completion, call: Mapping[str, Any], received: Received, traffic: Traffic) -> None:
    try:
        received.take_whole(await completion(**call))
    except Exception:
        if not gemini.recover(received, traffic.body):
            raise
    if received.finish_reason == "content_filter" and not received.text:
        gemini.recover(received, traffic.body)


async def _receive_stream(completion: Completion, call: Mapping[str, Any], received: Received, _: Traffic) -> None:
    chunks, since = _chunks(await completion(**call), received), time.monotonic()
    async for chunk in chunks:
        received.take_chunk(chunk)
        since = await others_first(since)  # LiteLLM may hand out many chunks without a pause


async def _chunks(stream: Any, received: Received) -> AsyncIterator[Any]:
    """The stream's chunks. LiteLLM keeps every one of them to estimate usage from; only what the provider itself
    reported is wanted here, so each is dropped once it has been read."""
    async for chunk in stream:
        yield chunk
        received.take_usage(stream.chunks)
        stream.chunks.clear()
    received.take_usage(stream.chunks)
    received.finish_reason = stream.received_finish_reason or stream.intermittent_finish_reason


def arguments(question: Question, limits: Limits, *, streams: bool) -> dict[str, Any]:
    """What ``litellm.acompletion`` is called with. Its own retries are off: they differ by provider and hide."""
    access = question.access
    provider = access.provider
    call: dict[str, Any] = {
        "model": f"{provider.litellm}/{question.model.id.split('/', 1)[1]}",
        "messages": [dict(message) for message in question.messages],
        "stream": streams,
        "timeout": max(1.0, limits.timeout),  # not what is left: LiteLLM makes new connections for another number
        "max_retries": 0,
        "num_retries": 0,
        "api_key": access.key,
        "api_base": access.address,
        **access.arguments,
        **({"store": False} if question.on_responses else {}),
        **({"tools": copy.deepcopy(list(question.tools))} if question.tools else {}),
        **({"response_format": dict(question.response_format)} if question.response_format else {}),
        **question.parameters,
    }
    if access.address is None and (provider.port is not None or provider.litellm != provider.name):
        call["api_base"] = provider.address  # LiteLLM has no address of its own for these
    if streams:
        call["stream_options"] = {"include_usage": True}
    return call


def _silent(question: Question, received: Received) -> Fault:
    what = f"no content for {question.idle:g} s"
    if received.text:
        what = f"the answer stopped in the middle: {what}"
        return faults.IncompleteAnswer(what, "ask again, or raise --idle-timeout")
    return DeadlinePassed(f"{what}, and none before", "raise --idle-timeout, or ask a faster model")


def _circumstances(
    question: Question, limits: Limits, received: Received, traffic: Traffic, redact: Callable[[str], str]
) -> Circumstances:
    _, access = question.asked
    return Circumstances(
        model=question.name,
        host=access.host or access.provider.name,
        key_name=access.key_name,
        timeout=limits.timeout,
        text_came=bool(received.text),
        answered=traffic.answered,
        reply=traffic.reply,
        redact=redact,
        at_proxy=access.provider.name == PROXY,
    )
