"""LiteLLM's bundled table of models, read as JSON from where the package lies: LiteLLM is not imported."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litellm_skill.faults import NotSetUp

Row = Mapping[str, Any]

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
class PriceTable:
    """``rows`` by the id LiteLLM routes by; ``bare``: an id the table has without a provider -> that id."""

    rows: Mapping[str, Row]
    bare: Mapping[str, str]

    def row(self, id: str) -> Row | None:
        """What is known of ``provider/model``; of a fine-tuned model, what is known of its kind."""
        provider, _, name = id.partition("/")
        if name.startswith("ft:") and name.count(":") > 1:
            name = ":".join(name.split(":")[:2])
        twin = _ROWS_OF.get(provider, provider)
        return self.rows.get(f"{provider}/{name}") or self.rows.get(f"{twin}/{name}")


def load() -> PriceTable:
    """Raises NotSetUp when LiteLLM is not installed."""
    rows: dict[str, Row] = {}
    bare: dict[str, str] = {}
    for key, row in json.loads(_path().read_bytes()).items():
        if key.startswith(_NO_MODEL):
            continue
        provider = _routed_provider(row["litellm_provider"])
        prefix, _, name = key.partition("/")
        if name and prefix in (provider, provider.replace("_", "-")):
            rows[f"{provider}/{name}"] = row
        else:
            bare[key] = f"{provider}/{key}"
            rows.setdefault(bare[key], row)
    return PriceTable(rows, bare)


def _path() -> Path:
    spec = importlib.util.find_spec("litellm")  # finds the package without importing it
    folders = (spec and spec.submodule_search_locations) or []
    for path in (Path(folder, _FILE) for folder in folders):
        if path.is_file():
            return path
    raise NotSetUp("LiteLLM is not installed for this Python", "run a script of the skill: it installs it")


def _routed_provider(name: str) -> str:
    for family in ("vertex_ai", "fireworks_ai"):  # the table splits these two by what they serve
        if name.startswith(f"{family}-"):
            return family
    return _ROUTED_AS.get(name, name)
