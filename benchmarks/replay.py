"""Recorded answers, put through the very functions that cheap_route.py decides by."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from litellm_skill import agreement, audit, cascade, providers, routing, tasks
from litellm_skill.agreement import Answer
from litellm_skill.audit import Tally
from litellm_skill.catalog import Model
from litellm_skill.faults import BadInput
from litellm_skill.price import Price
from litellm_skill.routing import Decision, Needs, Offer, Terms

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """One prompt. ``score``: how early it goes to the strong model, 0 when the cheap answer is given; ``usd``: every
    call paid; ``differs``: the cheap answer from the strong one, None where answers were not recorded."""

    score: int
    weak: float
    strong: float
    given: float
    usd: float
    weak_usd: float
    strong_usd: float
    check: str
    differs: bool | None


def rows(path: Path, prefixes: Sequence[str]) -> list[Row]:
    """Raises BadInput when the file is not as ``DATA`` is described."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            found = [json.loads(line) for line in lines if line.strip()]
        return [row for row in found if not prefixes or row["task"].startswith(tuple(prefixes))]
    except (EOFError, zlib.error) as error:
        raise BadInput(f"{path}: {error}", "the file is damaged or was cut: fetch it again") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: {error!r}", "one JSON object a line: task, prompt, m") from None


def prices(path: Path) -> dict[str, Price]:
    """By model, from USD per million tokens [in, out]. Raises BadInput."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return {name: Price(rates[0] / 1e6, rates[1] / 1e6, source="user") for name, rates in listed.items()}
    except (OSError, ValueError, AttributeError, TypeError, LookupError) as error:
        raise BadInput(f"{path}: {error!r}", "an object of model: [input, output], USD per million tokens") from None


def joined(found: Sequence[Row]) -> list[Row]:
    """Rows of the same question as one, with the answers of all; of two by one model, the first."""
    by_prompt: dict[str, Row] = {}
    for row in found:
        key = " ".join(row["prompt"].split())
        before = by_prompt.get(key)
        by_prompt[key] = {**before, "m": {**row.get("m", {}), **before["m"]}} if before else row
    return list(by_prompt.values())


def offers(names: Sequence[str], known: Mapping[str, Price]) -> list[Offer]:
    """Raises BadInput for a model without a price."""
    if missing := [name for name in names if name not in known]:
        raise BadInput(f"no price for {missing[0]}", f"known: {', '.join(sorted(known))}")
    models = [Model(name, providers.vendor_of_name(name) or name, price=known[name]) for name in names]
    return [Offer(model, maker=model.provider, listed=True) for model in models]


def outcome(row: Row, cheap: Sequence[Offer], strong: Offer) -> Outcome:
    task = tasks.of(row["prompt"])
    needs = Needs(input_tokens=row["m"][cheap[0].model.id]["in"])
    decision = routing.decide(task, needs, cheap, strong, Terms(today=date.max))
    weak, last = _record(row, decision.chosen.model.id if decision.chosen else ""), _record(row, strong.model.id)
    score, check = _score(row, decision, task.name)
    asked = [] if decision.straight else [one for one in (decision.chosen, decision.second) if one]
    paid = sum(_usd(row, one.offer) for one in asked) + (_usd(row, strong) if score else 0.0)
    return Outcome(
        score=score,
        weak=weak["ok"],
        strong=last["ok"],
        given=last["ok"] if score else weak["ok"],
        usd=paid,
        weak_usd=_usd(row, decision.chosen.offer) if decision.chosen else 0.0,
        strong_usd=_usd(row, strong),
        check=check,
        differs=_differs(weak, last, task.name),
    )


def _record(row: Row, name: str) -> Mapping[str, Any]:
    record: Mapping[str, Any] = row["m"][name]
    return record


def _score(row: Row, decision: Decision, task: str) -> tuple[int, str]:
    """2 where the first answer cannot be used, 1 where the second does not agree, 0 where it is given; the check."""
    if decision.straight or decision.chosen is None:
        return 2, "straight"
    records = [_record(row, one.model.id) for one in (decision.chosen, decision.second) if one]
    recorded = all("ans" in record for record in records)
    check = decision.check if recorded else cascade.NONE
    answers: list[Answer | None] = [_answer(record, task) for record in records]
    verdict = cascade.verdict(check, answers[0], answers[1] if len(answers) > 1 else None)
    if verdict.accepted:
        return 0, check if recorded else "not recorded"
    return (2 if verdict.why == "unreadable" else 1), check


def _answer(record: Mapping[str, Any], task: str) -> Answer | None:
    return agreement.stated(record.get("ans"), exact=task == "code-reading")


def _differs(weak: Mapping[str, Any], strong: Mapping[str, Any], task: str) -> bool | None:
    if "ans" not in weak or "ans" not in strong:
        return None
    first, last = _answer(weak, task), _answer(strong, task)
    return first is None or last is None or not agreement.same(first, last)


def _usd(row: Row, offer: Offer) -> float:
    record, price = _record(row, offer.model.id), offer.model.price
    return record["in"] * price.input + record["out"] * price.output if price else 0.0


def audited(outcomes: Sequence[Outcome], max_loss: float, draws: int = 200, seed: int = 0) -> dict[str, Any] | None:
    """The guard of ``--max-loss`` on that many random orders of the prompts; None where answers were not recorded.

    ``exceeded``: the share of draws in which cheap answers were relied on although the true loss is above the limit.
    """
    if any(one.differs is None for one in outcomes):
        return None
    true_loss = sum(one.strong - one.given for one in outcomes) / len(outcomes)
    chance = random.Random(seed)
    relied = [_relied(chance.choices(outcomes, k=len(outcomes)), max_loss, chance) for _ in range(draws)]
    return {
        "max_loss": max_loss,
        "draws": draws,
        "true_loss": true_loss,
        "exceeded": sum(share > 0 for share in relied) / draws if true_loss > max_loss else 0.0,
        "ever_on": sum(share > 0 for share in relied) / draws,
        "prompts_relied_on": sum(relied) / draws,
    }


def _relied(outcomes: Sequence[Outcome], max_loss: float, chance: random.Random) -> float:
    """The share of prompts that came while the guard was on."""
    tally, relied = Tally(), 0
    for one in outcomes:
        draw = audit.draw(tally, max_loss, None, chance.random())
        relied += not draw.proving
        if draw.drawn:
            lost = one.score == 0 and bool(one.differs)
            tally = Tally(drawn=tally.drawn + 1, differing=tally.differing + lost)
    return relied / len(outcomes)
