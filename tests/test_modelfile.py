"""The user's models.toml, laid over the shipped one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from catalogs import TODAY, having, loaded, refusal
from litellm_skill import catalog
from litellm_skill.answer import Usage
from litellm_skill.catalog import Catalog, Model
from litellm_skill.faults import BadInput
from litellm_skill.price import Price

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return catalog.load()


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


def test_limits_are_the_users_and_change_nothing_else(shipped: Catalog, tmp_path: Path) -> None:
    same = next(id for id, stated in shipped.file.models.items() if stated.same_as)
    models = loaded(
        tmp_path,
        f"""
        [models."{same}"]
        rpm = 20
        tpm = 200_000
        [models."azure/my-deployment"]
        same_as = "{shipped.roles["openai"]["best"]}"
        tpm = 5
        [models."ollama/test:8b"]
        rpm = 1
        """,
    )
    assert models.find(same) == replace(shipped.find(same), rpm=20, tpm=200_000)
    assert (models.find("azure/my-deployment").rpm, models.find("azure/my-deployment").tpm) == (None, 5)
    local = shipped.resolve("ollama/test:8b", usable=having(), today=TODAY)
    assert models.find("ollama/test:8b") == replace(local, rpm=1, known=True)


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
        ("[models.'a/b']\nrpm = 0", 'models."a/b".rpm', "expected a number of requests a minute, above 0"),
        ("[models.'a/b']\nrpm = 1.5", 'models."a/b".rpm', "expected a number of requests a minute, above 0"),
        ("[models.'a/b']\ntpm = true", 'models."a/b".tpm', "expected a number of tokens a minute, above 0"),
        ("[models.'a/b']\ntpm = -1", 'models."a/b".tpm', "expected a number of tokens a minute, above 0"),
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
    great = models.find("openrouter/maker/great-2")
    assert (great.rpm, great.tpm) == (60, 200_000)
