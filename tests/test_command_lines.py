"""The indented commands of SKILL.md, README.md and the references, typed as they stand against the played provider."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pypdf
import pytest
from blocks import PAGES, ROOT
from conftest import Outcome
from provider_server import ProviderServer, Reply

COMMAND = re.compile(
    r"(?m)^    (?P<before>[^\n`]* \| )?python3 (?:SKILL/)?scripts/(?P<script>\w+)\.py(?P<rest>[^\n]*)$"
)
# What stands for something, by the flag before it, else by the word itself.
AFTER = {"--jsonl": "notes.jsonl", "--read": ".", "--wait": "last", "--result": "last"}
WORDS = {
    "PROMPT": "Say hi",
    "FOCUS": "Can this deadlock?",
    "QUERY": "how?",
    "FILE": "notes.txt",
    "REF": "main",
    "USD": "5",
}
WORDS |= {"TERM": "mini", "C": "parse", "CMD": "true", "ollama/NAME": "ollama/test-model"}
WORDS |= dict.fromkeys(["MODEL", "A", "CHEAP"], "openai:cheap") | {"B": "gemini:cheap"}
FILES = ("src/queue.c", "src/lock/lock.py", "notes.txt", "a.md", "b.md", "f.py", "pool.c", "issue.txt", "AGENTS.md")
ROWS = '{"id": "1", "prompt": "one", "text": "one"}\n{"id": "2", "prompt": "two", "text": "two"}\n'
# What the models say, by a word of the command, else an echo; a judge that only echoes is missing, the answers are not.
SAID = {
    "review_code": '{"findings": []}',
    "--schema": '{"names": ["Ada"]}',
    "--check-cmd": "```python\ndef slugify(text):\n    return text.lower()\n```",
}

Run = Callable[..., Outcome]


def commands() -> Iterator[tuple[str, str, str, str]]:
    """Where each stands first, what is piped in, the script, and its arguments."""
    seen = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in COMMAND.finditer(text):
            place = f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}"
            rest = re.split(r"\s{3,}|  # ", found["rest"].rstrip())[0]
            if (found["script"], rest) not in seen:
                seen.add((found["script"], rest))
                yield place, (found["before"] or "").removesuffix(" | "), found["script"], rest


def arguments(rest: str) -> list[str]:
    """What the script gets; of a synopsis the first of each choice."""
    if "[" in re.sub(r"'[^']*'|\"[^\"]*\"", "", rest):
        rest = re.sub(r" \| [^\[\]]*", " ", rest.replace("...", "")).translate(str.maketrans("[]", "  "))
    words = shlex.split(rest)
    if ">" in words:  # the shell's
        words = words[: words.index(">")]
    return [AFTER.get(before) or WORDS.get(word, word) for before, word in zip(["", *words], words, strict=False)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with every file that the commands name, on a branch with changes of its own."""
    folder = Path.cwd()
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("one\n")
    for name in ("prompts.jsonl", "rows.jsonl", "notes.jsonl"):
        (folder / name).write_text(ROWS)
    for name in ("report.pdf", "contract.pdf"):
        writer = pypdf.PdfWriter()
        writer.add_blank_page(100, 100)
        writer.write(folder / name)
    (folder / "weather.py").write_text(
        'def get_weather(city: str) -> str:\n    """The weather."""\n    return "sunny"\n'
    )
    (folder / "test_slugify.py").write_text("def test_it() -> None: ...\n")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "A")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.com")
    for git in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "one"], ["checkout", "-qb", "topic"]):
        subprocess.run(["git", *git], check=True)
    (folder / "f.py").write_text("two\n")
    subprocess.run(["git", "commit", "-qam", "two"], check=True)
    (folder / "f.py").write_text("three\n")
    return folder


@pytest.mark.parametrize(("before", "script", "rest"), [pytest.param(*rest, id=place) for place, *rest in commands()])
def test_a_command_does_what_the_page_says(
    before: str, script: str, rest: str, run: Run, wires: ProviderServer, project: Path
) -> None:
    os.environ |= {"DEEPSEEK_API_KEY": "key-of-deepseek-0123456789", "DEEPSEEK_API_BASE": f"{wires.url}/v1"}
    os.environ |= {
        "OLLAMA_API_BASE": wires.url,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    said = next((text for word, text in SAID.items() if word in f"{script} {rest}"), None)
    wires.default = Reply(text=said)
    if AFTER.keys() & set(rest.split()) & {"--wait", "--result"}:
        assert run("call_model", "earlier", "-m", "openai/test-model").code == 0
    piped = subprocess.run(before, shell=True, capture_output=True, check=True).stdout if before else b""
    outcome = run(script, *arguments(rest), stdin=piped)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout or "--out" in rest


def test_there_are_commands_to_test() -> None:
    assert {script for _, _, script, _ in commands()} == {path.stem for path in (ROOT / "scripts").glob("*.py")} - {
        "doctor"
    }
