"""SARIF logs against an excerpt of the public schema: what a log of ours may hold, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
from litellm_skill import critique, findings, sarif, sources
from litellm_skill.critique import Report, Scope
from litellm_skill.evidence import Evidence
from litellm_skill.findings import Claim

TEXT = {"type": "string"}
BAG = {"type": "object"}


def closed(required: tuple[str, ...] = (), **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**properties, "properties": BAG},
    }


def listed(items: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


# By the OASIS schema of SARIF 2.1.0: names, requirements, choices and bounds of the objects that are written here.
LEVEL = {"enum": ["none", "note", "warning", "error"]}
MESSAGE = closed(text=TEXT, markdown=TEXT, id=TEXT) | {"anyOf": [{"required": ["text"]}, {"required": ["id"]}]}
MULTIFORMAT = closed(("text",), text=TEXT, markdown=TEXT)
LINE = {"type": "integer", "minimum": 1}
REGION = closed(startLine=LINE, endLine=LINE, startColumn=LINE, endColumn=LINE, snippet=closed(text=TEXT))
ARTIFACT = closed(uri={"type": "string", "format": "uri-reference", "pattern": '^[^ <>\\\\^`{|}"]*$'}, uriBaseId=TEXT)
PLACE = closed(artifactLocation=ARTIFACT, region=REGION, contextRegion=REGION) | {
    "anyOf": [{"required": ["artifactLocation"]}]
}
RULE = closed(
    ("id",),
    id=TEXT,
    name=TEXT,
    shortDescription=MULTIFORMAT,
    defaultConfiguration=closed(level=LEVEL),
    help=MULTIFORMAT,
)
RESULT = closed(
    ("message",),
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
    level=LEVEL,
    message=MESSAGE,
    locations=listed(closed(physicalLocation=PLACE), uniqueItems=False),
    partialFingerprints={"type": "object", "additionalProperties": TEXT},
)
NOTE = closed(("message",), message=MESSAGE, level=LEVEL)
CALL = closed(
    ("executionSuccessful",), executionSuccessful={"type": "boolean"}, toolExecutionNotifications=listed(NOTE)
)
RUN = closed(
    ("tool",),
    tool=closed(("driver",), driver=closed(("name",), name=TEXT, rules=listed(RULE, uniqueItems=True), version=TEXT)),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    invocations=listed(CALL),
    results=listed(RESULT),
)
SCHEMA = closed(("version", "runs"), version={"enum": ["2.1.0"]}, runs=listed(RUN)) | {"$schema": sarif.SCHEMA}
SCHEMA["properties"]["$schema"] = {"type": "string", "format": "uri"}
del SCHEMA["$schema"]

SOURCE = "def f():\n    return 1 / 0\n"
CLAIMS = [
    Claim("a dir/f.py", 9, "return 1 / 0", "blocker", "It divides by zero.\x1b[2J", "always", "Do not."),
    Claim("none.py", 3, "x = 1", "nit", "Nothing.", "", ""),
    Claim("", 0, "", "minor", "No place.", "", ""),
]


def log(claims: list[Claim], error: Mapping[str, Any] | None = None) -> dict[str, Any]:
    proof = Evidence([sources.of_text("a dir/f.py", SOURCE)])
    found = [proof.check(claim, "m") for claim in claims]
    scope = Scope({"m": [[["a dir/f.py", 2]]]}, warnings=["a warning"])
    report = Report("m", 0, [findings.kept(one) for one in found], error)
    review = critique.document(scope, [report], findings.merged(found), run_id="r", seconds=1.0)
    return json.loads(sarif.text(review))


ERROR = {"type": "incomplete_answer", "message": "cut", "hint": "", "retryable": True, "exit_code": 10}


@pytest.mark.parametrize(("claims", "error"), [([], None), (CLAIMS, None), (CLAIMS[:1], ERROR)])
def test_it_is_valid(claims: list[Claim], error: Any) -> None:
    found = log(claims, error)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    run = found["runs"][0]
    assert len(run["results"]) == len(claims)
    notes = [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    missing = ["m is missing: cut", "not covered: a dir/f.py"] if error else []
    assert notes == [*missing, "a warning"]
    assert run["invocations"][0]["executionSuccessful"] is (error is None)


def test_where_it_stands() -> None:
    first, *rest = log(CLAIMS)["runs"][0]["results"]
    assert (first["ruleId"], first["level"], first["kind"]) == ("review/blocker", "error", "fail")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20dir/f.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 2, "endLine": 2, "snippet": {"text": "return 1 / 0"}}
    assert "\\x1b[2J" in first["message"]["text"]
    unverified = [(one["kind"], one["level"]) for one in rest]
    assert unverified == [("open", "none")] * 2
    assert all("region" not in place["physicalLocation"] for one in rest for place in one["locations"])


def test_a_finding_keeps_its_fingerprint() -> None:
    first, second = (log([CLAIMS[0]])["runs"][0]["results"][0] for _ in range(2))
    assert first["partialFingerprints"] == second["partialFingerprints"]


def test_a_rule_for_each_severity() -> None:
    rules = log([])["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [f"review/{severity}" for severity in findings.SEVERITIES]
