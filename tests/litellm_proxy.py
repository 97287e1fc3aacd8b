"""Real LiteLLM proxies of the locked version, with a Redis that they share; each a process on a free port.

They live in an environment of their own, which uv keeps in its cache: the proxy brings a hundred packages.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import yaml

LOCK = (Path(__file__).resolve().parent.parent / "requirements.lock").read_text(encoding="utf-8")
INSTALL_S = 600.0
START_S = 120.0
MASTER_KEY = "sk-master-of-the-tests"
QUIET = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_COLOR": "1"}

# A proxy keeps budgets in Postgres. This one asks a function for its keys, which may also raise what its database would
# have it raise; how that reaches the caller is the proxy's own.
KEYS = """
import litellm
from litellm.proxy._types import ProxyException, UserAPIKeyAuth
from litellm.proxy.auth.auth_checks import can_key_call_model

async def check(request, api_key):
    from litellm.proxy.proxy_server import llm_model_list, llm_router

    key = UserAPIKeyAuth(api_key=api_key, user_id=api_key, models=["priced"] if api_key == "sk-narrow" else [])
    if api_key == "sk-denied" and request.url.path.endswith("/completions"):
        few = UserAPIKeyAuth(api_key=api_key, models=["priced"])
        await can_key_call_model("behind", llm_model_list=llm_model_list, valid_token=few, llm_router=llm_router)
    if api_key == "sk-broke" and request.url.path.endswith("/completions"):
        raise litellm.BudgetExceededError(current_cost=1.0, max_budget=0.01)
    if api_key == "sk-expired":
        raise ProxyException("Authentication Error - Expired Key.", type="expired_key", param="key", code=400)
    if api_key == "sk-hasty":
        key.rpm_limit = 1
    return key
"""


def command() -> list[str]:
    """What starts programs of the proxy's environment."""
    version, day = re.search(r"(?m)^litellm==(\S+)", LOCK), re.search(r"--exclude-newer (\S+)", LOCK)
    assert version
    assert day
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = ["--with", f"litellm[proxy]=={version[1]}", "--exclude-newer", day[1]]
    return [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--python", python, *wanted, "--"]


def hindrance() -> str | None:
    """Why there can be no proxy here, or None; installs it the first time."""
    if shutil.which("redis-server") is None:
        return "no redis-server on PATH (.ci/run installs it)"
    try:
        done = subprocess.run(
            [*command(), "python", "-c", "import fastapi, litellm, redis"],
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"litellm[proxy] could not be installed in {INSTALL_S:g} s"
    return f"litellm[proxy] cannot be installed: {done.stderr.strip()[-300:]}" if done.returncode else None


@contextlib.contextmanager
def redis() -> Iterator[int]:
    """Its port."""
    port = free_port()
    program = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with _running(program, dict(os.environ), Path(os.devnull)):
        _until(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), OSError)
        yield port


@contextlib.contextmanager
def proxies(folder: Path, models: Sequence[Mapping[str, Any]], redis_port: int) -> Iterator[tuple[str, str]]:
    """Addresses of two, which share Redis: one with a master key alone, one that also has ``KEYS``."""
    (folder / "keys.py").write_text(KEYS)
    general = {"master_key": MASTER_KEY}
    with contextlib.ExitStack() as stack:
        plain = _proxy(stack, folder / "plain.yaml", config(models, redis_port, general))
        checked = config(models, redis_port, {**general, "custom_auth": "keys.check"})
        yield _wait_for(plain), _wait_for(_proxy(stack, folder / "keys.yaml", checked))


def config(models: Sequence[Mapping[str, Any]], redis_port: int, general: Mapping[str, Any]) -> dict[str, Any]:
    shared = {"host": "127.0.0.1", "port": redis_port}
    router = {"redis_host": shared["host"], "redis_port": redis_port, "disable_cooldowns": True, "num_retries": 0}
    return {
        "model_list": list(models),
        "router_settings": {**router, "optional_pre_call_checks": ["enforce_model_rate_limits"]},
        "litellm_settings": {"cache": True, "cache_params": {"type": "redis", **shared, "ttl": 600}},
        "general_settings": dict(general),
    }


def _proxy(stack: contextlib.ExitStack, file: Path, content: Mapping[str, Any]) -> tuple[str, Path]:
    file.write_text(yaml.safe_dump(dict(content)))
    port, log = free_port(), file.with_suffix(".log")
    program = ["litellm", "--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    stack.enter_context(_running([*command(), *program], {**os.environ, **QUIET}, log))
    return f"http://127.0.0.1:{port}", log


def _wait_for(started: tuple[str, Path]) -> str:
    address, log = started
    try:
        _until(lambda: urlopen(f"{address}/health/liveliness", timeout=5).close(), URLError, OSError)
    except TimeoutError:
        raise TimeoutError(f"the proxy did not start: {log.read_text()[-2000:]}") from None
    return address


@contextlib.contextmanager
def _running(program: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[None]:
    """With all that it starts, until the block ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            program, env=dict(env), stdout=out, stderr=out, cwd=Path.home(), start_new_session=True
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _until(attempt: Any, *expected: type[Exception]) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            attempt()
            return
        except expected:
            if time.monotonic() > end:
                raise TimeoutError from None
            time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
