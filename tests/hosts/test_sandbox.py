"""Codex's sandboxes: what the scripts do in them, and that what they then say is the setting that helps."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hosts.host import Home, available, read
from tiny_skill import bare_python

WANTED = "LITELLM_SKILL_HOSTS"
pytestmark = [
    pytest.mark.skipif(not os.environ.get(WANTED), reason=f"set {WANTED}=1 to install Codex from npm and run it"),
    pytest.mark.xdist_group("codex"),
]
CODEX = read()["codex"]
DEMO = 'python3 call_model.py --demo "hi"'
ASK = 'python3 call_model.py "hi" -m openai/test-model'
SETTING = "network_access = true below [sandbox_workspace_write]"
CASES = [
    (["-s", "read-only"], DEMO, 0, r"\n\[demo: no model was called\] .*\n<<<end of untrusted answer \w+>>>\n"),
    (["-s", "workspace-write"], DEMO, 0, r"\n\[demo: no model was called\] .*\n<<<end of untrusted answer \w+>>>\n"),
    (["-s", "read-only"], ASK, 8, re.escape(SETTING)),
    (["-s", "workspace-write"], ASK, 8, re.escape(SETTING)),
    (["-s", "read-only"], f"{ASK} --background", 3, "nothing would hold the answer"),
]
IDS = ["demo, read-only", "demo, workspace", "model, read-only", "model, workspace", "background, read-only"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its sandbox needs rights that a container may not have."""
    command = [str(available(CODEX).installed()), "sandbox", "--", "/bin/true"]
    env = {"HOME": str(tmp_path_factory.mktemp("home")), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"Codex has no sandbox here: {done.stderr.strip()[-200:]}")


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("arguments", "command", "code", "shown"), CASES, ids=IDS)
def test_in_a_sandbox(arguments: list[str], command: str, code: int, shown: str, tmp_path: Path) -> None:
    home = Home(tmp_path, CODEX)
    session = home.converse(command, arguments=arguments)
    assert f"exited with code {code}\n" in session.results[2], session.said
    assert re.search(shown, session.results[2]), session.results[2]
    assert session.asked == 0
    assert os.listdir(home.work) == []


@pytest.mark.usefixtures("sandbox")
def test_the_setting_helps(tmp_path: Path) -> None:
    session = Home(tmp_path, CODEX, [".codex/config.toml"]).converse(ASK, answer="You see me.")
    assert "\nYou see me.\n" in session.results[2], session.said
    assert session.asked == 1


@pytest.mark.usefixtures("sandbox")
def test_a_first_run_says_what_it_lacks(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is installed, and nothing can be."""
    session = Home(tmp_path, CODEX, python=bare_python(tmp_path_factory.getbasetemp())).converse(DEMO)
    assert "exited with code 3\n" in session.results[2], session.said
    assert "\nnext: run the command once in a terminal of your own, outside Codex's sandbox" in session.results[2]
