"""Which model ids come nearest to a name that is none, or no longer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

# A region or maker before a dotted Bedrock id, and what marks one snapshot or stage of a model.
_BEFORE = re.compile(r"^(?:[a-z-]+\.)+(?=[a-z])")
_SNAPSHOT = re.compile(
    r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d|\d{4}|latest|preview|exp|beta|default|v\d+(?=:|$))(?![^-@:])|:\d+$"
)
# Marks of models that nobody means without saying so.
_SPECIAL = re.compile(r"preview|beta|-exp|audio|tts|search|research|robotics|guard|computer|image|cyber")
_BONUS = 0.3  # outweighs a name that is a third different


def plain(id: str) -> str:
    """An id's letters and digits: what is left when case and punctuation do not matter."""
    return "".join(filter(str.isalnum, id.lower()))


def nearest(name: str, ids: Sequence[str], *, chosen: Sequence[str], vendor: str, limit: int = 3) -> list[str]:
    """The ``limit`` ids of ``ids`` nearest to ``name``; of equals the first. A snapshot stands for its model.

    Preferred are ``chosen`` ids (roles and aliases, the earlier the more) and those of the maker ``vendor``,
    or else of the best match's provider.
    """
    likeness = _likeness(name, ids)
    special = set(_SPECIAL.findall(name))
    choice = {id: 1 - number / len(chosen) / 2 for number, id in enumerate(chosen)}
    position = {id.partition("/")[0]: -number for number, id in enumerate(reversed(ids))}

    def rank(id: str) -> tuple[float, int, int]:
        provider, *makers = re.split("[/.]", id)
        same = 1 if provider == vendor else 0.5 if vendor in makers else 0
        odd = bool(set(_SPECIAL.findall(id)) - special)
        return (
            -likeness[id] - _BONUS * (choice.get(id, 0) + same - odd),
            position[id.partition("/")[0]],
            len(id),
        )

    vendor = vendor or min(ids, key=rank, default="").partition("/")[0]
    first_of_model: dict[str, str] = {}
    for id in sorted(ids, key=rank):
        first_of_model.setdefault(_stem(id), id)
    return list(first_of_model.values())[:limit]


def _likeness(name: str, ids: Iterable[str]) -> dict[str, float]:
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(_stem(name))
    likeness = {}
    for id in ids:
        matcher.set_seq1(_stem(id))
        likeness[id] = matcher.ratio()
    return likeness


def _stem(id: str) -> str:
    return plain(_SNAPSHOT.sub("", _BEFORE.sub("", id.rpartition("/")[2].lower())))
