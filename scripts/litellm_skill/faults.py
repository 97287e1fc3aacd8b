"""Everything that can go wrong, as one tree; caught once, in ``command.run``.

    Fault
    ├── BadInput           2    the command line, a file or a setting is wrong; nothing was sent
    ├── NotSetUp           3    no key, no address, or software is missing
    ├── UnknownModel       4    no such model, or it is retired
    ├── PromptTooLong      5    the prompt does not fit the model's window
    ├── PolicyRefusal      6    the provider declined to answer
    ├── LimitReached       7    rate limit, quota or budget
    ├── ProviderFailure    8    the provider or the network failed
    ├── DeadlinePassed     9    no text came before the deadline
    ├── IncompleteAnswer  10    text came, but not all of it
    ├── StillRunning      11    the model still works; its answer will be kept
    ├── SecretFound       12    what was to be sent holds a key or a password; nothing was sent
    ├── Forbidden         13    policy.toml does not permit it, or cannot be relied on; nothing was sent
    └── Interrupted      130    SIGINT, SIGTERM or SIGHUP

Exit code 1 is a bug of ours: any exception that is not a ``Fault``.

``classify`` is the one classifier: what a provider or the network did, as one of these. The HTTP status as it came over
the wire is believed first: LiteLLM 1.106.2 writes 500 for a refused connection, 400 for a 413 and 422 for an HTML page.
Then the exceptions of socket and TLS down the chain of causes, then LiteLLM's class.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


class Fault(Exception):
    """``message``: one line of what went wrong. ``hint``: one line of what to do next.

    ``retryable``: the same request may well succeed when repeated. ``retry_after``: seconds the provider asked for.
    """

    exit_code = 1
    type = "fault"

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        retryable: bool = False,
        http_status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.http_status = http_status
        self.retry_after = retry_after


class BadInput(Fault):
    exit_code = 2
    type = "bad_input"


class NotSetUp(Fault):
    exit_code = 3
    type = "not_set_up"


class UnknownModel(Fault):
    exit_code = 4
    type = "unknown_model"


class PromptTooLong(Fault):
    exit_code = 5
    type = "prompt_too_long"


class PolicyRefusal(Fault):
    exit_code = 6
    type = "policy_refusal"


class LimitReached(Fault):
    exit_code = 7
    type = "limit_reached"


class ProviderFailure(Fault):
    exit_code = 8
    type = "provider_failure"


class DeadlinePassed(Fault):
    exit_code = 9
    type = "deadline_passed"


class IncompleteAnswer(Fault):
    exit_code = 10
    type = "incomplete_answer"


class StillRunning(Fault):
    exit_code = 11
    type = "still_running"


class SecretFound(Fault):
    exit_code = 12
    type = "secret_found"


class Forbidden(Fault):
    exit_code = 13
    type = "forbidden"


class Interrupted(Fault):
    exit_code = 130
    type = "interrupted"


def recorded(error: Mapping[str, Any]) -> Fault:
    """The fault that an envelope's ``error`` tells of."""
    kinds = {kind.type: kind for kind in Fault.__subclasses__()}
    kind = kinds.get(error["type"], Fault)
    return kind(error["message"], error["hint"], retryable=error["retryable"])


OWN_CA = "SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or NODE_EXTRA_CA_CERTS"
# Codes in error bodies, as the providers document them.
QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "quota_exceeded"}
LENGTH_CODES = {"context_length_exceeded", "request_too_large", "string_above_max_length"}
KEY_CODES = {"API_KEY_INVALID"}
POLICY_CODES = {"content_policy_violation", "content_filter", "moderation_blocked", "cyber_policy_violation"}
# What some providers say in words alone, under a status that means several things (measured; litellm 1.106.2 does not
# tell them apart either): Anthropic an empty account and a used-up quota, Gemini a blocked prompt and a used-up quota.
CREDIT_WORDS = re.compile(r"credit balance|current quota|usage limit", re.I)
POLICY_WORDS = re.compile(r"prompt was blocked|content filter|safety system|prohibited use", re.I)
# A LiteLLM proxy's own types of error (litellm 1.106.2, proxy/_types.py). Without a database it says of a wrong key
# that none is connected; to a model it does not have it answers 400, in words alone.
PROXY_KEY_CODES = {"no_db_connection", "token_not_found_in_db", "expired_key"}
PROXY_MODEL_WORDS = re.compile(r"no healthy deployments for this model|invalid model name passed in", re.I)


@dataclass(frozen=True)
class HttpReply:
    """A reply with an error status. ``retry_after``: seconds. ``body``: as much of it as was kept. ``passed_on``: a
    LiteLLM proxy had taken the key, so what failed lies behind it, or is a limit of its own."""

    status: int
    retry_after: float | None = None
    body: bytes = b""
    passed_on: bool = False


@dataclass(frozen=True)
class Circumstances:
    """What must be known beside the exception: whom we asked, with which key, and what had come.

    ``reply`` is one with an error status, ``answered`` whether any came; ``redact`` takes the keys out of the
    provider's words, before they are shortened. ``at_proxy``: we asked what was set as a LiteLLM proxy.
    """

    model: str
    host: str | None
    key_name: str | None
    timeout: float
    text_came: bool
    answered: bool
    reply: HttpReply | None
    redact: Callable[[str], str]
    at_proxy: bool = False


def classify(error: BaseException, at: Circumstances) -> Fault:
    """Never raises."""
    chain = list(_causes(error))
    own = next((cause for cause in chain if isinstance(cause, Fault)), None)
    fault = own or _of_time(error, at) or _by_status(at) or _by_cause(chain, at) or _by_class(chain, at)
    if at.reply and fault.http_status is None:
        fault.http_status = at.reply.status
    if at.text_came and isinstance(fault, ProviderFailure | DeadlinePassed | LimitReached | BadInput):
        return IncompleteAnswer(
            f"the answer stopped in the middle: {fault.message}",
            "the text so far is kept; ask again for a whole one",
            retryable=True,
            http_status=fault.http_status,
        )
    return fault


def _of_time(error: BaseException, at: Circumstances) -> Fault | None:
    if isinstance(error, TimeoutError):
        what = f"no answer from {at.host} within {at.timeout:g} s"
        return DeadlinePassed(what, "raise --timeout, or ask a faster model")
    return None


def _by_status(at: Circumstances) -> Fault | None:
    """By the status of the reply, and where the status says too little by the code in its body."""
    if at.reply is None:
        return None
    status, codes, words = at.reply.status, _codes(at.reply.body), _message(at.reply.body)
    said = f" ({status}){_said(words, at)}"
    if fault := _by_proxy(at, at.reply, codes, words, said):
        return fault
    if codes & POLICY_CODES or (status == 400 and POLICY_WORDS.search(words)):
        return PolicyRefusal(f"{at.host} declined by policy{said}", "rephrase, or ask another model")
    if status == 402 or codes & QUOTA_CODES or _out_of_credit(at.reply, words):
        return LimitReached(f"{at.host} wants payment, or a quota is used up{said}", "check the account's limits")
    if status in (401, 403) or codes & KEY_CODES:
        which = at.key_name or "the credential"
        return NotSetUp(f"{at.host} refused {which}{said}", f"check {which} and what it may be used for")
    if status == 404:
        return UnknownModel(f"{at.host} does not know {at.model}{said}", "check the model's id and the address")
    if status == 413 or codes & LENGTH_CODES:
        return PromptTooLong(f"the prompt is too long for {at.model}{said}", "attach less, or ask a larger model")
    return _passing_status(status, at.reply.retry_after, str(at.host), said)


def _by_proxy(at: Circumstances, reply: HttpReply, codes: set[str], words: str, said: str) -> Fault | None:
    """What only a LiteLLM proxy says, or means otherwise than a provider does."""
    key = at.key_name or "the key"
    if "budget_exceeded" in codes:
        return LimitReached(f"a budget at {at.host} is used up{said}", "ask whoever runs the proxy for more")
    if codes & PROXY_KEY_CODES:
        return NotSetUp(f"{at.host} refused {key}{said}", f"check {key}: the proxy does not know it")
    if any(code.endswith("_model_access_denied") for code in codes):
        return UnknownModel(f"{at.host} does not let {key} use {at.model}{said}", "list_models.py lists what it may")
    if "all_deployments_in_cooldown" in codes:
        hint = "try again later, or ask another model"
        what = f"{at.host} rests {at.model} after failures{said}"
        return ProviderFailure(what, hint, retryable=True, retry_after=reply.retry_after)
    if reply.status == 400 and PROXY_MODEL_WORDS.search(words):
        return UnknownModel(f"{at.host} does not know {at.model}{said}", "list_models.py lists what it has")
    if reply.passed_on and reply.status in (401, 403):
        what = f"the provider behind {at.host} refused the proxy's own key{said}"
        return NotSetUp(what, f"tell whoever runs the proxy; {key} is good")
    if reply.passed_on and reply.status == 404:
        what = f"the provider behind {at.host} has no such model for {at.model}{said}"
        return UnknownModel(what, "tell whoever runs the proxy, or ask another model")
    if at.at_proxy and not reply.passed_on and reply.status in (404, 405, 501) and not codes:
        return ProviderFailure(f"{at.host} is no LiteLLM proxy{said}", "check LITELLM_PROXY_API_BASE")
    return None


def _passing_status(status: int, wait: float | None, host: str, said: str) -> Fault | None:
    """Statuses after which the same request may succeed."""
    hint = f"try again in {wait:g} s, or ask another model" if wait else "try again later, or ask another model"
    if status in (408, 504):
        return DeadlinePassed(f"{host} ran out of time{said}", hint, retryable=True, retry_after=wait)
    if status == 429:
        return LimitReached(f"{host} limits the rate{said}", hint, retryable=True, retry_after=wait)
    if status >= 500:
        return ProviderFailure(f"{host} failed{said}", hint, retryable=True, retry_after=wait)
    return None


def _out_of_credit(reply: HttpReply, words: str) -> bool:
    """A limit that says when it ends is a rate, whatever its words."""
    return reply.status in (400, 429) and reply.retry_after is None and bool(CREDIT_WORDS.search(words))


def _by_cause(chain: list[BaseException], at: Circumstances) -> Fault | None:
    """The socket's or TLS's own exception."""
    import socket
    import ssl

    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = getattr(getattr(cause, "certificate_error", cause), "verify_message", "")  # aiohttp wraps it
            what = f"the certificate of {at.host} is not trusted: {reason}"
            return ProviderFailure(what, f"name your CA in {OWN_CA}")
        if isinstance(cause, ssl.SSLError):
            return ProviderFailure(f"no TLS with {at.host}", "check the address: https or http?")
        if isinstance(cause, socket.gaierror):
            return ProviderFailure(f"cannot resolve {at.host}", "check the address and the network", retryable=True)
        if isinstance(cause, ConnectionRefusedError):
            what = f"connection refused by {at.host}"
            return ProviderFailure(what, "check the address; does it run?", retryable=True)
        if isinstance(cause, PermissionError):
            codex = "Codex: network_access = true below [sandbox_workspace_write] in its config.toml"
            return ProviderFailure("a sandbox forbids network access", f"allow it in the host's settings; {codex}")
    return None


def _by_class(chain: list[BaseException], at: Circumstances) -> Fault:
    """LiteLLM's classes: what it refused itself, or an error event inside a stream."""
    error = next((cause for cause in chain if not hasattr(cause, "original_exception")), chain[0])
    names = {kind.__name__ for cause in chain for kind in type(cause).__mro__}
    said = _said(_message(at.reply.body) if at.reply else str(getattr(error, "message", "") or error), at)
    status = at.reply.status if at.reply else None
    if "ContextWindowExceededError" in names:
        return PromptTooLong(f"the prompt is too long for {at.model}{said}", "attach less, or ask a larger model")
    if "ContentPolicyViolationError" in names:
        return PolicyRefusal(f"{at.host} declined by policy{said}", "rephrase, or ask another model")
    if status in (400, 422):
        return BadInput(f"{at.host} refused the request ({status}){said}", "change what it names")
    if status is not None:
        return ProviderFailure(f"{at.host} answered {status}{said}", "check the provider's address")
    if "AuthenticationError" in names:
        return NotSetUp(f"no usable credential for {at.model}{said}", "set the provider's key")
    if "RateLimitError" in names:
        return LimitReached(f"{at.host} limits the rate{said}", "try again later", retryable=True)
    if "BadRequestError" in names and not at.answered:
        return BadInput(f"{at.model} cannot be asked so{said}", "change what it names")
    hint = "try again later, or ask another model"
    return ProviderFailure(f"{at.host} failed{said}", hint, retryable=_passing(chain, names))


def _passing(chain: list[BaseException], names: set[str]) -> bool:
    """A broken connection, or an error event that says overloaded; 500 is what LiteLLM writes for anything."""
    statuses = {getattr(cause, "status_code", None) for cause in chain}
    return "TransportError" in names or bool(statuses & {503, 529})


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, what LiteLLM wrapped in it, and everything that led to it, nearest first."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [getattr(current, "original_exception", None), current.__cause__, current.__context__]


def _document(body: bytes) -> Any:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document[0] if isinstance(document, list) and document else document


def _codes(body: bytes) -> set[str]:
    """``code`` and ``type`` of an error body, wherever the providers put them."""
    document = _document(body)
    error = document.get("error") if isinstance(document, dict) else None
    places = [place for place in (document, error) if isinstance(place, dict)]
    details = error.get("details") if isinstance(error, dict) else None
    places += [place for place in details if isinstance(place, dict)] if isinstance(details, list) else []
    values = [place.get(name) for place in places for name in ("code", "type", "status", "reason")]
    return {value for value in values if isinstance(value, str)}


def _message(body: bytes) -> str:
    """The provider's own words in an error body, or the body itself where it has no known shape."""
    document = _document(body)
    while isinstance(document, dict):
        document = next((document[name] for name in ("error", "message", "detail") if document.get(name)), "")
    return document if isinstance(document, str) else body.decode("utf-8", "replace")


def _said(words: str, at: Circumstances) -> str:
    """``: words`` as one line of at most 200 characters without markup, or nothing."""
    words = at.redact(words)  # before anything is cut: a part of a key is still too much of it
    words = re.sub(r"^(litellm\.)?\w+(Error|Timeout): ", "", words.split("Traceback (most recent call")[0])
    words = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>", " ", words[:20_000])
    words = " ".join(words.split())
    if not words:
        return ""
    return f": {words}" if len(words) <= 200 else f": {words[:199]}…"
