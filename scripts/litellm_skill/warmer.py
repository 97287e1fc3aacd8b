"""The warm worker: one process that has imported LiteLLM. It holds none of a caller's variables but those in its name.
``reception`` is what it then does.
"""

from __future__ import annotations

import contextlib
import functools
import os

from litellm_skill import quarters, reception, situation, stand_in
from litellm_skill.quarters import Quarters

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # Import everything; the variables that were read on the way, and those that were set.
    Prime = Callable[[], tuple[list[str], Mapping[str, str]]]

# -P: neither a folder of the user's nor this one stands before the standard library. The rest is launch._enter's.
_PROGRAM = """
import sys

def everything():  # a broken package is told of
    from litellm_skill import prime

    return prime.everything()

sys.path.insert(0, sys.argv[1])
from litellm_skill import warmer
warmer.live(everything, *sys.argv[2:])
"""
_ENTERED = "litellm_skill"  # launch's
MOST = 4  # workers of one user; each has 240 MB, and commands in sandboxes of their own would never meet theirs again


def start(place: Quarters, python: str, name: str, variables: Mapping[str, str]) -> bool:
    """Start a worker, which is nobody's child, for the next command; False when one is being started, or lately could
    not serve. ``variables``: all that it gets of the environment."""
    held = place.lock(name)
    if held is None:
        return False
    try:
        if len(place.held()) > MOST or not place.may_start(held):
            return False
        child = os.fork()
        if child == 0:
            _leave(place, python, held, name, variables)
        os.waitpid(child, 0)
        return True
    finally:
        os.close(held)


def _leave(place: Quarters, python: str, held: int, name: str, variables: Mapping[str, str]) -> None:
    """Does not return, in either process: the child ends at once, its own child becomes the worker."""
    try:
        os.setsid()
        if os.fork() == 0:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(nowhere, number)
            _close_all_but(place.number, held)
            for number in (place.number, held):
                os.set_inheritable(number, True)
            os.chdir("/")
            os.umask(0o077)
            command = [python, "-E", "-s", "-P", "-X", f"{_ENTERED}={python}", "-c", _PROGRAM, situation.SCRIPTS]
            os.execve(python, [*command, python, name, str(place.number), str(held)], dict(variables))
    finally:
        os._exit(1)


def _close_all_but(*kept: int) -> None:
    """Whoever started the command may wait for the end of any pipe that it gave to it."""
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2 and number not in kept:
            with contextlib.suppress(OSError):  # the one that was open for the list
                os.close(number)


def live(prime: Prime, python: str, name: str, folder: str, held: str) -> None:
    """The worker's whole life; ``name``: under which it was started. Does not return."""
    place, lock = Quarters(int(folder)), int(held)
    for number in (place.number, lock):
        os.set_inheritable(number, False)
    quarters.tell(lock, f"{quarters.STARTING} {os.getpid()}")
    try:
        why = _work(prime, python, name, place, lock)
    except BaseException as error:
        why = f"{type(error).__name__}: {error}"
    if why:
        quarters.tell(lock, f"{quarters.CANNOT}: {' '.join(why.split())}"[:500])
    os._exit(1 if why else 0)


def _work(prime: Prime, python: str, started_as: str, place: Quarters, lock: int) -> str:
    """Why it cannot; "" when its time was over, or another one serves already."""
    environ = dict(os.environ)
    purpose = situation.purpose(python, environ)
    read, set_ = prime()
    if situation.purpose(python, environ) != purpose:
        return ""  # the skill was upgraded meanwhile
    if not stand_in.ends_with_its_caller():
        return "this system does not tell a process that its caller has ended"
    place.sweep()
    place.write_read(purpose, read)
    name = situation.name(purpose, read, environ)
    if name != started_as:  # the first of its purpose cannot know what LiteLLM will read
        own = place.lock(name)
        if own is None:
            return ""
        place.remove(f"{started_as}.lock")
        os.close(lock)
        lock = own
    still_right = functools.partial(_is_right, python, purpose, environ)
    return reception.Reception(place, name, lock, still_right, set_).serve()


def _is_right(python: str, purpose: str, environ: Mapping[str, str]) -> bool:
    """Whether packages and code are still those that it has imported."""
    try:
        return situation.purpose(python, environ) == purpose
    except OSError:
        return False
