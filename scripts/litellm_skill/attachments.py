"""Files that go along with a prompt: text is fenced, images and PDFs are sent as they are.

Every check comes before anything is sent: what is not a readable, regular file of moderate size, and UTF-8 text,
an image or a PDF, is ``faults.BadInput``.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from litellm_skill import media, pdf, screen
from litellm_skill.faults import BadInput
from litellm_skill.media import Media
from litellm_skill.screen import Part

# All attached texts together may have this many times the limit of one: 16 MB, more than any model reads.
_TOTAL_FACTOR = 8
# O_NONBLOCK: opening a FIFO that took the file's place after the check must not wait for a writer.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_URL = re.compile(r"(?i)[a-z][a-z0-9+.-]+://")
_NOT_TEXT = {
    b"PK\x03\x04": "a ZIP archive or an Office document",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_CONVERT = "convert it to UTF-8 first, for example with iconv -f LATIN1 -t UTF-8"
_HEAD = 12  # bytes, as many as ``media.kind`` wants
HEADING = 2  # lines before the content: its name and the fence


@dataclass(frozen=True)
class SentFile:
    """``path`` as the model reads it; ``bytes`` and ``sha256`` of the content as it is on disk."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Attachment:
    """``content``: a text with heading and fence, as it stands in the user message; or what stands beside the text."""

    content: Part | Media
    sent: SentFile


def read_files(
    patterns: tuple[str, ...], directory: Path, max_bytes: int, allowed: tuple[str, ...] = ()
) -> Iterator[Attachment]:
    """The files that ``patterns`` (paths and globs, relative to ``directory``) name, each once.

    Raises ``SecretFound`` before a file is opened whose name says that it holds secrets, unless it is ``allowed``.
    """
    seen: set[str] = set()
    total = {Part: 0, Media: 0}
    limits = {Part: _TOTAL_FACTOR * max_bytes, Media: media.TOTAL_BYTES}
    deadline = time.monotonic() + pdf.SECONDS
    for path in (path for pattern in patterns for path in _matches(pattern, directory, allowed)):
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        attachment = _read(path, label(path, directory), max_bytes, deadline)
        kind = type(attachment.content)
        total[kind] += attachment.sent.bytes
        if total[kind] > limits[kind]:
            what = f"the attached files come to more than {limits[kind]:,} bytes"
            raise BadInput(what, "attach fewer: name the folder or the suffix that matters")
        yield attachment


def _read(path: Path, name: str, max_bytes: int, deadline: float) -> Attachment:
    raw = _read_bytes(path, name, lambda head: media.limit(mime) if (mime := media.kind(head)) else max_bytes)
    if mime := media.kind(raw):
        return Attachment(media.read(name, mime, raw, deadline), sent_file(name, raw))
    return Attachment(text_part(name, f"File: {name}", decode(raw, name), path.suffix[1:]), sent_file(name, raw))


def text_part(name: str, heading: str, content: str, language: str = "") -> Part:
    """``content`` as the model reads it, under one line that says what it is."""
    return Part(name, f"{heading}\n{fenced(content, language)}", heading=HEADING)


def read_text(path: Path, name: str, max_bytes: int) -> tuple[str, bytes]:
    """Text of a regular UTF-8 file, and its bytes; ``name`` is what the errors call it."""
    raw = _read_bytes(path, name, lambda _: max_bytes)
    return decode(raw, name), raw


def _read_bytes(path: Path, name: str, limit_of: Callable[[bytes], int]) -> bytes:
    """Of a regular file; how many there may be follows from its first ones."""
    try:
        # stat before open: opening some devices has effects. And after it: the path may have changed.
        _refuse_special(os.stat(path), name)
        with open(os.open(path, _OPEN_FLAGS), "rb") as stream:
            status = os.fstat(stream.fileno())
            _refuse_special(status, name)
            head = stream.read(_HEAD)
            limit = limit_of(head)
            raw = head + stream.read(max(0, limit + 1 - len(head)))
    except FileNotFoundError as error:
        hint = "to send what is piped in, make - the prompt" if name == "-" else "check the path"
        raise BadInput(f"no such file: {name}", hint) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot read {name}: {reason}", "attach a file that you may read") from error
    if len(raw) > limit:
        size = max(status.st_size, len(raw))
        raise BadInput(f"{name} has {size:,} bytes; the limit is {limit:,}", "attach only the part that matters")
    return raw


def decode(raw: bytes, name: str) -> str:
    """``raw`` as text: strict UTF-8 without NUL; a byte order mark is dropped, nothing else is changed."""
    if mime := media.kind(raw):
        shown = "a PDF" if mime == media.PDF else "an image"
        raise BadInput(f"{name} is {shown}, and only text can stand here", "attach it with -f")
    for magic, kind in _NOT_TEXT.items():
        if raw.startswith(magic):
            raise BadInput(f"{name} is {kind}: only UTF-8 text can be sent", "send its text instead")
    if b"\0" in raw:
        raise BadInput(f"{name} is not text: NUL at byte offset {raw.index(0)}", "send text only")
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        at = error.start
        raise BadInput(f"{name} is not UTF-8: byte 0x{raw[at]:02x} at byte offset {at}", _CONVERT) from error


def check_text(text: str, name: str) -> str:
    """``text`` from the command line, refused when it holds NUL or bytes that were not UTF-8."""
    bad = re.search("[\0\ud800-\udfff]", text)
    if bad:
        what = "NUL" if bad[0] == "\0" else "a byte that is not UTF-8"
        raise BadInput(f"{name} is not text: {what} at character {bad.start() + 1}", "put it into a UTF-8 file")
    return text


def label(path: Path, directory: Path) -> str:
    """What ``path`` is called in messages and to the model: relative to ``directory``, on one line.

    A file outside keeps its ``../``: unambiguous, and without the common part, such as a home folder.
    """
    try:
        name = os.path.relpath(path, directory)
        if name.startswith(os.pardir):  # a link to ``directory`` in the path hides that the file is inside
            inside = os.path.relpath(os.path.realpath(path), os.path.realpath(directory))
            name = name if inside.startswith(os.pardir) else inside
    except ValueError:  # NUL in the path, or another drive on Windows
        name = path.name
    return escape(name.replace(os.sep, "/"))


def escape(name: str) -> str:
    """``name`` on one line and as valid Unicode."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def sent_file(name: str, raw: bytes) -> SentFile:
    import hashlib

    return SentFile(name, len(raw), hashlib.sha256(raw).hexdigest())


def _refuse_special(status: os.stat_result, name: str) -> None:
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise BadInput(f"{name} is a directory", f"name its files, for example -f '{name}/**/*.py'")
    if not stat.S_ISREG(mode):
        kind = "FIFO" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
        raise BadInput(f"{name} is a {kind}, not a regular file", "to send what is piped in, make - the prompt")


def _matches(pattern: str, directory: Path, allowed: tuple[str, ...]) -> list[Path]:
    """Files that ``pattern`` means, sorted. A part of it that exists literally, as ``a[1].py``, is no glob.

    Directories are skipped, and names that begin with a dot too unless the pattern has such a part.
    ``**`` does not follow links; a link out of the folder that the pattern begins with is refused.
    Nothing that may not be sent is left out silently: it is an error.
    """
    if _URL.match(pattern):
        raise BadInput(f"{escape(pattern)} is a URL, and those are not fetched", "download it, and attach the file")
    folder, parts = directory, Path(pattern).parts
    while parts and (not re.search(r"[*?\[]", parts[0]) or os.path.lexists(folder / parts[0])):
        folder, parts = folder / parts[0], parts[1:]
    if not parts:
        screen.check_path(folder, label(folder, directory), directory, allowed)
        return [folder]
    glob = "/".join((*parts, "*") if parts[-1] == "**" else parts)
    try:
        found = sorted(path for path in folder.glob(glob) if not path.is_dir())
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot expand {escape(pattern)}: {error}", "write ** as in 'DIR/**/*.py'") from error
    if not any(part.startswith(".") for part in parts):
        found = [path for path in found if "/." not in f"/{path.relative_to(folder).as_posix()}"]
    if not found:
        raise BadInput(f"no file matches {escape(pattern)}", "patterns start at the working directory")
    for path in found:
        screen.check_path(path, label(path, directory), directory, allowed, escape(pattern))
        if not screen.is_allowed(path, directory, allowed):
            _refuse_link_out(path, folder, directory)
    return found


def _refuse_link_out(path: Path, folder: Path, directory: Path) -> None:
    # In a downloaded project such a link could fetch a private file that nobody named.
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise BadInput(
            f"{label(path, directory)} is a link out of {label(folder, directory)}",
            "if it is to be sent, name that file itself with -f",
        )


def fenced(content: str, language: str) -> str:
    """``content`` between fences longer than any run of backticks in it, so that it cannot close them."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", content)), default=0))
    end = "" if content.endswith("\n") or not content else "\n"
    return f"{fence}{language if language.isalnum() else ''}\n{content}{end}{fence}"
