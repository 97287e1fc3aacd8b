"""Guards below LiteLLM, where every wire passes: no redirect is followed, no reply grows without bound, one bad line
does not cost what came before it, and a request that broke is not silently sent a second time.

LiteLLM 1.106.2 forwards ``x-api-key`` and ``x-goog-api-key`` over redirects, has no size limit, loses an Anthropic
answer to one malformed line, and repeats a request whose connection broke. All of it goes through httpx's public
``AsyncClient.send`` and ``Response.aiter_bytes``, which are wrapped here, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import wraps
from typing import Any

from litellm_skill.faults import Fault, HttpReply, IncompleteAnswer, ProviderFailure
from litellm_skill.gateway.limits import others_first

MAX_BYTES = 20_000_000  # of one reply, or of one line of a stream
ERROR_SECONDS = 5.0  # for the body of an error
MAX_FIELDS = 20  # lines of one event beside its data; there are three kinds of them
BOM = b"\xef\xbb\xbf"
MAX_ERROR = 64_000  # of an error body
PASSED_ON = "x-litellm-call-id"  # of a LiteLLM proxy that has taken the key; its own refusal of a key has none
MAX_STREAM = 1_000_000_000  # of a stream in all: its frame is many times its text
STREAMS = ("text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream")


@dataclass
class Traffic:
    """What happened on the wire during one attempt.

    ``sent``: a request may have reached the provider; ``reply``: the last one with an error status; ``body``: of the
    last one that came whole with a good status; ``model`` and ``finish``: who answers and why it ended, in the
    provider's own words (LiteLLM repeats the name that was asked for). ``by_proxy``: a LiteLLM proxy answered; what it
    says of the last good reply is ``cost`` (USD, None where it does not know) and ``cached``.
    """

    broken: list[Exception] = field(default_factory=list)
    sent: bool = False
    answered: bool = False
    reply: HttpReply | None = None
    body: bytes = b""
    model: str | None = None
    finish: str | None = None
    refusal: str = ""
    by_proxy: bool = False
    cost: float | None = None
    cached: bool = False


_traffic: ContextVar[Traffic | None] = ContextVar("traffic", default=None)


@contextlib.contextmanager
def watched() -> Iterator[Traffic]:
    """The traffic of the requests made inside."""
    token = _traffic.set(Traffic())
    try:
        yield _traffic.get() or Traffic()
    finally:
        _traffic.reset(token)


def guard() -> None:
    """Wrap httpx. Does nothing the second time."""
    import httpx

    if not hasattr(httpx.AsyncClient.send, "__wrapped__"):
        httpx.AsyncClient.send = _guarded_send(httpx.AsyncClient.send, httpx.TransportError)  # type: ignore[method-assign]
        httpx.Response.aiter_bytes = _guarded_bytes(httpx.Response.aiter_bytes)  # type: ignore[method-assign]


def _guarded_send(send: Any, transport_error: type[Exception]) -> Any:
    @wraps(send)
    async def guarded(client: Any, request: Any, **options: Any) -> Any:
        traffic = _traffic.get() or Traffic()
        if traffic.broken:
            raise traffic.broken[0]
        traffic.sent = True
        try:
            response = await send(client, request, **options | {"follow_redirects": False})
        except transport_error as error:
            traffic.broken.append(error)
            traffic.sent = not type(error).__name__.startswith("Connect")
            raise
        if response.has_redirect_location:
            await response.aclose()
            raise _redirect(request, response)
        traffic.answered = True
        if "," in response.headers.get("content-encoding", ""):
            raise ProviderFailure("the reply is compressed more than once", "check the provider's address")
        traffic.reply = await _error_reply(response) if response.is_error else None
        _note_proxy(traffic, response)
        if response.is_success and _kind(response) == "text/html":
            raise _web_page(request)
        if response.is_success and not options.get("stream"):
            traffic.body = response.content
            with contextlib.suppress(ValueError):  # then LiteLLM will say that it cannot read it
                _note_model(traffic, traffic.body)
        return response

    return guarded


async def _error_reply(response: Any) -> HttpReply:
    """Read now, while the status, the waiting time and the words are as the provider sent them."""
    try:
        async with asyncio.timeout(ERROR_SECONDS):
            body = (await response.aread())[:MAX_ERROR]
    except Exception:  # the status is known, and says more than a body that cannot be read
        body = b""
    in_body = re.search(rb'"retryDelay":\s*"(\d+(?:\.\d+)?)s"', body)  # Gemini's google.rpc.RetryInfo
    wait = _seconds(response.headers.get("retry-after")) or (float(in_body[1]) if in_body else None)
    return HttpReply(response.status_code, wait, body, passed_on=PASSED_ON in response.headers)


def _note_proxy(traffic: Traffic, response: Any) -> None:
    """What a LiteLLM proxy says in headers (measured with 1.106.2): the cost of what is not streamed, which it leaves
    out where it has no price; a key of its cache on a hit alone."""
    headers = response.headers
    traffic.by_proxy = traffic.by_proxy or PASSED_ON in headers or "x-litellm-version" in headers
    if response.is_success:
        traffic.cached = "x-litellm-cache-key" in headers
        traffic.cost = _usd(headers.get("x-litellm-response-cost"))


def _usd(text: str | None) -> float | None:
    """An amount; 0 is what software writes that knows no price."""
    try:
        amount = float(text or "")
    except ValueError:
        return None
    return amount if 0 < amount < math.inf else None


def _seconds(retry_after: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def _kind(response: Any) -> str:
    """The media type, without its parameters."""
    kind: str = response.headers.get("content-type", "")
    return kind.split(";")[0].strip().lower()


def _web_page(request: Any) -> Fault:
    host = request.url.netloc.decode()
    what = f"{host} answers with a web page: it is not a provider's API"
    return ProviderFailure(what, "check the provider's address")


def _redirect(request: Any, response: Any) -> Fault:
    host = response.headers["location"].split("//")[-1].split("/")[0] or request.url.host
    return ProviderFailure(
        f"{request.url.netloc.decode()} redirects to {host} ({response.status_code}): not followed, "
        "for key and prompt would go there",
        "if that is where it should go, set the provider's address to it",
        http_status=response.status_code,
    )


def _guarded_bytes(aiter_bytes: Any) -> Any:
    @wraps(aiter_bytes)
    async def guarded(response: Any, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        kind = _kind(response)
        async with contextlib.aclosing(aiter_bytes(response, chunk_size)) as chunks:
            bounded = _bounded(chunks, MAX_STREAM if kind in STREAMS else MAX_BYTES)
            first = (await anext(bounded, b"")).removeprefix(BOM)
            whole = _with(first, bounded)
            events = response.is_success and first.lstrip()[:1] not in (b"{", b"[", b"<", b"") and kind != STREAMS[2]
            async for piece in _whole_events(whole) if events else whole:
                yield piece

    return guarded


async def _with(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _bounded(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    seen, since = 0, time.monotonic()
    async for chunk in chunks:
        seen += len(chunk)
        if seen > limit:
            raise _too_large(limit)
        yield chunk
        since = await others_first(since)  # a server that never pauses must not keep the deadline from being looked at


async def _whole_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events that have data, each with the blank line that ends it: one without data breaks OpenAI's client, and
    not every server sends blank lines. Raises IncompleteAnswer at the first data that cannot be read."""
    waiting: list[bytes] = []
    async for line in _lines(chunks):
        if _is_data(line):
            yield b"".join((*waiting, line.rstrip(b"\r\n"), b"\n\n"))
            waiting = []
        elif not line.strip():
            waiting = []
        elif not line.startswith(b":") and len(waiting) < MAX_FIELDS:
            waiting.append(line)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """With their ends; the last one may have none."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_BYTES:
            raise _too_large(MAX_BYTES)
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def _is_data(line: bytes) -> bool:
    """Whether a line holds data of an event. Raises IncompleteAnswer if that is neither JSON nor OpenAI's end mark."""
    name, _, data = line.partition(b":")
    data = data.strip()
    if name != b"data" or not data:
        return False
    if data != b"[DONE]":
        try:
            _note_model(_traffic.get() or Traffic(), data)
        except ValueError as error:
            what = "a piece of the reply cannot be read; what came before it is kept"
            raise IncompleteAnswer(what, "ask again") from error
    return True


def _note_model(traffic: Traffic, data: bytes) -> None:
    """Each wire has its own place for the name: OpenAI and Ollama, Anthropic, Responses, Gemini. Raises ValueError."""
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(document, dict):
        return
    traffic.finish = _finish_word(document) or traffic.finish
    traffic.refusal += _refusal(document)
    for place in (document, document.get("message"), document.get("response")):
        if isinstance(place, dict) and isinstance(name := place.get("model") or place.get("modelVersion"), str):
            traffic.model = traffic.model or name
            return


def _refusal(document: dict[str, Any]) -> str:
    """OpenAI's models decline in a field of its own, whole or in pieces, and end with ``stop``; LiteLLM drops it."""
    rows = document.get("choices")
    first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
    place = first.get("delta") or first.get("message")
    said = place.get("refusal") if isinstance(place, dict) else None
    return said if isinstance(said, str) else ""


def _finish_word(document: dict[str, Any]) -> str | None:
    """Why it ended, in the provider's own word: LiteLLM makes ``stop`` of words it does not know."""
    places: list[Any] = [document, document.get("delta")]
    for name in ("choices", "candidates"):
        rows = document.get(name)
        places += rows[:1] if isinstance(rows, list) else []
    for place in places:
        for name in ("finish_reason", "stop_reason", "finishReason", "done_reason"):
            if isinstance(place, dict) and isinstance(word := place.get(name), str):
                return word
    return None


def _too_large(limit: int) -> Fault:
    what = f"the reply is larger than {limit // 1_000_000} MB; it was stopped"
    return IncompleteAnswer(what, "ask for a shorter answer")
