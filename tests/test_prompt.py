"""What is sent: prompt text, stdin, files, diffs; and the token estimate against recorded counts.

The counts at the end are those of tiktoken's ``o200k_base`` and ``cl100k_base`` and of Claude 2's tokenizer
(``anthropic_tokenizer.json``), all as bundled with LiteLLM 1.106.2. The estimate's error in per cent on
larger texts, in the same order (standard library, licences, API examples, vim's tutors, systemd's catalogs):

                                      o200k_base    cl100k_base   Claude 2
    English, 58 kB                     +2 .. +7      +2 .. +6     -7 .. +1
    Python, 87 kB                      +0 .. +13     +2 .. +14    -4 .. +6
    C, JavaScript, CSS, 83 kB          +4 .. +23     +3 .. +24    -6 .. +0
    JSON, YAML, 92 kB                  -6 .. +6      -6 .. +6     -6 .. +3
    SQL, 21 kB (all capitals: +33)     +0 .. +33     -1 .. +34    -9 .. -8
    minified JavaScript, 41 kB        +12 .. +20    +14 .. +21    -7 .. -5
    digits, tables, deep indents      -14 .. +0     -14 .. +0    -16 .. +21
    base64                            -20           -24          -23
    Chinese, simplified               +10 .. +25    -24 .. +2    -14 .. +10
    Chinese, traditional               -8 .. +7     -41 .. -23   -35 .. -11
    Japanese                          +14 .. +25    -18 .. -9    -16 .. -7
    Korean                            +14 .. +23    -27 .. -8    -37 .. -19
    Russian, Ukrainian, Bulgarian      +8 .. +24    -26 .. -4    -28 .. -15
    German, French, Polish, Turkish   -13 .. +7     -19 .. +2    -33 .. -9
    Vietnamese                        +33            -3          -27
    Greek, Hebrew, Arabic, Hindi, Thai -3 .. +11    -67 .. -49   -77 .. -57
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from litellm_skill import prompt
from litellm_skill.faults import BadInput, NotSetUp, SecretFound
from litellm_skill.prompt import Inputs, Prompt, SentFile, estimate_tokens
from litellm_skill.screen import Part

posix = pytest.mark.skipif(os.name == "nt", reason="needs FIFOs, terminals and links")


def read(directory: Path, stdin: BinaryIO | None = None, max_bytes: int = 2_000_000, **named: object) -> Prompt:
    return prompt.read(Inputs(**named), stdin=stdin, directory=directory, max_bytes=max_bytes)


def refusal(directory: Path, stdin: BinaryIO | None = None, max_bytes: int = 2_000_000, **named: object) -> str:
    """Message and hint of the ``BadInput`` or ``SecretFound`` that ``named`` leads to; each is one line."""
    with pytest.raises((BadInput, SecretFound)) as caught:
        read(directory, stdin, max_bytes, **named)
    fault = caught.value
    assert fault.hint
    assert "\n" not in fault.message + fault.hint
    return f"{fault.message} | {fault.hint}"


@contextmanager
def pipe(content: bytes = b"", *, ends: bool = True) -> Iterator[BinaryIO]:
    """The reading end of a pipe that holds ``content``, and then ends or stays open."""
    reader, writer = os.pipe()
    os.write(writer, content)
    if ends:
        os.close(writer)
    with open(reader, "rb") as stream:
        yield stream
    if not ends:
        os.close(writer)


# Prompt and system prompt


@pytest.mark.parametrize("text", ["hi", "  spaces and a newline kept \r\n", "你好，世界 🎉", "C:\\x `y` ```"])
def test_a_prompt_without_attachments_is_sent_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.txt").write_bytes(text.encode())
    with pipe(text.encode()) as asked, pipe(text.encode()) as unasked, pipe(text.encode()) as as_file:
        prompts = [
            read(tmp_path, argument=text),
            read(tmp_path, prompt_file="p.txt"),
            read(tmp_path, prompt_file=str(tmp_path / "p.txt")),
            read(tmp_path, asked, argument="-"),
            read(tmp_path, unasked),
            read(tmp_path, as_file, prompt_file="-"),
        ]
    names = ["the prompt", "p.txt", "p.txt", "stdin", "stdin", "stdin"]
    assert prompts == [Prompt((Part(name, text),)) for name in names]
    assert {prompt.text for prompt in prompts} == {text}


def test_messages_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_bytes("\ufeffBe brief.".encode())
    plain, with_system = (
        read(tmp_path, argument="hello"),
        read(tmp_path, argument="hello", system_file="s.txt"),
    )
    assert plain.messages() == [{"role": "user", "content": "hello"}]
    assert with_system.messages() == read(tmp_path, argument="hello", system="Be brief.").messages()
    assert plain == read(tmp_path, argument="hello", system="")
    assert with_system.messages() == [{"role": "system", "content": "Be brief."}, *plain.messages()]
    assert (plain.characters, with_system.characters) == (5, 14)
    assert with_system.tokens == plain.tokens + estimate_tokens("Be brief.")


def test_an_argument_leaves_stdin_alone(tmp_path: Path) -> None:
    with pipe(b"unread") as stdin:
        assert read(tmp_path, stdin, argument="hi").text == "hi"
        assert stdin.read() == b"unread"


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({}, "no prompt"),
        ({"argument": ""}, "empty"),
        ({"argument": " \n\t"}, "empty"),
        ({"argument": "-"}, "stdin is closed"),
        ({"argument": "a", "prompt_file": "p"}, "two prompts"),
        ({"argument": "a", "system": "b", "system_file": "s"}, "two system prompts"),
        ({"argument": "caf\udce9"}, "the prompt is not text: a byte that is not UTF-8 at character 4"),
        ({"argument": "a\0b"}, "the prompt is not text: NUL at character 2"),
        ({"argument": "a", "system": "\ud800"}, "the system prompt is not text"),
        ({"prompt_file": "missing.txt"}, "no such file: missing.txt"),
        ({"prompt_file": "."}, "is a directory"),
        ({"prompt_file": "x\0y"}, "cannot read"),
        ({"argument": "a", "system_file": "../gone.txt"}, "no such file: ../gone.txt"),
    ],
)
def test_refused_prompts(tmp_path: Path, named: dict[str, str], says: str) -> None:
    assert says in refusal(tmp_path, **named)


# Stdin


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no prompt, or an empty one"),
        (b"caf\xe9", "stdin is not UTF-8: byte 0xe9 at byte offset 3"),
        (b"a\0", "stdin is not text: NUL at byte offset 1"),
        (b"x" * 101, "stdin is longer than 100 bytes (101 read so far)"),
    ],
)
def test_refused_stdin(tmp_path: Path, content: bytes, says: str) -> None:
    with pipe(content) as stdin:
        assert says in refusal(tmp_path, stdin, max_bytes=100, argument="-")


def test_stdin_of_exactly_the_limit(tmp_path: Path) -> None:
    with pipe(b"x" * 100) as stdin:
        assert len(read(tmp_path, stdin, max_bytes=100, argument="-").text) == 100


def test_an_open_silent_pipe_never_hangs(tmp_path: Path) -> None:
    with pipe(ends=False) as stdin:
        assert "stdin is open, but nothing came within 5 s | give it as the first" in refusal(tmp_path, stdin)


@posix
def test_an_endless_stdin_is_cut_off(tmp_path: Path) -> None:
    with open("/dev/zero", "rb") as stdin:
        assert "stdin is longer than 2,000,000 bytes" in refusal(tmp_path, stdin, argument="-")


@posix
def test_a_slow_writer_is_waited_for_even_when_the_pipe_does_not_block(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def write_slowly() -> None:
        with open(writer, "wb", buffering=0) as stream:
            for part in ("今天".encode()[:4], "今天".encode()[4:], b"!"):
                stream.write(part)
                threading.Event().wait(0.05)

    thread = threading.Thread(target=write_slowly)
    with open(reader, "rb") as stdin:
        thread.start()
        assert read(tmp_path, stdin, argument="-").text == "今天!"
    thread.join()


def test_stdin_from_files(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes(b"from a file")
    with open(tmp_path / "p.txt", "rb") as stdin:
        assert read(tmp_path, stdin).text == "from a file"
    with open(os.devnull, "rb") as stdin:
        assert "no prompt" in refusal(tmp_path, stdin)
    assert "stdin is closed" in refusal(tmp_path, stdin, argument="-")  # that stream is closed by now
    assert "no prompt, or an empty one" in refusal(tmp_path, stdin)


@posix
def test_unreadable_stdin(tmp_path: Path) -> None:
    with open(tmp_path / "written", "wb") as stdin:
        assert "cannot read stdin: Bad file descriptor" in refusal(tmp_path, stdin, argument="-")


@posix
def test_a_terminal_is_read_only_when_asked(tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()
    os.write(master, b"typed\n\x04")
    with open(slave, "rb") as stdin:
        assert "no prompt, or an empty one" in refusal(tmp_path, stdin)
        assert read(tmp_path, stdin, argument="-").text == "typed\n"
    os.close(master)


@pytest.mark.parametrize(("content", "ends", "chunk"), [(b"hi", False, b"hi"), (b"", True, b""), (b"", False, None)])
def test_the_first_bytes_where_there_is_no_select(content: bytes, ends: bool, chunk: bytes | None) -> None:
    with pipe(content, ends=ends) as stdin:
        assert prompt._chunk_by_thread(stdin.fileno(), 0.2) == chunk


# Files


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
        (b"\x89PNG\r\n\x1a\n\0", "bad is a PNG image: only UTF-8 text can be sent"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"GIF89a..", "a GIF image"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP image"),
        (b"%PDF-1.7\n", "a PDF document"),
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
    ("pattern", "says"),
    [
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


# Diffs


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``git("add", ".")`` in ``tmp_path/repository``, which has one commit of ``a.txt`` ("one")."""
    (tmp_path / "gitconfig").touch()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.com")
    folder = tmp_path / "repository"

    def run(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        # A command that a hostile configuration breaks is still a control: it shows that the trap works.
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout

    folder.mkdir()
    run("init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one\n")
    run("add", ".")
    run("commit", "-qm", "first")
    return run


@pytest.fixture
def repository(tmp_path: Path, git: Callable[..., str]) -> Path:
    return tmp_path / "repository"


def test_uncommitted_changes(repository: Path, git: Callable[..., str]) -> None:
    (repository / "a.txt").write_text("one\ntwo\n")
    (repository / "staged.txt").write_text("new\n")
    (repository / "图.bin").write_bytes(b"\0\1")
    git("add", "staged.txt", "图.bin")
    (repository / "sub").mkdir()
    (repository / "sub/untracked.txt").touch()
    (repository / "new\n.txt").touch()
    (repository / "ignored.txt").touch()
    (repository / ".git/info/exclude").write_text("ignored.txt\n")
    sent = read(repository / "sub", argument="Review.", diff=True)
    assert sent.text.startswith("Review.\n\nChanges (git diff):\n```diff\ndiff --git a/a.txt b/a.txt\n")
    assert "\n+two\n" in sent.text
    assert "\n+new\n" in sent.text
    assert "\nBinary files /dev/null and b/图.bin differ\n" in sent.text
    assert sent.text.endswith(r"Untracked, and so not in this diff (2): new\n.txt, sub/")
    raw = git("-c", "core.quotePath=false", "diff", "HEAD").encode()
    assert sent.files == (SentFile("git diff", len(raw), hashlib.sha256(raw).hexdigest()),)


def test_changes_of_files_that_hold_secrets_by_name(repository: Path, git: Callable[..., str]) -> None:
    (repository / "sub").mkdir()
    (repository / "sub/.env").write_text("COLOUR=blue\n")
    (repository / "café.key").write_text("?\n")
    git("add", "sub/.env")
    says = "git diff is not sent: it holds changes of '.env', and such a file (.env*) holds secrets | attach the other"
    assert says in refusal(repository / "sub", argument="x", diff=True)
    assert "'sub/.env'" in refusal(repository, argument="x", diff=True)
    diff = read(repository, argument="x", diff=True, allow_paths=("sub/.env",)).parts[1]
    assert (diff.name, diff.heading) == ("the diff", 2)
    assert "+COLOUR=blue\n" in diff.text
    git("add", "café.key")
    assert "café.key" in refusal(repository, argument="x", diff=True, allow_paths=("sub/.env",))
    git("commit", "-qm", "second")
    git("mv", "sub/.env", "settings.txt")  # what is taken away stands in a diff as well
    assert "'sub/.env'" in refusal(repository, argument="x", diff=True)
    assert "'sub/.env'" in refusal(repository, argument="x", diff_base="HEAD")


def test_before_the_first_commit(repository: Path, git: Callable[..., str]) -> None:
    first = git("rev-parse", "HEAD").strip()
    git("update-ref", "-d", "HEAD")
    text = read(repository, argument="x", diff=True).text
    assert "new file mode 100644" in text
    assert "\n+one\n" in text
    assert "no commit in common" in refusal(repository, argument="x", diff_base=first)


def test_changes_since_the_merge_base(repository: Path, git: Callable[..., str]) -> None:
    git("checkout", "-qb", "work")
    (repository / "b.txt").write_text("committed\n")
    git("add", ".")
    git("commit", "-qm", "second")
    (repository / "b.txt").write_text("committed\nuncommitted\n")
    git("branch", "-f", "main", git("commit-tree", "HEAD~1^{tree}", "-p", "HEAD~1", "-m", "elsewhere").strip())
    sent = read(repository, argument="x", diff_base="main")
    assert "+committed\n+uncommitted\n" in sent.text
    assert [file.path for file in sent.files] == ["git diff --merge-base main"]
    assert git("diff", "--merge-base", "main") in sent.text
    assert len(read(repository, argument="x", files=("a.txt",), diff=True, diff_base="main").files) == 2


def test_a_diff_that_is_not_utf_8(repository: Path) -> None:
    (repository / "a.txt").write_bytes(b"caf\xe9\n")
    text = read(repository, argument="x", diff=True).text
    assert "+caf\ufffd\n```\nBytes that are not UTF-8 text are shown as \ufffd." in text
    (repository / "a.txt").write_bytes("honest \ufffd\n".encode())
    assert "Bytes" not in read(repository, argument="x", diff=True).text
    (repository / "a.txt").write_bytes(b"nul\0\n")
    (repository / ".gitattributes").write_text("a.txt diff\n")
    assert "+nul\ufffd\n```\nBytes that are" in read(repository, argument="x", diff=True).text


@pytest.mark.parametrize("base", ["", "--output=x", "-", "gone", "main..main", "main:a.txt", "x\ny"])
def test_unknown_revisions(repository: Path, base: str) -> None:
    assert "--diff-base: no such revision" in refusal(repository, argument="x", diff_base=base)
    assert sorted(path.name for path in repository.iterdir()) == [".git", "a.txt"]


def test_refused_diffs(repository: Path, git: Callable[..., str], tmp_path: Path) -> None:
    assert "no changes: git diff is empty | attach files with -f." in refusal(repository, argument="x", diff=True)
    (repository / "new.txt").touch()
    assert "(1): new.txt" in refusal(repository, argument="x", diff=True)
    git("checkout", "-q", "--orphan", "other")
    git("commit", "-qm", "unrelated")
    assert "main and HEAD have no commit in common" in refusal(repository, argument="x", diff_base="main")
    (repository / "a.txt").write_text("long\n" * 500)
    assert "git diff has more than 1,000 bytes" in refusal(repository, argument="x", diff=True, max_bytes=1000)
    assert "say what to do with git diff" in refusal(repository, diff=True)
    assert "git: not a git repository" in refusal(tmp_path, argument="x", diff=True)


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotSetUp, match="git was not found"):
        read(repository, argument="x", diff=True)


def test_settings_that_change_the_look_of_a_diff(repository: Path, git: Callable[..., str]) -> None:
    (repository / "a.txt").write_text("two\n")
    plain = read(repository, argument="x", diff=True)
    for key, value in [("diff.noprefix", "true"), ("color.ui", "always"), ("core.pager", "false")]:
        git("config", key, value)
    assert read(repository, argument="x", diff=True) == plain


TRAPS: list[tuple[str, list[tuple[str, str]]]] = [
    ("external", [("diff.external", "{trap}")]),
    ("driver", [("diff.evil.command", "{trap}")]),
    ("textconv", [("diff.evil.textconv", "{trap}")]),
    ("fsmonitor", [("core.fsmonitor", "{trap}")]),
    ("clean filter", [("filter.evil.clean", "{trap}"), ("filter.evil.required", "true")]),
    ("filter process", [("filter.evil.process", "{trap}")]),
    ("fetch", [("remote.origin.url", "ext::{trap}"), ("protocol.ext.allow", "always")]),
]


@posix
@pytest.mark.parametrize(("name", "settings"), TRAPS)
def test_a_hostile_repository_runs_nothing(
    repository: Path, git: Callable[..., str], name: str, settings: list[tuple[str, str]]
) -> None:
    trap, sprung = arm(repository)
    if name == "fetch":  # a partial clone that lacks what HEAD had
        git("config", "remote.origin.promisor", "true")
        blob = git("rev-parse", "HEAD:a.txt").strip()
        (repository / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for key, value in settings:
        git("config", key, value.format(trap=trap))
    git("diff", "HEAD")
    assert sprung.exists(), "the control: a plain git diff does run it"
    sprung.unlink()
    if name == "fetch":
        assert "git: " in refusal(repository, argument="x", diff=True)
    else:
        assert "\n-one\n+two\n" in read(repository, argument="x", diff=True).text
    assert not sprung.exists()


def arm(repository: Path) -> tuple[Path, Path]:
    """A script, and the file that exists once it has run; ``a.txt`` is changed and has drivers."""
    trap, sprung = repository.parent / "trap", repository.parent / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch {sprung}\nexit 1\n")
    trap.chmod(0o755)
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/attributes").write_text("* filter=evil diff=evil\n")
    (repository / "a.txt").write_text("two\n")
    return trap, sprung


@posix
def test_a_submodule_runs_nothing(repository: Path, git: Callable[..., str]) -> None:
    trap, sprung = arm(repository)
    git("clone", "-q", ".", "sub")
    git("add", "sub")
    git("commit", "-qm", "submodule")
    git("-C", "sub", "config", "core.fsmonitor", str(trap))
    git("diff", "HEAD")
    assert sprung.exists(), "the control"
    sprung.unlink()
    read(repository, argument="x", diff=True)
    assert not sprung.exists()


@posix
def test_a_hook_is_not_run(repository: Path, git: Callable[..., str]) -> None:
    trap, sprung = arm(repository)
    (repository / "touched.txt").write_text("same\n")
    git("add", "touched.txt")
    git("commit", "-qm", "second", "touched.txt")
    (repository / ".git/hooks").mkdir(exist_ok=True)
    (repository / ".git/hooks/post-index-change").symlink_to(trap)
    os.utime(repository / "touched.txt", (1, 1))  # git diff writes such a change of times to its index
    git("diff", "HEAD")
    assert sprung.exists(), "the control"
    sprung.unlink()
    os.utime(repository / "touched.txt", (2, 2))
    read(repository, argument="x", diff=True)
    assert not sprung.exists()


def test_no_folder_but_the_repository_is_read(repository: Path, git: Callable[..., str], tmp_path: Path) -> None:
    for elsewhere in (tmp_path / "home", tmp_path):
        elsewhere.mkdir(exist_ok=True)
        (elsewhere / "a.txt").write_text("private\n")
        git("config", "core.worktree", str(elsewhere))
        assert "+private" in git("diff", "HEAD"), "the control"
        assert "core.worktree" in refusal(repository, argument="x", diff=True)


def test_linked_worktrees_and_submodules_are_repositories(repository: Path, git: Callable[..., str]) -> None:
    git("worktree", "add", "-q", "../linked")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repository), "module")
    for folder in (repository.parent / "linked", repository / "module"):
        (folder / "a.txt").write_text("changed\n")
        assert "+changed" in read(folder, argument="x", diff=True).text


# Token estimate

SAMPLES: list[tuple[str, tuple[int, int, int]]] = [
    (
        "The harbour was quiet before sunrise. Two fishing boats waited at the pier while their crews\n"
        "carried ice across the wet planks, and somebody in the lighthouse kitchen had lit the stove.\n"
        'When the wind turned, the skipper left early: rain was due by noon. "Back for lunch," he said.\n',
        (62, 64, 66),
    ),
    (
        "@dataclass\nclass Account:\n    owner: str\n    balance: float = 0.0\n\n"
        "    def withdraw(self, amount: float) -> float:\n"
        '        """Take ``amount`` out; raises ValueError when there is not enough."""\n'
        "        if amount <= 0 or amount > self.balance:\n"
        '            raise ValueError(f"cannot withdraw {amount:.2f} from {self.balance:.2f}")\n'
        "        self.balance -= amount\n        return self.balance\n",
        (95, 94, 94),
    ),
    (
        '{"orders": [\n  {"id": 10441, "customer": {"name": "Ada Moreno", "vip": true}, '
        '"items": [{"sku": "LAMP-07", "qty": 2, "price": 39.9}],\n   "created_at": '
        '"2026-03-14T09:26:53Z", "shipped": null}\n], "next_page": "/v2/orders?cursor=eyJpZCI6MTA0NDJ9"}\n',
        (104, 103, 106),
    ),
    (
        "春天来了，院子里的桃花开得正盛。奶奶坐在门口的小凳子上，一边择菜一边跟邻居聊天。孩子们在巷子里追来跑去，笑声传得很远。"
        "研究表明，长期睡眠不足会影响记忆力和免疫功能。专家建议成年人每天保证七到八小时的睡眠，并尽量固定作息时间。",
        (93, 147, 139),
    ),
    (
        "資料庫連線中斷時，請先檢查系統紀錄，並確認逾時設定是否適當。如果重新連線失敗，應用程式會拋出例外並中止處理。"
        "臺灣的夏天又熱又潮濕，午後常常下起雷陣雨，街上的行人紛紛躲進騎樓。",
        (88, 135, 123),
    ),
    (
        "朝早く起きて、近くの公園を散歩するのが日課になっている。帰りに小さなパン屋に寄って、焼きたての食パンを買う。"
        "データベースの接続が切れた場合は、まずログを確認し、タイムアウトの設定値が適切かどうかを調べてください。",
        (85, 122, 117),
    ),
    (
        "아침에 일어나면 먼저 창문을 열고 신선한 공기를 마신다. 요즘은 오래된 소설을 다시 읽고 있는데, "
        "예전에는 보이지 않던 문장들이 새롭게 다가온다. "
        "설정 파일을 변경한 뒤에는 반드시 서비스를 다시 시작해 주십시오.",
        (66, 107, 124),
    ),
    (
        "如果 API 返回 429 错误，客户端应该读取 `Retry-After` 头部，等待后再重试：\n\n```python\n"
        "async def fetch(client, url):\n    # 超时时间为 30 秒\n    async with asyncio.timeout(30):\n"
        "        return await client.get(url)\n```\n\n上面的代码在 Linux 和 macOS 上都可以运行。\n",
        (77, 86, 86),
    ),
    (
        "Утром я гуляю в парке недалеко от дома и слушаю, как поют птицы. Если соединение с базой данных "
        "прервалось, сначала проверьте журнал, а затем значение времени ожидания.",
        (49, 74, 81),
    ),
    ("".join(f"{n} {n * n} {n**3} {n**4} {n / 7:.4f}\n" for n in range(11, 300, 7)), (755, 755, 613)),
    ("".join(" " * (n % 5 * 4) + f"if x{n}:\n" for n in range(40)), (192, 192, 200)),
    (
        "".join(f"| {name:<14} |     {n:>8} |    yes |\n" for n, name in enumerate(["alpha", "beta"] * 12)),
        (264, 264, 264),
    ),
    (
        "".join(f"{name}\t{n * 37}\tyes\t\tred\n" for n, name in enumerate(["alpha", "beta"] * 12)),
        (216, 216, 216),
    ),
    ("Done ✅ – all tests pass 🎉🚀, but two warnings ⚠️ remain → see the log 📦.\n", (25, 30, 31)),
]


@pytest.mark.parametrize(("text", "counts"), SAMPLES, ids=[text[:12].strip() for text, _ in SAMPLES])
def test_the_estimate_is_near_recorded_counts(text: str, counts: tuple[int, int, int]) -> None:
    o200k, cl100k, claude_2 = counts
    estimate = estimate_tokens(text)
    below, above = (0.94, 1.06) if text.isascii() else (0.80, 1.25)
    assert below * o200k <= estimate <= above * o200k
    assert estimate >= 0.59 * max(cl100k, claude_2)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("你", 1), ("🎉", 2), ("\n" * 50, 1)])
def test_the_smallest_estimates(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens
