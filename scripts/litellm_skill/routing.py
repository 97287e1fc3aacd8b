"""Which model to ask first, how its answer is checked, and which one to ask if it fails: decided before any call. Pure.

There is no score of difficulty here: told from the prompt alone it is close to a coin toss (benchmarks/routing.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from litellm_skill import cascade, price
from litellm_skill.answer import Usage
from litellm_skill.audit import Tally
from litellm_skill.cascade import AGREE, PARSE, Cascade
from litellm_skill.catalog import Model
from litellm_skill.faults import BadInput, Fault, LimitReached, PromptTooLong
from litellm_skill.modelfile import ROLES, Preference
from litellm_skill.tasks import Task

# Visible tokens of an answer: the means of recorded answers for math and choice; the rest by what such answers hold.
OUTPUT = {
    **{"math": 200, "choice": 120, "extract": 150, "code-reading": 200, "simple": 200},
    **{"summarise": 300, "translate": 400, "writing": 800, "code": 800, "reasoning": 800},
}
REASONING = 3.5  # times that, for a model that thinks first: plan.py's 2,000 tokens beside 800
WINDOW = 4_096  # tokens; taken for a model whose window is unknown
MARGIN = 1.25  # times the estimate of the prompt, see prompt.estimate_tokens
CHEAP_ENOUGH = 1 / 5  # of the strong model's cost: two cheap ones that cost more save little, or nothing
_LACKS = {"vision": "images", "pdf": "PDFs", "tools": "tools", "schema": "a schema", "reasoning": "reasoning"}


@dataclass(frozen=True)
class Needs:
    """Tokens; ``max_tokens`` as asked for. ``abilities``: of ``catalog.ABILITIES``, those the call needs."""

    input_tokens: int
    max_tokens: int | None = None
    abilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Offer:
    """A model that may be asked. ``maker``: whose it is, "" when unknown; ``roles``: those it has with its provider;
    ``listed``: the user named it himself, so that what is unknown of it does not exclude it; ``callable``: there is
    a key, or it needs none."""

    model: Model
    maker: str = ""
    roles: tuple[str, ...] = ()
    listed: bool = False
    callable: bool = True


@dataclass(frozen=True)
class Terms:
    """What the user asks for. ``check``: of ``cascade.CHECKS``, None for the default of the task; ``floor``: a role;
    ``check_with``: see ``Cascade``; ``max_cost``: USD for one call; ``escalated``: shares in the user's own history;
    ``judge``: the model of ``--check-judge``; ``too_dear``: why the strong model cannot be paid beside the others, ""
    where it can."""

    today: date
    check: str | None = None
    check_with: str | None = None
    floor: str = "cheap"
    max_cost: float | None = None
    escalated: Mapping[Cascade, float] = field(default_factory=dict)
    judge: Offer | None = None
    too_dear: str = ""


@dataclass(frozen=True)
class Candidate:
    """``estimate_usd`` of one call; None when the price is unknown."""

    offer: Offer
    estimate_usd: float | None
    eligible: bool
    why: str

    @property
    def model(self) -> Model:
        return self.offer.model

    @property
    def document(self) -> dict[str, Any]:
        usd = self.estimate_usd
        return {"model": self.model.id, "estimate_usd": usd, "eligible": self.eligible, "why": self.why}


@dataclass(frozen=True)
class Decision:
    """``candidates``: all, the cheapest that will do first. ``chosen`` is asked first, unless it is None or
    ``straight``: then ``strong`` is. ``second``: the other cheap model, for the check ``agree`` alone. ``strong``:
    asked when the check fails, None when it is ``left_out`` (which says why). ``cascade_usd``: of the cheap calls, and
    of the strong one in the expected share of cases. ``why``: of ``straight``, or of the check."""

    task: Task
    needs: Needs
    candidates: tuple[Candidate, ...]
    check: str
    cascade: Cascade
    chosen: Candidate | None
    second: Candidate | None
    strong: Candidate | None
    baseline: Candidate | None
    cascade_usd: float | None
    straight: bool
    why: str
    left_out: str = ""

    @property
    def first(self) -> Candidate | None:
        """Whom to ask first; None when nothing can take the prompt: see ``refusal``."""
        return self.strong if self.straight else self.chosen

    @property
    def document(self) -> dict[str, Any]:
        """The envelope's ``route``, but for its steps."""
        parts = ("chosen", "second", "strong", "baseline")
        found = {name: getattr(self, name) for name in parts}
        return {
            "task": self.task.name,
            "task_why": self.task.why,
            "needs": {"input_tokens": self.needs.input_tokens, "abilities": list(self.needs.abilities)},
            "candidates": [candidate.document for candidate in self.candidates],
            "check": self.check,
            "check_with": self.cascade.check_with,
            "cheap": list(self.cascade.cheap),
            **{name: candidate.model.id if candidate else None for name, candidate in found.items()},
            "expected_usd": self.strong.estimate_usd if self.straight and self.strong else self.cascade_usd,
            "strong_usd": self.strong.estimate_usd if self.strong else None,
            "straight_to_strong": self.straight,
            "why": self.why,
        }


def preferred(task: str, map: Mapping[str, Preference], roles: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Names that ``Catalog.resolve`` takes: the user's map for a task, its bare roles spelled out for each provider of
    ``roles`` (which the caller limits to those it can call, in his order). What the map lacks is as ``simple``."""
    named = (map.get(task) or map.get("simple") or Preference()).models
    return tuple(dict.fromkeys(name for one in named for name in _spelled_out(one, roles)))


def _spelled_out(name: str, roles: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [f"{provider}:{name}" for provider, has in roles.items() if name in has] if name in ROLES else [name]


def decide(
    task: Task,
    needs: Needs,
    offers: Sequence[Offer],
    strong: Offer | None,
    terms: Terms,
    baseline: Offer | None = None,
) -> Decision:
    """``strong`` escalates and ``baseline`` is compared with (default: ``strong``); both at the user's word."""
    able = sorted((_candidate(task, needs, offer, terms) for offer in offers), key=_order)
    last, left_out = _last(task, needs, strong, terms)
    check, pair, why = _checked(task, able, last, terms)
    if check not in cascade.VERIFYING:
        able = sorted((_above_floor(one, terms.floor, task) for one in able), key=_order)
        pair = [one for one in able if one.eligible][:1]
    tried = _cascade(task, check, pair, last, terms)
    expected = _expected(task, needs, tried, pair, last, terms)
    directly = _directly(pair, last, expected)
    return Decision(
        task=task,
        needs=needs,
        candidates=tuple(able),
        check=check,
        cascade=tried,
        chosen=pair[0] if pair else None,
        second=pair[1] if len(pair) > 1 else None,
        strong=last,
        baseline=_candidate(task, needs, baseline, terms) if baseline else last,
        cascade_usd=expected,
        straight=bool(directly),
        why=directly or left_out or why,
        left_out=left_out,
    )


def past_cascade(decision: Decision, tally: Tally, max_loss: float) -> Decision:
    """The strong model at once, since more is lost than may be: see ``audit.state``."""
    lost = f"{tally.differing} of {tally.drawn} audited prompts differ, more than --max-loss {max_loss:g} allows"
    return replace(decision, straight=True, why=f"{lost}, so the cascade is not relied on")


def refusal(decision: Decision) -> Fault:
    """Why there is no ``first``."""
    whys = {candidate.why for candidate in decision.candidates}
    named = "; ".join(f"{one.model.id}: {one.why}" for one in decision.candidates[:3])
    what = f"no model at hand can take this: {named}" if named else "there is no model to choose from"
    if whys and all(why.startswith("takes ") for why in whys):
        return PromptTooLong(what, "attach less, or name a larger model with -m")
    if whys and all(why.startswith(("costs ", "may cost ")) for why in whys):
        return LimitReached(what, "allow more with --max-cost, or attach less")
    return BadInput(what, "name a model that can with -m: what is unknown of it is then no obstacle")


def estimate(task: Task, needs: Needs, model: Model) -> float | None:
    """USD of one likely call; None when the price is unknown."""
    output = _output(task, needs, model)
    thinking = output - int(output / REASONING) if model.reasoning else None
    return price.cost(model.price, Usage(needs.input_tokens, output, thinking)) if model.price else None


def saved_usd(decision: Decision, given: Usage, spent_usd: float | None) -> float | None:
    """What the baseline would have cost for a call with the tokens of the ``given`` answer, less what was spent."""
    rates = decision.baseline.model.price if decision.baseline else None
    would = price.cost(rates, Usage(given.input_tokens, given.output_tokens)) if rates else None
    return None if would is None or spent_usd is None else would - spent_usd


def _output(task: Task, needs: Needs, model: Model) -> int:
    """Tokens; a translation is as long as its text."""
    visible = max(OUTPUT[task.name], needs.input_tokens if task.name == "translate" else 0)
    likely = int(visible * (REASONING if model.reasoning else 1))
    return min(likely, needs.max_tokens or likely, model.max_output or likely)


def _candidate(task: Task, needs: Needs, offer: Offer, terms: Terms) -> Candidate:
    usd = estimate(task, needs, offer.model)
    reasons = (*_unfit(task, needs, offer, terms), *_too_dear(usd, terms.max_cost))
    if reasons:
        return Candidate(offer, usd, False, reasons[0])
    return Candidate(offer, usd, True, "fits" if usd is not None else "fits; its price is unknown, so it comes last")


def _last(task: Task, needs: Needs, strong: Offer | None, terms: Terms) -> tuple[Candidate | None, str]:
    """The strong model, or why it is left out."""
    if strong is None:
        return None, ""
    last = _candidate(task, needs, replace(strong, listed=True), terms)
    if last.eligible and not terms.too_dear:
        return last, ""
    why = terms.too_dear.removeprefix(f"{strong.model.id}: ") if last.eligible else last.why
    return None, f"{strong.model.id} is left out: {why}"


def _unfit(task: Task, needs: Needs, offer: Offer, terms: Terms) -> Iterator[str]:
    model = offer.model
    if not offer.callable:
        yield f"no key for {model.provider}"
    if model.deprecated and model.deprecated <= terms.today and not offer.listed:
        yield f"retired since {model.deprecated}"
    room = needs.max_tokens or _output(task, needs, model)
    if int(needs.input_tokens * MARGIN) + room > (model.context or (math.inf if offer.listed else WINDOW)):
        yield f"takes {model.context:,} tokens" if model.context else "takes an unknown number of tokens, perhaps fewer"
    if needs.max_tokens and model.max_output and needs.max_tokens > model.max_output:
        yield f"takes --max-tokens up to {model.max_output:,}"
    for ability in needs.abilities:
        able = getattr(model, ability)
        if able is False:
            yield f"cannot take {_LACKS[ability]}" if ability != "reasoning" else "does not reason"
        if able is None and not offer.listed:
            yield f"not known to take {_LACKS[ability]}; -m {model.id} tries it"


def _too_dear(usd: float | None, limit: float | None) -> Iterator[str]:
    if limit is not None and usd is None:
        yield "may cost any amount: its price is unknown"
    elif limit is not None and usd is not None and usd > limit:
        yield f"costs about {usd:.2g} USD, more than --max-cost {limit:g}"


def _order(candidate: Candidate) -> tuple[bool, float]:
    """What fits before what does not, then by cost; the rest stays in the order it was offered in."""
    return not candidate.eligible, math.inf if candidate.estimate_usd is None else candidate.estimate_usd


def _above_floor(candidate: Candidate, floor: str, task: Task) -> Candidate:
    """Below the floor is what has weaker roles alone; a model without any, unless the user named it."""
    offer, least = candidate.offer, ROLES.index(floor)
    rank = max((ROLES.index(role) for role in offer.roles if role in ROLES), default=0)
    if not candidate.eligible or offer.listed or rank >= least:
        return candidate
    why = f"below {floor!r}, the floor for {task.name} that nothing checks"
    return replace(candidate, eligible=False, why=why)


def _checked(
    task: Task, able: Sequence[Candidate], strong: Candidate | None, terms: Terms
) -> tuple[str, list[Candidate], str]:
    """The check, the models it asks, and why it is that one."""
    fit = [candidate for candidate in able if candidate.eligible]
    if strong is None:
        check = PARSE if terms.check in (None, AGREE) else terms.check
        return check, fit[:1], "there is no stronger model to turn to"
    if terms.check is not None and terms.check != AGREE:
        return terms.check, fit[:1], "as asked"
    pair = _pair(fit, strong)
    if terms.check is None and not task.comparable:
        return PARSE, fit[:1], "answers to such a task cannot be compared, so only their form is looked at"
    if len(pair) < 2:
        return PARSE, fit[:1], "there is no second cheap model of another maker"
    if terms.check is None and not _cheap_enough(pair, strong):
        return PARSE, fit[:1], "two cheap models are not known to cost a fifth of the strong one or less"
    return AGREE, pair, "as asked" if terms.check else "two cheap models of different makers can be compared"


def _pair(fit: Sequence[Candidate], strong: Candidate) -> list[Candidate]:
    """The cheapest, and the cheapest of another maker; among models that the user named, of the same if need be."""
    cheap = [candidate for candidate in fit if candidate.model.id != strong.model.id]
    others = [one for one in cheap[1:] if _maker(one) != _maker(cheap[0])]
    others = others or [one for one in cheap[1:] if one.offer.listed and cheap[0].offer.listed]
    return [*cheap[:1], *others[:1]]


def _maker(candidate: Candidate) -> str:
    return candidate.offer.maker or candidate.model.provider


def _cheap_enough(pair: Sequence[Candidate], strong: Candidate) -> bool:
    cheap = _sum(pair)
    return cheap is not None and strong.estimate_usd is not None and cheap <= strong.estimate_usd * CHEAP_ENOUGH


def _sum(candidates: Sequence[Candidate]) -> float | None:
    costs = [one.estimate_usd for one in candidates]
    return None if None in costs else sum(usd for usd in costs if usd is not None)


def _cascade(task: Task, check: str, asked: Sequence[Candidate], strong: Candidate | None, terms: Terms) -> Cascade:
    cheap = tuple(sorted(one.model.id for one in asked))
    return Cascade(
        task.name, cheap, check, terms.check_with if check == terms.check else None, strong.model.id if strong else None
    )


def _expected(
    task: Task, needs: Needs, tried: Cascade, asked: Sequence[Candidate], strong: Candidate | None, terms: Terms
) -> float | None:
    if not asked:
        return None
    judges = [_candidate(task, needs, terms.judge, terms)] if tried.check == cascade.JUDGE and terms.judge else []
    share = terms.escalated.get(tried, cascade.ESCALATED.get(tried.check))
    strong_usd = strong.estimate_usd if strong else 0.0
    return cascade.expected_usd(_sum([*asked, *judges]), strong_usd, share)


def _directly(asked: Sequence[Candidate], strong: Candidate | None, expected: float | None) -> str:
    """Why the strong model is asked at once; "" when it is not."""
    if strong is None:
        return ""
    if not asked:
        return "nothing cheaper will do"
    if asked[0].model.id == strong.model.id:
        return "the strong model is the cheapest that will do"
    if expected is not None and strong.estimate_usd is not None and expected >= strong.estimate_usd:
        return f"a cascade is expected to cost {expected:.2g} USD, the strong model alone {strong.estimate_usd:.2g}"
    return ""
