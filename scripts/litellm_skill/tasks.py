"""What kind of work a prompt asks for, told from its text, in English and Chinese. Pure, and the same each time.

What the prompt shows (task_features) is weighed for every kind, and the heaviest kind is taken. The weights stand in
task_weights.json; benchmarks/task_types.py fits them, and shows how well they do on prompts of authors left out.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from litellm_skill import modelfile, task_features, task_forms
from litellm_skill.task_features import Seen

NAMES = modelfile.TASKS
WEIGHTS = Path(__file__).with_name("task_weights.json")
_NAMED = 3  # features that are told as the reason
_NOTHING = (0,) * len(NAMES)


@dataclass(frozen=True)
class Task:
    """``comparable``: the answer asked for is short, so that two of them can be compared; ``why``: what speaks most for
    this kind and against the next one."""

    name: str
    comparable: bool
    why: str


def of(text: str, name: str | None = None) -> Task:
    """The task of a prompt; ``name``: as the user says, then only whether its answer is comparable is told."""
    seen = task_features.see(text)
    if name is not None:
        return Task(name, _is_comparable(name, seen), "as told")
    if not text.strip():
        return Task("simple", False, "is empty")
    name, why = _weighed(task_features.of(seen))
    return Task(name, _is_comparable(name, seen), why)


def _weighed(features: dict[str, float]) -> tuple[str, str]:
    weights = {feature: _weight(feature) for feature in features}
    totals = [0.0] * len(NAMES)
    for feature, size in features.items():
        for index, weight in enumerate(weights[feature]):
            totals[index] += weight * size
    second, first = sorted(range(len(NAMES)), key=totals.__getitem__)[-2:]

    def speaks(feature: str) -> float:
        row = weights[feature]
        return (row[first] - row[second]) * features[feature]

    strongest = sorted((feature for feature in features if speaks(feature) > 0), key=speaks, reverse=True)
    told = dict.fromkeys(feature.rpartition("; ")[2] for feature in strongest)  # "code; asks: change" is told once
    return NAMES[first], f"{', '.join([*told][:_NAMED])} (rather than {NAMES[second]})"


def _weight(feature: str) -> tuple[int, ...]:
    """Twentieths for each kind of NAMES."""
    row = _weights().get(feature)
    return tuple(int(weight) for weight in row.split()) if row else _NOTHING


@functools.cache
def _weights() -> dict[str, str]:
    """Of every feature its numbers in one text, of which a prompt needs few: thousands of lists take long to read."""
    found: dict[str, str] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return found


def _is_comparable(name: str, seen: Seen) -> bool:
    if name == "code-reading":
        return task_forms.asks_what_code_yields(f"{seen.ask}\n{seen.material}")
    if name == "math":
        return not task_forms.asks_for_a_proof(f"{seen.ask}\n{seen.material}")
    return name in ("choice", "extract")
