"""Texts to vectors, as its users type it, against a provider that is a socket."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPTS, Outcome
from litellm_skill import catalog
from provider_server import ProviderServer, Reply, Usage
from wire_embeddings import embedding, texts, vector

Run = Callable[..., Outcome]
OPENAI, GEMINI, OLLAMA = "openai/test-embedding", "gemini/test-embedding", "ollama/test-embedding"
WIRES = [OPENAI, GEMINI, OLLAMA]


@pytest.fixture
def wires(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    """The provider behind each vendor's own address variable, and a key for each."""
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("GEMINI_API_KEY", "key-of-google")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    monkeypatch.setenv("GEMINI_API_BASE", f"{provider.url}/v1beta")
    monkeypatch.setenv("OLLAMA_API_BASE", provider.url)
    return provider


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def lines(path: str, *values: object) -> str:
    Path(path).write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def asked(server: ProviderServer) -> list[list[str]]:
    """The texts of each embeddings request, in the order in which they came."""
    return [texts(request) for request in server.requests if "/api/show" not in request.path]


def data(*embeddings: Sequence[object] | str, **more: object) -> Reply:
    """An answer on OpenAI's wire with just these."""
    found = [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(embeddings)]
    return Reply(body=json.dumps({"object": "list", "data": found, "model": "m", **more}))


# --- vectors


@pytest.mark.parametrize("model", WIRES)
def test_vectors_of_texts(run: Run, wires: ProviderServer, model: str) -> None:
    outcome = run("embed_text", "héllo", "你好 🌍", "-m", model)
    assert (outcome.code, outcome.stderr) == (0, "")
    expected = [{"id": n, "embedding": vector(text), "dims": 8} for n, text in ((1, "héllo"), (2, "你好 🌍"))]
    assert rows(outcome) == expected
    assert asked(wires) == [["héllo", "你好 🌍"]]


@pytest.mark.parametrize("model", WIRES)
def test_one_document(run: Run, wires: ProviderServer, model: str) -> None:
    wires.reply(Reply(usage=Usage(input=21)))
    outcome = run("embed_text", "one", "two", "-m", model, "--json", "--dimensions", "3")
    document = json.loads(outcome.stdout)
    assert next(iter(document)) == "status"
    assert (outcome.code, outcome.stderr) == (0, "")
    expected = {
        "status": "ok",
        "model_requested": model,
        "model_used": model,
        "provider": model.split("/")[0],
        "endpoint_host": wires.url.removeprefix("http://"),
        "dims": 3,
        "missing": [],
        "cost_usd": 0.0 if model == OLLAMA else None,
        "cost_source": "local" if model == OLLAMA else None,
        "warnings": [],
        "error": None,
        "embeddings": [{"id": n, "embedding": vector(text, 3), "dims": 3} for n, text in ((1, "one"), (2, "two"))],
    }
    assert {name: document[name] for name in expected} == expected
    assert document["usage"]["input_tokens"] == 21
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["ok"]


@pytest.mark.parametrize("model", WIRES)
def test_unknown_stays_unknown(run: Run, wires: ProviderServer, model: str) -> None:
    """LiteLLM counts tokens itself where the provider reported none."""
    wires.reply(Reply(usage=None))
    document = json.loads(run("embed_text", "one", "-m", model, "--json").stdout)
    assert document["usage"]["input_tokens"] is None
    assert document["cost_usd"] == (0.0 if model == OLLAMA else None)


def test_a_known_price_is_applied(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(usage=Usage(input=1_000_000)))
    model = next(id for id in catalog.load().file.embedding if id.startswith("openai/"))
    document = json.loads(run("embed_text", "one", "-m", model, "--json").stdout)
    price = catalog.load().find(model).price
    assert (document["cost_usd"], document["cost_source"]) == (pytest.approx(1_000_000 * price.input), "catalog")


@pytest.mark.parametrize(("said", "cost"), [(0.25, 0.25), (-1, None), (float("inf"), None), (10**400, None)])
def test_the_providers_own_cost_goes_first(run: Run, wires: ProviderServer, said: float, cost: float | None) -> None:
    wires.reply(data([1.0], usage={"prompt_tokens": 3, "total_tokens": 3, "cost": said}))
    document = json.loads(run("embed_text", "one", "-m", OPENAI, "--json").stdout)
    found = (document["status"], document["cost_usd"], document["cost_source"])
    assert found == ("ok", cost, "provider" if cost else None)


def test_an_out_that_somebody_removes_costs_nothing(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(delay_s=1))
    remover = threading.Thread(target=lambda: (wires.wait_for(1, 30), Path("v.jsonl").unlink()))
    remover.start()
    outcome = run("embed_text", "one", "-m", OPENAI, "--out", "v.jsonl")
    remover.join()
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")


def test_usage_is_one_line(run: Run, wires: ProviderServer) -> None:
    outcome = run("embed_text", "one", "two", "-m", OPENAI, "-u")
    head = f"{OPENAI} at {wires.url[7:]}: 2 texts of 8 dimensions, 11 tokens, cost unknown, "
    assert outcome.stderr.startswith(head)
    assert outcome.stderr.count("\n") == 1


def test_base64_is_read_though_it_was_not_asked_for(run: Run, wires: ProviderServer) -> None:
    wires.reply(data(base64.b64encode(struct.pack("<3f", 0.5, -2.0, 1.25)).decode()))
    assert rows(run("embed_text", "one", "-m", OPENAI))[0]["embedding"] == [0.5, -2.0, 1.25]
    assert "encoding_format" not in wires.requests[0].body


def test_the_order_is_that_of_the_index(run: Run, wires: ProviderServer) -> None:
    shuffled = [embedding(2, "c"), embedding(0, "a"), embedding(1, "b")]
    wires.reply(Reply(body=json.dumps({"object": "list", "data": shuffled, "model": "m"})))
    outcome = run("embed_text", "a", "b", "c", "-m", OPENAI)
    assert [row["embedding"] for row in rows(outcome)] == [vector("a"), vector("b"), vector("c")]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (data([1.0]), "sent 1 vectors for 2 texts"),
        (data([1.0], [1.0], [1.0]), "sent 3 vectors for 2 texts"),
        (data([1.0, 2.0], [1.0]), "vectors of different dimensions: 1 and 2"),
        (data([1.0], []), "what is no vector of finite numbers"),
        (data([1.0], ["1.0"]), "what is no vector of finite numbers"),
        (data([1.0], [None]), "what is no vector of finite numbers"),
        (data([1.0], [10**400]), "int too large"),
        (data([1.0], "%%%"), "what is no vector of finite numbers"),
        (Reply(body=data([1.0], [2.0]).body.replace("2.0", "NaN")), "what is no vector of finite numbers"),
        (Reply(body=data([1.0], [2.0]).body.replace("2.0", "1e999")), "what is no vector of finite numbers"),
        (Reply(body=data([1.0], [2.0]).body.replace('"index": 1', '"index": 0')), "without telling whose each is"),
        (Reply(body=data([1.0], [2.0]).body.replace('"index": 1', '"index": 7')), "without telling whose each is"),
        (Reply(body='{"object": "list", "data": null, "model": "m"}'), "sent 0 vectors for 2 texts"),
    ],
)
def test_a_reply_that_cannot_be_used_is_none(run: Run, wires: ProviderServer, reply: Reply, said: str) -> None:
    wires.reply(reply)
    outcome = run("embed_text", "a", "b", "-m", OPENAI)
    assert (outcome.code, outcome.stdout) == (8, "")
    assert said in outcome.stderr
    assert "missing: 2 of 2 texts: 1, 2\n" in outcome.stderr
    assert len(wires.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body="<html>hi</html>", headers={"content-type": "text/html"}),
        Reply(body="{"),
        Reply(body="[]"),
        Reply(body="null"),
        Reply(body='{"error": {"message": "no"}}'),
        Reply(body=""),
    ],
)
@pytest.mark.parametrize("model", WIRES)
def test_what_is_no_reply_at_all(run: Run, wires: ProviderServer, model: str, reply: Reply) -> None:
    wires.reply(*[reply] * 3)
    outcome = run("embed_text", "a", "-m", model, "--retries", "0")
    assert (outcome.code, outcome.stdout) == (8, "")


def test_dimensions_that_the_server_ignores(run: Run, wires: ProviderServer) -> None:
    wires.reply(data([1.0, 2.0]))
    outcome = run("embed_text", "a", "-m", OPENAI, "--dimensions", "4")
    assert (outcome.code, outcome.stdout) == (8, "")
    assert "vectors of 2 dimensions in place of 4" in outcome.stderr


def test_dimensions_do_not_change_in_the_middle(run: Run, wires: ProviderServer) -> None:
    wires.reply(data([1.0, 2.0]), data([1.0]))
    outcome = run("embed_text", "a", "b", "-m", OPENAI, "--batch-size", "1", "-j", "1")
    assert (outcome.code, len(rows(outcome))) == (8, 1)


# --- inputs


def test_each_input_has_its_id(run: Run, wires: ProviderServer) -> None:
    Path("a.md").write_text("in a file\n")
    lines("t.jsonl", {"id": "x", "text": "one", "other": 1}, "two", {"id": 7, "text": "three"}, {"text": "four"})
    with open("t.jsonl", "a") as file:
        file.write("\n\n" + json.dumps({"id": "x", "text": "five"}))
    outcome = run("embed_text", "first", "-", "-f", "a.md", "--jsonl", "t.jsonl", "-m", OPENAI, stdin=b"piped")
    assert [row["id"] for row in rows(outcome)] == [1, "stdin", "a.md", "x", 2, 7, 4, "x"]
    assert asked(wires) == [["first", "piped", "in a file\n", "one", "two", "three", "four", "five"]]


@pytest.mark.parametrize("argv", [("-",), ()])
def test_stdin_as_one_text(run: Run, wires: ProviderServer, argv: tuple[str, ...]) -> None:
    outcome = run("embed_text", *argv, "-m", OPENAI, stdin="zwei\nZeilen ü".encode())
    assert (outcome.code, asked(wires)) == (0, [["zwei\nZeilen ü"]])


def test_json_lines_through_stdin(run: Run, wires: ProviderServer) -> None:
    content = "\ufeff" + "".join(f'{{"id": {n}, "text": "t{n}"}}\r\n' for n in range(5))
    outcome = run("embed_text", "--jsonl", "-", "-m", OPENAI, "--batch-size", "2", stdin=content.encode())
    assert [row["id"] for row in rows(outcome)] == list(range(5))
    assert sorted(asked(wires)) == [["t0", "t1"], ["t2", "t3"], ["t4"]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 1, "text": "x"', "t.jsonl, line 3 is not JSON"),
        ('{"id": 1}', "t.jsonl, line 3 has no text"),
        ('{"text": ["x"]}', "t.jsonl, line 3 has no text"),
        ("7", "t.jsonl, line 3 has no text"),
        ("null", "t.jsonl, line 3 has no text"),
        ('{"text": ""}', "t.jsonl, line 3 is empty"),
        ('" \\n "', "t.jsonl, line 3 is empty"),
        ('{"id": {}, "text": "x"}', "t.jsonl, line 3: its id is neither a text nor a number"),
        ('{"id": NaN, "text": "x"}', "t.jsonl, line 3: its id is neither a text nor a number"),
        ('{"id": true, "text": "x"}', "t.jsonl, line 3: its id is neither a text nor a number"),
        ('"a\\u0000b"', "t.jsonl, line 3 is not text: NUL"),
        ('"a\\ud800b"', "t.jsonl, line 3 is not text"),
        ("[" * 100_000, "t.jsonl, line 3 is not JSON"),
        ('"' + "x" * 2_000_001, "t.jsonl, line 3 is longer than 2,000,000 bytes"),
    ],
)
def test_a_bad_line_is_named_before_anything_is_sent(run: Run, wires: ProviderServer, line: str, said: str) -> None:
    Path("t.jsonl").write_text(f'"one"\n\n{line}\n"four"\n')
    outcome = run("embed_text", "--jsonl", "t.jsonl", "-m", OPENAI, "--batch-size", "1", "-j", "1")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith(f"error: {said}")
    assert outcome.stderr.count("\n") == 2
    assert wires.requests == ()


def test_bytes_that_are_not_utf8(run: Run, wires: ProviderServer) -> None:
    Path("t.jsonl").write_bytes(b'"one"\n"\xff"\n')
    outcome = run("embed_text", "--jsonl", "t.jsonl", "-m", OPENAI)
    assert (outcome.code, outcome.stderr.splitlines()[0]) == (2, "error: t.jsonl, line 2 is not UTF-8")


def test_a_late_bad_line_keeps_what_was_printed(run: Run, wires: ProviderServer) -> None:
    Path("t.jsonl").write_text("".join(f'"t{n}"\n' for n in range(9)) + "{\n" + '"late"\n')
    outcome = run("embed_text", "--jsonl", "t.jsonl", "-m", OPENAI, "--batch-size", "1", "-j", "1")
    assert (outcome.code, [row["id"] for row in rows(outcome)]) == (2, list(range(1, 10)))
    assert outcome.stderr.splitlines() == [
        "error: t.jsonl, line 10 is not JSON",
        'next: a line is {"id": …, "text": "…"}, or a text in quotes',
        "not all of the input was read: 9 texts were",
    ]


def test_a_long_file_is_read_as_it_is_needed(run: Run, wires: ProviderServer) -> None:
    """The second request fails for good after a while, in which all of the lines behind it could have been read."""
    with open("t.jsonl", "w") as file:
        file.writelines(f'"t{n}"\n' for n in range(2_000))
        file.write("not JSON")
    wires.reply(Reply(), Reply(status=401, delay_s=1.5))
    outcome = run("embed_text", "--jsonl", "t.jsonl", "-m", OPENAI, "--batch-size", "2", "-j", "1")
    assert (outcome.code, [row["id"] for row in rows(outcome)]) == (3, [1, 2])
    assert len(wires.requests) == 2
    read = re.search(r"not all of the input was read: (\d+) texts were\n", outcome.stderr)
    assert read is not None
    assert int(read[1]) <= 10


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("",), "text 1 is empty"),
        (("a", "  "), "text 2 is empty"),
        (("-f", "gone.txt"), "no such file: gone.txt"),
        (("--jsonl", "gone.jsonl"), "cannot read gone.jsonl: No such file or directory"),
        (("--jsonl", "."), ". is not a regular file"),
        (("--jsonl", "empty.jsonl"), "no text to embed"),
        (("-f", "empty.jsonl"), "empty.jsonl is empty"),
        (("-", "--jsonl", "-"), "stdin is asked for twice"),
        (("-f", "a.txt", "b.txt"), "'b.txt' is a file, but would be embedded as a text"),
        (("a", "--top", "3"), "--top is for --similar"),
        (("a", "--similar", " "), "--similar is empty"),
        (("a", "--batch-size", "0"), "argument --batch-size: '0' is not a positive whole number"),
        (("a", "--dimensions", "x"), "argument --dimensions: 'x' is not a positive whole number"),
        (("a", "--out", "a.txt"), "--out a.txt is there already"),
        (("a", "--out", "gone/x"), "--out gone/x: No such file or directory"),
        (("a", "--out", ".", "--force"), "--out . is not a regular file"),
    ],
)
def test_bad_input(run: Run, wires: ProviderServer, argv: tuple[str, ...], said: str) -> None:
    for name, content in (("a.txt", "a"), ("b.txt", "b"), ("empty.jsonl", "")):
        Path(name).write_text(content)
    outcome = run("embed_text", *argv, "-m", OPENAI)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith(f"error: {said}")
    assert wires.requests == ()


def test_stdin_that_stays_silent_is_no_hang(run: Run, wires: ProviderServer) -> None:
    reading, writing = os.pipe()
    try:
        outcome = run("embed_text", "-", "-m", OPENAI, "--timeout", "0.2", stdin=reading)
    finally:
        os.close(writing)
        os.close(reading)
    assert (outcome.code, outcome.stderr.splitlines()[0]) == (2, "error: stdin is open, but nothing came through it")
    assert wires.requests == ()


# --- when it fails


@pytest.mark.parametrize("model", WIRES)
def test_a_passing_fault_is_tried_again_once_a_request(run: Run, wires: ProviderServer, model: str) -> None:
    """LiteLLM's own retries, which it hides, are off."""
    wires.reply(Reply(status=500), Reply(status=429, headers={"retry-after": "0"}))
    outcome = run("embed_text", "a", "-m", model)
    assert (outcome.code, len(rows(outcome))) == (0, 1)
    assert outcome.stderr.count("trying again in") == 2
    assert len(asked(wires)) == 3
    wires.reply(*[Reply(status=503)] * 5)
    assert run("embed_text", "a", "-m", model, "--retries", "0").code == 8
    assert len(asked(wires)) == 4


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (Reply(status=401), 3, "refused OPENAI_API_KEY"),
        (Reply(status=404), 4, f"does not know {OPENAI}"),
        (Reply(status=413, text="too much"), 5, "too long"),
        (Reply(status=429, headers={"retry-after": "900"}), 7, "asks to wait 900 s"),
        (Reply(status=400, text="bad thing"), 2, "bad thing"),
        (Reply(status=307, headers={"location": "http://elsewhere.invalid/"}, body=""), 8, "not followed"),
        (Reply(delay_s=5), 9, "within 0.5 s"),
    ],
)
def test_faults_have_their_code(run: Run, wires: ProviderServer, reply: Reply, code: int, said: str) -> None:
    wires.reply(reply)
    timeout = "0.5" if reply.delay_s else "60"
    outcome = run("embed_text", "a", "-m", OPENAI, "--retries", "1", "--timeout", timeout)
    assert (outcome.code, outcome.stdout) == (code, "")
    assert said in outcome.stderr
    assert "missing: 1 of 1 texts: 1\n" in outcome.stderr


def test_the_others_are_kept_when_a_request_fails(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(), Reply(status=500), Reply())
    argv = [f"t{n}" for n in range(6)]
    outcome = run("embed_text", *argv, "-m", OPENAI, "--batch-size", "2", "-j", "1", "--retries", "0", "--json")
    document = json.loads(outcome.stdout)
    assert (outcome.code, document["status"], document["missing"]) == (8, "partial", [3, 4])
    assert [row["id"] for row in document["embeddings"]] == [1, 2, 5, 6]
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["ok", "error", "ok"]
    assert document["error"]["exit_code"] == 8
    assert "missing: 2 of 6 texts: 3, 4\n" in outcome.stderr


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_text_that_is_refused_does_not_cost_the_others(run: Run, wires: ProviderServer, status: int) -> None:
    """The request is halved until the text stands alone. So it is for a server that takes fewer texts at once."""
    refuse = Reply(status=status, text="the input is too long")
    wires.reply(refuse, Reply(), refuse, refuse)
    outcome = run("embed_text", "a", "b", "c", "d", "-m", OPENAI)
    assert outcome.code in (2, 5)
    assert [row["id"] for row in rows(outcome)] == [1, 2, 4]
    assert asked(wires) == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]
    assert "missing: 1 of 4 texts: 3\n" in outcome.stderr


@pytest.mark.parametrize("status", [400, 500])
def test_what_always_fails_is_not_tried_for_every_text(run: Run, wires: ProviderServer, status: int) -> None:
    wires.default = Reply(status=status, text="never")
    lines("t.jsonl", *(f"t{n}" for n in range(64)))
    outcome = run("embed_text", "--jsonl", "t.jsonl", "-m", OPENAI, "--batch-size", "8", "-j", "1", "--retries", "0")
    assert (outcome.code, outcome.stdout) == (2 if status == 400 else 8, "")
    assert len(wires.requests) < 12
    assert "16 more" not in outcome.stderr


def test_the_deadline_is_for_everything(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(), Reply(delay_s=15))
    argv = ("a", "b", "c", "-m", OPENAI, "--batch-size", "1", "-j", "1")
    outcome = run("embed_text", *argv, "--timeout", "3")
    assert (outcome.code, [row["id"] for row in rows(outcome)]) == (9, [1])
    assert "missing: 2 of 3 texts: 2, 3\n" in outcome.stderr
    assert len(wires.requests) == 2


def test_requests_are_made_at_once_and_printed_in_order(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(delay_s=0.5))
    argv = [f"t{n}" for n in range(8)]
    outcome = run("embed_text", *argv, "-m", OPENAI, "--batch-size", "1", "-j", "3")
    assert [row["id"] for row in rows(outcome)] == list(range(1, 9))
    assert [row["embedding"] for row in rows(outcome)] == [vector(text) for text in argv]


@pytest.mark.parametrize(("j", "most"), [(("-j", "2"), 2), ((), 4)])
def test_no_more_requests_at_once_than_asked_for(
    run: Run, wires: ProviderServer, j: tuple[str, ...], most: int
) -> None:
    """None is answered before the deadline, so those that came are those that were sent at once."""
    wires.default = Reply(delay_s=15)
    lines("t.jsonl", *(f"t{n}" for n in range(30)))
    outcome = run("embed_text", "--jsonl", "t.jsonl", "-m", OPENAI, "--batch-size", "1", *j, "--timeout", "3")
    assert (outcome.code, len(wires.requests)) == (9, most)


# --- what leaves, and where to


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("fine", "key-of-openai-itself"), "in text 2, line 1"),
        (("-f", "a.txt"), "in a.txt, line 2"),
        (("--jsonl", "t.jsonl"), "in t.jsonl, line 3"),
        (("a", "--similar", "key-of-openai-itself"), "in the options, line 1"),
    ],
)
def test_a_secret_is_not_sent(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai-itself")
    Path("a.txt").write_text("first\nkey-of-openai-itself")
    lines("t.jsonl", "one", "two", {"text": "with\nkey-of-openai-itself"})
    outcome = run("embed_text", *argv, "-m", OPENAI)
    assert (outcome.code, outcome.stdout, wires.requests) == (12, "", ())
    assert said in outcome.stderr
    assert "key-of-openai-itself" not in outcome.stderr
    assert run("embed_text", *argv, "-m", OPENAI, "--allow-secrets").code == 0


@pytest.mark.parametrize("argv", [("-f", ".env"), ("--jsonl", ".env")])
def test_a_file_that_holds_secrets_is_not_opened(run: Run, wires: ProviderServer, argv: tuple[str, ...]) -> None:
    Path(".env").write_text('"plain"\n')
    assert run("embed_text", *argv, "-m", OPENAI).code == 12
    assert run("embed_text", *argv, "-m", OPENAI, "--allow-path", ".env").code == 0


def test_overrides_are_for_people(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    assert run("embed_text", "a", "-m", OPENAI, "--allow-secrets").code == 13


def test_policy_is_kept(run: Run, wires: ProviderServer) -> None:
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "policy.toml")
    file.parent.mkdir()
    file.write_text('[models]\ndeny = ["openai/*"]\n')
    outcome = run("embed_text", "a", "-m", OPENAI)
    assert (outcome.code, outcome.stdout, wires.requests) == (13, "", ())


@pytest.mark.parametrize(
    "text",
    ["files/abc", "gs://bucket/x.png", "data:image/png;base64,aGk=", "https://generativelanguage.googleapis.com/"],
)
def test_a_text_is_never_taken_for_a_file(run: Run, wires: ProviderServer, text: str) -> None:
    """LiteLLM asks Google for such a file, with the key, whatever the address is."""
    outcome = run("embed_text", text, "-m", GEMINI)
    assert (outcome.code, asked(wires)) == (0, [[f" {text}"]])
    assert "warning: text 1 begins like the address of a file" in outcome.stderr


def test_a_text_that_is_too_long_is_never_cut_without_a_word(run: Run, wires: ProviderServer) -> None:
    wires.context_tokens, wires.models = 9_000, ("test-embedding",)
    run("embed_text", "word " * 6_000, "-m", OLLAMA)
    (request,) = (request for request in wires.requests if request.path == "/api/embed")
    assert request.body["truncate"] is False
    assert request.body["options"] == {"num_ctx": 9_000}


# --- the model


def profile(url: str, **more: str) -> str:
    said = {"PROVIDER": "openai", "MODEL": "maker/test-m3", "PROVIDER_BASE_URL": f"{url}/v1"}
    said |= {"PROVIDER_API_KEY": "key-of-profile"} | more
    return "".join(f"EMBEDDING_{name}={value}\n" for name, value in said.items())


def test_settings_are_used_as_they_are(run: Run, provider: ProviderServer) -> None:
    Path(".env").write_text(profile(provider.url))
    outcome = run("embed_text", "a", "--json")
    document = json.loads(outcome.stdout)
    assert (document["model_requested"], document["model_used"]) == ("openai/maker/test-m3", "openai/maker/test-m3")
    (request,) = provider.requests
    assert (request.path, request.key, request.model) == ("/v1/embeddings", "key-of-profile", "maker/test-m3")
    assert outcome.stderr.startswith(f"model: openai/maker/test-m3 at {provider.url[7:]} (EMBEDDING_MODEL from ")
    assert run("embed_text", "a", "-m", "openai/maker/test-m3").stderr == ""


def test_a_key_does_not_go_to_an_address_of_the_working_directory(
    run: Run, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_PROVIDER_API_KEY", "key-of-the-user")
    Path(".env").write_text(profile(provider.url, PROVIDER_API_KEY=" "))
    outcome = run("embed_text", "a", "--dry-run", "--json")
    document = json.loads(outcome.stdout)
    assert document["endpoint_host"] == "api.openai.com"
    assert document["warnings"] == [
        f"ignored EMBEDDING_PROVIDER_BASE_URL from {Path('.env').resolve()}: the key comes from environment"
    ]


@pytest.mark.parametrize(
    ("environ", "model"),
    [
        ({"OPENAI_API_KEY": "k", "GEMINI_API_KEY": "k"}, "openai/"),
        ({"GEMINI_API_KEY": "k", "VOYAGE_API_KEY": "k"}, "gemini/"),
        ({"VOYAGE_API_KEY": "k"}, "voyage/"),
        ({"COHERE_API_KEY": "k"}, "cohere/"),
        ({"GEMINI_API_KEY": "k", "EMBEDDING_PROVIDER": "voyage", "EMBEDDING_PROVIDER_API_KEY": "k"}, "voyage/"),
        ({"LLM_PROVIDER": "openai", "LLM_PROVIDER_API_KEY": "k", "MISTRAL_API_KEY": "k"}, "mistral/"),
    ],
)
def test_the_default_is_a_model_one_has_a_key_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], model: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    document = json.loads(run("embed_text", "a", "--dry-run", "--json").stdout)
    assert document["model_requested"].startswith(model)
    assert document["likely_usd"] > 0
    assert document["missing"] is None


@pytest.mark.parametrize("id", catalog.load().file.embedding)
def test_shipped_embedding_models_are_listed_priced_and_live(id: str) -> None:
    model = catalog.load().find(id)
    assert model is not None
    assert (model.id, model.mode, model.known) == (id, "embedding", True)
    assert model.price is not None
    assert model.price.input > 0
    assert model.deprecated is None or model.deprecated > date.today() + timedelta(days=60)


def test_a_local_model_is_found(run: Run, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", provider.url)
    provider.models = ("chatty:8b", "test-embed:latest")
    outcome = run("embed_text", "a")
    assert (outcome.code, len(rows(outcome))) == (0, 1)
    assert outcome.stderr.startswith("model: ollama/test-embed:latest at ")
    assert run("embed_text", "a", "-m", "test-embed")[::2] == (0, "")


@pytest.mark.parametrize(
    ("argv", "environ", "code", "said"),
    [
        ((), {}, 3, "no embedding model is configured"),
        ((), {"EMBEDDING_PROVIDER": "groq"}, 3, "EMBEDDING_PROVIDER is groq"),
        ((), {"EMBEDDING_MODEL": "openai/x"}, 3, "no key for openai"),
        (("-m", "no-such-embedding"), {}, 4, "no model is named 'no-such-embedding'"),
        (("-m", "openai:best"), {}, 2, "makes no vectors (its mode is "),
        (("--demo", "-m", "openai/x"), {}, 2, "--demo and -m openai/x exclude each other"),
    ],
)
def test_no_model(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str, ...],
    environ: dict[str, str],
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", "http://127.0.0.1:1")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    outcome = run("embed_text", "a", *argv)
    assert (outcome.code, outcome.stdout) == (code, "")
    assert outcome.stderr.startswith("error: ")
    assert said in outcome.stderr


# --- ranking


def test_the_likest_come_first(run: Run, wires: ProviderServer) -> None:
    wires.reply(data([1.0, 0.0]), data([0.0, 2.0], [3.0, 0.0], [0.0, 0.0], [-1.0, 0.0], [1.0, 1.0], [5.0, 0.0]))
    names = lines("t.jsonl", *({"id": id, "text": f"{id}\n" + "long " * 99} for id in "abcdef"))
    outcome = run("embed_text", "--jsonl", names, "--similar", "q", "-m", OPENAI, "-j", "1")
    assert [(row["id"], row["score"]) for row in rows(outcome)] == [
        ("b", 1.0),
        ("f", 1.0),
        ("e", pytest.approx(0.5**0.5)),
        ("a", 0.0),
        ("d", -1.0),
        ("c", None),
    ]
    assert all(len(row["text"]) == 200 and "\n" not in row["text"] for row in rows(outcome))
    assert asked(wires)[0] == ["q"]


def test_the_best_alone_and_as_one_document(run: Run, wires: ProviderServer) -> None:
    outcome = run("embed_text", "x", "y", "x", "--similar", "x", "--top", "2", "-m", OPENAI, "--json")
    document = json.loads(outcome.stdout)
    assert [(row["id"], row["score"]) for row in document["ranking"]] == [(1, pytest.approx(1)), (3, pytest.approx(1))]
    assert "embeddings" not in document


def test_without_the_querys_vector_nothing_is_ranked(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(status=401))
    outcome = run("embed_text", "x", "--similar", "q", "-m", OPENAI)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert "missing: 1 of 1 texts: 1\n" in outcome.stderr


# --- output


def test_out_gets_the_lines_in_place_of_stdout(run: Run, wires: ProviderServer) -> None:
    assert run("embed_text", "a", "b", "-m", OPENAI, "--out", "v.jsonl") == (0, "", "")
    assert [json.loads(line)["id"] for line in Path("v.jsonl").read_text().splitlines()] == [1, 2]
    outcome = run("embed_text", "c", "-m", OPENAI, "--out", "v.jsonl", "--force", "--json")
    document = json.loads(outcome.stdout)
    assert (document["result_file"], document["texts"], "embeddings" in document) == ("v.jsonl", 1, False)
    assert json.loads(Path("v.jsonl").read_text())["embedding"] == vector("c")


def test_a_file_into_which_nothing_came_is_not_left(run: Run, wires: ProviderServer) -> None:
    wires.reply(Reply(status=401))
    assert run("embed_text", "a", "-m", OPENAI, "--out", "v.jsonl").code == 3
    assert not Path("v.jsonl").exists()


def test_ids_come_back_as_they_were(run: Run, wires: ProviderServer) -> None:
    ids = ["ü 你", "a\u202eb", "\x7f\x1b[31m", "\ud800", 2**70, -0.1, ""]
    lines("t.jsonl", *({"id": id, "text": "x"} for id in ids))
    outcome = run("embed_text", "--jsonl", "t.jsonl", "-m", OPENAI)
    assert [row["id"] for row in rows(outcome)] == ids
    assert "ü 你" in outcome.stdout
    assert "\x1b" not in outcome.stdout
    assert "\u202e" not in outcome.stdout


def test_the_demo_says_that_no_model_was_called(run: Run) -> None:
    first = run("embed_text", "--demo", "one", "two")
    assert (first.code, first.stderr) == (0, "demo: no model was called\n")
    assert [(row["id"], row["dims"], row["demo"]) for row in rows(first)] == [(1, 256, True), (2, 256, True)]
    assert run("embed_text", "--demo", "one", "two").stdout == first.stdout
    document = json.loads(run("embed_text", "--demo", "one", "--json", "--dimensions", "5").stdout)
    assert (document["cost_usd"], document["cost_source"], document["dims"]) == (0.0, "demo", 5)
    assert "demo: no model was called" in document["warnings"]
    ranked = rows(run("embed_text", "--demo", "green apples", "a red car", "--similar", "apples"))
    assert [row["id"] for row in ranked] == [1, 2]


def test_a_dry_run_sends_nothing(run: Run, wires: ProviderServer) -> None:
    lines("t.jsonl", *(f"t{n}" for n in range(130)))
    outcome = run("embed_text", "--jsonl", "t.jsonl", "-m", GEMINI, "--batch-size", "500", "--dry-run")
    assert (outcome.code, outcome.stderr, wires.requests) == (0, "", ())
    assert "texts     130 in 2 requests, 410 characters" in outcome.stdout  # Gemini takes 100 at most
    assert outcome.stdout.endswith("cost      likely unknown\nNothing was sent.\n")


def test_litellm_is_not_imported_in_vain(run_process: Callable[..., Outcome], tmp_path: Path) -> None:
    """A package of that name which ends the process stands before the real one."""
    (tmp_path / "litellm").mkdir()
    code = "import sys; sys.argv[0] = 'embed_text.py'; from embed_text import main; code = main(sys.argv[1:]); "
    code += "sys.stderr.write(str('litellm' in sys.modules)); sys.exit(code)"
    for argv, expected in ((["--help"], 0), (["--demo", "x"], 0), (["--dry-run", "-m", OPENAI, "x"], 0), ([""], 2)):
        env = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OPENAI_API_KEY": "k"}
        done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, env=env, check=False)
        assert done.returncode == expected
        assert done.stderr.endswith("False")


# --- money and rates


def test_max_cost_is_for_everything(run: Run, wires: ProviderServer) -> None:
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    file.parent.mkdir()
    file.write_text(f'[models."{OPENAI}"]\nprice = {{ input = 1.0, output = 0.0 }}\n')
    wires.reply(*[Reply(usage=Usage(input=1_000_000))] * 9)
    argv = [f"t{n}" for n in range(6)]
    how = ("-m", OPENAI, "--batch-size", "1", "-j", "1", "--max-cost")
    outcome = run("embed_text", *argv, *how, "2.5")
    assert (outcome.code, [row["id"] for row in rows(outcome)]) == (7, [1, 2, 3])
    assert "--max-cost 2.5 does not suffice" in outcome.stderr
    assert len(wires.requests) == 3
    outcome = run("embed_text", *argv, *how, "0.000001")
    assert (outcome.code, len(wires.requests)) == (7, 3)


def test_max_cost_counts_what_is_under_way(run: Run, wires: ProviderServer) -> None:
    """A token costs 1 USD here; a text of one is expected to cost 2 at most."""
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    file.parent.mkdir()
    file.write_text(f'[models."{OPENAI}"]\nprice = {{ input = 1000000, output = 0.0 }}\n')
    wires.default = Reply(delay_s=0.5, usage=Usage(input=1))
    how = ("a", "b", "c", "d", "-m", OPENAI, "--batch-size", "1", "-j", "4", "--max-cost")
    assert run("embed_text", *how, "5").code == 7
    assert wires.requests == ()
    outcome = run("embed_text", *how, "7", "--json")
    document = json.loads(outcome.stdout)
    assert (outcome.code, document["missing"], document["cost_usd"]) == (7, [4], pytest.approx(3))
    assert len(wires.requests) == 3


def test_max_cost_needs_a_price(run: Run, wires: ProviderServer) -> None:
    outcome = run("embed_text", "a", "-m", OPENAI, "--max-cost", "1")
    assert (outcome.code, outcome.stdout, wires.requests) == (7, "", ())
    assert "the price of openai/test-embedding is unknown" in outcome.stderr


@pytest.mark.parametrize(("name", "value"), [("EMBEDDING_RPM", "2"), ("EMBEDDING_TPM", "3")])
def test_the_rate_limit_is_for_all_processes(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    how = ("-m", OPENAI, "--batch-size", "1", "-j", "1", "--timeout", "20")
    outcome = run("embed_text", "a", "b", "c", "d", *how)
    assert outcome.code == 7
    assert 2 <= len(wires.requests) <= 3
    sent = len(wires.requests)
    assert [row["id"] for row in rows(outcome)] == list(range(1, sent + 1))
    assert "EMBEDDING_RPM and EMBEDDING_TPM are the limit" in outcome.stderr
    assert run("embed_text", "e", *how).code == 7
    assert len(wires.requests) == sent


def test_a_request_has_no_more_tokens_than_a_minute(
    run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_TPM", "100")
    lines("t.jsonl", *["word " * 30] * 5)
    outcome = run("embed_text", "--jsonl", "t.jsonl", "-m", OPENAI, "--timeout", "20")
    assert (outcome.code, [len(sent) for sent in asked(wires)]) == (7, [3])


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_rate_limit_is_a_number(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("EMBEDDING_RPM", value)
    outcome = run("embed_text", "a", "-m", OPENAI)
    assert (outcome.code, wires.requests) == (2, ())
    assert "EMBEDDING_RPM (environment) is not a whole number above 0" in outcome.stderr


def test_a_budget_holds_for_vectors_too(run: Run, wires: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_SKILL_BUDGET_USD_DAY", "2.5")
    file = Path(os.environ["XDG_CONFIG_HOME"], "litellm-skill", "models.toml")
    file.parent.mkdir()
    file.write_text(f'[models."{OPENAI}"]\nprice = {{ input = 1.0, output = 0.0 }}\n')
    wires.reply(*[Reply(usage=Usage(input=1_000_000))] * 9)
    outcome = run("embed_text", "a", "b", "c", "d", "-m", OPENAI, "--batch-size", "1", "-j", "1")
    assert (outcome.code, [row["id"] for row in rows(outcome)]) == (7, [1, 2, 3])
    assert run("embed_text", "e", "-m", OPENAI).code == 7
    assert len(wires.requests) == 3
    assert run("embed_text", "e", "-m", GEMINI).code == 7  # its price is unknown


# --- an interruption


def test_an_interruption_keeps_what_is_printed(wires: ProviderServer) -> None:
    wires.reply(Reply(), Reply(delay_s=20))
    command = [sys.executable, str(SCRIPTS / "embed_text.py"), "a", "b", "-m", OPENAI, "--batch-size", "1", "-j", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wires.wait_for(2, timeout=60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, [json.loads(line)["id"] for line in out.splitlines()]) == (130, [1])
    assert "missing: 1 of 2 texts: 2\n" in err
