"""Local servers: what they say they serve, and that asking them costs little."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest
from litellm_skill import endpoints, settings
from provider_server import ProviderServer, Reply


def at(address: str, name: str = "OLLAMA_API_BASE") -> settings.Settings:
    return settings.load({name: address, "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"]}, Path.cwd())


def test_ollama_names_its_models(provider: ProviderServer) -> None:
    provider.models = ("qwen3:8b", "nomic-embed-text:latest")
    served = endpoints.serve("ollama", at(provider.url))
    assert [(model.id, model.embedding) for model in served] == [
        ("ollama/qwen3:8b", False),
        ("ollama/nomic-embed-text:latest", True),
    ]


def test_the_largest_comes_first(provider: ProviderServer) -> None:
    body = '{"models": [{"name": "small", "size": 1}, {"name": "large", "size": 9}, {"name": "odd", "size": null}]}'
    provider.reply(Reply(body=body), path="/api/tags")
    assert [model.name for model in endpoints.serve("ollama", at(provider.url))] == ["large", "small", "odd"]


def test_openai_like_servers_name_theirs(provider: ProviderServer) -> None:
    served = endpoints.serve("lm_studio", at(provider.url + "/v1", "LM_STUDIO_API_BASE"))
    assert [model.id for model in served] == ["lm_studio/test-model"]


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"models": {}}', '{"models": ["x", {"name": 1}]}', "null"])
def test_nonsense_is_no_model(provider: ProviderServer, body: str) -> None:
    provider.reply(Reply(body=body), path="/api/tags")
    assert endpoints.serve("ollama", at(provider.url)) == []


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert endpoints.serve("ollama", at(address)) == []


def test_a_server_that_never_answers_is_left() -> None:
    """It accepts and says nothing; without a limit this test would never end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert endpoints.serve("ollama", at(f"http://127.0.0.1:{silent.getsockname()[1]}")) == []


def test_a_server_that_drips_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        end = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not end.wait(0.05):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert endpoints.serve("ollama", at(f"http://127.0.0.1:{listening.getsockname()[1]}")) == []
        finally:
            end.set()
            dripping.join()


def test_an_untrusted_address_is_not_asked(provider: ProviderServer) -> None:
    Path(".env").write_text(f"OLLAMA_API_BASE={provider.url}\n")
    endpoints.serve("ollama", settings.load({}, Path.cwd()))
    assert provider.requests == ()
