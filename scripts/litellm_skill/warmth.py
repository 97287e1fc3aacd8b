"""The warm worker as doctor.py sees it: whether it is on, whether one serves, and why not; start and stop.

Each answer is a check of ``foundation``: ``[subject, status, what, fix]``.
"""

from __future__ import annotations

import os
import time

from litellm_skill import environment, quarters, situation, warm, warmer

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_skill.quarters import Quarters

OK, WARNING, ERROR = "ok", "warning", "error"
ACTIONS = ("start", "stop", "status")
SUBJECT = "warm worker"
STARTS, ENDS = 90.0, 10.0  # seconds to wait at most
GLANCE = 0.1  # seconds


def look(python: str | None) -> list[str]:
    """``python``: the environment's; None where there is none."""
    if not warm.wanted():
        return [SUBJECT, OK, f"off ({warm.SWITCH})", ""]
    if warm.possible():
        return [SUBJECT, WARNING, f"not here: {warm.possible()}; every command starts cold", f"unset {warm.SWITCH}"]
    if python is None:
        return [SUBJECT, OK, "not used: the packages are not in an environment of the skill's own", ""]
    return _inside(_status, python)


def do(action: str, python: str | None) -> list[str]:
    if action == "status" or warm.possible() or python is None:
        return look(python)
    return _inside(_start if action == "start" else _stop, python)


def _inside(work: Callable[[Quarters, str], list[str]], python: str) -> list[str]:
    place = quarters.enter()
    if place is None:
        where = "no folder that only you can enter"
        return [SUBJECT, WARNING, f"{where}; every command starts cold", "set XDG_RUNTIME_DIR to one"]
    try:
        return work(place, python)
    except situation.Secret as secret:
        return [SUBJECT, WARNING, f"not used: {secret} is set, and no worker may hold a secret", f"unset {secret}"]
    except (OSError, environment.SetupFailed) as error:
        return [SUBJECT, WARNING, f"not used: {error}", f"unset {warm.SWITCH}"]
    finally:
        place.close()


def _status(place: Quarters, python: str) -> list[str]:
    read, name = warm.names(place, python)
    if found := sorted(situation.variables(read, warm.own_settings())):
        what = f"not used: your .env sets {', '.join(found)}, which LiteLLM reads as it is imported"
        return [SUBJECT, WARNING, what, "set it in the environment instead"]
    told = place.told(name)
    if told.startswith(quarters.SERVING) and place.is_held(name):
        return [SUBJECT, OK, f"serves (process {told.split()[1]})", ""]
    if told.startswith(quarters.CANNOT):
        return [SUBJECT, WARNING, f"{told}; every command starts cold", f"unset {warm.SWITCH}"]
    return [SUBJECT, OK, "on: the next command starts it", ""]


def _start(place: Quarters, python: str) -> list[str]:
    deadline = time.monotonic() + STARTS
    name = warm.names(place, python)[1]
    if place.told(name).startswith(quarters.CANNOT):
        place.remove(f"{name}.lock")  # it may be mended by now
    while time.monotonic() < deadline:
        read, name = warm.names(place, python)
        told = place.told(name)
        if told.startswith(quarters.CANNOT) or (told.startswith(quarters.SERVING) and place.is_held(name)):
            break
        warmer.start(place, python, name, situation.variables(read, os.environ))
        time.sleep(GLANCE)
    subject, status, what, fix = _status(place, python)
    if status == WARNING:
        return [subject, ERROR, what, fix]
    return [subject, OK, what, ""] if warm.wanted() else [subject, WARNING, f"{what}; off", f"set {warm.SWITCH}=1"]


def _stop(place: Quarters, python: str) -> list[str]:
    """All of this user's, of whatever version."""
    import signal

    stopped = []
    for name in place.names():
        words = place.told(name).split()
        if len(words) == 2 and place.is_held(name):
            os.kill(int(words[1]), signal.SIGTERM)
            stopped.append(name)
    deadline = time.monotonic() + ENDS
    while any(place.is_held(name) for name in stopped) and time.monotonic() < deadline:
        time.sleep(GLANCE)
    return [SUBJECT, OK, f"{len(stopped)} stopped; commands that they do are done to their end", ""]
