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
    └── Interrupted      130    SIGINT, SIGTERM or SIGHUP

Exit code 1 is a bug of ours: any exception that is not a ``Fault``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


class Fault(Exception):
    """``message``: one line of what went wrong. ``hint``: one line of what to do next."""

    exit_code = 1
    type = "fault"

    def __init__(
        self, message: str, hint: str = "", *, retryable: bool = False, http_status: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.http_status = http_status


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


class Interrupted(Fault):
    exit_code = 130
    type = "interrupted"


@dataclass(frozen=True)
class Circumstances:
    """What the classifier must know beside the exception: whom we asked, with which key, and what had come."""

    model: str
    host: str | None
    key_name: str | None
    keys: tuple[str, ...]
    timeout: float
    text_came: bool


def classify(error: BaseException, at: Circumstances) -> Fault:
    """What a provider or the network did, as one of ours.

    Integer HTTP status first, then the exception's class, then the chain of causes; LiteLLM writes status 500 for
    faults of the network, so a 5xx is believed only after the chain has been walked. Never raises.
    """
    if isinstance(error, Fault):
        return error
    error = getattr(error, "original_exception", None) or error
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(error, "status_code", None)
    status = status if isinstance(status, int) else None
    fault = _by_status(status, names, error, at) or _by_cause(error, at) or _by_class(names, status, error, at)
    fault.http_status = status
    if at.text_came and isinstance(fault, ProviderFailure | DeadlinePassed | LimitReached):
        return _after_text(fault)
    return fault


def _by_status(status: int | None, names: set[str], error: BaseException, at: Circumstances) -> Fault | None:
    said = _said(error, at)
    if status in (401, 403):
        which = at.key_name or "the credential"
        return NotSetUp(f"{at.host} refused {which} ({status}): {said}", f"check {which} and what it may call")
    if status == 402:
        return LimitReached(f"{at.host} wants payment (402): {said}", "check the account's credit")
    if status == 404:
        return UnknownModel(f"{at.host} does not know {at.model} (404): {said}", "check the id and the address")
    if status == 413 or "ContextWindowExceededError" in names:
        return PromptTooLong(f"the prompt is too long for {at.model}: {said}", "attach less, or take a larger model")
    if "ContentPolicyViolationError" in names:
        return PolicyRefusal(f"{at.host} declined by policy: {said}", "rephrase, or ask another model")
    if status in (400, 422) and not {"APIConnectionError"} & names:
        return BadInput(f"{at.host} refused the request ({status}): {said}", "change what it names")
    if status == 429:
        return LimitReached(f"{at.host} limits the rate (429): {said}", "wait, or ask another model", retryable=True)
    return None


def _by_cause(error: BaseException, at: Circumstances) -> Fault | None:
    """The socket's or TLS's own exception, somewhere down the chain."""
    import socket
    import ssl

    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = getattr(getattr(cause, "certificate_error", cause), "verify_message", "")  # aiohttp wraps it
            return ProviderFailure(
                f"the certificate of {at.host} is not trusted: {reason}",
                "name your own CA in SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or NODE_EXTRA_CA_CERTS",
            )
        if isinstance(cause, socket.gaierror):
            return ProviderFailure(
                f"cannot resolve {at.host}", "check the address and the network", retryable=True
            )
        if isinstance(cause, ConnectionRefusedError):
            return ProviderFailure(
                f"connection refused by {at.host}", "check the address and that it runs", retryable=True
            )
        if isinstance(cause, PermissionError):
            return ProviderFailure("a sandbox forbids network access", "allow network access in the host's settings")
    return None


def _by_class(names: set[str], status: int | None, error: BaseException, at: Circumstances) -> Fault:
    if isinstance(error, TimeoutError) or ("Timeout" in names and status not in (408, 504)):
        return DeadlinePassed(
            f"no answer from {at.host} within {at.timeout:g} s", "raise --timeout, or ask a faster model", retryable=True
        )
    said = _said(error, at)
    shown = f" ({status})" if status else ""
    if "AuthenticationError" in names:
        return NotSetUp(f"no usable credential for {at.model}: {said}", "set the provider's key")
    return ProviderFailure(f"{at.host} failed{shown}: {said}", "try again later, or ask another model", retryable=True)


def _after_text(fault: Fault) -> IncompleteAnswer:
    return IncompleteAnswer(
        f"the answer stopped in the middle: {fault.message}",
        "the text so far is kept; ask again for a whole one",
        retryable=True,
        http_status=fault.http_status,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _said(error: BaseException, at: Circumstances) -> str:
    """The provider's own words: one line, no markup, no key, at most 200 characters."""
    text = str(getattr(error, "message", "") or error)
    text = re.sub(r"^(litellm\.)?\w+(Error|Timeout): ", "", text)
    text = " ".join(re.sub(r"<[^>]*>", " ", text).split()) or type(error).__name__
    for key in at.keys:
        text = text.replace(key, "[key]")
    return text if len(text) <= 200 else f"{text[:199]}…"
