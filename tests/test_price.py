"""What a row of the table costs, and what a call does."""

from __future__ import annotations

import pytest
from catalogs import chat, made, small
from litellm_skill import catalog, price
from litellm_skill.answer import Usage
from litellm_skill.catalog import Model
from litellm_skill.price import Price, Tier


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (chat(), Price(1e-6, 2e-6)),
        (chat(cache_read_input_token_cost=1e-7), Price(1e-6, 2e-6, 1e-7)),
        (chat(input_cost_per_token=0, output_cost_per_token=0), None),
        (chat(output_cost_per_token=0), None),
        ({"mode": "chat"}, None),
        (chat(mode="embedding", output_cost_per_token=0), Price(1e-6, 0.0)),
        (
            chat(
                input_cost_per_token_above_200k_tokens=3e-6,
                input_cost_per_token_above_200k_tokens_batches=9.0,
            ),
            Price(1e-6, 2e-6, tiers=(Tier(3e-6, 2e-6, above_tokens=200_000),)),
        ),
        (
            {
                "tiered_pricing": [
                    {"range": [32e3, 64e3], "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6},
                    {"range": [0, 32e3], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
                ]
            },
            Price(1e-6, 2e-6, tiers=(Tier(3e-6, 4e-6, above_tokens=32_000),)),
        ),
    ],
)
def test_prices_from_rows(row: dict[str, object], expected: Price | None) -> None:
    assert price.from_row(row) == expected


TIERED = Price(1.0, 10.0, 0.1, 20.0, tiers=(Tier(2.0, 30.0, above_tokens=100), Tier(3.0, 40.0, above_tokens=200)))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(100, 2), 100 * 1.0 + 2 * 10.0),
        (Usage(101, 2), 101 * 2.0 + 2 * 30.0),
        (Usage(201, 2), 201 * 3.0 + 2 * 40.0),
        (Usage(50, 5, reasoning_tokens=4), 50 * 1.0 + 1 * 10.0 + 4 * 20.0),
        (Usage(50, 5, cached_tokens=40), 10 * 1.0 + 40 * 0.1 + 5 * 10.0),
        (Usage(150, 0, cached_tokens=40), 150 * 2.0),
        (Usage(50, 5, reasoning_tokens=9, cached_tokens=99), 50 * 0.1 + 5 * 20.0),
        (Usage(None, 5), None),
        (Usage(50, None), None),
    ],
)
def test_cost_of_a_call(usage: Usage, expected: float | None) -> None:
    model = Model("maker/test-model", "maker", price=TIERED)
    assert small().cost(model, usage) == (None if expected is None else pytest.approx(expected))


def test_unknown_is_not_free_and_local_is() -> None:
    models = made({"home/a": chat(), "home/b-cloud": chat(input_cost_per_token=0)}, local=("home",))
    assert models.estimate(Model("maker/test-model", "maker"), 1, 1) is None
    assert models.estimate(models.find("home/a"), 10, 10) == 0
    assert models.cost(models.find("home/a"), Usage()) == 0
    assert models.find("home/a").price.source == "local"
    assert models.find("home/b-cloud").price is None


def test_a_price_that_is_not_the_whole_price_is_unknown() -> None:
    assert (
        made({"maker/search-1": chat()}, billed_beyond_tokens=("maker/search*",)).find("maker/search-1").price is None
    )


def test_an_estimate_follows_the_tiers() -> None:
    shipped = catalog.load()
    best = shipped.find(shipped.roles["openai"]["best"])
    assert shipped.estimate(best, 1000, 1000) == pytest.approx((best.price.input + best.price.output) * 1000)
    long = best.price.tiers[-1].above_tokens + 1
    assert shipped.estimate(best, long, 0) == pytest.approx(long * best.price.tiers[-1].input)


def test_fine_tuned_models_are_priced_as_their_kind() -> None:
    models = made({"maker/ft:small-1": chat()})
    assert models.find("maker/ft:small-1:org::7").price == Price(1e-6, 2e-6)
    assert models.find("maker/ft:small-1:org::7").id == "maker/ft:small-1:org::7"
