"""One embeddings request: what LiteLLM is called with, and the vectors of the reply, checked."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from litellm_skill import vectors
from litellm_skill.access import Access
from litellm_skill.catalog import Model
from litellm_skill.faults import Fault
from litellm_skill.gateway.reply import usd
from litellm_skill.gateway.transport import Traffic
from litellm_skill.texts import MARGIN, Text
from litellm_skill.vectors import Vector

Batch = tuple[Text, ...]

# LiteLLM's names for these providers' embeddings, where it has another one for their chat.
EMBEDS_AS = {"ollama_chat": "ollama", "cohere_chat": "cohere"}
# Who cuts a text that is too long without a word, unless told not to (their API references).
WHOLE_TEXT: dict[str, dict[str, Any]] = {
    "cohere": {"truncate": "NONE"},
    "ollama": {"truncate": False},
    "voyage": {"truncation": False},
}
# LiteLLM 1.106.2 takes a text that begins so for a file: it asks Google for it, with the key and whatever the address
# is, or sends it as an image.
REFERENCE = re.compile(r"files/|gs://|data:|https://generativelanguage\.googleapis\.com/")
READS_REFERENCES = ("gemini", "vertex_ai", "cohere", "bedrock", "jina_ai", "azure_ai")
SMALL_WINDOW = 4_096  # tokens


@dataclass(frozen=True)
class Embedder:
    """Whom to ask and how. ``dimensions`` None: the model's own number. ``worst_usd``: what so many tokens may cost,
    None when that is unknown. ``admit`` gets tokens and the seconds there are to wait, and gives the seconds until the
    request may start; ``reserve`` gets what it may cost, and gives what is to be called with its cost (USD; 0: it was
    refused). Both raise LimitReached.
    """

    model: Model
    access: Access
    dimensions: int | None = None
    concurrency: int = 4
    timeout: float = 100.0
    retries: int = 2
    max_usd: float | None = None
    worst_usd: Callable[[int], float | None] = lambda _: None
    admit: Callable[[int, float], float] = lambda _tokens, _patience: 0.0
    reserve: Callable[[float | None], Callable[[float | None], None]] = lambda _: lambda _: None
    note: Callable[[str], None] = lambda _: None
    redact: Callable[[str], str] = lambda text: text


@dataclass(frozen=True)
class Embedded:
    """Texts that share a fate: a vector for each, or the fault. ``tokens``, ``cost_usd``: as the provider counted."""

    texts: Batch
    vectors: tuple[Vector, ...] = ()
    tokens: int | None = None
    cost_usd: float | None = None
    model: str | None = None
    fault: Fault | None = None


@dataclass
class Shape:
    """What all requests of a command share. ``timeout``: seconds; LiteLLM makes new connections for another one.
    ``dimensions``: of every vector, None until the first has come. ``window``: what Ollama opens, in tokens."""

    timeout: float
    dimensions: int | None = None
    window: int = SMALL_WINDOW


async def request(
    litellm: ModuleType, embedder: Embedder, batch: Batch, deadline: float, traffic: Traffic, shape: Shape
) -> Embedded:
    """The vectors of ``batch``, in its order. Raises TimeoutError at the ``deadline`` (``time.monotonic()``),
    ProviderFailure for a reply that cannot be used, and whatever LiteLLM raises."""
    work = asyncio.ensure_future(litellm.aembedding(**arguments(embedder, batch, shape)))
    try:
        await asyncio.wait({work}, timeout=max(0.0, deadline - time.monotonic()))
        if not work.done():
            raise TimeoutError
        document = _document(traffic.body)
        rows = _rows(work, document)
    finally:
        work.cancel()  # and not awaited: it may not let itself be cancelled
    host = embedder.access.host or embedder.access.provider.name
    came = vectors.checked(rows, len(batch), dimensions=shape.dimensions, host=host)
    shape.dimensions = len(came[0])
    tokens, cost = _counted(document)
    return Embedded(batch, tuple(came), tokens, cost, traffic.model)


def arguments(embedder: Embedder, batch: Batch, shape: Shape) -> dict[str, Any]:
    """What ``litellm.aembedding`` is called with. No ``encoding_format``: LiteLLM then sends none, and every server
    answers with plain numbers."""
    access = embedder.access
    provider = EMBEDS_AS.get(access.provider.litellm, access.provider.litellm)
    call: dict[str, Any] = {
        "model": f"{provider}/{embedder.model.id.split('/', 1)[1]}",
        "input": [f" {text.text}" if reads_as_file(text, access) else text.text for text in batch],
        "timeout": shape.timeout,
        "max_retries": 0,
        "num_retries": 0,
        "api_key": access.key,
        "api_base": _address(access),
        **access.arguments,
        **WHOLE_TEXT.get(provider, {}),
    }
    if provider == "ollama":
        call["num_ctx"] = _window_to_open(embedder, batch, shape)
    if embedder.dimensions is not None:
        call |= {"dimensions": embedder.dimensions, "allowed_openai_params": ["dimensions"]}
    return call


def reads_as_file(text: Text, access: Access) -> bool:
    """Whether LiteLLM would send what it finds at that address in place of the text. A space in front prevents that."""
    provider = EMBEDS_AS.get(access.provider.litellm, access.provider.litellm)
    return provider in READS_REFERENCES and REFERENCE.match(text.text) is not None


def _window_to_open(embedder: Embedder, batch: Batch, shape: Shape) -> int:
    """Tokens of the window Ollama opens, which by itself may be smaller than the model's. It never shrinks: for another
    one the model is loaded anew."""
    longest = math.ceil(max(text.tokens for text in batch) * MARGIN)
    shape.window = max(shape.window, 1 << (longest - 1).bit_length())
    return min(shape.window, embedder.model.context or shape.window)


def _address(access: Access) -> str | None:
    """None: LiteLLM's own for the provider, which is the same. Cohere's variable holds the address of its chat."""
    provider = access.provider
    if provider.name == "cohere":
        return f"{(access.endpoint or '').removesuffix('/chat').removesuffix('/embed')}/embed"
    if access.address is None and (provider.port is not None or provider.litellm != provider.name):
        return provider.address  # LiteLLM has no address of its own for these
    return access.address


def _rows(work: asyncio.Task[Any], document: dict[str, Any]) -> Any:
    """What LiteLLM read, or raises what it raised. It fails where Ollama does not count tokens (litellm 1.106.2)."""
    try:
        return work.result().data
    except Exception:
        found = document.get("embeddings")
        if not isinstance(found, list) or not all(isinstance(one, list) for one in found):
            raise
        return [{"embedding": one} for one in found]


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _counted(document: dict[str, Any]) -> tuple[int | None, float | None]:
    """Tokens and USD as the provider counted them. LiteLLM counts by itself, and does not say so, where it finds no
    count. OpenAI's wire, Gemini's, Ollama's and Cohere's."""
    usage = _of(document, "usage")
    billed = _of(_of(document, "meta"), "billed_units").get("input_tokens")
    counts = [usage.get("prompt_tokens"), usage.get("total_tokens"), billed]
    counts += [_of(document, "usageMetadata").get("promptTokenCount"), document.get("prompt_eval_count")]
    tokens = next((n for n in counts if isinstance(n, int) and not isinstance(n, bool) and n > 0), None)
    return tokens, usd(usage.get("cost"))


def _of(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}
