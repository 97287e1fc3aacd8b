"""Tools as a model sees them, its calls and their results; and bare schemas from a JSON file.

Names are limited to what every vendor takes: OpenAI and Anthropic ``[a-zA-Z0-9_-]{1,64}``, Gemini no digit or dash at
the beginning; of parameters Anthropic takes ``[a-zA-Z0-9_.-]{1,64}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litellm_skill import attachments
from litellm_skill.faults import BadInput

MAX_BYTES = 1_000_000
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")
PARAMETER = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
SHAPE = "a JSON list of tools, each with name, description and parameters (a JSON Schema)"


@dataclass(frozen=True)
class Tool:
    """``parameters``: a JSON Schema of type object. ``strict``: OpenAI's switch of that name; None where unset."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool | None = None

    def as_message(self) -> dict[str, Any]:
        """OpenAI's shape, which LiteLLM turns into every other vendor's."""
        function: dict[str, Any] = {"name": self.name, "parameters": dict(self.parameters)}
        function |= {"description": self.description} if self.description else {}
        function |= {"strict": self.strict} if self.strict is not None else {}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class ToolCall:
    """``arguments``: the model's JSON text, which may be anything."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class ToolResult:
    """``text``: what the model is told; with ``ok`` False, what went wrong. ``seconds``: wall clock of the function."""

    id: str
    name: str
    text: str
    ok: bool
    seconds: float


def bare(file_or_json: str) -> list[Tool]:
    """Schemas whose calls are not executed: a list of OpenAI's tool objects, or of ``{name, description, parameters}``
    (Anthropic says ``input_schema``), as JSON text or in a file of it. Raises BadInput."""
    source, text = "--tools", file_or_json
    if text.lstrip()[:1] not in ("[", "{"):
        source = attachments.label(Path(text), Path.cwd())
        text, _ = attachments.read_text(Path(text), source, MAX_BYTES)
    try:
        rows = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{source} is not JSON: {error}", f"write {SHAPE}") from None
    if not isinstance(rows, list) or not rows:
        raise BadInput(f"{source} is not a list of tools", f"write {SHAPE}")
    tools = [_bare(row, f"{source}: tool {number}") for number, row in enumerate(rows, 1)]
    unique((tool.name, source) for tool in tools)
    return tools


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def unique(names: Iterable[tuple[str, str]]) -> None:
    """Raises BadInput when two (name, where it stands) have the same name."""
    seen: dict[str, str] = {}
    for name, source in names:
        if name in seen:
            where = source if seen[name] == source else f"{seen[name]} and {source}"
            raise BadInput(f"two tools are called {name} ({where})", "rename one of them")
        seen[name] = source


def checked(tool: Tool, source: str) -> Tool:
    """``tool``, when every vendor takes its names. Raises BadInput."""
    properties = tool.parameters.get("properties", {})
    if not NAME.fullmatch(tool.name):
        hint = "take at most 64 of a-z A-Z 0-9 _ -, no digit or dash first"
        raise BadInput(f"{source}: {tool.name!r} is no name that every vendor takes for a tool", hint)
    if tool.parameters.get("type") != "object" or not isinstance(properties, dict):
        hint = 'write {"type": "object", "properties": {…}}'
        raise BadInput(f"{source}: the parameters of {tool.name} are not those of an object", hint)
    if bad := next((name for name in properties if not PARAMETER.fullmatch(name)), None):
        what = f"{source}: {tool.name}: {bad!r} is no name that every vendor takes for a parameter"
        raise BadInput(what, "take at most 64 of a-z A-Z 0-9 _ . -")
    return tool


def _bare(row: Any, source: str) -> Tool:
    """One tool of a file. What is not understood is refused: left out, it would be missed."""
    row = dict(row) if isinstance(row, dict) else {}
    kind = row.pop("type", "function")
    inner = row.pop("function", None)
    fields = dict(inner) if isinstance(inner, dict) else row
    name, description, strict = fields.pop("name", None), fields.pop("description", None), fields.pop("strict", None)
    given = [fields.pop(key) for key in ("parameters", "input_schema") if key in fields]
    left = [*fields, *(row if fields is not row else ())]
    schema = given[0] if given else NO_PARAMETERS
    right = isinstance(name, str) and isinstance(description, str | None) and isinstance(strict, bool | None)
    if not right or not isinstance(schema, dict) or len(given) > 1:
        raise BadInput(f"{source} is not a tool with name, description and parameters", f"write {SHAPE}")
    if left or kind not in ("function", "custom"):
        what = f"{source}: {left[0] if left else f'type {kind}'} is not known"
        raise BadInput(what, "take functions with name, description, parameters and strict only")
    _check_schema(schema, f"{source}: the parameters of {name}")
    return checked(Tool(name, description or "", schema, strict), source)


def _check_schema(schema: Mapping[str, Any], what: str) -> None:
    """Raises BadInput when it is no JSON Schema."""
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "the whole"
        raise BadInput(f"{what} are no JSON Schema: {where}: {error.message[:200]}", "correct the schema") from None
    except RecursionError:
        raise BadInput(f"{what} are nested too deep", "simplify the schema") from None
