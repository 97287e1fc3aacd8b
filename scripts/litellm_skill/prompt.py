"""What is sent: text of the command line, a file or stdin, with its attachments, as messages."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from litellm_skill import media, screen
from litellm_skill.attachments import SentFile, check_text, decode, label, read_files, read_text, text_part
from litellm_skill.changes import read_diff
from litellm_skill.faults import BadInput
from litellm_skill.media import Media
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
    """``content`` makes up the text of the user message: the prompt itself, then files, then the diff. ``media`` follow
    it. What is in ``media`` is for any model; ``fitted`` makes of it what one model takes."""

    content: tuple[Part, ...]
    system: Part | None = None
    files: tuple[SentFile, ...] = ()
    media: tuple[Media, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """All text that would be sent, and what was read of the text in PDFs. (What images show, nobody reads.)"""
        system = (self.system,) if self.system else ()
        return (*system, *self._texts, *(_document_part(one) for one in self.media if one.document))

    @property
    def text(self) -> str:
        """The whole text of the user message."""
        return "\n\n".join(part.text for part in self._texts)

    @property
    def characters(self) -> int:
        return len(self.text) + (len(self.system.text) if self.system else 0)

    @property
    def tokens(self) -> int:
        """Estimate; see ``estimate_tokens``. Of media, what most models need at most: for what it may cost."""
        inside = sum(estimate_tokens(one.document.text) for one in self.media if one.document)
        return self._text_tokens + inside + sum(one.tokens for one in self.media)

    @property
    def least_tokens(self) -> int:
        """The same for the model that needs fewest for an image or a page: for what certainly does not fit."""
        return self._text_tokens + sum(one.least_tokens for one in self.media)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Lines: of each PDF that has pages whose text could not be read, and so not be scanned for secrets."""
        documents = [(one.name, one.document) for one in self.media if one.document]
        return tuple(
            f"{name}: secrets were looked for in {document.read} of {document.pages} pages"
            + (f": {document.ending}" if document.ending else "")
            for name, document in documents
            if document.read < document.pages
        )

    def messages(self, *, with_media: bool = True) -> list[dict[str, Any]]:
        """OpenAI's. ``content`` is a string unless there are media; without them, as a history may keep it, always."""
        system = [{"role": "system", "content": self.system.text}] if self.system else []
        content: str | list[dict[str, Any]] = self.text
        if self.media and with_media:
            content = [{"type": "text", "text": self.text}, *(one.part() for one in self.media)]
        return [*system, {"role": "user", "content": content}]

    def fitted(self, model: str, *, vision: bool | None, pdf: bool | None, hint: Callable[[str], str]) -> Prompt:
        """What ``model`` takes of it. A PDF becomes text when ``pdf`` is not True; an image needs ``vision``.

        Raises BadInput when that cannot be; ``hint`` makes its second line, of "vision" or "pdf": who takes it.
        """
        documents = tuple(one for one in self.media if one.document)
        if len(documents) < len(self.media) and not vision:
            raise BadInput(f"{model} takes no images", hint("vision"))
        if pdf:
            _check_pages(documents)
            return self
        for one in documents:
            _check_readable(one, model, hint)
        texts = tuple(_document_part(one) for one in documents)
        images = tuple(one for one in self.media if not one.document)
        return replace(self, content=(*self.content, *texts), media=images)

    @property
    def _texts(self) -> tuple[Part, ...]:
        """With the names of the media, which most wires do not carry."""
        if not self.media:
            return self.content
        names = ", ".join(one.name for one in self.media)
        return (*self.content, Part("the names of the files", f"Attached, in this order: {names}"))

    @property
    def _text_tokens(self) -> int:
        return estimate_tokens(self.text) + (estimate_tokens(self.system.text) if self.system else 0)


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
        raise _no_prompt([attachment.sent.path for attachment in attachments])
    contents = [attachment.content for attachment in attachments]
    return Prompt(
        content=(itself, *(content for content in contents if isinstance(content, Part))),
        system=system,
        files=tuple(attachment.sent for attachment in attachments),
        media=tuple(content for content in contents if isinstance(content, Media)),
    )


def _document_part(one: Media) -> Part:
    """What was read of a PDF, as a text attachment."""
    assert one.document
    return text_part(one.name, f"File: {one.name} (the text of its {one.document.pages} pages)", one.document.text)


def _check_pages(documents: Sequence[Media]) -> None:
    pages = sum(one.document.pages for one in documents if one.document)
    if pages > media.PDF_PAGES:
        names = ", ".join(one.name for one in documents)
        what = f"{names}: {pages:,} pages; the limit is {media.PDF_PAGES:,}"
        raise BadInput(what, "attach only the pages that matter")


def _check_readable(one: Media, model: str, hint: Callable[[str], str]) -> None:
    """Whether the text of a PDF can stand for it."""
    assert one.document
    if one.document.text and not one.document.ending:
        return
    why = "none of its pages has text"
    if one.document.ending:
        why = f"{one.document.read} of its {one.document.pages} pages could be read: {one.document.ending}"
    raise BadInput(f"{model} takes no PDF, and {one.name} cannot be sent as text: {why}", hint("pdf"))


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


def _no_prompt(attached: list[str]) -> BadInput:
    if attached:
        return BadInput(f"no prompt: say what to do with {', '.join(attached[:3])}", _HOW)
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
