"""Answers that do not stop: drips, pings, and floods of text."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator

from exchange import AT_FAULT, TEXT, Exchange, cut
from interruptions import silence
from wire import Reply, StreamCut, encode
from wire_anthropic import MESSAGES
from wire_gemini import GEMINI
from wire_openai import CHAT, RESPONSES

PING_S = 0.2
DRIP_S = 0.2  # a byte
HUGE_BODY_BYTES = 50_000_000
HUGE_STREAM_BYTES = 60_000_000


def drip(exchange: Exchange) -> None:
    reply = Reply(text=TEXT, model=exchange.arrival.model)
    if exchange.streamed:
        exchange.open_stream()
        said = b"".join(exchange.wire.events(reply, exchange.arrival, (("text", piece) for piece in cut(TEXT))))
    else:
        said = encode(exchange.wire.whole(reply, exchange.arrival))
        exchange.open_body(len(said))
    drops = iter(said[number : number + 1] for number in range(len(said)))
    send = exchange.chunk if exchange.streamed else exchange.send
    exchange.keep_up(lambda: send(next(drops)), DRIP_S)


PINGS = {CHAT: b": ping\n\n", RESPONSES: b": ping\n\n", GEMINI: b": ping\r\n\r\n"}
PINGS[MESSAGES] = b'event: ping\ndata: {"type":"ping"}\n\n'


def ping(exchange: Exchange, event: bytes) -> bytes:
    exchange.keep_up(lambda: exchange.chunk(PINGS[exchange.wire]), PING_S)
    return b""


def blank(exchange: Exchange, event: bytes) -> bytes:
    """Events that hold no text, for ever."""
    exchange.keep_up(lambda: exchange.chunk(event.replace(AT_FAULT.encode(), b"")), PING_S)
    return b""


def whitespace(exchange: Exchange, body: bytes) -> None:
    """What gateways send to keep a connection open before a body of JSON."""
    exchange.head(200, content_type="application/json")
    exchange.keep_up(lambda: exchange.chunk(b"\n"), PING_S)


def flood(zipped: bool) -> Callable[[Exchange], None]:
    """Text by the megabyte; ``zipped``, some thousand times smaller on the wire."""

    def play(exchange: Exchange) -> None:
        packer = zlib.compressobj(9, wbits=31) if zipped else None
        coding = {"content_encoding": "gzip"} if zipped else {}
        if exchange.streamed:
            exchange.open_stream(**coding)
            for event in _endless(exchange):
                exchange.chunk(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else event)
            silence(exchange)
        body = _huge_body(exchange)
        exchange.answer(packer.compress(body) + packer.flush() if packer else body, **coding)

    return play


def _huge_body(exchange: Exchange) -> bytes:
    reply = Reply(text="@", model=exchange.arrival.model)
    return encode(exchange.wire.whole(reply, exchange.arrival)).replace(b'"@"', b'"%s"' % (b"x" * HUGE_BODY_BYTES))


def _endless(exchange: Exchange) -> Iterator[bytes]:
    """Events of 64 kB, each with another text, of ``HUGE_STREAM_BYTES`` together; there is no last one."""

    def pieces() -> Iterator[tuple[str, str]]:
        for number in range(HUGE_STREAM_BYTES // 65_536):
            yield "text", f"{number:08d}" + "x" * 65_528
        raise StreamCut

    with contextlib.suppress(StreamCut):
        yield from exchange.wire.events(Reply(text="", model=exchange.arrival.model), exchange.arrival, pieces())
