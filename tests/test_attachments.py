"""Files that go along with a prompt: which are read, which are refused, and how they are fenced."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest
from litellm_skill.faults import SecretFound
from litellm_skill.prompt import SentFile
from litellm_skill.screen import Part
from reading import pipe, posix, read, refusal


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with files of several kinds; next to it, outside, ``other/notes.md``."""
    folder = tmp_path / "project"
    files = {
        "a.py": b"print(1)\n",
        "b.txt": "\ufeff你好\r\nno newline at the end".encode(),
        "src/c.py": b"c = 3\n",
        "src/deep/d.py": b"d = 4\n",
        "src/.hidden.py": b"h = 5\n",
        "src/[id]/page[1].tsx": b"<p/>\n",
        "../other/notes.md": b"outside\n",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_files_follow_the_prompt(project: Path) -> None:
    sent = read(project, argument="Review.", files=("b.txt", "a.py"))
    assert sent.text == (
        "Review.\n\nFile: b.txt\n```txt\n你好\r\nno newline at the end\n```\n\nFile: a.py\n```py\nprint(1)\n```"
    )
    raw = (project / "b.txt").read_bytes()
    assert sent.files[0] == SentFile("b.txt", len(raw), hashlib.sha256(raw).hexdigest())
    assert sent.characters == len(sent.text)
    with pipe(b"From stdin.\n") as stdin:
        assert read(project, stdin, argument="-", files=("a.py",)).text.startswith("From stdin.\n\n\nFile: a.py")


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        (["src/*.py"], ["src/c.py"]),
        (["**/*.py"], ["a.py", "src/c.py", "src/deep/d.py"]),
        (["src/**"], ["src/[id]/page[1].tsx", "src/c.py", "src/deep/d.py"]),
        (["src/.*.py"], ["src/.hidden.py"]),
        (["[ab].*"], ["a.py", "b.txt"]),
        (["src/[id]/page[1].tsx"], ["src/[id]/page[1].tsx"]),
        (["src/[id]/*.tsx"], ["src/[id]/page[1].tsx"]),
        (["b.txt", "a.py", "./a.py", "*.py", "src/../a.py"], ["b.txt", "a.py"]),
        (["../other/notes.md"], ["../other/notes.md"]),
        (["../other/*.md"], ["../other/notes.md"]),
    ],
)
def test_patterns(project: Path, patterns: list[str], paths: list[str]) -> None:
    assert [file.path for file in read(project, argument="x", files=tuple(patterns)).files] == paths
    absolute = tuple(str(project / pattern) for pattern in patterns)
    assert [file.path for file in read(project, argument="x", files=absolute).files] == paths


@posix
def test_links(project: Path) -> None:
    (project / "alias.py").symlink_to("a.py")
    (project / "out.py").symlink_to("../other/notes.md")
    (project / "src/loop").symlink_to("..")
    (project.parent / "entry").symlink_to(project)
    assert len(read(project, argument="x", files=("a.py", "alias.py")).files) == 1
    assert [f.path for f in read(project, argument="x", files=("src/**/*.py",)).files] == [
        "src/c.py",
        "src/deep/d.py",
    ]
    through_a_link = read(project, argument="x", files=(str(project.parent / "entry/a.py"),))
    assert through_a_link.files[0].path == "a.py"


@posix
def test_links_out_of_the_working_directory(project: Path) -> None:
    (project / "out.py").symlink_to("../other/notes.md")
    (project / "away").symlink_to("../other")
    (project / "src/up.py").symlink_to("../a.py")
    (project.parent / "entry").symlink_to(project)
    out = "out.py is a link out of the working directory, to '../other/notes.md' | leave it out, or add --allow-path"
    for name in ("out.py", "*.py", str(project.parent / "entry/out.py"), "src/../out.py"):
        assert out in refusal(project, argument="x", files=(name,))
    assert out in refusal(project, prompt_file="out.py")
    assert out in refusal(project, argument="x", system_file="out.py")
    assert "to '../other/notes.md'" in refusal(project, argument="x", files=("away/notes.md",))
    assert "up.py is a link out of src | if it is to be sent, name" in refusal(
        project, argument="x", files=("src/*.py",)
    )
    for names in (("out.py",), ("away/notes.md",), ("../other/notes.md",), ("*.py",)):
        assert read(project, argument="x", files=names, allow_paths=("out.py",)).files[-1].bytes == 8
    assert (
        read(project, argument="x", files=("../other/notes.md", "src/up.py")).files[0].bytes == 8
    )  # no link leads there


@posix
def test_files_that_hold_secrets_by_name_are_not_opened(project: Path) -> None:
    for name in (".env", "id_rsa", "src/server.key"):
        os.mkfifo(project / name)  # to open or stat it would say something else
    (project / "innocent.txt").symlink_to(".env")
    (project / "keys").mkdir()
    (project / "keys/.ssh").symlink_to("../src")
    for name, says in [
        (".env", ".env is not sent: such a file (.env*) holds secrets | send what matters of it as text, or add --a"),
        ("src/../.ENV", ".ENV is not sent"),
        ("innocent.txt", "innocent.txt is not sent: such a file (.env*)"),
        ("keys/.ssh/c.py", "c.py is not sent: such a file (.ssh/)"),
        ("missing/id_ed25519", "id_ed25519 is not sent"),
        ("*", "id_rsa is not sent: such a file (id_rsa) holds secrets | narrow * so that it leaves this file out"),
        ("**/*", "narrow **/* so that it leaves this file out, or add --allow-path id_rsa if it may be sent"),
        ("src/*", "src/server.key is not sent: such a file (*.key)"),
        (".*", ".env is not sent: such a file (.env*) holds secrets | narrow .* so"),
    ]:
        with pytest.raises(SecretFound):
            read(project, argument="x", files=(name,))
        assert says in refusal(project, argument="x", files=(name,))
    assert ".env is not sent" in refusal(project, prompt_file=".env")
    assert "id_rsa is not sent" in refusal(project, argument="x", system_file="id_rsa")
    assert "x.key is a link out of" not in refusal(project, argument="x", files=("x.key",))


def test_a_path_that_is_allowed_by_hand(project: Path) -> None:
    (project / ".env").write_text("COLOUR=blue\n")
    (project / "src/.env").write_text("COLOUR=red\n")
    (project / ".env.example").write_text("COLOUR=\n")
    assert len(read(project, argument="x", files=(".env.example",)).files) == 1
    for name in (".env", "src/../.env", str(project / ".env")):
        allowed = (str(project / ".env"),)
        assert "blue" in read(project, argument="x", files=(name,), allow_paths=allowed).text
        assert "blue" in read(project, argument="x", files=(".env",), allow_paths=(name,)).text
    assert "src/.env is not sent" in refusal(project, argument="x", files=("src/.env",), allow_paths=(".env",))
    assert read(project, prompt_file=".env", allow_paths=(".env",)).text == "COLOUR=blue\n"


def test_what_a_star_does_not_match_is_not_sent(project: Path) -> None:
    (project / ".env").write_text("COLOUR=blue\n")  # as in a shell, * stands for no name that begins with a dot
    assert "blue" not in read(project, argument="x", files=("**/*",)).text


def test_everything_that_would_be_sent_is_in_a_part_with_its_name(project: Path) -> None:
    (project / "s.txt").write_text("Be brief.")
    sent = read(project, argument="Review.", system_file="s.txt", files=("b.txt", "src/c.py"))
    assert [(part.name, part.heading) for part in sent.parts] == [
        ("s.txt", 0),
        ("the prompt", 0),
        ("b.txt", 2),
        ("src/c.py", 2),
    ]
    messages = [message["content"] for message in sent.messages()]
    assert messages == [sent.parts[0].text, "\n\n".join(part.text for part in sent.parts[1:])]
    assert sent.parts[3].text.splitlines()[2] == "c = 3"
    assert read(project, argument="x", system="y").parts[0] == Part("the system prompt", "y")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"caf\xe9", "bad is not UTF-8: byte 0xe9 at byte offset 3"),
        (b"\xef\xbb\xbfok\xff", "byte 0xff at byte offset 5"),
        (b"\xed\xa0\x80", "bad is not UTF-8: byte 0xed at byte offset 0"),
        (b"a\0b", "bad is not text: NUL at byte offset 1"),
        (b"PK\x03\x04", "a ZIP archive or an Office document"),
        ("text".encode("utf-16"), "UTF-16 text"),
        (b"x" * 1001, "bad has 1,001 bytes; the limit is 1,000"),
    ],
)
@pytest.mark.parametrize("flag", ["files", "prompt_file", "system_file"])
def test_content_that_is_refused(tmp_path: Path, flag: str, content: bytes, says: str) -> None:
    (tmp_path / "bad").write_bytes(content)
    named = {"files": ("bad",), "argument": "x"} if flag == "files" else {flag: "bad"}
    assert says in refusal(tmp_path, max_bytes=1000, **named)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0", "an image"),
        (b"\xff\xd8\xff\xe0", "an image"),
        (b"GIF89a..", "an image"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "an image"),
        (b"%PDF-1.7\n", "a PDF"),
    ],
)
def test_only_text_can_be_a_prompt(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    says = f"is {kind}, and only text can stand here | attach it with -f"
    assert f"bad.txt {says}" in refusal(tmp_path, prompt_file="bad.txt")
    assert f"bad.txt {says}" in refusal(tmp_path, argument="x", system_file="bad.txt")
    with pipe(content) as stdin:
        assert f"stdin {says}" in refusal(tmp_path, stdin, argument="-")


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("https://example.com/a.png", "https://example.com/a.png is a URL, and those are not fetched | download it"),
        ("FILE:///etc/hosts", "is a URL"),
        ("s3://bucket/*.png", "is a URL"),
        ("gone.py", "no such file: gone.py"),
        ("-", "no such file: - | to send what is piped in, make - the prompt"),
        ("src", "src is a directory | name its files, for example -f 'src/**/*.py'"),
        ("", "is a directory"),
        ("*.rs", "no file matches *.rs"),
        ("src/**/*.md", "no file matches"),
        ("a.py/x", "cannot read a.py/x: Not a directory"),
        ("new\nline", r"no such file: new\nline"),
        ("caf\udce9", r"no such file: caf\udce9"),
        ("x" * 300, "cannot read"),
    ],
)
@posix
def test_paths_that_are_refused(project: Path, pattern: str, says: str) -> None:
    assert says in refusal(project, argument="x", files=(pattern,))


@posix
def test_only_regular_files_are_opened(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)  # for the socket: its full path may be too long
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        (project / "lonely").symlink_to("nowhere")
        for name, says in [
            ("fifo", "fifo is a FIFO, not a regular file"),
            ("f*", "fifo is a FIFO"),
            ("socket", "socket is a socket"),
            ("/dev/zero", "is a device"),
            ("lonely", "no such file: lonely"),
        ]:
            assert says in refusal(project, argument="x", files=(name,))
            assert says in refusal(project, prompt_file=name) or name == "f*"


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="a file whose reading fails, even for root")
def test_a_failing_read(tmp_path: Path) -> None:
    assert "cannot read" in refusal(tmp_path, argument="x", files=("/proc/self/mem",))


def test_all_files_together_are_limited(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.txt").write_bytes(b"x" * 100)
    assert len(read(tmp_path, argument="x", files=("[0-7].txt",), max_bytes=100).files) == 8
    assert "come to more than 800 bytes" in refusal(tmp_path, argument="x", files=("*.txt",), max_bytes=100)


def test_files_without_a_prompt(project: Path) -> None:
    assert "say what to do with a.py, b.txt" in refusal(project, argument=" ", files=("a.py", "b.txt"))
    with pipe() as stdin:
        assert "say what to do with a.py" in refusal(project, stdin, files=("a.py",))


@pytest.mark.parametrize("content", ["", "\n", "```\nx\n```", "````````", "a ` b `` c", "\n```````\n\n~~~"])
def test_content_cannot_close_its_fence(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.we-ird").write_bytes(content.encode())
    opening, *middle, closing = read(tmp_path, argument="x", files=("x.we-ird",)).text.split("\n")[3:]
    assert opening == closing == "`" * len(opening)
    assert len(opening) >= 3
    assert closing not in "\n".join(middle)
    assert "\n".join(middle).rstrip("\n") == content.rstrip("\n")
