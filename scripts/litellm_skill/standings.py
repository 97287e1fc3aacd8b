"""How the models of a batch stand, as text and as JSON. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from litellm_skill import report
from litellm_skill.faults import Fault, IncompleteAnswer, recorded
from litellm_skill.plan import Plan
from litellm_skill.tally import Standing

Estimate = tuple[float | None, float | None]


@dataclass(frozen=True)
class Summary:
    """``rows``: of the file, or of the shard. ``standings``: over all that is in the file of results. ``given_up``: why
    a model was asked no more. ``fault``: why the batch ended early. ``asked``, ``spent_usd``, ``seconds``: of this
    command alone; ``known_usd``: of ``spent_usd``, where that is not known of all."""

    rows: int
    standings: Sequence[Standing]
    given_up: dict[str, Fault]
    fault: Fault | None
    asked: int
    spent_usd: float | None
    known_usd: float
    seconds: float

    @property
    def answered(self) -> int:
        return sum(one.answered for one in self.standings)

    @property
    def failed(self) -> int:
        return sum(one.failed for one in self.standings)

    @property
    def left(self) -> int:
        """Rows, once for each model, that nothing is known of yet. Not below 0: the file may hold other shards."""
        return max(0, self.rows * len(self.standings) - self.answered - self.failed)


def failure(summary: Summary) -> Fault | None:
    """What the whole command ends with: None when there is a usable answer and nothing ended it early."""
    if summary.fault or summary.answered or not summary.rows:
        return summary.fault
    for fault in summary.given_up.values():
        return fault
    kinds: Counter[str] = Counter()
    for one in summary.standings:
        kinds.update(one.errors)
    what = f"none of {summary.rows:,} rows has an answer"
    hint = "see the errors in --out; then run the same again with --retry-errors"
    if not kinds:
        return IncompleteAnswer(what, hint)
    return recorded({"type": kinds.most_common(1)[0][0], "message": what, "hint": hint, "retryable": False})


def status(summary: Summary) -> str:
    if summary.rows and not summary.answered:
        return "error"
    return "partial" if summary.failed or summary.left or summary.fault else "ok"


def document(summary: Summary) -> dict[str, Any]:
    """The key ``batch`` of the envelope. Costs in USD, times in seconds; null where unknown."""
    return {
        "rows": summary.rows,
        "answered": summary.answered,
        "failed": summary.failed,
        "left": summary.left,
        "asked_now": summary.asked,
        "spent_now_usd": summary.spent_usd,
        "spent_now_known_usd": summary.known_usd,
        "models": [asdict(one) for one in summary.standings],
        "given_up": {name: fault.message for name, fault in summary.given_up.items()},
    }


def text(summary: Summary) -> str:
    """A line of sums, then a line or two a model."""
    least = f", at least {report.money(summary.known_usd)}" if summary.known_usd else ""
    spent = f"cost unknown{least}" if summary.spent_usd is None else report.money(summary.spent_usd)
    pairs = summary.rows * len(summary.standings)
    each = f" for {len(summary.standings)} models" if len(summary.standings) > 1 else ""
    more = summary.answered + summary.failed > pairs  # the file of results holds those of other rows, too
    of = f"{summary.answered:,} answers, {pairs:,} wanted" if more else f"{summary.answered:,} of {pairs:,} answers"
    lines = [
        f"{of}{each}; {summary.failed:,} failed, {summary.left:,} left",
        f"this command: {summary.asked:,} asked, {spent}, {summary.seconds:.1f} s",
    ]
    for one in sorted(summary.standings, key=lambda one: -1.0 if one.score is None else one.score, reverse=True):
        lines.append(f"{report.one_line(one.model, 100)}: {', '.join(_facts(one))}")
        if fault := summary.given_up.get(one.model):
            lines.append(f"  given up: {report.one_line(fault.message, 200)}")
    return "\n".join(lines) + "\n"


def _facts(one: Standing) -> list[str]:
    facts = [f"{one.answered:,} answered"]
    if one.failed:
        facts.append(f"{one.failed:,} failed ({', '.join(f'{count} {kind}' for kind, count in one.errors.items())})")
    if one.score is not None and one.interval:
        low, high = (f"{100 * bound:.1f}" for bound in one.interval)
        facts.append(f"{100 * one.score:.1f} % right of {one.scored:,} (95 %: {low} to {high})")
    if one.cost_usd is None:
        facts.append("cost unknown")
    else:
        known = "" if one.priced == one.answered + one.failed else f" for {one.priced:,} of them"
        facts.append(f"{report.money(one.cost_usd)}{known}")
    if one.latency_s:
        facts.append(", ".join(f"{name} {seconds:.2f} s" for name, seconds in one.latency_s.items()))
    return facts


def plan_text(rows: int, plans: Sequence[Plan], estimates: Sequence[Estimate]) -> str:
    """What ``--dry-run`` says."""
    lines = [f"{rows:,} rows; the first one:"]
    for planned, (likely, worst) in zip(plans, estimates, strict=True):
        costs = [report.money(usd) if usd is not None else "unknown" for usd in (likely, worst)]
        lines += [report.plan_text(planned), f"all rows  likely {costs[0]}, at most {costs[1]}\n"]
    return "\n".join(lines) + "Nothing was sent.\n"


def plan_document(rows: int, plans: Sequence[Plan], estimates: Sequence[Estimate]) -> dict[str, Any]:
    return {
        "status": "dry_run",
        "rows": rows,
        "models": [
            {**report.plan_document(planned), "all_rows": {"likely_usd": likely, "worst_usd": worst}}
            for planned, (likely, worst) in zip(plans, estimates, strict=True)
        ],
    }
