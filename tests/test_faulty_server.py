"""The faulty server breaks what it is told to break, byte for byte, and nothing else; LiteLLM takes it for the real."""

from __future__ import annotations

import email.utils
import gc
import http.client
import json
import socket
import ssl
import threading
import time
import zlib
from collections import Counter
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from endless import HUGE_BODY_BYTES, HUGE_STREAM_BYTES
from exchange import AT_FAULT, BEFORE_FAULT, MAX_STALL_S, TEXT, WIRES
from faulty_server import FaultyServer
from raw_client import (
    ENDS,
    KEY,
    LOOK_S,
    NO_ANSWER,
    PATHS,
    PATIENCE_S,
    each_way,
    fetch,
    listen,
    pick,
    request,
    said,
    whole_text,
)
from refusals import FAILED
from scenarios import ANSI_TEXT, INJECT_TEXT, REPEATED_PIECE, SCENARIOS, SEQUENCES, sent_text

every_wire = pytest.mark.parametrize("wire", WIRES)
STATUS = {"redirect": 307, "redirect302": 302, "echo_key": 401, "html403": 403, "html502": 502}
STATUS |= {name: int(name[:3]) for name in SCENARIOS if name[:3].isdigit()}
# What can be read of it, where that is not ``sent_text``: streams that are damaged in one place and go on.
READABLE = {
    "bad_json": TEXT.replace(AT_FAULT, ""),
    "bad_utf8": TEXT.replace(AT_FAULT, AT_FAULT[:3] + "\ufffd" + AT_FAULT[3:]),
    **dict.fromkeys(("bad_sse", "missing_choices", "missing_delta", "missing_content"), TEXT),
    "echo_key_text": f"your key is {KEY}, is it not?",
    **dict.fromkeys(("tls", "tls_plain"), TEXT),
}
READABLE_WHOLE = {name: READABLE[name] for name in ("bad_sse", "echo_key_text")}
READABLE_WHOLE["bad_utf8"] = READABLE["bad_utf8"]
APART = {"tls", "tls_plain", "refused", "dns", "huge", "gzipbomb"}  # tested below


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in APART])
def test_every_scenario_on_every_wire(name: str) -> None:
    for (wire, streamed), got in each_way(name).items():
        readable = (READABLE if streamed else READABLE_WHOLE).get(name, sent_text(name, streamed=streamed))
        assert readable.startswith(sent_text(name, streamed=streamed))
        assert got.status == (None if name in NO_ANSWER else STATUS.get(name, 200)), (wire, streamed)
        assert got.end == ENDS.get(name, ("whole", "whole"))[not streamed], (wire, streamed)
        assert said(wire, got, streamed=streamed) == readable, (wire, streamed)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("bad_sse", "no field at all"),
        ("truncated", "data: "),
        ("missing_choices", '"choices"'),
        ("missing_delta", '"delta"'),
        ("missing_content", '"content":"'),
        ("ping_mid", ": ping"),
        ("blank_mid", '"content":""'),
    ],
)
def test_streams_have_lines_that_a_good_one_has_not(name: str, line: str) -> None:
    good, bad = each_way("ok"), each_way(name)
    for wire in WIRES:
        odd = Counter(bad[wire, True].text.splitlines()) - Counter(good[wire, True].text.splitlines())
        assert odd, wire
        if wire == "chat":
            assert any((line in text) is not name.startswith("missing") for text in odd if text)
    if name == "ping_mid":
        assert [set(bad[wire, False].body) for wire in WIRES] == [{ord("\n")}] * len(WIRES)


def test_the_text_is_worth_losing() -> None:
    assert (len(TEXT), len(BEFORE_FAULT)) == (29, 12)
    assert (sent_text("ok", streamed=True), sent_text("ok", streamed=False)) == (TEXT, TEXT)
    assert (sent_text("end_mid", streamed=True), sent_text("end_mid", streamed=False)) == (BEFORE_FAULT, "")
    assert (sent_text("ansi", streamed=True), sent_text("inject", streamed=False)) == (ANSI_TEXT, INJECT_TEXT)
    assert sent_text("repeat", streamed=True) == REPEATED_PIECE * 600
    assert [sent_text(name, streamed=True) for name in SEQUENCES] == [TEXT, TEXT]


# What a provider says ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wire", "way", "value"),
    [
        ("429quota", "chat", ("error", "code"), "insufficient_quota"),
        ("429quota", "messages", ("error", "type"), "rate_limit_error"),
        ("429quota", "gemini", ("error", "status"), "RESOURCE_EXHAUSTED"),
        ("429ra20", "gemini", ("error", "details", 0, "retryDelay"), "20s"),
        ("400ctx", "responses", ("error", "code"), "context_length_exceeded"),
        ("400ctx", "messages", ("type",), "error"),
        ("400policy", "chat", ("error", "code"), "content_policy_violation"),
        ("400param", "chat", ("error", "param"), "temperature"),
        ("400key", "gemini", ("error", "details", 0, "reason"), "API_KEY_INVALID"),
        ("402", "messages", ("error", "type"), "billing_error"),
        ("404", "messages", ("error", "message"), "model: test-model"),
        ("413", "messages", ("error", "type"), "request_too_large"),
        ("529", "messages", ("error", "type"), "overloaded_error"),
        ("503", "gemini", ("error", "code"), 503),
        ("err200", "responses", ("error", "code"), "server_error"),
        ("err200", "gemini", ("error", "message"), FAILED),
        ("no_usage", "chat", ("usage",), None),
        ("no_usage", "gemini", ("usageMetadata",), None),
        ("think_only", "chat", ("usage", "completion_tokens_details", "reasoning_tokens"), 64),
        ("think_only", "responses", ("incomplete_details", "reason"), "max_output_tokens"),
        ("think_only", "messages", ("content", 0, "type"), "thinking"),
        ("think_only", "gemini", ("usageMetadata", "thoughtsTokenCount"), 64),
        ("fr_filter", "gemini", ("candidates", 0, "finishReason"), "SAFETY"),
        ("refusal", "chat", ("choices", 0, "message", "refusal"), "I cannot help with that."),
        ("refusal", "responses", ("output", 0, "content", 0, "type"), "refusal"),
        ("refusal", "messages", ("stop_reason",), "refusal"),
        ("refusal", "gemini", ("promptFeedback", "blockReason"), "PROHIBITED_CONTENT"),
        ("no_done", "chat", ("choices", 0, "finish_reason"), None),
        ("other_model", "messages", ("model",), "dearer-model"),
        ("other_model", "gemini", ("modelVersion",), "dearer-model"),
        ("empty_choices", "responses", ("output",), []),
        ("jsonlist", "gemini", (0, "candidates", 0, "finishReason"), "STOP"),
    ],
)
def test_bodies_are_the_providers_own(name: str, wire: str, way: tuple[str | int, ...], value: object) -> None:
    with FaultyServer(name) as server:
        data = json.loads(fetch(server, wire, streamed=False).body)
    assert pick(data, *way[:-1]) is not None
    assert pick(data, *way) == value


@pytest.mark.parametrize(
    ("wire", "event"),
    [
        ("chat", b'data: {"error":{"message":"The server had'),
        ("responses", b'event: response.failed\ndata: {"type":"response.failed","response":{'),
        ("messages", b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"'),
        ("gemini", b'data: {"error":{"code":503,"message":"The server had'),
    ],
)
def test_each_wire_fails_in_the_middle_in_its_own_words(wire: str, event: bytes) -> None:
    with FaultyServer("err_mid") as server:
        body = fetch(server, wire, streamed=True).body
    assert event in body
    assert FAILED.encode() in body.partition(event[:20])[2]


@pytest.mark.parametrize("name", ["429ra1", "429ra20", "429ra3600", "429radate"])
def test_rate_limits_say_how_long(name: str) -> None:
    with FaultyServer(name) as server:
        wait = fetch(server, "messages", streamed=True).headers["retry-after"]
    if name == "429radate":
        assert 0 <= email.utils.parsedate_to_datetime(wait).timestamp() - time.time() <= 3
    else:
        assert wait == name.removeprefix("429ra")


@pytest.mark.parametrize("name", ["echo_key", "echo_key_mid"])
@pytest.mark.parametrize("header", ["authorization", "x_api_key", "x_goog_api_key", "api_key"])
def test_echoes_the_key_whatever_header_it_came_in(name: str, header: str) -> None:
    with FaultyServer(name) as server:
        assert KEY in fetch(server, "chat", streamed=True, **{header: KEY}).text
        assert server.requests[0].credentials == KEY


# The way there ----------------------------------------------------------------------------------------


@every_wire
@pytest.mark.parametrize("name", ["redirect", "redirect302"])
def test_redirects_lead_to_another_origin(name: str, wire: str) -> None:
    with FaultyServer(name) as server:
        place = urlsplit(fetch(server, wire, streamed=False).headers["location"])
        assert (place.path, place.netloc == urlsplit(server.url).netloc) == (PATHS[wire], False)
        assert server.redirected == ()
        with closing(http.client.HTTPConnection(place.netloc)) as connection:
            connection.request("POST" if name == "redirect" else "GET", place.path, '{"model": "x"}')
            assert connection.getresponse().status == (200 if name == "redirect" else 404)
        assert [arrival.path for arrival in server.redirected] == [PATHS[wire]]
        assert len(server.requests) == 1


def test_nobody_listens() -> None:
    with FaultyServer("refused") as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.server_address)
    with FaultyServer("dns") as server, pytest.raises(socket.gaierror):
        socket.create_connection((urlsplit(server.url).hostname, 80))


def secure(server: FaultyServer, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("127.0.0.1", server.server_address[1], context=context)


def test_certificate_is_nobodys_unless_it_is_named() -> None:
    trusting = ssl.create_default_context()
    with FaultyServer("tls") as server:
        trusting.load_verify_locations(server.certificate)
        distrusting = ssl.create_default_context()
        with closing(secure(server, distrusting)) as connection, pytest.raises(ssl.SSLCertVerificationError):
            connection.request("POST", PATHS["chat"], '{"model": "x"}')
        assert server.arrivals == ()
        with closing(secure(server, trusting)) as connection:
            connection.request("POST", PATHS["chat"], '{"model": "x"}')
            assert whole_text("chat", json.load(connection.getresponse())) == TEXT
    with FaultyServer("tls_plain") as server, closing(secure(server, trusting)) as connection:
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION|wrong version|record layer"):
            connection.request("POST", PATHS["chat"], '{"model": "x"}')
        assert (server.arrivals, server.url[:5]) == ((), "https")


def test_plays_a_sequence_and_records_what_came() -> None:
    began = time.monotonic()
    with FaultyServer("500", "429ra1", "ok") as server:
        with closing(http.client.HTTPConnection("127.0.0.1", server.server_address[1])) as connection:
            connection.request("GET", "/v1/models")  # no generation: it plays no part in the sequence
            assert connection.getresponse().read() == b""
            statuses = []
            for _ in range(4):  # on one connection
                connection.request("POST", PATHS["chat"], b'{"model": "m"}', {"X-Api-Key": KEY})
                response = connection.getresponse()
                statuses.append((response.status, len(response.read()) > 50))
        assert statuses == [(500, True), (429, True), (200, True), (200, True)]
        assert [arrival.path for arrival in server.arrivals] == ["/v1/models"] + [PATHS["chat"]] * 4
        first, last = server.requests[0], server.requests[-1]
        assert (first.raw, first.body, first.headers["x-api-key"]) == (b'{"model": "m"}', {"model": "m"}, KEY)
        assert began < first.received_at < last.received_at < time.monotonic()
    for name, names in SEQUENCES.items():
        with FaultyServer(name) as server:
            assert server.scenarios == names


def test_reads_a_chunked_request() -> None:
    with FaultyServer("ok") as server:
        with closing(http.client.HTTPConnection("127.0.0.1", server.server_address[1])) as connection:
            connection.request("POST", PATHS["chat"], iter([b'{"model"', b': "m"}']), encode_chunked=True)
            connection.getresponse().read()
        assert server.requests[0].body == {"model": "m"}


# Floods -----------------------------------------------------------------------------------------------


@every_wire
def test_huge_body_is_one_answer(wire: str) -> None:
    with FaultyServer("huge") as server, closing(request(server, wire, streamed=False)) as connection:
        connection.settimeout(PATIENCE_S)
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read()
    assert len(whole_text(wire, json.loads(body)) or "") == HUGE_BODY_BYTES


@every_wire
def test_bomb_is_small_until_it_is_unpacked(wire: str) -> None:
    with FaultyServer("gzipbomb") as server:
        got = fetch(server, wire, streamed=False)
    assert (got.headers["content-encoding"], got.end) == ("gzip", "whole")
    assert len(got.body) < 100_000
    body = zlib.decompress(got.body, wbits=31)
    assert len(whole_text(wire, json.loads(body)) or "") == HUGE_BODY_BYTES


@pytest.mark.parametrize(("name", "least"), [("huge", HUGE_STREAM_BYTES), ("gzipbomb", HUGE_STREAM_BYTES // 1000)])
def test_flood_of_pieces_has_no_end(name: str, least: int) -> None:
    with FaultyServer(name) as server, closing(request(server, "chat", streamed=True)) as connection:
        connection.settimeout(PATIENCE_S)
        count = 0
        while count < least:
            count += len(connection.recv(1 << 20))
        server.wait_for_bytes(count)
        assert listen(connection, then_s=LOOK_S)[1] == "open"


# Shutdown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stall_headers", "stall_mid", "ping_mid", "drip", "huge", "tls"])
def test_close_ends_everything_at_once(name: str) -> None:
    threads, began = set(threading.enumerate()), time.monotonic()
    with FaultyServer(name) as server:
        address = server.server_address
        with closing(socket.create_connection(address)), closing(request(server, "chat", streamed=True)) as busy:
            if name != "tls":  # where the server still waits for a handshake
                server.wait_for(1)
            server.close()
            assert listen(busy)[1] in ("closed", "reset")
        server.close()  # does nothing the second time
    assert time.monotonic() - began < MAX_STALL_S  # the stall was not sat out
    assert set(threading.enumerate()) == threads
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    gc.collect()  # an unclosed socket would be reported here, and warnings are errors


def test_unknown_scenario_is_an_error() -> None:
    with pytest.raises(KeyError):
        FaultyServer("nonsense")
