"""The file that holds the full answer, written before anything of it is printed."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from litellm_skill.console import Console
from litellm_skill.faults import BadInput
from litellm_skill.redaction import Redactor, redact
from litellm_skill.settings import private_directory, state_directory

KEPT_DAYS = 30


def new_run_id() -> str:
    """Sorts by time (UTC) and is unique on a machine: ``20261120-101502-3f9a1c``."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"


def open_file(run_id: str, environ: Mapping[str, str]) -> TextIO | None:
    """A new private file (0600) in the state directory, else in a private one under ``$TMPDIR``; its path is its
    ``name``. None when neither can be written, which must not cost the answer."""
    parents: tuple[Callable[[], Path], ...] = (lambda: state_directory(environ), _temporary_directory)
    for parent in parents:
        with contextlib.suppress(OSError):
            return _open(parent(), run_id)
    return None


def keep(text: str, run_id: str, environ: Mapping[str, str]) -> str | None:
    """The path of a new file that holds all of ``text``; None when there is none."""
    file = open_file(run_id, environ) if text else None
    if file is None:
        return None
    try:
        with file:
            file.write(text)
    except OSError:  # a full disk must not cost the answer
        with contextlib.suppress(OSError):
            os.unlink(file.name)
        return None
    return file.name


def _open(parent: Path, run_id: str) -> TextIO:
    """Raises OSError."""
    directory = private_directory(private_directory(parent) / "results")
    _forget_old(directory)
    path = directory / f"{run_id}.txt"
    return open(path, "x", encoding="utf-8", errors="backslashreplace", newline="", opener=_private_file)


def _forget_old(directory: Path) -> None:
    """Answers are kept for ``KEPT_DAYS``."""
    before = time.time() - KEPT_DAYS * 86_400
    for entry in os.scandir(directory):
        with contextlib.suppress(FileNotFoundError):  # another process does the same
            if entry.stat(follow_symlinks=False).st_mtime < before:
                os.unlink(entry.path)


class Transcript:
    """The answer as it comes: without keys, first kept (in ``file``, where there is one), then given to ``readers``."""

    def __init__(self, file: TextIO | None, secrets: Sequence[str], readers: Sequence[Callable[[str], None]]) -> None:
        self._file = file
        self._secrets = secrets
        self._came: list[str] = []
        self._redactor = Redactor(secrets)
        self._readers = readers

    def add(self, piece: str) -> None:
        self._keep(self._redactor.feed(piece))

    @property
    def keeps(self) -> bool:
        """Whether all that came so far is in a file."""
        return self._file is not None

    def close(self, *, cut: bool, text: str | None = None) -> str | None:
        """The path of the kept answer; an empty file is removed, and has none. ``cut``: the answer broke off. ``text``:
        the answer, where it is not all that came."""
        self._keep(self._redactor.flush(cut=cut))
        if self._file is None:
            return None
        path = self._file.name
        try:
            self._file.close()
            if text is not None:
                Path(path).write_text(redact(text, self._secrets), encoding="utf-8", errors="backslashreplace")
            if os.path.getsize(path):
                return path
            os.unlink(path)
        except OSError:  # the file is gone, or the disk is full: the answer is not
            self._file = None
        return None

    def _keep(self, text: str) -> None:
        self._came.append(text)
        if text and self._file:
            try:
                self._file.write(text)
                self._file.flush()
            except OSError:  # a full disk must not cost the answer
                self._file = self._elsewhere(self._file)
        for reader in self._readers if text else ():
            reader(text)

    def _elsewhere(self, full: TextIO) -> TextIO | None:
        """All that came, in a file among the temporary ones; None when there can be none either."""
        with contextlib.suppress(OSError):
            full.close()
        with contextlib.suppress(OSError):
            file = _open(_temporary_directory(), Path(full.name).stem)
            file.write("".join(self._came))
            file.flush()
            return file
        return None


def _private_file(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _temporary_directory() -> Path:
    """Not by ``tempfile``: where a sandbox leaves nothing else, that takes the working directory, a user's project."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp") / f"litellm-skill-{user}"


def check_new(path: str | None, flag: str, *, force: bool) -> None:
    """Raises BadInput when ``--flag`` names a file that cannot be written, or that is there already."""
    if not path:
        return
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if Path(path).parent.resolve().is_relative_to("/proc"):  # a descriptor that some file of ours may have then
            raise BadInput(f"--{flag} {path} is not open", "name another file") from None
        if flag != "out" and not Path(path).parent.is_dir():  # an answer that was paid is shown first
            raise BadInput(f"--{flag} {path}: there is no such folder", "make it, or name another file") from None
        return
    except OSError as error:
        raise BadInput(f"--{flag} {path}: {error.strerror}", "name another file") from error
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"--{flag} {path} is not a regular file", "name another file")
    if not force:
        raise BadInput(f"--{flag} {path} is there already", "name another file, or add --force")


def write(path: str, text: str, flag: str, console: Console, *, force: bool) -> int:
    """0, or the exit code of bad input: by now the answer has been printed, so nothing is lost."""
    try:
        with open(path, "w" if force else "x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(console.redact(text))
    except OSError as error:
        fault = BadInput(f"cannot write --{flag} {path}: {error.strerror}", "the answer is kept: see --result last")
        console.fault(fault)
        return fault.exit_code
    return 0
