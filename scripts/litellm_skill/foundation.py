"""What a call stands on before any package is there: Python, uv, LiteLLM, the folders, the network.

A check is a list ``[subject, status, what, fix]``; status: ok, warning or error. This is doctor.py's first stage, so it
runs on Python 3.8 with the standard library alone. Nothing is installed, nothing is changed.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import sys

from litellm_skill import environment, launch, warmth

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK, WARNING, ERROR = "ok", "warning", "error"
BEGUN = "--begun="  # what the first stage found, for the Python that takes over
NOT_SET_UP = 3
STOLEN = ("1.82.7", "1.82.8")  # PYSEC-2026-2; PyPI has deleted both
LEFT_BEHIND = "litellm_init.pth"  # by 1.82.8: code that every start of that Python runs
RENEW = "# then renew every key and password that this machine had"  # as the shell takes a comment
# Where hosts look for skills, below the home directory and the working directory.
_PARENTS = (".claude/skills", ".agents/skills", ".codex/skills", ".gemini/skills", ".opencode/skills")
_HOME_PARENTS = (*_PARENTS, ".config/opencode/skills", ".config/opencode/skill")


def start(main: Callable[[], int | None]) -> None:
    """Run ``main`` where the packages are, if they are anywhere, with the first checks as an argument; else tell
    those. Does not return."""
    helped = sys.argv[1:] in (["-h"], ["--help"]) and sys.version_info[:2] >= environment.FLOOR
    if helped or any(argument.startswith(BEGUN) for argument in sys.argv):
        launch.run(main)
    checks = examine()
    if _place() is not None:
        sys.argv.append(BEGUN + json.dumps(checks))
        launch.run(main)
    sys.exit(_tell(checks, as_json="--json" in sys.argv))


def examine() -> list[list[str]]:
    place = _place()
    return [
        *_pythons(place),
        _packages(place),
        *_other_releases(),
        _cache(place),
        *_skill_folders(),
        _network(),
        warm_worker(),
    ]


def _tell(checks: list[list[str]], *, as_json: bool) -> int:
    """Of a machine that has no packages yet."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # None: closed by the caller
        sys.stdout.reconfigure(errors="backslashreplace")
    if as_json:
        rows = [{"subject": check[0], "status": check[1], "what": check[2], "fix": check[3]} for check in checks]
        print(json.dumps({"status": ERROR, "checks": rows}, indent=2))
        return NOT_SET_UP
    for subject, status, what, fix in checks:
        print(f"{status:<8} {subject}: {what}{f' -> {fix}' if fix else ''}")
    print("         keys, addresses and servers: when this is done, run doctor.py again")
    return NOT_SET_UP


def _place() -> str | None:
    """The Python that has the locked packages: this one, or an environment's."""
    try:
        if environment.supported() and environment.holds(environment.read(launch.LOCK), sys.path):
            return sys.executable
        return environment.find(launch.LOCK)
    except environment.SetupFailed:
        return None


def _pythons(place: str | None) -> list[list[str]]:
    """This Python, and uv, which can bring another."""
    this = f"{sys.version.split()[0]} ({sys.executable})"
    if place is not None:
        elsewhere = "" if place == sys.executable else "; the scripts run in an environment of their own"
        return [["Python", OK, this + elsewhere, ""]]
    from litellm_skill import installer

    uv = installer.find_uv(launch.SKILL)
    if uv is not None:
        return [["Python", OK, this, ""], ["uv", OK, " ".join(uv), ""]]
    if not environment.supported():
        first, last = environment.FLOOR[1], environment.CEILING[1] - 1
        what = f"{this} is none that LiteLLM runs on (3.{first} to 3.{last}), and there is no uv to bring another"
        return [["Python", ERROR, what, f"{shlex.quote(sys.executable)} -m pip install --user uv"]]
    return [["Python", OK, this, ""], _without_uv()]


def _without_uv() -> list[str]:
    from importlib.util import find_spec

    if find_spec("pip") or find_spec("ensurepip"):
        return ["uv", OK, "none, so pip installs", ""]
    what = f"none, and {sys.executable} has neither pip nor ensurepip"
    return ["uv", ERROR, what, "curl -LsSf https://astral.sh/uv/install.sh | sh"]


def _packages(place: str | None) -> list[str]:
    try:
        environment.read(launch.LOCK)
    except environment.SetupFailed as failed:
        return ["LiteLLM", ERROR, str(failed), failed.next_step]
    version = _locked_version()
    if place is None:
        call = shlex.quote(os.path.join(launch.SKILL, "scripts", "call_model.py"))
        return [
            "LiteLLM",
            ERROR,
            f"{version} is not installed yet; the first call does it",
            f"python3 {call} --demo hello",
        ]
    where = "this Python" if place == sys.executable else os.path.dirname(os.path.dirname(place))
    return ["LiteLLM", OK, f"{version}, as locked, in {where}", ""]


def warm_worker(action: str = "status") -> list[str]:
    """``action``: one of ``warmth.ACTIONS``."""
    try:
        return warmth.do(action, environment.find(launch.LOCK))
    except environment.SetupFailed:  # another check tells of it
        return warmth.do(action, None)


def _locked_version() -> str:
    """ "" without a lock."""
    return _lock_of(launch.SKILL).partition("\nlitellm==")[2].partition(" ")[0]


def _other_releases() -> Iterator[list[str]]:
    """What else the Python that was started has. Not used; but a stolen release has done its work by being there."""
    python = shlex.quote(sys.executable)
    for folder, name in _site_entries():
        found = re.match(r"litellm-([^-]+)\.(?:dist|egg)-info$", name)
        if found and found.group(1) in STOLEN:
            what = f"{found.group(1)} in {folder} is a stolen release: it sends away this machine's keys and files"
            yield ["LiteLLM", ERROR, what, f"{python} -m pip uninstall -y litellm  {RENEW}"]
        elif found and found.group(1) != _locked_version():
            yield ["LiteLLM", OK, f"{found.group(1)} in {folder} is not used", ""]
        elif name == LEFT_BEHIND:
            path = os.path.join(folder, name)
            what = f"{path} was left by the stolen 1.82.8: every start of that Python runs it"
            yield ["LiteLLM", ERROR, what, f"rm {shlex.quote(path)}  {RENEW}"]


def _site_entries() -> Iterator[tuple[str, str]]:
    """Folders that this Python imports from, and what lies in them that LiteLLM may have brought."""
    for folder in dict.fromkeys(sys.path):
        try:
            names = sorted(os.listdir(folder)) if folder else []
        except OSError:  # an archive, or a folder that is not there
            continue
        for name in names:
            if name.startswith("litellm"):
                yield folder, name


def _cache(place: str | None) -> list[str]:
    """Where the environment is, or would be, built."""
    from litellm_skill import installer

    unfit = []
    for folder in environment.folders():
        if os.path.lexists(folder) and not environment.is_private(folder):
            unfit.append((f"{folder} is not yours alone, so nothing in it is run", f"chmod go-w {shlex.quote(folder)}"))
        elif not installer.can_write(folder):
            fix = "set XDG_CACHE_HOME to a folder that only you can write to"
            unfit.append((f"{folder} cannot be written", fix))
        elif not unfit:
            return ["cache", OK, folder, ""]
        else:
            return ["cache", WARNING, f"{unfit[0][0]}; {folder} takes its place", unfit[0][1]]
    whats, fix = "; ".join(what for what, _ in unfit), unfit[0][1] if unfit else "set XDG_CACHE_HOME"
    return ["cache", WARNING if place else ERROR, whats or "there is no folder for it", fix]


def _skill_folders() -> list[list[str]]:
    """This one, and what hosts find under its name."""
    home = os.path.expanduser("~")
    parents = [os.path.join(home, *name.split("/")) for name in _HOME_PARENTS]
    parents += [os.path.join(_here(), *name.split("/")) for name in _PARENTS]
    paths = [os.path.join(parent, "litellm") for parent in dict.fromkeys(parents)]
    there = [path for path in paths if os.path.lexists(path)]
    ours = [path for path in there if os.path.realpath(path) == launch.SKILL]
    hosts = f"hosts find it as {', '.join(ours)}" if ours else "in no host's skills folder"
    others = [_stranger(path) for path in there if path not in ours]
    return [["skill", OK, f"{launch.SKILL} ({hosts})", ""], *filter(None, others)]


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return os.curdir


def _stranger(path: str) -> list[str] | None:
    """What lies in the place of this skill: a link to nothing, another copy of it, or somebody else's."""
    if not os.path.exists(path):
        return ["skill", WARNING, f"{path} is a link to nothing", f"ln -sfn {_quoted(launch.SKILL)} {_quoted(path)}"]
    if os.path.isfile(os.path.join(path, "scripts", "litellm_skill", "launch.py")):
        if _lock_of(path) == _lock_of(launch.SKILL):
            return None
        return ["skill", WARNING, f"{path} is another version of this skill", f"git -C {_quoted(path)} pull"]
    remote = _remote(path)
    name = re.sub(r"\.git$", "", remote.rstrip("/").rpartition("/")[2]) or "litellm-other"
    aside = _quoted(os.path.join(os.path.dirname(path), name))
    what = f"{path} holds {f'a clone of {remote}' if remote else 'another skill'}, so hosts load that, not this one"
    return ["skill", ERROR, what, f"mv {_quoted(path)} {aside} && ln -s {_quoted(launch.SKILL)} {_quoted(path)}"]


def _quoted(path: str) -> str:
    return shlex.quote(path)


def _lock_of(folder: str) -> str:
    try:
        return environment.read(os.path.join(folder, os.path.basename(launch.LOCK)))
    except environment.SetupFailed:
        return ""


def _remote(path: str) -> str:
    """The address that a clone came from, without credentials; "" when it is no clone."""
    try:
        with open(os.path.join(path, ".git", "config"), encoding="utf-8", errors="replace") as file:
            found = re.search(r"(?m)^\s*url\s*=\s*(\S+)", file.read())
    except OSError:
        return ""
    return re.sub(r"://[^/@]*@", "://", found.group(1)) if found else ""


def _network() -> list[str]:
    """Whether a socket can be had at all; Codex's sandboxes forbid it, loopback included."""
    import socket

    config = os.path.join(os.environ.get("CODEX_HOME") or os.path.join("~", ".codex"), "config.toml")
    allow = (
        f'in {config}: sandbox_mode = "workspace-write" at the top, and network_access = true below '
        "[sandbox_workspace_write]; then start Codex again"
    )
    if os.environ.get("CODEX_SANDBOX_NETWORK_DISABLED"):
        return ["network", ERROR, "Codex's sandbox forbids it", allow]
    try:
        socket.socket().close()
    except PermissionError as error:
        what = f"no socket can be opened ({error.strerror}): a sandbox forbids it"
        return ["network", ERROR, what, f"let the host agent's commands use the network; for Codex {allow}"]
    except OSError as error:
        return ["network", ERROR, f"no socket can be opened: {error.strerror}", "ulimit -n 1024"]
    return ["network", OK, "sockets can be opened", ""]
