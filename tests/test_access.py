"""Which key goes to which address. The rows are the rule of trust, written out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from litellm_skill import access, settings
from litellm_skill.faults import NotSetUp

OWN, ELSEWHERE = "https://own.example/v1", "https://elsewhere.example/v1"


def at_hand(
    environ: dict[str, str], user: str = "", directory: str = "", env_file: str | None = None
) -> settings.Settings:
    path = settings.user_directory(os.environ) / ".env"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(user)
    Path(".env").write_text(directory)
    if env_file is not None:
        Path("x.env").write_text(env_file)
    places = {"XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"]}
    return settings.load(environ | places, Path.cwd(), Path("x.env") if env_file is not None else None)


@pytest.mark.parametrize(
    ("environ", "user", "directory", "env_file", "key", "address", "warned"),
    [
        # the environment's key and address belong together
        ({"OPENAI_API_KEY": "k-env", "OPENAI_BASE_URL": OWN}, "", "", None, "k-env", OWN, False),
        ({"OPENAI_BASE_URL": OWN}, "OPENAI_API_KEY=k-user", "", None, "k-user", OWN, False),
        ({"OPENAI_API_KEY": "k-env"}, f"OPENAI_BASE_URL={OWN}", "", None, "k-env", OWN, False),
        # a hostile working directory gets nobody else's key
        ({"OPENAI_API_KEY": "k-env"}, "", f"OPENAI_BASE_URL={ELSEWHERE}", None, "k-env", None, True),
        ({}, "OPENAI_API_KEY=k-user", f"OPENAI_API_BASE={ELSEWHERE}", None, "k-user", None, True),
        (
            {"OPENAI_API_KEY": "k-env"},
            "",
            f"OPENAI_API_KEY=k-cwd\nOPENAI_BASE_URL={ELSEWHERE}",
            None,
            "k-env",
            None,
            True,
        ),
        # nor does it by another name of the key
        (
            {"GOOGLE_API_KEY": "k-env"},
            "",
            f"GEMINI_API_KEY=k-cwd\nGEMINI_API_BASE={ELSEWHERE}",
            None,
            "k-env",
            None,
            True,
        ),
        # a project's own pair works as it is
        ({}, "", f"OPENAI_API_KEY=k-cwd\nOPENAI_BASE_URL={ELSEWHERE}", None, "k-cwd", ELSEWHERE, False),
        # so does an --env-file's, and it too gets only its own key
        ({}, "", "", f"OPENAI_API_KEY=k-file\nOPENAI_BASE_URL={ELSEWHERE}", "k-file", ELSEWHERE, False),
        ({"OPENAI_API_KEY": "k-env"}, "", "", f"OPENAI_BASE_URL={ELSEWHERE}", "k-env", None, True),
        # a less trusted key may go to a more trusted address
        ({"OPENAI_BASE_URL": OWN}, "", "OPENAI_API_KEY=k-cwd", None, "k-cwd", OWN, False),
    ],
)
def test_the_rule_of_trust(
    environ: dict[str, str],
    user: str,
    directory: str,
    env_file: str | None,
    key: str,
    address: str | None,
    warned: bool,
) -> None:
    provider = "gemini" if "GOOGLE_API_KEY" in environ else "openai"
    way = access.reach(provider, at_hand(environ, user, directory, env_file), model=f"{provider}/any")
    assert (way.key, way.address, way.missing) == (key, address, None)
    assert bool(way.warnings) == warned
    assert all(secret not in line for line in way.warnings for secret in ("k-env", "k-user", "k-cwd", "k-file"))


@pytest.mark.parametrize(
    ("environ", "directory", "model", "key", "address"),
    [
        (
            {},
            f"LLM_PROVIDER=openai\nLLM_MODEL=a/b\nLLM_PROVIDER_API_KEY=k-llm\nLLM_PROVIDER_BASE_URL={ELSEWHERE}",
            "openai/a/b",
            "k-llm",
            ELSEWHERE,
        ),
        # the profile's own model takes the profile's key, whatever else is set
        (
            {"OPENAI_API_KEY": "k-env"},
            f"LLM_PROVIDER=openai\nLLM_MODEL=a/b\nLLM_PROVIDER_API_KEY=k-llm\nLLM_PROVIDER_BASE_URL={ELSEWHERE}",
            "openai/a/b",
            "k-llm",
            ELSEWHERE,
        ),
        # another model of that provider takes the provider's own key, and no address from the directory
        (
            {"OPENAI_API_KEY": "k-env"},
            f"LLM_PROVIDER=openai\nLLM_MODEL=a/b\nLLM_PROVIDER_API_KEY=k-llm\nLLM_PROVIDER_BASE_URL={ELSEWHERE}",
            "openai/other",
            "k-env",
            None,
        ),
        # an address without a key beside it is not used
        (
            {"OPENAI_API_KEY": "k-env"},
            f"LLM_PROVIDER=openai\nLLM_MODEL=a/b\nLLM_PROVIDER_BASE_URL={ELSEWHERE}",
            "openai/a/b",
            "k-env",
            None,
        ),
    ],
)
def test_the_profile(environ: dict[str, str], directory: str, model: str, key: str, address: str | None) -> None:
    way = access.reach("openai", at_hand(environ, directory=directory), model=model)
    assert (way.key, way.address) == (key, address)


PAIR = f"_PROVIDER=openai\n{{0}}_MODEL=a/b\n{{0}}_PROVIDER_API_KEY=k-{{0}}\n{{0}}_PROVIDER_BASE_URL={ELSEWHERE}\n"


@pytest.mark.parametrize(
    ("profile", "name", "other"), [(access.CHAT, "LLM", "EMBEDDING"), (access.EMBEDDING, "EMBEDDING", "LLM")]
)
def test_the_profiles_do_not_mix(profile: access.Profile, name: str, other: str) -> None:
    both = at_hand({}, directory="".join(f"{one}{PAIR.format(one)}" for one in (name, other)))
    assert access.profile_model(both, profile) == "openai/a/b"
    way = access.reach("openai", both, model="openai/a/b", profile=profile)
    assert (way.key, way.address, way.missing) == (f"k-{name}", ELSEWHERE, None)
    alone = at_hand({}, directory=f"{other}{PAIR.format(other)}")
    way = access.reach("openai", alone, model="openai/a/b", profile=profile)
    assert (way.key, way.address, access.usable("openai", alone, profile)) == (None, None, False)
    hostile = at_hand({f"{name}_PROVIDER_API_KEY": "k-env"}, directory=f"{name}{PAIR.format(name)}")
    way = access.reach("openai", hostile, model="openai/a/b", profile=profile)
    assert (way.key, way.address, len(way.warnings)) == ("k-env", None, 1)


@pytest.mark.parametrize(
    ("provider", "environ", "expected"),
    [
        ("openai", {"OPENAI_API_KEY": "k"}, True),
        ("openai", {}, False),
        ("gemini", {"GOOGLE_API_KEY": "k"}, True),
        ("anthropic", {"ANTHROPIC_AUTH_TOKEN": "t"}, True),
        ("azure", {"AZURE_API_KEY": "k"}, False),
        ("azure", {"AZURE_API_KEY": "k", "AZURE_API_BASE": OWN}, True),
        ("bedrock", {"AWS_ACCESS_KEY_ID": "k"}, False),
        ("bedrock", {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}, True),
        ("bedrock", {"AWS_PROFILE": "work"}, True),
        ("vertex_ai", {"VERTEXAI_PROJECT": "p"}, True),
        ("litellm_proxy", {"LITELLM_PROXY_API_KEY": "k", "LITELLM_PROXY_API_BASE": OWN}, True),
        ("ollama", {}, False),
        ("watsonx", {"WATSONX_APIKEY": "k"}, True),
        ("an_invented_provider", {}, False),
    ],
)
def test_which_providers_are_usable(provider: str, environ: dict[str, str], expected: bool) -> None:
    assert access.usable(provider, at_hand(environ)) is expected


@pytest.mark.parametrize(
    ("provider", "environ", "said", "next_step"),
    [
        ("openai", {}, "no key for openai", "OPENAI_API_KEY"),
        ("groq", {}, "no key for groq", "GROQ_API_KEY"),
        ("openrouter", {}, "no key for openrouter", "OPENROUTER_API_KEY"),
        ("bedrock", {}, "no key for bedrock", "AWS_ACCESS_KEY_ID + AWS_SECRET_ACCESS_KEY"),
        ("azure", {"AZURE_API_KEY": "k"}, "no address for azure", "AZURE_API_BASE"),
    ],
)
def test_what_is_missing_is_named(provider: str, environ: dict[str, str], said: str, next_step: str) -> None:
    missing = access.reach(provider, at_hand(environ), model=f"{provider}/x").missing
    assert missing is not None
    assert (missing.message, next_step in missing.hint) == (said, True)


@pytest.mark.parametrize("key", ["with space", "with\nnewline", "schlüssel", "k\x00"])
def test_what_cannot_be_a_key(key: str) -> None:
    with pytest.raises(NotSetUp, match=r"OPENAI_API_KEY \(environment\) is not a key") as raised:
        access.reach("openai", at_hand({"OPENAI_API_KEY": key}), model="openai/x")
    assert key not in raised.value.message


def test_a_local_server_needs_no_key_and_its_address_must_be_trusted() -> None:
    way = access.reach("ollama", at_hand({}, directory=f"OLLAMA_API_BASE={ELSEWHERE}"), model="ollama/x")
    assert (way.endpoint, way.local, bool(way.warnings)) == ("http://127.0.0.1:11434", True, True)
    way = access.reach("ollama", at_hand({"OLLAMA_API_BASE": ELSEWHERE}), model="ollama/x")
    assert (way.endpoint, way.local) == (ELSEWHERE, False)


@pytest.mark.parametrize(
    ("provider", "name", "given", "used"),
    [
        ("openai", "OPENAI_BASE_URL", "http://h:1/v1/", "http://h:1/v1"),
        ("anthropic", "ANTHROPIC_BASE_URL", "http://h:1/v1/", "http://h:1"),
        ("anthropic", "ANTHROPIC_BASE_URL", "http://h:1/", "http://h:1"),
        ("gemini", "GEMINI_API_BASE", "http://h:1/v1beta/", "http://h:1/v1beta"),
        ("gemini", "GEMINI_API_BASE", "http://h:1", "http://h:1/v1beta"),
    ],
)
def test_an_address_is_taken_as_it_is_meant(provider: str, name: str, given: str, used: str) -> None:
    key = f"{provider.upper()}_API_KEY"
    assert access.reach(provider, at_hand({key: "k-env", name: given}), model=f"{provider}/x").address == used


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8080", "http://", "ftp://h/v1", "http://h/v1?x=1", "http://u" + ":p@h/v1"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(NotSetUp, match=r"OPENAI_BASE_URL \(environment\) is no address"):
        access.reach("openai", at_hand({"OPENAI_API_KEY": "k-env", "OPENAI_BASE_URL": address}), model="openai/x")


def test_an_ambient_credential_of_the_environment_outranks_a_files_key() -> None:
    way = access.reach(
        "anthropic",
        at_hand(
            {"ANTHROPIC_AUTH_TOKEN": "t-env"}, directory=f"ANTHROPIC_API_KEY=k-cwd\nANTHROPIC_BASE_URL={ELSEWHERE}"
        ),
        model="anthropic/x",
    )
    assert (way.key, way.key_name, way.address) == (None, "ANTHROPIC_AUTH_TOKEN", None)
