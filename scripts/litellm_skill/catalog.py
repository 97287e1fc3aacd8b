"""Models as data: LiteLLM's price table with models.toml (the shipped one, then the user's) laid over it.

A row becomes a ``Model`` only when asked for. Nothing here knows about keys: ``usable(provider)`` says which
providers can be called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from litellm_skill import modelfile, nearest, price, pricetable
from litellm_skill.answer import Usage
from litellm_skill.faults import BadInput, UnknownModel
from litellm_skill.modelfile import ModelFile
from litellm_skill.price import Price
from litellm_skill.pricetable import PriceTable, Row

Usable = Callable[[str], bool]

ROLES = ("best", "cheap", "reasoning", "code")
EMBEDDING = "embedding"
ABILITIES = ("vision", "tools", "schema", "pdf", "reasoning")  # fields of Model
_CHAT = ("chat", "responses")
MODES = (*_CHAT, EMBEDDING)  # that the scripts call
_SHIPPED = Path(__file__).with_name("models.toml")


@dataclass(frozen=True)
class Model:
    """``id`` as LiteLLM takes it; sizes in tokens; ``None`` is unknown, for prices and abilities too.

    ``rpm``, ``tpm``: requests and tokens a minute that models.toml allows, None where it sets no limit. LiteLLM's
    table has such numbers, too, but those are of some account with some provider, not of the user's.
    ``known``: a row of LiteLLM's table, or models.toml, stands behind it.
    ``behind``: of a LiteLLM proxy's name, the ids that its deployments call.
    """

    id: str
    provider: str
    mode: str = "chat"
    context: int | None = None
    max_output: int | None = None
    price: Price | None = None
    vision: bool | None = None
    tools: bool | None = None
    schema: bool | None = None
    reasoning: bool | None = None
    pdf: bool | None = None
    rpm: int | None = None
    tpm: int | None = None
    deprecated: date | None = None
    known: bool = True
    behind: tuple[str, ...] = ()

    @classmethod
    def unlisted(cls, id: str) -> Model:
        """Of which nothing is known but its id; ``demo/…`` alone is known to exist."""
        provider = id.partition("/")[0]
        return cls(id, provider, known=provider == "demo")


@dataclass(frozen=True)
class _Question:
    name: str
    usable: Usable
    today: date
    strict_names: bool


@dataclass(frozen=True)
class Catalog:
    """``file``: both models.toml, merged. Ids in ``stated_by_user`` are taken at the user's word."""

    table: PriceTable
    file: ModelFile
    stated_by_user: frozenset[str]

    @property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        """Alias -> ids or ``provider:role``, in the order they are tried."""
        return self.file.aliases

    @property
    def roles(self) -> Mapping[str, Mapping[str, str]]:
        """Provider -> role -> id."""
        return self.file.roles

    @property
    def vendor_order(self) -> tuple[str, ...]:
        """Providers in the order they are tried for the default model."""
        return self.file.vendor_order

    def find(self, name: str) -> Model | None:
        """The model behind an exact id, with or without provider; ``None`` when nothing is known of it."""
        return next((model for id in self._ids(name) if (model := self._model(id))), None)

    def served(self, id: str) -> Model:
        """A model of a local server, which names it as it likes: llama.cpp by its path."""
        return self.find(id) or self._bare(id)

    def chat_models(self) -> Iterator[Model]:
        """Every known model that chats, retired ones included."""
        ids = (id for id in self._all_ids() if not _is_template(id))
        return (model for id in ids if (model := self._model(id)) and model.mode in _CHAT)

    def models_of(self, wanted: Usable) -> Iterator[Model]:
        """Every known model that chats or embeds, of the providers ``wanted`` accepts; retired ones included."""
        ids = (id for id in self._all_ids() if not _is_template(id) and wanted(id.partition("/")[0]))
        return (model for id in ids if (model := self._model(id)) and model.mode in MODES)

    def resolve(self, name: str, *, usable: Usable, today: date, strict_names: bool = False) -> Model:
        """The model meant by an id, an alias or ``provider:role``.

        ``strict_names``: the call goes to the vendor's own address, so an unlisted id that differs from a
        live one in nothing but case and punctuation is a slip. Raises UnknownModel naming the nearest ids.
        """
        if not name.isprintable() or " " in name or not all(name.split("/")):
            raise UnknownModel(f"{name!r} is not a model name", "give provider/model, an alias, provider:role")
        ask = _Question(name, usable, today, strict_names)
        if targets := self.aliases.get(name.lower()):
            return _callable_one([self._resolve(replace(ask, name=target)) for target in targets], usable)
        return self._resolve(ask)

    def cost(self, model: Model, usage: Usage) -> float | None:
        """USD for a call by its counted tokens; ``None`` when the price or a needed count is unknown."""
        return price.cost(model.price, usage) if model.price else None

    def estimate(self, model: Model, input_tokens: int, output_tokens: int) -> float | None:
        """USD for a call of that size; ``None`` when the price is unknown."""
        dearer = model.price is not None and (model.price.reasoning_output or 0) > model.price.output
        return self.cost(model, Usage(input_tokens, output_tokens, output_tokens if dearer else None))

    def larger_than(self, tokens: int, usable: Usable, today: date) -> list[Model]:
        """At most three live, callable models whose window takes ``tokens``: roles' first, then by price."""
        return self._some(lambda model: model.context is not None and model.context > tokens, usable, today)

    def able(self, ability: str, usable: Usable, today: date) -> list[Model]:
        """The same of those that have an ability: vision, tools, schema, reasoning or pdf."""
        return self._some(lambda model: getattr(model, ability) is True, usable, today)

    def _some(self, wanted: Callable[[Model], bool], usable: Usable, today: date) -> list[Model]:
        def fits(model: Model) -> bool:
            return wanted(model) and usable(model.provider) and not self._is_retired(model, today)

        fitting = {model.id: model for model in self._chosen() if fits(model)}
        if len(fitting) < 3:
            others = sorted(filter(fits, self.chat_models()), key=_price_for_ordering)
            fitting |= {model.id: model for model in others}
        return list(fitting.values())[:3]

    def _resolve(self, ask: _Question) -> Model:
        models = [model for id in self._ids(ask.name) if (model := self._model(id))]
        if models:
            return self._live(_callable_one(models, ask.usable), ask)
        if self._retired_by(ask.name):
            raise self._unknown(ask, f"{ask.name} is retired", ask.name)
        if "/" in ask.name:
            return self._unlisted(ask)
        if ":" in ask.name:
            return self._of_role(ask)
        raise self._unknown(ask, f"no model is named {ask.name!r}", ask.name)

    def _live(self, model: Model, ask: _Question) -> Model:
        if self._is_retired(model, ask.today):
            raise self._unknown(ask, f"{model.id} is retired since {model.deprecated}", model.id)
        return model

    def _unlisted(self, ask: _Question) -> Model:
        """An id that the table lacks: a deployment, a proxy's name, a model newer than the table."""
        provider = ask.name.partition("/")[0]
        if ask.strict_names:
            live = self._live_ids(ask.today, provider.__eq__)
            if slip := next((id for id in live if nearest.plain(id) == nearest.plain(ask.name)), None):
                raise UnknownModel(f"no model is named {ask.name!r}", f"use -m {slip}")
        return self._bare(ask.name)

    def _bare(self, id: str) -> Model:
        """A model of which its id alone is known, and with it that the user's own servers cost nothing."""
        return replace(Model.unlisted(id), price=price.LOCAL if self._runs_at_home(id) else None)

    def _of_role(self, ask: _Question) -> Model:
        left, _, role = ask.name.partition(":")
        roles = self.roles.get(self._provider(left), {})
        if role in roles:
            return self._resolve(replace(ask, name=roles[role]))
        if role not in ROLES:
            has = f"; {left} has the roles {', '.join(roles)}" if roles else ""
            raise UnknownModel(f"no model is named {ask.name!r}", f"if Ollama has it: -m ollama/{ask.name}{has}")
        if roles:
            raise UnknownModel(f"{left} has no role {role!r}", f"it has: {', '.join(roles)}")
        raise UnknownModel(f"{left} has no roles", f"these have: {', '.join(self.roles)}")

    def _unknown(self, ask: _Question, what: str, id: str) -> UnknownModel:
        """``what``, hinting at ids of callable providers if there are any, else of the main ones."""
        soon = ask.today + timedelta(days=30)  # what retires within the month is no advice
        callable_ids = self._live_ids(soon, ask.usable)
        ids = callable_ids or self._live_ids(soon, self.vendor_order.__contains__)
        chosen = [model.id for model in self._chosen()]
        names = nearest.nearest(id, ids, chosen=chosen, vendor=self._vendor(id))
        needs = "" if callable_ids else " (each needs a key; none is set)"
        return UnknownModel(what, f"nearest: {', '.join(names)}{needs}")

    def _model(self, id: str) -> Model | None:
        stated = self.file.models.get(id)
        model = self._from_table(id)
        if not stated:
            return model
        own = model if id not in self.stated_by_user else None  # what a refreshed list says goes before a likeness
        base = own or (self._listed(stated.same_as) if stated.same_as else model) or self._bare(id)
        return replace(base, id=id, provider=id.partition("/")[0], known=True, **stated.facts)

    def _listed(self, name: str) -> Model | None:
        """Like ``find``, by LiteLLM's table alone."""
        return next((model for id in self._ids(name) if (model := self._from_table(id))), None)

    def _from_table(self, id: str) -> Model | None:
        """``openai/responses/x`` is x, asked by another wire."""
        row = self.table.row(id) or self.table.row(id.replace("/responses/", "/", 1))
        return from_row(id, row, self._price(id, row)) if row else None

    def _price(self, id: str, row: Row) -> Price | None:
        if self._runs_at_home(id):
            return price.LOCAL
        if any(fnmatchcase(id, glob) for glob in self.file.billed_beyond_tokens):
            return None
        if row.get("free"):  # OpenRouter says so; elsewhere 0 means that nobody wrote the price down
            return Price(0.0, 0.0)
        return price.from_row(row)

    def _runs_at_home(self, id: str) -> bool:
        return id.partition("/")[0] in self.file.local and not id.endswith(
            ("-cloud", ":cloud")
        )  # Ollama's paid service

    def _ids(self, name: str) -> list[str]:
        """What ``name`` may be: itself, or under its provider's other name; without a provider, under the
        main ones in ``vendor_order``, then as the table has it.
        """
        provider, slash, rest = name.partition("/")
        if slash:
            return list(dict.fromkeys([name, f"{self._provider(provider)}/{rest}"]))
        main = dict.fromkeys(f"{vendor}/{name}" for vendor in self.vendor_order)
        return list(main | dict.fromkeys([self.table.bare.get(name, name)]))

    def _provider(self, name: str) -> str:
        return self.file.provider_names.get(name.lower(), name.lower())

    def _is_retired(self, model: Model, today: date) -> bool:
        return bool(model.deprecated and model.deprecated <= today) and model.id not in self.stated_by_user

    def _retired_by(self, name: str) -> str:
        """The provider whose retired globs catch ``name``; empty if none does."""
        vendor, slash, id = name.rpartition("/")
        globs = {vendor: self.file.retired.get(vendor, ())} if slash else self.file.retired
        return next((key for key, some in globs.items() if any(fnmatchcase(id, glob) for glob in some)), "")

    def _vendor(self, name: str) -> str:
        return name.partition("/")[0] if "/" in name else self._retired_by(name)

    def _chosen(self) -> list[Model]:
        """The roles' models, all that are best first and in ``vendor_order``, then those of the aliases."""
        vendors = [vendor for vendor in self.vendor_order if vendor in self.roles]
        ids = [self.roles[vendor].get(role, "") for role in ROLES for vendor in vendors]
        ids += [target for targets in self.aliases.values() for target in targets]
        return [model for id in dict.fromkeys(ids) if (model := self._model(id))]

    def _all_ids(self) -> dict[str, None]:
        return dict.fromkeys([*self.table.rows, *self.file.models])

    def _live_ids(self, day: date, wanted: Usable) -> list[str]:
        """Ids of chat models not retired by ``day``, of providers ``wanted`` accepts, in ``vendor_order``."""
        of_provider: dict[str, list[str]] = {vendor: [] for vendor in self.vendor_order}
        for id in self._all_ids():
            of_provider.setdefault(id.partition("/")[0], []).append(id)
        accepted = (ids for provider, ids in of_provider.items() if ids and wanted(provider))
        return [id for ids in accepted for id in ids if self._is_live(id, day)]

    def _is_live(self, id: str, day: date) -> bool:
        row = self.table.rows.get(id, {})
        dated = row.get("deprecation_date", "9999") <= day.isoformat() and id not in self.stated_by_user
        return not dated and row.get("mode", "chat") in _CHAT and not _is_template(id)


def load(user_file: Path | None = None) -> Catalog:
    """The shipped models.toml over LiteLLM's table, and the user's, if it exists, over both.

    Raises BadInput naming file and key when models.toml is malformed; NotSetUp without LiteLLM.
    """
    user = modelfile.read(user_file) if user_file and user_file.exists() else ModelFile()
    catalog = Catalog(pricetable.load(), modelfile.merge(shipped(), user), frozenset(user.models))
    for id, stated in user.models.items():
        if stated.same_as and not catalog._listed(stated.same_as):
            what = f"{stated.same_as!r} is not in LiteLLM's table"
            raise BadInput(f'{user_file}: models."{id}".same_as: {what}', "name a row of the table, or leave it out")
    return catalog


@cache
def shipped() -> ModelFile:
    return modelfile.read(_SHIPPED)


def from_row(id: str, row: Row, price: Price | None) -> Model:
    """A row of LiteLLM's table as a Model."""
    gone = row.get("deprecation_date")
    return Model(
        id=id,
        provider=id.partition("/")[0],
        mode=row.get("mode") or "chat",
        context=row.get("max_input_tokens") or row.get("max_tokens"),
        max_output=row.get("max_output_tokens"),
        price=price,
        vision=row.get("supports_vision"),
        tools=row.get("supports_function_calling"),
        schema=row.get("supports_response_schema"),
        reasoning=row.get("supports_reasoning"),
        pdf=row.get("supports_pdf_input"),
        deprecated=date.fromisoformat(gone) if gone else None,
    )


def _callable_one(models: list[Model], usable: Usable) -> Model:
    return next((model for model in models if usable(model.provider)), models[0])


def _is_template(id: str) -> bool:
    """Rows that price what users make themselves, and whole groups."""
    return "/ft:" in id or "*" in id


def _price_for_ordering(model: Model) -> float:
    return model.price.input + model.price.output if model.price else math.inf
