"""The only door to LiteLLM. Nothing here is imported, and LiteLLM is not, until a call is really made."""

from __future__ import annotations

from litellm_skill.gateway.ask import Question, ask
from litellm_skill.gateway.loop import run

__all__ = ["Question", "ask", "run"]
