"""The agent that runs this command, and whose model it runs (a second opinion should come from somebody else).

Marker variables and what they mean were measured on Claude Code 2.1.328, Codex 0.169.0, OpenCode 1.18.33 and
Gemini CLI 0.61.0; the others are from their documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from litellm_skill import providers


@dataclass(frozen=True)
class Agent:
    """What is known of a host: its markers, the maker it runs by default, and where it says otherwise."""

    name: str
    markers: tuple[str, ...]
    vendor: str = ""
    addresses: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    at_end: str = ""


AGENTS = (
    Agent(
        "Claude Code",
        ("CLAUDECODE",),
        vendor="anthropic",
        addresses=("ANTHROPIC_BASE_URL",),
        models=("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL"),
        inherited=("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    ),
    Agent(
        "Codex",
        ("CODEX_CI", "CODEX_THREAD_ID", "CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED"),
        vendor="openai",
        addresses=("OPENAI_BASE_URL",),
        at_end="codex exec kills it when its own run ends: wait before that",
    ),
    Agent(
        "Gemini CLI",
        ("GEMINI_CLI",),
        vendor="google",
        addresses=("GOOGLE_GEMINI_BASE_URL",),
        models=("GEMINI_MODEL",),
        inherited=("GEMINI_API_KEY",),
    ),
    Agent("OpenCode", ("OPENCODE",)),
    Agent("Cursor", ("CURSOR_AGENT", "CURSOR_TRACE_ID")),
    Agent("Copilot", ("COPILOT_CLI", "COPILOT_AGENT_SESSION_ID")),
    Agent("an agent", ("AI_AGENT", "AGENT")),
)


@dataclass(frozen=True)
class Host:
    """``vendor`` "" means that whose model it runs is not known. ``at_end``: what it does to a worker that outlives its
    command, where that is no good."""

    name: str
    vendor: str
    inherited: tuple[str, ...] = ()
    at_end: str = ""


def detect(environ: Mapping[str, str]) -> Host | None:
    """The host agent, or None for a person at a terminal."""
    for agent in AGENTS:
        if any(environ.get(marker) for marker in agent.markers):
            return Host(agent.name, _vendor(agent, environ), agent.inherited, agent.at_end)
    return None


def _vendor(agent: Agent, environ: Mapping[str, str]) -> str:
    """By its base address, then the models it was told to use, then its name."""
    by_address = (providers.vendor_of_address(environ.get(name)) for name in agent.addresses)
    by_model = (providers.vendor_of_name(environ.get(name, "")) for name in agent.models)
    return next((vendor for vendor in (*by_address, *by_model) if vendor), agent.vendor)
