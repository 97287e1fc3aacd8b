#!/usr/bin/env python3
"""Fit the weights by which cheap_route.py tells what a prompt asks for, and try them on authors left out."""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent
sys.path[:0] = [str(_ROOT / "scripts")]

from litellm_skill import task_features, tasks  # noqa: E402

EXAMPLES = """examples:
  python3 benchmarks/task_types.py          how well authors are told whose prompts were left out of the fit
  python3 benchmarks/task_types.py --write  scripts/litellm_skill/task_weights.json, fitted on all prompts

Prompts: tests/data/task_prompts*.jsonl (six authors, each blind to the others), benchmarks/task_prompts.jsonl
(written for the fit), benchmarks/task_extract.jsonl (190 rows of GSM8K and MATH as in ZeroEval, Apache-2.0; of MMLU as
in RouteLLM, Apache-2.0; of MMLU-Pro, MIT; `source` says which)."""

Features = dict[str, float]
Example = tuple[Features, int]  # and the number of its kind
Weights = dict[str, list[float]]  # of each kind, by feature
KINDS = list(tasks.NAMES)
_AUTHORS = ("", "_one", "_two", "_three", "_four", "_five")
AUTHORS = {name: _ROOT / "tests" / "data" / f"task_prompts{name}.jsonl" for name in _AUTHORS}
MORE = (_HERE / "task_prompts.jsonl", _HERE / "task_extract.jsonl")
_ROUNDS, _STEP, _DECAY = 20, 0.25, 0.01
_LEAST = 3  # prompts in which a feature must occur
_SURE = 0.004  # a share that is right up to this much teaches nothing
_GRAIN = 20  # the weights are kept in twentieths
_FAINT = 8  # of them; a feature whose weights differ by less is left out


def main(argv: list[str] | None = None) -> int:
    args = _flags().parse_args(argv)
    if args.write:
        rows = [row for path in (*AUTHORS.values(), *MORE) for row in examples(path)]
        tasks.WEIGHTS.write_text(_text(fitted(rows)), encoding="utf-8")
        print(f"{len(rows):,} prompts; {tasks.WEIGHTS} has {tasks.WEIGHTS.stat().st_size:,} bytes")
        return 0
    more = [] if args.alone else [row for path in MORE for row in examples(path)]
    for name, right in left_out(more).items():
        shares = "  ".join(f"{kind} {good}/{of}" for kind, (good, of) in right.items())
        good, of = (sum(counts) for counts in zip(*right.values(), strict=True))
        print(f"task_prompts{name}: {good / of:.3f}  {shares}")
    return 0


def _flags() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES, formatter_class=shape, allow_abbrev=False)
    parser.add_argument("--write", action="store_true", help="fit on all prompts and keep the weights")
    parser.add_argument("--alone", action="store_true", help="without the prompts that were written for the fit")
    return parser


def left_out(more: Sequence[Example]) -> dict[str, dict[str, tuple[int, int]]]:
    """{author: {kind: (right, all)}}, each author told by what the others' prompts and ``more`` teach."""
    sets = {name: examples(path) for name, path in AUTHORS.items()}
    found = {}
    for name, rows in sets.items():
        others = [row for other, theirs in sets.items() if other != name for row in theirs]
        weights = fitted([*more, *others])
        told = [(kind, _heaviest(weights, features)) for features, kind in rows]
        every, right = Counter(kind for kind, _ in told), Counter(kind for kind, called in told if kind == called)
        found[name] = {KINDS[kind]: (right[kind], every[kind]) for kind in sorted(every)}
    return found


def examples(path: Path) -> list[Example]:
    """Of a file of {"prompt", "task"} a line."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(task_features.of(task_features.see(row["prompt"])), KINDS.index(row["task"])) for row in rows]


def fitted(rows: Sequence[Example]) -> Weights:
    """{feature: [weight of each kind]}: logistic regression by Adagrad, the mean of the later half of the rounds."""
    often = Counter(name for features, _ in rows for name in features)
    rows = [({k: v for k, v in features.items() if often[k] >= _LEAST}, kind) for features, kind in rows]
    weights = {name: [0.0] * len(KINDS) for features, _ in rows for name in features}
    grown = {name: [0.01] * len(KINDS) for name in weights}
    mean = {name: [0.0] * len(KINDS) for name in weights}
    dice = random.Random(7)
    for turn in range(_ROUNDS):
        dice.shuffle(rows)
        for features, kind in rows:
            _learn(weights, grown, features, kind)
        if turn >= _ROUNDS // 2:
            for name, row in weights.items():
                mean[name] = [old + new for old, new in zip(mean[name], row, strict=True)]
    return {name: [weight / (_ROUNDS - _ROUNDS // 2) for weight in row] for name, row in mean.items()}


def _learn(weights: Weights, grown: Weights, features: Features, kind: int) -> None:
    for index, share in enumerate(_shares(weights, features)):
        error = share - (index == kind)
        if abs(error) < _SURE:
            continue
        for name, size in features.items():
            row, past = weights[name], grown[name]
            slope = error * size + _DECAY * row[index]
            past[index] += slope * slope
            row[index] -= _STEP * slope / math.sqrt(past[index])


def _totals(weights: Weights, features: Features) -> list[float]:
    rows = [(weights[name], size) for name, size in features.items() if name in weights]
    return [sum(row[index] * size for row, size in rows) for index in range(len(KINDS))]


def _shares(weights: Weights, features: Features) -> list[float]:
    totals = _totals(weights, features)
    powers = [math.exp(total - max(totals)) for total in totals]
    return [power / sum(powers) for power in powers]


def _heaviest(weights: Weights, features: Features) -> int:
    totals = _totals(weights, features)
    return totals.index(max(totals))


def _text(weights: Weights) -> str:
    """A feature a line, in twentieths from their mean: only differences count."""
    kept = {}
    for name, row in sorted(weights.items()):
        middle = sum(row) / len(row)
        grains = [round(_GRAIN * (weight - middle)) for weight in row]
        if max(grains) - min(grains) >= _FAINT:
            kept[name] = " ".join(str(grain) for grain in grains)
    return json.dumps(kept, ensure_ascii=False, indent=0, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    sys.exit(main())
