"""What models are asked about the answers of others: a judge, a council, a synthesis; run, paid and told."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from litellm_skill import ballot, panel, synthesis
from litellm_skill.answer import Answer, error_object
from litellm_skill.aside import Aside
from litellm_skill.ballot import Ballot, Candidate
from litellm_skill.faults import BadInput, Fault, IncompleteAnswer, Interrupted
from litellm_skill.planner import Planner
from litellm_skill.prompt import Prompt
from litellm_skill.screen import Part
from litellm_skill.seats import all_done
from litellm_skill.structure import Schema

AT_ONCE = 4
NO_BALLOT = "no ballot is usable"
Judged = tuple[dict[str, Any], list[Answer]]


def check(args: argparse.Namespace, planner: Planner) -> None:
    """Raises what would only be found out after the answers were paid: BadInput, or why a judge cannot be asked."""
    if args.rubric and not args.judge:
        raise BadInput("--rubric is for a judge", "add --judge MODEL")
    _rubric(args)
    for name in filter(None, (args.judge, args.synthesize)):
        planner.check(name)


def later(args: argparse.Namespace) -> list[str]:
    """Flags whose calls begin with the answers: what they cost cannot be told before."""
    flags = {"--judge": args.judge, "--council": args.council, "--synthesize": args.synthesize}
    return [name if asked is True else f"{name} {asked}" for name, asked in flags.items() if asked]


def left_out(args: argparse.Namespace, why: Fault) -> Judged:
    """Of what was asked for, that nothing came of it."""
    return {name: {"error": error_object(why)} for name in _wanted(args)}, []


def interruption(answers: Sequence[Answer]) -> Interrupted | None:
    """The user's own stop, which some of the answers tell of."""
    return next((answer.fault for answer in answers if isinstance(answer.fault, Interrupted)), None)


def _wanted(args: argparse.Namespace) -> list[str]:
    wanted = {"judge": args.judge, "ranking": args.council, "synthesis": args.synthesize}
    return [name for name, asked in wanted.items() if asked]


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
    aside: Aside
    money: float | None

    async def sit(self, question: str, candidates: Sequence[Candidate], rng: Random) -> Judged:
        """judge, ranking and synthesis as a comparison has them (left out where not asked for, an error where it
        failed), and the replies that they rest on."""
        found: dict[str, Any] = {}
        replies: list[Answer] = []
        names = _wanted(self.args)
        money = self.money
        for at, name in enumerate(names):
            share = None if money is None else money / (len(names) - at)
            answers: list[Answer] = []
            try:
                part = getattr(replace(self, money=share), f"_{name}")
                found[name], answers = await part(question, candidates, rng)
            except Fault as fault:
                found[name] = {"error": error_object(fault)}
            replies += answers
            money = None if money is None or share is None else max(0.0, money - _spent(answers, share))
            if stopped := interruption(replies):
                return {**left_out(self.args, stopped)[0], **found}, replies
        return found, replies

    async def _judge(self, question: str, candidates: Sequence[Candidate], rng: Random) -> Judged:
        judge = self.aside.planner.chooser.choose(self.args.judge)
        ballots = ballot.judge_questions(question, candidates, _rubric(self.args), rng)
        answers = await self._ask([(judge.name, one) for one in ballots])
        votes = [_vote(one, answer) for one, answer in zip(ballots, answers, strict=True)]
        verdict = panel.tally(ballots, votes, candidates, judge.name, judge.vendor)
        return {**asdict(verdict), **_unusable(answers, votes)}, answers

    async def _ranking(self, question: str, candidates: Sequence[Candidate], rng: Random) -> Judged:
        ballots = ballot.council_questions(question, candidates, rng)
        answers = await self._ask([(one.judge or "", one) for one in ballots])
        votes = [_vote(one, answer) for one, answer in zip(ballots, answers, strict=True)]
        return {**asdict(panel.rank(ballots, votes, candidates)), **_unusable(answers, votes)}, answers

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
        share = None if self.money is None else self.money / len(questions)
        tasks = [asyncio.ensure_future(self._one(name, one, share, several)) for name, one in questions]
        await all_done(tasks)
        return [task.result() for task in tasks]

    async def _one(self, name: str, one: Ballot, share: float | None, several: asyncio.Semaphore) -> Answer:
        """Never raises: who cannot be asked, or is of no use, is missing."""
        system, user = (message["content"] for message in one.messages)
        prompt = Prompt((Part("the answers", user),), Part("the task of the judge", system))
        try:
            async with several:
                return await self.aside.ask(name, prompt, Schema(one.schema, "ballot"), share)
        except asyncio.CancelledError:
            return Answer(name, fault=Interrupted("interrupted", "ask again"))


def _spent(answers: Sequence[Answer], most: float) -> float:
    """USD; ``most`` where it is not known of all."""
    costs = [answer.spent_usd for answer in answers]
    return most if None in costs else sum(usd or 0.0 for usd in costs)


def _vote(one: Ballot, answer: Answer) -> Any:
    return None if answer.fault else ballot.read_ballot(one, answer.parsed)


def _unusable(answers: Sequence[Answer], votes: Sequence[Any]) -> dict[str, Any]:
    """Ballots that do not count, and why; where none does, that is the error of the whole."""
    useless = IncompleteAnswer(NO_BALLOT, "ask another judge")
    lost = [answer for answer, vote in zip(answers, votes, strict=True) if vote is None]
    found = [{"model": one.model_requested, "error": error_object(one.fault or useless)} for one in lost]
    return {"unusable": found, **({} if any(votes) else {"error": found[0]["error"]})}
