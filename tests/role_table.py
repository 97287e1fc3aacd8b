"""The tables at the end of references/models.md: what roles and aliases mean, by models.toml and LiteLLM's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from litellm_skill import catalog, listing
from litellm_skill.catalog import Catalog

HEAD = """| model | roles of its provider | context | $/M in | $/M out | can |
|---|---|---|---|---|---|"""
ALIASES = """| alias | tried in this order |
|---|---|"""


def tables() -> str:
    models = catalog.load()
    rows = [line for roles in models.roles.values() for line in _of_provider(models, roles)]
    aliases = [
        f"| `{name}` | {', '.join(f'`{target}`' for target in targets)} |" for name, targets in models.aliases.items()
    ]
    return "\n".join([HEAD, *rows, "", ALIASES, *aliases, ""])


def _of_provider(models: Catalog, roles: Mapping[str, str]) -> Iterator[str]:
    """A line for each model; ``?`` is unknown."""
    for id in dict.fromkeys(roles.values()):
        model = models.find(id)
        assert model, id
        row = listing.row(model, "catalog")
        names = ", ".join(role for role, target in roles.items() if target == id)
        sizes = [f"{model.context:,}" if model.context else "?", *(_price(usd) for usd in (row.input, row.output))]
        yield f"| `{id}` | {names} | {' | '.join(sizes)} | {' '.join(row.abilities)} |"


def _price(usd: float | None) -> str:
    return "?" if usd is None else f"{usd:.2f}"
