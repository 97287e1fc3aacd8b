"""A YAML document as plain values, read without trust: no tags, no key twice, bounded in depth and in what its aliases
stand for. One that is JSON is read as such, which is several times as fast; in doubt YAML decides.

Read from the parser's events. PyYAML's C loader walks its nodes by recursion and crashes the interpreter on some
100,000 nested brackets (pyyaml 6.0.3), its Python loader takes twenty times as long, and both take the last of two
equal keys. Only true, false, null and numbers are resolved, as YAML 1.1 does; a date stays text.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litellm_skill.faults import BadInput

MAX_DEPTH = 50
MAX_VALUES = 200_000  # with every alias replaced by what it stands for
_RESOLVED = ("bool", "int", "float", "null")
_SHOWN = 40  # characters of a key or tag in a message; a key of the file could be anything


@dataclass
class _Container:
    """A list or mapping that is not closed yet. ``size``: values in it, aliases replaced. ``key``: waits for its value;
    ``own``: keys that were written here, and not merged in."""

    value: Any
    anchor: str | None
    size: int = 1
    key: Any = None
    keyed: bool = False
    own: set[Any] = field(default_factory=set)
    merged: list[dict[Any, Any]] = field(default_factory=list)


def parse(text: str, path: Path) -> Any:
    """The one document; None when it is empty. ``path`` is for messages. Raises BadInput with the line."""
    if (document := _from_json(text)) is not None:
        return document
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(path, _resolver())
    take = builder.takers()
    try:
        for event in yaml.parse(text, Loader=loader):
            if taker := take.get(type(event).__name__):
                taker(event)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        raise _wrong(path, mark.line if mark else None, f"it is not YAML: {what}") from None
    return builder.document


def _from_json(text: str) -> Any:
    """None for what is no list or mapping in JSON, or might mean or be something else as YAML."""
    if not text.lstrip().startswith(("{", "[")) or "\\ud" in text.lower():  # half of a surrogate pair is no text
        return None
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_float=_fraction, parse_constant=_fraction)
    except (ValueError, RecursionError):
        return None
    return document if _within_bounds(document) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError for a key that is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _fraction(text: str) -> float:
    """Raises ValueError for what is a text in YAML 1.1: ``1e5``, ``NaN``."""
    if text.lower().islower():
        raise ValueError
    return float(text)


def _within_bounds(document: Any) -> bool:
    """Counts every value of a list twice, as if it had a key: nearly 200,000 are for YAML to count."""
    level, size = [document], 1
    for _ in range(MAX_DEPTH):
        inside = [one for outer in level for one in (outer.values() if isinstance(outer, dict) else outer)]
        size += 2 * len(inside)
        level = [one for one in inside if isinstance(one, dict | list)]
        if not level:
            return size <= MAX_VALUES
    return False


class _Builder:
    """Takes the parser's events in order and keeps what is open, so that no depth of nesting needs recursion."""

    def __init__(self, path: Path, resolve: Callable[[str], Any]) -> None:
        self.document: Any = None
        self._path = path
        self._resolve = resolve
        self._documents = 0
        self._open: list[_Container] = []
        self._anchors: dict[str, tuple[Any, int]] = {}

    def takers(self) -> dict[str, Callable[[Any], None]]:
        """What takes an event, by the name of its class; others say nothing of the values."""
        return {
            "ScalarEvent": self._scalar,
            "MappingStartEvent": lambda event: self._begin(event, {}),
            "SequenceStartEvent": lambda event: self._begin(event, []),
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "AliasEvent": self._alias,
            "DocumentStartEvent": self._start,
        }

    def _start(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._at(event, "there is a second document")

    def _scalar(self, event: Any) -> None:
        self._check_tag(event)
        value = self._resolve(event.value) if event.implicit[0] else event.value
        if isinstance(value, _Unreadable):
            raise self._at(event, "a number that is too long")
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._add(event, value, 1, plain=event.implicit[0])

    def _begin(self, event: Any, value: Any) -> None:
        self._check_tag(event)
        if len(self._open) >= MAX_DEPTH:
            raise self._at(event, f"it is nested deeper than {MAX_DEPTH}")
        self._open.append(_Container(value, event.anchor))

    def _end(self, event: Any) -> None:
        closed = self._open.pop()
        for source in closed.merged:
            for key, value in source.items():
                closed.value.setdefault(key, value)
        if closed.anchor:
            self._anchors[closed.anchor] = (closed.value, closed.size)
        self._add(event, closed.value, closed.size)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:  # or it stands within what it names
            raise self._at(event, f"*{event.anchor[:_SHOWN]} has no anchor before it")
        self._add(event, *self._anchors[event.anchor])

    def _add(self, event: Any, value: Any, size: int, *, plain: bool = False) -> None:
        if not self._open:
            self.document = value
            return
        parent = self._open[-1]
        parent.size += size
        if parent.size > MAX_VALUES:
            raise self._at(event, f"with its aliases it holds more than {MAX_VALUES:,} values")
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif not parent.keyed:
            self._key(event, parent, value, plain=plain)
        else:
            self._value(event, parent, value)

    def _key(self, event: Any, parent: _Container, key: Any, *, plain: bool) -> None:
        if isinstance(key, dict | list):
            raise self._at(event, "a key is a list or a mapping")
        merge = plain and key == "<<"
        if not merge and key in parent.own:
            raise self._at(event, f"the key {str(key)[:_SHOWN]!r} is there twice")
        parent.key, parent.keyed = (_MERGE if merge else key), True

    def _value(self, event: Any, parent: _Container, value: Any) -> None:
        parent.keyed = False
        if parent.key is not _MERGE:
            parent.own.add(parent.key)
            parent.value[parent.key] = value
            return
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise self._at(event, "<< stands for mappings only")
        parent.merged += sources

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            raise self._at(event, f"the tag {event.tag[:_SHOWN]} is not read")

    def _at(self, event: Any, what: str) -> BadInput:
        return _wrong(self._path, event.start_mark.line, what)


_MERGE = object()


@dataclass(frozen=True)
class _Unreadable:
    """A number that Python does not convert."""


def _resolver() -> Callable[[str], Any]:
    """What a scalar without quotes means."""
    import yaml

    resolver, constructor = yaml.resolver.Resolver(), yaml.constructor.SafeConstructor()

    @functools.cache
    def resolve(text: str) -> Any:
        tag = resolver.resolve(yaml.ScalarNode, text, (True, False))
        if tag.rpartition(":")[2] not in _RESOLVED:
            return text
        try:
            return constructor.construct_object(yaml.ScalarNode(tag, text))
        except ValueError:
            return _Unreadable()

    return resolve


def _wrong(path: Path, line: int | None, what: str) -> BadInput:
    where = f"{path}, line {line + 1}" if line is not None else str(path)
    return BadInput(f"{where}: {what}", "correct the file, or name another")
