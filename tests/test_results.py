"""The file that holds the full answer."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from litellm_skill import results


def test_two_at_once_forget_what_is_old() -> None:
    """Each meets files that the other has just removed; that must not cost it its place among the kept answers."""
    directory = Path(os.environ["XDG_STATE_HOME"], "litellm-skill", "results")
    directory.mkdir(parents=True)
    for number in range(3_000):
        old = directory / f"{number}.txt"
        old.touch()
        os.utime(old, (0, 0))
    with ThreadPoolExecutor(4) as threads:
        kept = list(threads.map(lambda name: results.keep(name, name, os.environ), ["a", "b", "c", "d"]))
    assert kept == [str(directory / f"{name}.txt") for name in "abcd"]
    assert len(list(directory.iterdir())) == 4
