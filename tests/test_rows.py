"""The rows of a batch: what each format gives, what is refused and by which line, and how shards part them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from litellm_skill.faults import BadInput
from litellm_skill.rows import Row, Shard, Source, read_template


def source(tmp_path: Path, text: str | bytes, name: str = "in.jsonl", **more: object) -> Source:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Source(path, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.jsonl", '{"prompt": "hi"}\n\n{"id": 7, "prompt": "ho"}', [Row("1", 1, "hi"), Row("7", 3, "ho")]),
        ("a.jsonl", b'\xef\xbb\xbf{"prompt": "hi"}\r\n', [Row("1", 1, "hi")]),
        ("a.jsonl", '{"prompt": "p", "system": "s", "expected": 4}', [Row("1", 1, "p", "s", "4")]),
        ("a.jsonl", '{"prompt": "p", "files": ["a", "b"]}', [Row("1", 1, "p", files=("a", "b"))]),
        ("a.csv", "id,prompt,expected\nx,hi,\n", [Row("x", 2, "hi")]),
        ("a.CSV", '\ufeffprompt\n"two\nlines"\nhi\n', [Row("3", 3, "two\nlines"), Row("4", 4, "hi")]),
        ("a.csv", "prompt,files\nhi,a.txt; b.txt\n", [Row("2", 2, "hi", files=("a.txt", "b.txt"))]),
        ("a.tsv", "prompt\tsystem\nhi, you\ts\n", [Row("2", 2, "hi, you", "s")]),
    ],
)
def test_rows(tmp_path: Path, name: str, text: str | bytes, expected: list[Row]) -> None:
    assert list(source(tmp_path, text, name).rows()) == expected


@pytest.mark.parametrize(
    ("template", "record", "expected"),
    [
        ("Say {word}!", '{"word": "hi"}', "Say hi!"),
        ('{{"a": {n}}}', '{"n": 3}', '{"a": 3}'),
        ('{"a": 1} {x}', '{"x": "{y}"}', '{"a": 1} {y}'),
        ("{rows}", '{"rows": ["é"]}', '["é"]'),
    ],
)
def test_a_template(tmp_path: Path, template: str, record: str, expected: str) -> None:
    assert [row.prompt for row in source(tmp_path, record, template=template).rows()] == [expected]


@pytest.mark.parametrize(
    ("name", "text", "template", "message"),
    [
        ("a.jsonl", '{"prompt": "hi"}\nnonsense', None, "a.jsonl, line 2: not a JSON object"),
        ("a.jsonl", '["hi"]', None, "a.jsonl, line 1: not a JSON object"),
        ("a.jsonl", '{"id": 1}', None, "a.jsonl, line 1: no prompt"),
        ("a.jsonl", '{"prompt": "  "}', None, "a.jsonl, line 1: no prompt"),
        ("a.jsonl", '{"prompt": 3}', None, "a.jsonl, line 1: 'prompt' is not text"),
        ("a.jsonl", '{"prompt": "p", "files": 3}', None, "a.jsonl, line 1: 'files' is not a list of paths"),
        ("a.jsonl", '{"prompt": "p", "id": "%s"}' % ("x" * 201), None, "a.jsonl, line 1: an id of more than 200"),
        ("a.jsonl", '{"a": "hi"}', "{b}", "a.jsonl, line 1: no column 'b', which the template names"),
        ("a.csv", "prompt\na,b\n", None, "a.csv, line 2: more fields than columns"),
        ("a.csv", b"prompt\n\xff\n", None, "a.csv, line 2: it is not UTF-8"),
        ("a.csv", 'prompt\n"open\n', None, "a.csv, line 1: unexpected end of data"),
    ],
)
def test_what_is_no_row_is_named(tmp_path: Path, name: str, text: str, template: str | None, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        list(source(tmp_path, text, name, template=template).rows())
    assert caught.value.message.startswith(message)


def test_what_is_read_twice_must_be_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, message in ((tmp_path / "pipe", "not a regular file"), (tmp_path / "none", "No such file")):
        with pytest.raises(BadInput, match=message):
            list(Source(path).rows())
    with pytest.raises(BadInput, match="--template none"):
        read_template("none")


def test_shards_part_the_rows(tmp_path: Path) -> None:
    text = "".join(f'{{"id": "r{number}", "prompt": "p"}}\n' for number in range(400))
    parts = [{row.id for row in source(tmp_path, text, shard=Shard(number, 4)).rows()} for number in range(1, 5)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 400
    assert all(70 < len(part) < 130 for part in parts)
    assert "r0" in parts[2], "which part an id is in may never change: shards of other machines rely on it"


def test_columns_that_mean_nothing_are_named(tmp_path: Path) -> None:
    text = '{"prompt": "p", "api_key": "k", "model": "m", "word": "w"}'
    assert source(tmp_path, text).unused() == ("api_key", "model", "word")
    assert source(tmp_path, text, template="{word} {model}").unused() == ("prompt", "api_key")


def test_the_digest_is_of_all_but_the_id() -> None:
    row = Row("1", 1, "p", "s", "e", ("f",))
    assert row.digest == Row("2", 9, "p", "s", "e", ("f",)).digest
    others = [Row("1", 1, "q", "s", "e", ("f",)), Row("1", 1, "p", None, "e", ("f",)), Row("1", 1, "p", "s", "e")]
    assert row.digest not in {other.digest for other in others}
