#!/usr/bin/env python3
"""How fast a batch is, against raw ``litellm.acompletion`` under a semaphore, and how its memory grows with its length.

    python3 benchmarks/batch.py [--keep]

Both ask the same server on loopback, which pauses before each answer, each run in a process of its own, in turn. Timed
is what comes after LiteLLM has been imported: of the batch, the whole of ``main([...])``, from flags to summary. CPU
time is the process's own: on a busy machine it says more than the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_HERE = os.path.dirname(os.path.realpath(__file__))
_SCRIPTS = os.path.join(os.path.dirname(_HERE), "scripts")
sys.path[:0] = [_SCRIPTS, _HERE]

import loopback  # noqa: E402
import measure  # noqa: E402
from litellm_skill import launch  # noqa: E402

SCRIPT = Path(_SCRIPTS) / "compare_models.py"
MODEL = "openai/test-model"
CONCURRENCY = 64
PAUSE_S = 0.05


def main() -> int:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--rows", type=int, default=1000)
    flags.add_argument("--long", type=int, default=10_000, help="rows of the run whose memory is compared")
    flags.add_argument("--repeat", type=int, default=5)
    flags.add_argument("--keep", action="store_true", help="write the table into results/ and the README")
    flags.add_argument("--as", dest="role", choices=["raw", "batch"], help=argparse.SUPPRESS)
    flags.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    args = flags.parse_args()
    if args.role:
        print(json.dumps({"raw": raw, "batch": batch}[args.role](*args.rest)))
        return 0
    report = f"{measure.machine('litellm', 'openai', 'httpx')}.\n\n{compare(args.rows, args.long, args.repeat)}"
    print(report)
    if args.keep:
        measure.keep("batch", report)
    return 0


def compare(rows: int, long: int, repeat: int) -> str:
    with tempfile.TemporaryDirectory() as name, loopback.server(PAUSE_S) as address:
        folder = Path(name)
        files = {count: write_rows(folder, count) for count in (rows, long)}
        runs: dict[str, list[dict[str, float]]] = {"raw": [], "batch": []}
        for _ in range(repeat):
            for role, found in runs.items():
                found.append(child(role, address, files[rows], folder))
        return table(runs, rows, child("batch", address, files[long], folder), long)


def table(runs: dict[str, list[dict[str, float]]], rows: int, longest: dict[str, float], long: int) -> str:
    medians = {
        role: {name: statistics.median(one[name] for one in found) for name in found[0]} for role, found in runs.items()
    }
    heads = {"raw": "litellm.acompletion + semaphore", "batch": "compare_models.py --batch"}
    lines = [
        f"{rows:,} prompts, {CONCURRENCY} at a time, {PAUSE_S * 1000:g} ms a reply, median of {len(runs['raw'])}:",
        "",
    ]
    lines += ["| | rows/s | CPU ms/row | peak RSS MB |", "|---|---|---|---|"]
    for role, one in medians.items():
        lines.append(
            f"| {heads[role]} | {rows / one['seconds']:.0f} | {one['cpu'] / rows * 1e3:.2f} | {one['mb']:.0f} |"
        )
    speed, cpu = (medians["raw"][name] / medians["batch"][name] for name in ("seconds", "cpu"))
    pairs = [one["seconds"] / other["seconds"] for one, other in zip(runs["raw"], runs["batch"], strict=True)]
    growth = longest["mb"] - medians["batch"]["mb"]
    return "\n".join(
        [
            *lines,
            "",
            f"- throughput: {speed:.2f} of raw (pairs: {min(pairs):.2f} to {max(pairs):.2f}); by CPU time {cpu:.2f}",
            f"- memory: {growth:+.1f} MB from {rows:,} to {long:,} prompts ({longest['mb']:.0f} MB at the peak)",
        ]
    )


def write_rows(folder: Path, count: int) -> Path:
    path = folder / f"{count}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            prompt = f"How many legs have {number} tables of two legs each? Answer with one number, and say why."
            file.write(json.dumps({"prompt": prompt, "expected": "Four."}) + "\n")
    return path


def child(role: str, address: str, rows: Path, folder: Path) -> dict[str, float]:
    environ = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environ |= {"HOME": str(folder), "OPENAI_API_BASE": address, "OPENAI_API_KEY": "sk-" + "0a1b" * 8}
    command = [sys.executable, __file__, "--as", role, address, str(rows), str(folder / "results.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def measured(began: float, cpu: float) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "mb": peak}


def imported() -> Any:
    """LiteLLM as the project imports it: no price fetch, no .env."""
    from litellm_skill import gateway

    return gateway.load()


def raw(address: str, rows: str, _: str) -> dict[str, float]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else the import fetches a file
    import litellm

    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(ask_all(litellm, address, Path(rows)))
    return measured(began, cpu)


async def ask_all(litellm: Any, address: str, rows: Path) -> None:
    several = asyncio.Semaphore(CONCURRENCY)

    async def one(prompt: str) -> None:
        async with several:
            messages = [{"role": "user", "content": prompt}]
            await litellm.acompletion(model=MODEL, messages=messages, api_base=address, max_retries=0, timeout=100)

    prompts = [json.loads(line)["prompt"] for line in rows.read_text(encoding="utf-8").splitlines()]
    await asyncio.gather(*map(one, prompts))


def batch(_: str, rows: str, out: str) -> dict[str, float]:
    imported()
    spec = importlib.util.spec_from_file_location("script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    Path(out).unlink(missing_ok=True)
    began, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(sys.stderr):
        code = script.main(["-m", MODEL, "-j", str(CONCURRENCY), "--score", "exact", "--batch", rows, "--out", out])
    found = measured(began, cpu)
    if code:
        raise SystemExit(f"exit code {code}")
    return found


if __name__ == "__main__":
    if "--as" in sys.argv:  # as a script of anybody's, with the collector as Python has it
        sys.exit(main())
    launch.run(main)
