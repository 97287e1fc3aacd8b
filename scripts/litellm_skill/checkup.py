"""doctor.py: what works from here, what does not, and what mends it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from litellm_skill import access, catalog, check, credentials, policy, reachability, settings, upkeep
from litellm_skill.catalog import Catalog
from litellm_skill.check import ERROR, OK, WARNING, Check
from litellm_skill.choice import Chooser
from litellm_skill.console import Console
from litellm_skill.endpoints import PROXY
from litellm_skill.faults import BadInput, Fault, Forbidden, Interrupted, NotSetUp
from litellm_skill.host import Host
from litellm_skill.policy import Policy
from litellm_skill.settings import Settings

# What each host's limits mean here, as measured on the versions that host.py names.
LIMITS = {
    "Claude Code": "after 120 s it moves a command to the background; of more than 30,000 characters it shows 2 KB",
    "Codex": "a command is polled, and killed when codex exec ends: wait for answers before that",
    "OpenCode": "it ends a command after 120 s, does not show the exit code, and keeps the end of a long output",
    "Gemini CLI": "it ends a command that is silent for 300 s, and refuses $(…) and backticks outside single quotes",
}


def add_flags(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("what to check")
    group.add_argument("--ping", action="store_true", help="make one tiny call a provider; says first what it may cost")
    group.add_argument("--no-endpoints", action="store_true", help="ask no server at all")
    group.add_argument("--env-file", metavar="F", help="read this .env and no other")
    group.add_argument(
        "--warm", choices=("start", "stop", "status"), help="only the warm worker: start it, stop it, or tell of it"
    )
    group.add_argument("--begun", help=argparse.SUPPRESS)
    shown = flags.add_argument_group("what to print")
    shown.add_argument("--json", action="store_true", help="one JSON document on stdout")
    shown.add_argument("-q", "--quiet", action="store_true", help="no notes on stderr, and no lines of what is well")
    shown.add_argument("-v", "--verbose", action="store_true", help="tracebacks")


def one(
    examine: Callable[[], list[list[str]]],
    warm_worker: Callable[[str], list[str]],
    args: argparse.Namespace,
    at_hand: Settings,
    console: Console,
) -> int:
    """The exit code of the whole command: 0, or 3 when something must be mended. ``examine``: the first stage, which
    has been done before where another Python began. ``warm_worker``: what ``--warm`` is for."""
    if args.warm:
        done = Check(*warm_worker(args.warm))
        _print([done], console)
        return NotSetUp.exit_code if done.status == ERROR else 0
    first = [Check(*row) for row in (_begun(args.begun) if args.begun else examine())]
    examined = _Examination(args, at_hand, console, _network(first))
    found = [*first, *examined.checks()]
    _print(found, console)
    return NotSetUp.exit_code if any(one.status == ERROR for one in found) else 0


def _begun(text: str) -> list[list[str]]:
    try:
        rows: list[list[str]] = json.loads(text)
        if all(len(row) == 4 and all(isinstance(part, str) for part in row) for row in rows):
            return rows
    except (ValueError, TypeError):
        pass
    raise BadInput("--begun is doctor.py's own", "leave it out")


def _network(first: Sequence[Check]) -> bool:
    return not any(one.subject == "network" and one.status == ERROR for one in first)


@dataclass(frozen=True)
class _Examination:
    """What is asked for, and what there is. ``network``: whether one may be used."""

    args: argparse.Namespace
    settings: Settings
    console: Console
    network: bool

    def checks(self) -> Iterator[Check]:
        known, broken = _catalog()
        names = credentials.provider_names(self.settings, _all_providers(known))
        yield _host(self.console.host)
        yield from upkeep.env_files(self.settings, os.environ)
        yield from credentials.checks(names, self.settings, self.console.host)
        rules, ruled = _policy()
        yield ruled
        yield from upkeep.trust(os.environ)
        yield from upkeep.history(self.settings, os.environ, permitted=rules is not None and rules.history)
        yield from broken
        if known:
            yield from upkeep.models(known, _models_file(), date.today())
        yield from upkeep.groups(self.settings, os.environ)
        answered = self._servers(names, rules)
        yield from answered
        if known:
            yield from self._calls(names, known, rules, local=reachability.serves_models(answered))

    def _servers(self, names: Sequence[str], rules: Policy | None) -> list[Check]:
        if self.args.no_endpoints or not self.network or rules is None:
            return []
        return reachability.checks(names, self.settings, rules)

    def _calls(self, names: Sequence[str], known: Catalog, rules: Policy | None, *, local: bool) -> Iterator[Check]:
        """Who would be asked; and is, with --ping."""
        usable = credentials.usable_names(self.settings, names)
        if (
            not usable
            and not local
            and not access.usable(PROXY, self.settings)
            and not self.settings.find("LLM_MODEL", "LLM_PROVIDER")
        ):
            yield _nothing_configured(asked=not self.args.no_endpoints)
            return
        asks = not self.args.no_endpoints and self.network
        chooser = Chooser(self.settings, known, self.console.host, date.today(), through_proxy=asks)
        if asks or self._default_is_known(usable):
            yield _default(chooser)
        if self.args.ping and rules is not None and self.network:
            from litellm_skill import ping

            direct = replace(chooser, through_proxy=False)
            try:
                yield from ping.checks(usable, direct, rules, self.console)
            except Interrupted:
                raise
            except Fault as fault:
                yield check.of_fault("ping", fault)

    def _default_is_known(self, usable: Sequence[str]) -> bool:
        """Without asking a server."""
        if named := access.profile_model(self.settings):
            return "/" in named
        return bool(usable) or self.settings.get("LLM_PROVIDER") not in (None, PROXY)


def _catalog() -> tuple[Catalog | None, list[Check]]:
    try:
        return catalog.load(_models_file()), []
    except Fault as fault:
        return None, [check.of_fault("models", fault)]


def _models_file() -> Path:
    return settings.user_directory(os.environ) / "models.toml"


def _all_providers(known: Catalog | None) -> list[str]:
    return [id.partition("/")[0] for id in known.table.rows] if known else []


def _policy() -> tuple[Policy | None, Check]:
    try:
        return policy.load(os.environ), upkeep.rules(os.environ)
    except Forbidden:
        return None, upkeep.rules(os.environ)


def _host(host: Host | None) -> Check:
    if host is None:
        return Check("host", OK, "no agent runs this command")
    runs = f"which runs a model of {host.vendor}" if host.vendor else "whose model is not known"
    return Check("host", OK, "; ".join(filter(None, (f"{host.name}, {runs}", LIMITS.get(host.name)))))


def _default(chooser: Chooser) -> Check:
    try:
        choice = chooser.choose(None)
    except Fault as fault:
        return check.of_fault("default model", fault)
    if choice.access.missing:
        return check.of_fault("default model", choice.access.missing)
    what = f"{choice.model.id} at {choice.access.host or credentials.REGIONAL} ({choice.why})"
    if choice.warnings:
        return Check("default model", WARNING, "; ".join((what, *choice.warnings)), "name another: LLM_MODEL or -m")
    return Check("default model", OK, what)


def _nothing_configured(*, asked: bool) -> Check:
    """A walk-through: a key, where to put it, what to try."""
    below = settings.env_files_below(Path.cwd())
    hint = f" ({below[0].relative_to(Path.cwd())} is there: --env-file reads it)" if below else ""
    server = "and no local server has a model" if asked else "and no server was asked"
    file = settings.user_directory(os.environ) / ".env"
    call = shlex.quote(str(Path(sys.argv[0]).resolve().with_name("call_model.py")))
    steps = (
        "1. get a key, at https://platform.openai.com/api-keys say (or install Ollama; to try without either: --demo)",
        f"2. write the line OPENAI_API_KEY=… into {file}, which only you can read (chmod 600)",
        f'3. try it: python3 {call} "Say hello" -m openai:cheap',
    )
    return Check(
        "models", ERROR, f"nothing is configured yet: no provider's key is set, {server}{hint}", "\n".join(steps)
    )


def _print(found: Sequence[Check], console: Console) -> None:
    if console.json:
        status = ERROR if any(one.status == ERROR for one in found) else OK
        console.document({"status": status, "checks": [dict(one.document) for one in found]})
        return
    shown = [one for one in found if not (console.quiet and one.status == OK)]
    console.show("".join(f"{one.text}\n" for one in shown))
