"""What a caller hands to a warm worker's child: all that makes a command this one.

The conversation on the socket: the worker says ``ACCEPTED`` as soon as it has taken the connection; its child, when it
has the errand and is fit for it, ``READY`` and its pid; the caller ``GO``, with its open files; the child ``DONE`` and
the exit code. Until the child has read ``GO`` nothing of the command has been done, so each side may leave; a child
that leaves without having read it makes the caller's read fail (``ECONNRESET``), one that died at work makes it end.
The files come last: while they lay unread before a worker that hangs, whoever waits for the end of the caller's pipes
would wait for that worker.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Mapping

ACCEPTED, READY, GO, DONE = b"a", b"r", b"g", b"d"
PID = 8  # bytes behind READY
SIZE = 8  # bytes that say how many follow
MOST = 8_000_000  # bytes; Linux takes no longer command line and environment together
FILES = 4  # stdin, stdout, stderr, and the working directory
FORWARDED = (2, 15, 1)  # SIGINT, SIGTERM, SIGHUP


class Errand:
    """``script``: its whole path. ``ignored``, ``blocked``: numbers of the signals that the caller was started with."""

    def __init__(
        self,
        script: str,
        argv: list[str],
        environ: Mapping[bytes, bytes],
        umask: int,
        ignored: list[int],
        blocked: list[int],
    ) -> None:
        self.script = script
        self.argv = argv
        self.environ = environ
        self.umask = umask
        self.ignored = ignored
        self.blocked = blocked


def pack(errand: Errand) -> bytes:
    """NUL can be in none of these."""
    numbers = [[errand.umask], errand.ignored, errand.blocked, [len(errand.argv)]]
    parts = [" ".join(map(str, row)).encode() for row in numbers]
    parts += map(os.fsencode, [errand.script, *errand.argv])
    parts += [name + b"=" + value for name, value in errand.environ.items()]
    body = b"\0".join(parts)
    return len(body).to_bytes(SIZE, "big") + body


def unpack(body: bytes) -> Errand:
    """Raises ValueError."""
    *heads, script = body.split(b"\0")[:5]
    parts = body.split(b"\0")[5:]
    (umask,), ignored, blocked, (count,) = ([int(word) for word in head.split()] for head in heads)
    environ = dict(_pair(part) for part in parts[count:])
    if not 0 < count <= len(parts) or not 0 <= umask <= 0o777:
        raise ValueError("not an errand")
    return Errand(os.fsdecode(script), [os.fsdecode(part) for part in parts[:count]], environ, umask, ignored, blocked)


def _pair(part: bytes) -> tuple[bytes, bytes]:
    name, equals, value = part.partition(b"=")
    if not equals or not name:
        raise ValueError("not a variable")
    return name, value
