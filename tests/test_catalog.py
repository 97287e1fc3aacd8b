"""Models, names and prices: against the installed LiteLLM's table, and against small tables made here."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from catalogs import TODAY, chat, having, made, refusal, small
from litellm_skill import catalog, modelfile, nearest, price
from litellm_skill.catalog import Catalog, Model
from litellm_skill.faults import UnknownModel
from litellm_skill.price import Price

ROOT = Path(__file__).resolve().parents[1]


def lock_date() -> date:
    """The day the locked LiteLLM was taken, which its table is read at."""
    lock = ROOT / "requirements.lock"
    found = re.search(r"--exclude-newer[ =](\d{4}-\d\d-\d\d)", lock.read_text()[:2000]) if lock.exists() else None
    return date.fromisoformat(found[1]) if found else date(2026, 11, 13)


def everything(provider: str) -> bool:
    return True


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return catalog.load()


# What is shipped holds in the locked table.


def shipped_targets() -> list[tuple[str, str]]:
    """(where it stands, id or provider:role)"""
    file = modelfile.read(ROOT / "scripts/litellm_skill/models.toml")
    roles = [(f"{vendor}:{role}", id) for vendor, named in file.roles.items() for role, id in named.items()]
    aliases = [(f"{name}[{n}]", target) for name, some in file.aliases.items() for n, target in enumerate(some)]
    return [*roles, *aliases, *((id, id) for id in file.models)]


@pytest.mark.parametrize(("place", "target"), shipped_targets())
def test_shipped_ids_are_listed_priced_and_live(shipped: Catalog, place: str, target: str) -> None:
    model = shipped.resolve(target, usable=everything, today=lock_date())
    assert model.known
    assert model.price is not None
    assert model.price.input > 0
    assert model.price.output > 0
    assert model.mode in ("chat", "responses")
    if ":" in place:
        assert model.deprecated is None or model.deprecated > lock_date() + timedelta(days=60)


def test_shipped_names_resolve(shipped: Catalog) -> None:
    assert {"gpt", "claude", "gemini", "deepseek", "grok", "mistral", "qwen", "llama", "kimi", "glm"} <= (
        shipped.aliases.keys()
    )
    for name in shipped.aliases:
        assert shipped.resolve(name.upper(), usable=having(), today=lock_date()).known
    for vendor in shipped.vendor_order:
        assert {"best", "cheap"} <= shipped.roles[vendor].keys()
    for vendor, roles in shipped.roles.items():
        for role, id in roles.items():
            assert shipped.resolve(f"{vendor}:{role}", usable=having(), today=lock_date()).id == id


def test_shipped_models_are_what_they_are_said_to_be_the_same_as(shipped: Catalog) -> None:
    for id, stated in shipped.file.models.items():
        same = shipped.find(stated.same_as)
        assert same is not None
        assert shipped.find(id) == replace(same, id=id, provider=id.partition("/")[0])


def test_no_retired_glob_catches_a_live_row(shipped: Catalog) -> None:
    day = lock_date().isoformat()
    live = [id for id, row in shipped.table.rows.items() if row.get("deprecation_date", "9999") > day]
    for vendor, globs in shipped.file.retired.items():
        names = [id.partition("/")[2] for id in live if id.startswith(f"{vendor}/")]
        assert names
        caught = [name for name in names if any(fnmatchcase(name, glob) for glob in globs)]
        assert caught == []


# The table.


def test_ids_are_those_litellm_routes_by(shipped: Catalog) -> None:
    providers = {id.partition("/")[0] for id in shipped.table.rows}
    assert {"openai", "anthropic", "gemini", "vertex_ai", "bedrock", "azure", "fireworks_ai"} <= providers
    assert not {name for name in providers if name.startswith(("vertex_ai-", "fireworks_ai-", "bedrock_conv"))}
    assert shipped.find("sample_spec") is None
    assert len(list(shipped.chat_models())) > 3000
    assert not [model.id for model in shipped.chat_models() if "*" in model.id or "/ft:" in model.id]


def test_a_row_becomes_a_model() -> None:
    row = {
        "litellm_provider": "maker",
        "mode": "chat",
        "max_tokens": 9,
        "max_input_tokens": 1000,
        "max_output_tokens": 200,
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 2e-6,
        "supports_vision": True,
        "supports_function_calling": False,
        "deprecation_date": "2027-01-31",
        "rpm": 10,  # of somebody's account: no limit of the user's
        "tpm": 1000,
    }
    model = made({"maker/test-model": row}).find("maker/test-model")
    assert model == Model(
        id="maker/test-model",
        provider="maker",
        context=1000,
        max_output=200,
        price=Price(1e-6, 2e-6),
        vision=True,
        tools=False,
        deprecated=date(2027, 1, 31),
    )


def test_litellm_is_found_without_being_imported(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from litellm_skill import catalog, faults\n"
        "try: print(len(catalog.load().table.rows) > 4000)\n"
        "except faults.NotSetUp as fault: print(fault.message)\n"
        "print('litellm' in sys.modules)"
    )
    (tmp_path / "litellm").mkdir()  # a folder of that name is not the package

    def told(*flags: str) -> list[str]:
        command = [sys.executable, *flags, "-c", code, str(ROOT / "scripts")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert told() == ["True", "False"]
    assert told("-S") == ["LiteLLM is not installed for this Python", "False"]


@pytest.mark.parametrize(
    ("name", "keys", "id"),
    [
        ("first/alpha-2", (), "first/alpha-2"),
        ("FIRST/alpha-2", (), "first/alpha-2"),
        ("alpha-2", (), "first/alpha-2"),
        ("alpha-2", ("second",), "second/alpha-2"),
        ("zone.gamma-9", (), "second/gamma-1"),
        ("one/alpha-2", (), "first/alpha-2"),
        ("quick", (), "first/alpha-2-mini"),
        ("Quick", ("second",), "second/gamma-1"),
        ("one:best", ("second",), "first/alpha-2"),
        ("first:own", (), "first/alpha-2-mini"),
    ],
)
def test_names_that_mean_a_listed_model(name: str, keys: tuple[str, ...], id: str) -> None:
    models = small(
        aliases={"quick": ("first:own", "second/gamma-1")},
        roles={"first": {"best": "first/alpha-2", "own": "first/alpha-2-mini"}},
        provider_names={"one": "first"},
    )
    model = models.resolve(name, usable=having(*keys), today=TODAY)
    assert (model.id, model.provider, model.known) == (id, id.partition("/")[0], True)


@pytest.mark.parametrize(
    "name",
    [
        "openai/test-model",
        "openrouter/maker/test-model",
        "openai/maker-x/Test-V3.2-Exp",
        "litellm_proxy/anything",
        "azure/my-deployment",
        "ollama/maker/test:8b",
    ],
)
def test_a_well_formed_id_that_is_not_listed_is_allowed(shipped: Catalog, name: str) -> None:
    model = shipped.resolve(name, usable=having(), today=TODAY, strict_names=True)
    local = price.LOCAL if name.startswith("ollama/") else None
    assert model == Model(name, name.partition("/")[0], price=local, known=False)


def test_demo_models_are_known(shipped: Catalog) -> None:
    assert shipped.resolve("demo/echo", usable=having(), today=TODAY) == Model("demo/echo", "demo")


@pytest.mark.parametrize("name", ["", "/", "a/", "/b", "a//b", "a b", "a/b\n", "a\x1b[1m/b", "a\u202e/b", "a\u00a0/b"])
def test_malformed_names_are_refused_escaped(shipped: Catalog, name: str) -> None:
    fault = refusal(shipped, name)
    assert fault.message == f"{name!r} is not a model name"
    assert fault.exit_code == 4
    assert fault.hint == "give provider/model, an alias, provider:role"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("first:code", "first has no role 'code'", "it has: best"),
        ("other:best", "other has no roles", "these have: first"),
        ("alpha9:8b", "no model is named 'alpha9:8b'", "if Ollama has it: -m ollama/alpha9:8b"),
        ("first:7b", "no model is named 'first:7b'", "if Ollama has it: -m ollama/first:7b; first has the roles best"),
    ],
)
def test_names_with_a_colon(name: str, message: str, hint: str) -> None:
    fault = refusal(small(roles={"first": {"best": "first/alpha-2"}}), name)
    assert (fault.message, fault.hint) == (message, hint)


@pytest.mark.parametrize(
    ("name", "keys", "message", "hint"),
    [
        (
            "alfa2",
            ("first",),
            "no model is named 'alfa2'",
            "nearest: first/alpha-2, first/alpha-2-mini, first/alpha-3-preview",
        ),
        (
            "alpha-1",
            ("first",),
            "first/alpha-1 is retired since 2026-06-01",
            "nearest: first/alpha-2, first/alpha-2-mini, first/alpha-3-preview",
        ),
        ("first/old-1", ("second",), "first/old-1 is retired", "nearest: second/gamma-1, second/alpha-2"),
        ("old-7", ("second",), "old-7 is retired", "nearest: second/gamma-1, second/alpha-2"),
        (
            "first/old-1",
            (),
            "first/old-1 is retired",
            "nearest: first/alpha-2, first/alpha-2-mini, second/gamma-1 (each needs a key; none is set)",
        ),
    ],
)
def test_unknown_and_retired_names_get_the_nearest_live_ids(
    name: str, keys: tuple[str, ...], message: str, hint: str
) -> None:
    roles = {"first": {"best": "first/alpha-2"}, "second": {"best": "second/gamma-1"}}
    fault = refusal(small(roles=roles, retired={"first": ("old-*",)}), name, *keys)
    assert (fault.message, fault.hint) == (message, hint)


def test_a_retired_glob_is_about_its_own_provider() -> None:
    models = small(retired={"first": ("old-*",)})
    assert models.resolve("second/old-1", usable=having(), today=TODAY).id == "second/old-1"


@pytest.mark.parametrize("day", [date(2026, 6, 1), date(2026, 5, 31)])
def test_a_model_is_live_until_its_date(day: date) -> None:
    models = small()
    if day < date(2026, 6, 1):
        assert models.resolve("first/alpha-1", usable=having(), today=day).id == "first/alpha-1"
    else:
        with pytest.raises(UnknownModel, match="is retired since 2026-06-01"):
            models.resolve("first/alpha-1", usable=having(), today=day)


@pytest.mark.parametrize("name", ["first/Alpha-2", "first/alpha2", "first/alpha.2"])
def test_a_slip_in_a_vendors_own_id_is_refused_where_names_are_strict(name: str) -> None:
    fault = refusal(small(), name, "first", strict_names=True)
    assert (fault.message, fault.hint) == (f"no model is named {name!r}", "use -m first/alpha-2")
    assert not small().resolve(name, usable=having("first"), today=TODAY).known


@pytest.mark.parametrize(
    ("name", "vendor", "message"),
    [
        ("o1-preview", "openai", "o1-preview is retired"),
        ("gemini/gemini-1.5-pro", "gemini", "gemini/gemini-1.5-pro is retired"),
        ("claude-sonnet-4-20250514", "anthropic", "claude-sonnet-4-20250514 is retired"),
        ("gpt4o", "openai", "no model is named 'gpt4o'"),
    ],
)
@pytest.mark.parametrize("all_keys", [True, False])
def test_well_known_slips_in_the_real_table(
    shipped: Catalog, name: str, vendor: str, message: str, all_keys: bool
) -> None:
    fault = refusal(shipped, name, *(("openai", "anthropic", "gemini") if all_keys else (vendor,)))
    assert fault.message == message
    ids = fault.hint.removeprefix("nearest: ").split(", ")
    assert len(ids) == 3
    for id in ids:
        model = shipped.resolve(id, usable=having(vendor), today=TODAY + timedelta(days=30))
        assert model.provider == vendor
    assert set(ids) & {id for _, id in shipped_targets()}


def test_a_name_without_its_hyphen_gets_exactly_the_one_meant(shipped: Catalog) -> None:
    meant = shipped.roles["openai"]["cheap"]
    slip = nearest.plain(meant.partition("/")[2])
    assert refusal(shipped, slip, "openai").hint.startswith(f"nearest: {meant}, ")


# A prompt too long.


def test_larger_models_are_the_roles_first_then_the_cheapest() -> None:
    rows = {
        "first/chosen": chat(max_input_tokens=500),
        "first/a-dear": chat(max_input_tokens=900, input_cost_per_token=9e-6),
        "first/b-cheap": chat(max_input_tokens=900),
        "first/0-unpriced": {"mode": "chat", "max_input_tokens": 900},
        "first/gone": chat(max_input_tokens=900, deprecation_date="2026-01-01"),
        "first/small": chat(max_input_tokens=100),
        "first/unknown": chat(),
        "second/other": chat(max_input_tokens=900),
    }
    models = made(rows, roles={"first": {"best": "first/chosen", "cheap": "first/small"}})

    def larger(tokens: int, *keys: str) -> list[str]:
        return [model.id for model in models.larger_than(tokens, having(*keys), TODAY)]

    assert larger(100, "first") == ["first/chosen", "first/b-cheap", "first/a-dear"]
    assert larger(500, "first") == ["first/b-cheap", "first/a-dear", "first/0-unpriced"]
    assert larger(100, "second") == ["second/other"]
    assert larger(900, "first", "second") == []
    assert larger(100) == []


@pytest.mark.parametrize(
    ("id", "cost"),
    [("llamacpp//models/own.gguf", price.LOCAL), ("hosted_vllm/own", price.LOCAL), ("ollama/own:1t-cloud", None)],
)
def test_what_a_local_server_names_costs_nothing(id: str, cost: price.Price | None) -> None:
    model = catalog.load().served(id)
    assert (model.id, model.price) == (id, cost)
