"""uv or pip: which is found, whose index is asked, and what is said when neither can."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from package_server import PackageServer, source, wheel
from tiny_skill import BASE, PACKAGES, VERSION, Outcome, TinySkill, bare_python, old_python

LOCKED = [VERSION]
BEYOND_REACH = [path for path in ("/usr/local/bin/uv", "/opt/homebrew/bin/uv") if os.path.exists(path)]
needs_no_uv = pytest.mark.skipif(bool(BEYOND_REACH), reason=f"{BEYOND_REACH} cannot be hidden")
needs_old_python = pytest.mark.skipif(not old_python(), reason="no Python 3.8, 3.9 or 3.10 here")


@pytest.fixture
def index() -> Iterator[PackageServer]:
    with PackageServer(PACKAGES) as server:
        yield server


@pytest.fixture
def other() -> Iterator[PackageServer]:
    """An index that must not be asked."""
    with PackageServer([]) as server:
        yield server
    assert server.asked == []


@pytest.fixture
def skill(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> TinySkill:
    return TinySkill(tmp_path, bare_python(tmp_path_factory.getbasetemp()))


@pytest.fixture
def with_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare_python(tmp_path_factory.getbasetemp(), pip=True)


def installed_with(tool: str, found: Outcome) -> bool:
    """At the first try, with nothing else to tell."""
    (line,) = found.stderr.splitlines()
    return found.told["versions"] == LOCKED and f" with {tool} into " in line


@pytest.mark.parametrize("below", [[], [".local", "bin"], [".cargo", "bin"]])
def test_uv_is_found(skill: TinySkill, index: PackageServer, below: list[str]) -> None:
    assert installed_with("uv", skill.with_uv(*below).run("tell", UV_DEFAULT_INDEX=index.url))


@pytest.mark.parametrize("answer", ["exit 127", "echo pyenv: uv: not found", "echo uv 1.0; exit 1"])
def test_a_uv_that_does_not_answer_is_passed_over(skill: TinySkill, index: PackageServer, answer: str) -> None:
    (skill.bin / "uv").write_text(f"#!/bin/sh\n{answer}\n")
    (skill.bin / "uv").chmod(0o755)
    assert installed_with("uv", skill.with_uv(".local", "bin").run("tell", UV_DEFAULT_INDEX=index.url))


@pytest.mark.parametrize("tool", ["uv", pytest.param("pip", marks=needs_no_uv)])
def test_either_tool_gives_the_same(skill: TinySkill, index: PackageServer, with_pip: Path, tool: str) -> None:
    """Built beside its place, its scripts run."""
    if tool == "uv":
        skill.with_uv()
    assert installed_with(tool, skill.run("tell", python=with_pip, PIP_INDEX_URL=index.url))
    command = [skill.environment() / "bin" / "run-litellm"]
    assert subprocess.check_output(command, text=True) == f"{VERSION}\n"


def test_an_upgrade_that_turns_a_link_changes_no_environment(skill: TinySkill, index: PackageServer) -> None:
    """/usr/bin/python3 is another Python tomorrow."""
    link = skill.root / "python3"
    link.symlink_to(BASE)
    assert installed_with("uv", skill.with_uv().run("tell", python=link, UV_DEFAULT_INDEX=index.url))
    assert os.readlink(skill.environment() / "bin" / "python") == str(BASE)


@needs_no_uv
def test_ensurepip_serves_where_no_pip_is(skill: TinySkill, index: PackageServer) -> None:
    assert installed_with("pip", skill.run("tell", PIP_INDEX_URL=index.url))


def test_pip_serves_where_uv_fails(skill: TinySkill, index: PackageServer, with_pip: Path) -> None:
    """As behind a TLS proxy whose certificate only one of them trusts."""
    with PackageServer([]) as empty:
        settings = {"UV_DEFAULT_INDEX": empty.url, "PIP_INDEX_URL": index.url}
        found = skill.with_uv().run("tell", python=with_pip, **settings)
    assert found.told["versions"] == LOCKED
    assert "litellm: uv failed, trying pip: " in found.stderr


@needs_old_python
def test_an_old_python_with_uv(skill: TinySkill, index: PackageServer) -> None:
    old = str(old_python())
    home = subprocess.check_output([old, "-c", "import sys; print(sys.base_prefix)"], text=True).strip()
    path = f"{skill.with_uv().bin}{os.pathsep}{BASE.parent}"
    found = skill.run("tell", python=old, PATH=path, PYTHONHOME=home, UV_DEFAULT_INDEX=index.url)
    assert installed_with("uv", found)
    assert found.told["prefix"].endswith("-uv")


@needs_no_uv
@needs_old_python
def test_an_old_python_alone(skill: TinySkill) -> None:
    found = skill.run("tell", python=old_python())
    assert (found.code, found.stdout) == (3, "")
    what, next_step = found.stderr.splitlines()
    assert what.startswith("error: needs Python 3.11 to 3.14, or uv; this is Python 3.")
    assert "-m pip install --user uv" in next_step
    assert skill.cached() == []


@pytest.mark.parametrize(
    ("file", "text", "variables"),
    [
        (None, "", {"UV_DEFAULT_INDEX": "URL"}),
        (None, "", {"UV_INDEX_URL": "URL"}),
        (None, "", {"PIP_INDEX_URL": "URL"}),
        (".config/uv/uv.toml", '[[index]]\nurl = "URL"\ndefault = true\n', {"PIP_INDEX_URL": "OTHER"}),
        (".config/uv/uv.toml", 'index-url = "URL"\n', {"PIP_INDEX_URL": "OTHER"}),
        (".config/pip/pip.conf", "[global]\nindex-url = URL\n", {"PIP_CONFIG_FILE": None}),
        (".pip/pip.conf", "[install]\nindex-url = URL\n", {"PIP_CONFIG_FILE": None}),
        (".pip/pip.conf", "[global]\nindex-url = OTHER\n[install]\nindex-url = URL\n", {"PIP_CONFIG_FILE": None}),
        (".config/pip/pip.conf", "[global]\nindex-url = OTHER\n", {"PIP_CONFIG_FILE": None, "PIP_INDEX_URL": "URL"}),
        (".config/pip/pip.conf", "[global]\nindex-url = OTHER\n", {"PIP_CONFIG_FILE": None, "UV_DEFAULT_INDEX": "URL"}),
        ("mine.conf", "[global]\nindex-url = URL\n", {"PIP_CONFIG_FILE": "HOME/mine.conf"}),
    ],
)
def test_uv_asks_the_users_index(
    skill: TinySkill,
    index: PackageServer,
    other: PackageServer,
    file: str | None,
    text: str,
    variables: dict[str, str | None],
) -> None:
    def filled(value: str) -> str:
        return value.replace("URL", index.url).replace("OTHER", other.url).replace("HOME", str(skill.home))

    if file:
        (skill.home / file).parent.mkdir(parents=True, exist_ok=True)
        (skill.home / file).write_text(filled(text))
    settings = {name: value and filled(value) for name, value in variables.items()}
    assert installed_with("uv", skill.with_uv().run("tell", **settings))
    assert "/simple/litellm/" in index.asked


@needs_no_uv
def test_pip_asks_the_users_index(skill: TinySkill, index: PackageServer, with_pip: Path) -> None:
    (skill.home / "pip.conf").write_text(f"[global]\nindex-url = {index.url}\n")
    assert installed_with("pip", skill.run("tell", python=with_pip, PIP_CONFIG_FILE=skill.home / "pip.conf"))
    assert "/simple/litellm/" in index.asked


@pytest.mark.parametrize("tool", ["uv", pytest.param("pip", marks=needs_no_uv)])
def test_the_working_directory_has_no_say(
    skill: TinySkill, index: PackageServer, other: PackageServer, with_pip: Path, tool: str
) -> None:
    """Nor PYTHONPATH, nor what lies above the folder of the environments, which may be everybody's."""
    if tool == "uv":
        skill.with_uv()
    for folder in (skill.work, skill.home / ".cache"):
        folder.mkdir(exist_ok=True)
        (folder / "uv.toml").write_text(f'extra-index-url = ["{other.url}"]\n')
        (folder / "pyproject.toml").write_text("[project\n")
    for module in ("uv", "pip", "venv", "ensurepip", "litellm", "sysconfig"):
        (skill.work / f"{module}.py").write_text(f"raise SystemExit(print('{module} 9.9'))\n")
    assert installed_with(tool, skill.run("tell", python=with_pip, PIP_INDEX_URL=index.url, PYTHONPATH=skill.work))


@pytest.mark.parametrize("name", ["PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONDONTWRITEBYTECODE"])
@needs_no_uv
def test_settings_of_other_installations_do_not_apply(
    skill: TinySkill, index: PackageServer, with_pip: Path, name: str
) -> None:
    value = "1" if name in ("PIP_USER", "PYTHONDONTWRITEBYTECODE") else str(skill.root / "astray")
    assert installed_with("pip", skill.run("tell", python=with_pip, PIP_INDEX_URL=index.url, **{name: value}))


def failing(skill: TinySkill, tool: str, with_pip: Path, url: str, **more: str) -> Outcome:
    if tool == "uv":
        skill.with_uv()
    found = skill.run("tell", python=with_pip, UV_DEFAULT_INDEX=url, PIP_INDEX_URL=url, **more)
    assert (found.code, found.stdout) == (3, "")
    assert skill.cached() == []
    assert all(len(line) < 500 for line in found.stderr.splitlines())
    return found


@pytest.mark.parametrize("tool", ["uv", pytest.param("pip", marks=needs_no_uv)])
def test_another_content_than_the_locked_is_refused(skill: TinySkill, with_pip: Path, tool: str) -> None:
    stolen = wheel("litellm", VERSION, "stolen")
    with PackageServer([stolen, *PACKAGES[1:]]) as index:
        found = failing(skill, tool, with_pip, index.url)
    *_, what, next_step = found.stderr.splitlines()
    assert what.startswith("error: the installation failed: ")
    assert "hash" in what.lower()
    assert "UV_DEFAULT_INDEX" in next_step


@pytest.mark.parametrize("tool", ["uv", pytest.param("pip", marks=needs_no_uv)])
def test_a_lock_without_a_hash_is_refused(skill: TinySkill, index: PackageServer, with_pip: Path, tool: str) -> None:
    """pip wants all or none; without the option it takes none for an answer."""
    lock = skill.folder / "requirements.lock"
    lock.write_text(re.sub(r" \\\n.*", "", lock.read_text()))
    failing(skill, tool, with_pip, index.url)


@pytest.mark.parametrize("tool", ["uv", pytest.param("pip", marks=needs_no_uv)])
def test_nothing_is_built_from_source(skill: TinySkill, with_pip: Path, tool: str) -> None:
    ran = skill.root / "ran"
    litellm = source("litellm", VERSION, f"open({str(ran)!r}, 'w')")
    skill.lock([litellm, *PACKAGES[1:]])
    with PackageServer([litellm, *PACKAGES[1:]]) as index:
        failing(skill, tool, with_pip, index.url)
    assert not ran.exists()


@pytest.mark.parametrize("tool", ["uv", pytest.param("pip", marks=needs_no_uv)])
@pytest.mark.parametrize("sandbox", [{}, {"CODEX_SANDBOX_NETWORK_DISABLED": "1"}])
def test_an_index_out_of_reach(skill: TinySkill, with_pip: Path, tool: str, sandbox: dict[str, str]) -> None:
    found = failing(skill, tool, with_pip, "http://name" + ":s3cret@127.0.0.1:9/simple", **sandbox)
    assert "s3cret" not in found.stderr
    assert "127.0.0.1:9" in found.stderr or tool == "pip"  # whose last line names a package
    next_step = found.stderr.splitlines()[-1]
    assert ("network_access = true" in next_step) == bool(sandbox)


def test_no_credential_is_repeated(skill: TinySkill, with_pip: Path) -> None:
    """Today's uv hides them itself; this one does not."""
    says = "echo working; echo 'error: http://name" + ":s3cret@host/simple failed'; echo '  cause: too old'; exit 2"
    (skill.bin / "uv").write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo uv 0.1 && exit\n{says}\n')
    (skill.bin / "uv").chmod(0o755)
    with PackageServer([]) as index:
        found = failing(skill, "pip", with_pip, index.url)
    assert "litellm: uv failed, trying pip: http://host/simple failed cause: too old\n" in found.stderr
