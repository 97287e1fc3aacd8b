"""One prompt to one model: from the command line to the printed answer."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from litellm_skill import catalog as models
from litellm_skill import certificates, command, demo, plan, policy, providers, report, results, screen, settings
from litellm_skill import prompt as prompts
from litellm_skill.answer import Answer, envelope
from litellm_skill.choice import Choice, Chooser, with_window
from litellm_skill.console import Console
from litellm_skill.faults import BadInput, Fault, NotSetUp, PromptTooLong
from litellm_skill.plan import Plan
from litellm_skill.policy import Policy
from litellm_skill.prompt import Prompt
from litellm_skill.redaction import redact_cut
from litellm_skill.settings import Settings

if TYPE_CHECKING:
    from litellm_skill.gateway import Patience, Question

TIMEOUT, LOCAL_TIMEOUT, IDLE_TIMEOUT = 100.0, 600.0, 60.0  # seconds; the first is below the hosts' 120


def one(args: argparse.Namespace, at_hand: Settings, console: Console) -> int:
    """The exit code of the whole command."""
    for ignored in at_hand.unread:
        console.note(f"warning: {ignored.reason}")
    rules = policy.load(os.environ)
    prompt = _read_prompt(args, rules, console)
    user_models = settings.user_directory(os.environ) / "models.toml"
    chooser = Chooser(at_hand, models.load(user_models), console.host, date.today())
    plans = _plans(args, prompt, chooser, rules, console)
    if args.dry_run:
        return _show_plans(plans, prompt, console)
    _check_out(args)
    settings.export(at_hand)
    answer = _priced(_ask(args, plans, prompt, rules, console), plans, chooser)
    return _finish(args, answer, prompt, console)


def _read_prompt(args: argparse.Namespace, rules: Policy, console: Console) -> Prompt:
    """Raises SecretFound before a file that must not be sent is opened, and when what was read holds a secret."""
    wanted = ["--allow-secrets"] * args.allow_secrets + ["--allow-path"] * bool(args.allow_path)
    rules.check_overrides(console.host.name if console.host else None, wanted)
    prompt = prompts.read(command.inputs(args), stdin=sys.stdin.buffer if sys.stdin else None, directory=Path.cwd())
    if not args.allow_secrets:
        named = " ".join(str(value) for value in (args.model, *args.fallback, *sum(args.option, [])))
        screen.refuse(screen.scan((*prompt.parts, screen.Part("the options", named)), console.secrets))
    return prompt


def _plans(args: argparse.Namespace, prompt: Prompt, chooser: Chooser, rules: Policy, console: Console) -> list[Plan]:
    """The model's plan, then each fallback's. Of several, one that cannot be reached, or that the prompt does not fit,
    is left out, and said; a dry run tells of it."""
    plans: list[Plan] = []
    left_out: list[Fault] = []
    for name in (_asked_for(args), *args.fallback):
        try:
            plans.append(_plan(args, chooser.choose(name), prompt, chooser, rules))
        except (NotSetUp, PromptTooLong) as fault:
            left_out.append(fault)
            if args.fallback:
                console.note(f"warning: {name or 'the default model'} left out: {fault.message}")
    if not plans:
        raise left_out[0]
    for planned in plans:
        _announce(planned, console)
    return plans


def _plan(args: argparse.Namespace, choice: Choice, prompt: Prompt, chooser: Chooser, rules: Policy) -> Plan:
    if choice.access.provider.name != providers.DEMO:
        for name in {choice.model.id, choice.model.id.replace("/responses/", "/")}:  # one model under two names
            rules.check(name, choice.access.host)
    if choice.access.missing and not args.dry_run:
        raise choice.access.missing
    return plan.make(with_window(choice), prompt, command.generation(args), chooser, args.max_cost)


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


def _show_plans(plans: Sequence[Plan], prompt: Prompt, console: Console) -> int:
    for planned in plans:
        if planned.choice.access.missing:
            console.fault(planned.choice.access.missing)
    if console.json:
        first, *others = (report.plan_document(planned, prompt) for planned in plans)
        console.document({**first, "fallbacks": others})
    else:
        console.show("\n".join(report.plan_text(planned, prompt) for planned in plans) + "Nothing was sent.\n")
    return 0


def _check_out(args: argparse.Namespace) -> None:
    if not args.out:
        return
    try:
        status = os.stat(args.out)
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput(f"--out {args.out}: {error.strerror}", "name another file") from error
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"--out {args.out} is not a regular file", "name another file")
    if not args.force:
        raise BadInput(f"--out {args.out} is there already", "name another file, or add --force")


def _ask(args: argparse.Namespace, plans: Sequence[Plan], prompt: Prompt, rules: Policy, console: Console) -> Answer:
    from litellm_skill import gateway

    certificates.refuse_blind_trust(os.environ)
    if any(_may_use_tls(planned.choice) for planned in plans):
        certificates.merge(os.environ)
    questions = [_question(args, planned, prompt) for planned in plans]
    run_id = results.new_run_id()
    file = results.open_file(run_id, os.environ) if rules.history else None
    transcript = results.Transcript(file, console.secrets, console.show if console.streams else lambda _: None)
    listener = gateway.Listener(transcript.add, console.note, console.redact)
    answer = None
    try:
        answer = gateway.run(gateway.ask(questions, _patience(args, plans), listener))
    finally:
        cut = answer is None or answer.fault is not None
        path = transcript.close(cut=cut)
    if cut:
        answer = replace(answer, text=redact_cut(answer.text, console.secrets))
    lost = rules.history and not transcript.keeps
    unkept = ["the answer could not be kept in a file: no state directory can be written"] if lost else []
    notes = [line for planned in plans for line in (*planned.choice.warnings, *planned.notes)]
    return replace(answer, run_id=run_id, result_file=path).warned(*notes, *unkept)


def _may_use_tls(choice: Choice) -> bool:
    """Where the address is LiteLLM's to know, it may."""
    plain = (choice.access.endpoint or "").startswith("http:")
    return not plain and choice.access.provider.name != providers.DEMO


def _question(args: argparse.Namespace, planned: Plan, prompt: Prompt) -> Question:
    """A model that thinks first, or that must first be loaded on this machine, may be silent for long before its first
    token; so may one whose wire is not streamed."""
    from litellm_skill import gateway

    model, way = planned.choice.model, planned.choice.access
    slow_start = model.reasoning or way.provider.name in gateway.NOT_STREAMED
    return gateway.Question(
        model,
        way,
        prompt.messages(),
        planned.parameters,
        planned.worst_usd,
        idle=args.idle_timeout or IDLE_TIMEOUT,
        idle_at_first=not way.local and (args.idle_timeout is not None or not slow_start),
    )


def _patience(args: argparse.Namespace, plans: Sequence[Plan]) -> Patience:
    from litellm_skill import gateway

    return gateway.Patience(
        timeout=args.timeout or (LOCAL_TIMEOUT if plans[0].choice.access.local else TIMEOUT),
        retries=args.retries,
        max_usd=args.max_cost,
        strict_parameters=args.strict_params,
    )


def _priced(answer: Answer, plans: Sequence[Plan], chooser: Chooser) -> Answer:
    """The cost as the provider reported it, else by the price table; unknown stays None."""
    asked = answer.attempts[-1].model if answer.attempts else None
    choice = next((planned.choice for planned in plans if planned.choice.model.id == asked), plans[0].choice)
    if choice.access.provider.name == providers.DEMO:
        return replace(answer, cost_usd=0.0, cost_source=providers.DEMO)
    if answer.cost_usd is not None:
        return answer
    served = (
        None if choice.model.id in chooser.catalog.stated_by_user else chooser.catalog.find(answer.model_used or "")
    )
    model = served or choice.model
    cost = chooser.catalog.cost(model, answer.usage)
    source = model.price.source if model.price and cost is not None else None
    return replace(answer, cost_usd=cost, cost_source=source)


def _finish(args: argparse.Namespace, answer: Answer, prompt: Prompt, console: Console) -> int:
    if console.json:
        console.document(envelope(answer, prompt))
    elif console.host:
        console.answer_for_host(answer)
    elif answer.text and not answer.text.endswith("\n"):
        console.show("\n")
    if answer.dropped_params:
        dropped = ", ".join(answer.dropped_params)
        asked = answer.attempts[-1].model if answer.attempts else answer.model_requested
        console.note(f"warning: dropped what {asked} does not take: {dropped}")
    if answer.fault:
        console.fault(answer.fault)
    if args.usage:
        console.note(report.summary(answer))
    return _write_out(args, answer, console) or answer.exit_code


def _write_out(args: argparse.Namespace, answer: Answer, console: Console) -> int:
    """0, or the exit code of bad input: by now the answer has been printed, so nothing is lost."""
    if not args.out or not answer.text:
        return 0
    try:
        with open(args.out, "w" if args.force else "x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(console.redact(answer.text))
    except OSError as error:
        fault = BadInput(f"cannot write --out {args.out}: {error.strerror}", f"the answer is in {answer.result_file}")
        console.fault(fault)
        return fault.exit_code
    return 0
