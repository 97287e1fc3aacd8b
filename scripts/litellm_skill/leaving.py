"""The end of a script: its exit code, and no tear-down of the interpreter, which costs LiteLLM a second."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Callable

end: Callable[[int], object] = os._exit  # a child of the warm worker first says the code to its caller


def interrupted() -> int:
    """Says so; the exit code."""
    sys.stderr.write("error: interrupted\nnext: ask again\n")
    return 130


def leave(main: Callable[[], int | None]) -> None:
    """Run ``main`` and leave the process with its code. Does not return."""
    code: str | int | None
    try:
        code = main()
    except SystemExit as leaving:
        code = leaving.code
    except KeyboardInterrupt:  # before the command could listen for it
        code = interrupted()
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    code = code if isinstance(code, int) else int(code is not None)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # a full disk, or a reader that has gone: what was written is not all there
            code = code or 1
    end(code)
