"""Scan what users install, which is this whole folder: ``python3 tests --scan``.

Three tools, each by ``uv tool run`` in an environment of its own: skill-scanner (strict, with the behavioural analyser,
without a model) and detect-secrets read a copy of the tracked files; pip-audit asks PyPI about requirements.lock. A
finding fails; a tool that cannot be had, or a service that does not answer, is said and skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
POLICY = ROOT / "tests" / "scan_policy.yaml"
TOOLS = {"cisco-ai-skill-scanner": "2.3.2", "detect-secrets": "1.5.0", "pip-audit": "2.10.1"}
BEFORE = "2026-11-13T00:00:00Z"  # what the tools stand on is no newer than this
INSTALLING, SCANNING = 600, 1200  # seconds
# Guesses by name or entropy: screen.py knows this tree better (tests/test_screen.py). The two files are about secrets.
GUESSES = ["KeywordDetector", "Base64HighEntropyString", "HexHighEntropyString"]
LOOK_ALIKES = r"tests/test_(screen|redaction)\.py"


class Skipped(Exception):
    """Why a scan could not be made."""


def copy(folder: Path) -> Path:
    """The files of the working tree that git does not ignore, in a folder named as the skill is."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    target = folder / "litellm"
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def tool(package: str, program: str, *arguments: str, directory: Path, limit: int) -> subprocess.CompletedProcess[str]:
    """Raises Skipped when the time is over."""
    uv = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--exclude-newer", BEFORE]
    command = [*uv, "--from", f"{package}=={TOOLS[package]}", program, *arguments]
    try:
        return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise Skipped(f"{program} took more than {limit} s") from error


def have(package: str, program: str) -> None:
    """Raises Skipped when the tool cannot be installed."""
    done = tool(package, program, "--version", directory=ROOT, limit=INSTALLING)
    if done.returncode:
        raise Skipped(f"{package} could not be installed: {' '.join(done.stderr.split())[-200:]}")


def document(done: subprocess.CompletedProcess[str], text: str) -> dict[str, Any]:
    """Raises SystemExit when the tool printed no JSON: a scanner that broke has found nothing, but proved nothing."""
    try:
        return dict(json.loads(text))
    except ValueError:
        sys.exit(f"{done.args}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def skill_scanner(skill: Path) -> list[str]:
    package, program = "cisco-ai-skill-scanner", "skill-scanner"
    have(package, program)
    policy, report = skill.parent / "policy.yaml", skill.parent / "report.json"
    tool(package, program, "generate-policy", "--preset", "strict", "-o", str(policy), directory=skill, limit=60)
    known = laid_over(policy)
    flags = ["--policy", str(policy), "--use-behavioral", "--format", "json", "--output-json", str(report)]
    done = tool(package, program, "scan", str(skill), *flags, directory=skill.parent, limit=SCANNING)
    found = document(done, report.read_text(encoding="utf-8") if report.exists() else "")
    problems = [_line(finding) for finding in found["findings"]]
    problems += [f"analyser failed: {failed}" for failed in found.get("analyzers_failed", [])]
    if "behavioral_analyzer" not in found["analyzers_used"]:
        problems.append("the behavioural analyser did not run")
    return problems + stale(known, found.get("suppressed_findings", []))


def laid_over(preset: Path) -> list[dict[str, Any]]:
    """Write our exceptions into the strict preset; the exceptions."""
    strict = yaml.safe_load(preset.read_text(encoding="utf-8"))
    ours = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    merged = {**strict, **ours, "file_limits": {**strict["file_limits"], **ours["file_limits"]}}
    preset.write_text(yaml.safe_dump(merged), encoding="utf-8")
    return list(ours["suppressions"])


def stale(known: list[dict[str, Any]], suppressed: list[dict[str, Any]]) -> list[str]:
    """Paths of our exceptions that excused nothing."""
    used = [one["metadata"]["suppression"] for one in suppressed]
    matched = {(one["rule_id"], one["matched_path"]) for one in used}
    named = [(entry["rule_id"], path) for entry in known for path in entry["paths"]]
    return [f"{POLICY.name}: {rule} is not found in {path}" for rule, path in named if (rule, path) not in matched]


def _line(finding: dict[str, Any]) -> str:
    place = f"{finding['file_path']}:{finding['line_number']}"
    return f"{finding['severity']} {finding['rule_id']} {place}: {finding['description'].splitlines()[0]}"


def secrets(skill: Path) -> list[str]:
    have("detect-secrets", "detect-secrets")
    flags = ["--all-files", "--no-verify", "--exclude-files", LOOK_ALIKES]
    flags += [flag for plugin in GUESSES for flag in ("--disable-plugin", plugin)]
    done = tool("detect-secrets", "detect-secrets", "scan", *flags, directory=skill, limit=SCANNING)
    found = document(done, done.stdout)["results"]
    return [f"{path}:{one['line_number']}: {one['type']}" for path, ones in found.items() for one in ones]


def advisories(skill: Path) -> list[str]:
    have("pip-audit", "pip-audit")
    flags = ["-r", "requirements.lock", "--disable-pip", "--timeout", "10", "--progress-spinner", "off", "-f", "json"]
    done = tool("pip-audit", "pip-audit", *flags, directory=skill, limit=120)
    if not done.stdout.strip():
        raise Skipped(f"the advisories could not be asked for: {done.stderr.strip()[-200:]}")
    packages = document(done, done.stdout)["dependencies"]
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    if len(unknown) == len(packages):
        raise Skipped("the service of advisories knows none of the packages: a mirror without one?")
    found = [(one, advisory) for one in packages for advisory in one.get("vulns", [])]
    return [f"{one['name']} {one['version']}: {advisory['id']}" for one, advisory in found]


def main() -> int:
    """1 when anything was found."""
    scans: list[Callable[[Path], list[str]]] = [skill_scanner, secrets, advisories]
    code = 0
    with tempfile.TemporaryDirectory() as folder:
        skill = copy(Path(folder))
        for scan in scans:
            try:
                problems = scan(skill)
            except Skipped as why:
                print(f"{scan.__name__}: skipped: {why}")
                continue
            print(f"{scan.__name__}: {len(problems)} findings", *problems, sep="\n  ")
            code = code or int(bool(problems))
    return code


if __name__ == "__main__":
    sys.exit(main())
