"""Catalogs that the tests make: of a few rows, or of a user's file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from litellm_skill import catalog, modelfile
from litellm_skill.catalog import Catalog
from litellm_skill.faults import UnknownModel
from litellm_skill.pricetable import PriceTable

TODAY = date(2026, 11, 20)


def having(*providers: str) -> Callable[[str], bool]:
    return lambda provider: provider in providers


def loaded(tmp_path: Path, text: str) -> Catalog:
    file = tmp_path / "models.toml"
    file.write_text(text, encoding="utf-8")
    return catalog.load(file)


def refusal(models: Catalog, name: str, *keys: str, **options: bool) -> UnknownModel:
    with pytest.raises(UnknownModel) as caught:
        models.resolve(name, usable=having(*keys), today=TODAY, **options)
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


def made(rows: dict[str, dict], bare: dict[str, str] | None = None, **file: object) -> Catalog:
    order = tuple(dict.fromkeys(id.partition("/")[0] for id in rows))
    names = modelfile.ModelFile(vendor_order=order, **file)
    return Catalog(PriceTable(rows, bare or {}), names, frozenset())


def chat(**more: object) -> dict[str, object]:
    return {"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, **more}


SMALL = {
    "first/alpha-2": chat(max_input_tokens=1000),
    "first/alpha-2-mini": chat(input_cost_per_token=1e-7),
    "first/alpha-2-2026-01-01": chat(),
    "first/alpha-1": chat(deprecation_date="2026-06-01"),
    "first/alpha-3-preview": chat(),
    "second/gamma-1": chat(max_input_tokens=5000),
    "second/alpha-2": chat(),
    "second/embedder": chat(mode="embedding", output_cost_per_token=0),
}


def small(**file: object) -> Catalog:
    return made(SMALL, {"alpha-2": "second/alpha-2", "zone.gamma-9": "second/gamma-1"}, **file)
