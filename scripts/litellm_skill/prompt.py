"""What is sent: text of the command line, a file or stdin, with its attachments, as messages."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from litellm_skill import screen
from litellm_skill.attachments import Attachment, SentFile, check_text, decode, label, read_files, read_text
from litellm_skill.changes import read_diff
from litellm_skill.faults import BadInput
from litellm_skill.screen import Part

# Seconds until the first byte. A host agent may leave a pipe open into which nobody ever writes.
STDIN_UNASKED_S = 5.0
STDIN_ASKED_S = 60.0
_CHUNK = 65536
_HOW = "give it as the first argument, with --prompt-file F, or piped in with -"


@dataclass(frozen=True)
class Inputs:
    """What the command line named; paths are relative to the working directory.

    ``allow_paths``: files that may be sent although their names say that they hold secrets, or that lie behind a link
    out of the working directory.
    """

    argument: str | None = None
    prompt_file: str | None = None
    system: str | None = None
    system_file: str | None = None
    files: tuple[str, ...] = ()
    diff: bool = False
    diff_base: str | None = None
    allow_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prompt:
    """``content`` makes up the user message: the prompt itself, then files, then the diff."""

    content: tuple[Part, ...]
    system: Part | None = None
    files: tuple[SentFile, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """Everything that would be sent."""
        return (self.system, *self.content) if self.system else self.content

    @property
    def text(self) -> str:
        """The whole user message."""
        return "\n\n".join(part.text for part in self.content)

    @property
    def characters(self) -> int:
        return sum(len(message["content"]) for message in self.messages())

    @property
    def tokens(self) -> int:
        """Estimate; see ``estimate_tokens``."""
        return sum(estimate_tokens(message["content"]) for message in self.messages())

    def messages(self) -> list[dict[str, str]]:
        system = [{"role": "system", "content": self.system.text}] if self.system else []
        return [*system, {"role": "user", "content": self.text}]


def read(inputs: Inputs, *, stdin: BinaryIO | None, directory: Path, max_bytes: int = 2_000_000) -> Prompt:
    """Everything that ``inputs`` names, read and checked; not yet scanned (``screen.scan``).

    Raises ``BadInput``; ``SecretFound`` for a file that is not to be opened; without git, ``NotSetUp``.

    ``max_bytes`` limits each file, stdin and the diff. Without attachments ``text`` is exactly the prompt.
    """
    if inputs.argument is not None and inputs.prompt_file is not None:
        raise BadInput("two prompts: an argument and --prompt-file", "give one of them")
    if inputs.system is not None and inputs.system_file is not None:
        raise BadInput("two system prompts: --system and --system-file", "give one of them")
    system = _system(inputs, directory, max_bytes)
    attachments = list(read_files(inputs.files, directory, max_bytes, inputs.allow_paths))
    if inputs.diff or inputs.diff_base is not None:
        attachments.append(read_diff(directory, inputs.diff_base, max_bytes, inputs.allow_paths))
    itself = _itself(inputs, stdin, directory, max_bytes)
    if not itself.text.strip():
        raise _no_prompt(attachments)
    content = (itself, *(attachment.part for attachment in attachments))
    return Prompt(content, system, tuple(attachment.sent for attachment in attachments))


# Each match is about one token: a short word or a part of a long one, up to three digits, some punctuation,
# a line break with its indentation. (re compiles these when they are first used: not on --help.)
_PIECE = r"[A-Z]?[a-z]{1,9}|[A-Z]{1,6}|[0-9]{1,3}| (?=[0-9])|[!-/:-@\[-`{-~]{1,3}|\n\s*| {2,}|\t"
# Tokens a character. What is in none of these, symbols and box drawing for the most part, counts one each.
_RATES = (
    ("[\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]+", 0.93),  # Chinese characters
    ("[\u3040-\u30ff]+", 0.87),  # kana
    ("[\u1100-\u11ff\uac00-\ud7af]+", 0.9),  # hangul
    ("[\u0080-\u1fff]+", 0.4),  # accented Latin, Cyrillic, Greek, Arabic, Hindi, Thai
    ("[\U00010000-\U0010ffff]+", 2.4),  # emoji
)


def estimate_tokens(text: str) -> int:
    """Tokens of ``text``, by the kinds of characters in it; about 3 ms for 100 kB.

    Within 25 % of OpenAI's o200k_base for prose, code, JSON, Chinese, Japanese and Korean, mostly above.
    Older tokenizers (cl100k_base; Claude 2's, the last that Anthropic published) agree for English and
    code and need more elsewhere: up to 1.4 times this for Chinese and Japanese, 1.6 for Korean, 1.7 for
    traditional Chinese, 2 to 4 for Greek, Hebrew, Arabic, Hindi and Thai. Counts: tests/test_prompt.py.
    """
    tokens: float = len(re.findall(_PIECE, text))
    if text.isascii():
        return int(tokens)
    rest = "".join(re.findall(r"[^\x00-\x7f]+", text))
    for script, rate in _RATES:
        others = re.sub(script, "", rest)
        tokens += rate * (len(rest) - len(others))
        rest = others
    return round(tokens + len(rest))


def _system(inputs: Inputs, directory: Path, max_bytes: int) -> Part | None:
    """None when it is empty: some providers refuse an empty message."""
    if inputs.system_file is not None:
        part = _file(inputs.system_file, inputs, directory, max_bytes)
    else:
        part = Part("the system prompt", check_text(inputs.system or "", "the system prompt"))
    return part if part.text else None


def _itself(inputs: Inputs, stdin: BinaryIO | None, directory: Path, max_bytes: int) -> Part:
    if "-" in (inputs.argument, inputs.prompt_file):
        return Part("stdin", _stdin_text(stdin, STDIN_ASKED_S, max_bytes))
    if inputs.prompt_file is not None:
        return _file(inputs.prompt_file, inputs, directory, max_bytes)
    if inputs.argument is not None:
        return Part("the prompt", check_text(inputs.argument, "the prompt"))
    if stdin is None or stdin.closed or stdin.isatty():
        return Part("the prompt", "")
    return Part("stdin", _stdin_text(stdin, STDIN_UNASKED_S, max_bytes))


def _no_prompt(attachments: list[Attachment]) -> BadInput:
    if attachments:
        names = ", ".join(attachment.sent.path for attachment in attachments[:3])
        return BadInput(f"no prompt: say what to do with {names}", _HOW)
    return BadInput("no prompt, or an empty one", _HOW)


def _file(name: str, inputs: Inputs, directory: Path, max_bytes: int) -> Part:
    path = directory / name
    shown = label(path, directory)
    screen.check_path(path, shown, directory, inputs.allow_paths)
    return Part(shown, read_text(path, shown, max_bytes)[0])


def _stdin_text(stdin: BinaryIO | None, wait: float, max_bytes: int) -> str:
    if stdin is None or stdin.closed:
        raise BadInput("no prompt: stdin is closed", _HOW)
    try:
        return decode(_stdin_bytes(stdin, wait, max_bytes), "stdin")
    except OSError as error:
        raise BadInput(f"cannot read stdin: {error.strerror or error}", _HOW) from error


def _stdin_bytes(stdin: BinaryIO, wait: float, max_bytes: int) -> bytes:
    descriptor = stdin.fileno()
    chunk = _next_chunk(descriptor, wait)
    if chunk is None:
        raise BadInput(f"no prompt: stdin is open, but nothing came within {wait:.0f} s", _HOW)
    read = bytearray()
    while chunk:
        read += chunk
        if len(read) > max_bytes:
            message = f"stdin is longer than {max_bytes:,} bytes ({len(read):,} read so far)"
            raise BadInput(message, "send only the part that matters")
        chunk = _next_chunk(descriptor, None)
    return bytes(read)


def _next_chunk(descriptor: int, wait: float | None) -> bytes | None:
    """The next bytes, b"" at the end; None when none came within ``wait`` seconds (None: no limit)."""
    if os.name == "nt":
        return os.read(descriptor, _CHUNK) if wait is None else _chunk_by_thread(descriptor, wait)
    import select

    ready, _, _ = select.select([descriptor], [], [], wait)  # also right for a pipe that does not block
    return os.read(descriptor, _CHUNK) if ready else None


def _chunk_by_thread(descriptor: int, wait: float) -> bytes | None:
    # Windows has no select for pipes. os.read, because a thread left in stdin.read holds a lock at exit.
    import queue
    import threading

    chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=lambda: chunks.put(os.read(descriptor, _CHUNK)), daemon=True).start()
    try:
        return chunks.get(timeout=wait)
    except queue.Empty:
        return None
