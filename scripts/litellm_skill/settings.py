"""Settings: the process environment and .env files, where each value came from, and what a file may not set.

Order (the first that has a value wins): process environment; ``--env-file`` (if given, the only file read);
``~/.config/litellm-skill/.env``; the working directory's ``.env``. The user's own file may set anything; the other
files may set only ``LLM_*``, ``EMBEDDING_*`` and what belongs to a provider (keys, addresses, region and the like):
never proxies, certificates, ``REDIS_URL`` or ``LITELLM_SKILL_*``. Values are taken literally: ``${NAME}`` in a file
would let it carry one provider's key to another's address.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from litellm_skill import providers
from litellm_skill.faults import BadInput

MAX_BYTES = 1_000_000
EVERYTHING = "everything in it"
GENERIC = re.compile(r"[A-Z][A-Z0-9_]*_(API_KEY|API_BASE|BASE_URL)")


class Origin(Enum):
    ENVIRONMENT = "environment"
    ENV_FILE = "--env-file"
    USER = "user file"
    DIRECTORY = "working directory"

    @property
    def trusted(self) -> bool:
        """Whether every key may go to an address that comes from here."""
        return self in (Origin.ENVIRONMENT, Origin.USER)


ORDER = tuple(Origin)


@dataclass(frozen=True)
class Setting:
    name: str
    value: str = field(repr=False)
    origin: Origin
    path: Path | None = None

    @property
    def source(self) -> str:
        """Where it came from, for people: ``environment`` or the file's path."""
        return str(self.path) if self.path else self.origin.value


@dataclass(frozen=True)
class Ignored:
    """A line of a .env file that was not used, and why."""

    name: str
    path: Path
    reason: str


@dataclass(frozen=True)
class Settings:
    values: Mapping[str, Setting]
    ignored: tuple[Ignored, ...] = ()

    @property
    def unread(self) -> tuple[Ignored, ...]:
        """Files of which nothing could be used."""
        return tuple(item for item in self.ignored if item.name == EVERYTHING)

    def get(self, name: str) -> str | None:
        """The value without surrounding white space; None when unset or blank."""
        setting = self.find(name)
        return setting.value if setting else None

    def find(self, *names: str) -> Setting | None:
        """The value of these names from the first source that has one; within a source the first name wins."""
        found = [self.values[name] for name in names if name in self.values]
        return min(found, key=lambda setting: ORDER.index(setting.origin), default=None)


def user_directory(environ: Mapping[str, str]) -> Path:
    """``$XDG_CONFIG_HOME/litellm-skill``, else ``~/.config/litellm-skill``."""
    config = environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path(os.path.expanduser("~"), ".config")) / "litellm-skill"


def state_directory(environ: Mapping[str, str]) -> Path:
    """``$XDG_STATE_HOME/litellm-skill``, else ``~/.local/state/litellm-skill``."""
    state = environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path(os.path.expanduser("~"), ".local", "state")) / "litellm-skill"


def private_directory(directory: Path) -> Path:
    """Made 0700, as are parents that are not there. Raises OSError when it cannot be, or is there and others than its
    owner, us, can write it."""
    for parent in reversed([parent for parent in directory.parents if not parent.exists()]):
        parent.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    foreign = hasattr(os, "getuid") and status.st_uid != os.getuid()
    if directory.is_symlink() or foreign or (os.name == "posix" and status.st_mode & 0o022):
        raise PermissionError(f"{directory} is not a private directory")
    return directory


def load(environ: Mapping[str, str], directory: Path, env_file: Path | None = None) -> Settings:
    """Raises BadInput when ``env_file`` cannot be read, or when the user's own file is malformed."""
    values: dict[str, Setting] = {}
    ignored: list[Ignored] = []
    for name, value in environ.items():
        _keep(values, Setting(name, value, Origin.ENVIRONMENT))
    for origin, path in _files(environ, directory, env_file):
        try:
            found = _read(path)
        except FileNotFoundError as error:
            if path == env_file:
                raise BadInput(f"no such file: {path}", "name an existing file after --env-file") from error
            continue
        except BadInput as fault:
            if origin is not Origin.DIRECTORY:
                raise
            ignored.append(Ignored(EVERYTHING, path, fault.message))
            continue
        for name, value in found.items():
            if origin is Origin.USER or _allowed(name):
                _keep(values, Setting(name, value, origin, path))
            else:
                ignored.append(Ignored(name, path, f"only {user_directory(environ) / '.env'} may set it"))
    return Settings(values, tuple(ignored))


def export(settings: Settings) -> None:
    """Put the user's own file into the process environment, where LiteLLM and its libraries look.

    Only that file: a key or address from elsewhere reaches LiteLLM as an argument of the one call it is for.
    """
    for setting in settings.values.values():
        if setting.origin is Origin.USER:
            os.environ.setdefault(setting.name, setting.value)


def env_files_below(directory: Path) -> list[Path]:
    """``.env`` files one level down (``backend/.env``): not read, but worth naming. At most three."""
    try:
        below = sorted(entry / ".env" for entry in directory.iterdir() if entry.is_dir())
    except OSError:
        return []
    return [path for path in below if path.is_file()][:3]


def _keep(values: dict[str, Setting], setting: Setting) -> None:
    if setting.value.strip() and setting.name not in values:
        values[setting.name] = Setting(setting.name, setting.value.strip(), setting.origin, setting.path)


def _files(environ: Mapping[str, str], directory: Path, env_file: Path | None) -> Iterator[tuple[Origin, Path]]:
    user = user_directory(environ) / ".env"
    if env_file is not None:
        own = env_file.resolve().parent == user.parent.resolve()
        yield (Origin.USER if own else Origin.ENV_FILE), env_file
        return
    yield Origin.USER, user
    yield Origin.DIRECTORY, directory / ".env"


def _read(path: Path) -> Mapping[str, str]:
    """Raises FileNotFoundError when there is none, BadInput when it is not a readable UTF-8 file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(path) from error
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise BadInput(f"{path} is not a regular file of at most {MAX_BYTES:,} bytes")
        return _parse(os.read(descriptor, MAX_BYTES), path)
    finally:
        os.close(descriptor)


def _parse(content: bytes, path: Path) -> Mapping[str, str]:
    import io
    import logging

    from dotenv import dotenv_values

    logging.getLogger("dotenv.main").setLevel(logging.ERROR)  # it would tell of a line it cannot read on stderr
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    found = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def _allowed(name: str) -> bool:
    if name.startswith("LITELLM_SKILL_"):
        return False
    if name.startswith(("LLM_", "EMBEDDING_")) or name in _provider_variables():
        return True
    return bool(GENERIC.fullmatch(name))


def _provider_variables() -> frozenset[str]:
    return frozenset().union(*(provider.variables for provider in providers.table().values()))
