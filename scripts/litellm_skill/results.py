"""The file that holds the full answer, written before anything of it is printed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from litellm_skill.settings import private_directory, state_directory


def new_run_id() -> str:
    """Sorts by time (UTC) and is unique on a machine: ``20261120-101502-3f9a1c``."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"


def open_file(run_id: str, environ: Mapping[str, str]) -> TextIO | None:
    """A new private file (0600) in the state directory, else in a private one under ``$TMPDIR``; its path is its
    ``name``. None when neither can be written, which must not cost the answer."""
    for parent in (state_directory(environ), _temporary_directory()):
        try:
            directory = private_directory(private_directory(parent) / "results")
            path = directory / f"{run_id}.txt"
            return open(path, "x", encoding="utf-8", errors="backslashreplace", newline="", opener=_private_file)
        except OSError:
            continue
    return None


def close_file(file: TextIO | None) -> str | None:
    """The path of the answer; an empty file is removed, and has none."""
    if file is None:
        return None
    file.close()
    if os.path.getsize(file.name):
        return file.name
    os.unlink(file.name)
    return None


def _private_file(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _temporary_directory() -> Path:
    import tempfile

    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"litellm-skill-{user}"
