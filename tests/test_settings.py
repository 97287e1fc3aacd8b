"""Values, their order, and what a file outside the user's own may not set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from litellm_skill import settings
from litellm_skill.faults import BadInput


def user_file() -> Path:
    path = settings.user_directory(os.environ) / ".env"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize(
    ("in_environment", "in_user_file", "in_directory", "expected"),
    [
        ("env", "user", "cwd", "env"),
        (None, "user", "cwd", "user"),
        (None, None, "cwd", "cwd"),
        ("  ", "user", "cwd", "user"),
        (None, None, None, None),
    ],
)
def test_order_of_values(
    monkeypatch: pytest.MonkeyPatch,
    in_environment: str | None,
    in_user_file: str | None,
    in_directory: str | None,
    expected: str | None,
) -> None:
    if in_user_file:
        user_file().write_text(f"LLM_MODEL={in_user_file}\n")
    if in_directory:
        Path(".env").write_text(f"LLM_MODEL={in_directory}\n")
    if in_environment:
        monkeypatch.setenv("LLM_MODEL", in_environment)
    assert settings.load(os.environ, Path.cwd()).get("LLM_MODEL") == expected


def test_an_env_file_is_the_only_file_read() -> None:
    user_file().write_text("OPENAI_API_KEY=from-user\n")
    Path(".env").write_text("GROQ_API_KEY=from-directory\n")
    Path("team.env").write_text("MISTRAL_API_KEY=from-file\n")
    loaded = settings.load({}, Path.cwd(), Path("team.env"))
    assert {name: loaded.get(name) for name in ("OPENAI_API_KEY", "GROQ_API_KEY", "MISTRAL_API_KEY")} == {
        "OPENAI_API_KEY": None,
        "GROQ_API_KEY": None,
        "MISTRAL_API_KEY": "from-file",
    }


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("LLM_PROVIDER_BASE_URL", True),
        ("EMBEDDING_MODEL", True),
        ("OPENAI_API_KEY", True),
        ("HF_TOKEN", True),
        ("SOME_NEW_PROVIDER_API_KEY", True),
        ("OPENAI_BASE_URL", True),
        ("AZURE_API_VERSION", True),
        ("HTTPS_PROXY", False),
        ("http_proxy", False),
        ("SSL_CERT_FILE", False),
        ("SSL_VERIFY", False),
        ("REDIS_URL", False),
        ("USE_LITELLM_PROXY", False),
        ("LITELLM_SKILL_HISTORY", False),
        ("LITELLM_SKILL_API_KEY", False),
        ("GOOGLE_APPLICATION_CREDENTIALS", False),
        ("LD_PRELOAD", False),
    ],
)
@pytest.mark.parametrize("where", ["directory", "env-file", "user"])
def test_what_a_file_may_set(name: str, allowed: bool, where: str) -> None:
    path = {"directory": Path(".env"), "env-file": Path("x.env"), "user": user_file()}[where]
    path.write_text(f"{name}=value\n")
    loaded = settings.load(os.environ, Path.cwd(), path if where == "env-file" else None)
    assert loaded.get(name) == ("value" if allowed or where == "user" else None)
    assert bool(loaded.ignored) == (loaded.get(name) is None)


def test_values_are_literal() -> None:
    """A file that could refer to the environment could carry its keys to its own address."""
    Path(".env").write_text("LLM_PROVIDER_BASE_URL=http://x/${OPENAI_API_KEY}\n")
    loaded = settings.load({"OPENAI_API_KEY": "secret-of-the-user"}, Path.cwd())
    assert loaded.get("LLM_PROVIDER_BASE_URL") == "http://x/${OPENAI_API_KEY}"


def test_stray_white_space_is_removed() -> None:
    assert settings.load({"GROQ_API_KEY": " gsk-1\n"}, Path.cwd()).get("GROQ_API_KEY") == "gsk-1"


def test_a_byte_order_mark_and_quotes_are_no_part_of_a_value() -> None:
    Path(".env").write_bytes(b'\xef\xbb\xbfLLM_MODEL="a b"\nexport LLM_PROVIDER=openai\n')
    loaded = settings.load({}, Path.cwd())
    assert (loaded.get("LLM_MODEL"), loaded.get("LLM_PROVIDER")) == ("a b", "openai")


def test_an_env_file_that_is_not_there() -> None:
    with pytest.raises(BadInput, match="no such file"):
        settings.load({}, Path.cwd(), Path("absent.env"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"A=1\n" * 300_000])
def test_a_strange_file_in_the_working_directory_costs_nothing(content: bytes | None) -> None:
    """A virtual environment may be called .env; a foreign file must not break the command."""
    if content is None:
        Path(".env").mkdir()
    else:
        Path(".env").write_bytes(content)
    loaded = settings.load({"LLM_MODEL": "m"}, Path.cwd())
    assert loaded.get("LLM_MODEL") == "m"
    assert [item.path.name for item in loaded.ignored] == [".env"]


def test_a_fifo_named_as_env_file_does_not_hang() -> None:
    os.mkfifo("pipe.env")
    with pytest.raises(BadInput, match="not a regular file"):
        settings.load({}, Path.cwd(), Path("pipe.env"))


def test_env_files_one_level_down_are_found() -> None:
    for name in ("backend", "a", "b", "c"):
        Path(name).mkdir()
        Path(name, ".env").write_text("X=1\n")
    Path("empty").mkdir()
    assert settings.env_files_below(Path.cwd()) == [Path.cwd() / name / ".env" for name in ("a", "b", "backend")]


def test_only_the_users_own_file_reaches_the_process_environment() -> None:
    user_file().write_text("AWS_PROFILE=work\n")
    Path(".env").write_text("OPENAI_API_KEY=from-directory\n")
    settings.export(settings.load(os.environ, Path.cwd()))
    assert (os.environ.get("AWS_PROFILE"), "OPENAI_API_KEY" in os.environ) == ("work", False)
