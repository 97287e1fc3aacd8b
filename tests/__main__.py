"""Set up and run the checks: ``python3 tests [PYTEST ARGUMENTS]``, from any directory; ``python3 tests --scan``.

Works with Python 3.11 alone, or with any Python from 3.8 on and uv. Paths among the arguments are relative to
the skill folder. Python 3.8 syntax, standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys

SKILL = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(SKILL, "scripts"))

from litellm_skill import environment, launch  # noqa: E402


def main() -> int:
    """The first exit code that is not 0."""
    try:
        python = launch.python_for(os.path.join(SKILL, "requirements-dev.lock"))
    except environment.SetupFailed as failed:
        launch.explain(failed)
        return failed.exit_code
    checks = [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["pytest", *sys.argv[1:]]]
    if sys.argv[1:] == ["--scan"]:
        checks = [["tests.scans"]]
    codes = [subprocess.call([python, "-E", "-s", "-m", *check], cwd=SKILL) for check in checks]
    return next(filter(None, codes), 0)


if __name__ == "__main__":
    sys.exit(main())
