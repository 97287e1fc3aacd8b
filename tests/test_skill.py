"""SKILL.md as hosts read it, and that what the texts promise is true."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SKILL = (ROOT / "SKILL.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIELDS = {"name", "description", "license", "compatibility", "metadata"}


def front_matter() -> dict[str, str]:
    head = SKILL.split("---\n")[1]
    return {name: " ".join(text.split()) for name, text in re.findall(r"^(\w+):((?:.*)(?:\n .*)*)", head, re.M)}


def test_it_is_valid(tmp_path: Path) -> None:
    """By the reference validator, under the folder name it is installed as."""
    folder = tmp_path / "litellm"
    folder.mkdir()
    shutil.copy(ROOT / "SKILL.md", folder)
    command = [str(Path(sys.executable).with_name("agentskills")), "validate", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_only_fields_of_the_specification() -> None:
    assert set(front_matter()) == FIELDS


def test_the_description_fits_every_host() -> None:
    description = front_matter()["description"].removeprefix(">- ")
    assert len(description) <= 1024
    assert not set("<>") & set(description)


# Codex shows a model that it does not know 10,000 bytes of what a command printed (hosts-measured).
@pytest.mark.parametrize(("limit", "measured"), [(300, len(SKILL.splitlines())), (10_000, len(SKILL.encode()))])
def test_it_is_short(limit: int, measured: int) -> None:
    assert measured < limit


def test_nothing_in_it_is_rewritten_by_a_host() -> None:
    """Hosts substitute a dollar sign before a digit, and run what stands between ! and a backtick."""
    assert re.findall(r"\$\d|!`|\$ARGUMENTS", SKILL) == []


@pytest.mark.parametrize("text", [SKILL, README], ids=["SKILL.md", "README.md"])
def test_every_flag_that_is_named_exists(text: str, run) -> None:
    help = "".join(run(path.stem, "--help").stdout for path in (ROOT / "scripts").glob("*.py"))
    from_help = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help))
    foreign = re.compile(r"\buv |\bpytest\b|\bnpx ")
    commands = "\n".join(line for line in text.splitlines() if not foreign.search(line))
    named = set(re.findall(r"(?<=[ `(])--?[a-z][a-z-]*(?=[\s`,.:;)\]])", commands))
    assert named - from_help - {"-k", "-p"} == set()
    assert len(named) > 5


def test_every_file_that_is_named_exists() -> None:
    for name in re.findall(r"\]\(((?!http)[^)]+)\)", README + SKILL):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"(?:SKILL/)?(scripts/\w+\.py)", README + SKILL):
        assert (ROOT / name).exists(), name
