"""The limits of a calendar minute, by which LiteLLM counts: that it is full, until when, and the Redis that counts."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import time
from typing import Any
from urllib.parse import urlsplit

from litellm_skill import providers
from litellm_skill.faults import LimitReached, NotSetUp

MINUTE = 60.0
AFTER = (0.1, 1.0)  # seconds into the next one, so that not all who wait come at once
REDIS_SECONDS = 5.0
_WITHOUT = "unset REDIS_URL: the limits then hold for this machine alone"


class MinuteFull(LimitReached):
    """What the deployments may take in this minute is used up. Nothing was sent; ``retry_after`` is known."""


class Refused(Exception):
    """Not this deployment, for so many seconds. Not LiteLLM's RateLimitError, which it counts as a failure."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def full(group: str, seconds: float) -> MinuteFull:
    when = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds))
    return MinuteFull(
        f"{group}: what its deployments may take in this minute is used up",
        f"the next request may start at {when}; raise --timeout, or ask another model",
        retryable=True,
        retry_after=seconds,
    )


def seconds_left(now: float) -> float:
    """Until the next minute has begun, from ``now`` in seconds since the epoch."""
    return MINUTE - now % MINUTE + random.uniform(*AFTER)


def check_url(url: str) -> None:
    """Raises NotSetUp when it cannot be used."""
    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise NotSetUp("REDIS_URL is no address of a Redis", "set it to one such as redis://host:6379, or unset it")
    if importlib.util.find_spec("redis") is None:
        raise NotSetUp("REDIS_URL is set, and the redis package is not installed", _WITHOUT)


async def check_answer(redis: Any, url: str) -> None:
    """LiteLLM lets every request pass when its Redis does not answer. Raises NotSetUp then."""
    try:
        await asyncio.wait_for(redis.ping(), REDIS_SECONDS)
    except Exception as error:  # redis has its own tree of errors
        what = f"no Redis answers at {providers.host_of(url)} (REDIS_URL): the limits cannot be kept"
        raise NotSetUp(what, f"start it, or {_WITHOUT}") from error
