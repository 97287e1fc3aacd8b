"""models.toml: what the shipped file and the user's say of models, checked (format: its header)."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litellm_skill import price
from litellm_skill.faults import BadInput

_FLAGS = ("vision", "tools", "schema", "reasoning", "pdf")
_SIZES = ("context", "max_output")  # tokens
_RATES = {"rpm": "requests", "tpm": "tokens"}  # a minute
TASKS = (
    *("code", "code-reading", "math", "choice", "extract"),
    *("translate", "summarise", "writing", "reasoning", "simple"),
)
ROLES = ("cheap", "code", "best", "reasoning")  # the weakest first


@dataclass(frozen=True)
class Stated:
    """One ``[models."provider/id"]`` table. ``facts``: fields of ``catalog.Model`` by name."""

    same_as: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Preference:
    """One ``[tasks.name]`` table. ``floor``: the weakest role whose answer is taken unchecked; ``models``: roles,
    ``provider:role``, aliases and ids, to choose the cheapest of. "" and () where nothing is said."""

    floor: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelFile:
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tasks: Mapping[str, Preference] = field(default_factory=dict)
    models: Mapping[str, Stated] = field(default_factory=dict)
    retired: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provider_names: Mapping[str, str] = field(default_factory=dict)
    vendor_order: tuple[str, ...] = ()
    embedding: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    billed_beyond_tokens: tuple[str, ...] = ()


def read(path: Path) -> ModelFile:
    """Raises BadInput that names the file and the key."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path}: {error}", "correct the file, or move it away") from None
    if unknown := sorted(document.keys() - _SECTIONS.keys()):
        raise _wrong(path, unknown[0], f"unknown; known are {', '.join(_SECTIONS)}")
    return ModelFile(**{key: _SECTIONS[key](path, key, value) for key, value in document.items()})


def merge(shipped: ModelFile, user: ModelFile) -> ModelFile:
    """The user's word over the shipped one: key by key in tables, as a whole in lists."""
    names = {**shipped.provider_names, **user.provider_names}
    roles: dict[str, dict[str, str]] = {}
    for provider, chosen in (*shipped.roles.items(), *user.roles.items()):
        roles.setdefault(names.get(provider, provider), {}).update(chosen)
    return ModelFile(
        aliases={**shipped.aliases, **user.aliases},
        roles=roles,
        tasks={**shipped.tasks, **{name: _preferred(shipped.tasks.get(name), own) for name, own in user.tasks.items()}},
        models={**shipped.models, **{id: _laid_over(shipped.models.get(id), said) for id, said in user.models.items()}},
        retired={**shipped.retired, **user.retired},
        provider_names=names,
        vendor_order=user.vendor_order or shipped.vendor_order,
        embedding=user.embedding or shipped.embedding,
        local=user.local or shipped.local,
        billed_beyond_tokens=user.billed_beyond_tokens or shipped.billed_beyond_tokens,
    )


def _laid_over(shipped: Stated | None, user: Stated) -> Stated:
    if shipped is None:
        return user
    return Stated(user.same_as or shipped.same_as, {**shipped.facts, **user.facts})


def _preferred(shipped: Preference | None, user: Preference) -> Preference:
    if shipped is None:
        return user
    return Preference(user.floor or shipped.floor, user.models or shipped.models)


def _wrong(path: Path, key: str, what: str) -> BadInput:
    return BadInput(f"{path}: {key}: {what}", "the head of the skill's own models.toml shows the format")


def _text(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(path, key, "expected a text")
    return value


def _id(path: Path, key: str, value: object) -> str:
    if not all(_text(path, key, value).partition("/")):
        raise _wrong(path, key, "expected provider/model")
    return str(value)


def _texts(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (str, list)) or not value:
        raise _wrong(path, key, "expected a text or a list of texts")
    return tuple(_text(path, key, item) for item in ([value] if isinstance(value, str) else value))


def _table_of(check: Callable[[Path, str, object], Any]) -> Callable[[Path, str, object], dict[str, Any]]:
    def table(path: Path, key: str, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(path, key, "expected a table")
        return {name: check(path, f"{key}.{_quoted(name)}", item) for name, item in value.items()}

    return table


def _quoted(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'


def _aliases(path: Path, key: str, value: object) -> dict[str, tuple[str, ...]]:
    aliases = _table_of(_texts)(path, key, value)
    if odd := [name for name in aliases if "/" in name or ":" in name]:
        raise _wrong(path, f"{key}.{_quoted(odd[0])}", "an alias has no / and no :")
    return {name.lower(): targets for name, targets in aliases.items()}


def _models(path: Path, key: str, value: object) -> dict[str, Stated]:
    models = _table_of(_stated)(path, key, value)
    for name in models:
        _id(path, f"{key}.{_quoted(name)}", name)
    return models


def _stated(path: Path, key: str, value: object) -> Stated:
    facts = _table_of(_fact)(path, key, value)
    return Stated(facts.pop("same_as", None), facts)


def _fact(path: Path, key: str, value: object) -> object:
    name = key.rpartition(".")[2]
    if name in ("same_as", "mode"):
        return _text(path, key, value)
    if name == "price":
        try:
            return price.stated(value)
        except ValueError as error:
            raise _wrong(path, key, str(error)) from None
    if name in _FLAGS:
        return _typed(path, key, value, isinstance(value, bool), "expected true or false")
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if name in _SIZES:
        return _typed(path, key, value, whole, "expected a number of tokens, above 0")
    if name in _RATES:
        return _typed(path, key, value, whole, f"expected a number of {_RATES[name]} a minute, above 0")
    raise _wrong(path, key, f"unknown; known are same_as, price, mode, {', '.join((*_SIZES, *_FLAGS, *_RATES))}")


def _tasks(path: Path, key: str, value: object) -> dict[str, Preference]:
    tasks = _table_of(_table_of(_texts))(path, key, value)
    for name, said in tasks.items():
        if name not in TASKS:
            raise _wrong(path, f"{key}.{_quoted(name)}", f"unknown; known are {', '.join(TASKS)}")
        if odd := sorted(said.keys() - {"floor", "models"}):
            raise _wrong(path, f"{key}.{name}.{_quoted(odd[0])}", "unknown; known are floor, models")
        if "floor" in said and (len(said["floor"]) != 1 or said["floor"][0] not in ROLES):
            raise _wrong(path, f"{key}.{name}.floor", f"expected one of {', '.join(ROLES)}")
    return {name: Preference("".join(said.get("floor", ())), said.get("models", ())) for name, said in tasks.items()}


def _typed(path: Path, key: str, value: object, right: bool, expected: str) -> object:
    if not right:
        raise _wrong(path, key, expected)
    return value


_SECTIONS: dict[str, Callable[[Path, str, object], Any]] = {
    "aliases": _aliases,
    "roles": _table_of(_table_of(_id)),
    "models": _models,
    "tasks": _tasks,
    "retired": _table_of(_texts),
    "provider_names": _table_of(_text),
    "vendor_order": _texts,
    "embedding": _texts,
    "local": _texts,
    "billed_beyond_tokens": _texts,
}
