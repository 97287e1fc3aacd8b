#!/usr/bin/env python3
"""Replay recorded answers through cheap_route.py's own decisions: how right, how dear, and beside what."""

from __future__ import annotations

import os
import sys

_HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(_HERE), "scripts"), _HERE]

from litellm_skill import launch  # noqa: E402

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping, Sequence
    from typing import Any

    from replay import Row

EXAMPLES = """examples:
  python3 benchmarks/routing.py dev.jsonl.gz --prices prices.json --cheap A --cheap B --strong S --task gsm
  python3 benchmarks/routing.py dev.jsonl.gz --prices prices.json --cheap A --cheap B --strong S --max-loss 0.05 --json

DATA has one JSON object a line, as it is or gzipped: {"task": "benchmark/subject", "prompt": "…",
"m": {model: {"ok": 0..1, "ans": "final answer" or null, "in": prompt tokens, "out": answer tokens}}}
PRICES is {model: [input, output]} in USD per million tokens. Nothing is sent anywhere."""

# The kind of prompts that well-known benchmarks hold, by the head of a row's task; a row may also say it itself.
_KINDS = {
    **dict.fromkeys(("gsm", "math", "mgsm", "aime"), "math"),
    **dict.fromkeys(("mmlu", "arc", "winogrande", "hellaswag", "gpqa", "ceval", "cmmlu"), "choice"),
    **dict.fromkeys(("crux",), "code-reading"),
    **dict.fromkeys(("mbpp", "humaneval"), "code"),
}


def main(argv: list[str] | None = None) -> int:
    from litellm_skill.faults import Fault

    args = _flags().parse_args(argv)
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else importing LiteLLM fetches its price map
    try:
        report = _report(args)
    except Fault as fault:
        print(f"error: {fault.message}\nnext: {fault.hint}", file=sys.stderr)
        return fault.exit_code
    print(_json(report) if args.json else _text(report))
    return 0


def _flags() -> ArgumentParser:
    import argparse

    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES, formatter_class=shape, allow_abbrev=False)
    parser.add_argument("data", metavar="DATA", help="recorded answers")
    parser.add_argument("--prices", required=True, metavar="FILE", help="what the models cost")
    parser.add_argument("--cheap", action="append", required=True, metavar="MODEL", help="as -m (repeatable)")
    parser.add_argument("--strong", required=True, metavar="MODEL", help="as --strong")
    parser.add_argument("--task", action="append", default=[], metavar="PREFIX", help="only such tasks (repeatable)")
    parser.add_argument("--join-prompts", action="store_true", help="merge rows of the same question")
    parser.add_argument("--max-loss", type=float, metavar="L", help="also try the guard of --max-loss on 200 draws")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser


def _report(args: Namespace) -> dict[str, Any]:
    from collections import Counter
    from pathlib import Path

    import baselines
    import curves
    import replay
    from litellm_skill.faults import BadInput

    found = replay.rows(Path(args.data), args.task)
    found = replay.joined(found) if args.join_prompts else found
    models = replay.offers([*args.cheap, args.strong], replay.prices(Path(args.prices)))
    wanted = {model.model.id for model in models}
    rows = [row for row in found if wanted <= row.get("m", {}).keys()]
    if not rows:
        raise BadInput("no row has an answer of every model", "try --join-prompts, other models or another --task")
    outcomes = [replay.outcome(row, models[:-1], models[-1]) for row in rows]
    points = [curves.Point(one.score, one.weak, one.strong, one.given) for one in outcomes]
    strong_usd = sum(one.strong_usd for one in outcomes)
    measured = curves.figures(points)
    report = {
        "n": len(rows),
        "cheap": args.cheap,
        "strong": args.strong,
        "accuracy": measured["accuracy"],
        "weak_accuracy": sum(one.weak for one in outcomes) / len(rows),
        "strong_accuracy": sum(one.strong for one in outcomes) / len(rows),
        "cost_ratio": sum(one.usd for one in outcomes) / strong_usd if strong_usd else None,
        **measured,
        "checks": dict(Counter(one.check for one in outcomes)),
        "ci95": curves.intervals(points),
        "baselines": baselines.figures([row["prompt"] for row in rows], outcomes),
        "task_type": _task_type(found),
    }
    return report if args.max_loss is None else {**report, "audit": replay.audited(outcomes, args.max_loss)}


def _task_type(rows: Sequence[Row]) -> dict[str, float]:
    """By kind, the share of prompts that are called so; kinds are known for some benchmarks alone."""
    from litellm_skill import tasks

    right: dict[str, list[bool]] = {}
    for row in rows:
        kind = row["task"] if row["task"] in tasks.NAMES else _kind(row["task"])
        if kind:
            right.setdefault(kind, []).append(tasks.of(row["prompt"]).name == kind)
    return {kind: sum(found) / len(found) for kind, found in right.items()}


def _kind(task: str) -> str | None:
    return next((kind for head, kind in _KINDS.items() if task.lower().startswith(head)), None)


def _json(report: Mapping[str, Any]) -> str:
    import json

    return json.dumps(report, ensure_ascii=False, indent=1)


def _text(report: Mapping[str, Any]) -> str:
    def row(name: str, figures: Mapping[str, Any]) -> str:
        return f"{name:<16}" + "".join(f"{_share(figures.get(key)):>12}" for key in ("accuracy", "cost_ratio", "apgr"))

    strong = {"accuracy": report["strong_accuracy"], "cost_ratio": 1.0}
    lines = [
        f"{report['n']:,} prompts: {' + '.join(report['cheap'])} -> {report['strong']}",
        f"{'':<16}{'accuracy':>12}{'cost':>12}{'APGR':>12}",
        row("cascade", report),
        row("strong", strong),
        *(row(name, figures) for name, figures in report["baselines"].items()),
        f"escalated {_share(report['escalated'])}; CPT50, 80, 95: "
        + ", ".join(_share(report[name]) for name in ("cpt50", "cpt80", "cpt95")),
        "95 %: " + "; ".join(f"{name} {_range(ends)}" for name, ends in report["ci95"].items()),
        "checks: " + ", ".join(f"{name} {count:,}" for name, count in report["checks"].items()),
        "task types right: " + ", ".join(f"{name} {_share(share)}" for name, share in report["task_type"].items()),
    ]
    if "audit" in report:
        found = report["audit"] or {"audit": "answers were not recorded"}
        lines.append("audit: " + ", ".join(f"{name} {value}" for name, value in found.items()))
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _range(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


if __name__ == "__main__":
    launch.run(main)
