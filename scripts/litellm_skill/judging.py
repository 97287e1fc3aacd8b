"""What models are asked about the answers of others: a judge, a council, a synthesis; run, paid and told."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from litellm_skill import ballot, inquiry, panel, run, synthesis
from litellm_skill.answer import Answer, error_object
from litellm_skill.ballot import Ballot, Candidate
from litellm_skill.console import Console
from litellm_skill.faults import BadInput, Fault, IncompleteAnswer
from litellm_skill.intake import Extras
from litellm_skill.journal import Journal
from litellm_skill.planner import Planner
from litellm_skill.prompt import Prompt
from litellm_skill.screen import Part
from litellm_skill.structure import Schema

AT_ONCE = 4
Judged = tuple[dict[str, Any], list[Answer]]


def check(args: argparse.Namespace) -> None:
    """Raises BadInput for what would only be found out after the answers were paid."""
    if args.rubric and not args.judge:
        raise BadInput("--rubric is for a judge", "add --judge MODEL")
    _rubric(args)


def left_out(args: argparse.Namespace, why: Fault) -> Judged:
    """Of what was asked for, that nothing came of it."""
    wanted = {"judge": args.judge, "ranking": args.council, "synthesis": args.synthesize}
    return {name: {"error": error_object(why)} for name, asked in wanted.items() if asked}, []


def _rubric(args: argparse.Namespace) -> tuple[str, ...]:
    given = args.rubric
    if given and "\n" not in given and len(given) < 1_000 and Path(given).is_file():
        from litellm_skill import attachments

        given, _ = attachments.read_text(Path(given), given, 100_000)
    return ballot.read_rubric(given)


@dataclass(frozen=True)
class Court:
    """``money``: USD that all of it may cost; None: no limit."""

    args: argparse.Namespace
    planner: Planner
    journal: Journal
    console: Console
    run_id: str
    money: float | None

    async def sit(self, question: str, candidates: Sequence[Candidate], rng: Random) -> Judged:
        """judge, ranking and synthesis as a comparison has them (left out where not asked for, an error where it
        failed), and the replies that they rest on."""
        found: dict[str, Any] = {}
        replies: list[Answer] = []
        wanted = {"judge": self.args.judge, "ranking": self.args.council, "synthesis": self.args.synthesize}
        for name in (name for name, asked in wanted.items() if asked):
            try:
                found[name], answers = await getattr(self, f"_{name}")(question, candidates, rng)
                replies += answers
            except Fault as fault:
                found[name] = {"error": error_object(fault)}
        return found, replies

    async def _judge(self, question: str, candidates: Sequence[Candidate], rng: Random) -> Judged:
        judge = self.planner.chooser.choose(self.args.judge)
        ballots = ballot.judge_questions(question, candidates, _rubric(self.args), rng)
        answers = await self._ask([(judge.name, one) for one in ballots])
        votes = [_vote(one, answer) for one, answer in zip(ballots, answers, strict=True)]
        verdict = panel.tally(ballots, votes, candidates, judge.name, judge.vendor)
        return {**asdict(verdict), **_why(answers, votes)}, answers

    async def _ranking(self, question: str, candidates: Sequence[Candidate], rng: Random) -> Judged:
        ballots = ballot.council_questions(question, candidates, rng)
        answers = await self._ask([(one.judge or "", one) for one in ballots])
        votes = [_vote(one, answer) for one, answer in zip(ballots, answers, strict=True)]
        return {**asdict(panel.rank(ballots, votes, candidates)), **_why(answers, votes)}, answers

    async def _synthesis(self, question: str, candidates: Sequence[Candidate], rng: Random) -> Judged:
        one = ballot.synthesis_question(question, candidates, rng)
        (answer,) = await self._ask([(self.args.synthesize, one)])
        merged = None if answer.fault else synthesis.read_synthesis(one, answer.parsed, answer.model_requested)
        if merged is None:
            fault = answer.fault or IncompleteAnswer("the synthesis is of no use", "ask another model")
            return {"error": error_object(fault)}, [answer]
        return asdict(merged), [answer]

    async def _ask(self, questions: Sequence[tuple[str, Ballot]]) -> list[Answer]:
        several = asyncio.Semaphore(1 if self.args.sequential else min(AT_ONCE, self.args.jobs))
        share = None if self.money is None else max(self.money, 0.0) / len(questions)
        return list(await asyncio.gather(*(self._one(name, one, share, several) for name, one in questions)))

    async def _one(self, name: str, one: Ballot, share: float | None, several: asyncio.Semaphore) -> Answer:
        """Never raises a fault: who cannot be asked, or is of no use, is missing."""
        try:
            choice = self.planner.chooser.choose(name)
            planner = replace(self.planner, extras=Extras(schema=Schema(one.schema, "ballot")))
            system, user = (message["content"] for message in one.messages)
            prompt = Prompt((Part("the answers", user),), Part("the task of the judge", system))
            planned = planner.plan(choice, prompt, max_cost=share)
            timeout = run.timeout(self.args, run.Way.HERE, local=choice.access.local)
            asked = planner.inquiry([planned], f"{self.run_id}-judge", None, timeout, max_usd=share)
            async with several:
                quiet = replace(asked, functions=(), file=False, pieces=False)
                outcome = await inquiry.ask(quiet, self.journal, planner.chooser.catalog, self.console, _drop)
        except Fault as fault:
            return Answer(name, fault=fault)
        return outcome.answer


def _drop(_: str) -> None:
    """A judge's reply is not shown."""


def _vote(one: Ballot, answer: Answer) -> Any:
    return None if answer.fault else ballot.read_ballot(one, answer.parsed)


def _why(answers: Sequence[Answer], votes: Sequence[Any]) -> dict[str, Any]:
    """Why nothing came of it, where nothing did."""
    if any(votes):
        return {}
    fault = next((answer.fault for answer in answers if answer.fault), None)
    return {"error": error_object(fault or IncompleteAnswer("no ballot is usable", "ask another judge"))}
