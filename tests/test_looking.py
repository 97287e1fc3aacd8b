"""What a model may look at by itself: traversal, links, secrets, binary and huge files, patterns that never end."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from litellm_skill import looking
from litellm_skill.faults import BadInput
from litellm_skill.looking import Looking
from litellm_skill.tools import ToolCall

KEY = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "outside.txt").write_text("not for models\n")
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src/a.py").write_text("first = 1\nsecond = 2\n\nfourth = 4\n")
    (root / "src/crlf.py").write_bytes(b"one = 1\r\ntwo = 2\r\n")
    (root / ".env").write_text("A=not for models\n")
    (root / "id_rsa").write_text("not for models\n")
    (root / "leak.py").write_text(f"\n\ntoken = '{KEY}'\n")
    (root / "binary.dat").write_bytes(b"\0not for models\xff" * 100)
    (root / "huge.txt").write_text("not for models\n" * 200_000)
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "src/up").symlink_to(tmp_path)
    return root


def look(box: Looking, name: str, **arguments: Any) -> str:
    return called(box, name, json.dumps(arguments))[0]


def called(box: Looking, name: str, arguments: str) -> tuple[str, bool]:
    (result,) = asyncio.run(box.call([ToolCall("1", name, arguments)]))
    return result.text, result.ok


def box(root: Path, rounds: int = 99) -> Looking:
    return Looking(looking.open_folder(str(root), ()), rounds)


@pytest.mark.parametrize(
    "path",
    [
        *("../outside.txt", "src/../../outside.txt", "link.txt", "src/up/outside.txt", ".env", "id_rsa", "/etc/passwd"),
        *("leak.py", "binary.dat", "huge.txt", "absent", "", ".", "src", "src/\0a.py", "~/.ssh/id_rsa"),
    ],
)
def test_what_is_not_shown(project: Path, path: str) -> None:
    (project.parent / "project2").mkdir()
    one = box(project)
    text, ok = called(one, "read_file", json.dumps({"path": path, "first_line": 1, "last_line": 9}))
    assert (ok, one.seen) == (False, {})
    assert "for models" not in text
    assert KEY not in text
    text = look(one, "search", regex="for models|ghp_|root:", pattern=path or "*")
    assert "not for models" not in text
    assert KEY not in text
    assert one.sent() == []


def test_the_whole_path_of_the_folder_does_not_help(project: Path) -> None:
    assert "there is no file" in look(
        box(project), "read_file", path=str(project / "src/a.py"), first_line=1, last_line=1
    )


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [(1, 2, [1, 2]), (2, 99, [2, 3, 4]), (3, 0, [3, 4]), (-5, 1, [1]), (4, 2, [4]), (9, 9, [])],
)
def test_ranges(project: Path, first: int, last: int, shown: list[int]) -> None:
    one = box(project)
    text = look(one, "read_file", path="./src/a.py", first_line=first, last_line=last)
    assert [int(row.split("|")[0]) for row in text.split("\n")[1:]] == shown
    assert [number for rows in one.seen.values() for number in rows] == shown


def test_what_was_sent(project: Path) -> None:
    one = box(project)
    look(one, "list_files", pattern="src/*")
    look(one, "read_file", path="src/a.py", first_line=1, last_line=2)
    look(one, "search", regex="^f", pattern="*.py")
    assert one.sent() == [
        {"listed": "src/*"},
        {"path": "src/a.py", "lines": [[1, 2], [4, 4]], "characters": 32},
    ]
    (source,) = one.sources()
    assert [line.hunk for line in source.lines] == [0, 0, 1]


def test_lists(project: Path) -> None:
    assert look(box(project), "list_files", pattern="*") == "binary.dat\nhuge.txt\nleak.py\nsrc/a.py\nsrc/crlf.py"
    assert look(box(project), "list_files", pattern="*.none") == "no file fits"
    assert look(box(project), "search", regex="= 2$", pattern="*") == "src/a.py:2: second = 2\nsrc/crlf.py:2: two = 2"
    assert (
        look(box(project), "search", regex="ghp_", pattern="*") == "[withheld: leak.py holds what looks like a secret]"
    )


def test_what_git_ignores_is_invisible(project: Path) -> None:
    (project / ".gitignore").write_text("huge.txt\nbuild/\n")
    (project / "build").mkdir()
    (project / "build/made.py").write_text("made = 1\n")
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    subprocess.run(["git", "-C", str(project), "add", "link.txt", "src"], check=True)
    one = box(project)
    assert look(one, "list_files", pattern="*") == ".gitignore\nbinary.dat\nleak.py\nsrc/a.py\nsrc/crlf.py"
    assert "there is no file" in look(one, "read_file", path="build/made.py", first_line=1, last_line=1)


def test_a_link_that_takes_a_file_s_place(project: Path) -> None:
    one = box(project)
    (project / "src/a.py").unlink()
    (project / "src/a.py").symlink_to(project.parent / "outside.txt")
    assert look(one, "read_file", path="src/a.py", first_line=1, last_line=1) == "src/a.py is a link"
    assert look(one, "search", regex=".", pattern="src/a.py") == "nothing matches"


def test_a_pattern_that_never_ends(project: Path) -> None:
    (project / "src/a.py").write_text("a" * 200 + "\n")
    one = Looking(looking.open_folder(str(project), ()), 9, seconds=0.5)
    text = look(one, "search", regex="(a+)+$b", pattern="src/a.py")
    assert text.startswith("[the search was stopped: it took longer than")


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("search", '{"regex": "(", "pattern": "*"}', "no regular expression"),
        ("search", '{"regex": 1}', "regex is no text"),
        ("search", "{}", "regex is no text"),
        ("read_file", '{"path": "src/a.py", "first_line": "one"}', "first_line is no whole number"),
        ("read_file", "[1]", "they are no object"),
        ("read_file", "{", "these arguments cannot be used"),
        ("read_file", "[" * 100_000, "these arguments cannot be used"),
        ("run", "{}", "there is no tool 'run'"),
    ],
)
def test_bad_calls(project: Path, name: str, arguments: str, said: str) -> None:
    text, ok = called(box(project), name, arguments)
    assert (ok, said in text) == (False, True), text


def test_results_are_bounded(project: Path) -> None:
    (project / "long.py").write_text("x" * 3_000 + "\n" + "y = 1\n" * 5_000)
    for number in range(700):
        (project / f"n{number}.py").touch()
    one = box(project)
    assert len(look(one, "read_file", path="long.py", first_line=1, last_line=5_000).split("\n")) == looking.LINES + 1
    assert look(one, "list_files", pattern="n*").endswith("[500 of 700: narrow the pattern]")
    text = look(one, "search", regex="x|y", pattern="long.py")
    assert len(text) < looking.MATCHES * (looking.WIDTH + 50)
    assert text.endswith("[only the first 100 lines]")


def test_rounds_and_all_of_it_are_bounded(project: Path) -> None:
    one = box(project, rounds=2)
    answers = [called(one, "list_files", '{"pattern": "src/a.py"}') for _ in range(3)]
    assert answers[1:] == [("src/a.py", True), ("enough was looked at: answer now, with what you have seen", False)]
    (project / "long.py").write_text(("y" * 300 + "\n") * 400)
    one = box(project)
    results = [called(one, "read_file", '{"path": "long.py"}')[1] for _ in range(30)]
    assert 5 < results.index(False) < 30


@pytest.mark.parametrize("name", ["absent", "file"])
def test_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput):
        looking.open_folder(os.path.join(tmp_path, name), ())
