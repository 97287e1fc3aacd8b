"""Findings as SARIF 2.1.0, for editors and code hosts. Pure.

By https://docs.oasis-open.org/sarif/sarif/v2.1.0/. What is not verified is of kind "open" and has no region, so that no
line is marked for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from litellm_skill import report
from litellm_skill.findings import SEVERITIES, squeezed

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"blocker": "error", "major": "error", "minor": "warning", "nit": "note"}
_SAID = {
    "blocker": "Must not ship: data loss, a security hole, a crash in ordinary use.",
    "major": "Wrong in cases that occur.",
    "minor": "Wrong in rare cases, or misleading.",
    "nit": "A trifle.",
}


def text(review: Mapping[str, Any]) -> str:
    """A log of one run. ``review``: as ``critique.document`` makes it."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(review)]}
    return json.dumps(log, ensure_ascii=False, indent=2) + "\n"


def _run(review: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tool": {
            "driver": {
                "name": "litellm review_code",
                "rules": [_rule(severity) for severity in SEVERITIES],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {"executionSuccessful": review["status"] == "ok", "toolExecutionNotifications": list(_notes(review))}
        ],
        "results": [_result(row) for row in review["findings"]],
        "properties": {name: review[name] for name in ("status", "asked", "answered", "run_id")},
    }


def _rule(severity: str) -> dict[str, Any]:
    level = {"level": LEVELS[severity]}
    return {"id": f"review/{severity}", "shortDescription": {"text": _SAID[severity]}, "defaultConfiguration": level}


def _notes(review: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Who is missing, what nobody went through, and warnings."""
    files = review["coverage"]["files"]
    said = [f"{one['model']} is missing: {one['error']['message']}" for one in review["missing"]]
    said += [f"not covered: {one['file']}" for one in files if one["lines"] and not one["models"]]
    return [{"level": "warning", "message": {"text": report.printable(line)}} for line in [*said, *review["warnings"]]]


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    good = row["verified"]
    parts = [row["claim"], row["why"], f"Suggestion: {row['suggestion']}" if row["suggestion"].strip() else ""]
    parts += [] if good else [f"Not verified: {row['problem']}."]
    parts.append(f"Said by {', '.join(row['models'])}.")
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(row["file"]), "uriBaseId": "%SRCROOT%"}}
    if good and row["side"] == "new":
        lines = {"startLine": row["line"], "endLine": row["end_line"]}
        place["region"] = {**lines, "snippet": {"text": report.printable(row["quote"])}}
    names = ("severity", "verified", "models", "severities", "in_diff", "side", "match", "problem", "others")
    return {
        "ruleId": f"review/{row['severity']}",
        "ruleIndex": SEVERITIES.index(row["severity"]),
        "kind": "fail" if good else "open",
        "level": LEVELS[row["severity"]] if good else "none",
        "message": {"text": report.printable("\n\n".join(part for part in parts if part.strip()))},
        "locations": [{"physicalLocation": place}] if row["file"].strip() else [],
        "partialFingerprints": {"quote/v1": _fingerprint(row)},
        "properties": {name: row[name] for name in names},
    }


def _fingerprint(row: Mapping[str, Any]) -> str:
    """The same defect keeps it while lines move."""
    return hashlib.sha256(f"{row['file']}\0{squeezed(row['quote'])}".encode("utf-8", "replace")).hexdigest()
