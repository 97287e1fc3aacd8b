"""``--refresh``: the newest price table of LiteLLM, and OpenRouter's list of models, into the user's cache.

The only network use of that kind. A list is checked before it takes the place of the old one, as a whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from litellm_skill import download, pricetable
from litellm_skill.download import Request
from litellm_skill.faults import Fault, ProviderFailure
from litellm_skill.pricetable import Row
from litellm_skill.settings import Settings, private_directory

PATIENCE = 30.0  # seconds
Rows = Mapping[str, Row]


@dataclass(frozen=True)
class Source:
    """``variable``: names another address, in the environment or the user's own file."""

    name: str
    address: str
    variable: str
    read: Callable[[Any], Rows]


def refresh(settings: Settings) -> None:
    """Raises ProviderFailure when a list did not come or is not one; what there was of it is kept."""
    outcomes = download.together([partial(_renew, source, settings) for source in SOURCES])
    failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    for failure in failures:
        if not isinstance(failure, Fault):
            raise failure
    if failures:
        what = "; ".join(str(failure) for failure in failures)
        hint = "what was there before is kept: leave --refresh out, or set "
        raise ProviderFailure(f"prices not refreshed: {what}", hint + " and ".join(one.variable for one in SOURCES))


def _renew(source: Source, settings: Settings) -> None:
    address = settings.get(source.variable) or source.address
    document = download.fetch_json(Request(address, PATIENCE, pricetable.MAX_BYTES))
    try:
        rows = source.read(document)
    except ValueError as error:
        host = download.Request(address, PATIENCE, 0).host
        raise ProviderFailure(f"{host} did not answer with {source.name}'s list: {error}") from None
    _keep(source.name, {"fetched_at": time.time(), "bundled": pricetable.bundled_version(), "rows": rows})


def _keep(name: str, document: Mapping[str, Any]) -> None:
    directory = pricetable.cache_directory(os.environ)
    draft = directory / f"{name}.{os.getpid()}"
    try:
        private_directory(private_directory(directory.parent) / directory.name)
        _write(draft, json.dumps(document))
        draft.replace(directory / f"{name}.json")
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise ProviderFailure(f"cannot write into {directory}: {error.strerror or error}") from None


def _write(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _litellm_rows(document: Any) -> Rows:
    """The table as LiteLLM has it. Raises ValueError when it is less than half of the bundled one."""
    rows = _sane(document if isinstance(document, dict) else {})
    bundled = _sane(json.loads(pricetable.bundled_path().read_bytes()))
    for what, found, least in (("models", len(rows), len(bundled)), ("prices", _priced(rows), _priced(bundled))):
        if found < least / 2:
            raise ValueError(f"{found} {what}, where the bundled table has {least}")
    return rows


def _sane(table: Mapping[str, Any]) -> Rows:
    rows = {key: pricetable.sane(row) for key, row in table.items() if isinstance(row, dict)}
    return {key: row for key, row in rows.items() if "litellm_provider" in row}


def _priced(rows: Rows) -> int:
    return sum(bool(row.get("input_cost_per_token")) for row in rows.values())


def _openrouter_rows(document: Any) -> Rows:
    """OpenRouter's list (https://openrouter.ai/docs/models) in the form of LiteLLM's table. Raises ValueError."""
    models = document.get("data") if isinstance(document, dict) else None
    found = [_openrouter_row(model) for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    rows = dict(row for row in found if row)
    if not _priced(rows):
        raise ValueError(f"{len(rows)} models, none of them with a price")
    return rows


def _openrouter_row(model: Mapping[str, Any]) -> tuple[str, Row] | None:
    """Prices are texts, in USD per token; -1 means that it depends, 0 that it is not billed apart. A model that bills
    each request, too, has no price by tokens alone."""
    id, made = model.get("id"), _table(model, "architecture")
    if not isinstance(id, str) or not id.isprintable() or "text" not in _texts(made, "output_modalities"):
        return None
    shown, takes = _texts(made, "input_modalities"), _texts(model, "supported_parameters")
    prices = {name: _number(text) for name, text in _table(model, "pricing").items()}
    row = {
        "litellm_provider": "openrouter",
        "mode": "chat",
        "max_input_tokens": model.get("context_length"),
        "max_output_tokens": _table(model, "top_provider").get("max_completion_tokens"),
        "supports_vision": "image" in shown,
        "supports_pdf_input": "file" in shown,
        "supports_function_calling": "tools" in takes,
        "supports_response_schema": "structured_outputs" in takes,
        "supports_reasoning": "reasoning" in takes,
        "deprecation_date": str(model.get("expiration_date"))[:10],
        "free": id.endswith(":free") and prices.get("prompt") == prices.get("completion") == 0,
    }
    if not prices.get("request"):
        row |= {name: prices.get(theirs) or None for name, theirs in _OPENROUTER_PRICES.items()}
    return f"openrouter/{id}", pricetable.sane(row)


def _table(model: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = model.get(name)
    return value if isinstance(value, dict) else {}


def _texts(model: Mapping[str, Any], name: str) -> list[Any]:
    value = model.get(name)
    return value if isinstance(value, list) else []


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


_OPENROUTER_PRICES = {
    "input_cost_per_token": "prompt",
    "output_cost_per_token": "completion",
    "cache_read_input_token_cost": "input_cache_read",
    "output_cost_per_reasoning_token": "internal_reasoning",
}
SOURCES = (
    Source(
        "litellm",
        # What LiteLLM itself reads (litellm/__init__.py, model_cost_map_url)
        "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json",
        "LITELLM_SKILL_PRICES_URL",
        _litellm_rows,
    ),
    Source("openrouter", "https://openrouter.ai/api/v1/models", "LITELLM_SKILL_OPENROUTER_URL", _openrouter_rows),
)
