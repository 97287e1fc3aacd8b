"""What must stay in step: pyproject, locks, script headers, the range of Pythons, and which module imports which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import metadata, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from litellm_skill import environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from tiny_skill import old_python

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
PACKAGE = ROOT / "scripts" / "litellm_skill"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").glob("*.py"))
EVALS = sorted((ROOT / "evals").glob("*.py"))
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = [Requirement(text) for text in PYPROJECT["project"]["dependencies"]]
DEVELOPMENT = [Requirement(text) for text in PYPROJECT["dependency-groups"]["dev"]]
LOCKS = {"requirements.lock": RUNTIME, "requirements-dev.lock": RUNTIME + DEVELOPMENT}
HEADER = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")  # PEP 723

# Each may import only what stands below it. gateway is a folder with an order of its own.
START_UP = [
    *(
        "foundation",
        "launch",
        "warmth",
        "warm",
        "warmer",
        "reception",
        "stand_in",
        "leaving",
        "quarters",
        "situation",
        "errand",
    ),
    *("installation", "installer", "package_index", "environment"),
]
ORDER = [
    *("prime", "call", "embedding", "inventory", "listing", "batch", "works", "compare", "judging", "route", "review"),
    *("merging", "reviewers", "escalation", "aside", "planner", "checkup", "ping", "job", "inquiry", "dialogue"),
    *("run", "relay", "material", "intake", "command", "offers", "proof", "recall", "upkeep", "journal", "meter"),
    *("results", "progress", "console", "harvest", "synthesis", "panel", "seats", "ballot", "page", "grading"),
    *("comparison", "standings", "sarif", "critique", "report", "plan", "lane", "choice", "gateway", "vectors"),
    *("quantity", "history", "purse", "ledger", "ratelimits", "database", "reachability", "process", "credentials"),
    *("check", "refresh", "embedding_models", "proxy", "endpoints", "deployments", "modellist", "yamlfile", "access"),
    *("host", "routing", "catalog", "trial", "looking", "evidence", "sources", "findings", "cascade", "tasks"),
    *("task_features", "task_forms", "task_lexicon", "task_subjects"),
    *("modelfile", "pricetable", "nearest", "price", "demo", "answer", "structure", "fence", "conversation", "texts"),
    *("prompt", "throttle", "records", "survey", "tally", "scoring", "rows", "changes", "audit"),
    *("agreement", "toolbox", "tools", "functions", "attachments", "media", "pdf", "worker", "screen", "secret_rules"),
    *("redaction", "policy", "download", "certificates", "settings", "providers", "faults"),
]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(node: ast.AST) -> Iterator[str]:
    """Dotted names, ``from package import module`` as ``package.module``."""
    for found in ast.walk(node):
        if isinstance(found, ast.Import):
            yield from (name.name for name in found.names)
        elif isinstance(found, ast.ImportFrom):
            assert found.level == 0, "absolute imports only"
            yield from (f"{found.module}.{name.name}" for name in found.names)


def module_name(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def own_imports(path: Path) -> set[str]:
    """The modules of the package that ``path`` imports, wherever in it."""
    parts = [name.split(".") for name in imported(tree(path)) if name.startswith("litellm_skill.")]
    return {part[1] for part in parts} - {module_name(path)} if path in MODULES else {part[1] for part in parts}


def locked(name: str) -> dict[str, set[str]]:
    """Each entry of a lock file, ``name==version ; marker``, with its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.findall(r"^([\w.-]+==[^\\\n]*?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.M)
    return {entry: set(re.findall("sha256:([0-9a-f]+)", hashes)) for entry, hashes in entries}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_states_what_the_project_needs(script: Path) -> None:
    """For people who type `uv run`."""
    (header,) = HEADER.finditer(script.read_text(encoding="utf-8"))
    stated = tomllib.loads("\n".join(line[2:] for line in header["content"].splitlines()))
    assert stated == {name: PYPROJECT["project"][name] for name in ("requires-python", "dependencies")}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_is_asked_for(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    versions = {entry.partition("==")[0]: entry.partition("==")[2].split()[0] for entry in locked(name)}
    asked = {requirement.name: requirement.specifier for requirement in LOCKS[name]}
    assert [name for name, allowed in asked.items() if versions[name] not in allowed] == []
    because = re.findall(r"^([\w.-]+)==(?:.*\n)(?:    --hash.*\n)+((?:    #.*\n)+)", text, re.M)
    direct = {package for package, reasons in because if re.search(r"\blitellm-skill\b", reasons)}
    assert direct == set(asked)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_on_any_index(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"[^\s#]", line)]
    assert len(lines) == len(locked(name)), "an entry without hashes, or an option"
    assert re.findall(r"://|index-url|find-links", text.replace("--no-emit-index-url", "")) == []


def test_both_locks_agree() -> None:
    runtime, development = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {entry: development.get(entry) for entry in runtime} == runtime
    assert not (ROOT / "uv.lock").exists()


def test_the_start_up_code_knows_the_dependencies_and_pythons() -> None:
    extras = set().union(*(requirement.extras for requirement in RUNTIME))
    assert set(environment.DIRECT) == {requirement.name for requirement in RUNTIME} | extras
    allowed = SpecifierSet(PYPROJECT["project"]["requires-python"])
    allowed &= SpecifierSet(metadata("litellm")["Requires-Python"])
    inside = [minor for minor in range(6, 40) if f"3.{minor}" in allowed]
    assert ((3, inside[0]), (3, inside[-1] + 1)) == (environment.FLOOR, environment.CEILING)


@pytest.mark.parametrize(
    ("paths", "declared"), [(SCRIPTS + MODULES, RUNTIME), (TESTS, RUNTIME + DEVELOPMENT)], ids=["scripts", "tests"]
)
def test_what_is_imported_is_declared(paths: list[Path], declared: list[Requirement]) -> None:
    ours = {"litellm_skill", "hosts", *(path.stem for path in SCRIPTS + TESTS + EVALS)}
    names = {name.partition(".")[0] for path in paths for name in imported(tree(path))}
    foreign = names - ours - set(sys.stdlib_module_names)
    known = packages_distributions()
    distributions = {distribution.lower() for name in foreign for distribution in known.get(name, [name])}
    assert distributions - {requirement.name for requirement in declared} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    name = module_name(path)
    if name == "__init__":
        assert own_imports(path) == set()
        return
    order = next((order for order in (START_UP, ORDER) if name in order), None)
    assert order, f"{name} has no place in the order of imports"
    assert own_imports(path) - set(order[order.index(name) + 1 :]) == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_imports_no_script(script: Path) -> None:
    others = {path.stem for path in SCRIPTS}
    assert {name.partition(".")[0] for name in imported(tree(script))} & others == set()


def test_only_the_gateway_imports_litellm_and_only_in_functions() -> None:
    found = set()
    for path in SCRIPTS + MODULES:
        parsed = tree(path)
        inside = {node for function in functions(parsed) for node in ast.walk(function)}
        imports = [node for node in ast.walk(parsed) if isinstance(node, ast.Import | ast.ImportFrom)]
        ours = [node for node in imports if "litellm" in {name.partition(".")[0] for name in imported(node)}]
        found |= {(module_name(path) if path in MODULES else path.stem, node in inside) for node in ours}
    assert found == {("gateway", True)}


def functions(node: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [found for found in ast.walk(node) if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)]


def start_up_files() -> list[Path]:
    modules = [PACKAGE / f"{name}.py" for name in ["__init__", *START_UP]]
    return [*SCRIPTS, *modules, ROOT / "tests" / "__main__.py"]


@pytest.mark.parametrize("path", start_up_files(), ids=lambda path: path.name)
def test_start_up_runs_on_any_python(path: Path) -> None:
    """Python 3.8 syntax; at the top only the standard library, and the rest of start-up."""
    parsed = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    top = [node for node in parsed.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name for node in top for name in imported(node)}
    ours = {name.split(".")[1] for name in names if name.startswith("litellm_skill.")}
    assert ours <= set(START_UP)
    assert {name.partition(".")[0] for name in names} <= {"litellm_skill", *sys.stdlib_module_names}


@pytest.mark.skipif(not old_python(), reason="no Python 3.8, 3.9 or 3.10 here")
def test_start_up_compiles_on_an_old_python() -> None:
    command = [str(old_python()), "-c", "import sys; [compile(open(f).read(), f, 'exec') for f in sys.argv[1:]]"]
    done = subprocess.run([*command, *map(str, start_up_files())], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", SCRIPTS + MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions(tree(path))}
    assert {name: length for name, length in lengths.items() if length > 40} == {}
