"""How many calls may be under way: halved once a round, regained slowly, and never more than the limit."""

from __future__ import annotations

import asyncio

import pytest
from litellm_skill.throttle import GIVE_UP_S, Throttle


def test_a_rate_limit_halves_once_for_the_calls_under_way() -> None:
    async def work() -> None:
        throttle = Throttle(8)
        entered = [await throttle.enter() for _ in range(8)]
        for _ in range(8):
            throttle.limited(entered[0], None, 1)
            throttle.leave()
        assert throttle.limit == 4
        later = await throttle.enter()
        throttle.limited(later, None, 1)
        assert throttle.limit == 2
        for _ in range(5):
            throttle.limited(throttle.cuts, None, 1)
        assert throttle.limit == 1

    asyncio.run(work())


def test_it_is_regained_slowly_and_no_further() -> None:
    throttle = Throttle(4)
    throttle.limited(0, None, 1)
    seen = []
    for _ in range(20):
        throttle.succeeded()
        seen.append(throttle.limit)
    assert seen[0] == 2.5
    assert seen[1] == pytest.approx(2.9)
    assert seen[-1] == 4


def test_never_more_than_the_limit_are_under_way() -> None:
    async def work() -> list[int]:
        throttle, active, seen = Throttle(3), 0, []

        async def call(number: int) -> None:
            nonlocal active
            await throttle.enter()
            active += 1
            seen.append(active)
            await asyncio.sleep(0)
            active -= 1
            throttle.leave()

        await asyncio.gather(*(call(number) for number in range(50)))
        return seen

    seen = asyncio.run(work())
    assert (len(seen), max(seen)) == (50, 3)


def test_a_cancelled_call_gives_its_place_back() -> None:
    async def work() -> None:
        throttle = Throttle(1)
        await throttle.enter()
        waiting = [asyncio.ensure_future(throttle.enter()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        throttle.leave()
        assert await asyncio.wait_for(waiting[1], 5) == 0

    asyncio.run(work())


@pytest.mark.parametrize(
    ("retry_after", "tries", "wait"),
    [(None, 1, 0.25), (None, 3, 1.0), (None, 20, 30.0), (7.0, 1, 7.0), (GIVE_UP_S + 1, 1, None)],
)
def test_how_long_to_wait(retry_after: float | None, tries: int, wait: float | None) -> None:
    assert Throttle(4).limited(0, retry_after, tries) == wait
