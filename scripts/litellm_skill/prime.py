"""What a warm worker has ready before the first command: LiteLLM, this package, and what a first call would import.

Which modules those are is found out by example: a child makes a call of each wire to a server of its own, and says what
it has imported. So this holds for any release of LiteLLM, and this process keeps its single thread: it never makes a
call itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import platform
import runpy
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pydantic import BaseModel

import litellm_skill
from litellm_skill import catalog, certificates, gateway, pricetable, providers, secret_rules
from litellm_skill.gateway.library import QUIET_IMPORT, REROUTING

LONGEST = 60  # seconds for the example
# A call of each wire: the address variable, its path, and the model's provider.
WIRES = {
    "openai": ("OPENAI_BASE_URL", "/v1"),
    "anthropic": ("ANTHROPIC_BASE_URL", ""),
    "gemini": ("GEMINI_API_BASE", ""),
}


class _Noted(MutableMapping[str, str]):
    """``os.environ``, and the names that were asked for."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self.environ = environ
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self.environ[name]

    def __setitem__(self, name: str, value: str) -> None:
        self.environ[name] = value

    def __delitem__(self, name: str) -> None:
        del self.environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.environ)

    def __len__(self) -> int:
        return len(self.environ)

    def copy(self) -> dict[str, str]:
        return dict(self.environ)


def everything() -> tuple[list[str], Mapping[str, str]]:
    """The variables that were read on the way, and those that were set."""
    certificates.merge(os.environ)
    before = dict(os.environ)
    with _noted() as noted:
        gateway.load()
        for module in pkgutil.iter_modules(litellm_skill.__path__):
            importlib.import_module(f"litellm_skill.{module.name}")
        _repeat(_of_a_call())
        for read in (pricetable.bundled, providers.table, secret_rules.rules, catalog.shipped):
            read()
    platform.platform()  # starts a program; else OpenAI's client would do so with the first request of every child
    forced = {*QUIET_IMPORT, *REROUTING}
    set_ = {name: value for name, value in os.environ.items() if before.get(name) != value and name not in forced}
    gc.collect()
    gc.freeze()  # else a collection in a child would copy all of it
    return sorted(noted.names - forced), set_


@contextlib.contextmanager
def _noted() -> Iterator[_Noted]:
    noted = _Noted(os.environ)
    os.environ = noted  # type: ignore[assignment]  # noqa: B003  nothing of it is to be cleared
    try:
        yield noted
    finally:
        os.environ = noted.environ  # type: ignore[assignment]  # noqa: B003


def _repeat(example: Mapping[str, list[str]]) -> None:
    """Import what it has imported; complete the classes that it has completed (pydantic's wait for their first use)."""
    for name in example["modules"]:
        with contextlib.suppress(ImportError):  # made at run time, by no file
            importlib.import_module(name)
    for one in _classes():
        if _name(one) in example["classes"] and not one.__pydantic_complete__:
            one.model_rebuild(raise_errors=False)


def _of_a_call() -> Mapping[str, list[str]]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(LONGEST)
            with open(writer, "w", encoding="utf-8") as pipe:
                json.dump(_example(), pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    example: Mapping[str, list[str]] = json.loads(said)
    return example


def _example() -> Mapping[str, list[str]]:
    """Modules that calls import, and classes that they complete. Nothing is kept, and nothing leaves the machine."""
    before = set(sys.modules)
    with _Server(("127.0.0.1", 0), _Answer) as server, tempfile.TemporaryDirectory() as home:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ.update({name: home for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")})
        for provider, (name, path) in WIRES.items():
            os.environ.update(
                {name: f"http://127.0.0.1:{server.server_port}{path}", f"{provider.upper()}_API_KEY": "none"}
            )
        main = runpy.run_path(str(Path(__file__).parents[1] / "call_model.py"))["main"]
        for arguments in (["--demo"], *(["-m", f"{provider}/none", "--retries", "0"] for provider in WIRES)):
            main(["hi", *arguments])
    classes = {_name(one) for one in _classes() if one.__pydantic_complete__}
    return {"modules": sorted(set(sys.modules) - before), "classes": sorted(classes)}


def _classes(above: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for one in above.__subclasses__():
        yield one
        yield from _classes(one)


def _name(one: type) -> str:
    return f"{one.__module__}.{one.__qualname__}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Answer(BaseHTTPRequestHandler):
    """One word in OpenAI's wire, whatever is asked: the others' calls end at the first line they cannot read."""

    def do_POST(self) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "none"}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for more in ({"choices": [choice]}, {"choices": [], "usage": usage}):
            self.wfile.write(f"data: {json.dumps(chunk | more)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        pass
