"""Images and PDF documents that go along with a prompt: recognised by their first bytes, and measured.

Limits are Anthropic's, the strictest that is documented for all its models (platform.claude.com/docs, "Vision" and
"PDF support"): a provider that takes less refuses by itself. Nothing is ever made smaller here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from litellm_skill import pdf
from litellm_skill.faults import BadInput

PDF = "application/pdf"
IMAGE_BYTES = 7_500_000  # 10 MB as base64 (5 MB on Bedrock and Vertex AI, which then refuse)
IMAGE_SIDE = 8_000  # pixels
PDF_BYTES = 20_000_000
TOTAL_BYTES = 24_000_000  # of all media: 32 MB, the whole request, as base64
PDF_PAGES = 600  # 100 for a model with a window under a million tokens, which those tokens exceed as well
# At most, of an image of any size; the newest models bill up to 4,784. A page of a PDF is an image, with its text.
IMAGE_TOKENS = 1_568
LEAST_IMAGE_TOKENS = 258  # a small image, or a page of a PDF, at Google (ai.google.dev, "Document understanding")

_SEGMENTS = 1_000  # of a JPEG file before its first scan; a colour profile takes up to 255
_SHOWN = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WebP"}


@dataclass(frozen=True)
class Media:
    """A file that is sent as it is. ``name`` is what the model and messages call it."""

    name: str
    mime: str
    data: bytes = field(repr=False)
    document: pdf.Document | None = None

    @property
    def tokens(self) -> int:
        """Estimate of what it costs as images, without the text that goes with the pages of a PDF."""
        return IMAGE_TOKENS * (self.document.pages if self.document else 1)

    @property
    def least_tokens(self) -> int:
        """The same for the model that needs least."""
        return LEAST_IMAGE_TOKENS * (self.document.pages if self.document else 1)

    def part(self) -> dict[str, object]:
        """Of a message's content, in OpenAI's words. LiteLLM 1.106.2 puts it on the wires of OpenAI, Anthropic and
        Gemini byte for byte; to Ollama it passes images on, and silently drops a PDF."""
        import base64

        url = f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"
        if self.mime == PDF:
            return {"type": "file", "file": {"filename": self.name, "file_data": url}}
        return {"type": "image_url", "image_url": {"url": url}}


def kind(head: bytes) -> str | None:
    """The MIME type that the first 12 bytes of a file say; None when it is no image and no PDF that can be sent."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return PDF if head.startswith(b"%PDF-") else None


def limit(mime: str) -> int:
    """Bytes."""
    return PDF_BYTES if mime == PDF else IMAGE_BYTES


def read(name: str, mime: str, data: bytes, deadline: float) -> Media:
    """``data`` checked and, if it is a PDF, read until ``deadline`` (``time.monotonic()``). Raises BadInput."""
    if mime == PDF:
        return Media(name, mime, data, pdf.read(name, data, deadline))
    size = _size(mime, data)
    shown = _SHOWN[mime]
    if size is None or 0 in size:
        raise BadInput(f"{name} is a {shown} image whose header is cut or damaged", "open it and save it again")
    if max(size) > IMAGE_SIDE:
        what = f"{name} is {size[0]:,} x {size[1]:,} pixels; the limit is {IMAGE_SIDE:,} a side"
        raise BadInput(what, "attach a smaller copy, or the part that matters")
    return Media(name, mime, data)


def _size(mime: str, data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, as the header has them; None when it does not."""
    if mime == "image/png":
        return _two(data, 16, 4) if data[8:16] == b"\0\0\0\rIHDR" else None
    if mime == "image/gif":
        return _two(data, 6, 2, "little")
    return _jpeg_size(data) if mime == "image/jpeg" else _webp_size(data)


def _two(data: bytes, at: int, width: int, order: Literal["big", "little"] = "big") -> tuple[int, int] | None:
    first, second = data[at : at + width], data[at + width : at + 2 * width]
    return (int.from_bytes(first, order), int.from_bytes(second, order)) if len(second) == width else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """From the frame header, which stands somewhere before the first scan (ITU-T T.81, B.2)."""
    at = 2
    for _ in range(_SEGMENTS):
        introducer, marker = data[at : at + 1], data[at + 1 : at + 2]
        if marker == b"\xff":  # fill byte
            at += 1
            continue
        if introducer != b"\xff" or not _is_segment(marker):
            return None
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker <= b"\xcf" and marker not in (b"\xc4", b"\xc8", b"\xcc"):
            found = _two(data, at + 5, 2) if length >= 8 else None
            return (found[1], found[0]) if found else None
        at += 2 + max(2, length)
    return None


def _is_segment(marker: bytes) -> bool:
    """Of those that may come before the first scan (which begins with DA)."""
    return b"\xc0" <= marker <= b"\xcf" or b"\xdb" <= marker <= b"\xfe"


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Of a lossy, a lossless or an extended file (RFC 9649)."""
    chunk, body = data[12:16], data[20:30]
    if chunk == b"VP8X" and len(body) == 10:
        found = _two(body, 4, 3, "little")
        return (found[0] + 1, found[1] + 1) if found else None
    if chunk == b"VP8L" and body[:1] == b"\x2f" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) == 10:
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None
