"""Models, names and prices: against the installed LiteLLM's table, and against small tables made here."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from litellm_skill import catalog, modelfile, nearest, price
from litellm_skill.answer import Usage
from litellm_skill.catalog import Catalog, Model
from litellm_skill.faults import BadInput, UnknownModel
from litellm_skill.price import Price, Tier
from litellm_skill.pricetable import PriceTable

ROOT = Path(__file__).resolve().parents[1]
TODAY = date(2026, 11, 20)


def lock_date() -> date:
    """The day the locked LiteLLM was taken, which its table is read at."""
    lock = ROOT / "requirements.lock"
    found = re.search(r"--exclude-newer[ =](\d{4}-\d\d-\d\d)", lock.read_text()[:2000]) if lock.exists() else None
    return date.fromisoformat(found[1]) if found else date(2026, 11, 13)


def having(*providers: str) -> Callable[[str], bool]:
    return lambda provider: provider in providers


def everything(provider: str) -> bool:
    return True


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return catalog.load()


def loaded(tmp_path: Path, text: str) -> Catalog:
    file = tmp_path / "models.toml"
    file.write_text(text, encoding="utf-8")
    return catalog.load(file)


def refusal(models: Catalog, name: str, *keys: str, **options: bool) -> UnknownModel:
    with pytest.raises(UnknownModel) as caught:
        models.resolve(name, usable=having(*keys), today=TODAY, **options)
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


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


def made(rows: dict[str, dict], bare: dict[str, str] | None = None, **file: object) -> Catalog:
    order = tuple(dict.fromkeys(id.partition("/")[0] for id in rows))
    names = modelfile.ModelFile(vendor_order=order, **file)
    return Catalog(PriceTable(rows, bare or {}), names, frozenset())


def chat(**more: object) -> dict[str, object]:
    return {"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, **more}


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


# Names.

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
        ("first:7b", "no model is named 'first:7b'", "if Ollama has it: -m ollama/first:7b"),
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


# Money.


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (chat(), Price(1e-6, 2e-6)),
        (chat(cache_read_input_token_cost=1e-7), Price(1e-6, 2e-6, 1e-7)),
        (chat(input_cost_per_token=0, output_cost_per_token=0), None),
        (chat(output_cost_per_token=0), None),
        ({"mode": "chat"}, None),
        (chat(mode="embedding", output_cost_per_token=0), Price(1e-6, 0.0)),
        (
            chat(
                input_cost_per_token_above_200k_tokens=3e-6,
                input_cost_per_token_above_200k_tokens_batches=9.0,
            ),
            Price(1e-6, 2e-6, tiers=(Tier(3e-6, 2e-6, above_tokens=200_000),)),
        ),
        (
            {
                "tiered_pricing": [
                    {"range": [32e3, 64e3], "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6},
                    {"range": [0, 32e3], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
                ]
            },
            Price(1e-6, 2e-6, tiers=(Tier(3e-6, 4e-6, above_tokens=32_000),)),
        ),
    ],
)
def test_prices_from_rows(row: dict[str, object], expected: Price | None) -> None:
    assert price.from_row(row) == expected


TIERED = Price(1.0, 10.0, 0.1, 20.0, tiers=(Tier(2.0, 30.0, above_tokens=100), Tier(3.0, 40.0, above_tokens=200)))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(100, 2), 100 * 1.0 + 2 * 10.0),
        (Usage(101, 2), 101 * 2.0 + 2 * 30.0),
        (Usage(201, 2), 201 * 3.0 + 2 * 40.0),
        (Usage(50, 5, reasoning_tokens=4), 50 * 1.0 + 1 * 10.0 + 4 * 20.0),
        (Usage(50, 5, cached_tokens=40), 10 * 1.0 + 40 * 0.1 + 5 * 10.0),
        (Usage(150, 0, cached_tokens=40), 150 * 2.0),
        (Usage(50, 5, reasoning_tokens=9, cached_tokens=99), 50 * 0.1 + 5 * 20.0),
        (Usage(None, 5), None),
        (Usage(50, None), None),
    ],
)
def test_cost_of_a_call(usage: Usage, expected: float | None) -> None:
    model = Model("maker/test-model", "maker", price=TIERED)
    assert small().cost(model, usage) == (None if expected is None else pytest.approx(expected))


def test_unknown_is_not_free_and_local_is() -> None:
    models = made({"home/a": chat(), "home/b-cloud": chat(input_cost_per_token=0)}, local=("home",))
    assert models.estimate(Model("maker/test-model", "maker"), 1, 1) is None
    assert models.estimate(models.find("home/a"), 10, 10) == 0
    assert models.cost(models.find("home/a"), Usage()) == 0
    assert models.find("home/a").price.source == "local"
    assert models.find("home/b-cloud").price is None


def test_a_price_that_is_not_the_whole_price_is_unknown() -> None:
    assert (
        made({"maker/search-1": chat()}, billed_beyond_tokens=("maker/search*",)).find("maker/search-1").price is None
    )


def test_an_estimate_follows_the_tiers(shipped: Catalog) -> None:
    best = shipped.find(shipped.roles["openai"]["best"])
    assert shipped.estimate(best, 1000, 1000) == pytest.approx((best.price.input + best.price.output) * 1000)
    long = best.price.tiers[-1].above_tokens + 1
    assert shipped.estimate(best, long, 0) == pytest.approx(long * best.price.tiers[-1].input)


def test_fine_tuned_models_are_priced_as_their_kind() -> None:
    models = made({"maker/ft:small-1": chat()})
    assert models.find("maker/ft:small-1:org::7").price == Price(1e-6, 2e-6)
    assert models.find("maker/ft:small-1:org::7").id == "maker/ft:small-1:org::7"


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


# The user's models.toml.


def test_the_users_file_is_laid_over_the_shipped_one(shipped: Catalog, tmp_path: Path) -> None:
    known = shipped.roles["openai"]["best"]
    models = loaded(
        tmp_path,
        f"""
        [aliases]
        Fast = "groq/test-model"
        gpt = ["openai:quick"]
        [roles.google]
        best = "gemini/test-model"
        [roles.openai]
        quick = "openai/test-model"
        [models."openrouter/maker/test-model"]
        price = {{ input = 1.0, output = 2, cached_input = 0.5, reasoning_output = 4.0 }}
        context = 200_000
        max_output = 8_000
        tools = true
        vision = false
        [models."openai/maker/Test-2"]
        price = {{ input = 4.0, output = 16.0, currency = "CNY", usd_per_unit = 0.125 }}
        [models."openai/free"]
        price = 0
        [models."azure/my-deployment"]
        same_as = "{known}"
        context = 1000
        [models."azure/bare"]
        same_as = "{known.partition("/")[2]}"
        [models."{known}"]
        vision = false
        """,
    )

    def resolved(name: str) -> Model:
        return models.resolve(name, usable=having(), today=TODAY)

    assert resolved("fast").id == "groq/test-model"
    assert resolved("gpt").id == "openai/test-model"
    assert resolved("gemini:best").id == resolved("google:best").id == "gemini/test-model"
    assert resolved("openai:best").id == known
    assert resolved("gemini:cheap") == shipped.resolve("gemini:cheap", usable=having(), today=TODAY)
    assert resolved("openrouter/maker/test-model") == Model(
        id="openrouter/maker/test-model",
        provider="openrouter",
        context=200_000,
        max_output=8_000,
        price=Price(1e-6, 2e-6, 0.5e-6, 4e-6, source="user"),
        tools=True,
        vision=False,
    )
    assert resolved("openai/maker/Test-2").price == Price(0.5e-6, 2e-6, source="user")
    assert models.cost(resolved("openai/free"), Usage()) == 0
    original = shipped.find(known)
    assert resolved("azure/my-deployment") == replace(
        original, id="azure/my-deployment", provider="azure", context=1000
    )
    assert resolved("azure/bare").price == original.price
    assert resolved(known) == replace(original, vision=False)


def test_a_model_the_user_states_is_not_refused_as_retired(shipped: Catalog, tmp_path: Path) -> None:
    dated = next(m for m in shipped.chat_models() if m.deprecated and m.deprecated < TODAY and m.provider == "openai")
    refusal(shipped, dated.id)
    models = loaded(tmp_path, f'[models."{dated.id}"]\nvision = true\n[models."openai/o1-preview"]\nprice = 0\n')
    assert models.resolve(dated.id, usable=having(), today=TODAY) == replace(dated, vision=True)
    assert models.resolve("openai/o1-preview", usable=having(), today=TODAY).known
    assert models.find(dated.id).deprecated == dated.deprecated


def test_a_missing_file_is_no_file(shipped: Catalog, tmp_path: Path) -> None:
    assert catalog.load(tmp_path / "models.toml") == catalog.load(None) == shipped


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ("[aliases\n", "", "Expected ']'"),
        ("nonsense = 1", "nonsense", "unknown; known are aliases, roles, models"),
        ("aliases = 1", "aliases", "expected a table"),
        ("[aliases]\nx = 1", "aliases.x", "expected a text or a list of texts"),
        ("[aliases]\nx = ['']", "aliases.x", "expected a text"),
        ("[aliases]\n'a/b' = 'c/d'", 'aliases."a/b"', "an alias has no / and no :"),
        ("[roles.openai]\nbest = 'test-model'", "roles.openai.best", "expected provider/model"),
        ("[roles]\nopenai = 'x'", "roles.openai", "expected a table"),
        ("[models.x]\ntools = true", "models.x", "expected provider/model"),
        ("[models.'a/b']\ntool = true", 'models."a/b".tool', "unknown; known are same_as, price"),
        ("[models.'a/b']\ntools = 1", 'models."a/b".tools', "expected true or false"),
        ("[models.'a/b']\ncontext = true", 'models."a/b".context', "expected a number of tokens, above 0"),
        ("[models.'a/b']\ncontext = '8k'", 'models."a/b".context', "expected a number of tokens, above 0"),
        ("[models.'a/b']\nprice = 1", 'models."a/b".price', "expected 0 or a table such as"),
        ("[models.'a/b']\nprice = false", 'models."a/b".price', "expected 0 or a table such as"),
        ("[models.'a/b']\nprice = { input = 1 }", 'models."a/b".price', "needs both input and output"),
        (
            "[models.'a/b']\nprice = { input = 1, output = -1 }",
            'models."a/b".price',
            "output must be a number",
        ),
        (
            "[models.'a/b']\nprice = { input = nan, output = 1 }",
            'models."a/b".price',
            "input must be a number",
        ),
        (
            "[models.'a/b']\nprice = { input = true, output = 1 }",
            'models."a/b".price',
            "input must be a number",
        ),
        ("[models.'a/b']\nprice = { in = 1, output = 1 }", 'models."a/b".price', "unknown key 'in'"),
        (
            "[models.'a/b']\nprice = { input = 1, output = 1, currency = 'CNY' }",
            'models."a/b".price',
            "currency 'CNY' needs usd_per_unit",
        ),
        (
            "[models.'a/b']\nsame_as = 'no-such'",
            'models."a/b".same_as',
            "'no-such' is not in LiteLLM's table",
        ),
        ("[models.'a/b']\nsame_as = 'a/b'", 'models."a/b".same_as', "'a/b' is not in LiteLLM's table"),
        ("vendor_order = []", "vendor_order", "expected a text or a list of texts"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_key(tmp_path: Path, text: str, key: str, what: str) -> None:
    with pytest.raises(BadInput) as caught:
        loaded(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path / 'models.toml'}: {key}")
    assert what in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="models.toml"):
        catalog.load(file)
    with pytest.raises(BadInput, match="directory"):
        catalog.load(tmp_path)


def test_the_format_shown_in_the_header_is_accepted(tmp_path: Path) -> None:
    lines = (ROOT / "scripts/litellm_skill/models.toml").read_text(encoding="utf-8").splitlines()
    example = [line[4:] for line in lines if line.startswith("#   ")]
    text = "\n".join(example).replace('same_as = "great-2"', "context = 1")
    models = loaded(tmp_path, text)
    assert models.resolve("fast", usable=having("groq"), today=TODAY).id == "groq/swift-1"
    assert models.resolve("openai:best", usable=having(), today=TODAY).id == "openai/great-2"
    assert models.find("openai/maker-x/Great-2").price == Price(0.56e-6, 2.24e-6, source="user")
