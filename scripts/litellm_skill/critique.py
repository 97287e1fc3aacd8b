"""What several reviewers found, as one document, and that as text. Pure.

A review without findings is a clean one only if a model went through all of it and said so. So the head says who was
asked, who finished, who did not and why, and which lines nobody went through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from litellm_skill import findings, report
from litellm_skill.answer import error_object
from litellm_skill.faults import Fault, IncompleteAnswer, Interrupted, ProviderFailure, recorded
from litellm_skill.findings import Finding

Document = Mapping[str, Any]
REACHED = 14  # the exit code: verified findings at or above --fail-on
NAMED = 10  # files that the text names in one line
KEPT_OUT = (Interrupted.exit_code, 11)  # say more than that findings were reached


@dataclass(frozen=True)
class Scope:
    """What is under review. ``parts``: by model, its requests, each as pairs of a file and how many of its lines.
    ``left_out``: by model, what was too much for its parts. ``notes``: by file, such as that it is binary. ``unasked``:
    by model, why it could not be asked, as an error object."""

    parts: Mapping[str, Sequence[Sequence[Sequence[Any]]]]
    left_out: Mapping[str, Sequence[Sequence[Any]]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    unasked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fail_on: str | None = None
    files: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()

    @property
    def models(self) -> list[str]:
        return [*self.parts, *self.unasked]


@dataclass(frozen=True)
class Report:
    """What came of one request. ``part``: its number, from 0. ``found``: as ``findings.kept`` has it. ``error``: why it
    is not whole. ``cost_usd``: None when not known. ``read``: what the model looked at by itself."""

    model: str
    part: int
    found: Sequence[Mapping[str, Any]] = ()
    error: Mapping[str, Any] | None = None
    cost_usd: float | None = 0.0
    characters: int = 0
    read: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()


def document(
    scope: Scope,
    reports: Sequence[Report],
    merged: Sequence[Finding],
    *,
    run_id: str,
    seconds: float,
    judge: Document | None = None,
    judge_usd: float | None = 0.0,
    fault: Fault | None = None,
) -> dict[str, Any]:
    """DESIGN §4. ``judge``: who merged, and what failed in it. ``fault``: why there is no more, if it is known."""
    whole = _whole(scope, reports)
    missing = [{"model": name, "error": _why(name, scope, reports)} for name in scope.models if name not in whole]
    coverage = _coverage(scope, reports)
    rows = [one.document() for one in merged]
    costs = [*(one.cost_usd for one in reports), judge_usd]
    fault = fault or _failure(scope, reports, whole)
    usable = bool(rows) or any(one.error is None for one in reports)
    return {
        "status": "error" if not usable else "partial" if missing or coverage["not_covered"] or fault else "ok",
        "asked": len(scope.models),
        "answered": len(whole),
        "missing": missing,
        "findings": rows,
        "coverage": coverage,
        "merge": judge,
        "fail_on": _reached(scope.fail_on, rows),
        "sent": _sent(scope, reports),
        "cost_usd": None if None in costs else sum(cost or 0.0 for cost in costs),
        "cost_known_usd": sum(cost or 0.0 for cost in costs),
        "latency_s": round(seconds, 3),
        "warnings": list(dict.fromkeys([*scope.warnings, *(line for one in reports for line in one.warnings)])),
        "run_id": run_id,
        "result_file": None,
        "untrusted": True,
        "error": error_object(fault) if fault else None,
    }


def _reached(severity: str | None, rows: Sequence[Document]) -> dict[str, Any] | None:
    return {"severity": severity, "reached": findings.reaching(rows, severity)} if severity else None


def _sent(scope: Scope, reports: Sequence[Report]) -> dict[str, Any]:
    characters = sum(one.characters for one in reports)
    read = [{"model": one.model, **row} for one in reports for row in one.read]
    return {"characters": characters, "files": list(scope.files) if characters else [], "read": read}


def begun(scope: Scope, run_id: str) -> dict[str, Any]:
    """As it stands before anything came; ``so_far`` goes on from it."""
    found = document(scope, (), (), run_id=run_id, seconds=0.0, fault=Interrupted("not answered"))
    return {**found, "scope": asdict(scope)}


def so_far(document_: Document, rows: Iterable[Mapping[str, Any]], fault: Fault) -> dict[str, Any]:
    """Of a review that still runs, or was never finished. ``rows``: reports as JSON."""
    if "scope" not in document_:
        return {**document_, "error": error_object(fault)}
    reports = [Report(**row) for row in rows]
    found = [findings.restored(row) for one in reports for row in one.found]
    return document(
        Scope(**document_["scope"]),
        reports,
        findings.merged(found),
        run_id=document_["run_id"],
        seconds=0.0,
        fault=fault,
    )


def _whole(scope: Scope, reports: Sequence[Report]) -> list[str]:
    """Who went through all parts."""
    done = {(one.model, one.part) for one in reports if one.error is None}
    return [
        name for name, parts in scope.parts.items() if parts and all((name, at) in done for at in range(len(parts)))
    ]


def _why(name: str, scope: Scope, reports: Sequence[Report]) -> Mapping[str, Any]:
    own = [one for one in reports if one.model == name and one.error]
    if name in scope.unasked or not own:
        return scope.unasked.get(name) or error_object(Interrupted("it has not answered", "ask again"))
    error, parts = own[0].error or {}, len(scope.parts[name])
    if parts == 1:
        return error
    return {**error, "message": f"{len(own)} of {parts} parts failed, the first: {error['message']}"}


def _failure(scope: Scope, reports: Sequence[Report], whole: Sequence[str]) -> Fault | None:
    """Why there is no review at all; None when one model made it. Where all failed alike, it is that."""
    if whole:
        return None
    if any(one.error is None or one.found for one in reports):
        hint = "what was found so far is kept; ask again, or another model"
        return IncompleteAnswer("no reviewer went through all of it", hint, retryable=True)
    faults = [recorded(_why(name, scope, reports)) for name in scope.models]
    if len({type(fault) for fault in faults}) == 1:
        return faults[0]
    return ProviderFailure(f"none of {len(faults)} reviewers answered", faults[0].hint)


def _coverage(scope: Scope, reports: Sequence[Report]) -> dict[str, Any]:
    """How many files with lines under review a model went through, and what of each file."""
    files = _files(scope, reports)
    read = [bool(one["models"]) for one in files if one["lines"]]
    return {"covered": read.count(True), "not_covered": read.count(False), "files": files}


def _files(scope: Scope, reports: Sequence[Report]) -> list[dict[str, Any]]:
    """A row a file: its lines under review, who went through all of them, and who through some."""
    done = {(one.model, one.part) for one in reports if one.error is None}
    lines: dict[str, int] = {}
    good: dict[str, dict[str, int]] = {}
    for name, parts in scope.parts.items():
        sizes: dict[str, int] = {}
        for at, part in enumerate([*parts, scope.left_out.get(name, ())]):
            for path, count in part:
                sizes[path] = sizes.get(path, 0) + count
                read = count if (name, at) in done and at < len(parts) else 0
                good.setdefault(path, {})[name] = good.get(path, {}).get(name, 0) + read
        lines |= {path: max(count, lines.get(path, 0)) for path, count in sizes.items()}
    for path in scope.notes:
        lines.setdefault(path, 0)
    return [_covered(path, count, good.get(path, {}), scope.notes.get(path, "")) for path, count in lines.items()]


def _covered(path: str, lines: int, read: Mapping[str, int], note: str) -> dict[str, Any]:
    partly = {name: count for name, count in read.items() if 0 < count < lines}
    return {
        "file": path,
        "lines": lines,
        "models": [name for name, count in read.items() if lines and count >= lines],
        "partly": partly,
        "note": note,
    }


def exit_code(document: Document) -> int:
    """14 when verified findings reach ``fail_on``, else that of what went wrong, else 0."""
    error = document["error"]
    if error and error["exit_code"] in KEPT_OUT:
        return int(error["exit_code"])
    if document["fail_on"] and document["fail_on"]["reached"]:
        return REACHED
    return int(error["exit_code"]) if error else 0


# --- text


def text(document: Document, room: int | None = None) -> str:
    """The head, then the findings by file, then those that are not verified. ``room``: characters for all of it; of
    the findings that do not fit it says how many."""
    head = "\n".join(map(report.one_line, _lines(document)))
    blocks = list(_blocks(document["findings"]))
    if room is None:
        return "\n".join([head, *(block for block, _ in blocks)]) + "\n"
    left, shown, told = room - len(head) - 100, [head], 0
    for block, is_finding in blocks:
        if len(block) + 1 > left:
            shown.append(f"[{len(document['findings']) - told} of {len(document['findings'])} findings are not shown]")
            break
        shown.append(block)
        left, told = left - len(block) - 1, told + is_finding
    return "\n".join(shown) + "\n"


def _lines(document: Document) -> list[str]:
    lines = [head(document)]
    lines += [f"missing: {one['model']}: {one['error']['message']}" for one in document["missing"]]
    coverage = document["coverage"]
    files = coverage["files"]
    lines += _listed("not covered", [one for one in files if one["lines"] and not one["models"]])
    lines += _listed("without lines to review", [one for one in files if not one["lines"]])
    lines.append(f"covered: {coverage['covered']} of {len(coverage['files'])} files")
    if document["merge"]:
        error = document["merge"]["error"]
        said = f"failed ({error['message']}), so they are merged by lines" if error else "by meaning"
        lines.append(f"merged by {document['merge']['judge']}: {said}")
    lines += [f"warning: {line}" for line in document["warnings"]]
    return [*lines, *_nothing(document)]


def _listed(what: str, files: Sequence[Document]) -> list[str]:
    """One line that names them, none when there are none."""
    named = ", ".join(f"{one['file']}{_reason(one)}" for one in files[:NAMED])
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return [f"{what}: {named}{more}"] if files else []


def _reason(one: Document) -> str:
    partly = ", ".join(f"{name} read {count} of {one['lines']} lines" for name, count in one["partly"].items())
    why = "; ".join(said for said in (one["note"], partly) if said)
    return f" ({why})" if why else ""


def head(document: Document) -> str:
    cost = document["cost_usd"]
    told = (
        report.money(cost) if cost is not None else f"cost unknown, at least {report.money(document['cost_known_usd'])}"
    )
    missing = f", {len(document['missing'])} missing" if document["missing"] else ""
    rows = document["findings"]
    good = sum(one["verified"] for one in rows)
    counted = f"findings: {good} verified, {len(rows) - good} unverified"
    asked = f"asked {document['asked']}, answered {document['answered']}{missing}"
    return f"{asked}; {counted}; {told}; {document['latency_s']:.1f} s"


def _nothing(document: Document) -> list[str]:
    """What it means that there is no finding."""
    if document["findings"]:
        return []
    if not document["answered"]:
        return ["no reviewer finished, so nothing can be said about the code"]
    others = "; nothing is known from the others" if document["missing"] else ""
    return [f"no findings: {document['answered']} of {document['asked']} went through it and reported none{others}"]


def _blocks(rows: Sequence[Document]) -> list[tuple[str, bool]]:
    """Texts, and whether each is a finding. The files stand in the order of their first finding."""
    good: dict[str, list[Document]] = {}
    for row in rows:
        if row["verified"]:
            good.setdefault(row["file"], []).append(row)
    blocks: list[tuple[str, bool]] = []
    for path, own in good.items():
        blocks.append((f"\n## {report.one_line(path)}", False))
        blocks += [(_block(row), True) for row in own]
    if bad := [row for row in rows if not row["verified"]]:
        blocks.append(("\n## Unverified: what these quote was not found, so they may be about nothing", False))
        blocks += [(_block(row), True) for row in bad]
    return blocks


def _block(row: Document) -> str:
    one_line = report.one_line
    lines = [f"{one_line(place(row))}: {row['severity']}: {one_line(row['claim'])} [{', '.join(row['models'])}]"]
    if row["problem"]:
        lines.append(f"    not verified: {one_line(row['problem'])}")
    if row["in_diff"] is False:
        lines.append("    not a changed line")
    if len(set(row["severities"].values())) > 1:
        lines.append("    severities: " + ", ".join(f"{name} {said}" for name, said in row["severities"].items()))
    quoted = report.printable(row["quote"]).strip("\n").split("\n")
    lines += [f"    > {line}" for line in quoted[:5] if row["quote"].strip()]
    lines += [f"    {name}: {one_line(row[name], 1_000)}" for name in ("why", "suggestion") if row[name].strip()]
    lines += [f"    also {one['model']} ({one['severity']}): {one_line(one['claim'])}" for one in row["others"]]
    return "\n".join(lines)


def place(row: Document) -> str:
    """``path:line``, as editors take it; a removed line is counted as before the change."""
    line = f":{row['line']}" if row["line"] > 0 else ""
    return f"{row['file']}{line}{' (removed)' if row['side'] == 'old' else ''}"
