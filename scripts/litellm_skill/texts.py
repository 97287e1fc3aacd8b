"""Texts to embed: from the command line, files, stdin and JSON Lines. They are read as they are needed, never all at
once, checked and screened one by one, and put together into requests of the size that a provider takes."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO

from litellm_skill import screen
from litellm_skill.attachments import check_text, decode, label, read_text
from litellm_skill.faults import BadInput, DeadlinePassed, Fault
from litellm_skill.prompt import STDIN_ASKED_S, STDIN_UNASKED_S, estimate_tokens
from litellm_skill.screen import Part

MAX_BYTES = 2_000_000  # of one text, or of one line; no model reads as much
_CHUNK = 65_536
_HOW = "give TEXT, -f FILE, --jsonl FILE, or - for stdin"
_LINE = 'a line is {"id": …, "text": "…"}, or a text in quotes'

Id = str | int | float

# Texts and tokens that one request may have, by the model's id; the first that matches. From the providers' API
# references; Vertex AI takes one text of its Gemini models, and LiteLLM would make one vector of several.
PER_REQUEST: Sequence[tuple[str, int, int | None]] = (
    ("vertex_ai/gemini-embedding*", 1, None),
    ("vertex_ai/*", 250, 20_000),
    ("gemini/*", 100, None),
    ("cohere/*", 96, None),
    ("bedrock/*cohere*", 96, None),
    ("dashscope/*", 10, None),
    ("mistral/*", 512, 16_384),
    ("voyage/*", 1_000, 120_000),
    ("*", 2_048, 300_000),
)
MARGIN = 1.4  # times the estimate, where tokens must not be more; see prompt.estimate_tokens


@dataclass(frozen=True)
class Text:
    """``id``: the input's own, else its number (from 1), line or path. ``source`` is what messages call it; ``tokens``
    is an estimate."""

    id: Id
    text: str
    source: str
    tokens: int


@dataclass(frozen=True)
class Sources:
    """What the command line named, in the order it is read; paths are relative to the working directory.

    ``until``: ``time.monotonic()`` when stdin must have come to its end. ``secrets`` None: nothing is screened.
    """

    arguments: Sequence[str] = ()
    files: Sequence[str] = ()
    jsonl: str | None = None
    allow_paths: Sequence[str] = ()
    secrets: Sequence[str] | None = ()
    until: float = math.inf


def read(sources: Sources, stdin: BinaryIO | None, directory: Path) -> Iterator[Text]:
    """Each text when it is asked for. Raises BadInput, which names line or file, and SecretFound."""
    _check(sources)
    found = False
    for text in _each(sources, stdin, directory):
        found = True
        if not text.text.strip():
            raise BadInput(f"{text.source} is empty: there is nothing to embed", "leave it out")
        if sources.secrets is not None:
            _screen(text, sources.secrets)
        yield text
    if not found:
        raise BadInput("no text to embed", _HOW)


def batches(
    texts: Iterable[Text], size: int, model_id: str, most_tokens: int | None = None
) -> Iterator[tuple[Text, ...]]:
    """Up to ``size`` texts together, of at most ``most_tokens`` (an estimate); or fewer where the model's provider does
    not take so many, or so long ones. A text that is too long by itself stands alone."""
    _, most, limit = next(row for row in PER_REQUEST if fnmatchcase(model_id, row[0]))
    room = min(most_tokens or math.inf, limit / MARGIN if limit else math.inf)
    batch: list[Text] = []
    tokens = 0
    try:
        for text in texts:
            if batch and tokens + text.tokens > room:
                yield tuple(batch)
                batch, tokens = [], 0
            batch.append(text)
            tokens += text.tokens
            if len(batch) == min(size, most):
                yield tuple(batch)
                batch, tokens = [], 0
    except Fault:
        if batch:  # what stands before the fault
            yield tuple(batch)
        raise
    if batch:
        yield tuple(batch)


def one(id: Id, text: str, source: str) -> Text:
    return Text(id, text, source, estimate_tokens(text))


def _check(sources: Sources) -> None:
    if (sources.jsonl == "-") + list(sources.arguments).count("-") > 1:
        raise BadInput("stdin is asked for twice", "name - once")
    taken = next((name for name in sources.arguments if sources.files and os.path.isfile(name)), None)
    if taken is not None:
        what = f"{taken!r} is a file, but would be embedded as a text, for one -f takes one file"
        raise BadInput(what, f"write -f before each file: -f {sources.files[0]} -f {taken}")


def _each(sources: Sources, stdin: BinaryIO | None, directory: Path) -> Iterator[Text]:
    for number, argument in enumerate(sources.arguments, 1):
        if argument == "-":
            yield _stdin_text(stdin, sources.until, STDIN_ASKED_S)
        else:
            yield one(number, check_text(argument, f"text {number}"), f"text {number}")
    for name in sources.files:
        path = directory / name
        shown = label(path, directory)
        screen.check_path(path, shown, directory, sources.allow_paths)
        yield one(shown, read_text(path, shown, MAX_BYTES)[0], shown)
    if sources.jsonl is not None:
        yield from _json_lines(sources, stdin, directory)
    elif not sources.arguments and not sources.files and stdin is not None and not stdin.closed and not stdin.isatty():
        yield _stdin_text(stdin, sources.until, STDIN_UNASKED_S)


def _screen(text: Text, secrets: Sequence[str]) -> None:
    """Raises SecretFound that names the text, by its line where it has one."""
    source, _, line = text.source.partition(", line ")
    found = screen.scan([Part(source, text.text)], secrets)
    screen.refuse([replace(one, line=int(line)) for one in found] if line else found)


def _stdin_text(stdin: BinaryIO | None, until: float, first_wait: float) -> Text:
    raw = b""
    for chunk in _chunks(stdin, until, first_wait):
        raw += chunk
        if len(raw) > MAX_BYTES:
            raise BadInput(f"stdin is longer than {MAX_BYTES:,} bytes", "for many texts: --jsonl -")
    return one("stdin", decode(raw, "stdin"), "stdin")


def _json_lines(sources: Sources, stdin: BinaryIO | None, directory: Path) -> Iterator[Text]:
    name = str(sources.jsonl)
    if name == "-":
        yield from _parsed(_lines(_chunks(stdin, sources.until, STDIN_ASKED_S), "stdin"), "stdin")
        return
    path = directory / name
    shown = label(path, directory)
    screen.check_path(path, shown, directory, sources.allow_paths)
    if path.exists() and not path.is_file():
        raise BadInput(f"{shown} is not a regular file", "pipe it in: --jsonl -")
    try:
        with open(path, "rb") as stream:
            yield from _parsed(_lines(iter(lambda: stream.read(_CHUNK), b""), shown), shown)
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}", "check the path") from error


def _parsed(lines: Iterable[bytes], name: str) -> Iterator[Text]:
    """A text for each line that is not blank; the lines count from 1."""
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            source = f"{name}, line {number}"
            yield one(*_identified(line, source, number), source)


def _identified(line: bytes, source: str, number: int) -> tuple[Id, str]:
    try:
        found = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{source} is not UTF-8", _LINE) from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{source} is not JSON", _LINE) from error
    row: dict[str, Any] = found if isinstance(found, dict) else {"text": found}
    text, id = row.get("text"), row.get("id")
    if not isinstance(text, str):
        raise BadInput(f"{source} has no text", _LINE)
    if id is not None and not _is_id(id):
        raise BadInput(f"{source}: its id is neither a text nor a number", _LINE)
    return (number if id is None else id), check_text(text, source)


def _is_id(id: Any) -> bool:
    return isinstance(id, str) or (isinstance(id, int | float) and not isinstance(id, bool) and math.isfinite(id))


def _lines(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Raises BadInput at a line that is too long, before it is all in memory."""
    rest = b""
    number = 0
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in (*lines, rest):
            number += 1
            if len(line) > MAX_BYTES:
                raise BadInput(f"{name}, line {number} is longer than {MAX_BYTES:,} bytes", "cut the text into pieces")
        number -= 1
        yield from lines
    if rest:
        yield rest


def _chunks(stdin: BinaryIO | None, until: float, first_wait: float) -> Iterator[bytes]:
    """What comes through stdin. An open pipe into which nobody writes ends with BadInput after ``first_wait`` seconds,
    one that falls silent later with DeadlinePassed."""
    if stdin is None or stdin.closed:
        raise BadInput("stdin is closed", _HOW)
    descriptor, wait, came = stdin.fileno(), first_wait, False
    while _readable(descriptor, max(0.0, min(wait, until - time.monotonic()))):
        try:
            chunk = os.read(descriptor, _CHUNK)
        except OSError as error:
            raise BadInput(f"cannot read stdin: {error.strerror}", _HOW) from error
        if not chunk:
            return
        yield chunk
        wait, came = math.inf, True
    if came:
        raise DeadlinePassed("stdin did not come to its end in time", "raise --timeout")
    raise BadInput("stdin is open, but nothing came through it", _HOW)


def _readable(descriptor: int, seconds: float) -> bool:
    """Whether something, or the end, comes within ``seconds``. On Windows, where pipes cannot be asked: yes."""
    if os.name == "nt":
        return True
    import select

    return bool(select.select([descriptor], [], [], None if seconds == math.inf else seconds)[0])
