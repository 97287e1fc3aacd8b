"""Bounds on what accepted answers may cost, and what follows from them."""

from __future__ import annotations

import random

import pytest
from litellm_skill import audit
from litellm_skill.audit import Draw, Tally


@pytest.mark.parametrize(
    ("a", "b", "x", "value"),
    [
        (2, 3, 0.5, 0.6875),  # 11/16
        (0.5, 0.5, 0.3, 0.3690101196),  # (2 / pi) asin(sqrt(0.3))
        (10, 1, 0.9, 0.9**10),
        (1, 10, 0.1, 1 - 0.9**10),
        (3, 3, 0, 0),
        (3, 3, 1, 1),
        (500, 500, 0.5, 0.5),
    ],
)
def test_the_incomplete_beta_function(a: float, b: float, x: float, value: float) -> None:
    assert audit.incomplete_beta(a, b, x) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [
        (0, 0, 0, 1),
        (0, 10, 0, 0.30850),  # 1 - 0.025 ** (1 / 10)
        (1, 10, 0.00253, 0.44502),
        (5, 10, 0.18709, 0.81291),
        (10, 10, 0.69150, 1),
        (3, 200, 0.00310, 0.04321),
    ],
)
def test_clopper_and_pearsons_bounds(found: int, of: int, low: float, high: float) -> None:
    assert audit.bounds(found, of) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))


@pytest.mark.parametrize(
    ("drawn", "differing", "state"),
    [
        (0, 0, audit.PROVING),
        (80, 0, audit.PROVING),
        (88, 0, audit.ON),
        (88, 2, audit.PROVING),
        (400, 10, audit.PROVING),
        (1000, 25, audit.ON),
        (1000, 50, audit.PROVING),
        (100, 20, audit.OFF),
        (3, 3, audit.OFF),
    ],
)
def test_what_the_counts_allow(drawn: int, differing: int, state: str) -> None:
    tally = Tally(prompts=drawn, accepted=drawn, drawn=drawn, audited=drawn, differing=differing)
    assert audit.state(tally, 0.05) == state
    assert (audit.loss_bound(tally) <= 0.05) is (state == audit.ON)


@pytest.mark.parametrize(
    ("tally", "max_loss", "share", "chance", "draw"),
    [
        (Tally(), None, None, 0.0, Draw(False, False)),
        (Tally(), None, 0.1, 0.09, Draw(True, False)),
        (Tally(), None, 0.1, 0.11, Draw(False, False)),
        (Tally(drawn=87), 0.05, None, 0.99, Draw(True, True)),
        (Tally(drawn=87), 0.05, 0.0, 0.99, Draw(True, True)),
        (Tally(drawn=88), 0.05, None, 0.049, Draw(True, False)),
        (Tally(drawn=88), 0.05, None, 0.051, Draw(False, False)),
        (Tally(drawn=88), 0.05, 0.5, 0.49, Draw(True, False)),
        (Tally(drawn=88), 0.05, 0.0, 0.0, Draw(False, False)),
        (Tally(drawn=89, differing=1), 0.05, None, 0.99, Draw(True, True)),
        (Tally(drawn=24, differing=24), 0.05, None, 0.049, Draw(True, True)),
        (Tally(drawn=24, differing=24), 0.05, None, 0.051, Draw(False, True, True)),
        (Tally(drawn=24, differing=24), 0.05, 0.5, 0.49, Draw(True, True)),
    ],
)
def test_which_prompts_are_drawn(
    tally: Tally, max_loss: float | None, share: float | None, chance: float, draw: Draw
) -> None:
    assert audit.draw(tally, max_loss, share, chance) == draw


def test_the_bound_is_above_what_was_seen_and_falls_with_audits() -> None:
    bounds = [audit.loss_bound(Tally(drawn=50 * times, differing=times)) for times in (1, 2, 10, 100)]
    assert bounds == sorted(bounds, reverse=True)
    assert all(0.02 < bound < 1 for bound in bounds)
    assert audit.loss_bound(Tally(drawn=2, differing=2)) == audit.loss_bound(Tally()) == 1.0


def test_a_loss_above_the_limit_is_seldom_taken_for_less_however_often_one_looks() -> None:
    chance = random.Random(7)
    wrong = 0
    for _ in range(100):
        differing = 0
        for drawn in range(1, 400):
            differing += chance.random() < 0.06
            if audit.state(Tally(drawn=drawn, differing=differing), 0.05) == audit.ON:
                wrong += 1
                break
    assert wrong < 5


def test_what_has_become_worse_is_no_longer_relied_on() -> None:
    """The share that is still drawn shows it."""
    chance = random.Random(7)
    drawn = differing = 0
    relied = []
    for prompt in range(20_000):
        draw = audit.draw(Tally(drawn=drawn, differing=differing), 0.1, None, chance.random())
        relied.append(not draw.proving)
        drawn += draw.drawn
        differing += draw.drawn and chance.random() < (0.02 if prompt < 1_000 else 0.3)
    assert relied[999]
    assert not any(relied[5_000:])


def test_a_tally_says_what_is_known_and_no_more() -> None:
    tally = Tally(prompts=10, accepted=8, drawn=5, audited=4, differing=1, spent_usd=0.2, strong_usd=1.0)
    assert (tally.share_accepted, tally.difference, tally.saved_usd) == (0.8, 0.25, 0.8)
    assert tally.bounds == audit.bounds(1, 4)
    assert (Tally().share_accepted, Tally().difference, Tally(spent_usd=None).saved_usd) == (None, None, None)
