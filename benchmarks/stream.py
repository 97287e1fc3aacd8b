#!/usr/bin/env python3
"""What a token of a streamed answer costs, in CPU time and in memory, beside LiteLLM alone and beside httpx alone."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

_HERE = os.path.dirname(os.path.realpath(__file__))
_SCRIPTS = os.path.join(os.path.dirname(_HERE), "scripts")
sys.path[:0] = [_SCRIPTS, _HERE]

import loopback  # noqa: E402
import measure  # noqa: E402
from litellm_skill import launch  # noqa: E402
from measure import Cost  # noqa: E402

EXAMPLES = """examples:
  python3 benchmarks/stream.py                    prints the tables
  python3 benchmarks/stream.py --rounds 7 --keep  and puts them into results/ and the README

All ask the same server on loopback, in turn, each in a process of its own, and write each piece to a file as it comes.
A token's CPU time is the difference of a long and a short answer's, so that the start is not in it."""

RAW = """
import asyncio, sys, litellm
async def main():
    stream = await litellm.acompletion(
        model="openai/test-model", messages=[{"role": "user", "content": "hi"}], stream=True,
        stream_options={"include_usage": True}, max_tokens=int(sys.argv[1]))
    async for chunk in stream:
        if chunk.choices:
            sys.stdout.write(chunk.choices[0].delta.content or "")
            sys.stdout.flush()
asyncio.run(main())
"""
HTTPX = """
import asyncio, json, os, sys, httpx
body = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}], "stream": True,
        "stream_options": {"include_usage": True}, "max_tokens": int(sys.argv[1])}
headers = {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
async def main():
    async with httpx.AsyncClient() as client:
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        async with client.stream("POST", url, json=body, headers=headers) as reply:
            async for line in reply.aiter_lines():
                if line.startswith("data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        sys.stdout.write(choice["delta"].get("content") or "")
                        sys.stdout.flush()
asyncio.run(main())
"""
BARE, SSE, OURS = "script: `litellm.acompletion(stream=True)`", "script: httpx and json", "call_model.py"
SHORT, MIDDLE, LONG = 2_000, 20_000, 60_000  # tokens


def main(argv: list[str] | None = None) -> int:
    flags = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--rounds", type=int, default=5)
    flags.add_argument("--keep", action="store_true", help="write the tables into results/ and the README")
    args = flags.parse_args(argv)
    with tempfile.TemporaryDirectory() as name, loopback.server() as address:
        roles = _roles(Path(name), measure.environment(Path(name), address))
        sized = {(role, size): partial(ask, size) for role, ask in roles.items() for size in (SHORT, MIDDLE, LONG)}
        measure.in_turn({name: partial(ask, SHORT) for name, ask in roles.items()}, 1)  # fills the caches
        found = measure.in_turn(sized, args.rounds)
    report = _report(found, args.rounds)
    print(report)
    if args.keep:
        measure.keep("stream", report)
    return 0


def _roles(folder: Path, environ: Mapping[str, str]) -> dict[str, Callable[[int], Cost]]:
    """By name, what asks for an answer of so many tokens."""
    raw, httpx = folder / "raw.py", folder / "bare.py"
    raw.write_text(RAW, encoding="utf-8")
    httpx.write_text(HTTPX, encoding="utf-8")
    ours = [f"{_SCRIPTS}/call_model.py", "hi", "-m", "openai/test-model", "--timeout", "3600", "--max-tokens"]

    def ask(command: Sequence[str], tokens: int) -> Cost:
        return measure.run([sys.executable, *command, str(tokens)], environ, says="word after")

    return {BARE: partial(ask, [str(raw)]), SSE: partial(ask, [str(httpx)]), OURS: partial(ask, ours)}


def _report(found: Mapping[tuple[str, int], Sequence[Cost]], rounds: int) -> str:
    names = (BARE, SSE, OURS)
    tokens = {name: _per_token(found[name, LONG], found[name, SHORT], LONG - SHORT) for name in names}
    rows = []
    for name in names:
        early = _per_token(found[name, MIDDLE], found[name, SHORT], MIDDLE - SHORT)
        late = _per_token(found[name, LONG], found[name, MIDDLE], LONG - MIDDLE)
        sizes = [f"{measure.median(found[name, size], 'mb'):.0f}" for size in (SHORT, LONG)]
        wall = f"{measure.median(found[name, LONG], 'seconds'):.1f}"
        rows.append((name, f"{tokens[name] * 1e3:.3f}", f"{early * 1e3:.3f}", f"{late * 1e3:.3f}", wall, *sizes))
    head = ("", "CPU ms a token", f"to {MIDDLE:,}", f"from there to {LONG:,}", f"wall s of {LONG:,}")
    return "\n\n".join(
        (
            f"{measure.machine('litellm', 'openai', 'httpx')}; medians of {rounds}.",
            measure.table((*head, f"peak RSS MB at {SHORT:,}", f"at {LONG:,}"), rows),
            f"- CPU a token: {tokens[OURS] / tokens[BARE]:.2f} of `acompletion`\n"
            f"- peak RSS at {LONG:,} tokens: {measure.ratio(found[OURS, LONG], found[BARE, LONG], 'mb')} of it",
        )
    )


def _per_token(longer: Sequence[Cost], shorter: Sequence[Cost], tokens: int) -> float:
    return (measure.median(longer, "cpu") - measure.median(shorter, "cpu")) / tokens


if __name__ == "__main__":
    launch.run(main)
