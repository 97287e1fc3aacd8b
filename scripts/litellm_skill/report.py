"""Text for people and host agents, made safe to show. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from litellm_skill.answer import Answer, Usage

if TYPE_CHECKING:
    from litellm_skill.plan import Plan

HOST_LIMIT = 8_000
# Control characters (but tab and newline), and format characters that reorder, hide or smuggle text: bidi controls,
# zero-width (but the joiners that emoji and Persian need), line separators, tags, surrogates, private use.
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ue000-\uf8ff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)


def printable(text: str) -> str:
    """``text`` with every character that could drive a terminal or hide something written as an escape."""
    return UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str, limit: int = 400) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def for_host(text: str, source: str, result_file: str | None, fence: str) -> str:
    """An answer for an agent: fenced as untrusted with a random id, under ``HOST_LIMIT`` characters, and ending with
    the path of the full answer."""
    head = f"<<<untrusted answer {fence} from {one_line(source, 100)}>>>\n"
    tail = f"\n<<<end of untrusted answer {fence}>>>\n"
    path = f"full answer: {result_file}\n" if result_file else ""
    text = printable(text)
    room = HOST_LIMIT - len(head) - len(tail) - len(path) - 100
    if len(text) > room and result_file:  # else the rest would be lost
        path = f"cut after {room} of {len(text)} characters; {path}"
        text = text[:room]
    return f"{head}{text}{tail}{path}"


def unlike_asked(answer: Answer) -> list[str]:
    """What was not as it was asked for, a line each."""
    if not answer.dropped_params:
        return list(answer.warnings)
    model = answer.attempts[-1].model if answer.attempts else answer.model_requested
    return [*answer.warnings, f"dropped what {model} does not take: {', '.join(answer.dropped_params)}"]


def summary(answer: Answer) -> str:
    """One line: model, host, tokens, cost, time."""
    times = [f"{answer.latency_s:.1f} s" if answer.latency_s is not None else "time unknown"]
    if answer.first_token_s is not None:
        times.append(f"first token {answer.first_token_s:.1f} s")
    where = f" at {answer.endpoint_host}" if answer.endpoint_host else ""
    cost = f"{money(answer.cost_usd)} ({answer.cost_source})" if answer.cost_usd is not None else "cost unknown"
    model = answer.model_used or answer.model_requested
    return f"{one_line(model, 100)}{where}: {_tokens(answer.usage)}, {cost}, {', '.join(times)}"


def _tokens(usage: Usage) -> str:
    if usage.input_tokens is None and usage.output_tokens is None:
        return "tokens unknown"
    reasoning = f" ({usage.reasoning_tokens} reasoning)" if usage.reasoning_tokens else ""
    shown = [count if count is not None else "?" for count in (usage.input_tokens, usage.output_tokens)]
    return f"{shown[0]} tokens in, {shown[1]} out{reasoning}"


def money(usd: float) -> str:
    """US dollars, to two significant digits below a cent."""
    if usd == 0:
        return "0 USD"
    return f"{usd:.2f} USD" if usd >= 0.01 else f"{usd:.2g} USD" if usd >= 0.0001 else f"{usd:.1e} USD"


def plan_text(planned: Plan) -> str:
    """What would be sent where, a line a fact."""
    prompt = planned.conversation
    model, way = planned.choice.model, planned.choice.access
    key = f"key: {way.key_name} from {way.key_source}" if way.key_name else "no key"
    window = f" of {model.context:,}" if model.context else ""
    files = [f"file      {file.path} ({file.bytes:,} bytes)" for file in prompt.files]
    limit = f"{planned.output_limit:,} tokens" if planned.output_limit else "the model's own"
    lines = [
        f"model     {planned.choice.name}",
        f"where     {way.host} ({key})",
        f"prompt    {prompt.characters:,} characters, about {planned.prompt_tokens:,} tokens{window}",
        *files,
        f"limit     {limit}",
        f"cost      likely {_money_or_unknown(planned.likely_usd)}, at most {_money_or_unknown(planned.worst_usd)}",
    ]
    return "\n".join(lines) + "\n"


def sum_usd(costs: Iterable[float | None]) -> float | None:
    """None where one of them is unknown."""
    every = list(costs)
    return None if None in every else sum(usd or 0.0 for usd in every)


def plans_text(plans: Sequence[Plan]) -> str:
    """What all of them together may cost."""
    likely, worst = sum_usd(one.likely_usd for one in plans), sum_usd(one.worst_usd for one in plans)
    return f"together  likely {_money_or_unknown(likely)}, at most {_money_or_unknown(worst)}\n"


def plan_document(planned: Plan) -> dict[str, Any]:
    """The same for ``--dry-run --json``; tokens and costs (USD) are estimates, null where unknown."""
    prompt = planned.conversation
    model, way = planned.choice.model, planned.choice.access
    return {
        "status": "dry_run",
        "model_requested": planned.choice.name,
        "provider": way.provider.name,
        "endpoint_host": way.host,
        "key": way.key_name,
        "would_send": {"characters": prompt.characters, "files": [asdict(file) for file in prompt.files]},
        "prompt_tokens": planned.prompt_tokens,
        "context": model.context,
        "output_limit": planned.output_limit,
        "likely_usd": planned.likely_usd,
        "worst_usd": planned.worst_usd,
        "warnings": [*planned.choice.warnings, *planned.notes],
        "missing": way.missing.message if way.missing else None,
    }


def _money_or_unknown(usd: float | None) -> str:
    return "unknown" if usd is None else money(usd)
