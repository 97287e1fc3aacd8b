"""What the pages tell people to call can be called today; references/models.md says what the catalogue says."""

from __future__ import annotations

import os
import re
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import role_table
from blocks import PAGES, ROOT
from litellm_skill import catalog
from litellm_skill.catalog import ROLES, Catalog
from litellm_skill.faults import UnknownModel

RENEW = bool(os.environ.get("LITELLM_SKILL_RENEW"))
MODELS_PAGE = ROOT / "references" / "models.md"
MADE_UP = re.compile(r"provider/model$|(?:demo|litellm_proxy)/|\w+/(?:[a-z]+-(?:model|test)|[A-Z]+|\*|…)$")
FLAGS = "-m|--models|--fallback|--judge|--synthesize|--strong|--check-judge|--merge-judge"
OLD_NEWS = re.compile(r"(?m)^<!-- measured[^\n]*-->\n(?:.+\n)*")  # data of a day, which nobody is told to call


def named(text: str, models: Catalog) -> set[str]:
    """Ids with their provider, ``provider:role``, and what stands after a flag that takes a model."""
    text = OLD_NEWS.sub("", text)
    providers = {id.partition("/")[0] for id in models.table.rows} | set(models.roles)
    ids = {
        id
        for id in re.findall(r"(?<![\w/.:-])\w+/[\w*…][\w.:/-]*(?<![.:/])", text)
        if id.partition("/")[0] in providers
    }
    roles = set(re.findall(rf"\b[a-z_]+:(?:{'|'.join(ROLES)})\b", text))
    flagged = re.findall(rf"(?<!python3 )(?<![\w-])(?:{FLAGS}) ([a-z][\w.:/,-]*(?<![.:,]))", text)
    groups = set(re.findall(r"model_name: (\S+)", text))  # of a list on the same page
    names = ids | roles | {name for some in flagged for name in some.split(",")}
    return {name for name in names - groups if not MADE_UP.match(name)}


def fault(name: str, models: Catalog) -> str | None:
    """Why it is no good advice."""
    try:
        return (
            None if models.resolve(name, usable=bool, today=date.today(), strict_names=True).known else "is not known"
        )
    except UnknownModel as error:
        return error.message


def retired(text: str, models: Catalog) -> set[str]:
    """Ids without provider that are gone."""
    words = set(re.findall(r"(?<![\w/.:-])[a-z][a-z0-9]*(?:[-.][a-z0-9]+)+", OLD_NEWS.sub("", text)))
    globs = {glob for some in models.file.retired.values() for glob in some}
    found = ((word, models.find(word)) for word in words)
    dated = {word for word, model in found if model and model.deprecated and model.deprecated <= date.today()}
    return dated | {word for word in words if any(fnmatchcase(word, glob) for glob in globs)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_can_be_called(page: Path) -> None:
    models, text = catalog.load(), page.read_text(encoding="utf-8")
    assert {name: why for name in named(text, models) if (why := fault(name, models))} == {}
    assert retired(text, models) == set()


@pytest.mark.parametrize(
    ("text", "found", "gone"),
    [
        ("call `openai/gpt-9-made-up` now", {"openai/gpt-9-made-up"}, set()),
        ("or -m opium,openai:best.", {"opium"}, set()),
        ("it used to be `gpt-4-0314`", set(), {"gpt-4-0314"}),
        ("`anthropic/claude-2.1`, once", {"anthropic/claude-2.1"}, set()),
        ("<!-- measured 2023-07-01 -->\n| claude-2.1 | 0.5 |\n\nopenai/test-model, demo/echo, -m MODEL", set(), set()),
    ],
)
def test_bad_advice_is_seen(text: str, found: set[str], gone: set[str]) -> None:
    models = catalog.load()
    assert ({name for name in named(text, models) if fault(name, models)}, retired(text, models)) == (found, gone)


def test_role_tables_are_up_to_date() -> None:
    text = MODELS_PAGE.read_text(encoding="utf-8")
    prose, _, _ = text.partition("| model |")
    if RENEW:
        text = prose + role_table.tables()
        MODELS_PAGE.write_text(text, encoding="utf-8")
    assert text == prose + role_table.tables(), "LITELLM_SKILL_RENEW=1 writes it anew"
