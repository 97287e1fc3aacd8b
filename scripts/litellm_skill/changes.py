"""The git diff that goes along with a prompt, as fenced text.

The repository of a diff is not trusted: nothing that its configuration names is run, nothing is fetched, no
file outside it is read. What a plain ``git diff`` runs (tried with git 2.39) and what stops it here:

    diff.external, diff.*.command      --no-ext-diff
    diff.*.textconv                    --no-textconv
    core.fsmonitor                     -c core.fsmonitor=false
    hook post-index-change             -c core.hooksPath
    filter.*.clean, filter.*.process   emptied when the repository's own configuration sets them
    commands set in a submodule        --ignore-submodules=dirty
    transports, in a partial clone     GIT_ALLOW_PROTOCOL
    core.worktree                      the folder it names must belong to the same repository
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from litellm_skill import screen
from litellm_skill.attachments import HEADING, Attachment, check_text, escape, fenced, sent_file
from litellm_skill.faults import BadInput, NotSetUp
from litellm_skill.screen import Part

_INSTEAD = "attach files with -f instead of a diff"
_GIT_SECONDS = 30
_GIT_NAMES_SHOWN = 50
_GIT_ANSWER = 4_000_000  # bytes of git's answers that are not a diff
_GIT_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "none"}
_GIT_CONFIG = (
    *("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"),
    *("-c", "core.quotePath=false"),  # file names as they are, not in octal
)
_GIT_DIFF = (
    *("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"),
    *("--ignore-submodules=dirty", "--submodule=short"),
)


@dataclass(frozen=True)
class Diff:
    """``top``: the folder that its paths are relative to. ``text``: as git printed it, with every byte that is no text
    as U+FFFD. ``untracked``: the line that names those files, "" when there are none."""

    name: str
    top: str
    raw: bytes
    text: str
    untracked: str


def read_diff(directory: Path, base: str | None, max_bytes: int, allowed: tuple[str, ...] = ()) -> Attachment:
    """What ``take`` finds, as it goes along with a prompt."""
    diff = take(directory, base, max_bytes, allowed)
    replaced = "" if diff.text.encode() == diff.raw else "\nBytes that are not UTF-8 text are shown as \ufffd."
    notes = replaced + (f"\n{diff.untracked}" if diff.untracked else "")
    text = f"Changes ({diff.name}):\n{fenced(diff.text, 'diff')}{notes}"
    return Attachment(Part("the diff", text, heading=HEADING), sent_file(diff.name, diff.raw))


def take(
    directory: Path, base: str | None, max_bytes: int, allowed: tuple[str, ...] = (), attributes: Path | None = None
) -> Diff:
    """What is not committed yet; with ``base``, all that was added since the merge base with that revision.

    The diff of the whole repository around ``directory``, staged or not. Untracked files are named only. With
    ``attributes``, a gitattributes file that says how functions begin in which language, each change stands in the
    whole of its function, unless that is more than ``max_bytes``.
    Raises ``SecretFound`` when it holds changes of a file whose name says that it holds secrets.
    """
    top = _worktree(directory)
    name = f"git diff --merge-base {escape(base)}" if base is not None else "git diff"
    since = _merge_base(top, base) if base is not None else _head_or_empty(top)
    diff = (*_filters_off(top), *_GIT_DIFF)
    raw = b""
    if attributes:
        wide = ("-c", f"core.attributesFile={attributes}", *diff, "--function-context")
        raw = _git(top, *wide, since, "--", limit=max_bytes)
    if not raw or len(raw) > max_bytes:
        raw = _git(top, *diff, since, "--", limit=max_bytes)
    if len(raw) > max_bytes:
        hint = "narrow it with --diff-base, or attach files with -f"
        raise BadInput(f"{name} has more than {max_bytes:,} bytes", hint)
    untracked = _untracked(top)
    if not raw:
        raise BadInput(f"no changes: {name} is empty", f"attach files with -f. {untracked}".rstrip())
    changed = os.fsdecode(_git(top, *diff, "--name-only", "--no-renames", "-z", since, "--")).split("\0")
    screen.check_changes((Path(top, path) for path in changed if path), name, directory, allowed)
    return Diff(name, top, raw, raw.decode("utf-8", "replace").replace("\0", "\ufffd"), untracked)


def listed(directory: Path) -> list[str] | None:
    """Files in ``directory`` that git tracks, or would, relative to it; None where no repository, or no git, is."""
    try:
        raw, complaint = _try_git(directory, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    except NotSetUp:
        return None
    return None if complaint else sorted({os.fsdecode(name) for name in raw.split(b"\0")[:-1]})


def _worktree(directory: Path) -> str:
    """Top folder of the repository around ``directory``."""
    top = os.fsdecode(_git(directory, "rev-parse", "--show-toplevel")).removesuffix("\n")
    repository = _git(directory, "rev-parse", "--absolute-git-dir")
    seen_from_top, _ = _try_git(top, "rev-parse", "--absolute-git-dir")
    if seen_from_top != repository:
        message = f"core.worktree of this repository names a folder that is not its own: {escape(top)}"
        raise BadInput(message, _INSTEAD)
    return top


def _filters_off(top: str) -> list[str]:
    scopes_and_keys = os.fsdecode(_git(top, "config", "--list", "-z", "--name-only", "--show-scope")).split("\0")
    options = []
    for scope, key in zip(scopes_and_keys[::2], scopes_and_keys[1::2], strict=False):
        if scope in ("local", "worktree") and key.startswith("filter."):
            driver = key.rpartition(".")[0]
            if "=" in driver:  # -c could not name it
                raise BadInput(f"the repository sets up a filter called {escape(driver)}", _INSTEAD)
            for setting in ("clean=", "process=", "required=false"):
                options += ["-c", f"{driver}.{setting}"]
    return options


def _head_or_empty(top: str) -> str:
    raw, complaint = _try_git(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if complaint:  # no commit yet: everything is new compared with the empty tree
        raw = _git(top, "hash-object", "-t", "tree", "--stdin")
    return raw.decode().strip()


def _merge_base(top: str, base: str) -> str:
    revision = check_text(base, "--diff-base")
    commit, unknown = b"", "it is no revision"
    if not revision.startswith("-"):
        commit, unknown = _try_git(top, "rev-parse", "--verify", "--quiet", revision + "^{commit}")
    if unknown:
        raise BadInput(f"--diff-base: no such revision: {escape(base)}", "name a branch, a tag or a commit")
    raw, complaint = _try_git(top, "merge-base", commit.decode().strip(), "HEAD")
    if complaint:
        message = f"--diff-base: {escape(base)} and HEAD have no commit in common"
        raise BadInput(message, "in a shallow clone, fetch more history first: git fetch --unshallow")
    return raw.decode().strip()


def _untracked(top: str) -> str:
    """One line that names the untracked files, "" when there are none."""
    raw = _git(top, "ls-files", "--others", "--directory", "--exclude-standard", "-z")
    names = [escape(name) for name in os.fsdecode(raw).split("\0") if name]
    more = ", …" if len(names) > _GIT_NAMES_SHOWN else ""
    shown = ", ".join(names[:_GIT_NAMES_SHOWN]) + more
    return f"Untracked, and so not in this diff ({len(names)}): {shown}" if names else ""


def _git(folder: str | Path, *arguments: str, limit: int = _GIT_ANSWER) -> bytes:
    output, complaint = _try_git(folder, *arguments, limit=limit)
    if complaint:
        raise BadInput(f"git: {complaint}", _INSTEAD)
    return output


def _try_git(folder: str | Path, *arguments: str, limit: int = _GIT_ANSWER) -> tuple[bytes, str]:
    """Output, cut one byte after ``limit``; and when git failed, what it complained of."""
    import shutil
    import subprocess
    import threading

    git = shutil.which("git")
    if git is None:
        raise NotSetUp("git was not found", f"install git, or {_INSTEAD}")
    complaints: list[bytes] = []
    command = [git, "--no-pager", "-C", str(folder), *_GIT_CONFIG, *arguments]
    environ, pipe = os.environ | _GIT_ENVIRONMENT, subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as process:
        timer = threading.Timer(_GIT_SECONDS, process.kill)
        timer.start()
        assert process.stdout is not None
        assert process.stderr is not None
        listener = threading.Thread(target=complaints.extend, args=(process.stderr,), daemon=True)
        listener.start()  # not into a file: a sandbox may leave no folder for one
        try:
            output = process.stdout.read(limit + 1)
            if len(output) > limit:
                process.kill()
                return output, ""
            code = process.wait()
        finally:
            timer.cancel()
            listener.join(1.0)
        return output, _complaint(code, complaints) if code else ""


def _complaint(code: int, lines: list[bytes]) -> str:
    if code == -9:
        return f"it took longer than {_GIT_SECONDS} s"
    first = lines[0].decode("utf-8", "replace").strip() if lines else f"exit code {code}"
    return escape(first.removeprefix("fatal: "))
