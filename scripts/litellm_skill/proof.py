"""What routed prompts have shown: shares accepted, audits, money saved, by cascade, from the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from litellm_skill import audit, recall, report
from litellm_skill.audit import Tally
from litellm_skill.cascade import Cascade
from litellm_skill.console import Console

SCRIPT = "cheap_route.py"
ENOUGH = 20  # prompts of a cascade, from which on the user's own history counts


@dataclass(frozen=True)
class Known:
    """What the history knows of one cascade."""

    tally: Tally = Tally()

    @property
    def escalated(self) -> float | None:
        """The share that was not accepted; None before there are enough to tell."""
        share = self.tally.share_accepted
        return None if share is None or self.tally.prompts < ENOUGH else 1 - share


def known(envelopes: Iterable[Mapping[str, Any]]) -> dict[Cascade, Known]:
    """Runs from before it was written down which cascade they were do not count."""
    found: dict[Cascade, Known] = {}
    for document in envelopes:
        route = document.get("route")
        if not route or not route.get("steps") or route["straight_to_strong"] or "cheap" not in route:
            continue
        cheap, check_with = tuple(route["cheap"]), route["check_with"]
        tried = Cascade(route["task"], cheap, route["check"], check_with, route["strong"])
        tally = found.get(tried, Known()).tally
        found[tried] = Known(_counted(tally, route, document["cost_usd"]))
    return found


def _counted(tally: Tally, route: Mapping[str, Any], usd: float | None) -> Tally:
    seen = route["audit"] or {}
    compared = seen.get("differs") is not None
    accepted = bool(route["accepted"])
    saved = route["saved_usd"]
    strong = None if usd is None or saved is None else usd + saved
    return Tally(
        prompts=tally.prompts + 1,
        accepted=tally.accepted + accepted,
        drawn=tally.drawn + compared,
        audited=tally.audited + (compared and accepted),
        differing=tally.differing + bool(compared and accepted and seen["differs"]),
        spent_usd=None if tally.spent_usd is None or usd is None else tally.spent_usd + usd,
        strong_usd=None if tally.strong_usd is None or strong is None else tally.strong_usd + strong,
    )


def show(console: Console) -> int:
    """Per cascade: the share accepted, how many audited answers differ, with bounds, and the money saved."""
    with recall.opened(console) as history:
        cascades = known(history.envelopes(SCRIPT))
    rows = [{**asdict(tried), **_row(one.tally)} for tried, one in sorted(cascades.items(), key=_order)]
    if console.json:
        console.document({"status": "ok", "tasks": rows})
    elif not rows:
        console.note("nothing has been routed yet")
    for row in rows if not console.json else ():
        console.show(_line(row))
    return 0


def _order(found: tuple[Cascade, Known]) -> tuple[str, int]:
    """By task, and what was tried most first."""
    return found[0].task, -found[1].tally.prompts


def _row(tally: Tally) -> dict[str, Any]:
    low, high = tally.bounds
    return {
        **{name: value for name, value in asdict(tally).items() if not name.endswith("_usd")},
        "share_accepted": tally.share_accepted,
        "difference": tally.difference,
        "difference_low": low,
        "difference_high": high,
        "loss_bound": audit.loss_bound(tally),
        "saved_usd": tally.saved_usd,
    }


def _line(row: Mapping[str, Any]) -> str:
    saved = "unknown" if row["saved_usd"] is None else report.money(row["saved_usd"])
    differ = "none audited"
    if row["audited"]:
        differ = f"{row['differing']} of {row['audited']} audited differ"
        differ += f" ({row['difference_low']:.1%} to {row['difference_high']:.1%} at 95 %)"
    shares = f"{row['prompts']} routed, {row['share_accepted']:.0%} accepted; {differ}; saved {saved}"
    return f"{row['task']}: {shares} [{_tried(row)}]\n"


def _tried(row: Mapping[str, Any]) -> str:
    check = f"{row['check']} {row['check_with']}" if row["check_with"] else row["check"]
    return report.one_line(f"{' + '.join(row['cheap'])}; {check}; then {row['strong'] or 'nobody'}")
