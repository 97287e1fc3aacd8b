"""The ways a provider or the way to it can fail, and what the command makes of each: data for ``test_faults``, and for
the table in ``references/errors.md``.

    python3 tests/fault_cases.py           prints that table
"""

from __future__ import annotations

from dataclasses import dataclass

CHAT, RESPONSES, MESSAGES, GEMINI = "chat", "responses", "messages", "gemini"
WIRES = (CHAT, RESPONSES, MESSAGES, GEMINI)
STREAMED = (CHAT, RESPONSES, MESSAGES)  # Gemini is asked without streaming
MISSING = ("missing_choices", "missing_delta", "missing_content")
QUICK = ("--timeout", "8")
SHORT = ("--timeout", "3")
IDLE = ("--timeout", "8", "--idle-timeout", "1.5")
ONE_LONG_TRY = ("--timeout", "60", "--retries", "0")


@dataclass(frozen=True)
class Case:
    """``scenarios`` of ``faulty_server`` with one outcome: exit code ``code``, ``requests`` made, ``said`` on stderr.

    ``text``: which text is kept and shown: "" none, "sent" what had been sent, "whole" all of it, "any" what fits.
    """

    what: str
    scenarios: tuple[str, ...]
    code: int
    said: str = ""
    requests: int = 1
    text: str = ""
    wires: tuple[str, ...] = WIRES
    flags: tuple[str, ...] = QUICK


CASES = (
    Case("the key is refused", ("401", "403", "html403"), 3, "_API_KEY"),
    Case("the key is refused, under status 400", ("400key",), 3, "_API_KEY", wires=(GEMINI,)),
    Case("the model refuses", ("refusal",), 6, wires=(MESSAGES, GEMINI)),
    Case("no credit, or a quota is used up", ("402", "429quota", "400credit"), 7, "wants payment"),
    Case("no such model", ("404",), 4, "does not know"),
    Case("the prompt is too long", ("400ctx", "413"), 5, "too long"),
    Case("the request is refused by policy", ("400policy",), 6, "declined by policy"),
    Case("the request is refused", ("400param", "422"), 2, "refused the request"),
    Case("the provider runs out of time", ("408", "504"), 9, "ran out of time", requests=3),
    Case("the rate is limited", ("429",), 7, "limits the rate", requests=3),
    Case("limited, then not", ("429ra1then_ok",), 0, "trying again in 1.0 s", requests=2, text="whole"),
    Case("limited for longer than there is time", ("429ra20", "429ra3600"), 7, "it asks to wait"),
    Case("the provider fails", ("500", "502", "503", "529", "html502"), 8, "failed (5", requests=3),
    Case("fails, then does not", ("500then_ok",), 0, "trying again in", requests=2, text="whole"),
    Case("the connection is refused", ("refused",), 8, "connection refused", requests=0),
    Case("the name does not resolve", ("dns",), 8, "cannot resolve", requests=0),
    Case("the certificate is not trusted", ("tls",), 8, "SSL_CERT_FILE", requests=0),
    Case("an https address speaks http", ("tls_plain",), 8, "https or http", requests=0),
    Case("the connection breaks before the reply", ("reset_before", "close_before"), 8, requests=3),
    Case("a redirect, which is not followed", ("redirect", "redirect302"), 8, "not followed"),
    Case("no reply at all", ("stall_headers", "stall_body"), 9, "within 3 s", flags=SHORT),
    Case("a byte now and then", ("drip",), 9, "within 3 s", flags=SHORT),
    Case(
        "the stream stalls, or only pings",
        ("stall_mid", "ping_mid"),
        10,
        "no content for 1.5 s",
        1,
        "sent",
        STREAMED,
        IDLE,
    ),
    Case(
        "the stream breaks", ("reset_mid", "close_mid", "truncated"), 10, "stopped in the middle", 1, "sent", STREAMED
    ),
    Case("the stream ends early", ("end_mid",), 10, "", 1, "sent", STREAMED),
    Case("an error inside the stream", ("err_mid",), 10, "stopped in the middle", 1, "sent", STREAMED),
    Case("a damaged piece in the stream", ("bad_json", "bad_utf8"), 10, "cannot be read", 1, "sent", STREAMED),
    Case("foreign lines in the stream", ("bad_sse",), 0, "", 1, "whole", STREAMED),
    Case("chunks without choices, delta or content", MISSING, 0, "", 1, "whole", (CHAT,)),
    Case("events without what they must have", MISSING, 10, "in the middle", 1, "sent", (RESPONSES,)),
    Case("events without what they must have", MISSING[:2], 10, "in the middle", 1, "sent", (MESSAGES,)),
    Case("a reply without what it must have", MISSING, 10, "no text", wires=(GEMINI,)),
    Case("an HTML page, or nothing, instead of a reply", ("html200", "empty_body"), 8),
    Case("a reply that is no completion", ("err200", "jsonlist"), 8),
    Case("a whole reply that cannot be read", ("bad_json",), 8, wires=(GEMINI,)),
    Case("a whole reply that breaks off", ("truncated",), 8, requests=3, wires=(GEMINI,)),
    Case("no text in the reply", ("emptytext",), 10, "no text"),
    Case("a null for the text", ("null_content",), 10, "no text", wires=(CHAT, MESSAGES, GEMINI)),
    Case("a null for the text", ("null_content",), 8, wires=(RESPONSES,)),
    Case("the output limit is reached", ("fr_length",), 10, "raise --max-tokens", text="whole"),
    Case("all tokens went into reasoning", ("think_only",), 10, "before any answer"),
    Case("the content filter stops the answer", ("fr_filter",), 6, "content filter", text="whole"),
    Case("no usage is reported", ("no_usage",), 0, text="whole"),
    Case("the reply has no end", ("huge",), 10, "20", text="any", flags=ONE_LONG_TRY),
    Case("a gzip bomb", ("gzipbomb",), 10, "20", text="any", flags=ONE_LONG_TRY),
)


TYPES = {
    2: "bad_input",
    3: "not_set_up",
    4: "unknown_model",
    5: "prompt_too_long",
    6: "policy_refusal",
    7: "limit_reached",
    8: "provider_failure",
    9: "deadline_passed",
    10: "incomplete_answer",
}
KEPT = {"": "–", "sent": "what had come", "whole": "all", "any": "20 MB at most"}


def table() -> str:
    """For ``references/errors.md``: what was seen when each case was played on each wire."""
    head = "| what happens | wires | exit code, error type | requests | text kept |\n|---|---|---|---|---|"
    return "\n".join([head, *(_row(case) for case in CASES)]) + "\n"


def _row(case: Case) -> str:
    wires = "all" if case.wires == WIRES else ", ".join(case.wires)
    outcome = f"{case.code} {TYPES[case.code]}" if case.code else "0"
    return (
        f"| {case.what} (`{'`, `'.join(case.scenarios)}`) | {wires} | {outcome} | {case.requests} | {KEPT[case.text]} |"
    )


if __name__ == "__main__":
    print(table(), end="")
