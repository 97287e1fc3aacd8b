"""Where the environments with the locked packages lie, and whether one is whole.

One folder per lock file and Python minor: ``<cache>/litellm-skill/env-<hash>-<minor>``. This runs before
every call, so it imports next to nothing.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Iterable

FLOOR = (3, 11)  # pyproject's requires-python
CEILING = (3, 15)  # where LiteLLM's own range ends; excluded
# What pyproject asks for: distribution -> module. mcp stands for LiteLLM's extra of that name.
DIRECT = {"litellm": "litellm", "mcp": "mcp", "python-dotenv": "dotenv", "httpx": "httpx", "certifi": "certifi"}
DIRECT.update({"pydantic": "pydantic", "jsonschema": "jsonschema", "referencing": "referencing"})
DIRECT.update({"pyyaml": "yaml", "pypdf": "pypdf", "jinja2": "jinja2", "markdown-it-py": "markdown_it", "nh3": "nh3"})
DIRECT.update({"redis": "redis", "tqdm": "tqdm"})
MARK = "packages.txt"  # written last: names the folder of the packages, relative to the environment


class SetupFailed(Exception):
    """What is wrong, in one line; ``next_step``: what to do about it."""

    def __init__(self, what: str, next_step: str, exit_code: int = 3) -> None:
        super().__init__(what)
        self.next_step = next_step
        self.exit_code = exit_code


def say(text: str) -> None:
    """What takes time. Flushed: before Python 3.9 stderr keeps what it is given, and an exec loses it."""
    sys.stderr.write(f"litellm: {text}\n")
    sys.stderr.flush()


def supported() -> bool:
    """Whether the locked packages run on this interpreter."""
    return FLOOR <= sys.version_info[:2] < CEILING and sys.implementation.name == "cpython"


def read(lock_file: str) -> str:
    """Raises SetupFailed."""
    try:
        with open(lock_file, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        what = f"cannot read {lock_file}: {error.strerror}"
        raise SetupFailed(what, "install the whole skill folder, not single files of it") from None


def find(lock_file: str) -> str | None:
    """The Python of a whole environment for ``lock_file``. Raises SetupFailed."""
    lock = read(lock_file)
    for folder in folders():
        path = os.path.join(folder, name_for(lock))
        if is_private(folder) and is_whole(path, lock):
            return python_in(path)
    return None


def holds(lock: str, folders: Iterable[str]) -> bool:
    """Whether an import that searches ``folders`` finds LiteLLM at exactly the locked version, and all else.

    Looks for the files themselves: importlib.metadata costs 16 ms to import, and the version that it reports may be
    shadowed by another copy earlier on the path.
    """
    version = lock.partition("\nlitellm==")[2].partition(" ")[0]
    places = {module: _place(module, folders) for module in DIRECT.values()}
    record = os.path.join(places["litellm"] or "", f"litellm-{version}.dist-info", "METADATA")
    return all(places.values()) and os.path.isfile(record)


def _place(module: str, folders: Iterable[str]) -> str | None:
    """The first folder that has it."""
    for folder in folders:
        source = os.path.join(folder, module)
        if os.path.isfile(os.path.join(source, "__init__.py")) or os.path.isfile(f"{source}.py"):
            return folder
    return None


def name_for(lock: str) -> str:
    """The machine counts too: several may share a home directory; a Mac runs Pythons for two processors."""
    import hashlib

    machine = os.environ.get("PROCESSOR_ARCHITECTURE", "") if os.name == "nt" else os.uname().machine
    digest = hashlib.sha256(f"{sys.platform} {machine}\n{lock}".encode()).hexdigest()[:16]
    return f"env-{digest}-" + ("{}.{}".format(*sys.version_info) if supported() else "uv")


def folders() -> list[str]:
    """Where environments may lie: the user's cache, else a folder of his own among the temporary files."""
    cache = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):  # the XDG specification ignores a relative path: it would be the project's
        cache = os.path.expanduser(os.path.join("~", ".cache"))
    temporary = os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp"
    user = "" if os.name == "nt" else f"-{os.getuid()}"
    paths = os.path.join(cache, "litellm-skill"), os.path.join(temporary, f"litellm-skill{user}")
    return [path for path in paths if os.path.isabs(path)]


def is_private(folder: str) -> bool:
    """Whether only this user can have put a Python there: it is going to be executed."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    if os.name == "nt":  # both folders lie in the user's profile
        return True
    is_folder = found.st_mode & 0o170000 == 0o040000  # and not a link
    return is_folder and found.st_mode & 0o022 == 0 and found.st_uid == os.getuid()


def python_in(path: str) -> str:
    return os.path.join(path, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def is_whole(path: str, lock: str) -> bool:
    """Finished, its Python still there (a system upgrade may take it away), and its packages too."""
    try:
        with open(os.path.join(path, MARK), encoding="utf-8") as file:
            packages = os.path.join(path, file.read())
    except OSError:
        return False
    return os.access(python_in(path), os.X_OK) and holds(lock, [packages])
