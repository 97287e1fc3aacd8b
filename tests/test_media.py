"""Images and PDFs: what is recognised, what is refused, and that their bytes arrive as they are on every wire."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import struct
import time
import zlib
from pathlib import Path

import pypdf
import pytest
from litellm_skill import media, pdf, prompt, screen, worker
from litellm_skill.faults import BadInput
from litellm_skill.prompt import Prompt
from provider_server import ProviderServer
from reading import posix, read, refusal
from test_litellm_hears import _closing, litellm, quiet  # noqa: F401  litellm is a fixture

# One pixel each, complete.
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
WEBP = base64.b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")


def png(width: int, height: int) -> bytes:
    return PNG[:16] + struct.pack(">II", width, height) + PNG[24:]


def gif(width: int, height: int) -> bytes:
    return GIF[:6] + struct.pack("<HH", width, height) + GIF[10:]


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    """Up to its first scan, as far as anybody reads here. ``before``: segments ahead of the frame header."""
    tables = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + b"\xff\xc4\0\x05\0\0\0" + b"\xff\xff\xff\xdb\0\x04\0\0"
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\1\x11\0"
    return b"\xff\xd8" + before + tables + frame + b"\xff\xda\0\x02" + b"\xff\xd9"


def webp(chunk: bytes, body: bytes) -> bytes:
    riff = b"WEBP" + chunk + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(riff)) + riff


def lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 ", b"\x30\1\0\x9d\1\x2a" + struct.pack("<HH", width, height) + b"\0\0")


def lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | (height - 1) << 14) + b"\0")


def extended(width: int, height: int) -> bytes:
    return webp(b"VP8X", b"\0" * 4 + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3])


MAKERS = {
    "image/png": [png],
    "image/jpeg": [jpeg],
    "image/gif": [gif],
    "image/webp": [lossy, lossless, extended],
}
makers = pytest.mark.parametrize(("mime", "make"), [(mime, make) for mime in MAKERS for make in MAKERS[mime]])


def document(*streams: bytes, kids: bytes | None = None, compressed: bool = False) -> bytes:
    """A PDF with a page for each content stream."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(streams))) if kids is None else kids
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(streams)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    packing = b"/Filter/FlateDecode" if compressed else b""
    for number, stream in enumerate(streams):
        inside = b"/MediaBox[0 0 200 200]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R" % (5 + 2 * number)
        packed = zlib.compress(stream, 9) if compressed else stream
        objects.append(b"<</Type/Page/Parent 2 0 R%s>>" % inside)
        objects.append(b"<</Length %d%s>>stream\n%s\nendstream" % (len(packed), packing, packed))
    out, places = b"%PDF-1.4\n", b"0000000000 65535 f \n"
    for number, content in enumerate(objects, 1):
        places += b"%010d 00000 n \n" % len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n" % (len(objects) + 1) + places + end


def shown(text: bytes) -> bytes:
    return b"BT /F1 12 Tf 10 100 Td (%s) Tj ET" % text


TWO_PAGES = document(shown(b"Total: 42 EUR"), shown(b"Thank you"))
SCANNED = document(b"", b"")


def encrypted(password: str) -> bytes:
    writer, out = pypdf.PdfWriter(clone_from=io.BytesIO(TWO_PAGES)), io.BytesIO()
    writer.encrypt(password, "owner", algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()


def attach(folder: Path, **contents: bytes) -> Prompt:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return read(folder, argument="Look.", files=tuple(contents))


def no_hint(ability: str) -> str:
    return f"take one with {ability}"


# Images


@makers
@pytest.mark.parametrize("size", [(1, 1), (8000, 8000), (640, 480)])
def test_an_image_is_known_by_its_bytes_and_sent_as_it_is(tmp_path: Path, mime: str, make, size) -> None:
    content = make(*size)
    sent = attach(tmp_path, **{"notes.txt": content})
    assert [(file.path, file.bytes) for file in sent.files] == [("notes.txt", len(content))]
    assert sent.files[0].sha256 == hashlib.sha256(content).hexdigest()
    text, image = sent.messages()[0]["content"]
    assert (
        text
        == {"type": "text", "text": "Look.\n\nAttached, in this order: notes.txt"}
        == {"type": "text", "text": sent.text}
    )
    head, _, encoded = image["image_url"]["url"].partition(",")
    assert (image["type"], head) == ("image_url", f"data:{mime};base64")
    assert base64.b64decode(encoded, validate=True) == content


@makers
@pytest.mark.parametrize("size", [(8001, 1), (1, 8001), (9000, 12000)])
def test_an_image_with_too_many_pixels(tmp_path: Path, mime: str, make, size) -> None:
    (tmp_path / "a").write_bytes(make(*size))
    width, height = size
    what = f"a is {width:,} x {height:,} pixels; the limit is 8,000 a side | attach a smaller copy"
    assert what in refusal(tmp_path, argument="x", files=("a",))


@makers
def test_a_header_that_is_cut(tmp_path: Path, mime: str, make) -> None:
    whole = make(640, 480)
    needed = next(length for length in range(12, len(whole) + 1) if media._size(mime, whole[:length]))
    for length in range(12, needed):
        with pytest.raises(BadInput, match="whose header is cut or damaged"):
            media.read("a", mime, whole[:length], deadline=0)


@pytest.mark.parametrize(
    "content",
    [
        png(0, 5),
        gif(5, 0),
        jpeg(5, 0),
        lossy(0, 1),
        PNG[:12] + b"IDAT" + PNG[16:],
        jpeg(5, 5, before=b"\xff\xda\0\x02"),
        jpeg(5, 5, before=b"\xff\xd9"),
        jpeg(5, 5, before=b"\xff\x01"),
        jpeg(5, 5, before=b"\xff\xe1\0\4abjunk"),
        b"\xff\xd8" + b"\xff" * 1_000_000,
        b"\xff\xd8" + b"\xff\xe0\0\0" * 100_000,
        webp(b"ALPH", b"\0" * 10),
        webp(b"VP8L", b"\0" * 10),
        webp(b"VP8 ", b"\0" * 10),
    ],
)
def test_headers_that_say_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert "image whose header is cut or damaged | open it" in refusal(tmp_path, argument="x", files=("a",))


def test_pixels_behind_a_large_preview(tmp_path: Path) -> None:
    preview = b"\xff\xe1\xff\xff" + jpeg(9000, 9000).ljust(65533, b"\0")
    assert media._size("image/jpeg", jpeg(30, 20, before=preview * 20)) == (30, 20)


@pytest.mark.parametrize(
    ("content", "limit"), [(PNG, media.IMAGE_BYTES), (GIF, media.IMAGE_BYTES), (b"%PDF-1.4\n", media.PDF_BYTES)]
)
def test_a_file_that_is_too_large(tmp_path: Path, content: bytes, limit: int) -> None:
    with open(tmp_path / "a", "wb") as file:
        file.write(content)
        file.truncate(limit + 1)
    says = f"a has {limit + 1:,} bytes; the limit is {limit:,}"
    assert says in refusal(tmp_path, max_bytes=100, argument="x", files=("a",))


def test_all_media_together_are_limited(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(PNG + bytes(7_000_000))
    assert "come to more than 24,000,000 bytes" in refusal(tmp_path, argument="x", files=("*.png",))
    (tmp_path / "x.txt").write_text("x" * 90)
    sent = read(tmp_path, argument="x", files=("[0-2].png", "x.txt"), max_bytes=100)
    assert len(sent.files) == 4


@posix
def test_media_are_found_like_any_file(tmp_path: Path) -> None:
    (tmp_path / "id_rsa").write_bytes(PNG)
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b.png").symlink_to("a.png")
    assert "id_rsa is not sent" in refusal(tmp_path, argument="x", files=("id_rsa",))
    assert [file.path for file in read(tmp_path, argument="x", files=("*.png", "./a.png")).files] == ["a.png"]
    assert "say what to do with a.png" in refusal(tmp_path, argument="", files=("a.png",))


# What is counted, and what is scanned


def test_sizes(tmp_path: Path) -> None:
    sent = attach(tmp_path, **{"a.png": PNG, "b.pdf": TWO_PAGES})
    text = "Look.\n\nAttached, in this order: a.png, b.pdf"
    assert (sent.text, sent.characters) == (text, len(text))
    assert sent.messages(with_media=False) == [{"role": "user", "content": text}]
    of_text = prompt.estimate_tokens(text)
    inside = prompt.estimate_tokens("[page 1]\nTotal: 42 EUR\n\n[page 2]\nThank you")
    assert sent.tokens == of_text + inside + 3 * media.IMAGE_TOKENS
    assert sent.least_tokens == of_text + 3 * media.LEAST_IMAGE_TOKENS
    plain = read(tmp_path, argument="Look.")
    assert plain.least_tokens == plain.tokens == prompt.estimate_tokens("Look.")


def test_the_text_of_a_pdf_is_scanned_whichever_way_it_goes(tmp_path: Path) -> None:
    secret = "zq8-Kd72-plover-91"
    sent = attach(tmp_path, **{"b.pdf": document(shown(b"x"), shown(secret.encode()))})
    for part in (sent, sent.fitted("m", vision=None, pdf=None, hint=no_hint)):
        (finding,) = screen.scan(part.parts, [secret])
        assert (finding.source, finding.line) == ("b.pdf", 5)
    (finding,) = screen.scan(attach(tmp_path, **{f"{secret}.png": PNG}).parts, [secret])
    assert finding.source == "the names of the files"


# What a model takes


def test_a_model_that_takes_all_of_it(tmp_path: Path) -> None:
    sent = attach(tmp_path, **{"a.png": PNG, "b.pdf": TWO_PAGES, "c.txt": b"c"})
    assert sent.fitted("m", vision=True, pdf=True, hint=no_hint) is sent
    text, image, file = sent.messages()[0]["content"]
    assert text["text"] == "Look.\n\nFile: c.txt\n```txt\nc\n```\n\nAttached, in this order: a.png, b.pdf"
    data = f"data:application/pdf;base64,{base64.b64encode(TWO_PAGES).decode()}"
    assert file == {"type": "file", "file": {"filename": "b.pdf", "file_data": data}}


@pytest.mark.parametrize("pdf_ability", [None, False])
def test_a_pdf_becomes_text(tmp_path: Path, pdf_ability: bool | None) -> None:
    sent = attach(tmp_path, **{"a.png": PNG, "b.pdf": TWO_PAGES})
    fitted = sent.fitted("m", vision=True, pdf=pdf_ability, hint=no_hint)
    text, image = fitted.messages()[0]["content"]
    assert text["text"] == (
        "Look.\n\nFile: b.pdf (the text of its 2 pages)\n```\n[page 1]\nTotal: 42 EUR\n\n[page 2]\nThank you\n```"
        "\n\nAttached, in this order: a.png"
    )
    assert fitted.files == sent.files
    only = attach(tmp_path, **{"b.pdf": TWO_PAGES}).fitted("m", vision=None, pdf=pdf_ability, hint=no_hint)
    assert only.messages() == [{"role": "user", "content": only.text}]


@pytest.mark.parametrize("vision", [None, False])
def test_a_model_that_takes_no_images(tmp_path: Path, vision: bool | None) -> None:
    with pytest.raises(BadInput) as caught:
        attach(tmp_path, **{"a.png": PNG}).fitted("m", vision=vision, pdf=True, hint=no_hint)
    assert (caught.value.message, caught.value.hint) == ("m takes no images", "take one with vision")
    assert read(tmp_path, argument="x").fitted("m", vision=vision, pdf=None, hint=no_hint).text == "x"


def test_pages_without_text(tmp_path: Path) -> None:
    sent = attach(tmp_path, **{"s.pdf": SCANNED})
    assert sent.fitted("m", vision=None, pdf=True, hint=no_hint).warnings == ()
    with pytest.raises(BadInput) as caught:
        sent.fitted("m", vision=True, pdf=None, hint=no_hint)
    assert caught.value.message == "m takes no PDF, and s.pdf cannot be sent as text: none of its pages has text"
    assert caught.value.hint == "take one with pdf"
    half = attach(tmp_path, **{"h.pdf": document(b"", shown(b"two"))})
    assert "[page 1: no text]\n\n[page 2]\ntwo\n" in half.fitted("m", vision=None, pdf=None, hint=no_hint).text


def test_too_many_pages(tmp_path: Path) -> None:
    sent = attach(tmp_path, **{"p.pdf": document(*[shown(b"x")] * 601)})
    with pytest.raises(BadInput, match=r"p\.pdf: 601 pages; the limit is 600"):
        sent.fitted("m", vision=True, pdf=True, hint=no_hint)
    assert "[page 601]" in sent.fitted("m", vision=True, pdf=False, hint=no_hint).text


# PDFs that are damaged, locked or hostile


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"%PDF-", "a.pdf is a damaged PDF | open it and save it again, or attach its text"),
        (b"%PDF-1.4\n" + bytes(1000), "is a damaged PDF"),
        (TWO_PAGES[:300], "is a damaged PDF"),
        (document(), "is a PDF without pages"),
        (document(shown(b"x"), kids=b"4 0 R 2 0 R"), "is a damaged PDF"),
        (encrypted("secret"), "a.pdf is encrypted | save a copy without a password"),
    ],
)
def test_pdfs_that_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.pdf").write_bytes(content)
    assert says in refusal(tmp_path, argument="x", files=("a.pdf",))


def test_a_pdf_that_only_its_author_may_change(tmp_path: Path) -> None:
    assert attach(tmp_path, **{"a.pdf": encrypted("")}).media[0].document.texts == ("Total: 42 EUR", "Thank you")


def test_a_page_that_unpacks_to_too_much(tmp_path: Path) -> None:
    bomb = document(b"0" * 100_000_000, shown(b"two"), compressed=True)
    assert len(bomb) < 200_000
    sent = attach(tmp_path, **{"a.pdf": bomb})
    assert sent.media[0].document == pdf.Document(2, (None, "two"))
    assert sent.warnings == ("a.pdf: secrets were looked for in 1 of 2 pages",)
    fitted = sent.fitted("m", vision=None, pdf=None, hint=no_hint)
    assert "[page 1: its text cannot be read]\n\n[page 2]\ntwo" in fitted.text


ENDLESS = document(shown(b"one"), b"BT /F1 12 Tf (a) Tj ET\n" * 3_000_000, compressed=True)


def test_a_pdf_that_takes_too_long() -> None:
    document = pdf.read("a.pdf", ENDLESS, time.monotonic() + 3)
    assert (document.pages, document.texts) in [(2, ("one",)), (2, ())]  # on a slow machine not even the first
    assert document.ending == "it took longer than 3 s"
    sent = Prompt(read(Path.cwd(), argument="x").content, media=(media.Media("a.pdf", media.PDF, ENDLESS, document),))
    looked = f"{document.read} of 2 pages: it took longer than 3 s"
    assert sent.warnings == (f"a.pdf: secrets were looked for in {looked}",)
    with pytest.raises(
        BadInput, match=f"cannot be sent as text: {document.read} of its 2 pages could be read: it took"
    ):
        sent.fitted("m", vision=None, pdf=None, hint=no_hint)


def test_no_time_is_left() -> None:
    with pytest.raises(BadInput, match=r"a\.pdf cannot be read as a PDF: it took longer than 0 s"):
        pdf.read("a.pdf", ENDLESS, deadline=0)


def test_text_without_end() -> None:
    long = document(b"BT /F1 12 Tf (%s) Tj ET" % (b"word " * 500_000), compressed=True)
    assert pdf.read("a.pdf", long, time.monotonic() + 15) == pdf.Document(1, (), "it came to more than 2,000,000 bytes")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="address space is limited on Linux alone")
def test_memory_is_limited() -> None:
    outcome = worker.run("pdf:page_texts", bytes(1_000_000_000), seconds=20, most=10)
    assert outcome == worker.Outcome(b"", "it needed more than 1,000 MB of memory")


# The wires

WIRES = {
    "openai/test-model": "data:{mime};base64,{data}",
    "openai/responses/test-model": "data:{mime};base64,{data}",
    "anthropic/claude-test": "{data}",
    "gemini/gemini-test": "{data}",
    "ollama_chat/test-model": "{data}",
}


def strings(value: object) -> list[str]:
    if isinstance(value, dict | list):
        return [text for inner in (value.values() if isinstance(value, dict) else value) for text in strings(inner)]
    return [value] if isinstance(value, str) else []


@quiet
@pytest.mark.usefixtures("litellm")
@pytest.mark.parametrize("model", WIRES)
def test_bytes_arrive_as_they_are(
    tmp_path: Path,
    provider: ProviderServer,
    model: str,
) -> None:
    images = {"a.png": png(2, 2), "b.jpg": jpeg(2, 2), "c.gif": gif(2, 2), "d.webp": lossless(2, 2)}
    sent = attach(tmp_path, **images, **{"e.pdf": TWO_PAGES})
    messages = sent.fitted(model, vision=True, pdf=not model.startswith("ollama"), hint=no_hint).messages()
    before = json.dumps(messages)
    import litellm as library

    asyncio.run(_closing(library, library.acompletion(model=model, messages=messages, max_retries=0)))
    assert json.dumps(messages) == before, "another attempt would send something else"
    arrived = strings(next(request for request in provider.requests if "show" not in request.path).body)
    for one in sent.media:
        if one.mime == media.PDF and model.startswith("ollama"):
            assert any("Total: 42 EUR" in text for text in arrived)
            continue
        data = base64.b64encode(one.data).decode()
        assert WIRES[model].format(mime=one.mime, data=data) in arrived
