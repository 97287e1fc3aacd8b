"""Answers with a structure: the JSON Schema that is asked for, and the JSON found in a reply.

A schema may hold a regular expression that never ends, and references without end: replies are checked against such a
one in a process of its own (``worker``), against any other here. Nothing is ever fetched.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litellm_skill import fence, screen, worker
from litellm_skill.attachments import check_text, label, read_text
from litellm_skill.faults import BadInput

SCHEMA_BYTES = 200_000
SECONDS = 10.0  # for one check; the usual one takes a fraction of a second, most of it to start
PROBLEM = 500  # characters
_ERRORS = 3  # named of those that a reply has
_SHORT = 140  # characters of each
DEPTH = 100  # of JSON; nobody means more, and Python's own limit is near
_DIGITS = 1_000

INSTRUCTIONS = """\
Answer with one JSON document and nothing else: no words before or after it, no code fence. \
It must be valid against this JSON Schema:

{schema}"""
REPAIR = """\
That answer cannot be used: {problem}
Send the whole JSON document again, corrected, and nothing else."""

# What may make a check long beyond the size of schema and reply. A property may be called like one: it is taken for it.
_UNBOUNDED = {"pattern", "patternProperties", "uniqueItems", "$dynamicRef", "$recursiveRef", "$id"}
_NODES = 20_000  # of a schema whose references are written out
_DEFINITION = re.compile(r"#/(\$defs|definitions)/([^/~%]+)")

# What OpenAI's strict mode takes, by its guide "Structured model outputs".
_STRICT = {
    *("$schema", "$defs", "definitions", "$ref", "title", "description", "type", "enum", "const", "anyOf"),
    *("properties", "required", "additionalProperties", "items", "minItems", "maxItems", "pattern", "format"),
    *("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}


@dataclass(frozen=True)
class Schema:
    """``name``: what the providers want it to be called by, of letters, digits, ``_`` and ``-``."""

    document: Mapping[str, Any]
    name: str

    @property
    def text(self) -> str:
        return json.dumps(self.document, ensure_ascii=False)


@dataclass(frozen=True)
class Parsed:
    value: Any


@dataclass(frozen=True)
class Problem:
    """``message``: one line for the model and for people, of at most ``PROBLEM`` characters."""

    message: str


def read_schema(text: str, directory: Path, allowed: tuple[str, ...] = ()) -> Schema:
    """Of ``--schema``: inline when it begins with a brace, else the path of a file. Raises BadInput, or SecretFound
    for a file that is not to be opened. ``allowed``: see ``screen.check_path``."""
    name = "--schema"
    if text.lstrip().startswith("{"):
        check_text(text, name)
    else:
        path, name = directory / text, label(directory / text, directory)
        screen.check_path(path, name, directory, allowed)
        text, _ = read_text(path, name, SCHEMA_BYTES)
    if len(text.encode()) > SCHEMA_BYTES:
        raise BadInput(f"{name} has {len(text.encode()):,} bytes; the limit is {SCHEMA_BYTES:,}", "make it smaller")
    try:
        document = _load(text)
    except ValueError as error:
        raise BadInput(f"{name} is not JSON: {error}", "give a JSON Schema, or a file that holds one") from error
    if not isinstance(document, dict):
        raise BadInput(f"{name} is not a JSON object", "give a JSON Schema, or a file that holds one")
    if problem := _apart({"schema": document}, SECONDS):
        raise BadInput(f"{name} is no usable JSON Schema: {problem}", "see json-schema.org, and mend it")
    title = re.sub("[^a-zA-Z0-9_-]+", "_", str(document.get("title", ""))).strip("_")
    return Schema(document, title[:64] or "answer")


def instructions(schema: Schema) -> str:
    """For the system prompt of a model that has no native ``response_format``."""
    return INSTRUCTIONS.format(schema=schema.text)


def repair(problem: Problem) -> str:
    """The user's next turn."""
    return REPAIR.format(problem=problem.message)


def response_format(schema: Schema, *, strict: bool) -> dict[str, Any]:
    """OpenAI's."""
    return {
        "type": "json_schema",
        "json_schema": {"name": schema.name, "schema": dict(schema.document), "strict": strict},
    }


def natively_possible(schema: Schema, provider: str) -> bool:
    """Providers want an object at the top, and so does JSON mode. References LiteLLM 1.106.2 passes on to OpenAI alone;
    for others it writes them out, and makes nonsense of a schema that refers to itself."""
    top = schema.document
    refers = '"$ref"' in schema.text
    return top.get("type") == "object" and "$ref" not in top and (not refers or provider in ("openai", "azure"))


def strict_possible(schema: Schema) -> bool:
    """Whether OpenAI's strict mode takes it as it is: an object at the top, every object closed and all of its
    properties required, and no keyword that mode lacks."""
    top = schema.document
    return top.get("type") == "object" and "anyOf" not in top and _is_strict(top)


def _is_strict(schema: Any) -> bool:
    if not isinstance(schema, dict) or not schema.keys() <= _STRICT:
        return False
    if "properties" in schema or "object" in (schema.get("type"), *_list(schema.get("type"))):
        closed = schema.get("additionalProperties") is False
        if not closed or set(_list(schema.get("required"))) != set(schema.get("properties", {})):
            return False
    inner = [value for name in ("properties", "$defs", "definitions", "anyOf") for value in _inside(schema.get(name))]
    inner += [schema["items"]] if "items" in schema else []
    return all(map(_is_strict, inner))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def parse(text: str, schema: Schema, seconds: float = SECONDS) -> Parsed | Problem:
    """The JSON in a reply, if it is valid: the whole of it, else its first ``json`` block, else what stands between the
    first brace or bracket and the last. Blocks, for at most ``seconds`` where the schema sets no bounds itself."""
    values: list[Any] = []
    why: ValueError | None = None
    for candidates in _candidates(text):
        for candidate in candidates:
            try:
                values.append(_load(candidate))
            except ValueError as error:
                why = error
        if values:
            break
    if not values:
        return Problem(_short(f"it is not JSON: {why}", PROBLEM))
    document = dict(schema.document)
    if _is_bounded(document):
        said = _of_values(document, values)
    else:
        said = _apart({"schema": document, "values": values}, seconds)
    return Parsed(values[said]) if isinstance(said, int) else Problem(said)


def _is_bounded(schema: Mapping[str, Any]) -> bool:
    """Whether a check takes no longer than schema and reply are large. One that refers to itself has no size."""
    waiting: list[Any] = [schema]
    for _ in range(_NODES):
        if not waiting:
            return True
        node = waiting.pop()
        if isinstance(node, dict) and node.keys() & _UNBOUNDED:
            return False
        waiting += _inside(node)
        if isinstance(node, dict) and "$ref" in node:
            named = _DEFINITION.fullmatch(str(node["$ref"]))
            target = schema.get(named[1], {}).get(named[2]) if named else None
            if target is None:
                return False
            waiting.append(target)
    return False


def _candidates(text: str) -> Iterator[list[str]]:
    yield [text]
    block = fence.first(text, "json")
    if block is not None:
        yield [block]
    spans = [(text.find(opening), text.rfind(closing)) for opening, closing in ("{}", "[]")]
    yield [text[start : end + 1] for start, end in sorted(spans) if 0 <= start < end]


def _load(text: str) -> Any:
    """Strict JSON. Raises ValueError, also for a key that stands twice and for numbers that JSON does not have."""
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_float, parse_int=_int
        )
    except RecursionError as error:
        raise ValueError(f"it is nested more than {DEPTH} deep") from error
    level = [value]
    for _ in range(DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        raise ValueError(f"it is nested more than {DEPTH} deep")
    if re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False)):
        raise ValueError("it holds half a character (a lone surrogate)")
    return value


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else _list(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {_short(twice, _SHORT)!r} stands twice in one object")
    return document


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _float(number: str) -> float:
    if math.isinf(float(number)):
        raise ValueError(f"{_short(number, _SHORT)} is too large a number")
    return float(number)


def _int(number: str) -> int:
    if len(number) > _DIGITS:
        raise ValueError(f"{_short(number, _SHORT)} is too long a number")
    return int(number)


def _short(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _apart(asked: dict[str, Any], seconds: float) -> int | str:
    """What ``verdict`` says of ``asked``, or that it said nothing in time."""
    outcome = worker.run("structure:verdict", json.dumps(asked).encode(), seconds=seconds, most=8 * PROBLEM)
    return f"it could not be checked: {outcome.ending}" if outcome.ending else json.loads(outcome.output)


def verdict(payload: bytes) -> Iterator[bytes]:
    """As JSON: of ``{schema, values}`` the place of the first value that is valid, else what is wrong with the first of
    all; of ``{schema}`` what is wrong with that, or "". Runs apart."""
    asked = json.loads(payload)
    try:
        said = _of_values(asked["schema"], asked["values"]) if "values" in asked else _of_schema(asked["schema"])
    except RecursionError:
        said = "it is nested too deeply, or refers to itself without end"
    yield json.dumps(said if isinstance(said, int) else _short(said, PROBLEM)).encode()


def _of_values(schema: dict[str, Any], values: list[Any]) -> int | str:
    said = []
    for place, value in enumerate(values):
        found = "; ".join(_errors(_dialect(schema), schema, value))
        if not found:
            return place
        said.append(_short(found, PROBLEM))
    return said[0]


def _of_schema(schema: dict[str, Any]) -> str:
    from jsonschema.exceptions import SchemaError

    dialect = _dialect(schema)
    if dialect is None:
        return f"its $schema is unknown: {schema['$schema']}"
    try:
        dialect.check_schema(schema)
    except SchemaError as error:
        return _described(error)
    if found := _unresolved(dialect, schema):
        return found
    next(_errors(dialect, schema, None), None)  # RecursionError when it refers to itself without end
    return ""


def _dialect(schema: dict[str, Any]) -> Any:
    """jsonschema's validator for its ``$schema``, None when that is unknown."""
    from jsonschema.validators import Draft202012Validator, validator_for

    named = schema.get("$schema", Draft202012Validator.META_SCHEMA["$id"])
    return validator_for({"$schema": named}, default=None) if isinstance(named, str) else None


def _errors(kind: Any, schema: Any, instance: Any) -> Iterator[str]:
    """Some of them, described."""
    from itertools import islice

    from jsonschema.exceptions import best_match
    from referencing import Registry

    validator = kind(schema, registry=Registry(), format_checker=kind.FORMAT_CHECKER)
    for error in islice(validator.iter_errors(instance), _ERRORS):
        yield _described(best_match([error]))


def _described(error: Any) -> str:
    return f"{_short(error.json_path, _SHORT)}: {_short(error.message, _SHORT)}"


def _unresolved(kind: Any, schema: dict[str, Any]) -> str | None:
    """Says of the first reference that leads nowhere, or out of the schema."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    specification = specification_with(kind.META_SCHEMA.get("$id") or kind.META_SCHEMA["id"])
    resource = specification.create_resource(schema)
    waiting, seen = [(resource, Registry().resolver_with_root(resource))], set()
    while waiting:
        resource, resolver = waiting.pop()
        contents = resource.contents
        if not isinstance(contents, dict) or id(contents) in seen:
            continue
        seen.add(id(contents))
        for reference in (contents.get("$ref"), contents.get("$dynamicRef")):
            if isinstance(reference, str):
                try:
                    found = resolver.lookup(reference)
                except Unresolvable:
                    return f"$ref {_short(reference, _SHORT)!r} leads nowhere in it, and nothing is fetched"
                waiting.append((specification.create_resource(found.contents), found.resolver))
        waiting += [(inner, resolver.in_subresource(inner)) for inner in resource.subresources()]
    return None
