"""Texts to vectors: from the command line to the printed lines."""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from litellm_skill import catalog as models
from litellm_skill import (
    certificates,
    embedding_models,
    harvest,
    ledger,
    meter,
    policy,
    providers,
    ratelimits,
    report,
    screen,
)
from litellm_skill import settings as settings_
from litellm_skill import texts as texts_
from litellm_skill.answer import Usage, error_object
from litellm_skill.catalog import Catalog
from litellm_skill.console import Console
from litellm_skill.embedding_models import DEMO_MODEL, Choice
from litellm_skill.faults import BadInput, Fault
from litellm_skill.harvest import Harvest, Row
from litellm_skill.meter import Meter
from litellm_skill.policy import Policy
from litellm_skill.ratelimits import RateLimit
from litellm_skill.settings import Settings
from litellm_skill.texts import Sources, Text

if TYPE_CHECKING:
    from litellm_skill.gateway import Embedder, End

TIMEOUT, LOCAL_TIMEOUT = 100.0, 600.0  # seconds; the first is below the hosts' 120
CONCURRENCY, LOCAL_CONCURRENCY = 4, 1
DEMO_NOTE = "demo: no model was called"


def many(args: argparse.Namespace, at_hand: Settings, console: Console) -> int:
    """The exit code of the whole command."""
    for ignored in at_hand.unread:
        console.note(f"warning: {ignored.reason}")
    rules = policy.load(os.environ)
    _check(args, rules, console)
    catalog = models.load(settings_.user_directory(os.environ) / "models.toml")
    choice = embedding_models.choose(_asked_for(args), at_hand, catalog, date.today())
    is_demo = choice.access.provider.name == providers.DEMO
    if not is_demo:
        rules.check(choice.model.id, choice.access.host)
    if choice.access.missing and not args.dry_run:
        raise choice.access.missing
    limit = ratelimits.limit_for(choice.model, at_hand, meter.RPM, meter.TPM)
    call = _Call(args, embedding_models.with_window(choice), catalog, at_hand, limit, console, is_demo)
    return call.show() if args.dry_run else call.make()


def _check(args: argparse.Namespace, rules: Policy, console: Console) -> None:
    """Raises Forbidden, SecretFound and BadInput for what the command line alone shows."""
    wanted = ["--allow-secrets"] * args.allow_secrets + ["--allow-path"] * bool(args.allow_path)
    rules.check_overrides(console.host.name if console.host else None, wanted)
    if args.top is not None and args.similar is None:
        raise BadInput("--top is for --similar", "add --similar QUERY, or leave --top out")
    if args.similar is not None and not args.similar.strip():
        raise BadInput("--similar is empty", "give the text to compare with")
    if not args.allow_secrets:
        named = " ".join(filter(None, (args.model, args.similar)))
        screen.refuse(screen.scan([screen.Part("the options", named)], console.secrets))


def _asked_for(args: argparse.Namespace) -> str | None:
    if args.demo and args.model and args.model.split("/", 1)[0] != providers.DEMO:
        raise BadInput(f"--demo and -m {args.model} exclude each other", "leave one of them out")
    return DEMO_MODEL if args.demo and args.model is None else args.model


@dataclass(frozen=True)
class _Call:
    """One command, and all that it needs."""

    args: argparse.Namespace
    choice: Choice
    catalog: Catalog
    settings: Settings
    limit: RateLimit | None
    console: Console
    is_demo: bool

    @property
    def timeout(self) -> float:
        """Seconds for everything."""
        return self.args.timeout or (LOCAL_TIMEOUT if self.choice.access.local else TIMEOUT)

    def show(self) -> int:
        """What would be sent where."""
        if self.choice.access.missing:
            self.console.fault(self.choice.access.missing)
        plan = self._plan()
        if self.console.json:
            self.console.document(plan)
        else:
            self.console.show(_plan_text(plan))
        return 0

    def make(self) -> int:
        self._announce()
        budget = ledger.budget(self.settings)
        certificates.refuse_blind_trust(os.environ)
        if not self.is_demo and not (self.choice.access.endpoint or "").startswith("http:"):
            certificates.merge(os.environ)
        settings_.export(self.settings)
        began = time.monotonic()
        with closing(Meter(self.choice.model, self.limit, budget, os.environ, self.console.note)) as counter:
            return self._run(counter, began)

    def _run(self, counter: Meter, began: float) -> int:
        from litellm_skill import gateway

        query = self._query()
        out = _open_out(self.args)
        try:
            lines = None if self.args.json and not out else lambda row: self._print(row, out)
            came = Harvest(None if query else lines, query, self.is_demo)
            end = gateway.run(gateway.embed(self._embedder(counter), self._batches(query), came.take))
            return self._finish(came, end, out, round(time.monotonic() - began, 3))
        finally:
            if out:
                _close_out(out, self.args)

    def _query(self) -> Text | None:
        return texts_.one("query", self.args.similar, "--similar") if self.args.similar is not None else None

    def _batches(self, query: Text | None) -> Iterator[tuple[Text, ...]]:
        """The query by itself, for without its vector nothing can be compared."""
        if query:
            yield (query,)
        tokens = self.limit.tpm if self.limit else None
        yield from texts_.batches(self._texts(), self.args.batch_size, self.choice.model.id, tokens)

    def _texts(self) -> Iterator[Text]:
        args = self.args
        sources = Sources(
            arguments=args.text,
            files=args.file,
            jsonl=args.jsonl,
            allow_paths=args.allow_path,
            secrets=None if args.allow_secrets else self.console.secrets,
            until=time.monotonic() + self.timeout,
        )
        return texts_.read(sources, sys.stdin.buffer if sys.stdin else None, Path.cwd())

    def _embedder(self, counter: Meter) -> Embedder:
        from litellm_skill import gateway

        usual = LOCAL_CONCURRENCY if self.choice.access.local else CONCURRENCY
        return gateway.Embedder(
            self.choice.model,
            self.choice.access,
            dimensions=self.args.dimensions,
            concurrency=self.args.concurrency or usual,
            timeout=self.timeout,
            retries=self.args.retries,
            max_usd=self.args.max_cost,
            worst_usd=self._usd,
            admit=counter.admit,
            reserve=counter.reserve,
            note=self.console.note,
            redact=self.console.redact,
        )

    def _usd(self, tokens: int) -> float | None:
        return 0.0 if self.is_demo else self.catalog.estimate(self.choice.model, tokens, 0)

    def _announce(self) -> None:
        choice = self.choice
        if choice.why:
            self.console.note(f"model: {choice.model.id} at {choice.access.host} ({choice.why})")
        for line in choice.access.warnings:
            self.console.note(f"warning: {line}")
        if self.is_demo:
            self.console.note(DEMO_NOTE)

    def _print(self, row: Row, out: TextIO | None) -> None:
        line = harvest.written(row) + "\n"
        if not out:
            self.console.show(line)
            return
        try:
            out.write(self.console.redact(line))
            out.flush()
        except OSError as error:
            what = f"cannot write --out {self.args.out}: {error.strerror}"
            raise BadInput(what, "what is in it by now is whole but for its last line") from error

    def _finish(self, came: Harvest, end: End, out: TextIO | None, seconds: float) -> int:
        fault = came.fault or end.fault
        for line in end.warnings:
            self.console.note(f"warning: {line}")
        ranking = came.ranking(self.args.top) if came.query else None
        if out or not self.console.json:
            for row in ranking or ():
                self._print(row, out)
        if self.console.json:
            document = self._document(came, end, fault, seconds)
            document |= {"result_file": self.args.out} if out else _rows(came, ranking)
            self.console.show(harvest.written(screen.redact_values(document, self.console.secrets)) + "\n")
        if fault:
            self.console.fault(fault)
            self._tell_missing(came, end)
        if self.args.usage:
            self.console.note(self._summary(came, seconds))
        return fault.exit_code if fault else 0

    def _tell_missing(self, came: Harvest, end: End) -> None:
        total = came.done + len(came.missing)
        if came.missing:
            self.console.note(f"missing: {len(came.missing):,} of {total:,} texts: {harvest.named(came.missing)}")
        if end.unread:
            self.console.note(f"not all of the input was read: {total:,} texts were")

    def _document(self, came: Harvest, end: End, fault: Fault | None, seconds: float) -> dict[str, Any]:
        """The document of ``--json``; ``status`` is its first key."""
        choice = self.choice
        cost, source = self._cost(came)
        usage = asdict(Usage(input_tokens=came.tokens if came.done else None))
        return {
            "status": "ok" if fault is None else "partial" if came.done else "error",
            "model_requested": choice.model.id,
            "model_used": self._model_used(came),
            "provider": choice.access.provider.name,
            "endpoint_host": choice.access.host,
            "texts": came.done,
            "dims": came.dimensions,
            "missing": came.missing,
            "usage": usage,
            "cost_usd": cost,
            "cost_source": source,
            "latency_s": seconds,
            "attempts": [asdict(attempt) for attempt in end.attempts],
            "warnings": [*choice.access.warnings, *end.warnings, *([DEMO_NOTE] if self.is_demo else [])],
            "error": error_object(fault) if fault else None,
        }

    def _model_used(self, came: Harvest) -> str | None:
        """By the name in the reply, in the provider's namespace."""
        provider, name = self.choice.model.id.split("/", 1)
        if came.dimensions is None:
            return None
        return self.choice.model.id if came.model in (None, "", name) else f"{provider}/{came.model}"

    def _cost(self, came: Harvest) -> tuple[float | None, str | None]:
        """As the provider reported it, else by the price table; unknown stays None."""
        if self.is_demo:
            return 0.0, providers.DEMO
        if came.dimensions is None:
            return None, None
        if came.provider_usd is not None:
            return came.provider_usd, "provider"
        cost = self.catalog.cost(self.choice.model, Usage(input_tokens=came.tokens))
        return cost, self.choice.model.price.source if self.choice.model.price and cost is not None else None

    def _summary(self, came: Harvest, seconds: float) -> str:
        """One line: model, host, texts, tokens, cost, time."""
        cost, source = self._cost(came)
        where = f" at {self.choice.access.host}" if self.choice.access.host else ""
        tokens = "tokens unknown" if came.tokens is None or not came.done else f"{came.tokens} tokens"
        paid = f"{report.money(cost)} ({source})" if cost is not None else "cost unknown"
        dimensions = f" of {came.dimensions} dimensions" if came.dimensions else ""
        model = self._model_used(came) or self.choice.model.id
        return f"{model}{where}: {came.done:,} texts{dimensions}, {tokens}, {paid}, {seconds:.1f} s"

    def _plan(self) -> dict[str, Any]:
        """Counts what would be sent; tokens and cost (USD) are estimates, the cost None where the price is unknown."""
        choice, count, characters, tokens, requests = self.choice, 0, 0, 0, 0
        for batch in self._batches(self._query()):
            requests += 1
            count += len(batch)
            characters += sum(len(text.text) for text in batch)
            tokens += sum(text.tokens for text in batch)
        return {
            "status": "dry_run",
            "model_requested": choice.model.id,
            "provider": choice.access.provider.name,
            "endpoint_host": choice.access.host,
            "key": choice.access.key_name,
            "would_send": {"texts": count, "characters": characters, "requests": requests},
            "tokens": tokens,
            "likely_usd": self._usd(tokens),
            "warnings": list(choice.access.warnings),
            "missing": choice.access.missing.message if choice.access.missing else None,
        }


def _rows(came: Harvest, ranking: Sequence[Row] | None) -> dict[str, Any]:
    return {"embeddings": came.rows} if ranking is None else {"ranking": list(ranking)}


def _plan_text(plan: dict[str, Any]) -> str:
    sent, usd = plan["would_send"], plan["likely_usd"]
    key = f"key: {plan['key']}" if plan["key"] else "no key"
    lines = [
        f"model     {plan['model_requested']}",
        f"where     {plan['endpoint_host']} ({key})",
        f"texts     {sent['texts']:,} in {sent['requests']:,} requests, {sent['characters']:,} characters, "
        f"about {plan['tokens']:,} tokens",
        f"cost      likely {'unknown' if usd is None else report.money(usd)}",
    ]
    return "\n".join(lines) + "\nNothing was sent.\n"


def _open_out(args: argparse.Namespace) -> TextIO | None:
    """Opened before anything is sent, for what has been paid must not be lost. Raises BadInput."""
    if not args.out:
        return None
    try:
        if os.path.exists(args.out) and not stat.S_ISREG(os.stat(args.out).st_mode):
            raise BadInput(f"--out {args.out} is not a regular file", "name another file")
        return open(args.out, "w" if args.force else "x", encoding="utf-8")
    except FileExistsError as error:
        raise BadInput(f"--out {args.out} is there already", "name another file, or add --force") from error
    except OSError as error:
        raise BadInput(f"--out {args.out}: {error.strerror}", "name another file") from error


def _close_out(out: TextIO, args: argparse.Namespace) -> None:
    """A file into which nothing came is not left behind."""
    with contextlib.suppress(OSError):  # it has been told by then
        out.close()
    with contextlib.suppress(FileNotFoundError):  # somebody else has removed it
        if not os.path.getsize(args.out):
            os.unlink(args.out)
