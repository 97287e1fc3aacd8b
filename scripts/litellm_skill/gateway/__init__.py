"""The only door to LiteLLM. Nothing here is imported, and LiteLLM is not, until a call is really made."""

from __future__ import annotations

from litellm_skill.gateway.ask import Listener, Patience, ask
from litellm_skill.gateway.attempt import NOT_STREAMED, Question
from litellm_skill.gateway.loop import run

__all__ = ["NOT_STREAMED", "Listener", "Patience", "Question", "ask", "run"]
