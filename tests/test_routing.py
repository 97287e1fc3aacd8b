"""Which model is asked first, how its answer is checked, and when the strong one is asked at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from catalogs import TODAY, loaded
from litellm_skill import cascade, routing, tasks
from litellm_skill.answer import Usage
from litellm_skill.cascade import Cascade
from litellm_skill.catalog import Model
from litellm_skill.faults import BadInput, Fault, LimitReached, PromptTooLong
from litellm_skill.modelfile import Preference
from litellm_skill.price import LOCAL, Price
from litellm_skill.routing import Decision, Needs, Offer, Terms

MATH = tasks.of("What is 12 * 7?")
CODE = tasks.of("Write a Python function that adds two numbers.")
WRITING = tasks.of("Write a poem about the sea.")
SMALL = Needs(input_tokens=1_000)


def offer(id: str, usd: float | None = None, *, roles: tuple[str, ...] = ("cheap",), **more: object) -> Offer:
    """``usd``: per million tokens, in and out."""
    options = {key: more.pop(key) for key in ("maker", "listed", "callable") if key in more}
    price = None if usd is None else Price(usd / 1e6, usd / 1e6)
    model = Model(id, id.partition("/")[0], price=price, **{"context": 100_000, **more})
    return Offer(model, roles=roles, **options)


ONE, TWO = offer("one/small", 1.0), offer("two/small", 2.0)
STRONG = offer("three/large", 100.0, roles=("best",))
PAIR = Cascade("math", ("one/small", "two/small"), "agree", None, "three/large")


def decided(task: tasks.Task, *offers: Offer, strong: Offer | None = STRONG, **more: object) -> Decision:
    needs = more.pop("needs", SMALL)
    baseline = more.pop("baseline", None)
    return routing.decide(task, needs, offers, strong, Terms(TODAY, **more), baseline)


def names(decision: Decision) -> tuple[str | None, ...]:
    parts = (decision.chosen, decision.second, decision.strong, decision.first)
    return tuple(part.model.id if part else None for part in parts)


def test_the_cheapest_is_asked_and_another_makers_compared() -> None:
    third = offer("one/other", 1.5)
    decision = decided(MATH, TWO, third, ONE)
    assert names(decision) == ("one/small", "two/small", "three/large", "one/small")
    assert decision.check == "agree"
    assert [candidate.model.id for candidate in decision.candidates] == ["one/small", "one/other", "two/small"]
    assert decision.cascade_usd == pytest.approx(0.0036 + cascade.ESCALATED["agree"] * 0.12)
    assert decision.document == {
        "task": "math",
        "task_why": MATH.why,
        "needs": {"input_tokens": 1_000, "abilities": []},
        "candidates": [
            {"model": "one/small", "estimate_usd": pytest.approx(0.0012), "eligible": True, "why": "fits"},
            {"model": "one/other", "estimate_usd": pytest.approx(0.0018), "eligible": True, "why": "fits"},
            {"model": "two/small", "estimate_usd": pytest.approx(0.0024), "eligible": True, "why": "fits"},
        ],
        "check": "agree",
        "check_with": None,
        "cheap": ["one/small", "two/small"],
        "chosen": "one/small",
        "second": "two/small",
        "strong": "three/large",
        "baseline": "three/large",
        "expected_usd": decision.cascade_usd,
        "strong_usd": pytest.approx(0.12),
        "straight_to_strong": False,
        "why": "two cheap models of different makers can be compared",
    }


@pytest.mark.parametrize(
    ("changed", "needs", "why"),
    [
        ({"callable": False}, SMALL, "no key for one"),
        ({"deprecated": date(2026, 1, 1)}, SMALL, "retired since 2026-01-01"),
        ({"context": 1_300}, SMALL, "takes 1,300 tokens"),
        ({"context": None}, Needs(10_000), "takes an unknown number of tokens"),
        ({"max_output": 100}, Needs(1_000, max_tokens=200), "takes --max-tokens up to 100"),
        ({"vision": False}, Needs(1_000, abilities=("vision",)), "cannot take images"),
        ({"vision": None}, Needs(1_000, abilities=("vision",)), "not known to take images; -m one/small tries it"),
        ({"pdf": None}, Needs(1_000, abilities=("pdf",)), "not known to take PDFs"),
        ({"tools": False}, Needs(1_000, abilities=("tools",)), "cannot take tools"),
        ({"schema": None}, Needs(1_000, abilities=("schema",)), "not known to take a schema"),
        ({"reasoning": False}, Needs(1_000, abilities=("reasoning",)), "does not reason"),
    ],
)
def test_what_cannot_take_it_is_listed_with_the_reason(changed: dict, needs: Needs, why: str) -> None:
    able = offer("two/able", 50.0, vision=True, pdf=True, tools=True, schema=True, reasoning=True)
    decision = decided(WRITING, offer("one/small", 1.0, **changed), able, needs=needs)
    refused = decision.candidates[-1]
    assert (refused.model.id, refused.eligible) == ("one/small", False)
    assert refused.why.startswith(why)
    assert decision.chosen is not None
    assert decision.chosen.model.id == "two/able"


@pytest.mark.parametrize("unknown", [{"vision": None}, {"context": None}, {"deprecated": date(2026, 1, 1)}])
def test_what_is_unknown_of_a_named_model_is_no_obstacle(unknown: dict) -> None:
    named = offer("one/small", 1.0, listed=True, **{"vision": True, **unknown})
    needs = Needs(10_000, abilities=("vision",))
    assert names(decided(WRITING, named, needs=needs))[0] == "one/small"


def test_an_unknown_price_comes_last_and_is_named() -> None:
    decision = decided(WRITING, offer("one/priceless"), TWO)
    assert [one.model.id for one in decision.candidates] == ["two/small", "one/priceless"]
    assert decision.candidates[-1].why == "fits; its price is unknown, so it comes last"
    alone = decided(MATH, offer("one/priceless"), offer("two/priceless"))
    assert (alone.check, alone.cascade_usd, alone.straight) == ("parse", None, False)
    limited = decided(WRITING, offer("one/priceless"), TWO, max_cost=1.0)
    assert limited.candidates[-1].why == "may cost any amount: its price is unknown"


def test_more_than_the_user_pays_is_not_asked() -> None:
    decision = decided(WRITING, ONE, TWO, max_cost=0.002)
    assert names(decision) == ("one/small", None, None, "one/small")
    assert "more than --max-cost 0.002" in decision.candidates[-1].why


@pytest.mark.parametrize(
    ("task", "offers", "terms", "check", "why"),
    [
        (WRITING, (ONE, TWO), {}, "parse", "answers to such a task cannot be compared"),
        (MATH, (ONE,), {}, "parse", "there is no second cheap model"),
        (MATH, (ONE, offer("one/other", 2.0)), {}, "parse", "there is no second cheap model"),
        (MATH, (ONE, offer("two/small", 2.0, maker="one")), {}, "parse", "there is no second cheap model"),
        (MATH, (ONE, offer("two/dear", 30.0)), {}, "parse", "two cheap models are not known to cost a fifth"),
        (MATH, (ONE, offer("two/dear", 30.0)), {"check": "agree"}, "agree", "as asked"),
        (WRITING, (ONE, TWO), {"check": "agree"}, "agree", "as asked"),
        (MATH, (ONE, TWO), {"check": "none"}, "none", "as asked"),
        (CODE, (ONE, TWO), {"check": "cmd", "floor": "code"}, "cmd", "as asked"),
    ],
)
def test_the_check(task: tasks.Task, offers: tuple[Offer, ...], terms: dict, check: str, why: str) -> None:
    decision = decided(task, *offers, **terms)
    assert decision.check == check
    assert decision.why.startswith(why)
    assert (decision.second is not None) is (check == "agree")
    assert not decision.straight


def test_two_of_one_maker_are_compared_when_the_user_named_both() -> None:
    pair = [replace(one, listed=True, maker="same") for one in (ONE, TWO)]
    assert names(decided(MATH, *pair))[:2] == ("one/small", "two/small")


def test_without_a_stronger_model_there_is_nothing_to_turn_to() -> None:
    decision = decided(MATH, ONE, TWO, strong=None, check="agree")
    assert (decision.check, names(decision)) == ("parse", ("one/small", None, None, "one/small"))
    assert decision.why == "there is no stronger model to turn to"
    short = decided(WRITING, ONE, strong=replace(STRONG, model=replace(STRONG.model, context=10)))
    assert short.strong is None


def test_below_the_floor_is_what_nothing_checks() -> None:
    coder = offer("two/coder", 5.0, roles=("cheap", "code"))
    assert names(decided(CODE, ONE, coder, floor="code"))[0] == "two/coder"
    assert names(decided(CODE, ONE, coder, floor="code", check="cmd"))[0] == "one/small"
    assert names(decided(CODE, ONE, coder, floor="code", check="schema"))[0] == "two/coder"
    assert names(decided(CODE, replace(ONE, listed=True), coder, floor="code"))[0] == "one/small"
    below = decided(CODE, ONE, coder, floor="code").candidates[-1]
    assert (below.model.id, below.eligible) == ("one/small", False)
    assert below.why == "below 'code', the floor for code that nothing checks"
    none = decided(CODE, ONE, offer("two/none", 1.0, roles=()), floor="best")
    assert (names(none), none.why) == ((None, None, "three/large", "three/large"), "nothing cheaper will do")


@pytest.mark.parametrize(
    ("offers", "terms", "why"),
    [
        ((STRONG,), {}, "the strong model is the cheapest that will do"),
        (
            (ONE, TWO),
            {"escalated": {PAIR: 0.98}},
            "a cascade is expected to cost 0.12 USD, the strong model alone 0.12",
        ),
        ((offer("one/dear", 90.0), offer("two/dear", 90.0)), {"check": "agree"}, "a cascade is expected to cost"),
        ((), {}, "nothing cheaper will do"),
    ],
)
def test_straight_to_the_strong_model(offers: tuple[Offer, ...], terms: dict, why: str) -> None:
    decision = decided(MATH, *offers, **terms)
    assert decision.straight
    assert decision.first is decision.strong
    assert decision.why.startswith(why)
    assert decision.document["expected_usd"] == pytest.approx(0.12)


@pytest.mark.parametrize(
    "tried",
    [
        replace(PAIR, task="choice"),
        replace(PAIR, cheap=("one/small", "two/other")),
        replace(PAIR, check="parse"),
        replace(PAIR, check_with="test"),
        replace(PAIR, strong="three/other"),
    ],
)
def test_what_was_seen_of_another_cascade_says_nothing_of_this_one(tried: Cascade) -> None:
    assert not decided(MATH, ONE, TWO, escalated={tried: 0.98}).straight


@pytest.mark.parametrize(("check", "by"), [("cmd", "pytest"), (None, None)])
def test_what_it_is_checked_with_is_a_part_of_the_cascade(check: str | None, by: str | None) -> None:
    assert decided(MATH, ONE, TWO, check=check, check_with="pytest").cascade.check_with == by


def test_models_at_home_cost_nothing_so_the_strongest_is_asked() -> None:
    home = [Offer(Model(f"ollama/{name}", "ollama", price=LOCAL), maker=name) for name in ("a", "b", "c")]
    decision = decided(MATH, *home, strong=home[2])
    assert decision.straight
    assert [one.estimate_usd for one in decision.candidates] == [0.0, 0.0, 0.0]
    assert not decided(MATH, *home).straight


def test_a_model_that_thinks_is_expected_to_write_more() -> None:
    thinking = replace(ONE.model, reasoning=True)
    plain = routing.estimate(MATH, SMALL, ONE.model)
    assert plain == pytest.approx(0.0012)
    assert routing.estimate(MATH, SMALL, thinking) == pytest.approx(0.0017)
    assert routing.estimate(MATH, Needs(1_000, max_tokens=50), thinking) == pytest.approx(0.00105)
    dearer = replace(thinking, price=Price(1e-6, 1e-6, reasoning_output=11e-6))
    assert routing.estimate(MATH, SMALL, dearer) == pytest.approx(0.0067)


def test_what_was_saved() -> None:
    decision = decided(MATH, ONE, TWO, baseline=offer("four/huge", 1_000.0))
    assert routing.saved_usd(decision, Usage(1_000, 200), 0.01) == pytest.approx(1.19)
    assert routing.saved_usd(decision, Usage(1_000, 200), None) is None
    assert routing.saved_usd(decision, Usage(1_000, None), 0.01) is None
    assert routing.saved_usd(decided(MATH, ONE, baseline=offer("four/x")), Usage(1, 1), 0.0) is None


@pytest.mark.parametrize(
    ("offers", "terms", "kind"),
    [
        ((offer("one/tiny", 1.0, context=10),), {}, PromptTooLong),
        ((ONE, offer("two/priceless")), {"max_cost": 1e-6}, LimitReached),
        ((offer("one/small", 1.0, callable=False), offer("one/tiny", 1.0, context=10)), {}, BadInput),
        ((), {}, BadInput),
    ],
)
def test_why_nobody_can_be_asked(offers: tuple[Offer, ...], terms: dict, kind: type[Fault]) -> None:
    decision = decided(WRITING, *offers, strong=None, **terms)
    assert decision.first is None
    fault = routing.refusal(decision)
    assert isinstance(fault, kind)
    assert all(one.model.id in fault.message for one in decision.candidates)
    assert fault.hint


@pytest.mark.parametrize(
    ("check", "first", "second", "passed", "accepted", "why"),
    [
        ("agree", "#### 4", "it is 4", None, True, "agree"),
        ("agree", "#### 4", "it is 5", None, False, "disagree"),
        ("agree", "#### 4", "no idea", None, False, "second unreadable"),
        ("agree", "no idea", "it is 5", None, False, "unreadable"),
        ("parse", "#### 4", "", None, True, "readable"),
        ("parse", "no idea", "", None, False, "unreadable"),
        ("none", "no idea", "", None, True, "not checked"),
        ("cmd", "#### 4", "", True, True, "passed"),
        ("cmd", "#### 4", "", False, False, "failed"),
        ("judge", "#### 4", "", None, False, "check failed to run"),
        ("schema", "no idea", "", True, False, "unreadable"),
    ],
)
def test_verdicts(check: str, first: str, second: str, passed: bool | None, accepted: bool, why: str) -> None:
    answers = [cascade.parse(MATH, text) for text in (first, second)]
    assert cascade.verdict(check, answers[0], answers[1], passed) == cascade.Verdict(accepted, why)


@pytest.mark.parametrize(
    ("task", "reply", "readable"),
    [
        (CODE, "```python\ndef f(): ...\n```", True),
        (CODE, "def f(a, b):\n    return a + b", True),
        (CODE, "I would rather not write that.", False),
        (WRITING, "The sea, the sea.", True),
        (WRITING, " \n", False),
        (MATH, "It cannot be said.", False),
    ],
)
def test_an_answer_of_the_expected_shape(task: tasks.Task, reply: str, readable: bool) -> None:
    assert (cascade.parse(task, reply) is not None) is readable


def test_the_users_map_names_the_models() -> None:
    roles = {"one": {"cheap": "one/a", "best": "one/b"}, "two": {"cheap": "two/a"}}
    map = {"simple": Preference("cheap", ("cheap",)), "code": Preference("best", ("best", "fast", "two/x", "cheap"))}
    assert routing.preferred("code", map, roles) == ("one:best", "fast", "two/x", "one:cheap", "two:cheap")
    assert routing.preferred("math", map, roles) == ("one:cheap", "two:cheap")
    assert routing.preferred("math", {}, roles) == ()


def test_the_map_of_models_toml(tmp_path) -> None:
    shipped = loaded(tmp_path, "").file.tasks
    assert {name: said.floor for name, said in shipped.items()} == {
        "simple": "cheap",
        "writing": "cheap",
        "code": "code",
        "reasoning": "best",
    }
    own = loaded(tmp_path, "[tasks.code]\nmodels = 'openai/test-model'\n[tasks.math]\nfloor = 'best'").file.tasks
    assert own["code"] == Preference("code", ("openai/test-model",))
    assert own["math"] == Preference("best", ())
    assert own["simple"] == shipped["simple"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[tasks.cooking]\nfloor = 'best'", "tasks.cooking: unknown; known are code"),
        ("[tasks.code]\nfloor = 'weak'", "tasks.code.floor: expected one of cheap, code, best, reasoning"),
        ("[tasks.code]\nprefer = ['best']", "tasks.code.prefer: unknown; known are floor, models"),
        ("[tasks.code]\nmodels = []", "tasks.code.models: expected a text or a list of texts"),
        ("tasks = 1", "tasks: expected a table"),
    ],
)
def test_a_wrong_map_is_refused_by_key(tmp_path, text: str, what: str) -> None:
    with pytest.raises(BadInput) as caught:
        loaded(tmp_path, text)
    assert what in caught.value.message
