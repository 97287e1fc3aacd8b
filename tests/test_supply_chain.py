"""What this folder brings to other machines: the workflow, the scans and what they excuse, the packages, the papers."""

from __future__ import annotations

import re
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
import scans
import yaml
from litellm_skill import environment

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
POLICY: dict[str, Any] = yaml.safe_load(scans.POLICY.read_text(encoding="utf-8"))


def commands(name: str) -> list[str]:
    """The indented lines of a page."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_pinned_actions_without_rights_or_secrets(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: *(.*)", text)
    assert used
    assert [one for one in used if not PINNED.fullmatch(one)] == []
    assert "secrets" not in text
    assert "pull_request_target" not in text
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    (checkout,) = (step for step in steps(workflow) if "actions/checkout" in step.get("uses", ""))
    assert checkout["with"] == {"persist-credentials": False}


def test_the_workflow_does_what_ci_does_on_each_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert [step["run"] for step in steps(workflow) if "run" in step] == [".ci/run"]
    (floor, first), (_, after) = environment.FLOOR, environment.CEILING
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == [f"{floor}.{minor}" for minor in range(first, after)]


def test_no_package_runs_code_at_every_start() -> None:
    """A .pth file does: LiteLLM 1.82.8 stole by one. setuptools has its own, where ensurepip had to bring it."""
    folders = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    found = {path.name for folder in folders for path in Path(folder).glob("*.pth")}
    assert found - {"distutils-precedence.pth"} == set()


def test_the_tools_that_scan_are_pinned() -> None:
    assert [version for version in scans.TOOLS.values() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", scans.BEFORE)


def test_what_a_scan_excuses_is_narrow_and_has_a_reason() -> None:
    """No rule is off, and none for a folder but that of the tests."""
    assert set(POLICY) == {"file_limits", "suppressions"}
    for entry in POLICY["suppressions"]:
        assert set(entry) == {"rule_id", "paths", "reason"}
        assert len(entry["reason"].split()) > 1, entry
        files = [path.removeprefix("**/") for path in entry["paths"]]  # some rules name a file by its whole path
        assert [path for path in files if "*" in path and not path.startswith("tests/")] == []
        assert [path for path in files if "*" not in path and not (ROOT / path).is_file()] == []


def test_an_excuse_for_nothing_is_told() -> None:
    known = [{"rule_id": "A", "paths": ["x.py", "y.py"]}, {"rule_id": "B", "paths": ["x.py"]}]
    excused = [{"metadata": {"suppression": {"rule_id": "A", "matched_path": "x.py"}}}]
    told = [line.partition(": ")[2] for line in scans.stale(known, excused)]
    assert told == ["A is not found in y.py", "B is not found in x.py"]


def test_the_changelog_has_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, re.M)
    assert versions[0] == VERSION
    kinds = set(re.findall(r"^### (.*)", text, re.M))
    assert kinds
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert f'version: "{VERSION}"' in (ROOT / "SKILL.md").read_text(encoding="utf-8")


def test_the_chinese_page_has_the_commands_of_the_english_one() -> None:
    chinese = commands("README.zh-CN.md")
    assert [line for line in chinese if line not in commands("README.md")] == []
    assert chinese[:2] == commands("README.md")[:2]
    assert [line for line in chinese if "git clone" in line or "npx" in line]


@pytest.mark.parametrize("name", ["README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_links_to_exists(name: str) -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)", (ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
