"""The rows of a batch: JSON lines or CSV, read one at a time, each made into a prompt."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from litellm_skill.faults import BadInput

COLUMNS = ("id", "prompt", "system", "expected", "files")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
LINE_BYTES = 20_000_000
FIELD_CHARACTERS = 2_000_000
FIELD = re.compile(r"\{\{|\}\}|\{(\w+)\}")
ID_CHARACTERS = 200


@dataclass(frozen=True)
class Row:
    """``line``: where it stands in the file, from 1. ``prompt``: as it will be sent. ``files``: paths below the folder
    of the batch file. ``expected`` None: not known."""

    id: str
    line: int
    prompt: str
    system: str | None = None
    expected: str | None = None
    files: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Of all but the id: tells whether the row is still the one that was answered."""
        content = json.dumps([self.prompt, self.system, self.expected, self.files])
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Shard:
    """The ``number``-th of ``of`` parts, from 1. Which part an id is in depends on the id alone."""

    number: int = 1
    of: int = 1

    def has(self, id: str) -> bool:
        if self.of == 1:
            return True
        digest = hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    @property
    def told(self) -> str:
        """What is said behind a number of rows."""
        return f" in shard {self.number}/{self.of}" if self.of > 1 else ""


@dataclass(frozen=True)
class Source:
    """``template``: a text with ``{column}``s, None where the column ``prompt`` is the prompt."""

    path: Path
    template: str | None = None
    shard: Shard = Shard()

    def rows(self) -> Iterator[Row]:
        """Those of the shard, in order, each read when it is asked for. Raises BadInput, which names the line."""
        read = _csv_records if self.path.suffix.lower() in DELIMITERS else _json_records
        with _opened(self.path) as file:
            for line, record in read(file, self.path):
                try:
                    row = self._row(line, record)
                except ValueError as error:
                    hint = "nothing was sent for this row: mend the file"
                    raise BadInput(f"{self.path.name}, line {line}: {error}", hint) from error
                if self.shard.has(row.id):
                    yield row

    def unused(self) -> tuple[str, ...]:
        """Columns of the first row that mean nothing here: whatever they hold, it is not sent and sets nothing."""
        read = _csv_records if self.path.suffix.lower() in DELIMITERS else _json_records
        with _opened(self.path) as file:
            _, first = next(read(file, self.path), (0, {}))
        own = set(COLUMNS) - ({"prompt"} if self.template is not None else set())
        used = set(FIELD.findall(self.template or "")) | own
        return tuple(str(name) for name in first if name not in used)

    def _row(self, line: int, record: Mapping[str, Any]) -> Row:
        """Raises ValueError."""
        prompt = _text(record, "prompt") if self.template is None else _filled(self.template, record)
        if not (prompt or "").strip():
            raise ValueError("no prompt" if self.template is None else "the template makes an empty prompt of it")
        id = _text(record, "id") or str(line)
        if len(id) > ID_CHARACTERS:
            raise ValueError(f"an id of more than {ID_CHARACTERS} characters")
        expected = record.get("expected")
        return Row(
            id,
            line,
            prompt or "",
            _text(record, "system") or None,
            None if expected in (None, "") else _plain(expected),
            _files(record.get("files")),
        )


def read_template(path: str) -> str:
    """Raises BadInput."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInput(f"--template {path}: {what}", "name a text file with {column}s") from error


def _opened(path: Path) -> BinaryIO:
    """A regular file, for it is read more than once."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadInput(f"--batch {path} is not a regular file", "write the rows to a file: they are read twice")
        return open(path, "rb")
    except OSError as error:
        raise BadInput(f"--batch {path}: {error.strerror}", "name a file of JSON lines or CSV") from error


def _json_records(file: BinaryIO, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    line = 0
    while raw := file.readline(LINE_BYTES + 1):
        line += 1
        text = raw.removeprefix(b"\xef\xbb\xbf") if line == 1 else raw
        if not text.strip():
            continue
        try:
            record = json.loads(text) if len(raw) <= LINE_BYTES else None
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            what = f"{path.name}, line {line}: not a JSON object"
            raise BadInput(what, 'give one JSON object a line, such as {"id": "1", "prompt": "…"}; or a .csv file')
        yield line, record


def _csv_records(file: BinaryIO, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """``line`` is the last one of a record that spans several."""
    csv.field_size_limit(FIELD_CHARACTERS)
    reader = csv.DictReader(_lines(file, path), delimiter=DELIMITERS[path.suffix.lower()], strict=True)
    try:
        for record in reader:
            if None in record:
                raise csv.Error("more fields than columns")
            yield reader.line_num, record
    except csv.Error as error:
        raise BadInput(f"{path.name}, line {reader.line_num}: {error}", "mend the file") from error


def _lines(file: BinaryIO, path: Path) -> Iterator[str]:
    line = 0
    while raw := file.readline(LINE_BYTES):
        line += 1
        try:
            yield raw.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(f"{path.name}, line {line}: it is not UTF-8", "mend the file") from error


def _filled(template: str, record: Mapping[str, Any]) -> str:
    """``{column}`` replaced; ``{{`` and ``}}`` are braces. What is put in is not looked at again."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if record.get(name) is None:
            raise ValueError(f"no column {name!r}, which the template names")
        return _plain(record[name])

    return FIELD.sub(value, template)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and name == "id":
        return str(value)
    raise ValueError(f"{name!r} is not text")


def _files(value: Any) -> tuple[str, ...]:
    """A list of paths, or one; in CSV several are parted by semicolons."""
    if value in (None, ""):
        return ()
    names = value.split(";") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("'files' is not a list of paths")
    return tuple(name.strip() for name in names if name.strip())
