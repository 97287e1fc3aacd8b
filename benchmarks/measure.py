"""Processes measured in turn: wall time, CPU time and peak memory of each; medians and ratios; where they are kept."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).resolve().parent
Name = TypeVar("Name")
RSS_UNIT = 1e6 if sys.platform == "darwin" else 1e3  # of ru_maxrss, in a megabyte


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds on the clock, seconds of user and system CPU time, megabytes at the peak."""

    seconds: float
    cpu: float
    mb: float


def environment(folder: Path, address: str) -> dict[str, str]:
    """The same for every process; ``folder`` is its home. Environments stay where the user's are."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        **{"HOME": str(folder), "XDG_CACHE_HOME": cache},
        **{"OPENAI_API_KEY": "sk-" + "0a1b" * 8, "OPENAI_BASE_URL": address},
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else a script with LiteLLM alone fetches a price file first
    }


def run(command: Sequence[str], environ: Mapping[str, str], *, says: str = "") -> Cost:
    """Run it to its end, with nothing to read. Raises SystemExit when it fails, or does not print ``says``."""
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, env=dict(environ)
        )
        assert process.stderr is not None
        with process.stderr:
            complaint = process.stderr.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read().decode()
    if process.returncode or says not in printed:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{complaint}\n{printed[-2000:]}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / RSS_UNIT)


def at_once(role: Callable[[], Cost], many: int) -> Cost:
    """Until all of so many, begun together, have ended; their CPU time in sum, the memory of the largest."""
    began = time.perf_counter()
    with ThreadPoolExecutor(many) as pool:
        costs = list(pool.map(lambda _: role(), range(many)))
    seconds = time.perf_counter() - began
    return Cost(seconds, sum(cost.cpu for cost in costs), max(cost.mb for cost in costs))


def in_turn(roles: Mapping[Name, Callable[[], Cost]], rounds: int) -> dict[Name, list[Cost]]:
    """Each role once a round, so that what else the machine does meets all of them alike."""
    found: dict[Name, list[Cost]] = {name: [] for name in roles}
    for _ in range(rounds):
        for name, role in roles.items():
            found[name].append(role())
    return found


def median(costs: Sequence[Cost], name: str) -> float:
    middle: float = statistics.median(getattr(cost, name) for cost in costs)
    return middle


def ratio(costs: Sequence[Cost], others: Sequence[Cost], name: str) -> str:
    """Of the medians, and the range over the pairs of one round."""
    pairs = [getattr(one, name) / getattr(other, name) for one, other in zip(costs, others, strict=True)]
    return f"{median(costs, name) / median(others, name):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(*distributions: str) -> str:
    """What it was measured on, without a name."""
    from importlib.metadata import version

    versions = ", ".join(f"{name} {version(name)}" for name in distributions)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"{os.cpu_count()} cores ({_processor()}), {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {versions}; load {load:.1f}; {time.strftime('%Y-%m-%d')}"
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    named = re.search(r"model name\s*: (.*)", text)
    return named[1] if named else "unknown"


def keep(name: str, report: str) -> None:
    """In ``results/``, and in its place in the README."""
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.md").write_text(f"# {name}\n\n{report}\n", encoding="utf-8")
    page = HERE / "README.md"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(f"<!-- {name} -->\n", 1)
    _, after = rest.split(f"<!-- end of {name} -->\n", 1)
    page.write_text(f"{before}<!-- {name} -->\n{report}\n<!-- end of {name} -->\n{after}", encoding="utf-8")
