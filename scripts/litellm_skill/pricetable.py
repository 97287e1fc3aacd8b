"""LiteLLM's table of models, read as JSON from where the package lies: LiteLLM is not imported.

``--refresh`` (``refresh.py``) keeps the newest one, and OpenRouter's list in the same form, in the user's cache; what
is there is read in place of, and beside, the bundled table.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

from litellm_skill.faults import NotSetUp
from litellm_skill.settings import private_directory

Row = Mapping[str, Any]

MAX_BYTES = 30_000_000  # the bundled table has 3 million
_FILE = "model_prices_and_context_window_backup.json"
# The table's name of a provider where LiteLLM routes by another one (get_llm_provider_logic.py, 1.106.2) …
_ROUTED_AS = {"bedrock_converse": "bedrock", "azure_text": "azure"}
# … and providers that share the rows of another one.
_ROWS_OF = {"ollama_chat": "ollama", "cohere": "cohere_chat"}
# Rows that are no models: the example, rules for unlisted ids, price classes by size, and fees of containers.
_NO_MODEL = (
    "sample_spec",
    "fallback_generalizations",
    "together-ai-",
    "fireworks-ai-",
    "openai/container",
    "azure/container",
)


@dataclass(frozen=True)
class Refreshed:
    """A file of the cache. ``fetched_at`` in Unix seconds; ``bundled``: the LiteLLM that was installed by then."""

    fetched_at: float
    bundled: str
    rows: Mapping[str, Row]


@dataclass(frozen=True)
class PriceTable:
    """``rows`` by the id LiteLLM routes by; ``bare``: an id the table has without a provider -> that id.

    ``fetched_at``, ``openrouter_fetched_at``: Unix seconds, None for the bundled table, and without OpenRouter's list.
    """

    rows: Mapping[str, Row]
    bare: Mapping[str, str]
    bundled: str = ""
    fetched_at: float | None = None
    openrouter_fetched_at: float | None = None
    warnings: tuple[str, ...] = field(default=())

    def row(self, id: str) -> Row | None:
        """What is known of ``provider/model``; of a fine-tuned model, what is known of its kind."""
        provider, _, name = id.partition("/")
        if name.startswith("ft:") and name.count(":") > 1:
            name = ":".join(name.split(":")[:2])
        twin = _ROWS_OF.get(provider, provider)
        return self.rows.get(f"{provider}/{name}") or self.rows.get(f"{twin}/{name}")


def load() -> PriceTable:
    """The newest of the bundled and the refreshed table. Raises NotSetUp when LiteLLM is not installed."""
    path = bundled_path()
    version = _version(path)
    warnings: list[str] = []
    newest = _cached("litellm", warnings)
    if newest and newest.bundled != version:  # LiteLLM was installed anew, perhaps with a newer table
        warnings.append("the refreshed prices are older than this LiteLLM, so its own are used: --refresh renews them")
        newest = None
    rows, bare = _routed(newest.rows) if newest else bundled()
    openrouter = _cached("openrouter", warnings)
    return PriceTable(
        {**rows, **_of_openrouter(openrouter)} if openrouter else rows,
        bare,
        bundled=version,
        fetched_at=newest.fetched_at if newest else None,
        openrouter_fetched_at=openrouter.fetched_at if openrouter else None,
        warnings=tuple(warnings),
    )


def bundled() -> tuple[dict[str, Row], dict[str, str]]:
    """``rows`` and ``bare`` of the table that LiteLLM brings. Raises NotSetUp when it is not installed."""
    path = bundled_path()
    found = path.stat()
    return _parsed(path, found.st_mtime_ns, found.st_size)


@cache
def _parsed(path: Path, changed_ns: int, size: int) -> tuple[dict[str, Row], dict[str, str]]:
    """Once in a process for each state of the file."""
    return _routed(json.loads(path.read_bytes()))


def _routed(table: Mapping[str, Row]) -> tuple[dict[str, Row], dict[str, str]]:
    rows: dict[str, Row] = {}
    bare: dict[str, str] = {}
    for key, row in table.items():
        if key.startswith(_NO_MODEL):
            continue
        provider = _routed_provider(row["litellm_provider"])
        prefix, _, name = key.partition("/")
        if name and prefix in (provider, provider.replace("_", "-")):
            rows[f"{provider}/{name}"] = row
        else:
            bare[key] = f"{provider}/{key}"
            rows.setdefault(bare[key], row)
    return rows, bare


def _of_openrouter(found: Refreshed) -> dict[str, Row]:
    return {id: row for id, row in found.rows.items() if id.startswith("openrouter/")}


def bundled_path() -> Path:
    """Raises NotSetUp when LiteLLM is not installed."""
    spec = importlib.util.find_spec("litellm")  # finds the package without importing it
    folders = (spec and spec.submodule_search_locations) or []
    for path in (Path(folder, _FILE) for folder in folders):
        if path.is_file():
            return path
    raise NotSetUp("LiteLLM is not installed for this Python", "run a script of the skill: it installs it")


def bundled_version() -> str:
    """Of the LiteLLM that is installed; "" when it does not say. Raises NotSetUp when there is none."""
    return _version(bundled_path())


def _version(table: Path) -> str:
    """By the name of the folder beside the package: importlib.metadata costs ten times as much."""
    found = sorted(path.name for path in table.parent.parent.glob("litellm-[0-9]*.dist-info"))
    return found[-1].removeprefix("litellm-").removesuffix(".dist-info") if found else ""


def _routed_provider(name: str) -> str:
    for family in ("vertex_ai", "fireworks_ai"):  # the table splits these two by what they serve
        if name.startswith(f"{family}-"):
            return family
    return _ROUTED_AS.get(name, name)


def cache_directory(environ: Mapping[str, str]) -> Path:
    """``$XDG_CACHE_HOME/litellm-skill/prices``, else below ``~/.cache``; a relative path is none (XDG)."""
    cache = Path(environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path(os.path.expanduser("~"), ".cache")) / "litellm-skill" / "prices"


def _cached(name: str, warnings: list[str]) -> Refreshed | None:
    """A file of the cache, None when there is none; one that cannot be relied on is not used, and said."""
    path = cache_directory(os.environ) / f"{name}.json"
    try:
        if not path.is_file() and not path.is_symlink():
            return None
        private_directory(path.parent)
        return _read(path)
    except (OSError, ValueError, RecursionError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error).partition("\n")[0][:100]
        warnings.append(f"refreshed prices not used: {path}: {why}")
        return None


def _read(path: Path) -> Refreshed:
    """Raises OSError or ValueError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise ValueError(f"not a regular file of at most {MAX_BYTES:,} bytes")
        document = json.loads(file.read(MAX_BYTES))
    if not isinstance(document, dict) or not isinstance(document.get("rows"), dict):
        raise ValueError("not what --refresh writes")
    fetched_at, bundled = document.get("fetched_at"), document.get("bundled")
    if not _is_number(fetched_at) or not 0 < fetched_at < time.time() + 86_400 or not isinstance(bundled, str):
        raise ValueError("not what --refresh writes")
    rows = {key: sane(row) for key, row in document["rows"].items() if isinstance(row, dict)}
    return Refreshed(fetched_at, bundled, {key: row for key, row in rows.items() if "litellm_provider" in row})


def sane(row: Row) -> Row:
    """Of a row from elsewhere, what the catalogue reads and what can be true; the rest is left out, thus unknown."""
    found = {name: row[name] for name, is_sane in _FIELDS.items() if name in row and is_sane(row[name])}
    for name in row:
        if "_above_" in name and name.startswith(_RATES) and _is_rate(row[name]):
            found[name] = row[name]
    return found


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12


def _is_rate(value: Any) -> bool:
    """USD per token; the dearest that is known costs a hundredth."""
    return _is_number(value) and 0 <= value < 1


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable()


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _are_tiers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and _is_tier(item) for item in value)


def _is_tier(item: Mapping[str, Any]) -> bool:
    start = item.get("range", [0])
    begins = isinstance(start, list) and bool(start) and _is_number(start[0]) and 0 <= start[0] < 10**12
    return begins and all(_is_rate(item[name]) for name in _RATES if item.get(name) is not None)


_RATES = (
    *("input_cost_per_token", "output_cost_per_token", "output_cost_per_reasoning_token"),
    "cache_read_input_token_cost",
)
_FIELDS = {
    **dict.fromkeys(("litellm_provider", "mode"), _is_word),
    **dict.fromkeys(("max_tokens", "max_input_tokens", "max_output_tokens"), _is_count),
    **dict.fromkeys(("supports_vision", "supports_function_calling", "supports_response_schema"), _is_flag),
    **dict.fromkeys(("supports_reasoning", "supports_pdf_input", "free"), _is_flag),
    **dict.fromkeys(_RATES, _is_rate),
    "tiered_pricing": _are_tiers,
    "deprecation_date": _is_date,
}
