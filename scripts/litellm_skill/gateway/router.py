"""One request to one of a group's deployments, chosen and counted by ``litellm.Router``.

What Router (litellm 1.106.2) does otherwise, measured:

* Once its deployments cool down it says "No deployments available" in place of the 401 that was the reason. Here the
  provider's own last fault is raised again.
* It takes ``rpm`` for a number of parallel requests, and does not count them otherwise. Its check of rpm and tpm in
  Redis is right, but refuses at once, lets the deployment cool down, and does not see the tokens of streams. Here the
  refused deployment rests until the minute is over, another one is taken, and when there is none ``MinuteFull`` says
  how long to wait; the tokens are added here.
* Of a stream it hands out a wrapper that does not know why the stream ended. Here the stream's own word is kept.
* A deployment that failed with 5xx may be chosen again at once. Here it rests as long as there is another.

Fallbacks and retries of Router are off: each call of ``acompletion`` makes one request.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from litellm_skill import faults
from litellm_skill.deployments import Deployment, Group
from litellm_skill.faults import BadInput, Fault, ProviderFailure
from litellm_skill.gateway import minute
from litellm_skill.gateway.minute import MinuteFull, Refused

Admit = Callable[[Deployment], float]

PARALLEL_WAIT = 1.0
UNLIMITED = 1_000_000  # parallel requests; without a number LiteLLM takes rpm for it
CLOSING = 0.5
COOLDOWN = 5.0  # LiteLLM's own (DEFAULT_COOLDOWN_TIME_SECONDS)
# A deployment's parameters, which a call must not overwrite.
OWN = ("model", "api_key", "api_base", "api_version", "organization", "aws_region_name", "vertex_location")
# What another deployment would answer in the same way.
OF_THE_CALL = (faults.BadInput, faults.PolicyRefusal, faults.PromptTooLong, faults.IncompleteAnswer, faults.Interrupted)


@dataclass
class _Memory:
    """What this process knows of a group. Times by ``time.monotonic()``."""

    rests_until: dict[str, float] = field(default_factory=dict)
    full_until: dict[str, float] = field(default_factory=dict)
    last: Fault | None = None


@dataclass(frozen=True)
class Stream:
    """What Router hands out, with what LiteLLM's own stream knows of its end (see ``attempt._chunks``).

    ``chunks`` are the reader's, who drops them. LiteLLM makes the usage that its strategies see of those it keeps
    itself: the last one with usage is left to it, and not the text.
    """

    handed_out: Any
    source: Any
    counting: Callable[[Any], Awaitable[None]]
    chunks: list[Any] = field(default_factory=list)

    async def __aiter__(self) -> AsyncIterator[Any]:
        async with contextlib.aclosing(self.handed_out):
            async for chunk in self.handed_out:
                self._sort_out()
                yield chunk
        self._sort_out()
        for report in self.source.chunks:
            await self.counting(report)

    def _sort_out(self) -> None:
        reports = [chunk for chunk in self.source.chunks if getattr(chunk, "usage", None)]
        self.chunks.extend(reports)
        self.source.chunks[:] = reports[-1:]

    @property
    def received_finish_reason(self) -> str | None:
        reason: str | None = self.source.received_finish_reason
        return reason

    @property
    def intermittent_finish_reason(self) -> str | None:
        reason: str | None = self.source.intermittent_finish_reason
        return reason


@dataclass(frozen=True)
class Balancer:
    """One question to a group. ``admit``: seconds a deployment must rest, 0 when the request is admitted and counted;
    it is asked where no Redis counts."""

    group: Group
    router: Any
    admit: Admit | None
    _memory: _Memory
    _limits: Any
    _chosen: list[Deployment] = field(default_factory=list)
    _tried: set[str] = field(default_factory=set)

    @property
    def asked(self) -> Deployment | None:
        """The deployment of the last request."""
        return self._chosen[-1] if self._chosen else None

    @property
    def another(self) -> bool:
        """Whether a deployment is left that has not failed: not this question, and no other one of late."""
        return any(one.id not in self._tried for one in self._awake())

    async def acompletion(self, **call: Any) -> Any:
        """``litellm.acompletion`` with one of the deployments, whatever ``call`` says of model, key and address.

        Raises what LiteLLM raises for the provider. Raises a Fault, and sends nothing, when no deployment can be asked:
        ``MinuteFull``, or the provider's fault that is the reason.
        """
        call = {name: value for name, value in call.items() if name not in OWN}
        for _ in self.group.deployments:
            before = len(self._chosen)
            try:
                return await self._request(call)
            except Exception as error:
                refused = len(self._chosen) == before and await self._refused(error)
                if not refused:
                    raise
        raise self._unavailable()

    def failed(self, fault: Fault) -> None:
        """What came of the last request, when it was no answer. The deployment rests if there is another, and the fault
        is raised again when there is none."""
        if self.asked is None or isinstance(fault, (MinuteFull, *OF_THE_CALL)):
            return
        self._tried.add(self.asked.id)
        self._memory.last = copy.copy(fault)
        seconds = fault.retry_after or self.group.routing.cooldown_s or COOLDOWN
        self._rest(self.asked.id, seconds, fault)

    async def _request(self, call: Mapping[str, Any]) -> Any:
        token = _asking.set(self)
        try:
            reply = await self.router.acompletion(model=self.group.name, disable_fallbacks=True, metadata={}, **call)
        finally:
            _asking.reset(token)
        if not isinstance(reply, Stream):
            await self.count(reply)
        return reply

    async def choose(self, row: dict[str, Any]) -> None:
        """Called for the deployment that LiteLLM has chosen, before it is asked. Raises to have it refused."""
        from litellm import RateLimitError

        deployment = next(one for one in self.group.deployments if one.id == row["model_info"]["id"])
        if self._limits:
            try:
                await self._limits.async_pre_call_check(row)
            except RateLimitError as error:
                raise Refused(minute.seconds_left(time.time())) from error
        elif self.admit and (seconds := self.admit(deployment)) > 0:
            raise Refused(seconds)
        self._chosen.append(deployment)

    async def count(self, reply: Any) -> None:
        """Add the tokens of a reply to the minute's, in LiteLLM's own place for them."""
        tokens = getattr(getattr(reply, "usage", None), "total_tokens", 0)
        if self._limits and self.asked and self.asked.tpm and tokens:
            now = datetime.now(UTC).strftime("%H-%M")
            key, _ = self._limits._get_cache_keys(_row(self.group.name, self.asked), now)
            await self.router.cache.async_increment_cache(key=key, value=tokens, ttl=int(minute.MINUTE))

    async def _refused(self, error: Exception) -> bool:
        """Whether another deployment may be tried: LiteLLM's limits, or ours, kept this one from being asked. Raises
        the reason when all of them rest."""
        from litellm import RateLimitError
        from litellm.types.router import RouterRateLimitError, RouterRateLimitErrorBasic

        id = getattr(error, "failed_deployment_id", None)
        if isinstance(error, RouterRateLimitError | RouterRateLimitErrorBasic) or (
            isinstance(error, RateLimitError) and id is None
        ):
            self._tried.update(one.id for one in self.group.deployments)
            raise await self._reason() from error
        if not isinstance(error, Refused | RateLimitError) or id is None:
            return False
        seconds = error.seconds if isinstance(error, Refused) else _seconds_of(error)
        self._memory.full_until[id] = time.monotonic() + seconds
        self._rest(id, seconds, error)
        return True

    def _rest(self, id: str, seconds: float, why: Exception) -> None:
        """The only one that is left does not rest: it could be asked again, where it would not be."""
        if [one for one in self._awake() if one.id != id]:
            self._memory.rests_until[id] = time.monotonic() + seconds
            status = getattr(why, "http_status", None) or (429 if not isinstance(why, Fault) else 500)
            self.router.cooldown_cache.add_deployment_to_cooldown(id, why, status, seconds)

    def _awake(self) -> list[Deployment]:
        now = time.monotonic()
        return [one for one in self.group.deployments if self._memory.rests_until.get(one.id, 0.0) <= now]

    def _unavailable(self) -> MinuteFull:
        now = time.monotonic()
        waits = [until - now for until in self._memory.full_until.values() if until > now]
        return minute.full(self.group.name, min(waits, default=PARALLEL_WAIT))

    async def _reason(self) -> Fault:
        """Why every deployment rests: as this process has seen it, else as it stands in what all share."""
        if any(until > time.monotonic() for until in self._memory.full_until.values()):
            return self._unavailable()
        if self._memory.last is not None:
            return copy.copy(self._memory.last)
        ids = [one.id for one in self.group.deployments]
        resting = dict(await self.router.cooldown_cache.async_get_active_cooldowns(ids, None))
        return _told_elsewhere(self.group, list(resting.values()))


_asking: ContextVar[Balancer | None] = ContextVar("asking", default=None)
_Kept = tuple[Any, _Memory, Any]  # Router, what is known, and the check of limits where Redis counts
_routers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[_Kept]]] = WeakKeyDictionary()


async def balancer(
    litellm: ModuleType, group: Group, *, redis_url: str | None = None, admit: Admit | None = None
) -> Balancer:
    """For one question; questions of one event loop share the group's Router. ``redis_url``: from a trusted place; used
    where a limit is stated, which then holds for all machines. Raises NotSetUp when Redis cannot be used, and the
    group's own reason when it has no deployment."""
    if group.missing is not None:
        raise group.missing
    kept = _routers.setdefault(asyncio.get_running_loop(), {})
    name = " ".join([group.name, *(one.id for one in group.deployments)])
    if name not in kept:
        kept[name] = asyncio.ensure_future(_build(litellm, group, redis_url if group.limited else None))
    router, memory, limits = await asyncio.shield(kept[name])
    return Balancer(group, router, admit, memory, limits)


async def close() -> None:
    """Forget the Routers of this event loop, and leave Redis. Takes at most ``CLOSING`` seconds."""
    built = [task for task in _routers.pop(asyncio.get_running_loop(), {}).values() if task.done()]
    for router, _, limits in (task.result() for task in built if not task.cancelled() and not task.exception()):
        if limits:
            with contextlib.suppress(Exception):  # the answer is there, and the connection ends with the process
                await asyncio.wait_for(router.cache.redis_cache.disconnect(), CLOSING)
        router.discard()
        sys.modules[
            "litellm"
        ].callbacks.clear()  # a strategy's would go on to refuse; nobody else in this process has any


async def _build(litellm: ModuleType, group: Group, redis_url: str | None) -> _Kept:
    arguments: dict[str, Any] = {
        "model_list": [_row(group.name, deployment) for deployment in group.deployments],
        "routing_strategy": group.routing.strategy,
        "num_retries": 0,
        "max_fallbacks": 0,
        "cooldown_time": group.routing.cooldown_s,
        "allowed_fails": group.routing.allowed_fails,
    }
    if redis_url:
        minute.check_url(redis_url)
        arguments["redis_url"] = redis_url
    make = partial(_router_class(litellm), **arguments)
    try:
        router = await asyncio.to_thread(make) if redis_url else make()  # it waits for Redis, and the loop must not
    except (ValueError, TypeError, litellm.BadRequestError) as error:  # its words may hold a key
        what = f"LiteLLM cannot use the deployments of {group.name} ({type(error).__name__})"
        raise BadInput(what, "check the litellm_params of its entries") from error
    _listen(litellm)
    if not redis_url:
        return router, _Memory(), None
    await minute.check_answer(router.cache.redis_cache, redis_url)
    from litellm.router_utils.pre_call_checks.model_rate_limit_check import ModelRateLimitingCheck

    return router, _Memory(), ModelRateLimitingCheck(dual_cache=router.cache)


def _row(group: str, deployment: Deployment) -> dict[str, Any]:
    """The deployment in LiteLLM's form. Key and address are stated, so that LiteLLM does not look for its own."""
    way = deployment.access
    provider = way.provider
    address = way.address
    if address is None and (provider.port is not None or provider.litellm != provider.name):
        address = provider.address  # LiteLLM has no address of its own for these
    params = {
        **way.arguments,
        **deployment.params,
        "model": f"{provider.litellm}/{deployment.model.split('/', 1)[1]}",
        "api_key": way.key,
        "api_base": address,
        "rpm": deployment.rpm,
        "tpm": deployment.tpm,
        "max_parallel_requests": deployment.max_parallel_requests or UNLIMITED,
        "num_retries": 0,
        "max_retries": 0,
    }
    info = {"id": deployment.id, "base_model": deployment.base_model}
    return {
        "model_name": group,
        "litellm_params": {name: value for name, value in params.items() if value is not None},
        "model_info": {name: value for name, value in info.items() if value is not None},
    }


def _router_class(litellm: ModuleType) -> Any:
    class Router(litellm.Router):  # type: ignore[name-defined]
        async def _acompletion_streaming_iterator(self, model_response: Any, *args: Any, **options: Any) -> Any:
            handed_out = await super()._acompletion_streaming_iterator(model_response, *args, **options)
            asking = _asking.get()
            return Stream(handed_out, model_response, asking.count) if asking else handed_out

    return Router


def _listen(litellm: ModuleType) -> None:
    """Have LiteLLM say which deployment it has chosen: after its own checks, so last in its list."""
    from litellm.integrations.custom_logger import CustomLogger

    class Chosen(CustomLogger):
        async def async_pre_call_check(self, deployment: dict[str, Any], parent_otel_span: Any) -> dict[str, Any]:
            if asking := _asking.get():
                await asking.choose(deployment)
            return deployment

    litellm.callbacks[:] = [one for one in litellm.callbacks if type(one).__name__ != Chosen.__name__] + [Chosen()]


def _seconds_of(error: Any) -> float:
    """How long LiteLLM's own refusal holds."""
    parallel = getattr(error, "rate_limit_type", None) == "concurrent_requests"
    return PARALLEL_WAIT if parallel else minute.seconds_left(time.time())


def _told_elsewhere(group: Group, resting: Sequence[Mapping[str, Any]]) -> Fault:
    """Another process has seen the deployments fail, and only their status is known."""
    now = time.time()
    seconds = min((row["timestamp"] + row["cooldown_time"] - now for row in resting), default=COOLDOWN)
    seconds = max(0.1, seconds)
    statuses = sorted({str(row["status_code"]) for row in resting})
    if statuses == ["429"]:
        return minute.full(group.name, seconds)
    what = f"every deployment of {group.name} rests after a failure ({', '.join(statuses)})"
    return ProviderFailure(what, f"try again in {seconds:.0f} s", retryable=True, retry_after=seconds)
