"""The cheapest model that will do: from the command line through decision, check and escalation to the bill."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from litellm_skill import (
    audit,
    cascade,
    catalog,
    inquiry,
    intake,
    job,
    proof,
    recall,
    report,
    results,
    routing,
    run,
    tasks,
    trial,
)
from litellm_skill import settings as settings_
from litellm_skill.answer import Answer, envelope
from litellm_skill.aside import Aside
from litellm_skill.audit import Draw
from litellm_skill.cascade import SCHEMA, Cascade
from litellm_skill.choice import Choice
from litellm_skill.console import Console
from litellm_skill.escalation import Escalation, Outcome
from litellm_skill.faults import BadInput, LimitReached
from litellm_skill.inquiry import Inquiry
from litellm_skill.job import Job
from litellm_skill.journal import Journal
from litellm_skill.offers import Offers, needs
from litellm_skill.plan import Plan
from litellm_skill.planner import Planner
from litellm_skill.prompt import Prompt
from litellm_skill.proof import Known
from litellm_skill.routing import Candidate, Decision
from litellm_skill.settings import Settings

CHECKS = (cascade.AGREE, cascade.PARSE, cascade.SCHEMA, cascade.NONE)


def one(args: argparse.Namespace, at_hand: Settings, console: Console) -> int:
    """The exit code of the whole command."""
    if args.audit_report:
        return proof.show(console)
    if recall.asked(args):
        return recall.recall(args, at_hand, console)
    if args.go_on or args.thread:
        raise BadInput("a routed prompt is no conversation", "leave out --continue and --thread")
    _check(args)
    around = intake.look_around(args, at_hand, console)
    prompt, extras = intake.read(args, around.rules, around.console)
    with closing(Journal(os.environ, at_hand, around.keeps, around.console)) as diary:
        planner = Planner(args, extras, around.chooser, around.rules, diary.left)
        route = _Route(args, prompt, planner, diary, around.console, results.new_run_id())
        return route.make()


def _check(args: argparse.Namespace) -> None:
    """Raises BadInput."""
    if args.task and args.task not in tasks.NAMES:
        raise BadInput(f"--task {args.task}: unknown", f"take one of {', '.join(tasks.NAMES)}")
    if args.check and args.check not in CHECKS:
        raise BadInput(f"--check {args.check}: unknown", f"take one of {', '.join(CHECKS)}")
    if sum(map(bool, (args.check, args.check_cmd, args.check_judge))) > 1:
        raise BadInput("of --check, --check-cmd and --check-judge, one at a time", "leave the others out")
    if args.check == SCHEMA and not args.schema:
        raise BadInput("--check schema has no schema", "add --schema")
    if args.check_cmd:
        trial.check(args.check_cmd)
    for need in needs(args):
        if need not in catalog.ABILITIES:
            raise BadInput(f"--needs {need}: unknown", f"take some of {', '.join(catalog.ABILITIES)}")


@dataclass(frozen=True)
class _Route:
    """One routed prompt, and all that it needs."""

    args: argparse.Namespace
    prompt: Prompt
    planner: Planner
    journal: Journal
    console: Console
    run_id: str

    def make(self) -> int:
        known = self._known()
        with_tools = bool(self.args.functions or self.planner.extras.tools)
        offers = Offers(self.args, self.prompt, self.planner.chooser, self._check_with(), known, with_tools)
        choices, decision = self._affordable(offers)
        tally = known.get(decision.cascade, Known()).tally
        draw = audit.draw(tally, self.args.max_loss, self.args.audit, random.SystemRandom().random())
        if draw.straight and decision.strong and not decision.straight:
            decision = routing.past_cascade(decision, tally, self.args.max_loss)
        if self.args.explain or self.args.dry_run:
            self._explain(decision)
        if self.args.dry_run:
            return self._show(decision)
        if decision.first is None:
            raise routing.refusal(decision)
        results.check_new(self.args.out, "out", force=self.args.force)
        if self.args.check_judge:
            self.planner.check(self.args.check_judge)
        settings_.export(self.planner.chooser.settings)
        prepare = partial(self._job, choices, decision, draw)
        return job.do(prepare, self.run_id, self.args, self.journal, self.console)

    def _affordable(self, offers: Offers) -> tuple[dict[str, Choice], Decision]:
        """Without the strong model where ``--max-cost`` does not hold it beside the others, as where it does not hold
        it at all: more money must not make it fail."""
        choices, decision = offers.decide()
        asks_server = any(choice.access.local for choice in choices.values())  # for a window, see choice.with_window
        if self.args.max_cost is None or decision.strong is None or (self.args.dry_run and asks_server):
            return choices, decision
        try:
            self._plans(choices, decision)
        except LimitReached as fault:
            _, without = offers.decide(fault.message)
            return choices, without if without.first else decision
        return choices, decision

    def _job(self, choices: Mapping[str, Choice], decision: Decision, draw: Draw, how: run.Way) -> Job:
        asked = self._inquiries(choices, decision, how)
        first = decision.first.model.id if decision.first else ""
        conversation = asked[first].plans[0].conversation
        return Job(
            proof.SCRIPT,
            model=first,
            messages=conversation.prompt.messages(with_media=False),
            envelope={**envelope(Answer(first, run_id=self.run_id), conversation), "route": decision.document},
            asked=list(asked.values()),
            work=partial(self._work, decision, draw, asked),
        )

    def _check_with(self) -> str | None:
        """As the history will have it, where keys are hidden."""
        if self.args.check_cmd or self.args.check_judge:
            return self.console.redact(self.args.check_cmd or self.args.check_judge)
        schema = self.planner.extras.schema
        if self.args.check != SCHEMA or not schema:
            return None
        return hashlib.sha256(json.dumps(schema.document, sort_keys=True).encode()).hexdigest()[:16]

    # --- what to show

    def _explain(self, decision: Decision) -> None:
        self.console.note(f"task: {decision.task.name} ({decision.task.why})")
        for candidate in decision.candidates:
            self.console.note(f"{_mark(candidate, decision)} {candidate.model.id}: {_told(candidate)}")
        self.console.note(f"check: {decision.check}; {decision.why}")

    def _show(self, decision: Decision) -> int:
        if self.console.json:
            self.console.document({"status": "dry_run", "route": decision.document})
        else:
            first = decision.first.model.id if decision.first else "nobody"
            self.console.show(f"{first} would be asked first. Nothing was sent.\n")
        if decision.first is None:
            self.console.fault(fault := routing.refusal(decision))
            return fault.exit_code
        return 0

    # --- asking

    def _inquiries(self, choices: Mapping[str, Choice], decision: Decision, how: run.Way) -> dict[str, Inquiry]:
        """What each model that may be asked is asked, by its id."""
        by_id = {choice.model.id: choice for choice in choices.values()}
        planned = self._plans(choices, decision)
        return {id: self._inquiry(by_id[id], one, how) for id, one in planned.items()}

    def _plans(self, choices: Mapping[str, Choice], decision: Decision) -> dict[str, Plan]:
        """``--max-cost`` is for all of them and a judge: what the cheap ones cannot use is the strong one's. Raises
        LimitReached."""
        strong = decision.strong.model.id if decision.strong else None
        cheap = [] if decision.straight else [one.model.id for one in (decision.chosen, decision.second) if one]
        ids = list(dict.fromkeys([*(id for id in cheap if id != strong), *([strong] if strong else [])]))
        by_id = {choice.model.id: choice for choice in choices.values()}
        planned: dict[str, Plan] = {}
        for at, id in enumerate(ids):
            left = self._left(planned.values())
            share = None if left is None else left / (len(ids) - at + bool(self.args.check_judge))
            planned[id] = self.planner.plan(by_id[id], self.prompt, max_cost=share)
        return planned

    def _left(self, planned: Iterable[Plan]) -> float | None:
        """USD of ``--max-cost`` beside the worst case of what is ``planned``."""
        most: float | None = self.args.max_cost
        if most is None:
            return None
        return max(0.0, most - sum(one.worst_usd or 0.0 for one in planned))

    def _inquiry(self, choice: Choice, planned: Plan, how: run.Way) -> Inquiry:
        timeout = run.timeout(self.args, how, local=choice.access.local)
        most = None if self.args.max_cost is None else planned.worst_usd or self.args.max_cost
        return self.planner.inquiry([planned], self.run_id, None, timeout, max_usd=most, file=False, pieces=False)

    def _work(self, decision: Decision, draw: Draw, asked: Mapping[str, Inquiry]) -> int:
        """What a worker may do in place of this process: ask, check, write down, print."""
        from litellm_skill import gateway

        with self.journal.failing():
            inquiry.prepare([each.plans[0] for each in asked.values()])
            outcome = _warned(gateway.run(self._cascade(decision, draw, asked).run()), decision)
            document = self._document(decision, asked, outcome)
            document["result_file"] = self.journal.keep(document["text"], document["run_id"])
            self.journal.finish(document, [], document["cost_usd"])
        code = recall.tell(document, self.console)
        for line in report.unlike_asked(outcome.answer):
            self.console.note(f"warning: {line}")
        self.console.note(_bill(document))
        if self.args.usage:
            self.console.note(report.summary(outcome.answer))
        if self.args.out and outcome.answer.text:
            text = outcome.answer.text
            code = results.write(self.args.out, text, "out", self.console, force=self.args.force) or code
        return code

    def _cascade(self, decision: Decision, draw: Draw, asked: Mapping[str, Inquiry]) -> Escalation:
        return Escalation(
            decision,
            asked,
            self.prompt.text,
            Aside(self.planner, self.journal, self.console),
            command=self.args.check_cmd,
            judge=self.args.check_judge,
            judge_usd=self._left(one.plans[0] for one in asked.values()),
            draw=draw,
        )

    # --- knowing, not hoping

    def _known(self) -> dict[Cascade, Known]:
        """A dry run opens no file for it."""
        return {} if self.args.dry_run else proof.known(self.journal.envelopes(proof.SCRIPT))

    # --- the bill

    def _document(self, decision: Decision, asked: Mapping[str, Inquiry], outcome: Outcome) -> dict[str, Any]:
        answer = outcome.answer.warned(*self.prompt.warnings, *self.journal.warnings)
        costs = [step.answer.spent_usd for step in outcome.steps]
        total = None if None in costs else sum(cost or 0.0 for cost in costs)
        sent = next(iter(asked.values())).plans[0].conversation
        route = {
            **decision.document,
            "steps": [step.document for step in outcome.steps],
            "chosen": outcome.answer.model_requested,
            "accepted": outcome.accepted,
            "audit": outcome.audit,
            "saved_usd": routing.saved_usd(decision, answer.usage, total),
        }
        return {**envelope(answer, sent), "cost_usd": total, "route": route}


def _warned(outcome: Outcome, decision: Decision) -> Outcome:
    """What was unlike asked in any step, since the verdict rests on all of them; lines about other models than the
    one whose answer is given name theirs."""
    given, left_out = outcome.answer, [decision.left_out] if decision.left_out else []
    steps = [one.answer for one in outcome.steps if one.answer.model_requested != given.model_requested]
    lines = [(one.model_requested, line) for one in steps for line in report.unlike_asked(one)]
    others = [line if model in line else f"{model}: {line}" for model, line in lines]
    return replace(outcome, answer=given.warned(*left_out, *others))


def _bill(document: Mapping[str, Any]) -> str:
    route = document["route"]
    steps = ", ".join(f"{step['model']} ({step['verdict']})" for step in route["steps"])
    cost = "cost unknown" if document["cost_usd"] is None else report.money(document["cost_usd"])
    saved = route["saved_usd"]
    less = "" if saved is None else f", {report.money(abs(saved))} {'less' if saved >= 0 else 'more'} than "
    return f"route: {route['task']}; {steps}; {cost}{less}{route['baseline'] if less else ''}"


def _mark(candidate: Candidate, decision: Decision) -> str:
    taken = [one.model.id for one in (decision.chosen, decision.second) if one]
    return "->" if candidate.model.id in taken and not decision.straight else " *" if candidate.eligible else " -"


def _told(candidate: Candidate) -> str:
    price = "price unknown" if candidate.estimate_usd is None else f"about {report.money(candidate.estimate_usd)}"
    return f"{price}; {candidate.why}"
