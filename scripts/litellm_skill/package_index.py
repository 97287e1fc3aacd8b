"""The package index that pip's settings name: for uv, when its own settings name none."""

from __future__ import annotations

import configparser
import os
import re
import sys

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Mapping

_UV_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")
_UV_ENTRY = re.compile(r"^\s*(\[\[(pip\.)?index\]\]|index(-url)?\s*=)", re.MULTILINE)


def for_uv(environ: Mapping[str, str]) -> str | None:
    """pip's index address, unless the user has given uv one."""
    if any(environ.get(name) for name in _UV_VARIABLES) or any(map(_names_index, _uv_files(environ))):
        return None
    return environ.get("PIP_INDEX_URL") or _from_pip_files(environ)


def _names_index(uv_file: str) -> bool:
    try:
        with open(uv_file, encoding="utf-8") as file:
            return _UV_ENTRY.search(file.read()) is not None
    except (OSError, UnicodeDecodeError):  # uv itself will complain
        return False


def _uv_files(environ: Mapping[str, str]) -> list[str]:
    """The user's and the system's; a project's do not count, for no project is installed."""
    if environ.get("UV_CONFIG_FILE"):
        return [environ["UV_CONFIG_FILE"]]
    folders = [*_system_folders(environ), _user_folder(environ)]
    return [os.path.join(folder, "uv", "uv.toml") for folder in folders]


def _from_pip_files(environ: Mapping[str, str]) -> str | None:
    found = None
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):  # pip itself would complain
            continue
        for section in ("global", "install"):
            found = parser.get(section, "index-url", fallback=found)
    return found


def _pip_files(environ: Mapping[str, str]) -> list[str]:
    """As pip searches them (its documentation, "Configuration files"), the weakest first."""
    own = environ.get("PIP_CONFIG_FILE", "")
    if own == os.devnull:
        return []
    legacy, name = ("~/pip", "pip.ini") if os.name == "nt" else ("~/.pip", "pip.conf")
    folders = [os.path.join(folder, "pip") for folder in _system_folders(environ)]
    folders += ["/etc", os.path.expanduser(legacy), os.path.join(_user_folder(environ), "pip")]
    folders += [os.path.expanduser("~/Library/Application Support/pip"), sys.prefix]
    return [*(os.path.join(folder, name) for folder in folders), own]


def _system_folders(environ: Mapping[str, str]) -> list[str]:
    if os.name == "nt":
        return [environ.get("PROGRAMDATA", "")]
    xdg = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return ["/Library/Application Support", "/etc", *xdg.split(os.pathsep)]


def _user_folder(environ: Mapping[str, str]) -> str:
    if os.name == "nt":
        return environ.get("APPDATA", "")
    return environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
