"""What a warm worker and a command that it takes over must have in common: the name of its socket is made of it.

A forked child cannot take over its caller's credentials, limits, namespaces and confinement, nor import LiteLLM anew
under other variables. Whoever differs in one of these finds no socket by that name, and runs cold.
"""

from __future__ import annotations

import os

from litellm_skill import environment

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PACKAGE = os.path.dirname(os.path.realpath(__file__))
SCRIPTS = os.path.dirname(PACKAGE)
# Read by C libraries, or before anything could note that it was read. What Python reads is noted (``prime``).
_NAMES = (
    *("HOME", "LANG", "LANGUAGE", "GLIBC_TUNABLES", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
)
_PREFIXES = ("LC_", "LD_", "MALLOC_", "OPENSSL_", "SSL_")
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL")
# Of /proc/PID/status; NoNewPrivs is on in the sandboxes (Landlock, seccomp) that a process enters unprivileged.
_STATUS = (
    *("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"),
    *("Seccomp_filters", "Cpus_allowed", "Mems_allowed"),
)
_SCHEDULED = (16, 38)  # places in /proc/PID/stat, counted behind the name: nice value and policy


class Secret(Exception):
    """A worker would have to be told what no worker may hold."""


def confinement(pid: str = "self") -> bytes:
    """Who ``pid`` is for the kernel, and what holds it. Raises OSError where that cannot be seen."""
    proc = f"/proc/{pid}"
    status = [line for line in _read(f"{proc}/status").split(b"\n") if line.partition(b":")[0].decode() in _STATUS]
    stat = _read(f"{proc}/stat").rpartition(b")")[2].split()
    scheduled = [*(stat[place] for place in _SCHEDULED), _read(f"{proc}/oom_score_adj")]
    links = [f"{proc}/root", *(f"{proc}/ns/{kind}" for kind in sorted(os.listdir(f"{proc}/ns")))]
    boot = _read("/proc/sys/kernel/random/boot_id")  # a home may be shared by machines
    return b"\0".join(
        [boot, *status, *scheduled, _read(f"{proc}/limits"), _label(proc), *map(os.readlink, map(os.fsencode, links))]
    )


def _label(proc: str) -> bytes:
    """Of AppArmor or SELinux; kernels without either refuse to tell."""
    try:
        return _read(f"{proc}/attr/current")
    except OSError:
        return b""


def purpose(python: str, environ: Mapping[str, str]) -> str:
    """What a worker is for, before it is known which variables LiteLLM reads as it is imported.
    Raises OSError or Secret."""
    packages = f"{python} {_stamp(os.path.join(os.path.dirname(os.path.dirname(python)), environment.MARK))}"
    return _digest([SCRIPTS, packages, *sorted(_sources(SCRIPTS)), *_alike((), environ)], confinement())


def name(purpose: str, read: Iterable[str], environ: Mapping[str, str]) -> str:
    """Of the socket. ``read``: the variables that LiteLLM read. Raises Secret."""
    return _digest([purpose, *_alike(read, environ)], b"")


def variables(read: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Those that must be alike. Raises Secret."""
    wanted = set(read).union(_NAMES)
    found = {name: environ[name] for name in environ if name in wanted or name.startswith(_PREFIXES)}
    for name, value in found.items():
        if any(word in name for word in _SECRET) or ("://" in value and "@" in value):
            raise Secret(name)
    return found


def _alike(read: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """With the stamp of the file that a value names: LiteLLM reads authorities as it is imported."""
    found = sorted(variables(read, environ).items())
    return [f"{name}={value} {_stamp(value) if os.path.isfile(value) else ''}" for name, value in found]


def _sources(folder: str) -> Iterator[str]:
    """Every file of the skill's code: upgraded code has another name, so no old worker serves it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__pycache__")):
                continue
            if entry.is_dir():
                yield from _sources(entry.path)
            else:
                yield f"{entry.path} {_stamp(entry.path)}"


def _stamp(path: str) -> str:
    found = os.stat(path)
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _digest(parts: Iterable[str], more: bytes) -> str:
    import hashlib

    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape") + more).hexdigest()[:32]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
