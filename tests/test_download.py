"""One request: how long it may take, how much may come, whom TLS trusts, and by which way it goes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from faulty_server import FaultyServer
from litellm_skill import download
from litellm_skill.download import Request
from litellm_skill.faults import Fault, NotSetUp, ProviderFailure
from provider_server import ProviderServer, Reply


def refusal(address: str, *, patience: float = 5.0, limit: int = 1000) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as caught:
        download.fetch(Request(address, patience, limit, "sk-key-1"))
    assert "\n" not in caught.value.message + caught.value.hint
    assert "sk-key-1" not in caught.value.message + caught.value.hint
    return caught.value


@contextlib.contextmanager
def dripping(first: bytes, drop: bytes) -> Iterator[str]:
    """The address of a server that says ``first``, then ``drop`` again and again until it is hung up on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(first)
                while not hung_up.wait(0.02):
                    connection.sendall(drop)

        hung_up = threading.Event()
        dripper = threading.Thread(target=drip)
        dripper.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            hung_up.set()
            dripper.join()


def test_the_key_goes_in_its_header_and_a_document_is_posted(provider: ProviderServer) -> None:
    provider.reply(Reply(body="[1]"), path="/a/b")
    request = Request(f"{provider.url}/a/b?c=d", 5, 100, "sk-key-1", document={"model": "x"})
    assert download.fetch_json(request) == [1]
    (sent,) = provider.requests
    assert (sent.method, sent.path, sent.body) == ("POST", "/a/b?c=d", {"model": "x"})
    assert sent.headers["authorization"] == "Bearer sk-key-1"
    assert "sk-key-1" not in repr(request)


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["status line", "headers", "body", "chunks"],
)
def test_a_server_that_drips_is_left(first: bytes, drop: bytes) -> None:
    """Each drop comes in time, so only a limit on the whole ends it."""
    with dripping(first, drop) as address:
        fault = refusal(address, patience=0.3, limit=10**9)
    assert fault.message.endswith(" did not answer within 0.3 s")
    assert fault.http_status is None


def test_a_server_that_is_silent_is_left_for_that() -> None:
    """And not for the end of the connection, which is this side's doing."""
    with socket.create_server(("127.0.0.1", 0), backlog=20) as listening:
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        silent = Request(f"http://{host}/", 0.2, 1000)
        told = download.together([lambda: download.fetch(silent)] * 20)
    assert {str(one) for one in told} == {f"{host} did not answer within 0.2 s"}


def test_a_server_that_pours_is_left() -> None:
    with dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 500_000) as address:
        assert "answered with more than 3 MB" in refusal(address, limit=3_000_000).message


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("file:///etc/passwd", "no address of a server"),
        ("ftp://127.0.0.1/x", "no address of a server"),
        ("127.0.0.1:80", "no address of a server"),
        ("http://", "no address of a server"),
        ("http://[x", "no address of a server"),
        ("http://127.0.0.1:99999/", "no address of a server"),
        ("http://127.0.0.1:1/a b", "no address of a server"),
        ("http://127.0.0.1:1/a\r\nX:y", "no address of a server"),
        ("http://nowhere.invalid/", "cannot resolve nowhere.invalid"),
    ],
)
def test_what_is_no_address(address: str, said: str) -> None:
    assert said in refusal(address).message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(provider: ProviderServer, status: int) -> None:
    provider.reply(Reply(status=status, body="x", headers={"location": f"{provider.url}/v1/models"}), path="/a")
    fault = refusal(f"{provider.url}/a")
    assert (fault.http_status, len(provider.requests)) == (status, 1)


def test_a_certificate_is_trusted_only_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer("tls") as server:
        assert "certificate of 127.0.0.1" in refusal(f"{server.url}/v1/models").message
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.certificate))
        try:
            came: object = download.fetch(Request(f"{server.url}/v1/models", 5, 10_000))
        except ProviderFailure as fault:
            came = fault.http_status
        assert came is not None
        monkeypatch.setenv("SSL_VERIFY", "false")
        with pytest.raises(NotSetUp, match="SSL_VERIFY"):
            download.fetch(Request(f"{server.url}/v1/models", 5, 10_000))


def test_a_missing_certificate_file_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    with FaultyServer("tls") as server:
        assert "certificate of 127.0.0.1" in refusal(f"{server.url}/v1/models").message


def test_the_way_leads_through_the_proxy_that_is_set(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", provider.url.replace("//", "//me:pass%20word@"))
    provider.reply(Reply(body="{}"), path="/list")
    assert download.fetch_json(Request("http://prices.invalid/list", 5, 100)) == {}
    (sent,) = provider.requests
    assert sent.path == "http://prices.invalid/list"
    assert sent.headers["proxy-authorization"] == "Basic bWU6cGFzcyB3b3Jk"
    monkeypatch.setenv("no_proxy", "prices.invalid")
    assert "cannot resolve" in refusal("http://prices.invalid/list").message


def test_tls_goes_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            connection, _ = listening.accept()
            with connection:
                seen.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        refusing = threading.Thread(target=refuse)
        refusing.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listening.getsockname()[1]}")
        fault = refusal("https://prices.invalid/list")
        refusing.join()
    assert seen[0].startswith(b"CONNECT prices.invalid:443 HTTP/1.")
    assert b"sk-key-1" not in seen[0]
    assert "407" in fault.message


def test_this_machine_is_asked_without_a_proxy(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert download.fetch(Request(f"{provider.url}/v1/models", 5, 10_000))


def test_tasks_run_at_once_and_fail_apart() -> None:
    meeting = threading.Barrier(3, timeout=5)

    def task(number: int) -> Callable[[], int]:
        def work() -> int:
            meeting.wait()
            if number == 1:
                raise Fault("one")
            return number

        return work

    first, second, third = download.together([task(number) for number in range(3)])
    assert (first, str(second), third) == (0, "one", 2)
    assert isinstance(second, Fault)
