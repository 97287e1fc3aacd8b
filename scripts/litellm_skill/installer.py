"""uv or pip, whichever is there, fills an environment with what a lock file names: by hash, wheels alone.

Both follow the user's own settings (index, proxy, certificates). Nothing goes to stdout, nothing asks.
"""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import tempfile

from litellm_skill import package_index
from litellm_skill.environment import CEILING, FLOOR, SetupFailed, python_in, read, say, supported

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Iterator

# What an environment takes on disk, byte code included, in MB: measured with du on Linux x86-64, Python 3.11.
SIZES = {"requirements.lock": 340, "requirements-dev.lock": 495}
OUTSIDE = (
    "run the command once in a terminal of your own, outside Codex's sandbox; or let it use the network: "
    "network_access = true below [sandbox_workspace_write] in its config.toml"
)
_ANSWER_SECONDS = 20  # for `uv --version`
_STOP_SECONDS = 5  # for an installer that was told to end
_ERROR_CHARACTERS = 400

# Not passed on: the lock says what is installed, the command line where to, and the interpreter is another.
_FOR_PYTHON = ("PYTHONHOME", "PYTHONPATH")
_FOR_PIP = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT")
_WHEELS_ALONE = ["--only-binary", ":all:"]  # no package's build code runs


class _Failed(Exception):
    """What the installer said at its end, in one line."""


def install(lock_file: str, folder: str, destination: str) -> str:
    """Make ``folder``, later moved to ``destination``, an environment with what ``lock_file`` names.

    Returns the folder of its packages, relative to ``folder``. Raises SetupFailed.
    """
    uv = find_uv(folder)
    if uv is None and not supported():
        raise _needs_uv()
    say(f"first run, installing {_amount(lock_file)} with {'uv' if uv else 'pip'} into {destination}")
    try:
        _fill(uv, lock_file, folder, destination)
        return _packages_in(folder)
    except _Failed as failed:
        raise SetupFailed(f"the installation failed: {failed}", _next_step()) from None


def _fill(uv: list[str] | None, lock_file: str, folder: str, destination: str) -> None:
    if uv is not None:
        try:
            _fill_with_uv(uv, lock_file, folder)
            return
        except _Failed as failed:
            if not supported():
                raise
            say(f"uv failed, trying pip: {failed}")
    _fill_with_pip(lock_file, folder)
    _point_scripts(folder, destination)


def _packages_in(folder: str) -> str:
    code = "import os, sys, sysconfig; print(os.path.relpath(sysconfig.get_path('purelib'), sys.prefix))"
    return _run([python_in(folder), "-I", "-c", code], folder).strip()


def _needs_uv() -> SetupFailed:
    versions = f"{FLOOR[0]}.{FLOOR[1]} to {CEILING[0]}.{CEILING[1] - 1}"
    return SetupFailed(
        f"needs Python {versions}, or uv; this is Python {sys.version.split()[0]}",
        f"install uv: {sys.executable} -m pip install --user uv; then run the command again",
    )


def in_codex_sandbox() -> bool:
    """There is neither a network to install from nor a folder to keep an environment in."""
    return bool(os.environ.get("CODEX_SANDBOX_NETWORK_DISABLED"))


def _next_step() -> str:
    if in_codex_sandbox():
        return OUTSIDE
    return "check the network; a mirror is named by UV_DEFAULT_INDEX or `pip config set global.index-url URL`"


def _amount(lock_file: str) -> str:
    """The lock names some packages for one system alone."""
    packages = set(re.findall(r"^([\w.-]+)==", read(lock_file), re.MULTILINE))
    return f"up to {len(packages)} packages (about {SIZES[os.path.basename(lock_file)]} MB on disk)"


def find_uv(folder: str) -> list[str] | None:
    return next((command for command in _uv_commands() if _answers(command, "uv", folder)), None)


def _uv_commands() -> Iterator[list[str]]:
    """Where uv's own installer, Cargo, Homebrew and pip put it: a host's PATH may lack what a shell has."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    folders += [os.path.expanduser(os.path.join("~", name, "bin")) for name in (".local", ".cargo")]
    folders += ["/opt/homebrew/bin", "/usr/local/bin", "/home/linuxbrew/.linuxbrew/bin"]
    folders += [os.path.join(site.getuserbase(), "Scripts" if os.name == "nt" else "bin")]
    for folder in dict.fromkeys(filter(os.path.isabs, folders)):
        path = os.path.join(folder, "uv.exe" if os.name == "nt" else "uv")
        if os.access(path, os.X_OK):
            yield [path]
    yield [sys.executable, "-m", "uv"]


def _answers(command: list[str], name: str, folder: str) -> bool:
    """Some are there and do not: a pyenv shim without a version, a Python without the module."""
    try:
        found = subprocess.run(
            [*command, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_variables({}),
            timeout=_ANSWER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and found.stdout.startswith(f"{name} ".encode())


def _fill_with_uv(uv: list[str], lock_file: str, folder: str) -> None:
    home = os.path.dirname(folder)
    with open(os.path.join(home, "uv.toml"), "w") as file:
        file.write("# Ends uv's search upwards for the settings of a project, which would not be ours.\n")
    added = _uv_variables(home)
    python = _base_python() if supported() else ">={}.{},<{}.{}".format(*FLOOR, *CEILING)
    _run([*uv, "venv", "--quiet", "--relocatable", "--python", python, folder], home, added)
    sync = [*uv, "pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode", *_WHEELS_ALONE]
    sync += ["--python", python_in(folder), lock_file]
    try:
        _run(sync, home, added)
    except _Failed:
        if any(os.environ.get(name) for name in _UV_TRUST):
            raise
        _run(sync, home, {**added, **_UV_TRUST})  # behind a company's proxy only the system knows the certificate


# uv trusts its own authorities unless told to take the system's; the first name is of older releases.
_UV_TRUST = {"UV_NATIVE_TLS": "true", "UV_SYSTEM_CERTS": "true"}


def _uv_variables(home: str) -> dict[str, str]:
    """What uv needs beside the user's own settings: an index, and folders that it can write to."""
    added = {"NO_COLOR": "1"}
    index = package_index.for_uv(os.environ)
    if index:
        added["UV_DEFAULT_INDEX"] = index
    for name, parent, usual in (
        ("UV_CACHE_DIR", "XDG_CACHE_HOME", "~/.cache"),
        ("UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME", "~/.local/share"),
    ):
        folder = os.environ.get(parent) or os.path.expanduser(usual)
        if not os.environ.get(name) and not can_write(os.path.join(folder, "uv")):
            added[name] = os.path.join(home, name.lower())
    return added


def can_write(folder: str) -> bool:
    """There, or in the nearest folder above that exists."""
    if not os.path.isabs(folder):  # no home at all
        return False
    while not os.path.lexists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):  # os.access knows nothing of sandboxes
            return True
    except OSError:
        return False


def _fill_with_pip(lock_file: str, folder: str) -> None:
    home, python = os.path.dirname(folder), python_in(folder)
    _run([_base_python(), "-m", "venv", "--clear", "--without-pip", folder], home)
    pip = [sys.executable, "-m", "pip", "--python", python]
    if not _answers(pip, "pip", home):
        pip = [python, "-m", "pip"]
        _run_ensurepip(python, home)
    install = [*pip, "install", "--quiet", "--no-input", "--no-deps", "--require-hashes", *_WHEELS_ALONE]
    _run([*install, "-r", lock_file], home)


def _run_ensurepip(python: str, home: str) -> None:
    try:
        _run([python, "-m", "ensurepip"], home)
    except _Failed:
        what = f"{sys.executable} has neither pip nor ensurepip"
        next_step = "install uv, or Debian's python3-venv; then run the command again"
        raise SetupFailed(what, next_step) from None


def _point_scripts(folder: str, destination: str) -> None:
    """pip writes the path of the environment's Python into its scripts; uv (--relocatable) does without."""
    for entry in os.scandir(os.path.dirname(python_in(folder))):
        if not entry.is_file(follow_symlinks=False):
            continue
        with open(entry.path, "rb") as file:
            script = file.read() if file.read(2) == b"#!" else b""
        if script:
            with open(entry.path, "wb") as file:
                file.write(b"#!" + script.replace(os.fsencode(folder), os.fsencode(destination)))


def _base_python() -> str:
    """The interpreter below a virtual environment, without the links that an upgrade turns elsewhere."""
    base: str = sys._base_executable  # type: ignore[attr-defined]  # which CPython has, undeclared
    return os.path.realpath(base)


def _variables(added: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _FOR_PYTHON + _FOR_PIP}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **added}


def _run(command: list[str], folder: str, added: dict[str, str] | None = None) -> str:
    """Its output. In ``folder``, which is ours: ``python -m`` would import from the working directory.

    Raises _Failed.
    """
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=_variables(added or {}),
    )
    try:
        output = child.communicate()[0].decode("utf-8", "replace")
    except BaseException:
        _stop(child)
        raise
    if child.returncode:
        raise _Failed(_last_words(output) or f"{command[0]} ended with status {child.returncode}")
    return output


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


def _last_words(output: str) -> str:
    """The last error with its causes, without the credentials of an index."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if re.match(r"(?i)error:|×", line)]
    text = " ".join(lines[errors[-1] if errors else -1 :])
    text = re.sub(r"(?i)^error: ", "", re.sub(r"(://)\S*@", r"\1", text))
    return text if len(text) <= _ERROR_CHARACTERS else f"{text[:100]} … {text[-250:]}"
