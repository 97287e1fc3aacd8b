"""Lay out the folder an eval is run in: ``python3 evals/prepare.py ID FOLDER``; then start the agent there."""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
EVALS = {one["id"]: one for one in json.loads((HERE / "evals.json").read_text(encoding="utf-8"))["evals"]}
CHANGED, SETTINGS = 4, 5  # the evals that need more than files


def prepare(number: int, folder: Path) -> None:
    """Raises FileExistsError when there is something in the folder's place."""
    folder.mkdir(parents=True)
    for name in EVALS[number]["files"]:
        shutil.copy(HERE.parent / name, folder)
    if number == CHANGED:
        _commit_the_right_clock(folder)
    if number == SETTINGS:
        lines = ["DB_HOST=db.staging.example", "DB_PORT=54322", f"DB_PASSWORD={secrets.token_hex(12)}"]
        (folder / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _commit_the_right_clock(folder: Path) -> None:
    """So that the wrong one is an uncommitted change."""
    path = folder / "cache.py"
    wrong = path.read_text(encoding="utf-8")
    path.write_text(wrong.replace("time.monotonic()", "time.time()"), encoding="utf-8")
    who = ["-c", "user.name=eval", "-c", "user.email=eval@example.com"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "A cache with expiry"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    path.write_text(wrong, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("id", type=int, choices=EVALS)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(argv)
    prepare(given.id, given.folder)
    print(EVALS[given.id]["prompt"])


if __name__ == "__main__":
    main()
