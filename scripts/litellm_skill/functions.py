"""What runs apart: a process that loads a user's files, describes their functions and calls them.

``toolbox`` starts this file as a program and talks to it over what are standard input and output at that moment. It
imports nothing else of this project: the folder of the project is not on its path. Both directions carry frames:
four bytes of length, then JSON.

    {"load": [file], "path": sys.path, "limit": n}   ->  {"tools": [[file, name, description, parameters]]}
                                                     or  {"fault": [message, hint]}
    {"call": name, "arguments": JSON text}           ->  {"text": …, "ok": …}
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import queue
import re
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import asyncio
    from types import ModuleType

    from pydantic import TypeAdapter

SIZE = 4  # bytes of a frame's length
PACKAGES = "a file with functions may import the standard library, httpx, pydantic and what lies beside it"


class Refused(Exception):
    """A file that cannot be used: message and hint."""


@dataclass(frozen=True)
class Function:
    """One function of a file; ``arguments`` checks what a model passes, ``parameters`` is the JSON Schema of it."""

    file: str
    function: Callable[..., Any]
    arguments: TypeAdapter[Any]
    parameters: dict[str, Any]

    @property
    def row(self) -> list[Any]:
        return [self.file, self.function.__name__, inspect.getdoc(self.function) or "", self.parameters]


class Functions:
    """All functions of all files, and the loop of the asynchronous ones. A reply has at most ``limit`` characters."""

    def __init__(self, files: list[str], limit: int) -> None:
        self._limit = limit
        self._runner: asyncio.Runner | None = None
        found = [function for number, file in enumerate(files) for function in _functions(file, number)]
        self.rows = [function.row for function in found]
        self._named = {function.function.__name__: function for function in found}

    def call(self, name: str, arguments: str) -> dict[str, Any]:
        """Whatever the function raises becomes text, also ``SystemExit``."""
        from pydantic import ValidationError

        called = self._named[name]
        try:
            args, kwargs = called.arguments.validate_json(arguments.strip() or "{}")
        except ValidationError as error:
            return self._reply(f"bad arguments: {_told(error)}", ok=False)
        except Exception as error:  # of the user's own validators
            return self._reply(f"bad arguments: {_named(error)}", ok=False)
        try:
            result = called.function(*args, **kwargs)
            return self._reply(as_text(self._awaited(result) if inspect.isawaitable(result) else result), ok=True)
        except BaseException as error:
            return self._reply(_named(error), ok=False)

    def _awaited(self, work: Any) -> Any:
        """All run in one loop: a connection that a function keeps in a global belongs to it."""
        import asyncio

        async def result() -> Any:
            return await work

        self._runner = self._runner or asyncio.Runner()
        return self._runner.run(result())

    def _reply(self, text: str, *, ok: bool) -> dict[str, Any]:
        return {"text": cut(text, self._limit).encode("utf-8", "replace").decode(), "ok": ok}


def as_text(result: Any) -> str:
    """A string as it is, everything else as JSON; what cannot be JSON as Python shows it."""
    from pydantic import TypeAdapter

    if isinstance(result, str):
        return str.__str__(result)
    try:
        return TypeAdapter(Any).dump_json(result, fallback=repr).decode()
    except Exception:
        return repr(result)


def cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    notice = f"\n[cut here: the whole has {len(text):,} characters, the limit is {limit:,}]"
    return text[: max(0, limit - len(notice))] + notice


def _arguments(function: Callable[..., Any]) -> TypeAdapter[Any]:
    """Checks arguments by ``function``'s signature, and returns them as they are to be passed."""
    from pydantic import TypeAdapter

    @functools.wraps(function)  # pydantic reads the signature and its names through the wrapper
    def passed(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    return TypeAdapter(passed)  # type: ignore[arg-type]  # pydantic takes functions, and does not declare it


def _schema(arguments: TypeAdapter[Any]) -> dict[str, Any]:
    from pydantic.json_schema import GenerateJsonSchema

    class Untitled(GenerateJsonSchema):
        """Without a title for every field: it says the field's name again."""

        def field_title_should_be_set(self, _: Any) -> bool:
            return False

    text = json.dumps(arguments.json_schema(schema_generator=Untitled))
    # JSON has no infinity, of a default; pydantic reads its name.
    schema: dict[str, Any] = json.loads(text, parse_constant=str)
    return schema


def _functions(file: str, number: int) -> list[Function]:
    """The public functions that are defined in ``file``, not those that it imports. Raises Refused."""
    module = _load(file, number)
    found = [
        _described(file, value)
        for name, value in vars(module).copy().items()
        if not name.startswith("_") and inspect.isroutine(inspect.unwrap(value) if callable(value) else value)
        if getattr(value, "__module__", None) == module.__name__ and getattr(value, "__name__", None) == name
    ]
    if not found:
        raise Refused(f"{file} defines no public function", "write at least one: def name(parameter: type): …")
    return found


def _described(file: str, function: Any) -> Function:
    where = f"{file}, line {inspect.unwrap(function).__code__.co_firstlineno}: {function.__name__}"
    try:
        for parameter in inspect.signature(function).parameters.values():
            _check(parameter, where)
        arguments = _arguments(function)
        return Function(file, function, arguments, _schema(arguments))
    except Refused:
        raise
    except Exception as error:  # whatever an annotation leads to
        what = f"{where}: no schema can be made of its parameters: {_named(error).splitlines()[0]}"
        raise Refused(what, "take types that JSON has, dataclasses, enums or pydantic models") from None


def _check(parameter: inspect.Parameter, where: str) -> None:
    """An annotation that is missing is not guessed: a number that arrives as text adds up wrongly."""
    hide = "or begin the function's name with _ when it is no tool"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise Refused(f"{where}: a model cannot pass {parameter}", f"give each parameter a name, {hide}")
    if parameter.annotation is parameter.empty:
        hint = f"write for example {parameter.name}: str, {hide}"
        raise Refused(f"{where}: the parameter {parameter.name} has no type annotation", hint)


def _load(file: str, number: int) -> ModuleType:
    """The file as a module whose name can be no other's. Raises Refused."""
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    stem = os.path.splitext(os.path.basename(file))[0]
    path = os.path.abspath(file)
    loader = SourceFileLoader(f"functions_{number}_{re.sub(r'[^0-9A-Za-z_]', '_', stem)}", path)
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[loader.name] = module
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        line = error.lineno if error.filename == path else _line(error, path)
        raise Refused(f"{_at(file, line)}: SyntaxError: {error.msg}", "correct the file") from None
    except BaseException as error:
        hint = (
            PACKAGES if isinstance(error, ImportError) else "correct the file: it runs from top to bottom when loaded"
        )
        raise Refused(f"{_at(file, _line(error, path))}: {_named(error)}", hint) from None
    return module


def _at(file: str, line: int | None) -> str:
    return f"{file}, line {line}" if line else file


def _line(error: BaseException, path: str) -> int | None:
    """The line of the file that was being run."""
    line, step = None, error.__traceback__
    while step:
        line = step.tb_lineno if step.tb_frame.f_code.co_filename == path else line
        step = step.tb_next
    return line


def _named(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _told(error: Any) -> str:
    """pydantic's complaints on one line, without its links."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in found)


def main() -> None:
    requests, results = _take_streams()
    inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, inbox), daemon=True).start()
    owner, first = os.getpid(), inbox.get()
    sys.path[:] = first["path"]
    import pydantic  # noqa: F401  before the user's folders can shadow a part of it

    sys.path[:] = list(dict.fromkeys([*map(_folder, first["load"]), *first["path"]]))
    try:
        functions = Functions(first["load"], first["limit"])
    except Refused as refused:
        _send(results, owner, {"fault": refused.args})
        return
    _send(results, owner, {"tools": functions.rows})
    while True:
        request = inbox.get()
        _send(results, owner, functions.call(request["call"], request["arguments"]))


def _take_streams() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes, out of reach of what is run: standard input is empty for it, its output goes to stderr."""
    requests, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    assert isinstance(sys.stdout, TextIOWrapper)
    assert isinstance(sys.stderr, TextIOWrapper)
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    return requests, results


def _listen(requests: BinaryIO, inbox: queue.SimpleQueue[dict[str, Any]]) -> None:
    """In a thread, so that the end of the other side ends a function that runs, too, and all that it has started."""
    with suppress(ValueError):  # the other side died in the middle of a frame
        while size := requests.read(SIZE):
            inbox.put(json.loads(requests.read(int.from_bytes(size, "big"))))
    if hasattr(os, "killpg"):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def _send(results: BinaryIO, owner: int, reply: dict[str, Any]) -> None:
    if os.getpid() != owner:  # the user's code forked, and this is the copy
        os._exit(0)
    with suppress(Exception):  # the user's code may have closed them
        sys.stdout.flush()
    body = json.dumps(reply).encode()
    try:
        results.write(len(body).to_bytes(SIZE, "big") + body)
        results.flush()
    except OSError:  # nobody can be told any more
        os._exit(1)


def _folder(file: str) -> str:
    return os.path.dirname(os.path.realpath(file))


if __name__ == "__main__":
    main()
