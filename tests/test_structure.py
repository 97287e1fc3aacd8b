"""Schemas, the JSON in replies and the code between fences: what is taken, what is refused, and that all of it ends."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from litellm_skill import fence, structure
from litellm_skill.faults import BadInput, SecretFound
from litellm_skill.structure import Parsed, Problem, Schema
from reading import posix

CITY = {
    "title": "City",
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer", "minimum": 0}},
    "required": ["name"],
}
SCHEMA = Schema(CITY, "City")
AMSTERDAM = {"name": "Amsterdam", "people": 930_000}


def schema(document: Any, folder: Path = Path()) -> Schema:
    return structure.read_schema(document if isinstance(document, str) else json.dumps(document), folder)


def refusal(document: Any, folder: Path = Path()) -> str:
    with pytest.raises(BadInput) as caught:
        schema(document, folder)
    assert "\n" not in caught.value.message + caught.value.hint
    assert caught.value.hint
    return caught.value.message


# The schema


def test_a_schema_inline_and_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "city.json").write_text("\ufeff" + json.dumps(CITY), encoding="utf-8")
    assert schema(CITY) == schema("city.json", tmp_path) == schema(str(tmp_path / "city.json")) == SCHEMA
    assert schema(f" \n{json.dumps(CITY)}") == SCHEMA


@pytest.mark.parametrize(
    ("title", "name"),
    [
        (None, "answer"),
        ("", "answer"),
        ("A city!", "A_city"),
        ("城市", "answer"),
        ("x" * 99, "x" * 64),
        ("a-b_1", "a-b_1"),
    ],
)
def test_names(title: str | None, name: str) -> None:
    assert schema({} if title is None else {"title": title}).name == name


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}},
        {"$ref": "#there", "$defs": {"a": {"$anchor": "there"}}},
        {"$id": "https://example.com/x", "$ref": "a", "$defs": {"a": {"$id": "a"}}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"$ref": "#"}}},
        {"$schema": "http://json-schema.org/draft-04/schema#", "id": "http://a/b", "items": {"$ref": "http://a/b#"}},
        {"properties": {"$ref": {"type": "string"}}, "const": {"$ref": "https://example.com"}},
        {"pattern": "^(a+)+$"},
    ],
)
def test_usable_schemas(document: dict[str, Any]) -> None:
    assert schema(document).document == document


def nested(depth: int) -> dict[str, Any]:
    return {"items": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{", "--schema is not JSON: Expecting property name"),
        ('{"a": 1, "a": 2}', "--schema is not JSON: the key 'a' stands twice in one object"),
        ('{"maximum": NaN}', "NaN is no JSON number"),
        ('{"title": "\\ud800"}', "it holds half a character"),
        ('{"title": "\udce9"}', "--schema is not text"),
        ({"type": "objct"}, "--schema is no usable JSON Schema: $.type: 'objct' is not valid"),
        ({"required": "name"}, "$.required: 'name' is not of type 'array'"),
        ({"pattern": "(("}, "$.pattern: '((' is not a 'regex'"),
        ({"$schema": "https://example.com/mine"}, "its $schema is unknown: https://example.com/mine"),
        ({"$schema": 5}, "its $schema is unknown: 5"),
        ({"$ref": "#/$defs/gone"}, "$ref '#/$defs/gone' leads nowhere in it, and nothing is fetched"),
        ({"items": {"$ref": "https://example.com/a.json"}}, "$ref 'https://example.com/a.json' leads nowhere in it"),
        ({"$ref": "file:///etc/passwd"}, "leads nowhere in it"),
        ({"$ref": "#/x", "x": {"$ref": "http://127.0.0.1/"}}, "$ref 'http://127.0.0.1/' leads nowhere in it"),
        ({"$dynamicRef": "#gone"}, "leads nowhere in it"),
        ({"$ref": "#"}, "it is nested too deeply, or refers to itself without end"),
        (nested(150), "it is nested more than 100 deep"),
        ({"title": "x" * 200_000}, "has 200,013 bytes; the limit is 200,000"),
    ],
)
def test_schemas_that_are_refused(document: Any, says: str) -> None:
    assert says in refusal(document)


def test_files_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "large.json").write_bytes(b" " * 200_001)
    (tmp_path / "bad.json").write_text('{"type": 5}')
    assert refusal("list.json", tmp_path) == "list.json is not a JSON object"
    assert refusal("large.json", tmp_path) == "large.json has 200,001 bytes; the limit is 200,000"
    assert refusal("bad.json", tmp_path).startswith("bad.json is no usable JSON Schema: $.type: 5 is not")
    assert refusal("gone.json", tmp_path) == "no such file: gone.json"
    assert refusal("", tmp_path) == ". is a directory"
    assert "no such file" in refusal("[1]", tmp_path)


@posix
def test_a_schema_is_a_file_like_any_that_is_sent(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("{}")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/out.json").symlink_to("../bad.json")
    with pytest.raises(SecretFound):
        schema(".env", tmp_path)
    assert structure.read_schema(".env", tmp_path, allowed=(".env",)).document == {}
    assert "out.json is a link out of the working directory" in refusal("out.json", tmp_path / "inner")


def test_nothing_is_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/a.json"
        assert "nothing is fetched" in refusal({"$ref": address})
        assert "$schema is unknown" in refusal({"$schema": address})
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    ("pattern", "reply"), [("^(a+)+$", "a" * 60 + "!"), ("^(.*,){20}x", "1," * 40)], ids=["nested", "many"]
)
def test_a_pattern_that_never_ends(pattern: str, reply: str) -> None:
    said = structure.parse(json.dumps(reply), Schema({"pattern": pattern}, "x"), seconds=1)
    assert said == Problem("it could not be checked: it took longer than 1 s")


TREE = {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}
DOUBLED = {f"a{at}": {"anyOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(30)}
BOUNDED = [
    CITY,
    {},
    {"properties": {"a": {"items": {"enum": ["pattern", "$ref"]}}}},
    {"$ref": "#/$defs/a", "$defs": {"a": CITY}},
    {"properties": {"name": {"$ref": "#/definitions/a"}}, "definitions": {"a": {"type": "string", "format": "date"}}},
]
UNBOUNDED = [
    {"pattern": "^a"},
    {"anyOf": [{"patternProperties": {"a": {}}}]},
    {"properties": {"a": {"uniqueItems": True}}},
    {"$ref": "#"},
    {"$ref": "other.json"},
    {"$ref": "#/$defs/none"},
    TREE,
    {"$ref": "#/$defs/a0", "$defs": {**DOUBLED, "a30": {}}},
]


@pytest.mark.parametrize("document", BOUNDED, ids=str)
def test_a_schema_that_sets_its_own_bounds_needs_no_other_process(document: dict[str, Any]) -> None:
    good = {"name": "2026-11-20", "people": 930_000}
    assert structure.parse(json.dumps(good), Schema(document, "x"), seconds=0) == Parsed(good)


@pytest.mark.parametrize("document", UNBOUNDED, ids=lambda document: str(document)[:40])
def test_any_other_is_checked_apart(document: dict[str, Any]) -> None:
    said = structure.parse('"b"', Schema(document, "x"), seconds=0)
    assert said == Problem("it could not be checked: it took longer than 0 s")


# The reply


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(AMSTERDAM),
        f"\n {json.dumps(AMSTERDAM, indent=2)}\n",
        f"Here it is:\n\n```json\n{json.dumps(AMSTERDAM)}\n```\nGood luck with {{it}}!",
        f"```py\n{{1: 2}}\n```\n~~~JSON\n{json.dumps(AMSTERDAM)}",
        f"The answer is {json.dumps(AMSTERDAM)}, as asked.",
        f"By [1] and [2] it is {json.dumps(AMSTERDAM)}",
        f"```\n{json.dumps(AMSTERDAM)}\n```",
    ],
)
def test_json_is_found(reply: str) -> None:
    assert structure.parse(reply, SCHEMA) == Parsed(AMSTERDAM)


@pytest.mark.parametrize("value", [None, 0, False, [], "", {}, [{"a": [1.5, -2]}], "é🎉", 10**300])
def test_any_json_value(value: Any) -> None:
    assert structure.parse(json.dumps(value), Schema({}, "answer")) == Parsed(value)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ("", "it is not JSON: Expecting value"),
        ("I cannot do that.", "it is not JSON"),
        ('{"name": "a"', "it is not JSON: Expecting ',' delimiter"),
        ('{"name": "a", "name": "b"}', "it is not JSON: the key 'name' stands twice in one object"),
        ('It is {"name": "a", "people": Infinity}', "it is not JSON: Infinity is no JSON number"),
        ('{"name": "a", "people": 1e400}', "1e400 is too large a number"),
        ('{"name": "a", "people": ' + "1" * 5000 + "}", "… is too long a number"),
        ("[" * 100_000, "it is nested more than 100 deep"),
        ("[" * 101 + "]" * 101, "it is nested more than 100 deep"),
        ("[]", "$: [] is not of type 'object'"),
        ("{}", "$: 'name' is a required property"),
        ('{"name": 5, "people": -1}', "$.name: 5 is not of type 'string'; $.people: -1 is less than the minimum of 0"),
        ('```json\n{"name": 1}\n```\n{"name": "a"}', "$.name: 1 is not of type 'string'"),
    ],
)
def test_replies_that_are_refused(reply: str, says: str) -> None:
    said = structure.parse(reply, SCHEMA)
    assert isinstance(said, Problem)
    assert says in said.message


@pytest.mark.parametrize("reply", [json.dumps({"name": ["x" * 9000]}), json.dumps({"a" * 9000: 1}), "x\n" * 9000])
def test_a_problem_is_one_short_line(reply: str) -> None:
    closed = Schema({**CITY, "additionalProperties": False}, "City")
    said = structure.parse(reply, closed)
    assert isinstance(said, Problem)
    assert len(said.message) <= 500
    assert "\n" not in said.message


@pytest.mark.parametrize(
    ("format_name", "good", "bad"),
    [("date", "2025-02-28", "2025-02-30"), ("email", "a@b.nl", "ab"), ("ipv4", "10.0.0.1", "10.0.0.256")],
)
def test_formats(format_name: str, good: str, bad: str) -> None:
    wanted = Schema({"format": format_name}, "x")
    assert structure.parse(json.dumps(good), wanted) == Parsed(good)
    assert structure.parse(json.dumps(bad), wanted) == Problem(f"$: {bad!r} is not a {format_name!r}")


def test_a_schema_that_turns_out_to_have_no_end() -> None:
    said = structure.parse('{"a": 1}', schema({"properties": {"a": {"$ref": "#/properties/a"}}}))
    assert said == Problem("it is nested too deeply, or refers to itself without end")


# What is sent


def test_instructions_and_repair_quote_it() -> None:
    assert structure.instructions(SCHEMA).endswith(json.dumps(CITY))
    assert "$.name: 5 {x}" in structure.repair(Problem("$.name: 5 {x}"))


@pytest.mark.parametrize("strict", [True, False])
def test_response_format(strict: bool) -> None:
    assert structure.response_format(SCHEMA, strict=strict) == {
        "type": "json_schema",
        "json_schema": {"name": "City", "schema": CITY, "strict": strict},
    }


CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("document", "possible"),
    [
        (CLOSED, True),
        ({"type": "object", "additionalProperties": False}, True),
        (
            CLOSED | {"$defs": {"x": CLOSED}, "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/x"}}}},
            True,
        ),
        (CLOSED | {"properties": {"a": {"anyOf": [CLOSED, {"type": "null"}]}}}, True),
        (CITY, False),
        (CLOSED | {"required": []}, False),
        (CLOSED | {"additionalProperties": True}, False),
        (CLOSED | {"anyOf": [CLOSED]}, False),
        (CLOSED | {"properties": {"a": {"default": 1}}}, False),
        (CLOSED | {"properties": {"a": {"type": ["object", "null"]}}}, False),
        (CLOSED | {"properties": {"a": {"items": {"properties": {}}}}}, False),
        (CLOSED | {"properties": {"a": {"items": [CLOSED]}}}, False),
        (CLOSED | {"properties": {"a": True}}, False),
        (CLOSED | {"$defs": {"x": {"type": "object"}}}, False),
        (CLOSED | {"$defs": [1], "required": True}, False),
        ({"type": "array", "items": CLOSED}, False),
        ({}, False),
    ],
)
def test_whether_strict_mode_takes_it(document: dict[str, Any], possible: bool) -> None:
    assert structure.strict_possible(Schema(document, "x")) is possible


# Code between fences


@pytest.mark.parametrize(
    ("text", "lang", "code"),
    [
        ("a\n```py\nx = 1\n\n```\nb", None, "x = 1\n\n"),
        ("```\n```", None, ""),
        ("no code", None, None),
        ("`x` and ```y``` inline", None, None),
        ("    ```\nindented code\n```", None, ""),
        ("```py\n1\n```\n```rs\n2\n```", "rs", "2\n"),
        ("```Python title=a\n1\n```", "python", "1\n"),
        ("``` py \n1\n```", "PY", "1\n"),
        ("```python3\n1\n```", "python", None),
        ("```py\n1\n```", "", None),
        ("````md\n```py\n1\n```\n````\n```py\n2\n```", "py", "2\n"),
        ("````md\n```py\n1\n```\n````", None, "```py\n1\n```\n"),
        ("~~~ py `x`\n```\n~~~~", "py", "```\n"),
        ("```py\n1\n~~~\n``\n``` x\n`````  \n2", None, "1\n~~~\n``\n``` x\n"),
        ("```py\nopen", None, "open"),
        ("```py\nopen\n", None, "open\n"),
        ("```py\r\n1\r\n```\r\n2", "py", "1\r\n"),
        ("  ```py\n  a\n    b\n c\n   ```", "py", "a\n  b\nc\n"),
        ("```py\na\n    ```\nb\n```", "py", "a\n    ```\nb\n"),
        ("```py\n\x0b\u2028a\n```", "py", "\x0b\u2028a\n"),
        ("```` `x`\n```py\n1\n```", "py", "1\n"),
        ("", None, None),
    ],
)
def test_the_first_block(text: str, lang: str | None, code: str | None) -> None:
    assert fence.first(text, lang) == code


@pytest.mark.parametrize("text", ["`" * 200_000, "```\n" + "`" * 200_000, "\n" * 200_000, " " * 200_000 + "```"])
def test_long_texts_without_a_block_to_speak_of(text: str) -> None:
    assert fence.first(text, "py") is None
