"""Whether the warm worker ever hangs, answers wrongly or answers twice; and what it costs.

    python3 benchmarks/warm.py [--calls 10000] [--jobs 8] [--python /usr/bin/python3]

Calls of ``call_model.py``, each a process of its own with a prompt of its own, one half the demo and one half a server
on loopback, which counts what it is asked; some are interrupted, killed, or lose their worker. Then so many at once as
``--burst`` says. A call is right when its prompt comes back with the exit code and the streams of a cold run.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "call_model.py"
HANGS = 300.0  # seconds; far above what a cold call takes on a busy machine
SHARES = (50, 99, 99.9)  # percent
HARM = 100  # one call of so many is interrupted or killed; of ten times as many one loses its worker
# As of a cold run: interrupted before Python had begun, before the command had, and at work.
ENDS = {"interrupt": (1, -signal.SIGINT, 130), "kill": (-signal.SIGKILL,)}
DEMO = "[demo: no model was called] Your prompt arrived here: {} characters, beginning with “{}”. "


class Server(ThreadingHTTPServer):
    """Says the prompt; ``asked``: how often each came."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: collections.Counter[str] = collections.Counter()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        self.server.asked[prompt] += 1
        delta = {"index": 0, "delta": {"role": "assistant", "content": prompt}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "test-model"}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for more in ({"choices": [delta]}, {"choices": [], "usage": usage}):
            self.wfile.write(f"data: {json.dumps(chunk | more)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        pass


class Trial:
    """``wrong``: what should not have been; ``seen``: how calls ended."""

    def __init__(self, python: str, home: Path, server: Server) -> None:
        self.python = python
        self.server = server
        self.wrong: list[str] = []
        self.seen: collections.Counter[str] = collections.Counter()
        self.seconds: list[float] = []
        self.lock = threading.Lock()
        places = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("STATE", "CONFIG")}
        for place in (*places.values(), str(home / "run")):
            os.mkdir(place, 0o700)
        self.environ = {"HOME": os.environ["HOME"], "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **places}
        self.environ |= {"XDG_RUNTIME_DIR": str(home / "run"), "LITELLM_SKILL_WARM": "1"}
        self.environ |= {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1"}

    def serve(self) -> None:
        """Have a worker: a burst of cold calls would only show how long those take."""
        command = [self.python, str(ROOT / "scripts" / "doctor.py"), "--warm", "start"]
        subprocess.run(command, env=self.environ, check=True)

    def start(self, number: int) -> subprocess.Popen[str]:
        prompt = f"prompt {number}"
        how = ["--demo"] if number % 2 else ["-m", "openai/test-model", "--no-save"]
        command = [self.python, str(SCRIPT), prompt, *how]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, text=True, env=self.environ, stdin=pipe, stdout=pipe, stderr=pipe)

    def call(self, number: int, harm: str = "") -> None:
        began = time.monotonic()
        process = self.start(number)
        try:
            if harm:
                time.sleep(random.uniform(0, 0.5))
                self.harm(process, harm)
            stdout, stderr = process.communicate(timeout=HANGS)
        except subprocess.TimeoutExpired:
            process.kill()
            self.complain(f"call {number} hung {harm}")
            return
        self.seconds.append(time.monotonic() - began)
        self.judge(number, harm, process.returncode, stdout, stderr)

    def harm(self, process: subprocess.Popen[str], harm: str) -> None:
        if harm == "worker":
            for pid in workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        else:
            process.send_signal({"interrupt": signal.SIGINT, "kill": signal.SIGKILL}[harm])

    def judge(self, number: int, harm: str, code: int, stdout: str, stderr: str) -> None:
        prompt = f"prompt {number}"
        expected = DEMO.format(len(prompt), prompt) if number % 2 else f"{prompt}\n"
        right = code == 0 and stdout.startswith(expected) and not stderr
        with self.lock:
            self.seen[f"{harm or 'plain'} {code}"] += 1
        if not right and code not in ENDS.get(harm, ()):
            self.complain(f"call {number} {harm}: {code} {stdout[:80]!r} {stderr[-200:]!r}")

    def complain(self, what: str) -> None:
        print(f"WRONG: {what}", flush=True)
        self.wrong.append(what)


def workers() -> list[int]:
    """Of this copy of the skill."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if b"warmer.live" in words and str(ROOT / "scripts").encode() in words:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                found[int(entry.name)] = int(stat[1])
    return [pid for pid, parent in found.items() if parent not in found]


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--calls", type=int, default=10_000)
    flags.add_argument("--jobs", type=int, default=8)
    flags.add_argument("--burst", type=int, default=200)
    flags.add_argument("--python", default="/usr/bin/python3", help="what starts the scripts")
    args = flags.parse_args()
    with running() as server, tempfile.TemporaryDirectory() as home:
        trial = Trial(args.python, Path(home), server)
        try:
            trial.serve()
            calls(trial, args.calls, args.jobs)
            print(spread(trial.seconds), flush=True)
            trial.serve()  # the last one was killed, perhaps
            if args.burst:
                burst(trial, args.calls, args.burst)
        finally:
            for pid in workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        twice = sum(count > 1 for count in server.asked.values())
    print(f"how they ended: {dict(sorted(trial.seen.items()))}; asked twice: {twice}; wrong: {len(trial.wrong)}")
    sys.exit(bool(trial.wrong or twice))


@contextlib.contextmanager
def running() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def calls(trial: Trial, count: int, jobs: int) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        for number in range(count):
            pool.submit(report, trial, number, harm(number), began)


def harm(number: int) -> str:
    if not number or number % HARM:
        return ""
    return "worker" if number % (10 * HARM) == 0 else ("interrupt", "kill")[number // HARM % 2]


def report(trial: Trial, number: int, harm: str, began: float) -> None:
    try:
        trial.call(number, harm)
    except Exception as error:
        trial.complain(f"call {number}: {type(error).__name__}: {error}")
    if number % 500 == 499:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        each = 1000 * (used.ru_utime + used.ru_stime) / (number + 1)
        rate = (number + 1) / (time.monotonic() - began)
        print(f"{number + 1} calls, {rate:.1f} a second, callers' CPU {each:.1f} ms each", flush=True)


def spread(seconds: list[float]) -> str:
    """By nearest rank. Those that lost their worker run cold."""
    ranked = sorted(seconds)
    parts = [f"{share:g} %: {ranked[min(len(ranked) - 1, int(len(ranked) * share / 100))]:.2f}" for share in SHARES]
    return f"seconds until a call had ended: {', '.join(parts)}, slowest: {ranked[-1]:.2f}"


def burst(trial: Trial, first: int, count: int) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(trial.call, range(first, first + count)))
    print(f"{count} at once: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
