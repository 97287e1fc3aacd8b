"""One prompt to one model: from the command line to the printed answer."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from litellm_skill import demo, fence, inquiry, intake, recall, report, results, run, screen
from litellm_skill import settings as settings_
from litellm_skill.answer import Answer, envelope
from litellm_skill.console import Console
from litellm_skill.faults import BadInput, Fault, IncompleteAnswer, NotSetUp, PromptTooLong, StillRunning
from litellm_skill.history import NewRun, Thread
from litellm_skill.inquiry import Inquiry, Outcome
from litellm_skill.journal import Journal
from litellm_skill.plan import Plan
from litellm_skill.planner import Planner
from litellm_skill.prompt import Prompt
from litellm_skill.settings import Settings

GLANCE = 0.3  # seconds between two looks at a thread in which another process is at work


def one(args: argparse.Namespace, at_hand: Settings, console: Console) -> int:
    """The exit code of the whole command."""
    if recall.asked(args):
        return recall.recall(args, at_hand, console)
    around = intake.look_around(args, at_hand, console)
    prompt, extras = intake.read(args, around.rules, around.console)
    with closing(Journal(os.environ, at_hand, around.keeps, around.console)) as diary:
        planner = Planner(args, extras, around.chooser, around.rules, diary.left)
        call = _Call(args, prompt, planner, diary, around.console)
        return call.show() if args.dry_run else call.make()


@dataclass(frozen=True)
class _Call:
    """One call, and all that it needs."""

    args: argparse.Namespace
    prompt: Prompt
    planner: Planner
    journal: Journal
    console: Console

    def show(self) -> int:
        """What would be sent where."""
        return _show_plans(self._plans(self._thread("")), self.console)

    def make(self) -> int:
        results.check_new(self.args.out, "out", force=self.args.force)
        how = run.way(self.args, self.journal, self.console)
        asked = self._begin(results.new_run_id(), how)
        if how is not run.Way.HERE and not self.journal.recording:
            how = run.unrecorded(how)
            local = asked.plans[0].choice.access.local
            asked = replace(asked, timeout=run.timeout(self.args, how, local=local))
        settings_.export(self.planner.chooser.settings)
        for planned in asked.plans:
            _announce(planned, self.console)
        with self.journal.failing():
            until = time.time() + asked.timeout + run.MARGIN
            self.journal.reserve(asked.run_id, inquiry.worst_usd(asked.plans), until)
            return run.do(lambda: self._work(asked), how, self.args, self.journal, asked.run_id, self.console)

    def _begin(self, run_id: str, how: run.Way) -> Inquiry:
        """The run stands in the history before anything is sent. A thread in which another process is at work is waited
        for: two never answer the same turn."""
        patience = time.monotonic() + (self.args.timeout or run.TIMEOUT)
        thread = self._thread(run_id)
        while True:
            thread = self._free(thread, patience)
            asked = self._inquiry(run_id, thread, how)
            if self.journal.begin(self._new_run(asked, thread)):
                return asked
            thread = self.journal.thread(thread.id)

    def _free(self, thread: Thread, patience: float) -> Thread:
        while thread.busy:
            if time.monotonic() > patience:
                what = f"another run is at work on conversation {thread.id}"
                hint = f"{recall.command('--wait', thread.busy)}, then ask again"
                raise StillRunning(what, hint, retryable=True)
            time.sleep(GLANCE)
            thread = self.journal.thread(thread.id)
        return thread

    def _thread(self, run_id: str) -> Thread:
        """The conversation to go on with, or a new one: by the name that was given, or the id of the run."""
        if self.args.go_on and self.args.thread is not None:
            raise BadInput("--continue and --thread exclude each other", "leave one of them out")
        if self.args.go_on:
            return self.journal.last_thread(os.getcwd())
        return self.journal.thread(self.args.thread) if self.args.thread is not None else Thread(run_id)

    def _inquiry(self, run_id: str, thread: Thread, how: run.Way) -> Inquiry:
        plans = self._plans(thread)
        return self.planner.inquiry(
            plans,
            run_id,
            thread.id if self.journal.keeps else None,
            run.timeout(self.args, how, local=plans[0].choice.access.local),
            max_usd=self.args.max_cost,
        )

    def _new_run(self, asked: Inquiry, thread: Thread) -> NewRun:
        model, conversation = asked.plans[0].choice.name, asked.plans[0].conversation
        unanswered = Answer(model, run_id=asked.run_id, thread=asked.thread)
        return NewRun(
            id=asked.run_id,
            script=Path(sys.argv[0]).name,
            directory=os.getcwd(),
            model=model,
            thread=thread.id,
            turn=thread.turn,
            messages=screen.redact_values(conversation.prompt.messages(with_media=False), self.console.secrets),
            envelope=envelope(unanswered, conversation),
            until=time.time() + asked.timeout + run.MARGIN,
        )

    def _plans(self, thread: Thread) -> list[Plan]:
        """The model's plan, then each fallback's. Of several, one that cannot be reached, or that the prompt does not
        fit, is left out, and said; a dry run tells of it."""
        plans: list[Plan] = []
        left_out: list[Fault] = []
        for name in (_asked_for(self.args), *self.args.fallback):
            try:
                choice = self.planner.chooser.choose(name)
                plans.append(self.planner.plan(choice, self.prompt, thread.messages, self.args.max_cost))
            except (NotSetUp, PromptTooLong) as fault:
                left_out.append(fault)
                if self.args.fallback:
                    self.console.note(f"warning: {name or 'the default model'} left out: {fault.message}")
        if not plans:
            raise left_out[0]
        return plans

    def _work(self, asked: Inquiry) -> int:
        """What a worker may do in place of this process: ask, write down, print."""
        from litellm_skill import gateway

        with self.journal.failing():
            inquiry.prepare(asked.plans)
            show = self.console.show if self._streams else lambda _: None
            outcome = gateway.run(inquiry.ask(asked, self.journal, self.planner.chooser.catalog, self.console, show))
            answer = outcome.answer.warned(*self.prompt.warnings, *self.journal.warnings)
            document = envelope(answer, asked.plans[0].conversation)
            self.journal.finish(document, _reply(outcome), answer.spent_usd)
        fault = _print(self.args, answer, document, self.console)
        told = {line for planned in asked.plans for line in (*planned.choice.warnings, *planned.notes)}
        for line in report.unlike_asked(outcome.answer):
            if line not in told:
                self.console.note(f"warning: {line}")
        return _finish(self.args, answer, fault, self.console)

    @property
    def _streams(self) -> bool:
        """Whether text is shown as it comes: not when only a part of it is wanted, or it may have to be mended."""
        return self.console.streams and not (self.args.extract or self.args.extract_lang or self.args.schema)


def _reply(outcome: Outcome) -> list[Mapping[str, Any]]:
    """What the next turn of the conversation is told of this one."""
    text = outcome.answer.text
    return [*outcome.messages, *([{"role": "assistant", "content": text}] if text else [])]


def _asked_for(args: argparse.Namespace) -> str | None:
    if args.demo and args.model and not args.model.startswith("demo/"):
        raise BadInput(f"--demo and -m {args.model} exclude each other", "leave one of them out")
    return demo.MODEL if args.demo and args.model is None else args.model


def _announce(planned: Plan, console: Console) -> None:
    choice = planned.choice
    if choice.why:
        cost = f"likely about {report.money(planned.likely_usd)}" if planned.likely_usd is not None else "price unknown"
        console.note(f"model: {choice.model.id} at {choice.access.host} ({choice.why}); {cost}")
    for line in (*choice.warnings, *planned.notes):
        console.note(f"warning: {line}")


def _show_plans(plans: Sequence[Plan], console: Console) -> int:
    for planned in plans:
        _announce(planned, console)
        if planned.choice.access.missing:
            console.fault(planned.choice.access.missing)
    if console.json:
        first, *others = (report.plan_document(planned) for planned in plans)
        console.document({**first, "fallbacks": others})
    else:
        console.show("\n".join(report.plan_text(planned) for planned in plans) + "Nothing was sent.\n")
    return 0


def _finish(args: argparse.Namespace, answer: Answer, fault: Fault | None, console: Console) -> int:
    if fault:
        console.fault(fault)
    if args.usage:
        console.note(report.summary(answer))
    written = results.write(args.out, answer.text, "out", console, force=args.force) if args.out and answer.text else 0
    return written or (fault.exit_code if fault else 0)


def _json_alone(answer: Answer) -> str:
    """The JSON of an answer, as it came where nothing stands around it."""
    try:
        json.loads(answer.text)
    except ValueError:
        return json.dumps(answer.parsed, ensure_ascii=False, indent=2)
    return answer.text


def _print(args: argparse.Namespace, answer: Answer, document: Mapping[str, Any], console: Console) -> Fault | None:
    """What is wrong, with the answer or with what is wanted of it."""
    block = fence.first(answer.text, args.extract_lang) if args.extract or args.extract_lang else None
    fault = answer.fault
    if block is None and fault is None and (args.extract or args.extract_lang):
        fault = IncompleteAnswer("the answer holds no such code block", f"the whole of it: {answer.result_file}")
    if console.json:
        console.document(document)
    elif block is not None:
        console.show(block)
    elif answer.tool_calls and not answer.text:
        console.show("".join(f"{json.dumps(dict(call), ensure_ascii=False)}\n" for call in answer.tool_calls))
    elif console.host and answer.text:
        console.answer_for_host(answer)
    elif answer.text and (args.schema or args.extract or args.extract_lang):
        shown = _json_alone(answer) if answer.fault is None and args.schema else answer.text
        console.show(shown if shown.endswith("\n") else f"{shown}\n")
    elif answer.text and not answer.text.endswith("\n"):
        console.show("\n")
    return fault
