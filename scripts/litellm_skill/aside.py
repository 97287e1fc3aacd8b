"""A question put beside the user's own, to a judge: its reply must fit a schema, is not shown, and is paid from what is
left."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from litellm_skill import inquiry, results, run
from litellm_skill.answer import Answer
from litellm_skill.console import Console
from litellm_skill.faults import Fault, Interrupted
from litellm_skill.inquiry import Inquiry
from litellm_skill.intake import Extras
from litellm_skill.journal import Journal
from litellm_skill.planner import Planner
from litellm_skill.prompt import Prompt
from litellm_skill.structure import Schema


@dataclass(frozen=True)
class Aside:
    """How such questions are put in a run that is under way."""

    planner: Planner
    journal: Journal
    console: Console

    async def ask(self, name: str, prompt: Prompt, schema: Schema, money: float | None) -> Answer:
        """Never raises: who cannot be asked has a fault. ``money``: USD, None without a limit."""
        import asyncio

        try:
            asked = self._inquiry(name, prompt, schema, money)
            until = time.time() + asked.timeout + run.MARGIN
            self.journal.reserve(asked.run_id, inquiry.worst_usd(asked.plans), until)
            return (await inquiry.ask(asked, self.journal, self.planner.chooser.catalog, self.console, _drop)).answer
        except Fault as fault:
            return Answer(name, fault=fault)
        except asyncio.CancelledError:
            return Answer(name, fault=Interrupted("interrupted", "ask again"))

    def _inquiry(self, name: str, prompt: Prompt, schema: Schema, money: float | None) -> Inquiry:
        """Raises what keeps it from being asked."""
        planner = replace(self.planner, extras=Extras(schema=schema))
        choice = planner.chooser.choose(name)
        planned = planner.plan(choice, prompt, max_cost=money)
        timeout = run.timeout(planner.args, run.Way.HERE, local=choice.access.local)
        asked = planner.inquiry([planned], results.new_run_id(), None, timeout, max_usd=money)
        return replace(asked, functions=(), file=False, pieces=False)


def _drop(_: str) -> None:
    """A judge's reply is not shown."""
