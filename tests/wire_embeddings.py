"""The embeddings wires: OpenAI's, Gemini's and Ollama's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from wire import Json, Piece, Reply, Request, Wire
from wire_gemini import GEMINI
from wire_ollama import OLLAMA
from wire_openai import CHAT

DIMENSIONS = 8


def vector(text: str, dimensions: int | None = None) -> list[float]:
    """Always the same for a text, with numbers that no short decimal is: 1/3 must come back as it was."""
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[place % 32] - 128) / 3 for place in range(dimensions or DIMENSIONS)]


def embedding(index: int, text: str, dimensions: int | None = None) -> Json:
    """A row of OpenAI's answer."""
    return {"object": "embedding", "index": index, "embedding": vector(text, dimensions)}


def texts(request: Request) -> list[str]:
    """What is to be embedded, on any of the wires."""
    if "requests" in request.body:
        return [one["content"]["parts"][0]["text"] for one in request.body["requests"]]
    given = request.body["input"]
    return [given] if isinstance(given, str) else given


def _openai(reply: Reply, request: Request) -> Json:
    wanted = request.body.get("dimensions")
    rows = [embedding(index, text, wanted) for index, text in enumerate(texts(request))]
    usage = {"prompt_tokens": reply.usage.input, "total_tokens": reply.usage.input} if reply.usage else None
    return {"object": "list", "data": rows, "model": reply.model, **({"usage": usage} if usage else {})}


def _gemini(reply: Reply, request: Request) -> Json:
    wanted = request.body["requests"][0].get("outputDimensionality")
    rows = [{"values": vector(text, wanted)} for text in texts(request)]
    return {"embeddings": rows, **({"usageMetadata": {"promptTokenCount": reply.usage.input}} if reply.usage else {})}


def _ollama(reply: Reply, request: Request) -> Json:
    rows = [vector(text, request.body.get("dimensions")) for text in texts(request)]
    counted = {"prompt_eval_count": reply.usage.input} if reply.usage else {}
    return {"model": reply.model, "embeddings": rows, "total_duration": 9_000_000, **counted}


def _no_events(reply: Reply, request: Request, pieces: Iterator[Piece]) -> Iterator[bytes]:
    return iter(())


def _whole_only(request: Request) -> bool:
    return False


OPENAI_EMBEDDINGS = Wire("/embeddings", ("model", "input"), _openai, _no_events, CHAT.error, _whole_only)
GEMINI_EMBEDDINGS = Wire(
    r"/models/[^/:]+:batchEmbedContents", ("requests",), _gemini, _no_events, GEMINI.error, _whole_only
)
OLLAMA_EMBEDDINGS = Wire("/api/embed", ("model", "input"), _ollama, _no_events, OLLAMA.error, _whole_only)
EMBEDDINGS = (OPENAI_EMBEDDINGS, GEMINI_EMBEDDINGS, OLLAMA_EMBEDDINGS)
