"""The schedulers' blocks of references/scale.md, run as they stand, but without the schedulers.

Ray itself is opt-in, for it is large: ``LITELLM_SKILL_TEST_RAY=1``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import blocks
import pytest
import yaml
from conftest import SCRIPTS
from provider_server import ProviderServer

ROOT = SCRIPTS.parent
WANTED = "LITELLM_SKILL_TEST_RAY"
ASKED_FOR = bool(os.environ.get(WANTED))
UV = [sys.executable, "-m", "uv"]
OUTSIDE = dict(os.environ)  # the machine's own, with its index and its certificates: to install Ray


def block(language: str) -> str:
    """The only one of the page."""
    (code,) = [block.text for block in blocks.of(ROOT / "references" / "scale.md") if block.language == language]
    return code


def slurm(folder: Path) -> str:
    """The job's script, as the first task of the array is run."""
    (folder / "skills").mkdir()
    (folder / "skills" / "litellm").symlink_to(ROOT)
    os.environ |= {"SLURM_ARRAY_TASK_ID": "1", "HOME": str(folder)}
    return block("bash")


def kubernetes(folder: Path) -> str:
    """What the container with the first index is told, with its volumes where they are here."""
    os.environ["JOB_COMPLETION_INDEX"] = "0"
    (container,) = yaml.safe_load(block("yaml"))["spec"]["template"]["spec"]["containers"]
    return container["args"][0].replace("/skill/", f"{ROOT}/").replace("/data/", f"{folder}/")


def test_each_scheduler_takes_the_same_part(provider: ProviderServer, tmp_path: Path) -> None:
    rows = [{"id": str(number), "prompt": f"row {number}"} for number in range(40)]
    provider.models = ("fast",)
    parts = []
    for scheduler, result in ((slurm, "results-1.jsonl"), (kubernetes, "results-0.jsonl")):
        folder = tmp_path / scheduler.__name__
        folder.mkdir()
        (folder / "prompts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        os.environ |= {"LITELLM_PROXY_API_BASE": provider.url, "LITELLM_PROXY_API_KEY": "key-of-proxy-0123456789"}
        command = ["bash", "-c", scheduler(folder)]
        env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = (folder / result).read_text().splitlines()
        parts.append({row["id"] for row in map(json.loads, lines) if "id" in row})
    assert parts[0] == parts[1]
    assert 0 < len(parts[0]) < len(rows)


def python_with_ray(folder: Path) -> Path:
    python = folder / "bin" / "python"
    for command in (["venv", "-q", str(folder)], ["pip", "install", "-q", "--python", str(python), "ray"]):
        subprocess.run([*UV, *command], env=OUTSIDE, check=True, timeout=500)
    return python


@pytest.mark.skipif(not ASKED_FOR, reason=f"set {WANTED}=1 to install Ray and run it")
def test_ray_runs_every_shard(provider: ProviderServer, tmp_path: Path) -> None:
    rows = [{"id": str(number), "prompt": f"row {number}"} for number in range(12)]
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    script = tmp_path / "block.py"
    names = {
        "SCRIPT": str(SCRIPTS / "compare_models.py"),
        "BATCH": str(tmp_path / "in.jsonl"),
        "OUT": str(tmp_path / "out"),
        "FLAGS": ["-m", "openai/test-model", "-j", "2"],
    }
    given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    script.write_text(given + block("python"))
    key = {"OPENAI_API_KEY": "key-of-openai-0123456789", "OPENAI_BASE_URL": f"{provider.url}/v1"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, **key, "PATH": path, "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    python = python_with_ray(tmp_path / "ray")
    done = subprocess.run([str(python), str(script)], env=env, capture_output=True, text=True, timeout=500, check=False)
    assert "[0, 0, 0, 0]" in done.stdout.splitlines(), done.stderr[-2000:]  # among what Ray passes on of the shards
    lines = [line for part in tmp_path.glob("out-*.jsonl") for line in part.read_text().splitlines()]
    answered = [row["id"] for row in map(json.loads, lines) if "id" in row]
    assert sorted(answered, key=int) == [row["id"] for row in rows]
    assert len(provider.requests) == len(rows)


def test_the_block_is_python() -> None:
    compile(block("python"), "references/scale.md", "exec")
