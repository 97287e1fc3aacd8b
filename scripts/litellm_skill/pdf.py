"""What can be read in a PDF: its pages and their text, by pypdf.

A PDF may unpack to far more than its size, or never end, so it is read in a process of its own (``worker``). pypdf
6.21 unpacks no stream to more than 75 MB. Read is the text of the pages: no comments, form fields or files in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litellm_skill import worker
from litellm_skill.faults import BadInput

if TYPE_CHECKING:
    from pypdf import PageObject

SECONDS = 15.0  # for all PDFs of a command together; a host may end the command after 120
_TEXT_BYTES = 2_000_000  # of one PDF's text, as much as of a text file
_AGAIN = "open it and save it again, or attach its text"
_LOCKED = ("is encrypted", "save a copy without a password, and attach that")


@dataclass(frozen=True)
class Document:
    """``pages``: how many there are. ``texts``: of each that was read, from the first on; None where it could not be.
    ``ending``: why not all were read, as a clause; None when all were."""

    pages: int
    texts: tuple[str | None, ...]
    ending: str | None = None

    @property
    def read(self) -> int:
        """Pages."""
        return sum(text is not None for text in self.texts)

    @property
    def text(self) -> str:
        """Of all pages, each under its number; "" when none has any."""
        return "\n\n".join(map(_page, range(1, self.pages + 1), self.texts)) if any(self.texts) else ""


def _page(number: int, text: str | None) -> str:
    if text:
        return f"[page {number}]\n{text}"
    return f"[page {number}: {'its text cannot be read' if text is None else 'no text'}]"


def read(name: str, data: bytes, deadline: float) -> Document:
    """Whatever is read until ``deadline`` (``time.monotonic()``). Raises BadInput when that is not even the number of
    pages, and for an encrypted PDF; ``name`` is what the messages call it."""
    left = max(0.0, deadline - time.monotonic())
    outcome = worker.run("pdf:page_texts", data, seconds=left, most=_TEXT_BYTES)
    head, *texts = [json.loads(line) for line in outcome.output.split(b"\n")[:-1]] or [None]
    if head is None:
        raise BadInput(f"{name} cannot be read as a PDF: {outcome.ending or 'nothing is in it'}", _AGAIN)
    if isinstance(head, list):
        what, hint = head
        raise BadInput(f"{name} {what}", hint)
    return Document(head, tuple(texts), outcome.ending if len(texts) < head else None)


def page_texts(data: bytes) -> Iterator[bytes]:
    """JSON lines: the number of pages, then the text of each page or null. Or one line with what is wrong and a hint.

    Runs apart, where pypdf may fail in any way."""
    for item in _items(data):
        yield json.dumps(item, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _items(data: bytes) -> Iterator[object]:
    import io
    import logging

    import pypdf
    from pypdf.errors import DependencyError, FileNotDecryptedError

    logging.disable()
    try:
        pages = pypdf.PdfReader(io.BytesIO(data)).pages
        count = len(pages)
    except (DependencyError, FileNotDecryptedError):
        yield _LOCKED
        return
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        yield "is a damaged PDF", _AGAIN
        return
    yield count if count else ("is a PDF without pages", _AGAIN)
    for number in range(count):
        yield _text(pages, number)


def _text(pages: Sequence[PageObject], number: int) -> str | None:
    try:
        return pages[number].extract_text().replace("\0", "\ufffd").strip()
    except MemoryError:
        raise
    except Exception:
        return None
