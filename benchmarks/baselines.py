"""What a router is measured beside: no router, chance, the prompt's length, LiteLLM's router, and hindsight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import curves
from curves import Point
from replay import Outcome

Scores = Sequence[float]


def figures(prompts: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, dict[str, float | None]]:
    """By name: APGR, accuracy, and cost as a share of the strong model's. ``random`` and ``length`` are given the share
    of strong calls that costs what the cascade costs; LiteLLM's own thresholds decide for its two."""
    strong_usd = sum(one.strong_usd for one in outcomes)
    weak_usd = sum(one.weak_usd for one in outcomes)
    spent = sum(one.usd for one in outcomes)
    share = min(1.0, max(0.0, (spent - weak_usd) / (strong_usd - weak_usd))) if strong_usd > weak_usd else 1.0
    longest = [float(len(prompt)) for prompt in prompts]
    gains = [one.strong - one.weak for one in outcomes]
    found = {
        "always_cheap": _at(outcomes, [0.0] * len(outcomes), lambda score: False),
        "always_strong": _at(outcomes, [0.0] * len(outcomes), lambda score: True),
        "random": _random(outcomes, share),
        "length": _at(outcomes, longest, _longest(outcomes, longest, spent)),
        "oracle": _at(outcomes, gains, lambda gain: gain > 0),
    }
    return {**found, **_litellm(prompts, outcomes)}


def _at(outcomes: Sequence[Outcome], scores: Scores, to_strong: Callable[[float], bool]) -> dict[str, float | None]:
    """The curve of ``scores``, and the one point of it where ``to_strong`` decides."""
    points = [Point(score, one.weak, one.strong, 0.0) for score, one in zip(scores, outcomes, strict=True)]
    chosen = [to_strong(score) for score in scores]
    right = sum(one.strong if strong else one.weak for one, strong in zip(outcomes, chosen, strict=True))
    spent = sum(one.strong_usd if strong else one.weak_usd for one, strong in zip(outcomes, chosen, strict=True))
    ratio = spent / total if (total := sum(one.strong_usd for one in outcomes)) else None
    return {"apgr": curves.curve(points).apgr, "accuracy": right / len(outcomes), "cost_ratio": ratio}


def _random(outcomes: Sequence[Outcome], share: float) -> dict[str, float | None]:
    alike = [0.0] * len(outcomes)
    none, every = _at(outcomes, alike, lambda score: False), _at(outcomes, alike, lambda score: True)

    def mixed(name: str) -> float | None:
        least, most = none[name], every[name]
        return None if least is None or most is None else least * (1 - share) + most * share

    return {"apgr": none["apgr"], "accuracy": mixed("accuracy"), "cost_ratio": mixed("cost_ratio")}


def _longest(outcomes: Sequence[Outcome], lengths: Scores, spent: float) -> Callable[[float], bool]:
    """The longest prompts to the strong model, as many as cost no more than the cascade."""
    left = spent - sum(one.weak_usd for one in outcomes)
    limit = float("inf")
    for length, one in sorted(zip(lengths, outcomes, strict=True), key=lambda pair: -pair[0]):
        left -= one.strong_usd - one.weak_usd
        if left < 0:
            break
        limit = length
    return lambda length: length >= limit


def _litellm(prompts: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Versions 1 and 2 of LiteLLM's complexity router as they are shipped; what it calls COMPLEX goes to the strong
    model. {} where LiteLLM is not installed, or has no such router."""
    try:
        import litellm
        from litellm.router_strategy.adaptive_router.classifier import classify_prompt
        from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter
        from litellm.router_strategy.complexity_router.config import ComplexityRouterConfig
        from litellm.router_strategy.complexity_router.tier_predictor import TierSuccessPredictor, resolve_tier_artifact
    except ImportError:
        return {}
    first = ComplexityRouter("router", litellm.Router(model_list=[]))
    second = TierSuccessPredictor(resolve_tier_artifact(ComplexityRouterConfig().heuristic_v2_artifact))
    tiers = [first.classify(prompt) for prompt in prompts]
    needed = [second.predict(prompt, classify_prompt(prompt)) for prompt in prompts]
    high = {score for tier, score, _ in tiers if tier.value in ("COMPLEX", "REASONING")}
    hard = [prediction.required_tier - prediction.probabilities[1] for prediction in needed]
    return {
        "litellm_v1": _at(outcomes, [score for _, score, _ in tiers], high.__contains__),
        "litellm_v2": _at(outcomes, hard, lambda score: score >= 2),  # tier 3 or 4 less a probability
    }
