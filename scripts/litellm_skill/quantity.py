"""Numbers on the command line: argparse types, which raise what argparse tells."""

from __future__ import annotations

import argparse
import math


def number(text: str) -> float:
    """Any finite one."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def count(text: str) -> int:
    """A positive whole number."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def whole(text: str) -> int:
    """A whole number."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def seconds(text: str) -> float:
    """A positive, finite number of seconds."""
    return _positive(text, "a positive number of seconds")


def share(text: str) -> float:
    """From 0 to 1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return value


def usd(text: str) -> float:
    """A positive, finite amount."""
    return _positive(text, "a positive amount in USD")


def per_minute(text: str) -> float:
    """A positive, finite number."""
    return _positive(text, "a positive number of calls a minute")


def _positive(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value
