"""A file with a ``model_list``, as LiteLLM's Router and proxy read it: its entries, their types checked.

    model_list:
      - model_name: fast                      # what -m takes; entries of one name are one group
        litellm_params:
          model: openai/served-name           # or with custom_llm_provider beside it
          api_key: os.environ/OPENAI_API_KEY
          api_base: https://gateway.example/v1
          rpm: 60                             # requests and tokens a minute, here or beside litellm_params
    router_settings:
      routing_strategy: simple-shuffle        # or another of STRATEGIES
      cooldown_time: 5                        # seconds
      allowed_fails: 3

Other sections of a proxy's file (general_settings, litellm_settings, environment_variables …) are the proxy's.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litellm_skill.faults import BadInput, Forbidden
from litellm_skill.settings import user_directory

NAME = "models.yaml"
MAX_BYTES = 1_000_000
# LiteLLM's, without those that need a proxy (types/litellm_params.py, 1.106.2).
STRATEGIES = (
    *("simple-shuffle", "least-busy", "latency-based-routing", "cost-based-routing"),
    *("usage-based-routing", "usage-based-routing-v2"),
)
_ROUTING = ("routing_strategy", "cooldown_time", "allowed_fails")
_LIMITS = ("rpm", "tpm", "max_parallel_requests")
_TEXTS = ("api_key", "api_base", "custom_llm_provider")
OWN = ("model", *_TEXTS, *_LIMITS)  # parameters that are read here, and not passed on


@dataclass(frozen=True)
class Routing:
    """``strategy`` by LiteLLM's name; ``cooldown_s`` and ``allowed_fails``: None leaves it to LiteLLM."""

    strategy: str = "simple-shuffle"
    cooldown_s: float | None = None
    allowed_fails: int | None = None


@dataclass(frozen=True)
class Entry:
    """``params`` and ``info``: litellm_params and model_info as written; ``where``: for messages."""

    where: str
    group: str
    model: str
    params: Mapping[str, Any] = field(repr=False)
    info: Mapping[str, Any] = field(repr=False)
    rpm: int | None = None
    tpm: int | None = None
    max_parallel_requests: int | None = None


@dataclass(frozen=True)
class ModelList:
    """``trusted``: the user's own file. ``entries`` by ``model_name``, in the order of the file."""

    path: Path
    trusted: bool
    routing: Routing = Routing()
    entries: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


def read(path: Path | None, environ: Mapping[str, str]) -> ModelList:
    """None: the user's own file, empty if there is none. Raises BadInput, or Forbidden when others may write the user's
    own file."""
    own = user_directory(environ)
    file = path or own / NAME
    trusted = _lies_in(own, file)
    text = _text(file, trusted=trusted)
    if text is None and path is not None:
        raise BadInput(f"no such file: {file}", "name an existing file after --config")
    return ModelList(file, trusted) if text is None else _of(file, trusted, text)


def _of(path: Path, trusted: bool, text: str) -> ModelList:
    from litellm_skill import yamlfile

    document = yamlfile.parse(text, path)
    rows = document.get("model_list") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not rows:
        raise _wrong(str(path), "it has no model_list: a list of entries")
    routing, unused = _routing(path, document.get("router_settings"))
    entries: dict[str, list[Entry]] = {}
    wildcards = 0
    for number, row in enumerate(rows, 1):
        entry = _entry(path, number, row)
        if "*" in entry.group or "*" in entry.model:
            wildcards += 1
        else:
            entries.setdefault(entry.group, []).append(entry)
    warnings = [f"{path}: router_settings not used: {', '.join(unused)}"] if unused else []
    if wildcards:
        warnings.append(f"{path}: entries with * are a proxy's, and not used: {wildcards}")
    return ModelList(path, trusted, routing, {name: tuple(some) for name, some in entries.items()}, tuple(warnings))


def _entry(path: Path, number: int, row: object) -> Entry:
    where = f"{path}: entry {number} of model_list"
    if not isinstance(row, dict):
        raise _wrong(where, "expected model_name and litellm_params")
    name = _plain(where, "model_name", row.get("model_name"))
    where = f"{path}: entry {number} ({name[:60]})"
    params, info = row.get("litellm_params"), row.get("model_info") or {}
    if not isinstance(params, dict) or not isinstance(info, dict):
        raise _wrong(where, "litellm_params and model_info are mappings")
    model = _plain(where, "litellm_params.model", params.get("model"))
    params = {str(key): value for key, value in params.items() if value is not None}
    if "base_url" in params:  # LiteLLM's other name for it
        params.setdefault("api_base", params.pop("base_url"))
    for key in _TEXTS:
        if not isinstance(params.get(key, ""), str):
            raise _wrong(where, f"litellm_params.{key} must be a text: put it in quotes")
    limits = {key: _limit(where, key, (row, params, info)) for key in _LIMITS}
    return Entry(where, name, model, params, info, **limits)


def _limit(where: str, name: str, places: tuple[Mapping[str, Any], ...]) -> int | None:
    """Beside litellm_params, in it, or in model_info, in LiteLLM's order."""
    value = next((place[name] for place in places if place.get(name) is not None), None)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise _wrong(where, f"{name} must be a whole number above 0")
    return value


def _routing(path: Path, given: object) -> tuple[Routing, list[str]]:
    """What is used of ``router_settings``, and the names of what is not."""
    if given is None:
        return Routing(), []
    where = f"{path}: router_settings"
    if not isinstance(given, dict):
        raise _wrong(where, "expected a mapping")
    strategy = given.get("routing_strategy") or Routing.strategy
    if strategy not in STRATEGIES:
        raise _wrong(where, f"routing_strategy is one of {', '.join(STRATEGIES)}")
    cooldown, fails = given.get("cooldown_time"), given.get("allowed_fails")
    if cooldown is not None and not _number(cooldown):
        raise _wrong(where, "cooldown_time must be a number of seconds")
    if fails is not None and not (_number(fails) and isinstance(fails, int)):
        raise _wrong(where, "allowed_fails must be a whole number")
    unused = sorted(str(name) for name in given.keys() - set(_ROUTING))
    return Routing(strategy, cooldown, fails), unused


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= 86_400


def _plain(where: str, name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise _wrong(where, f"{name} must be a text")
    return value.strip()


def _wrong(where: str, what: str) -> BadInput:
    return BadInput(f"{where}: {what}", "LiteLLM's documentation of model_list shows the format")


def _lies_in(own: Path, file: Path) -> bool:
    """Whether the file, or the link to it, lies in the user's own folder."""
    home = own.resolve()
    return file.parent.resolve() == home or home in file.resolve().parents


def _text(path: Path, *, trusted: bool) -> str | None:
    """None when there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise BadInput(f"{path} is not a regular file of at most {MAX_BYTES:,} bytes", "name another file")
        if trusted and os.name == "posix":
            _check_owner(path, status)
        content = os.read(descriptor, MAX_BYTES)
    finally:
        os.close(descriptor)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error


def _check_owner(path: Path, status: os.stat_result) -> None:
    """The file's, its folder's and, if it is one, the link's."""
    folder = path.parent.stat()
    for place, name in ((status, path), (folder, path.parent), (path.lstat(), path)):
        if place.st_uid not in (os.getuid(), 0):
            raise Forbidden(f"{name} belongs to another user ({place.st_uid}): it is not used", "move it away")
    if status.st_mode & 0o022:
        raise Forbidden(f"others than its owner may write {path}: it is not used", f"chmod go-w {path}")
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        what = f"everybody may write {path.parent}: {path.name} in it is not used"
        raise Forbidden(what, f"chmod o-w {path.parent}")
