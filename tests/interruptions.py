"""Answers that stop: stalls, closed and reset connections, streams and bodies cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from exchange import MAX_STALL_S, TEXT, Exchange, Hangup
from wire import Reply, StreamCut, encode

SETTLE_S = 0.4  # lets the client read what came: a break of the connection may throw away what it has not read yet


def silence(exchange: Exchange) -> None:
    exchange.server.pause(MAX_STALL_S)
    raise Hangup


def stall_body(exchange: Exchange) -> None:
    exchange.open_stream() if exchange.streamed else exchange.open_body(500)
    silence(exchange)


def before(*, reset: bool) -> Callable[[Exchange], None]:
    def play(exchange: Exchange) -> None:
        raise Hangup(reset=reset)

    return play


def all_but_last(events: Iterator[bytes]) -> Iterator[bytes]:
    held = next(events)
    for event in events:
        yield held
        held = event


def stop_at_fault(*, reset: bool = False, clean: bool = False) -> Callable[[Exchange, bytes], bytes]:
    def stop(exchange: Exchange, event: bytes) -> bytes:
        exchange.server.pause(SETTLE_S)
        raise StreamCut if clean else Hangup(reset=reset)

    return stop


def half(*, pause_s: float = 0.0, reset: bool = False) -> Callable[[Exchange, bytes], None]:
    """Half of the body that was promised."""

    def send(exchange: Exchange, body: bytes) -> None:
        exchange.open_body(len(body))
        exchange.send(body[: len(body) // 2])
        exchange.server.pause(pause_s)
        raise Hangup(reset=reset)

    return send


def cut_json(exchange: Exchange, body: bytes) -> None:
    exchange.answer(body[: len(body) // 2])


def stall(exchange: Exchange, event: bytes) -> bytes:
    silence(exchange)
    raise AssertionError("a stall ends with the connection")


def torn_event(exchange: Exchange, event: bytes) -> bytes:
    exchange.chunk(event[: len(event) // 2])
    exchange.server.pause(SETTLE_S)
    raise Hangup


def unfinished(exchange: Exchange, body: bytes) -> None:
    reply = Reply(text=TEXT, model=exchange.arrival.model, finish_reason=None)
    exchange.answer(encode(exchange.wire.whole(reply, exchange.arrival)))
