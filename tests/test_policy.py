"""Which models and hosts policy.toml permits, which files are believed, and what an agent may not override."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from litellm_skill import policy, settings
from litellm_skill.faults import Forbidden
from litellm_skill.policy import Policy

posix = pytest.mark.skipif(os.name == "nt", reason="needs owners and modes")


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """The folder of the machine's own file."""
    folder = tmp_path / "etc"
    folder.mkdir()
    return folder


def user_file() -> Path:
    path = settings.user_directory(os.environ) / "policy.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def load(system: Path, user: str | None = None, machine: str | None = None) -> Policy:
    for path, content in ((user_file(), user), (system / "policy.toml", machine)):
        if content is not None:
            path.write_text(content, encoding="utf-8")
            path.chmod(0o600)
    return policy.load(os.environ, system)


def refusal(loaded: Policy, model: str = "openai/test-model", host: str | None = "api.openai.com") -> str:
    """What ``check`` says, or "" when it permits the call."""
    try:
        loaded.check(model, host)
    except Forbidden as caught:
        fault = caught
    else:
        return ""
    assert fault.exit_code == 13
    assert fault.hint
    assert "\n" not in fault.message + fault.hint
    assert len(fault.message) <= 400
    return fault.message


def test_without_a_file_everything_is_permitted(system: Path) -> None:
    loaded = load(system)
    assert refusal(loaded) == ""
    assert refusal(loaded, host=None) == ""
    assert loaded.history
    assert loaded.files == ()


@pytest.mark.parametrize(
    ("rules", "model", "permitted"),
    [
        ('allow = ["openai/*"]', "openai/test-model", True),
        ('allow = ["openai/*"]', "OpenAI/Test-Model", True),
        ('allow = ["openai/*"]', "azure/openai/test-model", False),
        ('allow = ["openai/*"]', "myopenai/x", False),
        ('allow = ["*/test-*", "groq/*"]', "openai/test-model", True),
        ('allow = ["openai/test-?"]', "openai/test-model", False),
        ("allow = []", "openai/test-model", False),
        ('deny = ["openai/*"]', "openai/test-model", False),
        ('deny = ["OPENAI/*"]', "openai/test-model", False),
        ('deny = ["groq/*"]', "openai/test-model", True),
        ("deny = []", "openai/test-model", True),
        ('allow = ["openai/*"]\ndeny = ["*/*-preview"]', "openai/test-preview", False),
        ('allow = ["openai/*"]\ndeny = ["*/*-preview"]', "openai/test-model", True),
    ],
)
def test_models(system: Path, rules: str, model: str, permitted: bool) -> None:
    says = refusal(load(system, f"[models]\n{rules}\n"), model)
    assert (says == "") == permitted
    if not permitted:
        assert f"{user_file()} does not permit the model {model}: " in says


@pytest.mark.parametrize(
    ("rules", "host", "permitted"),
    [
        ('allow = ["api.openai.com"]', "api.openai.com", True),
        ('allow = ["api.openai.com"]', "API.OpenAI.com", True),
        ('allow = ["api.openai.com"]', "api.openai.com:8443", True),
        ('allow = ["api.openai.com"]', "api.openai.com.evil.example", False),
        ('allow = ["api.openai.com:443"]', "api.openai.com", True),
        ('allow = ["api.openai.com:443"]', "api.openai.com:8443", False),
        ('allow = ["*.openai.com"]', "api.openai.com", True),
        ('allow = ["*.openai.com"]', "evil-openai.com", False),
        ('allow = ["*.openai.com"]', "openai.com", False),
        ('allow = ["localhost:*"]', "localhost:11434", True),
        ('allow = ["::1"]', "::1:11434", True),
        ('allow = ["*"]', None, False),
        ("allow = []", "api.openai.com", False),
        ('deny = ["*.example"]', "api.example", False),
        ('deny = ["*.example"]', "api.example.", False),
        ('deny = ["*.example"]', "api.example.:443", False),
        ('deny = ["api.example"]', "api.example:8080", False),
        ('deny = ["api.example:80"]', "api.example", False),
        ('deny = ["api.example:80"]', "api.example:8080", True),
        ('deny = ["*.example"]', "api.openai.com", True),
        ('deny = ["*.example"]', None, False),
    ],
)
def test_hosts(system: Path, rules: str, host: str | None, permitted: bool) -> None:
    says = refusal(load(system, f"[hosts]\n{rules}\n"), host=host)
    assert (says == "") == permitted
    if not permitted:
        assert f"{user_file()} does not permit the host {host}: " in says


@pytest.mark.parametrize(
    ("user", "machine", "permitted", "history"),
    [
        ('models.allow = ["*"]', 'models.deny = ["openai/*"]', False, True),
        ('models.deny = ["openai/*"]', 'models.allow = ["*"]', False, True),
        ('models.allow = ["openai/*"]', 'models.allow = ["groq/*"]', False, True),
        ('models.allow = ["openai/*"]', 'models.allow = ["*/test-model"]', True, True),
        (None, 'hosts.allow = ["api.groq.com"]', False, True),
        ("history = true", "history = false", True, False),
        ("history = false", "history = true", True, False),
        ("history = false", None, True, False),
        ("history = true", "", True, True),
    ],
)
def test_the_stricter_of_two_files_wins(
    system: Path, user: str | None, machine: str | None, permitted: bool, history: bool
) -> None:
    loaded = load(system, user, machine)
    assert (refusal(loaded) == "") == permitted
    assert loaded.history == history


@pytest.mark.parametrize("place", ["user", "machine"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[models", "it is not TOML"),
        ("a = 1\na = 2", "it is not TOML"),
        ("x = " + "[" * 50_000, "it is not TOML"),
        ("\udcff", "it is not TOML"),
        ("model = 1", "unknown key 'model'; known are models, hosts, history, overrides_under_agent"),
        ("[models]\nallowed = []", "unknown key models.allowed"),
        ("[hosts]\nhistory = false", "unknown key hosts.history"),  # meant for the top
        ("models = ['openai/*']", "models must be a table"),
        ("[[models]]\nallow = []", "models must be a table"),
        ("[models]\nallow = 'openai/*'", "models.allow must be a list of texts"),
        ("[models]\nallow = [1]", "models.allow must be a list of texts"),
        ("[hosts]\ndeny = ['']", "hosts.deny must be a list of texts"),
        ("history = 'no'", "history must be true or false"),
        ("history = 0", "history must be true or false"),
        ("overrides_under_agent = 1", "overrides_under_agent must be true or false"),
        ("#" * 100_001, "at most 100,000 bytes"),
    ],
)
def test_a_malformed_file_denies_everything(system: Path, place: str, content: str, says: str) -> None:
    path = user_file() if place == "user" else system / "policy.toml"
    path.write_bytes(content.encode(errors="surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(Forbidden) as caught:
        policy.load(os.environ, system)
    assert f"{path} denies everything" in caught.value.message
    assert says in caught.value.message
    assert caught.value.exit_code == 13


@pytest.mark.parametrize("content", ["", "# nothing\n", "\ufeffhistory = true\n"])
def test_a_file_that_says_little(system: Path, content: str) -> None:
    loaded = load(system, content)
    assert refusal(loaded) == ""
    assert [rules.path for rules in loaded.files] == [user_file()]


@posix
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("writable", "others than its owner may write it"),
        ("writable folder", "everybody may write its folder"),
        ("directory", "it is not a regular file"),
        ("fifo", "it is not a regular file"),
        ("dangling", "it is a link to nothing"),
        ("link to writable", "others than its owner may write it"),
    ],
)
def test_files_that_are_not_believed(system: Path, tmp_path: Path, kind: str, says: str) -> None:
    path = user_file()
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    else:
        there = tmp_path / "elsewhere.toml" if kind.startswith("link") else path
        there.write_text("history = true\n")
        there.chmod(0o600 if kind == "writable folder" else 0o620)
        path.parent.chmod(0o777 if kind == "writable folder" else 0o755)
        if there != path:
            path.symlink_to(there)
    with pytest.raises(Forbidden, match=says):
        policy.load(os.environ, system)


@posix
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("whose", ["file", "link", "target"])
def test_a_file_of_somebody_else_is_not_believed(system: Path, tmp_path: Path, whose: str) -> None:
    path, there = user_file(), tmp_path / "elsewhere.toml"
    for written in (path, there):
        written.write_text("history = true\n")
        written.chmod(0o600)
    if whose != "file":
        path.unlink()
        path.symlink_to(there)
    policy.load(os.environ, system)
    os.chown(there if whose == "target" else path, 12345, 12345, follow_symlinks=False)
    with pytest.raises(Forbidden, match=r"it belongs to another user \(12345\)"):
        policy.load(os.environ, system)


@pytest.mark.parametrize(
    ("user", "machine", "agent", "wanted", "says"),
    [
        (None, None, None, ["--allow-secrets"], None),
        (None, None, "Codex", [], None),
        (None, None, "Codex", ["--allow-secrets"], "--allow-secrets is for people, and Codex runs this command"),
        (None, None, "Codex", ["--allow-secrets", "--allow-path"], "--allow-secrets, --allow-path is for people"),
        ("overrides_under_agent = true", None, "Codex", ["--allow-secrets"], None),
        ("overrides_under_agent = true", "", "Codex", ["--allow-secrets"], None),
        (None, "overrides_under_agent = true", "Codex", ["--allow-secrets"], None),
        ("history = true", None, "Codex", ["--allow-secrets"], "is for people"),
        ("overrides_under_agent = false", None, "Codex", ["--allow-path"], "forbids it"),
        ("overrides_under_agent = true", "overrides_under_agent = false", "Codex", ["--allow-path"], "forbids it"),
        ("overrides_under_agent = false", "overrides_under_agent = true", "Codex", ["--allow-path"], "forbids it"),
    ],
)
def test_overrides_under_an_agent(
    system: Path, user: str | None, machine: str | None, agent: str | None, wanted: list[str], says: str | None
) -> None:
    loaded = load(system, user, machine)
    if says is None:
        loaded.check_overrides(agent, wanted)
        return
    with pytest.raises(Forbidden) as caught:
        loaded.check_overrides(agent, wanted)
    assert says in caught.value.message
    if "forbids" not in says:
        assert f"overrides_under_agent = true, above the first [table] of {user_file()}" in caught.value.hint
