"""Groups through LiteLLM's Router: balancing, failing deployments, limits of a minute, and the fault that is shown."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litellm_skill import deployments, faults, settings
from litellm_skill.deployments import Deployment, Group
from litellm_skill.faults import BadInput, Circumstances, Fault, Forbidden, NotSetUp
from litellm_skill.gateway import library, loop, router, transport
from litellm_skill.gateway.minute import MinuteFull
from litellm_skill.gateway.router import Balancer
from litellm_skill.modellist import STRATEGIES
from provider_server import ProviderServer, Reply

REDIS = shutil.which("redis-server")
CLIENT = importlib.util.find_spec("redis")
Step = Callable[[Balancer], Awaitable[Any]]


@pytest.fixture
def other() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server
    assert server.failures == []


@pytest.fixture
def redis_url() -> Iterator[str]:
    if REDIS is None or CLIENT is None:
        pytest.skip("no redis-server on PATH" if REDIS is None else "the redis package is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [REDIS, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _wait_for(port)
        with warnings.catch_warnings():  # on a busy machine a connection may not be closed in the time that is given
            warnings.simplefilter("ignore", ResourceWarning)
            yield f"redis://127.0.0.1:{port}/0"
            library.load().in_memory_llm_clients_cache.flush_cache()
            gc.collect()
        process.terminate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def group(*servers: ProviderServer, entries: tuple[dict[str, Any], ...] = (), **routing: Any) -> Group:
    """Of one deployment a server, whose keys are key-of-0, key-of-1 …; ``entries`` are laid over its parameters."""
    rows = []
    for number, server in enumerate(servers):
        params = {"model": "openai/test-model", "api_key": f"key-of-{number}", "api_base": server.url + "/v1"}
        rows.append({"model_name": "fast", "litellm_params": params | (entries[number] if entries else {})})
    file = settings.user_directory(os.environ) / "models.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"model_list": rows, "router_settings": routing}), encoding="utf-8")
    file.chmod(0o600)
    found = deployments.read(None, settings.load(os.environ, Path.cwd()), os.environ).find("fast")
    assert found is not None
    assert found.missing is None
    return found


def play(of: Group, *steps: Step, **options: Any) -> list[Any]:
    """What the steps return, each with a question of its own, in one event loop."""

    async def all_of_them() -> list[Any]:
        litellm = library.load()
        return [await step(await router.balancer(litellm, of, **options)) for step in steps]

    return loop.run(all_of_them())


def call(**changed: Any) -> dict[str, Any]:
    """As ``attempt.arguments`` makes it; model, key and address are the group's to know."""
    asked = {"model": "openai/another", "api_key": None, "api_base": "http://192.0.2.1/v1", "timeout": 20.0}
    asked |= {"messages": [{"role": "user", "content": "hi"}], "num_retries": 0, "max_retries": 0, "stream": True}
    return asked | {"stream_options": {"include_usage": True}} | changed


async def ask(balancer: Balancer) -> str | Fault:
    """The text, or the fault as ``attempt`` classifies it."""
    with transport.watched() as traffic:
        try:
            stream = await balancer.acompletion(**call())
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        except Exception as error:
            deployment = balancer.asked
            host, key = (deployment.host, deployment.access.key_name) if deployment else (None, None)
            at = Circumstances("fast", host, key, 20, False, traffic.answered, traffic.reply, str)
            fault = faults.classify(error, at)
            balancer.failed(fault)
            return fault


async def ask_around(balancer: Balancer) -> list[str | Fault]:
    """As long as there is another deployment."""
    said = [await ask(balancer)]
    while isinstance(said[-1], Fault) and balancer.another:
        said.append(await ask(balancer))
    return said


def test_a_stream_keeps_what_the_provider_said_of_its_end(provider: ProviderServer) -> None:
    provider.reply(Reply(text="cut", reasoning="hm", finish_reason="length"), Reply(text="x", finish_reason=None))

    async def read(balancer: Balancer) -> tuple[str, str | None, int]:
        stream = await balancer.acompletion(**call(temperature=0.5))
        text, tokens = "", 0
        async for chunk in stream:
            text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
            tokens = max(
                [tokens, *(report.usage.prompt_tokens for report in stream.chunks if hasattr(report, "usage"))]
            )
            stream.chunks.clear()
        return text, stream.received_finish_reason or stream.intermittent_finish_reason, tokens

    one, two = play(group(provider), read, read)
    assert (one, two[:2]) == (("cut", "length", 11), ("x", None))
    sent = provider.requests[0]
    assert (sent.key, sent.path) == ("key-of-0", "/v1/chat/completions")
    assert sent.body == {
        "model": "test-model",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
    }


def test_a_whole_reply_and_who_gave_it(provider: ProviderServer, other: ProviderServer) -> None:
    async def read(balancer: Balancer) -> tuple[str, str | None]:
        reply = await balancer.acompletion(**call(stream=False, stream_options=None))
        assert balancer.asked is not None
        return reply.choices[0].message.content, balancer.asked.host

    answers = play(group(provider, other), *[read] * 20)
    hosts = [server.url.removeprefix("http://") for server in (provider, other)]
    counted = [answers.count(("You said: hi", host)) for host in hosts]
    assert counted == [len(provider.requests), len(other.requests)]
    assert min(counted) > 0  # by chance once in 500,000 times
    assert {request.key for request in other.requests} == {"key-of-1"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_answers_and_shows_the_providers_own_fault(
    provider: ProviderServer, other: ProviderServer, strategy: str
) -> None:
    of = group(provider, other, routing_strategy=strategy)
    assert play(of, ask) == ["You said: hi"]
    provider.default = other.default = Reply(status=401, text="who are you")
    first, second, third = play(of, ask_around, ask_around, ask)
    for fault in (*first, *second, third):
        assert isinstance(fault, NotSetUp)
        assert "refused api_key of fast (401): who are you" in fault.message
    assert len(first) == 2


def test_when_all_rest_nothing_is_sent_and_the_reason_is_told_once(
    provider: ProviderServer, other: ProviderServer
) -> None:
    provider.default = other.default = Reply(status=401, text="who are you")

    async def later(balancer: Balancer) -> list[str | Fault]:
        await asyncio.sleep(0.5)  # LiteLLM has its own rest for the last one, which begins in a thread
        return await ask_around(balancer)

    first, second, third = play(group(provider, other), ask_around, later, ask_around)
    assert [len(first), len(second), len(third)] == [2, 1, 1]
    assert len(provider.requests) + len(other.requests) == 2
    assert [fault.message for fault in (*second, *third)] == [first[1].message] * 2


@pytest.mark.parametrize("reply", [Reply(status=401), Reply(status=404), Reply(status=429), Reply(status=503)])
def test_one_that_fails_rests_while_the_other_answers(
    provider: ProviderServer, other: ProviderServer, reply: Reply
) -> None:
    provider.default = reply
    of = group(provider, other, entries=({"weight": 1_000_000_000}, {"weight": 1}))
    first, *later = play(of, *[ask_around] * 6)
    assert [type(first[0]).__base__, first[1]] == [Fault, "You said: hi"]
    assert later == [["You said: hi"]] * 5
    assert (len(provider.requests), len(other.requests)) == (1, 6)


def test_order_is_kept(provider: ProviderServer, other: ProviderServer) -> None:
    of = group(provider, other, entries=({"order": 1}, {"order": 2}))
    assert play(of, *[ask] * 5) == ["You said: hi"] * 5
    assert len(provider.requests) == 5
    provider.default = Reply(status=500)
    assert play(of, ask_around)[0][1] == "You said: hi"
    assert len(other.requests) == 1


@pytest.mark.parametrize("status", [500, 429])
def test_the_last_one_left_may_be_asked_again(provider: ProviderServer, status: int) -> None:
    provider.reply(Reply(status=status), Reply(text="now"))
    fault, text = play(group(provider), ask, ask)
    assert (isinstance(fault, Fault), text) == (True, "now")


@pytest.mark.parametrize("status", [400, 413])
def test_what_the_call_did_wrong_is_no_deployments_fault(
    provider: ProviderServer, other: ProviderServer, status: int
) -> None:
    provider.default = other.default = Reply(status=status, text="too many candles")

    async def twice(balancer: Balancer) -> list[Any]:
        return [await ask(balancer), balancer.another, await ask(balancer), balancer.another]

    first, more, second, still = play(group(provider, other), twice)[0]
    assert (first.message[-16:], second.http_status, more, still) == ("too many candles", status, True, True)


def test_a_stream_that_breaks_is_not_asked_for_again(provider: ProviderServer, other: ProviderServer) -> None:
    provider.default = other.default = Reply(text="abcdefghijkl", stop_after=2, abrupt=True)
    (fault,) = play(group(provider, other), ask)
    assert isinstance(fault, Fault)
    assert len(provider.requests) + len(other.requests) == 1


def test_no_redirect_is_followed(provider: ProviderServer, other: ProviderServer) -> None:
    provider.default = Reply(status=307, headers={"location": other.url + "/v1/chat/completions"}, body="")
    (fault,) = play(group(provider), ask)
    assert isinstance(fault, Fault)
    assert "redirects to" in fault.message
    assert other.requests == ()


def test_rpm_is_no_limit_of_parallel_requests(provider: ProviderServer) -> None:
    provider.default = Reply(delay_s=0.2)

    async def at_once(balancer: Balancer) -> list[Any]:
        return await asyncio.gather(*(ask(balancer) for _ in range(4)))

    assert play(group(provider, entries=({"rpm": 1, "tpm": 1000},)), at_once) == [["You said: hi"] * 4]


def test_parallel_requests_are_limited_where_that_is_stated(provider: ProviderServer) -> None:
    provider.default = Reply(delay_s=0.5)

    async def at_once(balancer: Balancer) -> list[Any]:
        return await asyncio.gather(*(ask(balancer) for _ in range(3)))

    said = play(group(provider, entries=({"max_parallel_requests": 2},)), at_once)[0]
    assert sorted(type(one).__name__ for one in said) == ["MinuteFull", "str", "str"]
    assert len(provider.requests) == 2


def test_without_redis_the_callers_count_decides(provider: ProviderServer, other: ProviderServer) -> None:
    left = {"key-of-0": 1, "key-of-1": 2}

    def admit(deployment: Deployment) -> float:
        left[str(deployment.access.key)] -= 1
        return (
            0.0
            if left[str(deployment.access.key)] >= 0
            else {"key-of-0": 30.0, "key-of-1": 20.0}[deployment.access.key]
        )

    *answers, full, again = play(group(provider, other), *[ask] * 5, admit=admit)
    assert answers == ["You said: hi"] * 3
    assert (len(provider.requests), len(other.requests)) == (1, 2)
    for fault in (full, again):
        assert isinstance(fault, MinuteFull)
        assert (fault.exit_code, fault.retryable, fault.http_status) == (7, True, None)
        assert 15 < fault.retry_after <= 30
        assert "may start at" in fault.hint


def test_the_limit_of_one_minute_is_shared_by_redis(provider: ProviderServer, redis_url: str) -> None:
    """Two event loops, as two processes. A minute may end meanwhile, so twice the limit may pass."""
    of = group(provider, entries=({"rpm": 2},))
    said = [play(of, ask, redis_url=redis_url)[0] for _ in range(5)]
    passed = said.count("You said: hi")
    full = next(one for one in said if isinstance(one, MinuteFull))
    assert (2 <= passed <= 4, len(provider.requests)) == (True, passed)
    assert 0 < full.retry_after <= 61


def test_where_one_minute_is_full_another_deployment_is_asked(
    provider: ProviderServer, other: ProviderServer, redis_url: str
) -> None:
    of = group(provider, other, entries=({"rpm": 1}, {"rpm": 1}))
    said = play(of, *[ask] * 5, redis_url=redis_url)
    assert said[:2] == ["You said: hi"] * 2
    assert {type(one) for one in said} == {str, MinuteFull}
    assert min(len(provider.requests), len(other.requests)) >= 1
    again = play(of, ask, redis_url=redis_url)[0]  # a process that has not seen why they rest
    assert isinstance(again, MinuteFull) or said.count("You said: hi") > 2


def test_tokens_are_counted_for_others_before_the_command_ends(provider: ProviderServer, redis_url: str) -> None:
    of = group(provider, entries=({"tpm": 18},))
    said = [play(of, ask, redis_url=redis_url)[0] for _ in range(4)]
    assert said[0] == "You said: hi"
    assert any(isinstance(one, MinuteFull) for one in said)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:" + "pass-word-9@127.0.0.1:1/0", "no Redis answers at 127.0.0.1:1"),
        ("http://127.0.0.1:1", "REDIS_URL is no address of a Redis"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_not_dropped(provider: ProviderServer, url: str, said: str) -> None:
    if CLIENT is None and url.startswith("redis"):
        said = "the redis package is not installed"
    with pytest.raises(NotSetUp, match=said) as raised:
        play(group(provider, entries=({"rpm": 2},)), ask, redis_url=url)
    assert "pass-word-9" not in raised.value.message + raised.value.hint
    assert provider.requests == ()
    assert play(group(provider), ask, redis_url=url) == ["You said: hi"]  # where there is none, Redis is not needed


def test_a_key_of_the_environment_is_not_sent_where_a_repository_says(
    provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-environment")
    params = {"model": "openai/x", "api_key": "os.environ/OPENAI_API_KEY", "api_base": provider.url + "/v1"}
    Path("models.yaml").write_text(json.dumps({"model_list": [{"model_name": "fast", "litellm_params": params}]}))
    of = deployments.read(Path("models.yaml"), settings.load(os.environ, Path.cwd()), os.environ).find("fast")
    assert of is not None
    with pytest.raises(Forbidden, match="nothing is sent"):
        play(of, ask)
    assert provider.requests == ()


def test_parameters_that_litellm_cannot_read_are_told_without_their_values(provider: ProviderServer) -> None:
    of = group(provider, entries=({"max_budget": "key-in-a-wrong-place"},))
    with pytest.raises(BadInput, match="LiteLLM cannot use the deployments of fast") as raised:
        play(of, ask)
    assert "key-in" not in raised.value.message


def test_nothing_is_printed(provider: ProviderServer, capfd: pytest.CaptureFixture[str]) -> None:
    provider.reply(Reply(), Reply(status=500), Reply(status=401), Reply(status=401))
    play(group(provider), *[ask] * 5)
    assert tuple(capfd.readouterr()) == ("", "")
