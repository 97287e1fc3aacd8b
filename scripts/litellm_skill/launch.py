"""Start-up: run ``main`` in an interpreter that has the locked packages, wherever it was started.

In this order: this interpreter has them; an environment built earlier has them, and its Python takes over the
process; one is built first (``installation``); else exit 3 with two lines of what is wrong and what to do.

Where ``LITELLM_SKILL_WARM`` says so, a process that has LiteLLM at hand is asked first (``warm``).

The modules of start-up (AGENTS.md names them) and the entry scripts are read by whatever ``python3`` is: Python 3.8
syntax, standard library only.
"""

from __future__ import annotations

import gc
import os
import sys

from litellm_skill import environment, leaving, warm

TYPE_CHECKING = False  # importing typing or collections would cost every call a millisecond
if TYPE_CHECKING:
    from collections.abc import Callable

SKILL = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
LOCK = os.path.join(SKILL, "requirements.lock")
_ENTERED = "litellm_skill"  # an -X option: unlike a variable, the programs that main starts do not inherit it


def run(main: Callable[[], int | None]) -> None:
    """Run ``main`` with the locked packages at hand; leave the process with its code. Does not return.

    Without the garbage collector: what is imported stays. The gateway turns it on again once LiteLLM is there.
    """
    gc.disable()
    try:
        if not (entered() or _needs_nothing()) and warm.wanted():
            _ask_worker()
        if not _can_run_here():
            _enter(python_for(LOCK))
    except environment.SetupFailed as failed:
        explain(failed)
        sys.exit(failed.exit_code)
    except KeyboardInterrupt:
        sys.exit(leaving.interrupted())
    leaving.leave(main)


def explain(failed: environment.SetupFailed) -> None:
    sys.stderr.write(f"error: {failed}\nnext: {failed.next_step}\n")


def python_for(lock_file: str) -> str:
    """A Python with the packages that ``lock_file`` names, installed if need be. Raises SetupFailed."""
    found = environment.find(lock_file)
    if found is None:
        from litellm_skill import installation

        found = installation.build(lock_file)
    return found


def entered() -> bool:
    """Whether this interpreter is an environment's, which took over from another one."""
    return _ENTERED in sys._xoptions


def _ask_worker() -> None:
    """Does not return when a warm worker does the command; it runs an environment's Python, whichever this one is."""
    python = environment.find(LOCK)
    if python is not None:
        warm.ask(python)


def _can_run_here() -> bool:
    """Raises SetupFailed in an environment that lacks its own packages: to enter it again would never end."""
    if _needs_nothing():
        return True
    if environment.supported() and environment.holds(environment.read(LOCK), sys.path):
        return True
    if entered():
        what = f"{sys._xoptions[_ENTERED]} does not see the packages of its environment"
        raise environment.SetupFailed(what, "remove that environment's folder, then run the command again")
    return False


def _needs_nothing() -> bool:
    """Help needs no package, so nothing is installed for it."""
    return sys.version_info[:2] >= environment.FLOOR and sys.argv[1:] in (["-h"], ["--help"])


def _enter(python: str) -> None:
    """Let ``python`` run the same command line in place of this interpreter.

    -E and -s keep the user's PYTHONPATH and site-packages from shadowing the locked versions; the variables
    themselves stay for the programs that main starts.
    """
    command = [python, "-E", "-s", "-X", f"{_ENTERED}={python}", *sys.argv]
    if os.name != "nt":
        os.execv(python, command)
    import signal
    import subprocess

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the child decides
    sys.exit(subprocess.call(command))
