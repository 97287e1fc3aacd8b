"""How fast a batch is, against raw ``litellm.acompletion`` under a semaphore, and how its memory grows with its length.

    python3 benchmarks/batch.py

Both ask the same server on loopback (asyncio, keep-alive, TCP_NODELAY, a pause before each answer), each run in a
process of its own, in turn. Timed is what comes after LiteLLM has been imported: of the batch, the whole of
``main([...])``, from flags to summary. CPU time is the process's own: on a busy machine it says more than the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "compare_models.py"
MODEL = "openai/test-model"
CONCURRENCY = 64
PAUSE_S = 0.05
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "test-model",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Four."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
}


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--rows", type=int, default=1000)
    flags.add_argument("--long", type=int, default=10_000, help="rows of the run whose memory is compared")
    flags.add_argument("--repeat", type=int, default=5)
    flags.add_argument("--as", dest="role", choices=["server", "raw", "batch"], help=argparse.SUPPRESS)
    flags.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    args = flags.parse_args()
    if args.role == "server":
        asyncio.run(serve())
    elif args.role:
        print(json.dumps({"raw": raw, "batch": batch}[args.role](*args.rest)))
    else:
        compare(args.rows, args.long, args.repeat)


def compare(rows: int, long: int, repeat: int) -> None:
    with tempfile.TemporaryDirectory() as name, server() as address:
        folder = Path(name)
        files = {count: write_rows(folder, count) for count in (rows, long)}
        runs: dict[str, list[dict[str, float]]] = {"raw": [], "batch": []}
        for _ in range(repeat):
            for role, found in runs.items():
                found.append(child(role, address, files[rows], folder))
        print(table(runs, rows, child("batch", address, files[long], folder), long))


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
            f"throughput: {speed:.2f} of raw (pairs: {min(pairs):.2f} to {max(pairs):.2f}); by CPU time {cpu:.2f}",
            f"memory: {growth:+.1f} MB from {rows:,} to {long:,} prompts ({longest['mb']:.0f} MB at the peak)",
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
    sys.path.insert(0, str(ROOT / "scripts"))
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


@contextlib.contextmanager
def server() -> Any:
    """Its address."""
    process = subprocess.Popen([sys.executable, __file__, "--as", "server"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def serve() -> None:
    listening = await asyncio.start_server(answer_all, "127.0.0.1", 0, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every request of a connection, until it is closed."""
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = json.dumps(REPLY).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            headers = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next(line for line in headers.split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            await asyncio.sleep(PAUSE_S)
            writer.write(head + body)
    writer.close()


if __name__ == "__main__":
    main()
