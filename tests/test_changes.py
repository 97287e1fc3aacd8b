"""Diffs that go along with a prompt; and that a hostile repository runs nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from litellm_skill.faults import NotSetUp
from litellm_skill.prompt import SentFile
from reading import posix, read, refusal


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``git("add", ".")`` in ``tmp_path/repository``, which has one commit of ``a.txt`` ("one")."""
    (tmp_path / "gitconfig").touch()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.com")
    folder = tmp_path / "repository"

    def run(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        # A command that a hostile configuration breaks is still a control: it shows that the trap works.
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout

    folder.mkdir()
    run("init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one\n")
    run("add", ".")
    run("commit", "-qm", "first")
    return run


@pytest.fixture
def repository(tmp_path: Path, git: Callable[..., str]) -> Path:
    return tmp_path / "repository"


def test_uncommitted_changes(repository: Path, git: Callable[..., str]) -> None:
    (repository / "a.txt").write_text("one\ntwo\n")
    (repository / "staged.txt").write_text("new\n")
    (repository / "图.bin").write_bytes(b"\0\1")
    git("add", "staged.txt", "图.bin")
    (repository / "sub").mkdir()
    (repository / "sub/untracked.txt").touch()
    (repository / "new\n.txt").touch()
    (repository / "ignored.txt").touch()
    (repository / ".git/info/exclude").write_text("ignored.txt\n")
    sent = read(repository / "sub", argument="Review.", diff=True)
    assert sent.text.startswith("Review.\n\nChanges (git diff):\n```diff\ndiff --git a/a.txt b/a.txt\n")
    assert "\n+two\n" in sent.text
    assert "\n+new\n" in sent.text
    assert "\nBinary files /dev/null and b/图.bin differ\n" in sent.text
    assert sent.text.endswith(r"Untracked, and so not in this diff (2): new\n.txt, sub/")
    raw = git("-c", "core.quotePath=false", "diff", "HEAD").encode()
    assert sent.files == (SentFile("git diff", len(raw), hashlib.sha256(raw).hexdigest()),)


def test_changes_of_files_that_hold_secrets_by_name(repository: Path, git: Callable[..., str]) -> None:
    (repository / "sub").mkdir()
    (repository / "sub/.env").write_text("COLOUR=blue\n")
    (repository / "café.key").write_text("?\n")
    git("add", "sub/.env")
    says = "git diff is not sent: it holds changes of '.env', and such a file (.env*) holds secrets | attach the other"
    assert says in refusal(repository / "sub", argument="x", diff=True)
    assert "'sub/.env'" in refusal(repository, argument="x", diff=True)
    diff = read(repository, argument="x", diff=True, allow_paths=("sub/.env",)).parts[1]
    assert (diff.name, diff.heading) == ("the diff", 2)
    assert "+COLOUR=blue\n" in diff.text
    git("add", "café.key")
    assert "café.key" in refusal(repository, argument="x", diff=True, allow_paths=("sub/.env",))
    git("commit", "-qm", "second")
    git("mv", "sub/.env", "settings.txt")  # what is taken away stands in a diff as well
    assert "'sub/.env'" in refusal(repository, argument="x", diff=True)
    assert "'sub/.env'" in refusal(repository, argument="x", diff_base="HEAD")


def test_before_the_first_commit(repository: Path, git: Callable[..., str]) -> None:
    first = git("rev-parse", "HEAD").strip()
    git("update-ref", "-d", "HEAD")
    text = read(repository, argument="x", diff=True).text
    assert "new file mode 100644" in text
    assert "\n+one\n" in text
    assert "no commit in common" in refusal(repository, argument="x", diff_base=first)


def test_changes_since_the_merge_base(repository: Path, git: Callable[..., str]) -> None:
    git("checkout", "-qb", "work")
    (repository / "b.txt").write_text("committed\n")
    git("add", ".")
    git("commit", "-qm", "second")
    (repository / "b.txt").write_text("committed\nuncommitted\n")
    git("branch", "-f", "main", git("commit-tree", "HEAD~1^{tree}", "-p", "HEAD~1", "-m", "elsewhere").strip())
    sent = read(repository, argument="x", diff_base="main")
    assert "+committed\n+uncommitted\n" in sent.text
    assert [file.path for file in sent.files] == ["git diff --merge-base main"]
    assert git("diff", "--merge-base", "main") in sent.text
    assert len(read(repository, argument="x", files=("a.txt",), diff=True, diff_base="main").files) == 2


def test_a_diff_that_is_not_utf_8(repository: Path) -> None:
    (repository / "a.txt").write_bytes(b"caf\xe9\n")
    text = read(repository, argument="x", diff=True).text
    assert "+caf\ufffd\n```\nBytes that are not UTF-8 text are shown as \ufffd." in text
    (repository / "a.txt").write_bytes("honest \ufffd\n".encode())
    assert "Bytes" not in read(repository, argument="x", diff=True).text
    (repository / "a.txt").write_bytes(b"nul\0\n")
    (repository / ".gitattributes").write_text("a.txt diff\n")
    assert "+nul\ufffd\n```\nBytes that are" in read(repository, argument="x", diff=True).text


@pytest.mark.parametrize("base", ["", "--output=x", "-", "gone", "main..main", "main:a.txt", "x\ny"])
def test_unknown_revisions(repository: Path, base: str) -> None:
    assert "--diff-base: no such revision" in refusal(repository, argument="x", diff_base=base)
    assert sorted(path.name for path in repository.iterdir()) == [".git", "a.txt"]


def test_refused_diffs(repository: Path, git: Callable[..., str], tmp_path: Path) -> None:
    assert "no changes: git diff is empty | attach files with -f." in refusal(repository, argument="x", diff=True)
    (repository / "new.txt").touch()
    assert "(1): new.txt" in refusal(repository, argument="x", diff=True)
    git("checkout", "-q", "--orphan", "other")
    git("commit", "-qm", "unrelated")
    assert "main and HEAD have no commit in common" in refusal(repository, argument="x", diff_base="main")
    (repository / "a.txt").write_text("long\n" * 500)
    assert "git diff has more than 1,000 bytes" in refusal(repository, argument="x", diff=True, max_bytes=1000)
    assert "say what to do with git diff" in refusal(repository, diff=True)
    assert "git: not a git repository" in refusal(tmp_path, argument="x", diff=True)


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotSetUp, match="git was not found"):
        read(repository, argument="x", diff=True)


def test_settings_that_change_the_look_of_a_diff(repository: Path, git: Callable[..., str]) -> None:
    (repository / "a.txt").write_text("two\n")
    plain = read(repository, argument="x", diff=True)
    for key, value in [("diff.noprefix", "true"), ("color.ui", "always"), ("core.pager", "false")]:
        git("config", key, value)
    assert read(repository, argument="x", diff=True) == plain


TRAPS: list[tuple[str, list[tuple[str, str]]]] = [
    ("external", [("diff.external", "{trap}")]),
    ("driver", [("diff.evil.command", "{trap}")]),
    ("textconv", [("diff.evil.textconv", "{trap}")]),
    ("fsmonitor", [("core.fsmonitor", "{trap}")]),
    ("clean filter", [("filter.evil.clean", "{trap}"), ("filter.evil.required", "true")]),
    ("filter process", [("filter.evil.process", "{trap}")]),
    ("fetch", [("remote.origin.url", "ext::{trap}"), ("protocol.ext.allow", "always")]),
]


@posix
@pytest.mark.parametrize(("name", "settings"), TRAPS)
def test_a_hostile_repository_runs_nothing(
    repository: Path, git: Callable[..., str], name: str, settings: list[tuple[str, str]]
) -> None:
    trap, sprung = arm(repository)
    if name == "fetch":  # a partial clone that lacks what HEAD had
        git("config", "remote.origin.promisor", "true")
        blob = git("rev-parse", "HEAD:a.txt").strip()
        (repository / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for key, value in settings:
        git("config", key, value.format(trap=trap))
    git("diff", "HEAD")
    assert sprung.exists(), "the control: a plain git diff does run it"
    sprung.unlink()
    if name == "fetch":
        assert "git: " in refusal(repository, argument="x", diff=True)
    else:
        assert "\n-one\n+two\n" in read(repository, argument="x", diff=True).text
    assert not sprung.exists()


def arm(repository: Path) -> tuple[Path, Path]:
    """A script, and the file that exists once it has run; ``a.txt`` is changed and has drivers."""
    trap, sprung = repository.parent / "trap", repository.parent / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch {sprung}\nexit 1\n")
    trap.chmod(0o755)
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/attributes").write_text("* filter=evil diff=evil\n")
    (repository / "a.txt").write_text("two\n")
    return trap, sprung


@posix
def test_a_submodule_runs_nothing(repository: Path, git: Callable[..., str]) -> None:
    trap, sprung = arm(repository)
    git("clone", "-q", ".", "sub")
    git("add", "sub")
    git("commit", "-qm", "submodule")
    git("-C", "sub", "config", "core.fsmonitor", str(trap))
    git("diff", "HEAD")
    assert sprung.exists(), "the control"
    sprung.unlink()
    read(repository, argument="x", diff=True)
    assert not sprung.exists()


@posix
def test_a_hook_is_not_run(repository: Path, git: Callable[..., str]) -> None:
    trap, sprung = arm(repository)
    (repository / "touched.txt").write_text("same\n")
    git("add", "touched.txt")
    git("commit", "-qm", "second", "touched.txt")
    (repository / ".git/hooks").mkdir(exist_ok=True)
    (repository / ".git/hooks/post-index-change").symlink_to(trap)
    os.utime(repository / "touched.txt", (1, 1))  # git diff writes such a change of times to its index
    git("diff", "HEAD")
    assert sprung.exists(), "the control"
    sprung.unlink()
    os.utime(repository / "touched.txt", (2, 2))
    read(repository, argument="x", diff=True)
    assert not sprung.exists()


def test_no_folder_but_the_repository_is_read(repository: Path, git: Callable[..., str], tmp_path: Path) -> None:
    for elsewhere in (tmp_path / "home", tmp_path):
        elsewhere.mkdir(exist_ok=True)
        (elsewhere / "a.txt").write_text("private\n")
        git("config", "core.worktree", str(elsewhere))
        assert "+private" in git("diff", "HEAD"), "the control"
        assert "core.worktree" in refusal(repository, argument="x", diff=True)


def test_linked_worktrees_and_submodules_are_repositories(repository: Path, git: Callable[..., str]) -> None:
    git("worktree", "add", "-q", "../linked")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repository), "module")
    for folder in (repository.parent / "linked", repository / "module"):
        (folder / "a.txt").write_text("changed\n")
        assert "+changed" in read(folder, argument="x", diff=True).text
