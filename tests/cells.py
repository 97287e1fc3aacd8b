"""Runs Python blocks one after the other: ``python cells.py CELLS.json``.

The file holds {"environment": {…}, "cells": [[place, text], …]}. Each block sees what those before it defined, as
``__main__``. stdout has a record separator (U+001E) before what each printed.
A connection to another machine is refused and ends in exit code 1, whatever the block makes of the refusal; so does a
deprecated call, be it a package's own.
"""

from __future__ import annotations

import ipaddress
import json
import linecache
import os
import sys
import time
import types
import warnings
from pathlib import Path
from typing import Any

LONGEST_S = 15  # seconds of such a block, on a busy machine
escapes: list[str] = []


def stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not is_local(host.decode() if isinstance(host, bytes) else host):
        escapes.append(str(host))
        raise ConnectionRefusedError(f"a block tried to reach {host!r}")


def is_local(host: str | None) -> bool:
    try:
        return host in (None, "", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_deprecated(message: Warning | str, category: type[Warning], *_: object) -> None:
    """In place of showing a warning: LangChain's import has its deprecations shown, whatever was set before it."""
    if issubclass(category, DeprecationWarning):
        raise category(message)


def wait_for_a_minute(text: str) -> None:
    """LiteLLM counts ``rpm`` by the calendar minute: a block that shows that must not run across its end."""
    second = time.time() % 60
    if "rpm=" in text and second > 60 - LONGEST_S:
        time.sleep(60 - second)


def run(place: str, text: str, namespace: dict[str, Any]) -> None:
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)  # for tracebacks
    sys.stdout.write("\x1e")
    wait_for_a_minute(text)
    exec(compile(text, place, "exec"), namespace)
    sys.stdout.flush()


def main(file: str) -> int:
    given = json.loads(Path(file).read_text(encoding="utf-8"))
    os.environ.clear()  # uv may need more than the blocks should see
    os.environ.update(given["environment"])
    sys.addaudithook(stay_here)
    warnings.simplefilter("error", DeprecationWarning)
    warnings.showwarning = refuse_deprecated
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    for place, text in given["cells"]:
        run(place, text, module.__dict__)
    print(*escapes, file=sys.stderr)
    return int(bool(escapes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
