"""One tiny call to a provider: the proof that its key is taken. It costs money, so what it costs is said first."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace

from litellm_skill import check, gateway, inquiry, plan, report, results, settings
from litellm_skill.answer import Answer
from litellm_skill.check import ERROR, OK, WARNING, Check
from litellm_skill.choice import Choice, Chooser
from litellm_skill.console import Console
from litellm_skill.conversation import Conversation
from litellm_skill.faults import Fault, IncompleteAnswer, UnknownModel
from litellm_skill.inquiry import Inquiry
from litellm_skill.journal import Journal
from litellm_skill.plan import Funds, Plan
from litellm_skill.policy import Policy
from litellm_skill.prompt import Prompt
from litellm_skill.screen import Part

PROMPT = "Reply with: ok"
MAX_TOKENS = 16  # the least that OpenAI's Responses API takes
TIMEOUT = 30.0  # seconds


def checks(names: Iterable[str], chooser: Chooser, rules: Policy, console: Console) -> list[Check]:
    """One for each provider: its cheapest role is asked, all at the same time."""
    with closing(Journal(os.environ, chooser.settings, False, console)) as diary:
        planned = [_plan(name, chooser, rules, diary) for name in names]
        plans = [one for one in planned if isinstance(one, Plan)]
        left_out = [one for one in planned if isinstance(one, Check)]
        if not plans:
            return left_out or [Check("ping", WARNING, "there is no provider to call", "set a key")]
        replace(console, quiet=False).note(_announcement(plans))  # what costs money is said even so
        settings.export(chooser.settings)
        with diary.failing():
            answers = _ask(plans, diary, chooser, console)
            spent = [answer.spent_usd for answer in answers]
            diary.finish({}, [], None if None in spent else sum(usd or 0.0 for usd in spent))
    return [*left_out, *map(_judged, plans, answers)]


def _plan(name: str, chooser: Chooser, rules: Policy, diary: Journal) -> Plan | Check:
    """Or why it is not called."""
    try:
        choice: Choice = chooser.choose(f"{name}:cheap")
        rules.check(choice.model.id, choice.access.host)
        asked = Conversation(Prompt((Part("prompt", PROMPT),)))
        return plan.make(choice, asked, {"max_tokens": MAX_TOKENS}, chooser, Funds(None, diary.left()))
    except UnknownModel:
        fix = f'python3 call_model.py "{PROMPT}" -m {name}/MODEL'
        return Check(f"ping {name}", WARNING, "not called: models.toml names no cheap model of it", fix)
    except Fault as fault:
        return check.of_fault(f"ping {name}", fault)


def _announcement(plans: Sequence[Plan]) -> str:
    names = ", ".join(f"{one.choice.model.id} at {one.choice.access.host}" for one in plans)
    known = [one.worst_usd for one in plans if one.worst_usd is not None]
    unknown = f", and {len(plans) - len(known)} whose price is unknown" if len(known) < len(plans) else ""
    cost = f"at most about {report.money(sum(known))}" if known else "cost unknown"
    return f"ping: one call of {MAX_TOKENS} output tokens each to {names}; {cost}{unknown if known else ''}"


def _ask(plans: Sequence[Plan], diary: Journal, chooser: Chooser, console: Console) -> list[Answer]:
    inquiry.prepare(plans)
    until = time.time() + TIMEOUT
    asked = []
    for planned in plans:
        run_id = results.new_run_id()
        diary.reserve(run_id, planned.worst_usd or 0.0, until)
        asked.append(Inquiry([planned], run_id, None, timeout=TIMEOUT, retries=0, file=False, pieces=False))

    async def all_of_them() -> list[inquiry.Outcome]:
        calls = [inquiry.ask(one, diary, chooser.catalog, console, lambda _: None) for one in asked]
        return await asyncio.gather(*calls)

    return [outcome.answer for outcome in gateway.run(all_of_them())]


def _judged(planned: Plan, answer: Answer) -> Check:
    """A model that thinks first may use up the few tokens that it gets: it did answer."""
    subject = f"ping {planned.choice.access.provider.name}"
    if answer.fault and not isinstance(answer.fault, IncompleteAnswer):
        return check.of_fault(subject, answer.fault, ERROR)
    cost = "cost unknown" if answer.cost_usd is None else report.money(answer.cost_usd)
    seconds = "" if answer.latency_s is None else f" in {answer.latency_s:.1f} s"
    return Check(subject, OK, f"{planned.choice.model.id} answered{seconds}, {cost}")
