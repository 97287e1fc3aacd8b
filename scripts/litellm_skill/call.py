"""One prompt to one model: from the command line to the printed answer."""

from __future__ import annotations

import argparse
import os
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
from litellm_skill.choice import Chooser
from litellm_skill.console import Console
from litellm_skill.faults import BadInput
from litellm_skill.plan import Plan
from litellm_skill.policy import Policy
from litellm_skill.prompt import Prompt
from litellm_skill.settings import Settings

if TYPE_CHECKING:
    from litellm_skill.gateway import Patience

TIMEOUT, LOCAL_TIMEOUT, IDLE_TIMEOUT = 100.0, 600.0, 60.0  # seconds; the first is below the hosts' 120


def one(args: argparse.Namespace, at_hand: Settings, console: Console) -> int:
    """The exit code of the whole command."""
    rules = policy.load(os.environ)
    prompt = _read_prompt(args, rules, console)
    user_models = settings.user_directory(os.environ) / "models.toml"
    chooser = Chooser(at_hand, models.load(user_models), console.host, date.today())
    plans = _plans(args, prompt, chooser, rules, console)
    if args.dry_run:
        return _show_plan(plans[0], prompt, console)
    if missing := plans[0].choice.access.missing:
        raise missing
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
        screen.refuse(screen.scan(prompt.parts, console.secrets))
    return prompt


def _plans(args: argparse.Namespace, prompt: Prompt, chooser: Chooser, rules: Policy, console: Console) -> list[Plan]:
    """The model's plan, then each fallback's; a fallback that cannot be reached is left out, and said."""
    wanted = command.generation(args)
    plans: list[Plan] = []
    for name in (_asked_for(args), *args.fallback):
        choice = chooser.choose(name)
        if choice.access.provider.name != providers.DEMO:
            rules.check(choice.model.id, choice.access.host)
        if plans and choice.access.missing:
            console.note(f"warning: fallback {name} left out: {choice.access.missing.message}")
            continue
        plans.append(plan.make(choice, prompt, wanted, chooser, args.max_cost))
        _announce(plans[-1], console)
    return plans


def _asked_for(args: argparse.Namespace) -> str | None:
    if args.demo and args.model and not args.model.startswith("demo/"):
        raise BadInput(f"--demo and -m {args.model} exclude each other", "leave one of them out")
    return args.model or (demo.MODEL if args.demo else None)


def _announce(planned: Plan, console: Console) -> None:
    choice = planned.choice
    if choice.why:
        cost = f"likely about {report.money(planned.likely_usd)}" if planned.likely_usd is not None else "price unknown"
        console.note(f"model: {choice.model.id} at {choice.access.host} ({choice.why}); {cost}")
    for line in (*choice.warnings, *planned.notes):
        console.note(f"warning: {line}")


def _show_plan(planned: Plan, prompt: Prompt, console: Console) -> int:
    missing = planned.choice.access.missing
    if missing:
        console.fault(missing)
    if console.json:
        console.document(report.plan_document(planned, prompt))
    else:
        console.show(report.plan_text(planned, prompt))
    return 0


def _check_out(args: argparse.Namespace) -> None:
    if args.out and Path(args.out).exists() and not args.force:
        raise BadInput(f"--out {args.out} is there already", "name another file, or add --force")


def _ask(args: argparse.Namespace, plans: Sequence[Plan], prompt: Prompt, rules: Policy, console: Console) -> Answer:
    from litellm_skill import gateway

    certificates.refuse_blind_trust(os.environ)
    if any((planned.choice.access.endpoint or "").startswith("https:") for planned in plans):
        certificates.merge(os.environ)
    questions = [
        gateway.Question(
            planned.choice.model, planned.choice.access, prompt.messages(), planned.parameters, planned.worst_usd
        )
        for planned in plans
    ]
    run_id = results.new_run_id()
    file = results.open_file(run_id, os.environ) if rules.history else None
    transcript = results.Transcript(file, console.secrets, console.show if console.streams else lambda _: None)
    listener = gateway.Listener(transcript.add, console.note, console.redact)
    try:
        answer = gateway.run(gateway.ask(questions, _patience(args, plans[0]), listener))
    finally:
        path = transcript.close()
    unkept = (
        ()
        if transcript.keeps or not rules.history
        else ("the answer could not be kept in a file: no state directory can be written",)
    )
    notes = [line for planned in plans for line in (*planned.choice.warnings, *planned.notes)]
    return replace(answer, run_id=run_id, result_file=path).warned(*notes, *unkept)


def _patience(args: argparse.Namespace, planned: Plan) -> Patience:
    """A model that thinks first, or that must first be loaded on this machine, may be silent for long before its first
    token; so may one whose wire is not streamed."""
    from litellm_skill import gateway

    local = planned.choice.access.local
    slow_start = local or planned.choice.model.reasoning or planned.choice.access.provider.name in gateway.NOT_STREAMED
    return gateway.Patience(
        timeout=args.timeout or (LOCAL_TIMEOUT if local else TIMEOUT),
        idle=args.idle_timeout or IDLE_TIMEOUT,
        idle_at_first=not local and (args.idle_timeout is not None or not slow_start),
        retries=args.retries,
        max_usd=args.max_cost,
        strict_parameters=args.strict_params,
    )


def _priced(answer: Answer, plans: Sequence[Plan], chooser: Chooser) -> Answer:
    """The cost as the provider reported it, else by the price table; unknown stays None."""
    asked = answer.attempts[-1].model if answer.attempts else None
    choice = next((planned.choice for planned in plans if planned.choice.model.id == asked), plans[0].choice)
    if free := choice.access.free:
        return replace(answer, cost_usd=0.0, cost_source=free)
    if answer.cost_usd is not None:
        return answer
    model = chooser.catalog.find(answer.model_used or "") or choice.model
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
        console.note(f"warning: dropped what {answer.model_requested} does not take: {dropped}")
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
        text = console.redact(answer.text)
        Path(args.out).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        fault = BadInput(f"cannot write --out {args.out}: {error.strerror}", f"the answer is in {answer.result_file}")
        console.fault(fault)
        return fault.exit_code
    return 0
