"""A provider on loopback in a process of its own: OpenAI's wire, asyncio, keep-alive, TCP_NODELAY.

A request with ``"stream": true`` is answered with so many pieces as ``max_tokens`` says, each an event of its own;
any other with one short answer after a pause. What is sent is made beforehand, so that the client is what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

PIECES = 20  # where no max_tokens says otherwise
AT_ONCE = 100  # pieces between two looks at how much the client has taken
HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\n{}\r\n\r\n"
SHARED = {"id": "chatcmpl-1", "created": 1, "model": "test-model"}
WHOLE = {
    **SHARED,
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Four."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
}


@contextlib.contextmanager
def server(pause: float = 0.0) -> Iterator[str]:
    """Its address, as ``OPENAI_BASE_URL`` has it. ``pause``: seconds before each answer."""
    process = subprocess.Popen([sys.executable, __file__, str(pause)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def serve(pause: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            async for asked in _requests(reader):
                await asyncio.sleep(pause)
                await _answer(writer, asked)
        writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


async def _requests(reader: asyncio.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """The bodies of a connection's requests, until it is closed."""
    while not reader.at_eof():
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next(line for line in headers.split(b"\r\n") if line.startswith(b"content-length:"))
        yield json.loads(await reader.readexactly(int(length.split(b":")[1])))


async def _answer(writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
    if not asked.get("stream"):
        body = json.dumps(WHOLE)
        writer.write(HEAD.format("application/json", f"content-length: {len(body)}").encode() + body.encode())
        return
    pieces = int(asked.get("max_tokens") or asked.get("max_completion_tokens") or PIECES)
    one, other = (_event({"delta": {"content": text}, "finish_reason": None}) for text in (" word", " after"))
    writer.write(HEAD.format("text/event-stream", "transfer-encoding: chunked").encode())
    for done in range(0, pieces, AT_ONCE):
        left = min(AT_ONCE, pieces - done)
        writer.write((one + other) * (left // 2) + one * (left % 2))  # LiteLLM takes a hundred alike for a fault
        await writer.drain()
    usage = {"prompt_tokens": 20, "completion_tokens": pieces, "total_tokens": 20 + pieces}
    end = (
        _event({"delta": {}, "finish_reason": "stop"}),
        _event(None, usage),
        _chunk(b"data: [DONE]\n\n"),
        _chunk(b""),
    )
    writer.write(b"".join(end))


def _event(choice: dict[str, Any] | None, usage: dict[str, int] | None = None) -> bytes:
    choices = [{"index": 0, **choice}] if choice else []
    event = {**SHARED, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    return _chunk(f"data: {json.dumps(event)}\n\n".encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
