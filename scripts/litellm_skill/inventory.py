"""Which models can be called from here: gathered from the catalogue, the local servers and the LiteLLM proxy."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from litellm_skill import access, catalog, download, endpoints, listing, policy, providers, report, settings
from litellm_skill.access import Access
from litellm_skill.catalog import Catalog, Model
from litellm_skill.choice import Choice, Chooser
from litellm_skill.console import Console
from litellm_skill.endpoints import PROXY, Served
from litellm_skill.faults import Fault, Forbidden, NotSetUp, UnknownModel
from litellm_skill.listing import Default, Listing, Prices, Row, Wanted
from litellm_skill.policy import Policy
from litellm_skill.settings import Settings

_FILTERS = ("query", "can", "min_context", "max_price")


def add_flags(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("which models")
    group.add_argument("--query", metavar="TERM", help="whose id has these words")
    group.add_argument(
        "--can", type=_abilities, action="extend", default=[], metavar="LIST", help="of " + ",".join(listing.KINDS)
    )
    group.add_argument("--min-context", type=_tokens, metavar="N", help="window in tokens: 200000, 200k, 1M")
    group.add_argument("--max-price", type=_price, metavar="USD", help="per million tokens, input and output")
    group.add_argument("--all", action="store_true", help="every model that is known, not only what you can call now")
    group.add_argument("--no-endpoints", action="store_true", help="ask no local server and no LiteLLM proxy")
    group.add_argument("--refresh", action="store_true", help="first fetch the newest prices, and OpenRouter's list")
    group.add_argument("--env-file", metavar="F", help="read this .env and no other")
    shown = flags.add_argument_group("what to print")
    shown.add_argument("--json", action="store_true", help="one JSON document on stdout")
    shown.add_argument("-q", "--quiet", action="store_true", help="no notes on stderr")
    shown.add_argument("-v", "--verbose", action="store_true", help="tracebacks")


def _abilities(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",")]
    if unknown := [name for name in names if name not in listing.KINDS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(listing.KINDS)}")
    return names


def _tokens(text: str) -> int:
    number, unit = (text[:-1], text[-1]) if text[-1:] in ("k", "M") else (text, "")
    if not (number.isascii() and number.isdecimal()) or len(number) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of tokens (200000, 200k, 1M)")
    return int(number) * {"": 1, "k": 1000, "M": 1_000_000}[unit]


def _price(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount in USD, 0 or more")
    return number


def one(args: argparse.Namespace, at_hand: Settings, console: Console) -> int:
    """The exit code of the whole command."""
    for ignored in at_hand.unread:
        console.note(f"warning: {ignored.reason}")
    rules = policy.load(os.environ)
    settings.export(at_hand)
    if args.refresh:
        from litellm_skill import refresh

        refresh.refresh(at_hand)
    known = catalog.load(settings.user_directory(os.environ) / "models.toml")
    chooser = Chooser(at_hand, known, console.host, date.today(), through_proxy=False)
    survey = Survey(chooser, rules, everything=args.all)
    found, total = survey.listing(_wanted(args), ask=not args.no_endpoints)
    for line in found.warnings:
        console.note(f"warning: {line}")
    if not found.rows:
        console.note(_nothing(args, total))
    _print(found, console)
    return 0


def _wanted(args: argparse.Namespace) -> Wanted:
    price = math.inf if args.max_price is None else args.max_price
    return Wanted(args.query or "", tuple(args.can), args.min_context or 0, price)


def _nothing(args: argparse.Namespace, total: int) -> str:
    """What would widen an empty list."""
    if not total:
        return "nothing can be called from here (no usable key, no server that answers): --all lists every known model"
    used = [f"--{name.replace('_', '-')}" for name in _FILTERS if getattr(args, name) not in (None, [])]
    wider = "" if args.all else ", or add --all for what needs a key that is not set"
    return f"none of {total:,} models matches: leave out one of {', '.join(used)}{wider}"


def _print(found: Listing, console: Console) -> None:
    if console.json:
        console.document(listing.document(found))
        return
    if found.rows:
        console.show(listing.text(found, report.HOST_LIMIT - 200 if console.host else math.inf))


@dataclass(frozen=True)
class Survey:
    """What there is to gather from. ``everything``: also what cannot be called from here."""

    chooser: Chooser
    rules: Policy
    everything: bool

    def listing(self, wanted: Wanted, *, ask: bool) -> tuple[Listing, int]:
        """The list, and of how many models it is the wanted part."""
        warnings = list(self.known.table.warnings)
        hosts = self._hosts(warnings)
        rows = {row.id: row for row in self._known_rows(hosts)}
        if ask:
            rows |= {row.id: row for row in self._endpoint_rows(warnings)}
        served = ask and any(row.source == "local server" for row in rows.values())
        default = self._default(warnings) if served or self._needs_no_endpoint(hosts) else None
        if default and (self.everything or not default.access.missing):
            can = not default.access.missing
            rows.setdefault(default.model.id, listing.row(default.model, "settings", callable=can))
        found = Listing(
            listing.select(rows.values(), wanted),
            self._names([f"{vendor}:{role}" for vendor, some in self.known.roles.items() for role in some], rows),
            self._names(self.known.aliases, rows),
            _default(default) if default else None,
            _prices(self.known),
            tuple(warnings),
        )
        return found, len(rows)

    @property
    def known(self) -> Catalog:
        return self.chooser.catalog

    @property
    def settings(self) -> Settings:
        return self.chooser.settings

    def _hosts(self, warnings: list[str]) -> dict[str, str | None]:
        """Each provider that a key is at hand for -> where its calls go, None where that is not known before."""
        hosts: dict[str, str | None] = {}
        ids = (*self.known.table.rows, *self.known.file.models)
        for name in filter(self.chooser.usable, dict.fromkeys(id.partition("/")[0] for id in ids)):
            try:
                way = access.reach(name, self.settings, model=f"{name}/")
            except NotSetUp as fault:
                warnings.append(f"{name} left out: {fault.message}")
                continue
            warnings += [*way.warnings, *_elsewhere(way)]
            hosts[name] = way.host
        warnings += self._unlisted(hosts)
        return hosts

    def _unlisted(self, hosts: Iterable[str]) -> list[str]:
        """A line for each provider that can be called, but of whose models there is no list."""
        listed = {providers.get(name).name for name in hosts}
        others = (name for name, one in providers.table().items() if name not in listed and one.port is None)
        found = [name for name in others if name != PROXY and self.chooser.usable(name)]
        return [f"no list of {name}'s models is at hand: -m {name}/NAME calls any of them" for name in found]

    def _known_rows(self, hosts: Mapping[str, str | None]) -> Iterator[Row]:
        for model in self.known.models_of(lambda name: self.everything or name in hosts):
            can = model.provider in hosts and self._is_live(model) and self._permits(model.id, hosts[model.provider])
            if can or self.everything:
                source = "models.toml" if model.id in self.known.stated_by_user else "catalog"
                yield listing.row(model, source, callable=can)

    def _is_live(self, model: Model) -> bool:
        gone = model.deprecated is not None and model.deprecated <= self.chooser.today
        return not gone or model.id in self.known.stated_by_user

    def _permits(self, id: str, host: str | None) -> bool:
        try:
            self.rules.check(id, host)
        except Forbidden:
            return False
        return True

    def _endpoint_rows(self, warnings: list[str]) -> Iterator[Row]:
        """What the servers that answer serve. One that was asked for and does not answer is named in ``warnings``."""
        names = [name for name in (*endpoints.local_providers(), PROXY) if name != PROXY or self._is_set(name)]
        outcomes = download.together([partial(self._served, name) for name in names])
        for name, outcome in zip(names, outcomes, strict=True):
            if isinstance(outcome, Fault):
                if self._is_set(name):
                    warnings.append("; ".join(filter(None, (f"{name} left out: {outcome.message}", outcome.hint))))
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                rows, said = outcome
                warnings += said
                yield from rows

    def _is_set(self, name: str) -> bool:
        provider = providers.get(name)
        return access.usable(name, self.settings) or self.settings.find(*provider.addresses, *provider.keys) is not None

    def _served(self, name: str) -> tuple[list[Row], list[str]]:
        """Of one server. Raises Fault."""
        way = access.reach(name, self.settings, model=f"{name}/")
        if not self._permits_host(way.host):
            raise Forbidden(f"policy.toml does not permit the host {way.host}")
        found = endpoints.ask_proxy(self.settings) if name == PROXY else self._local(name, way)
        stated = self.known.file.models
        models = [(id in stated and self.known.find(id)) or model for model in found if (id := model.id)]
        said = [] if found else [_serves_nothing(name, way)]
        rows = [_row(model) for model in models if model.mode in catalog.MODES and self._permits(model.id, way.host)]
        return rows, [*way.warnings, *said]

    def _local(self, name: str, way: Access) -> list[Model]:
        until = time.monotonic() + endpoints.PATIENCE_ASKED
        found = [self._of_server(served) for served in endpoints.ask_local(name, self.settings)]
        if name != "ollama":
            return found
        return endpoints.with_ollama_details(found, str(way.endpoint), max(until - time.monotonic(), 0.1))

    def _of_server(self, served: Served) -> Model:
        """As the catalogue knows it, if it does. Whatever a server calls its models, it is data."""
        try:
            model = self.known.resolve(served.id, usable=self.chooser.usable, today=self.chooser.today)
        except UnknownModel:
            model = Model.unlisted(served.id)
        mode = catalog.EMBEDDING if served.embedding else model.mode
        return replace(model, id=served.id, mode=mode, context=served.context or model.context)

    def _permits_host(self, host: str | None) -> bool:
        """By the hosts of policy.toml alone: which models are behind it is what is to be asked."""
        hosts_alone = tuple(replace(file, models=policy.Globs()) for file in self.rules.files)
        return Survey(self.chooser, replace(self.rules, files=hosts_alone), self.everything)._permits("", host)

    def _needs_no_endpoint(self, hosts: Mapping[str, str | None]) -> bool:
        """Whether the default model can be told without asking a local server."""
        if self.settings.find("LLM_MODEL"):
            return True
        if provider := self.settings.get("LLM_PROVIDER"):
            return providers.get(provider).port is None
        return any(vendor in hosts for vendor in self.known.vendor_order)

    def _default(self, warnings: list[str]) -> Choice | None:
        try:
            return self.chooser.choose(None)
        except Fault as fault:
            if self.settings.find("LLM_MODEL", "LLM_PROVIDER"):
                warnings.append(f"no default model: {fault.message}")
            return None

    def _names(self, names: Iterable[str], rows: Container[str]) -> dict[str, str]:
        """What each of them means today, of those that mean a model of the list."""
        meant: dict[str, str] = {}
        for name in names:
            try:
                id = self.known.resolve(name, usable=self.chooser.usable, today=self.chooser.today).id
            except UnknownModel:
                continue
            if id in rows:
                meant[name] = id
        return meant


def _row(model: Model) -> Row:
    """Of a model that a server names. What a proxy says of the price is by its own reckoning."""
    if model.provider == PROXY:
        own = model.price is not None and model.price.source == "user"
        return listing.row(model, "proxy", price_source="user" if own else "proxy")
    return listing.row(model, "local server")


def _elsewhere(way: Access) -> list[str]:
    """A line when calls go to somebody else's server: which of these models it has is not known."""
    if not way.address or not way.provider.address or way.address == way.provider.address:
        return []
    if way.provider.vendor and providers.vendor_of_address(way.address) == way.provider.vendor:
        return []
    return [f"{way.provider.name} is called at {way.host} ({way.address_name}), which may serve other models"]


def _serves_nothing(name: str, way: Access) -> str:
    pull = "; type: ollama pull NAME" if name == "ollama" else ""
    return f"{name} at {way.host} serves no model{pull}"


def _default(choice: Choice) -> Default:
    return Default(choice.model.id, choice.why, choice.access.missing.message if choice.access.missing else None)


def _prices(known: Catalog) -> Prices:
    ages = (known.table.fetched_at, known.table.openrouter_fetched_at)
    return Prices(known.table.bundled, *(None if at is None else max(time.time() - at, 0.0) for at in ages))
