"""What a question needs of a model, whoever it is put to: policy, abilities, fit and money become a plan."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from litellm_skill import command, inquiry, plan, providers
from litellm_skill.choice import Choice, Chooser, with_window
from litellm_skill.conversation import Conversation, Message
from litellm_skill.faults import BadInput
from litellm_skill.inquiry import Inquiry
from litellm_skill.intake import Extras
from litellm_skill.plan import Funds, Plan
from litellm_skill.policy import Policy
from litellm_skill.prompt import Prompt


@dataclass(frozen=True)
class Planner:
    """``left``: USD that the budgets leave, None without one."""

    args: argparse.Namespace
    extras: Extras
    chooser: Chooser
    rules: Policy
    left: Callable[[], float | None]

    def plan(
        self, choice: Choice, prompt: Prompt, earlier: Sequence[Message] = (), max_cost: float | None = None
    ) -> Plan:
        """Raises Forbidden, NotSetUp, BadInput, PromptTooLong or LimitReached: why it cannot be asked so."""
        self._able(choice)
        conversation = Conversation(self._fitted(choice, prompt), tuple(earlier), self.extras.text)
        funds = Funds(max_cost, self.left(), self.args.max_cost)
        return plan.make(with_window(choice), conversation, command.generation(self.args), self.chooser, funds)

    def again(self, choice: Choice, prompt: Prompt) -> Plan:
        """For one more prompt to the choice of an earlier plan: neither the policy nor a server is asked again. Raises
        BadInput, PromptTooLong or LimitReached."""
        conversation = Conversation(self._fitted(choice, prompt), (), self.extras.text)
        funds = Funds(None, self.left())
        return plan.make(choice, conversation, command.generation(self.args), self.chooser, funds)

    def check(self, name: str) -> None:
        """Of a model that is asked later, what keeps it from being asked at all. Raises UnknownModel, NotSetUp or
        Forbidden."""
        self._able(self.chooser.choose(name))

    def inquiry(
        self,
        plans: Sequence[Plan],
        run_id: str,
        thread: str | None,
        timeout: float,
        *,
        max_usd: float | None = None,
        **more: Any,
    ) -> Inquiry:
        """As the flags say; ``timeout``: seconds. Under a budget all attempts cost no more than one may at worst: that
        is what is reserved for them."""
        worst = inquiry.worst_usd(plans)
        if worst and self.left() is not None:
            max_usd = min(worst, max_usd or worst)
        return Inquiry(
            plans,
            run_id,
            thread,
            timeout=timeout,
            max_usd=max_usd,
            idle=self.args.idle_timeout,
            retries=self.args.retries,
            strict_parameters=self.args.strict_params,
            functions=tuple(self.args.functions),
            tools=self.extras.tools,
            max_tool_rounds=self.args.max_tool_rounds,
            schema=self.extras.schema,
            allow_secrets=self.args.allow_secrets,
            verbose=self.args.verbose,
            **more,
        )

    def _able(self, choice: Choice) -> None:
        """Raises Forbidden or NotSetUp; a dry run needs no key."""
        self._check_policy(choice)
        if choice.access.missing and not self.args.dry_run:
            raise choice.access.missing

    def _check_policy(self, choice: Choice) -> None:
        """Raises Forbidden."""
        pairs = [(choice.model.id, choice.access.host)]
        if choice.group:
            pairs = [(one.model, one.host) for one in choice.group.deployments]
        for id, host in pairs if choice.access.provider.name != providers.DEMO else ():
            for name in {id, id.replace("/responses/", "/")}:  # one model under two names
                self.rules.check(name, host)

    def _fitted(self, choice: Choice, prompt: Prompt) -> Prompt:
        """Raises BadInput when the model does not take what is attached, or tools, and names some that do."""
        model = choice.model

        def hint(ability: str) -> str:
            names = ", ".join(self.chooser.able(ability))
            return f"ask one that does: {names}" if names else "ask another model"

        if model.tools is False and (self.args.functions or self.extras.tools):
            raise BadInput(f"{model.id} takes no tools", hint("tools"))
        pdf = model.pdf and choice.access.provider.name != "ollama"  # LiteLLM 1.106.2 drops a PDF on that wire
        return prompt.fitted(model.id, vision=model.vision, pdf=pdf, hint=hint)
