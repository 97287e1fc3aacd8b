"""The results of a batch: a file of JSON lines that only grows, each line written as its answer comes.

The first line says what the batch is: ``{"batch": {"format", "models", "options"}}``. Every other line is the envelope
of one row and model (DESIGN: JSON envelope) with ``id``, ``model``, ``row`` (a digest of what was asked), ``expected``
and ``score``. Of several lines for one row and model the last one counts. Files of one batch may be put one after the
other: their first lines are the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from litellm_skill.faults import BadInput
from litellm_skill.tally import Tally

FORMAT = 1
LOCKED_AT = 1 << 62  # of Windows, whose locks keep others from reading: a place that no file reaches
Header = Mapping[str, Any]


class Records:
    """``path`` opened for this process alone. ``skipped``: lines that could not be read."""

    def __init__(self, path: Path, header: Header, tally: Tally, *, force: bool = False) -> None:
        """What is there already goes into the ``tally``, unless ``force`` drops it. Raises BadInput when it is not of
        this very batch, or another process writes to it."""
        self.path = path
        self.header = json.loads(json.dumps({"format": FORMAT, **header}))
        self.skipped = 0
        self._file = _opened(path)
        try:
            _lock(self._file, path)
            if force:
                self._file.truncate(0)
            self._resume(tally)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def begin(self) -> None:
        """The first line, where there is none."""
        if os.fstat(self._file.fileno()).st_size == 0:
            self.write(json.dumps({"batch": self.header}, ensure_ascii=False))

    def write(self, line: str) -> int:
        """One line, out of this process when it returns, and where it begins. Raises BadInput when it cannot be
        written."""
        data = memoryview(line.encode("utf-8", "backslashreplace") + b"\n")
        descriptor = self._file.fileno()
        before = os.fstat(descriptor).st_size
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError as error:
            with contextlib.suppress(OSError):  # of half a line the next one would be a part
                os.ftruncate(descriptor, before)
            what = f"cannot write --out {self.path}: {error.strerror}"
            raise BadInput(what, "make room, and run the same command again: it goes on") from error
        return before

    def read(self, at: int) -> dict[str, Any] | None:
        """The line that begins there; None when it holds no result. By a handle of its own: the other one appends."""
        try:
            with open(self.path, "rb") as file:
                file.seek(at)
                document = _read(file.readline())
        except OSError as error:
            raise BadInput(f"--out {self.path}: {error.strerror}", "let it be read: it holds the answers") from error
        return document if document is not None and _is_result(document) else None

    def _resume(self, tally: Tally) -> None:
        """Read what is there, and mend its end: a killed process may have left half a line."""
        self._file.seek(0)
        whole, begun = 0, False
        for raw in self._file:
            document = _read(raw)
            if not raw.endswith(b"\n"):
                break
            at, whole = whole, whole + len(raw)
            if document is None:
                self.skipped += 1
            elif "batch" in document:
                self._check(document["batch"])
                begun = True
            elif not begun:
                raise self._foreign()
            elif _is_result(document):
                tally.take(document, at)
            else:
                self.skipped += 1
        size = os.fstat(self._file.fileno()).st_size
        if size and not begun and not (whole == 0 and self._is_cut_header()):
            raise self._foreign()
        if size > whole:
            os.truncate(self.path, whole)

    def _is_cut_header(self) -> bool:
        self._file.seek(0)
        start = b'{"batch": '
        return self._file.read(len(start)) == start[: os.fstat(self._file.fileno()).st_size]

    def _foreign(self) -> BadInput:
        return BadInput(f"--out {self.path} is there, and holds no results of a batch", "name another file")

    def _check(self, found: Any) -> None:
        if found == self.header:
            return
        other = ", ".join(_differences(found if isinstance(found, dict) else {}, self.header))
        raise BadInput(
            f"--out {self.path} was begun with other settings: {other}",
            "give the same to go on, or name another file; --force begins anew and drops what is there",
        )


def _read(raw: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _is_result(document: Mapping[str, Any]) -> bool:
    """Whether it has what counts: the file may have been worked on by hand."""
    error, score = document.get("error"), document.get("score")
    return (
        all(isinstance(document.get(name), str) for name in ("id", "model", "row", "status"))
        and (error is None or (isinstance(error, dict) and isinstance(error.get("type"), str)))
        and (score is None or (isinstance(score, dict) and "value" in score and _is_amount(score.get("value"))))
        and all(_is_amount(document.get(name)) for name in ("cost_usd", "latency_s"))
    )


def _is_amount(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*found, *wanted}):
        if found.get(name) == wanted.get(name):
            continue
        before, now = found.get(name), wanted.get(name)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from _differences(before, now)
        else:
            yield f"{name} {_short(before)}, now {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _opened(path: Path) -> BinaryIO:
    try:
        file = open(path, "a+b", buffering=1 << 16)  # noqa: SIM115  closed by its owner
    except OSError as error:
        raise BadInput(f"--out {path}: {error.strerror}", "name another file") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise BadInput(f"--out {path} is not a regular file", "name another file: a batch goes on from it")
    return file


def _lock(file: BinaryIO, path: Path) -> None:
    """Until the file is closed, or the process dead."""
    try:
        try:
            import fcntl
        except ImportError:
            import msvcrt

            file.seek(LOCKED_AT)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # Windows alone has it
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        what = f"another process writes to --out {path}"
        raise BadInput(what, "wait for it, or split the work with --shard I/N and an --out each") from error
