"""Which agent runs us, and whose model it runs."""

from __future__ import annotations

import pytest
from litellm_skill import host


@pytest.mark.parametrize(
    ("environ", "name", "vendor"),
    [
        ({"CLAUDECODE": "1"}, "Claude Code", "anthropic"),
        ({"CLAUDECODE": "1", "ANTHROPIC_BASE_URL": "https://api.anthropic.com"}, "Claude Code", "anthropic"),
        (
            {"CLAUDECODE": "1", "ANTHROPIC_BASE_URL": "https://api.deepseek.com/anthropic"},
            "Claude Code",
            "deepseek",
        ),
        ({"CLAUDECODE": "1", "ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic"}, "Claude Code", "zai"),
        (
            {"CLAUDECODE": "1", "ANTHROPIC_BASE_URL": "https://api.moonshot.cn/anthropic"},
            "Claude Code",
            "moonshot",
        ),
        ({"CLAUDECODE": "1", "ANTHROPIC_BASE_URL": "http://localhost:4000"}, "Claude Code", "anthropic"),
        (
            {
                "CLAUDECODE": "1",
                "ANTHROPIC_BASE_URL": "http://localhost:4000",
                "ANTHROPIC_MODEL": "qwen3-coder",
            },
            "Claude Code",
            "qwen",
        ),
        ({"CODEX_CI": "1"}, "Codex", "openai"),
        ({"CODEX_SANDBOX_NETWORK_DISABLED": "1"}, "Codex", "openai"),
        ({"GEMINI_CLI": "1"}, "Gemini CLI", "google"),
        ({"OPENCODE": "1", "AGENT": "1"}, "OpenCode", ""),
        ({"CURSOR_AGENT": "1"}, "Cursor", ""),
        ({"COPILOT_CLI": "1"}, "Copilot", ""),
        ({"AI_AGENT": "some-agent"}, "an agent", ""),
        ({"CLAUDECODE": "1", "CURSOR_TRACE_ID": "x"}, "Claude Code", "anthropic"),
    ],
)
def test_hosts(environ: dict[str, str], name: str, vendor: str) -> None:
    found = host.detect(environ)
    assert found is not None
    assert (found.name, found.vendor) == (name, vendor)


@pytest.mark.parametrize("environ", [{}, {"CLAUDECODE": ""}, {"ANTHROPIC_BASE_URL": "https://api.deepseek.com"}])
def test_a_person_at_a_terminal(environ: dict[str, str]) -> None:
    assert host.detect(environ) is None
