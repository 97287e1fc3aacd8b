"""Several answers as one document, and that as text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from litellm_skill import report
from litellm_skill.answer import Answer, envelope, error_object, restored
from litellm_skill.conversation import Conversation
from litellm_skill.faults import Fault, ProviderFailure

Labelled = tuple[str, Answer, Conversation | None]
Document = Mapping[str, Any]
HEAD = 450  # characters of an answer's lines about itself


def document(
    answers: Sequence[Labelled], *, run_id: str, seconds: float, judged: Document, judges: Sequence[Answer]
) -> dict[str, Any]:
    """DESIGN §4. ``answers`` with text stand in it as envelopes, under ``label``; the others are missing, with why.
    ``judged``: judge, ranking, synthesis, which rest on the replies of ``judges``."""
    came = [(label, answer, sent) for label, answer, sent in answers if answer.fault is None or answer.text]
    whole = [answer for _, answer, _ in came if answer.fault is None]
    asked = (*(answer for _, answer, _ in answers), *judges)
    costs = [one.spent_usd for one in asked]
    fault = failure([answer for _, answer, _ in answers])
    return {
        "status": "error" if fault else "ok" if len(whole) == len(answers) else "partial",
        "asked": len(answers),
        "answered": len(whole),
        "missing": [
            {"model": label, "error": error_object(answer.fault)}
            for label, answer, _ in answers
            if answer.fault and not answer.text
        ],
        "answers": [{**envelope(answer, sent), "label": label} for label, answer, sent in came],
        "judge": judged.get("judge"),
        "ranking": judged.get("ranking"),
        "synthesis": judged.get("synthesis"),
        "cost_usd": None if None in costs else sum(cost or 0.0 for cost in costs),
        "cost_known_usd": sum(one.cost_usd or 0.0 for one in asked),
        "latency_s": round(seconds, 3),
        "warnings": _few(whole),
        "run_id": run_id,
        "result_file": None,
        "untrusted": True,
        "error": error_object(fault) if fault else None,
    }


def _few(whole: Sequence[Answer]) -> list[str]:
    return ["only one model answered in full, so there is nothing to compare"] if len(whole) == 1 else []


def so_far(begun: Document, answers: Sequence[Document], fault: Fault) -> dict[str, Any]:
    """Of a comparison that still runs, or was never finished: what came, and why no more."""
    done = [one for one in answers if one["text"] or not one["error"]]
    told = {one["label"]: one["error"] for one in answers if one["error"] and not one["text"]}
    names = {one["label"] for one in done}
    missing = [{**gone, "error": told.get(gone["model"], error_object(fault))} for gone in begun["missing"]]
    return {
        **begun,
        "status": "partial" if done else "error",
        "answered": sum(not one["error"] for one in done),
        "missing": [gone for gone in missing if gone["model"] not in names],
        "answers": done,
        "error": error_object(fault),
    }


def failure(answers: Sequence[Answer]) -> Fault | None:
    """Why there is no usable answer at all; None when there is one. Where all failed alike, it is that."""
    faults = [answer.fault for answer in answers if answer.fault]
    if not faults or len(faults) < len(answers):
        return None
    kinds = {type(fault) for fault in faults}
    if len(kinds) == 1:
        return faults[0]
    return ProviderFailure(f"none of {len(faults)} models answered", faults[0].hint)


def text(document: Document, room: int | None = None) -> str:
    """The head, who is missing, what was made of the answers, then each of them. ``room``: characters for all of it; of
    the answers that do not fit each is cut to the same length."""
    lines = [_head(document)]
    lines += [f"missing: {one['model']}: {one['error']['message']}" for one in document["missing"]]
    lines += [*_places("judge", document["judge"]), *_places("council", document["ranking"])]
    lines += [f"warning: {line}" for line in document["warnings"]]
    merged = _merged(document["synthesis"])
    answers = document["answers"]
    left = None if room is None else room - sum(map(len, [*lines, *merged]))
    most = None if left is None or not answers else max(200, left // len(answers) - HEAD)
    sections = [*merged, *(_section(one, most) for one in answers)]
    return "\n".join([*map(report.one_line, lines), *(f"\n{section}" for section in sections)]) + "\n"


def _head(document: Document) -> str:
    cost = document["cost_usd"]
    known = f"cost unknown, at least {report.money(document['cost_known_usd'])}"
    told = report.money(cost) if cost is not None else known
    missing = f", {len(document['missing'])} missing" if document["missing"] else ""
    return f"asked {document['asked']}, answered {document['answered']}{missing}; {told}; {document['latency_s']:.1f} s"


def _section(document: Document, most: int | None) -> str:
    answer = restored(document)
    said = report.printable(answer.text.rstrip())
    if most is not None and len(said) > most:
        said = f"{said[:most]}\n[{most:,} of {len(said):,} characters: {answer.result_file}]"
    cut = f"\n[{report.one_line(answer.fault.message)}]" if answer.fault else ""
    about = [report.summary(answer), *(f"warning: {line}" for line in report.unlike_asked(answer))]
    return "\n".join([f"## {document['label']}", *map(report.one_line, about), "", f"{said}{cut}"])


def _places(name: str, part: Document | None) -> list[str]:
    if part is None:
        return []
    if part.get("error"):
        return [f"{name}: {part['error']['message']}"]
    who = part.get("judge") or f"{len(part['judges'])} judges"
    best = part["winner"] or "no single one"
    told = [f"  {line}" for line in _doubts(part)] + [f"  warning: {line}" for line in part["warnings"]]
    told += [f"  not counted: {one['model']}: {one['error']['message']}" for one in part.get("unusable", ())]
    return [f"{name} ({who}): best is {best}", *(f"  {_place(one)}" for one in part["results"]), *told]


def _doubts(part: Document) -> Iterator[str]:
    """Of a council: how far its judges agree, and whether the order they saw tells more than they do."""
    if "by_chance" in part:
        yield part["agreement"]["means"]
        first = f"{part['first_shown']} of {len(part['votes'])} put first what they saw first"
        yield f"{first}; by chance alone {part['by_chance']:.1f} would"


def _place(one: Document) -> str:
    """Of a judge's standing: rank, mean score, wins; of a council's: rank, share of the others it beats."""
    if one["rank"] is None:
        return f"{one['model']}: not ranked"
    if "mean" in one:
        pairs = f"{one['wins']} won, {one['losses']} lost, {one['ties']} tied"
        return f"{one['rank']}. {one['model']}: {one['mean']:.1f} of 10, {pairs}"
    return f"{one['rank']}. {one['model']}: beats {one['share']:.0%} of the others, by {one['judges']} judges"


def _merged(part: Document | None) -> list[str]:
    """The synthesis as a section of its own."""
    if part is None:
        return []
    if part.get("error"):
        return [f"## synthesis\n{part['error']['message']}"]
    lines = [f"agreed ({', '.join(point['models'])}): {point['point']}" for point in part["consensus"]]
    for one in part["contradictions"]:
        stands = "; ".join(f"{', '.join(stand['models'])}: {stand['says']}" for stand in one["positions"])
        lines.append(f"disputed, {one['topic']}: {stands}")
    lines += [f"only {', '.join(point['models'])}: {point['point']}" for point in part["only_one"]]
    lines += [f"not covered: {what}" for what in part["not_covered"]]
    lines += [f"warning: {line}" for line in part["warnings"]]
    points = "\n".join(f"- {line}" for line in lines)
    return [f"## synthesis by {part['model']}\n\n{part['answer'].rstrip()}\n\n{points}"]
