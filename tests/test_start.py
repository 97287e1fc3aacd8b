"""What costs nothing must not pay for LiteLLM: shown in processes, where nothing else has imported it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from provider_server import ProviderServer, Reply

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
CHEAP = [
    ("call_model", ["--help"], 0),
    ("call_model", ["hi", "--no-such-flag"], 2),
    ("call_model", ["hi", "-f", "absent"], 2),
    ("call_model", ["hi", "-m", "openai/test-model", "--dry-run"], 0),
    ("call_model", ["hi", "-m", "openai:best", "--dry-run", "--json"], 0),
    ("call_model", ["hi", "-m", "openai/test-model"], 3),
    ("call_model", ["hi", "-m", "gpt4o"], 4),
    ("call_model", ["hi"], 3),
    ("cheap_route", ["Mend this function", "--demo", "--dry-run"], 0),
    ("list_models", ["--query", "gpt", "--no-endpoints"], 0),
]
ASK = """
import importlib, json, sys
codes = [importlib.import_module(script).main(argv) for script, argv, _ in json.loads(sys.argv[1])]
heavy = sorted({"litellm", "httpx", "openai", "pydantic", "asyncio"} & set(sys.modules))
print(json.dumps([codes, heavy]), file=sys.stderr)
"""

CALL = """
import gc, json, sys
import call_model
code = call_model.main(["hi", "-m", "openai/test-model"])
tables = [name for name in sys.modules if name.endswith(("default_encoding", "tiktoken_ext.openai_public"))]
print(json.dumps([tables, gc.get_freeze_count(), gc.isenabled()]), file=sys.stderr)
sys.exit(code)
"""


def test_litellm_is_imported_only_for_a_call() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(CHEAP)],
        cwd=SCRIPTS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    codes, heavy = json.loads(done.stderr.splitlines()[-1])
    assert codes == [code for *_, code in CHEAP]
    assert heavy == []


def test_a_call_loads_no_tokens_and_leaves_what_stays_to_itself(provider: ProviderServer, tmp_path: Path) -> None:
    """LiteLLM's table of tokens costs a tenth of a call; the collector, were it to look at LiteLLM's objects, more."""
    provider.reply(Reply(text="hello"))
    env = {"HOME": str(tmp_path), "OPENAI_API_KEY": "k-openai-1", "OPENAI_BASE_URL": provider.url + "/v1"}
    done = subprocess.run(
        [sys.executable, "-c", CALL], cwd=SCRIPTS, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env
    )
    assert (done.returncode, done.stdout) == (0, "hello\n")
    tables, frozen, collecting = json.loads(done.stderr)
    assert tables == []
    assert frozen > 100_000
    assert collecting


def test_a_damaged_package_is_named_and_mended(run_process, tmp_path: Path) -> None:
    (tmp_path / "pydantic_core.py").write_text("raise ImportError('half of it is gone')")
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)}
    outcome = run_process("call_model", "--demo", "hi", env=env)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert outcome.stderr.startswith("error: LiteLLM cannot be imported: ImportError: half of it is gone\nnext: ")


@pytest.mark.parametrize("argv", [["--demo", "say hi"], ["--demo", "say hi", "--json"]])
def test_the_script_as_a_process(run_process, argv: list[str], tmp_path: Path) -> None:
    outcome = run_process("call_model", *argv, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert (outcome.code, outcome.stderr) == (0, "")
    text = json.loads(outcome.stdout)["text"] if "--json" in argv else outcome.stdout
    assert text.startswith("[demo: no model was called] ")


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPTS / "call_model.py"), "--demo", "hi"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"HOME": str(tmp_path)},
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_answer_is_kept(provider: ProviderServer, tmp_path: Path, number: signal.Signals) -> None:
    provider.reply(Reply(text="soon never", pieces=("soon", " never"), piece_delay_s=15))
    env = {"HOME": str(tmp_path), "OPENAI_API_KEY": "k-openai-1", "OPENAI_BASE_URL": provider.url + "/v1"}
    command = [sys.executable, str(SCRIPTS / "call_model.py"), "hi", "-m", "openai/test-model"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True
    )
    assert process.stdout
    assert process.stdout.read(4) == "soon"
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (130, "\n")
    assert stderr == "error: interrupted\nnext: the text so far is kept\n"
    (kept,) = tmp_path.rglob("results/*.txt")
    assert kept.read_text() == "soon"


def test_an_interrupt_before_the_call_is_told_in_two_lines(tmp_path: Path) -> None:
    """While it waits for stdin nothing has been sent."""
    command = [sys.executable, str(SCRIPTS / "call_model.py"), "-", "--demo"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"HOME": str(tmp_path)}
    )
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (130, b"")
    assert stderr.startswith(b"error: interrupted")


@pytest.mark.parametrize("work", ["launch._needs_nothing = stop", "pass"], ids=["at the start", "as it imports"])
def test_an_interrupt_before_anybody_listens_is_told_in_two_lines(work: str) -> None:
    """At such a moment as no signal can be timed to hit."""
    body = f"def stop():\n    raise KeyboardInterrupt\n{work}\nlaunch.run(stop)"
    program = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\nfrom litellm_skill import launch\n{body}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\nnext: ask again\n")
