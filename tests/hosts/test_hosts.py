"""Real hosts, each in an empty home with a scripted model: they offer the skill, load it, run it, show the answer."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hosts.host import ROOT, Home, Host, Session, available, read

WANTED = "LITELLM_SKILL_HOSTS"
pytestmark = pytest.mark.skipif(
    not os.environ.get(WANTED), reason=f"set {WANTED}=1 to install hosts from npm and run them"
)
HOSTS = [pytest.param(host, id=name, marks=pytest.mark.xdist_group(name)) for name, host in read().items()]
SKILL = (ROOT / "SKILL.md").read_text(encoding="utf-8")
FRONT, BODY = SKILL.split("---\n", 2)[1:]
DEMO = 'python3 call_model.py --demo "hi"'
ASK = 'python3 call_model.py "hi" -m openai/test-model'
LONG = "One line of a long answer.\n" * 2000  # more than any host shows of an output
FENCED = re.compile(r"<<<untrusted answer (\w+) from [^>]+>>>\n(.*)\n<<<end of untrusted answer \1>>>", re.S)


@pytest.fixture(scope="module", params=HOSTS)
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """With the README's rule, the model runs a demo and asks another model, which is talkative."""
    host = available(request.param)
    home = Home(tmp_path_factory.mktemp(host.name), host, [host.rule])
    return home.converse(DEMO, ASK, answer=LONG)


def test_it_is_offered(session: Session) -> None:
    description = " ".join(FRONT.partition("description: >-\n")[2].partition("\nlicense:")[0].split())
    assert "litellm" in session.heard[0], session.said
    assert description in session.heard[0]


def test_it_is_loaded(session: Session) -> None:
    assert BODY.strip() not in session.heard[0]
    assert BODY.strip() in session.heard[1], session.said


def test_the_demo_answers(session: Session) -> None:
    found = FENCED.search(session.results[2])
    assert found, session.said
    assert found[2].startswith("[demo: no model was called] Your prompt arrived here: 2 characters")


def test_a_long_answer_arrives_up_to_its_last_line(session: Session) -> None:
    """Cut by the skill, not by the host: the text is its beginning, and the last line says where the rest is."""
    found = FENCED.search(session.results[3])
    assert found, session.said
    assert 7_000 < len(found[2]) < 8_000
    assert LONG.startswith(found[2])
    path = re.search(r"cut after \d+ of \d+ characters; full answer: (\S+)", session.results[3])
    assert path
    assert Path(path[1]).read_text(encoding="utf-8").strip() == LONG.strip()


def test_nothing_left_this_machine(session: Session) -> None:
    assert session.asked_for == ()


@pytest.mark.parametrize("host", HOSTS)
def test_without_the_rule_it_does_not_reach_a_model(host: Host, tmp_path: Path) -> None:
    session = Home(tmp_path, available(host)).converse(ASK)
    assert host.refusal in "\n".join([*session.results, session.said])
    assert session.asked == 0
    assert not any(map(FENCED.search, session.results))


@pytest.mark.parametrize("flag", ["--functions x.py", "--check-cmd true"])
def test_claude_code_asks_before_code_is_run(flag: str, tmp_path: Path) -> None:
    host = read()["claude-code"]
    session = Home(tmp_path, available(host), [host.rule]).converse(f"{DEMO} {flag}")
    assert session.results[2] == "Claude requested permissions to use Bash, but you haven't granted it yet."
