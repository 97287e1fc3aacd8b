#!/usr/bin/env python3
"""What a command costs beside the model: in time, CPU time and memory, beside others that make the same call."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
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
  python3 benchmarks/startup.py                     prints the tables
  python3 benchmarks/startup.py --rounds 20 --keep  and puts them into results/ and the README

All ask the same server on loopback, in turn, each in a process of its own, with the same environment variables.
`llm` comes from PyPI into an environment of its own, made with uv (or name one that is there: --llm)."""

RAW = """
import sys, litellm
messages = [{"role": "user", "content": "hi"}]
for chunk in litellm.completion(model="openai/test-model", messages=messages, stream=True):
    sys.stdout.write(chunk.choices[0].delta.content or "")
    sys.stdout.flush()
"""
HTTPX = """
import json, os, sys, httpx
body = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}], "stream": True}
headers = {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
with httpx.stream("POST", os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=body, headers=headers) as reply:
    for line in reply.iter_lines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                sys.stdout.write(choice["delta"].get("content") or "")
                sys.stdout.flush()
"""
LLM = """
- model_id: test-model
  model_name: test-model
  api_base: {}
"""
MODEL = "openai/test-model"
RAW_SCRIPT, HTTPX_SCRIPT, LLM_COMMAND = "script: `litellm.completion(stream=True)`", "script: httpx", "`llm`"
COLD, OTHER, WARM = "call_model.py", "call_model.py, started by another Python", "call_model.py, warm"
CALL = ["call_model.py", "hi", "-m", MODEL]
BARE = "bare.py"
AT_ONCE, PAUSES = 20, (0.0, 1.0)
FREE = {
    "call_model.py --help": ["call_model.py", "--help"],
    "call_model.py --dry-run": ["call_model.py", "hi", "-m", MODEL, "--dry-run"],
    "list_models.py --query gpt --no-endpoints": ["list_models.py", "--query", "gpt", "--no-endpoints"],
    "cheap_route.py --dry-run": ["cheap_route.py", "Fix the bug in this function", "--dry-run"],
}


def main(argv: list[str] | None = None) -> int:
    args = _flags().parse_args(argv)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(loopback.server())
        environ = {**measure.environment(folder, address), "LLM_USER_PATH": str(folder / "llm-home")}
        calls = _calls(folder, address, environ, args.llm or _installed(folder), args.python)
        free = {name: _ours(command, environ) for name, command in FREE.items()}
        measure.in_turn({**calls, **free}, 1)  # fills the caches, and starts what is to be warm
        found = measure.in_turn({**calls, **free}, args.rounds)
        together = {pause: _together(folder, pause, args.rounds) for pause in PAUSES}
        _ours(["doctor.py", "--warm", "stop"], environ)()
    report = f"{_report(found, args.rounds)}\n\n{_table_of(together)}"
    print(report)
    if args.keep:
        measure.keep("startup", report)
    return 0


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--rounds", type=int, default=10)
    flags.add_argument("--llm", metavar="PROGRAM", help="an `llm` that is there")
    flags.add_argument("--python", help="a Python without the packages, to start call_model.py with, too")
    flags.add_argument("--keep", action="store_true", help="write the tables into results/ and the README")
    return flags


def _installed(folder: Path) -> str:
    """`llm`, in an environment of its own."""
    place = folder / "llm"
    for command in (["venv", "-q", str(place)], ["pip", "install", "-q", "--python", str(place), "llm"]):
        subprocess.run(["uv", *command], check=True)
    return str(place / "bin" / "llm")


def _calls(
    folder: Path, address: str, environ: Mapping[str, str], llm: str, python: str | None
) -> dict[str, Callable[[], Cost]]:
    """By name, what makes one call and prints the answer as it comes."""
    raw, httpx, models = folder / "raw.py", folder / BARE, folder / "llm-home" / "extra-openai-models.yaml"
    models.parent.mkdir()
    for path, text in ((raw, RAW), (httpx, HTTPX), (models, LLM.format(address))):
        path.write_text(text, encoding="utf-8")
    asked = partial(measure.run, environ=environ, says="word after")
    return {
        RAW_SCRIPT: partial(asked, [sys.executable, str(raw)]),
        HTTPX_SCRIPT: partial(asked, [sys.executable, str(httpx)]),
        LLM_COMMAND: partial(asked, [llm, "-m", "test-model", "hi"]),
        COLD: _ours(CALL, environ, says="word after"),
        **({OTHER: _ours(CALL, environ, says="word after", python=python)} if python else {}),
        WARM: _warm(environ),
    }


def _warm(environ: Mapping[str, str]) -> Callable[[], Cost]:
    return _ours(CALL, {**environ, "LITELLM_SKILL_WARM": "1"}, says="word after")


def _together(folder: Path, pause: float, rounds: int) -> dict[tuple[str, int], float]:
    """{(name, how many): seconds until all have ended, the median}, with a provider that answers after ``pause``."""
    with loopback.server(pause) as address:
        environ = measure.environment(folder, address)
        bare = partial(measure.run, [sys.executable, str(folder / BARE)], environ, says="word after")
        calls: dict[str, Callable[[], Cost]] = {HTTPX_SCRIPT: bare, WARM: _warm(environ)}
        roles: dict[tuple[str, int], Callable[[], Cost]]
        roles = {(name, many): partial(measure.at_once, calls[name], many) for name in calls for many in (1, AT_ONCE)}
        measure.in_turn(roles, 1)
        found = measure.in_turn(roles, rounds)
    return {role: measure.median(costs, "seconds") for role, costs in found.items()}


def _ours(
    command: Sequence[str], environ: Mapping[str, str], *, says: str = "", python: str = sys.executable
) -> Callable[[], Cost]:
    script, *rest = command
    return partial(measure.run, [python, f"{_SCRIPTS}/{script}", *rest], environ, says=says)


def _report(found: Mapping[str, Sequence[Cost]], rounds: int) -> str:
    rows = [_row(name, costs) for name, costs in found.items()]
    ratios = [
        f"- {COLD}: {_beside(found[COLD], found[RAW_SCRIPT])} of the script with LiteLLM",
        f"- {WARM}: {_beside(found[WARM], found[HTTPX_SCRIPT])} of the script with httpx",
        f"- {WARM}: {_beside(found[WARM], found[LLM_COMMAND])} of `llm`",
    ]
    return "\n\n".join(
        (
            f"{measure.machine('litellm', 'openai', 'httpx')}; medians of {rounds}.",
            measure.table(("", "wall s", "CPU s", "peak RSS MB"), rows),
            "\n".join(ratios),
        )
    )


def _table_of(together: Mapping[float, Mapping[tuple[str, int], float]]) -> str:
    rows = []
    for pause, found in together.items():
        for name in (HTTPX_SCRIPT, WARM):
            one, all_ = found[name, 1], found[name, AT_ONCE]
            rows.append((f"{name}, provider {pause:g} s", f"{one:.2f}", f"{all_:.2f}", f"{all_ / one:.1f}"))
    return measure.table(("", "one: wall s", f"{AT_ONCE} at once: wall s", "ratio"), rows)


def _row(name: str, costs: Sequence[Cost]) -> tuple[str, ...]:
    wall, cpu, mb = (measure.median(costs, figure) for figure in ("seconds", "cpu", "mb"))
    return name, f"{wall:.3f}", f"{cpu:.3f}", f"{mb:.0f}"


def _beside(costs: Sequence[Cost], others: Sequence[Cost]) -> str:
    return ", ".join(
        f"{label} {measure.ratio(costs, others, figure)}"
        for label, figure in (("wall", "seconds"), ("CPU", "cpu"), ("RSS", "mb"))
    )


if __name__ == "__main__":
    launch.run(main)
