"""Every block of the references, SKILL.md and README.md does what the page says: it is run, and its output compared."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import blocks
import litellm_proxy
import pytest
from blocks import PAGES, REFERENCES, ROOT, Block
from conftest import KEYS
from hosts.refusing_proxy import RefusingProxy
from provider_server import Call, ProviderServer, Reply, Request

OUTSIDE = dict(os.environ)  # the machine's own, with its index and its certificates: to install what a page needs
NOT_RUN = 5  # blocks marked as such; one more must be meant
BLOCK_S = 300.0
CELLS = Path(__file__).with_name("cells.py")


def ragged() -> Reply:
    """A stream of whose chunks some lack choices, some a delta, some content."""
    lacking = [{}, {"choices": []}, {"choices": [{"index": 0}]}, {"choices": [{"index": 0, "delta": {}}]}]
    deltas = [{"content": "whole "}, {"content": None}, {"content": "text"}]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    chunks = [*lacking, *({"choices": [{"index": 0, "delta": delta}]} for delta in deltas), last]
    head = {"id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1, "model": "ragged-model"}
    events = "".join(f"data: {json.dumps(head | chunk)}\n\n" for chunk in chunks)
    return Reply(body=f"{events}data: [DONE]\n\n", headers={"content-type": "text/event-stream"})


# What the played provider says instead of repeating the prompt: by model, else by the prompt's last turn.
REPLIES: dict[str, Reply] = {
    "ragged-model": ragged(),
    "cut-model": Reply(text="This is cut", stop_after=2),
    "silent-model": Reply(delay_s=10),
    "refused-model": Reply(status=401),
    "gone-model": Reply(status=404),
    "limited-model": Reply(status=429),
    "broken-model": Reply(status=500),
    "overloaded-model": Reply(status=529),
    "uncounted-model": Reply(usage=None),
    "torn-model": Reply(text="This is cut", stop_after=2, abrupt=True),
    "What is the weather in Paris?": Reply(calls=(Call("get_weather", '{"city": "Paris"}'),)),
    "Sunny in Paris.": Reply(text="It is sunny in Paris."),
    "What is the capital of France?": Reply(text='{"name": "Paris", "country": "France"}'),
}


class Provider(ProviderServer):
    """Says what ``REPLIES`` has for the model or the prompt."""

    def record(self, request: Request, *, generates: bool) -> Reply:
        reply = super().record(request, generates=generates)
        return (REPLIES.get(request.model) or REPLIES.get(request.prompt) or reply) if generates else reply


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the blocks of a page run; ``SKILL`` and ``scripts`` are there, as the pages write them."""
    place = tmp_path / "work"
    (place / "SKILL").symlink_to(ROOT)
    (place / "scripts").symlink_to(ROOT / "scripts")
    return place


@contextlib.contextmanager
def played() -> Iterator[tuple[dict[str, str], Provider, RefusingProxy]]:
    """The environment of a block: made-up keys, the played provider behind each, and no way to anywhere else."""
    with Provider() as provider, RefusingProxy() as outside:
        addresses = {"OPENAI_BASE_URL": f"{provider.url}/v1", "ANTHROPIC_BASE_URL": provider.url}
        addresses |= {"GEMINI_API_BASE": f"{provider.url}/v1beta", "OLLAMA_API_BASE": provider.url}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **KEYS, **addresses, **outside.settings, "PATH": path, "PYTHONUTF8": "1"}
        yield environment, provider, outside
    assert provider.failures == []


@pytest.fixture
def surroundings() -> Iterator[dict[str, str]]:
    with played() as (environment, _, outside):
        yield environment
    assert outside.asked_for == []


def python(packages: tuple[str, ...]) -> list[str]:
    """This Python, or with packages one that uv makes."""
    if not packages:
        return [sys.executable]
    day = re.search(r"--exclude-newer (\S+)", litellm_proxy.LOCK)
    assert day
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    uv = [sys.executable, "-m", "uv", "run", "--quiet", "--isolated", "--no-project", "--python", minor]
    wanted = [option for package in packages for option in ("--with", package)]
    return [*uv, "--exclude-newer", day[1], *wanted, "python"]


def install(packages: tuple[str, ...]) -> None:
    done = subprocess.run([*python(packages), "-c", ""], env=OUTSIDE, capture_output=True, text=True, check=False)
    assert "No solution found" not in done.stderr, done.stderr
    if done.returncode:
        pytest.skip(f"uv cannot install {', '.join(packages)}: {done.stderr.strip()[-300:]}")


def printed_by(command: list[str], environment: dict[str, str], folder: Path) -> str:
    options = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL, "timeout": BLOCK_S}
    done = subprocess.run(command, **options, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def printed_by_python(cells: list[Block], environment: dict[str, str], folder: Path) -> list[str]:
    """What each printed."""
    packages = cells[0].packages
    if packages:
        install(packages)
    file = folder.with_name("cells.json")
    texts = [(block.place, block.text) for block in cells]
    file.write_text(json.dumps({"environment": environment, "cells": texts}))
    # uv needs its own; the cells get theirs. Compiling a page's packages anew each time would take ten seconds.
    of_uv = {**OUTSIDE, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": ""}
    of_process = of_uv if packages else environment
    return printed_by([*python(packages), str(CELLS), str(file)], of_process, folder).split("\x1e")[1:]


def printed_by_shell(block: Block, environment: dict[str, str], folder: Path) -> str:
    return printed_by(["bash", "-euo", "pipefail", "-c", block.text], environment, folder)


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks.of(page) if block.is_python or block.is_shell]


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=lambda page: page.name)
def test_every_block_does_what_the_page_shows(page: Path, folder: Path, surroundings: dict[str, str]) -> None:
    for block in blocks.of(page):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
    printed: list[tuple[Block, str]] = []
    cells = [block for block in runnable(page) if block.is_python]
    for packages in dict.fromkeys(block.packages for block in cells):
        some = [block for block in cells if block.packages == packages]
        printed += zip(some, printed_by_python(some, surroundings, folder), strict=True)
    printed += [(block, printed_by_shell(block, surroundings, folder)) for block in runnable(page) if block.is_shell]
    wrong = [
        f"{block.place}\n--- shown\n{block.shown}--- printed\n{text}"
        for block, text in printed
        if not block.agrees_with(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_not_run_is_counted() -> None:
    marked = [block.place for page in PAGES for block in blocks.of(page) if block.why_not]
    assert len(marked) == NOT_RUN, marked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_fence_escapes(page: Path) -> None:
    """Each fence of a page belongs to a block that was read, each comment above one to a mark that is known."""
    text, read = page.read_text(encoding="utf-8"), list(blocks.of(page))
    assert text.count("```") == sum(2 + 2 * (block.shown is not None) for block in read)
    assert {block.language for block in read} <= {"python", "bash", "sh", "yaml", "json", "toml"}
    marked = sum(bool(block.file or block.why_not) for block in read) + text.count("<!-- run with: ")
    assert text.count("-->\n```") == marked


def test_what_was_seen_was_seen_with_the_locked_release() -> None:
    """What cannot be run is measured again, and the page changed, when LiteLLM is renewed."""
    texts = "".join(page.read_text(encoding="utf-8") for page in REFERENCES)
    named = set(re.findall(r"with LiteLLM (\d+\.\d+\.\d+)|litellm\[proxy\]==([\d.]+)", texts))
    (locked,) = re.findall(r"(?m)^litellm==(\S+)", litellm_proxy.LOCK)
    assert named == {(locked, ""), ("", locked)}


@pytest.mark.parametrize("page", REFERENCES, ids=lambda page: page.name)
def test_a_reference_says_when_to_read_it(page: Path) -> None:
    assert re.match(r"# .+\n\nRead this when \w", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("shown", "printed", "agrees"),
    [
        ("one\ntwo\n", "one\ntwo  \n", True),
        ("one\n", "one\ntwo\n", False),
        ("on…\n", "one\n", True),
        ("on…\n", "one\ntwo\n", False),
        ("one\n…\n", "one\n", True),
        ("one\n…\nfour\n", "one\ntwo\nthree\nfour\n", True),
        ("…\nfour\n", "one\ntwo\n", False),
    ],
)
def test_what_is_shown_is_compared(shown: str, printed: str, agrees: bool) -> None:
    page = ROOT / "references" / "made-up.md"
    block = Block(page, 1, "python", "", file=None, why_not=None, packages=(), shown=shown)
    assert block.agrees_with(printed) == agrees


QUIETLY = "import socket, contextlib\nwith contextlib.suppress(OSError):\n    "


@pytest.mark.parametrize(
    ("cell", "code", "stderr"),
    [
        ("print(1)", 0, ""),
        ("assert number == 2", 1, "AssertionError"),
        (f"{QUIETLY}socket.create_connection(('192.0.2.1', 80))", 1, "192.0.2.1"),
        (f"{QUIETLY}socket.getaddrinfo('example.com', 80)", 1, "example.com"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)", 1, "DeprecationWarning: old"),
    ],
)
def test_a_cell_may_not_fail_leave_or_be_out_of_date(tmp_path: Path, cell: str, code: int, stderr: str) -> None:
    file = tmp_path / "cells.json"
    file.write_text(json.dumps({"environment": {}, "cells": [["page:1", "number = 1"], ["page:5", cell]]}))
    done = subprocess.run([sys.executable, str(CELLS), str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert stderr in done.stderr
