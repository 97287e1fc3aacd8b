"""On which terms a model is asked: how long, who listens, whose limits hold, and what follows a reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litellm_skill.answer import Usage
from litellm_skill.deployments import Deployment
from litellm_skill.gateway.attempt import Question
from litellm_skill.tools import ToolCall


@dataclass(frozen=True)
class Patience:
    """Seconds: ``timeout`` over everything; ``heartbeat`` of silence, after which a line says that it still waits
    (Gemini CLI ends a command that is silent for 300). ``retries``: per model. ``max_usd``: for the sum of all.
    ``sits_out``: whether a rate limit is waited for here, or told at once to a caller who has other calls to slow down.
    """

    timeout: float = 100.0
    heartbeat: float = 30.0
    retries: int = 2
    max_usd: float | None = None
    strict_parameters: bool = False
    sits_out: bool = True


@dataclass(frozen=True)
class Listener:
    """``text`` gets each piece of the answer as it comes, ``note`` a line for every wait; ``redact`` takes keys out of
    what a provider said; ``tick`` is called four times a second, if it is given."""

    text: Callable[[str], None]
    note: Callable[[str], None]
    redact: Callable[[str], str]
    tick: Callable[[], None] | None = None


@dataclass(frozen=True)
class Gate:
    """Rate limits that are kept elsewhere. ``admit``: seconds to sleep before a question may be sent, of at most the
    seconds given; raises LimitReached. ``used``: the tokens it took. ``rest``: seconds that a deployment must rest
    before it takes so many tokens, 0 when it may at once; not asked where the Redis at ``redis_url`` counts."""

    admit: Callable[[Question, float], float]
    used: Callable[[Question, Usage], None]
    rest: Callable[[Deployment, int], float]
    redis_url: str | None = None


@dataclass(frozen=True)
class Reply:
    """A whole reply. ``message``: what a further request must repeat of it."""

    text: str
    calls: tuple[ToolCall, ...]
    message: Mapping[str, Any]


@dataclass(frozen=True)
class Further:
    """Messages to add before the model is asked again. ``instead``: its next reply takes the place of this one, not a
    place after it."""

    messages: Sequence[Mapping[str, Any]]
    instead: bool = False


# What to say to a reply, or None when it is the last one. May raise a Fault.
FollowUp = Callable[[Reply], Awaitable[Further | None]]
