"""What the command line names, read and checked before anybody is asked; and what there is to choose from."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from litellm_skill import catalog as models
from litellm_skill import command, deployments, journal, policy, screen, structure, tools
from litellm_skill import prompt as prompts
from litellm_skill import settings as settings_
from litellm_skill.choice import Chooser
from litellm_skill.console import Console
from litellm_skill.faults import BadInput
from litellm_skill.policy import Policy
from litellm_skill.prompt import Prompt
from litellm_skill.settings import Settings
from litellm_skill.structure import Schema
from litellm_skill.tools import Tool


@dataclass(frozen=True)
class Extras:
    """What is sent beside the messages: tools that are only offered, and the schema of the answer."""

    tools: tuple[Tool, ...] = ()
    schema: Schema | None = None

    @property
    def text(self) -> str:
        rows = [tool.as_message() for tool in self.tools]
        return "\n".join([*([json.dumps(rows)] if rows else []), *([self.schema.text] if self.schema else [])])


@dataclass(frozen=True)
class Surroundings:
    """``keeps``: whether what is asked and answered may be kept. ``console`` also hides the keys of deployments."""

    rules: Policy
    chooser: Chooser
    console: Console
    keeps: bool


def look_around(args: argparse.Namespace, at_hand: Settings, console: Console) -> Surroundings:
    """Raises Forbidden or BadInput when a file of the user's cannot be relied on."""
    rules = policy.load(os.environ)
    groups = deployments.read(Path(args.config) if args.config else None, at_hand, os.environ)
    known = models.load(settings_.user_directory(os.environ) / "models.toml")
    unread = (ignored.reason for ignored in at_hand.unread)
    for warning in (*unread, *groups.warnings, *known.table.warnings):
        console.note(f"warning: {warning}")
    chooser = Chooser(at_hand, known, console.host, date.today(), groups, through_proxy=not args.no_proxy)
    hidden = replace(console, secrets=(*console.secrets, *groups.secrets))
    return Surroundings(rules, chooser, hidden, rules.history and not args.no_save and journal.wanted(at_hand))


def read(args: argparse.Namespace, rules: Policy, console: Console) -> tuple[Prompt, Extras]:
    """Raises SecretFound before a file that must not be sent is opened, and when what was read holds a secret."""
    wanted = ["--allow-secrets"] * args.allow_secrets + ["--allow-path"] * bool(args.allow_path)
    rules.check_overrides(console.host.name if console.host else None, wanted)
    prompt = prompts.read(command.inputs(args), stdin=sys.stdin.buffer if sys.stdin else None, directory=Path.cwd())
    extras = _extras(args)
    if not args.allow_secrets:
        given = (vars(args).get(name) for name in ("model", "fallback", "models", "judge", "synthesize", "option"))
        named = json.dumps([value for value in given if value], ensure_ascii=False)
        beside = screen.Part("the options", named), screen.Part("the tools and the schema", extras.text)
        screen.refuse(screen.scan((*prompt.parts, *beside), console.secrets))
    for warning in prompt.warnings:
        console.note(f"warning: {warning}")
    return prompt, extras


def _extras(args: argparse.Namespace) -> Extras:
    if args.functions and args.tools:
        raise BadInput("--functions and --tools exclude each other", "leave one of them out")
    offered = tools.bare(args.tools) if args.tools else []
    schema = structure.read_schema(args.schema, Path.cwd(), tuple(args.allow_path)) if args.schema else None
    return Extras(tuple(offered), schema)
