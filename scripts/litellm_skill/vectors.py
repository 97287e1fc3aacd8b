"""Vectors: those of a reply, checked; how alike two are; and those of the demo. Pure."""

from __future__ import annotations

import math
import operator
import re
from array import array
from collections.abc import Sequence
from typing import Any

from litellm_skill.faults import ProviderFailure

Vector = Sequence[float]

DEMO_DIMENSIONS = 256


def checked(rows: Any, count: int, *, dimensions: int | None, host: str) -> list[Vector]:
    """One vector for each of ``count`` texts, in their order, from the ``data`` of an embeddings response.

    ``dimensions``: as many as each must have; None: all of them alike. Raises ProviderFailure.
    """
    came = len(rows) if isinstance(rows, list) else 0
    if came != count:
        raise _unusable(host, f"{came} vectors for {count} texts")
    vectors = [_numbers(_get(row, "embedding")) for row in _in_order(rows, host)]
    if not all(vectors):
        raise _unusable(host, "what is no vector of finite numbers")
    sizes = {len(vector) for vector in vectors}
    if len(sizes) > 1:
        raise _unusable(host, f"vectors of different dimensions: {min(sizes)} and {max(sizes)}")
    if dimensions is not None and sizes != {dimensions}:
        raise _unusable(host, f"vectors of {sizes.pop()} dimensions in place of {dimensions}")
    return vectors


def similarity(one: Vector, other: Vector) -> float | None:
    """The cosine of the angle between them, from -1 to 1; None where there is none, as for a vector of zeros."""
    lengths = math.hypot(*one) * math.hypot(*other)
    if not lengths or not math.isfinite(lengths):
        return None
    cosine = math.fsum(map(operator.mul, one, other)) / lengths
    return max(-1.0, min(1.0, cosine))


def demo(text: str, dimensions: int | None) -> Vector:
    """A vector of length 1, always the same for a text, and more alike the more words two texts share."""
    import hashlib

    vector = [0.0] * (dimensions or DEMO_DIMENSIONS)
    for word in re.findall(r"[a-z0-9]+|\w", text.lower()):
        digest = hashlib.sha256(word.encode()).digest()
        vector[int.from_bytes(digest[:4], "big") % len(vector)] += 1.0
    length = math.hypot(*vector)
    return [round(value / length, 6) for value in vector] if length else [1.0, *vector[1:]]


def _in_order(rows: list[Any], host: str) -> list[Any]:
    """By their ``index``; as they come where none has one."""
    indices = [_get(row, "index") for row in rows]
    if set(indices) == {None}:
        return rows
    places = {index: row for index, row in zip(indices, rows, strict=True) if isinstance(index, int)}
    if set(places) != set(range(len(rows))):
        raise _unusable(host, "vectors without telling whose each is")
    return [places[index] for index in range(len(rows))]


def _get(row: Any, name: str) -> Any:
    """LiteLLM leaves some providers' rows as they came, and makes objects of others'."""
    return row.get(name) if isinstance(row, dict) else getattr(row, name, None)


def _numbers(value: Any) -> Vector:
    """Empty when it is no list of finite numbers. A text is base64 of 32-bit floats, as OpenAI's API has it."""
    vector = _decoded(value) if isinstance(value, str) else value
    if not isinstance(vector, list) or not set(map(type, vector)) <= {float, int}:
        return []
    try:
        return vector if all(map(math.isfinite, vector)) else []
    except OverflowError:  # a whole number that no float holds
        return []


def _decoded(text: str) -> list[float]:
    import base64
    import sys

    try:
        numbers = array("f", base64.b64decode(text, validate=True))
    except ValueError:
        return []
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _unusable(host: str, what: str) -> ProviderFailure:
    return ProviderFailure(f"{host} sent {what}", "check model and address; it may be no embedding model")
