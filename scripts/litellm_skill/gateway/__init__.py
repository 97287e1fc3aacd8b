"""The only door to LiteLLM. Nothing here is imported, and LiteLLM is not, until a call is really made."""

from __future__ import annotations

from litellm_skill.gateway.ask import ask
from litellm_skill.gateway.attempt import NOT_STREAMED, Question
from litellm_skill.gateway.embed import End, embed
from litellm_skill.gateway.embedder import Embedded, Embedder
from litellm_skill.gateway.library import load
from litellm_skill.gateway.loop import run
from litellm_skill.gateway.terms import Further, Gate, Listener, Patience, Reply

__all__ = [
    "NOT_STREAMED",
    "Embedded",
    "Embedder",
    "End",
    "Further",
    "Gate",
    "Listener",
    "Patience",
    "Question",
    "Reply",
    "ask",
    "embed",
    "load",
    "run",
]
