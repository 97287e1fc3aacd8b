"""doctor.py: the planted fault is named, with what mends it; nothing is spent, installed or shown that must not be."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from litellm_skill import catalog
from package_server import PackageServer, wheel
from provider_server import ProviderServer, Reply
from test_launch import unpacked
from tiny_skill import PACKAGES, SCRIPTS, TinySkill, bare_python, old_python

Run = Callable[..., Any]
KEY = "sk-doctor-4f9a8b7c6d5e"
ERROR, WARNING, OK = "error", "warning", "ok"


@pytest.fixture(autouse=True)
def nothing_local(monkeypatch: pytest.MonkeyPatch, dead: str) -> None:
    """No server of the machine's own answers a test."""
    for name in ("LM_STUDIO_API_BASE", "LLAMAFILE_API_BASE", "OLLAMA_API_BASE", "HOSTED_VLLM_API_BASE"):
        monkeypatch.setenv(name, dead)


@pytest.fixture
def openai_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def dead() -> Iterator[str]:
    """An address that refuses: the port is taken, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


NO_KEY = "model_list: [{model_name: fast, litellm_params: {model: openai/x, api_key: os.environ/NOPE}}]"


@functools.cache
def retired() -> str:
    """A model that the table says is gone."""
    known, today = catalog.load(), date.today().isoformat()
    rows = [(id, row) for id, row in known.table.rows.items() if id.startswith(known.vendor_order)]
    return next(id for id, row in rows if row.get("deprecation_date", "9999") < today and row.get("mode") == "chat")


def user_file(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / "config" / "litellm-skill" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def checks(outcome: Any, subject: str = "") -> list[dict[str, str]]:
    """The checks of ``--json``, of one subject or all."""
    document = json.loads(outcome.stdout)
    assert all(bool(check["fix"]) == (check["status"] != OK) for check in document["checks"])
    assert list(document) == ["status", "checks"]
    assert {len(check) for check in document["checks"]} == {4}
    return [check for check in document["checks"] if subject in ("", check["subject"])]


# --- environment variables -> the check that names the fault


@pytest.mark.parametrize(
    ("variables", "subject", "status", "what", "fix"),
    [
        ({"OPENAI_API_KEY": f"{KEY}\n"}, "OPENAI_API_KEY", WARNING, "a line break at its end", 'tr -d "[:space:]"'),
        ({"OPENAI_API_KEY": f" {KEY}\t"}, "OPENAI_API_KEY", WARNING, "white space at both ends", "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "  "}, "OPENAI_API_KEY", WARNING, "is set, but empty", "unset OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "sk-one\nsk-two"}, "openai", ERROR, "is not a key", "paste the key again"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "htp:/x"}, "openai", ERROR, "is no address", "correct OPENAI_BASE"),
        ({"AZURE_API_KEY": KEY}, "azure", ERROR, "no address for azure", "set AZURE_API_BASE"),
        ({"OPENAI_BASE_URL": "http://h.invalid/v1"}, "openai", WARNING, "though OPENAI_BASE_URL", "set OPENAI_API_KEY"),
        ({"SSL_VERIFY": "false"}, "certificates", ERROR, "would accept any certificate", "unset it"),
        ({"NODE_EXTRA_CA_CERTS": "/no/ca.pem"}, "certificates", ERROR, "cannot be read: No such", "unset NODE_EXTRA"),
        ({"SSL_CERT_FILE": os.path.realpath(__file__)}, "certificates", ERROR, "no certificate", "let SSL_CERT_FILE"),
        ({"SSL_CERT_FILE": "/"}, "certificates", ERROR, "is a folder", "unset SSL_CERT_FILE"),
        ({"LLM_MODEL": "RETIRED"}, "default model", ERROR, "is retired", "nearest: "),
        (
            {"CODEX_SANDBOX_NETWORK_DISABLED": "1"},
            *("network", ERROR, "Codex's sandbox forbids it", "network_access = true below [sandbox_workspace_write]"),
        ),
        (
            {"CLAUDECODE": "1", "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://h.invalid:4000"},
            *("anthropic", WARNING, "anthropic/… goes to h.invalid:4000, on its account", "LLM_PROVIDER_BASE_URL="),
        ),
        (
            {"ANTHROPIC_AUTH_TOKEN": KEY, "ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic"},
            *("anthropic", WARNING, "leads anthropic/… to api.z.ai", "unset ANTHROPIC_BASE_URL"),
        ),
        (
            {"XDG_STATE_HOME": "/dev/null/state", "OPENAI_API_KEY": KEY},
            *("history", WARNING, "are not kept", "set XDG_STATE_HOME"),
        ),
    ],
)
def test_variables(
    run: Run, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], subject: str, status: str, what: str, fix: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("RETIRED", retired()))
    outcome = run("doctor", "--json", "--no-endpoints")
    (found,) = [check for check in checks(outcome, subject) if what in check["what"]]
    assert found["status"] == status
    assert fix in found["fix"]
    assert outcome.code == (3 if ERROR in {check["status"] for check in checks(outcome)} else 0)
    assert outcome.stderr == ""
    assert KEY not in outcome.stdout


# --- files -> the check that names the fault


@pytest.mark.parametrize(
    ("name", "text", "subject", "status", "what", "fix"),
    [
        ("models.toml", 'aliases = {old = "RETIRED"}', "models.toml", ERROR, "aliases.old: ", "nearest"),
        ("models.toml", '[roles.openai]\nbest = "RETIRED"', "models.toml", ERROR, "openai.best: ", "nearest"),
        ("models.toml", 'embedding = ["RETIRED"]', "models.toml", ERROR, "is retired since", "nearest"),
        ("models.toml", '[tasks.code]\nmodels = ["RETIRED"]', "models.toml", ERROR, "tasks.code: ", "nearest"),
        ("models.toml", '[models."RETIRED"]\nrpm = 5', "models.toml", WARNING, "retired it on", "another"),
        ("models.yaml", "model_list: [", "models.yaml", ERROR, "it is not YAML", "correct the file"),
        ("models.yaml", NO_KEY, "models.yaml", WARNING, "NOPE is not set", "set it in the environment"),
        ("models.toml", "aliases = 3", "models", ERROR, "aliases: expected a table", "shows the format"),
        ("models.toml", "[", "models", ERROR, "models.toml: ", "correct the file"),
        ("policy.toml", "[", "policy", ERROR, "it is not TOML", "correct it"),
        (".env", "HTTPS_PROXY=http://h.invalid", ".env", WARNING, "HTTPS_PROXY in ", "move that line to "),
        (".env", "OPENAI_BASE_URL=http://h.invalid/v1", "openai", WARNING, "ignored OPENAI_BASE_URL", "beside"),
    ],
)
def test_files(
    run: Run, tmp_path: Path, openai_key: None, name: str, text: str, subject: str, status: str, what: str, fix: str
) -> None:
    """.env: the working directory's; the others are the user's own."""
    if name == ".env":
        Path(name).write_text(text)
    else:
        user_file(tmp_path, name, text.replace("RETIRED", retired()))
    outcome = run("doctor", "--json", "--no-endpoints")
    (found,) = [check for check in checks(outcome, subject) if what in check["what"]]
    assert found["status"] == status
    assert fix in found["fix"]
    assert outcome.code == (3 if status == ERROR else 0)
    assert KEY not in outcome.stdout


def test_the_fix_of_a_stray_line_break_works(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\r\n")
    (found,) = checks(run("doctor", "--json", "--no-endpoints"), "OPENAI_API_KEY")
    done = subprocess.run(["sh", "-c", f"{found['fix']}; printenv OPENAI_API_KEY"], capture_output=True, check=True)
    assert done.stdout == f"{KEY}\n".encode()


def test_the_fix_of_an_inherited_account_works(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CLAUDECODE", "1"), ("ANTHROPIC_BASE_URL", "http://h.invalid"), ("ANTHROPIC_API_KEY", KEY)):
        monkeypatch.setenv(name, value)
    fix = checks(run("doctor", "--json", "--no-endpoints"), "anthropic")[-1]["fix"]
    values = {"LLM_MODEL": "LLM_MODEL=test-model", "LLM_PROVIDER_API_KEY": "LLM_PROVIDER_API_KEY=k-own-12"}
    lines = fix.partition(".env: ")[2].partition(";")[0].split(", ")
    user_file(tmp_path, ".env", "\n".join(values.get(line, line) for line in lines))
    (found,) = checks(run("doctor", "--json", "--no-endpoints"), "LLM_MODEL")
    assert "anthropic/test-model: LLM_PROVIDER_API_KEY (8 characters, " in found["what"]
    assert " at api.anthropic.com (LLM_PROVIDER_BASE_URL, " in found["what"]
    (default,) = checks(run("doctor", "--json", "--no-endpoints"), "default model")
    assert default["what"].startswith("anthropic/test-model at api.anthropic.com")


@pytest.mark.parametrize("key", ["", "LLM_PROVIDER_API_KEY=k-own-12"])
def test_a_profile(run: Run, tmp_path: Path, dead: str, key: str) -> None:
    profile = f"LLM_PROVIDER=deepseek\nLLM_MODEL=test-model\nLLM_PROVIDER_BASE_URL={dead}\n{key}"
    user_file(tmp_path, ".env", profile)
    outcome = run("doctor", "--json")
    assert [check["status"] for check in checks(outcome, "LLM_MODEL")] == [OK if key else ERROR]
    silent = [check["what"].partition(" (")[0] for check in checks(outcome, "deepseek") if check["status"] == ERROR]
    assert silent == (["LLM_PROVIDER_BASE_URL"] if key else [])


def test_an_env_file_of_which_nothing_can_be_read(run: Run) -> None:
    Path(".env").write_bytes(b"OPENAI_API_KEY=\xff\xfe")
    (found,) = checks(run("doctor", "--json", "--no-endpoints"), ".env")
    assert found["status"] == ERROR
    assert "is not UTF-8" in found["what"]
    assert str(Path(".env").resolve()) in found["fix"]


def test_the_history_may_be_off(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LITELLM_SKILL_HISTORY", "off")
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/state")
    (found,) = checks(run("doctor", "--json", "--no-endpoints"), "history")
    assert (found["status"], found["what"][:3]) == (OK, "off")


# --- what servers say


def test_a_server_that_refuses(run: Run, monkeypatch: pytest.MonkeyPatch, dead: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{dead}/v1")
    found = checks(run("doctor", "--json"), "openai")
    assert [check["status"] for check in found] == [OK, ERROR]
    assert found[1]["what"].startswith("OPENAI_BASE_URL (environment): connection refused by 127.0.0.1")
    assert "correct OPENAI_BASE_URL, or unset it" in found[1]["fix"]
    assert [check["status"] for check in checks(run("doctor", "--json", "--no-endpoints"), "openai")] == [OK]


def test_an_address_that_answers_gets_no_key(
    run: Run, monkeypatch: pytest.MonkeyPatch, provider: ProviderServer
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    assert [check["status"] for check in checks(run("doctor", "--json"), "openai")] == [OK, OK]
    assert {request.method for request in provider.requests} == {"GET"}
    assert not any(KEY in str(request.headers) for request in provider.requests)


def test_an_address_without_its_path(run: Run, monkeypatch: pytest.MonkeyPatch, provider: ProviderServer) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
    provider.reply(Reply(status=404, body="no"), path="/models")
    _, found = checks(run("doctor", "--json"), "openai")
    assert (found["status"], found["fix"]) == (
        WARNING,
        "set OPENAI_BASE_URL to the whole address: most end with /v1",
    )


def test_a_litellm_proxy_behind_another_address(
    run: Run, monkeypatch: pytest.MonkeyPatch, provider: ProviderServer
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    provider.reply(Reply(body='"I\'m alive!"'), path="/health/liveliness")
    _, found = checks(run("doctor", "--json"), "openai")
    assert "leads to a LiteLLM proxy at 127.0.0.1:" in found["what"]
    assert f"LITELLM_PROXY_API_BASE={provider.url}/v1" in found["fix"]


@pytest.mark.parametrize(
    ("reply", "status", "what", "fix"),
    [
        (Reply(body='{"data": [{"model_name": "a"}]}'), OK, "lists 1 model;", ""),
        (Reply(body='{"data": []}'), ERROR, "lists no model", "ask whoever runs it"),
        (Reply(status=401, body="no"), ERROR, "refused (401)", "correct LITELLM_PROXY_API_KEY"),
        (Reply(status=400, body="no"), ERROR, "refused (400)", "correct LITELLM_PROXY_API_KEY"),
        (Reply(body="<html>"), ERROR, "did not answer with JSON", "correct LITELLM_PROXY_API_BASE"),
    ],
)
def test_the_litellm_proxy(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    provider: ProviderServer,
    reply: Reply,
    status: str,
    what: str,
    fix: str,
) -> None:
    monkeypatch.setenv("LITELLM_PROXY_API_BASE", provider.url)
    monkeypatch.setenv("LITELLM_PROXY_API_KEY", KEY)
    for path in ("/v1/model/info", "/v1/models"):
        provider.reply(*[reply] * 4, path=path)
    found = checks(run("doctor", "--json"), "litellm_proxy")[-1]
    assert found["status"] == status
    assert what in found["what"]
    assert fix in found["fix"]


def test_a_litellm_proxy_without_its_key(run: Run, monkeypatch: pytest.MonkeyPatch, provider: ProviderServer) -> None:
    monkeypatch.setenv("LITELLM_PROXY_API_BASE", provider.url)
    outcome = run("doctor", "--json")
    (found,) = checks(outcome, "litellm_proxy")
    assert (found["status"], found["fix"][:26]) == (WARNING, "set LITELLM_PROXY_API_KEY ")
    assert [check["what"][:7] for check in checks(outcome, "models")] == ["nothing"]
    assert provider.requests == ()


def test_a_dead_litellm_proxy(run: Run, monkeypatch: pytest.MonkeyPatch, dead: str) -> None:
    monkeypatch.setenv("LITELLM_PROXY_API_BASE", dead)
    monkeypatch.setenv("LITELLM_PROXY_API_KEY", KEY)
    outcome = run("doctor", "--json")
    found = checks(outcome, "litellm_proxy")[-1]
    assert "connection refused" in found["what"]
    assert "correct LITELLM_PROXY_API_BASE" in found["fix"]
    assert outcome.code == 3


@pytest.mark.parametrize(
    ("models", "status", "what", "fix"),
    [((), ERROR, "has no model", "ollama pull MODEL"), (("own:8b",), OK, "1 model: own:8b", "")],
)
def test_ollama(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    provider: ProviderServer,
    models: tuple[str, ...],
    status: str,
    what: str,
    fix: str,
) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", provider.url)
    provider.models = models
    outcome = run("doctor", "--json")
    found = checks(outcome, "ollama")[-1]
    assert (found["status"], found["fix"]) == (status, fix)
    assert what in found["what"]
    assert [check["what"][:7] for check in checks(outcome, "models")] == (["nothing"] if status == ERROR else [])


@pytest.mark.parametrize(("name", "listens"), [("HTTPS_PROXY", False), ("ALL_PROXY", False), ("https_proxy", True)])
def test_the_http_proxy(
    run: Run, monkeypatch: pytest.MonkeyPatch, dead: str, provider: ProviderServer, name: str, listens: bool
) -> None:
    address = (provider.url if listens else dead).replace("//", "//me:sesame-1234@")
    monkeypatch.setenv(name, address)
    outcome = run("doctor", "--json")
    (found,) = checks(outcome, "HTTP proxy")
    assert found["status"] == (OK if listens else ERROR)
    assert found["fix"] == ("" if listens else f"start that proxy, or unset {name}")
    assert "sesame" not in outcome.stdout


def test_no_server_is_asked_where_the_network_is_forbidden(
    run: Run, monkeypatch: pytest.MonkeyPatch, provider: ProviderServer
) -> None:
    monkeypatch.setenv("CODEX_SANDBOX_NETWORK_DISABLED", "1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    outcome = run("doctor", "--json", "--ping")
    assert outcome.code == 3
    assert provider.requests == ()


def test_policy_forbids_to_ask(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: ProviderServer
) -> None:
    user_file(tmp_path, "policy.toml", '[hosts]\nallow = ["api.openai.com"]').chmod(0o600)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    outcome = run("doctor", "--json")
    assert any("does not permit the host 127.0.0.1" in check["what"] for check in checks(outcome, "openai"))
    assert provider.requests == ()


# --- --ping


@pytest.fixture
def anthropic(monkeypatch: pytest.MonkeyPatch, provider: ProviderServer) -> ProviderServer:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_BASE", provider.url)
    return provider


@pytest.mark.parametrize(
    ("reply", "status", "what", "code"),
    [
        (Reply(text="ok"), OK, " answered in ", 0),
        (Reply(text="", reasoning="hm", finish_reason="length"), OK, " answered in ", 0),
        (Reply(status=401), ERROR, "refused ANTHROPIC_API_KEY (401)", 3),
        (Reply(status=500), ERROR, "failed (500)", 3),
    ],
)
def test_ping(run: Run, anthropic: ProviderServer, reply: Reply, status: str, what: str, code: int) -> None:
    anthropic.reply(reply)
    outcome = run("doctor", "--json", "--ping", "--quiet")
    (found,) = checks(outcome, "ping anthropic")
    assert found["status"] == status
    assert what in found["what"]
    assert bool(found["fix"]) == (status == ERROR)
    assert re.fullmatch(
        r"ping: one call of 16 output tokens each to anthropic/\S+ at 127.\S+; at most .*\n", outcome.stderr
    )
    (call,) = [request for request in anthropic.requests if request.method == "POST"]
    assert call.body["max_tokens"] == 16
    assert len(call.prompt) < 20
    assert outcome.code == (code if code else 3 if ERROR in {check["status"] for check in checks(outcome)} else 0)


@pytest.mark.parametrize(("budget", "called"), [("5", True), ("0.000001", False), ("lots", False)])
def test_a_ping_keeps_to_the_budget(
    run: Run, monkeypatch: pytest.MonkeyPatch, anthropic: ProviderServer, budget: str, called: bool
) -> None:
    monkeypatch.setenv("LITELLM_SKILL_BUDGET_USD_DAY", budget)
    outcome = run("doctor", "--json", "--ping")
    (found,) = checks(outcome, "ping anthropic")
    assert found["status"] == (OK if called else ERROR)
    assert [request.method for request in anthropic.requests].count("POST") == called


def test_a_ping_of_what_has_no_cheap_model(run: Run, monkeypatch: pytest.MonkeyPatch, provider: ProviderServer) -> None:
    monkeypatch.setenv("DEEPINFRA_API_KEY", KEY)
    monkeypatch.setenv("DEEPINFRA_API_BASE", provider.url)
    (found,) = checks(run("doctor", "--json", "--ping"), "ping deepinfra")
    assert (found["status"], found["what"][:11]) == (WARNING, "not called:")
    assert {request.method for request in provider.requests} == {"GET"}


def test_nothing_is_called_unasked(run: Run, anthropic: ProviderServer) -> None:
    run("doctor")
    assert {request.method for request in anthropic.requests} == {"GET"}


# --- what is printed


def test_nothing_configured_yet(run: Run) -> None:
    outcome = run("doctor", "--no-endpoints")
    lines = outcome.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("error    models: nothing is configured"))
    assert [line.split()[0] for line in lines[at + 1 :]] == ["1.", "2.", "3."]
    assert "OPENAI_API_KEY=" in lines[at + 2]
    assert "call_model.py" in lines[at + 3]
    assert (outcome.code, outcome.stderr) == (3, "")


def test_all_is_well(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    outcome = run("doctor", "--no-endpoints")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert all(line.startswith("ok       ") for line in outcome.stdout.splitlines())
    assert f"openai: OPENAI_API_KEY ({len(KEY)} characters, environment) at api.openai.com\n" in outcome.stdout
    assert "default model: openai/" in outcome.stdout
    assert KEY not in outcome.stdout
    assert run("doctor", "--no-endpoints", "-q") == (0, "", "")


def test_a_key_from_a_file_is_told_by_its_path(run: Run, tmp_path: Path) -> None:
    path = user_file(tmp_path, ".env", f"MISTRAL_API_KEY={KEY}\n")
    (found,) = checks(run("doctor", "--no-endpoints", "--json"), "mistral")
    assert f"MISTRAL_API_KEY ({len(KEY)} characters, {path})" in found["what"]


def test_a_provider_of_the_long_tail(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPINFRA_API_KEY", KEY)
    (found,) = checks(run("doctor", "--no-endpoints", "--json"), "deepinfra")
    assert f"DEEPINFRA_API_KEY ({len(KEY)} characters" in found["what"]


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("CLAUDECODE", "Claude Code, which runs a model of anthropic; after 120 s"),
        ("CODEX_CI", "Codex, which runs a model of openai; "),
        ("OPENCODE", "OpenCode, whose model is not known; "),
        ("GEMINI_CLI", "Gemini CLI, which runs a model of google; "),
        ("AI_AGENT", "an agent, whose model is not known"),
    ],
)
def test_the_host(run: Run, monkeypatch: pytest.MonkeyPatch, marker: str, holds: str) -> None:
    monkeypatch.setenv(marker, "1")
    (found,) = checks(run("doctor", "--no-endpoints", "--json"), "host")
    assert found["what"].startswith(holds)


def test_the_flag_between_the_stages_is_not_for_people(run: Run) -> None:
    for text in ("x", "[[1]]", "3"):
        assert run("doctor", f"--begun={text}").code == 2
    assert "--begun" not in run("doctor", "--help").stdout


# --- the skill's folder, and what lies in its place


@pytest.mark.parametrize("parent", ["home/.claude/skills", "home/.config/opencode/skill", "work/.agents/skills"])
def test_somebody_elses_clone(run: Run, tmp_path: Path, parent: str) -> None:
    path = tmp_path / parent / "litellm"
    (path / ".git").mkdir(parents=True)
    remote = "https://me:" + "ghp_sesame@github.com/BerriAI/litellm-skills.git"
    (path / ".git" / "config").write_text(f'[remote "origin"]\n\turl = {remote}\n')
    outcome = run("doctor", "--json", "--no-endpoints")
    (_, found) = checks(outcome, "skill")
    assert found["status"] == ERROR
    assert "a clone of https://github.com/BerriAI/litellm-skills.git" in found["what"]
    assert "sesame" not in outcome.stdout
    assert os.system(found["fix"]) == 0
    (found,) = checks(run("doctor", "--json", "--no-endpoints"), "skill")
    assert found["status"] == OK
    assert str(path) in found["what"]
    assert (path.parent / "litellm-skills" / ".git").is_dir()


def test_other_things_in_its_place(run: Run, tmp_path: Path) -> None:
    skills = tmp_path / "home" / ".claude" / "skills"
    (skills / "litellm").mkdir(parents=True)
    found = checks(run("doctor", "--json", "--no-endpoints"), "skill")[-1]
    assert (found["status"], "another skill" in found["what"]) == (ERROR, True)
    (skills / "litellm" / "scripts" / "litellm_skill").mkdir(parents=True)
    (skills / "litellm" / "scripts" / "litellm_skill" / "launch.py").touch()
    found = checks(run("doctor", "--json", "--no-endpoints"), "skill")[-1]
    assert (found["status"], "another version" in found["what"]) == (WARNING, True)
    shutil.rmtree(skills / "litellm")
    (skills / "litellm").symlink_to(tmp_path / "gone")
    found = checks(run("doctor", "--json", "--no-endpoints"), "skill")[-1]
    assert (found["status"], "a link to nothing" in found["what"]) == (WARNING, True)
    assert os.system(found["fix"]) == 0
    assert len(checks(run("doctor", "--json", "--no-endpoints"), "skill")) == 1


# --- the first stage: any Python, nothing installed


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare_python(tmp_path_factory.getbasetemp())


@pytest.fixture
def skill(tmp_path: Path, bare: Path) -> TinySkill:
    """With the real doctor.py, on a machine that has nothing."""
    (tmp_path / "machine").mkdir()
    tiny = TinySkill(tmp_path / "machine", bare)
    shutil.copy(SCRIPTS / "doctor.py", tiny.folder / "scripts")
    return tiny


def test_nothing_is_installed(skill: TinySkill) -> None:
    outcome = skill.with_uv().run("doctor", "--json")
    assert (outcome.code, outcome.stderr) == (3, "")
    assert [(check["subject"], check["status"]) for check in checks(outcome)] == [
        *(("Python", OK), ("uv", OK), ("LiteLLM", ERROR), ("cache", OK), ("skill", OK), ("network", OK)),
        ("warm worker", OK),
    ]
    assert "call_model.py --demo hello" in checks(outcome, "LiteLLM")[0]["fix"]
    assert not (skill.home / ".cache").exists()


@pytest.mark.skipif(not old_python(), reason="no Python 3.8, 3.9 or 3.10 here")
def test_an_old_python_without_uv(skill: TinySkill) -> None:
    outcome = skill.run("doctor", python=old_python())
    assert (outcome.code, outcome.stderr) == (3, "")
    first = outcome.stdout.splitlines()[0]
    assert first.startswith("error    Python: 3.")
    assert first.endswith("-m pip install --user uv")
    outcome = skill.with_uv().run("doctor", "--json", python=old_python())
    assert checks(outcome, "Python")[0]["status"] == OK


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8", "1.83.0"])
def test_other_releases_of_litellm(skill: TinySkill, version: str) -> None:
    site = unpacked(skill.root / "site", wheel("litellm", version, "litellm"))
    if version == "1.82.8":
        (skill.root / "site" / "litellm_init.pth").write_text("")
    outcome = skill.run("doctor", "--json", PYTHONPATH=site)
    found = [check for check in checks(outcome, "LiteLLM") if version in check["what"]]
    if version == "1.83.0":
        assert [(check["status"], check["what"]) for check in found] == [(OK, f"1.83.0 in {site} is not used")]
        return
    assert {check["status"] for check in found} == {ERROR}
    assert len(found) == 1 + (version == "1.82.8")
    assert "pip uninstall -y litellm  # then renew every key" in found[0]["fix"]


def test_a_home_that_cannot_be_written(skill: TinySkill) -> None:
    outcome = skill.run("doctor", "--json", XDG_CACHE_HOME="/dev/null/cache")
    (found,) = checks(outcome, "cache")
    assert found["status"] == WARNING
    assert f"{skill.tmp}" in found["what"]
    outcome = skill.run("doctor", "--json", XDG_CACHE_HOME="/dev/null/cache", TMPDIR="/dev/null/tmp")
    (found,) = checks(outcome, "cache")
    assert (found["status"], found["fix"]) == (ERROR, "set XDG_CACHE_HOME to a folder that only you can write to")


def test_single_files_of_the_skill(skill: TinySkill) -> None:
    (skill.folder / "requirements.lock").unlink()
    (found,) = checks(skill.run("doctor", "--json"), "LiteLLM")
    assert (found["status"], found["fix"]) == (ERROR, "install the whole skill folder, not single files of it")


def test_the_first_stage_is_carried_over(skill: TinySkill) -> None:
    """The Python that was started has a stolen release; the one that takes over has the packages."""
    stolen = unpacked(skill.root / "stolen", wheel("litellm", "1.82.7", "litellm"))
    with PackageServer(PACKAGES) as index:
        skill.with_uv().run("tell", UV_DEFAULT_INDEX=index.url)
    outcome = skill.run("doctor", "--json", "--no-endpoints", PYTHONPATH=stolen)
    assert (outcome.code, outcome.stderr) == (3, "")
    assert [check["status"] for check in checks(outcome, "LiteLLM")] == [OK, ERROR]
    assert str(skill.environment()) in checks(outcome, "LiteLLM")[0]["what"]
    assert checks(outcome, "host")  # of the second stage
