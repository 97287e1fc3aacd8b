"""What comes in place of an answer: refusals, errors with status 200 or within a stream, pages, redirects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exchange import Exchange, event_of
from wire import Json, Reply, StreamCut, Wire, encode
from wire_anthropic import MESSAGES
from wire_gemini import GEMINI
from wire_openai import CHAT, RESPONSES

FAILED = "The server had an error while processing your request."  # in error events and in answers of status 200
HTML = (
    b'<!DOCTYPE html>\n<html lang="en"><head><title>Bad gateway</title><style>body{margin:0}</style></head>\n'
    b'<body><h1>Error 502</h1><p>Ray ID: 0000000000000000</p><script>window.x="'
    + b"y" * 3000
    + b'"</script></body></html>'
)


@dataclass(frozen=True)
class Refusal:
    """An error answer. ``words`` by wire, where what LiteLLM makes of it depends on them; ``openai`` and ``gemini``
    are members of their error object."""

    status: int
    words: str
    by_wire: Mapping[Wire, str] = field(default_factory=dict)
    openai: Json = field(default_factory=dict)
    gemini: Json = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, exchange: Exchange) -> None:
        wire = exchange.wire
        error = wire.error(self.status, exchange.filled(self.by_wire.get(wire, self.words)))
        error["error"] |= self.openai if wire in (CHAT, RESPONSES) else self.gemini if wire is GEMINI else {}
        headers = {name: exchange.filled(value) for name, value in self.headers.items()}
        exchange.answer(encode(error), self.status, **headers)


def _wait(seconds: str) -> Refusal:
    """A rate limit. Gemini says the wait in the body as well."""
    rpc = "type.googleapis.com/google.rpc."
    details = [{"@type": rpc + "RetryInfo", "retryDelay": f"{seconds}s"}] if seconds.isdigit() else []
    words = "Rate limit reached for requests per minute"
    return Refusal(429, words, gemini={"details": details}, headers={"retry_after": seconds})


CREDIT = "Your credit balance is too low to access the API. Please go to Plans & Billing to purchase credits."
QUOTA = "You exceeded your current quota, please check your plan and billing details."
KEY_INVALID = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
QUOTA_FAILURE = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "0"}],
}
# After the providers' error references and, where LiteLLM goes by the words, after what they really say.
REFUSALS = {
    "401": Refusal(401, "Incorrect API key provided.", {MESSAGES: "invalid x-api-key"}),
    "403": Refusal(403, "This key has no access to model {model}."),
    "402": Refusal(402, CREDIT),
    "404": Refusal(
        404,
        "The model `{model}` does not exist or you do not have access to it.",
        {MESSAGES: "model: {model}", GEMINI: "models/{model} is not found for API version v1beta."},
    ),
    "400ctx": Refusal(
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
        "Please reduce the length of the messages.",
        {
            MESSAGES: "prompt is too long: 205000 tokens > 200000 maximum",
            GEMINI: "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
        },
        openai={"code": "context_length_exceeded", "param": "messages"},
    ),
    "413": Refusal(413, "Request exceeds the maximum allowed number of bytes."),
    "400policy": Refusal(
        400,
        "Your request was rejected as a result of our safety system. Your prompt may contain text that is not allowed.",
        {
            MESSAGES: "Output blocked by content filtering policy",
            GEMINI: "The prompt was blocked: it may violate the Prohibited Use policy.",
        },
        openai={"code": "content_policy_violation"},
    ),
    "400param": Refusal(
        400,
        "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) is supported.",
        {MESSAGES: "`temperature` is deprecated for this model.", GEMINI: "Invalid value at temperature: 0.2"},
        openai={"code": "unsupported_value", "param": "temperature"},
    ),
    # What Gemini and xAI say of a wrong key, and Anthropic of an empty account.
    "400key": Refusal(400, "API key not valid. Please pass a valid API key.", gemini={"details": [KEY_INVALID]}),
    "400credit": Refusal(400, CREDIT),
    "408": Refusal(408, "Request timed out."),
    "422": Refusal(422, "Input should be a valid string"),
    "429": Refusal(429, "Rate limit reached for requests per minute"),
    "429ra1": _wait("1"),
    "429ra20": _wait("20"),
    "429ra3600": _wait("3600"),
    "429radate": _wait("{date}"),  # two seconds from now, as a date
    "429quota": Refusal(
        429,
        QUOTA,
        {MESSAGES: "This request would exceed your organization's monthly usage limit."},
        openai={"type": "insufficient_quota", "code": "insufficient_quota"},
        gemini={"details": [QUOTA_FAILURE]},
    ),
    "500": Refusal(500, FAILED),
    "502": Refusal(502, "Bad gateway."),
    "503": Refusal(503, "The model is overloaded. Please try again later."),
    "504": Refusal(504, "Deadline expired before operation could complete."),
    "529": Refusal(529, "Overloaded"),
    "echo_key": Refusal(401, "Incorrect API key provided: {key}."),
}


def _error_event(exchange: Exchange, words: str) -> bytes:
    """How a provider says in the middle of a stream that it failed."""
    words = exchange.filled(words)
    if exchange.wire is RESPONSES:
        return event_of(
            RESPONSES, {"type": "response.failed", "response": _failed(exchange, words), "sequence_number": 9}
        )
    return event_of(exchange.wire, exchange.wire.error(529 if exchange.wire is MESSAGES else 503, words))


def _failed(exchange: Exchange, words: str) -> Json:
    """OpenAI's response object of a generation that failed."""
    whole = RESPONSES.whole(Reply(text="", model=exchange.arrival.model, usage=None), exchange.arrival)
    return whole | {"status": "failed", "output": [], "error": {"code": "server_error", "message": words}}


def error_in_body(words: str) -> Callable[[Exchange, bytes], None]:
    """An error in place of the answer, with status 200."""

    def fail(exchange: Exchange, body: bytes) -> None:
        said = exchange.filled(words)
        failed = _failed(exchange, said) if exchange.wire is RESPONSES else exchange.wire.error(500, said)
        exchange.answer(encode(failed))

    return fail


def error_at_200(exchange: Exchange) -> None:
    if not exchange.streamed:
        error_in_body(FAILED)(exchange, b"")
        return
    exchange.open_stream()
    other = {"type": "error", "code": "server_error", "message": FAILED, "param": None, "sequence_number": 0}
    exchange.chunk(event_of(RESPONSES, other) if exchange.wire is RESPONSES else _error_event(exchange, FAILED))
    exchange.end()


def error_mid(words: str) -> Callable[[Exchange, bytes], bytes]:
    def fail(exchange: Exchange, event: bytes) -> bytes:
        exchange.chunk(_error_event(exchange, words))
        raise StreamCut

    return fail


def page(status: int) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.answer(HTML, status, "text/html; charset=utf-8")


def redirect(status: int) -> Callable[[Exchange], None]:
    """To another origin: the same path at another port."""

    def play(exchange: Exchange) -> None:
        exchange.answer(b"", status, location=exchange.server.elsewhere + exchange.arrival.path)

    return play
