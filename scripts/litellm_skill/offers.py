"""Who may be asked: the candidates of a task, the strong model and the baseline, as routing decides among them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from litellm_skill import cascade, demo, endpoints, modelfile, routing, tasks
from litellm_skill.cascade import Cascade
from litellm_skill.choice import Choice, Chooser
from litellm_skill.faults import NotSetUp, UnknownModel
from litellm_skill.prompt import Prompt
from litellm_skill.proof import Known
from litellm_skill.routing import Decision, Needs, Offer, Terms


@dataclass(frozen=True)
class Offers:
    """``check_with``: see ``cascade.Cascade``. ``known``: what the history knows. ``with_tools``: whether any are
    offered."""

    args: argparse.Namespace
    prompt: Prompt
    chooser: Chooser
    check_with: str | None
    known: Mapping[Cascade, Known]
    with_tools: bool

    def decide(self, too_dear: str = "") -> tuple[dict[str, Choice], Decision]:
        """``too_dear``: see ``routing.Terms``."""
        task = tasks.of(self.prompt.text, self.args.task)
        candidates = {choice.name: choice for choice in self._candidates(task.name)}
        strong, baseline = self._strong(), self.args.baseline and self._choice(self.args.baseline)
        candidates |= {strong.name: strong} if strong else {}
        choices = candidates | ({baseline.name: baseline} if baseline else {})
        offers = {name: self._offer(choice, listed=bool(self.args.model)) for name, choice in choices.items()}
        named = {offer.model.id: offer for offer in offers.values()}
        ours = [offers[name] for name in candidates]
        cheap = [offer for offer in ours if not strong or offer.model.id != strong.model.id] or ours
        terms = Terms(
            self.chooser.today,
            check=self._check_name(),
            check_with=self.check_with,
            floor=self._floor(task.name),
            max_cost=self.args.max_cost,
            escalated={tried: share for tried, one in self.known.items() if (share := one.escalated) is not None},
            judge=self._offer(self._choice(self.args.check_judge), listed=True) if self.args.check_judge else None,
            too_dear=too_dear,
        )
        last = named[strong.model.id] if strong else None
        measured = named[baseline.model.id] if baseline else None
        return choices, routing.decide(task, self._needed(), cheap, last, terms, measured)

    def _candidates(self, task: str) -> list[Choice]:
        if self.args.demo:
            return [self._choice(demo.MODEL), self._choice(demo.OTHER)]
        if self.args.model:
            return [self._choice(name) for name in self.args.model]
        chooser = self.chooser
        order = chooser.catalog.vendor_order
        roles = {name: chooser.catalog.roles.get(name, {}) for name in order if chooser.usable(name)}
        names = routing.preferred(task, chooser.catalog.file.tasks, roles)
        found = []
        for name in names:
            with suppress(UnknownModel, NotSetUp):  # an alias of which the user can call nothing
                found.append(self._choice(name))
        return found or self._local()

    def _local(self) -> list[Choice]:
        """Who has no key may have models on this machine; a dry run asks no server."""
        if self.args.dry_run:
            return []
        served = endpoints.local_models(self.chooser.settings)
        return [self._choice(one.id) for one in served]

    def _strong(self) -> Choice | None:
        if self.args.demo and not self.args.strong:
            return self._choice(demo.OTHER)
        with suppress(NotSetUp):
            return self._choice(self.args.strong)
        return None

    def _choice(self, name: str | None) -> Choice:
        return self.chooser.choose(name)

    def _offer(self, choice: Choice, *, listed: bool) -> Offer:
        roles = self.chooser.catalog.roles.get(choice.access.provider.name, {})
        own = tuple(role for role, id in roles.items() if id == choice.model.id)
        return Offer(choice.model, choice.vendor, own, listed or self.args.demo, choice.access.missing is None)

    def _check_name(self) -> str | None:
        return cascade.CMD if self.args.check_cmd else cascade.JUDGE if self.args.check_judge else self.args.check

    def _floor(self, task: str) -> str:
        known = self.chooser.catalog.file.tasks
        said = known.get(task) or known.get("simple") or modelfile.Preference()
        return said.floor or "cheap"

    def _needed(self) -> Needs:
        media = {"pdf" if one.document else "vision" for one in self.prompt.media}
        offered = {"tools"} if self.with_tools else set()
        abilities = sorted({*media, *offered, *needs(self.args)})
        return Needs(self.prompt.tokens, self.args.max_tokens, tuple(abilities))


def needs(args: argparse.Namespace) -> list[str]:
    return [need for name in (args.needs or "").split(",") if (need := name.strip())]
