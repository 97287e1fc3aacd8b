"""Who takes part when several models are asked: those that were named, else one of each of some vendors."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from litellm_skill import ballot, demo
from litellm_skill.choice import Choice, Chooser
from litellm_skill.faults import Fault, UnknownModel

if TYPE_CHECKING:
    import asyncio

VENDORS = 3  # asked when nobody was named


def taken(args: argparse.Namespace, chooser: Chooser) -> list[tuple[str, Choice | Fault]]:
    """A label and a model for each place; ``--repeat`` gives a model several, as ``model#2``. A name that nobody has is
    told apart by itself, and has its fault. Raises NotSetUp when nobody was named and there is nobody to ask."""
    choices = [_chosen(name, chooser) for name in _names(args)]
    choices = choices or [(one.name, one) for one in chooser.panel(VENDORS)]
    several = [pair for pair in choices for _ in range(args.repeat)]
    labels = ballot.labels(name for name, _ in several)
    return [(label, one) for label, (_, one) in zip(labels, several, strict=True)]


def _names(args: argparse.Namespace) -> list[str]:
    named = [*args.model, *(name.strip() for name in (args.models or "").split(","))]
    names = [name for name in named if name]
    return names or [demo.MODEL, demo.OTHER] if args.demo else names


def _chosen(name: str, chooser: Chooser) -> tuple[str, Choice | Fault]:
    """By the model's id, by which answers are told apart; an unknown name stays what it is."""
    try:
        choice = chooser.choose(name)
    except UnknownModel as fault:
        return name, fault
    return choice.name, choice


async def all_done(tasks: Sequence[asyncio.Task[Any]]) -> bool:
    """Wait for all of them; False when that was interrupted, which each then says of itself."""
    import asyncio

    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return False
    return True
