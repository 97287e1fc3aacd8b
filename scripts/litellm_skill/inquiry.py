"""What one model, with its fallbacks, is asked; and its answer, kept as it comes and priced."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from litellm_skill import certificates, plan, providers, results, structure
from litellm_skill.answer import Answer
from litellm_skill.catalog import Catalog
from litellm_skill.choice import Choice
from litellm_skill.console import Console
from litellm_skill.journal import Journal
from litellm_skill.plan import Funds, Plan
from litellm_skill.redaction import redact_cut
from litellm_skill.structure import Schema
from litellm_skill.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_skill.dialogue import Box, Dialogue
    from litellm_skill.gateway import Gate, Patience, Question

IDLE_TIMEOUT = 60.0  # seconds
JSON_MODE = {"type": "json_object"}


@dataclass(frozen=True)
class Inquiry:
    """``plans``: the model's, then the fallbacks'. ``timeout`` over everything and ``idle``: seconds; ``idle`` None is
    the default, which does not hold before the first token of a model that thinks first. ``max_usd``: for all attempts.
    ``file`` and ``pieces``: whether the text is kept in a file of its own, and as it comes in the history.
    ``functions``: files whose functions are tools, in place of which ``box`` may be given; ``tools``: those that are
    only offered. ``one_of_many``: the answer
    is not read as it comes, and a rate limit is dealt with for all of them.
    """

    plans: Sequence[Plan]
    run_id: str
    thread: str | None
    timeout: float
    idle: float | None = None
    retries: int = 2
    max_usd: float | None = None
    strict_parameters: bool = False
    functions: tuple[str, ...] = ()
    box: Box | None = None
    tools: tuple[Tool, ...] = ()
    max_tool_rounds: int = 8
    schema: Schema | None = None
    allow_secrets: bool = False
    verbose: bool = False
    file: bool = True
    pieces: bool = True
    one_of_many: bool = False


@dataclass(frozen=True)
class Outcome:
    """``messages``: of the rounds before the last, as the conversation keeps them."""

    answer: Answer
    messages: Sequence[Mapping[str, Any]] = ()


def worst_usd(plans: Sequence[Plan]) -> float:
    """What one attempt at any of them may cost at most, as far as prices are known."""
    return max(planned.worst_usd or 0.0 for planned in plans)


def spent_usd(asked: Inquiry, known: float | None) -> float:
    """USD; all that it may have cost where what it did is not ``known``."""
    if known is not None:
        return known
    return worst_usd(asked.plans) if asked.max_usd is None else asked.max_usd


def prepare(plans: Sequence[Plan]) -> None:
    """Before the first request of a process. Raises NotSetUp when certificates are not to be checked."""
    certificates.refuse_blind_trust(os.environ)
    if any(_may_use_tls(planned.choice) for planned in plans):
        certificates.merge(os.environ)


async def ask(
    inquiry: Inquiry, journal: Journal, catalog: Catalog, console: Console, show: Callable[[str], None]
) -> Outcome:
    """The answer, whole or not. ``show`` gets each piece of its text, without keys, once it is kept. Raises BadInput
    when functions cannot be loaded or a parameter is refused."""
    async with AsyncExitStack() as stack:
        box = inquiry.box
        if inquiry.functions:
            from litellm_skill import toolbox

            limits = toolbox.Limits(loading=min(toolbox.Limits.loading, inquiry.timeout))
            box = await stack.enter_async_context(toolbox.open(inquiry.functions, limits, note=console.note))
        dialogue = _dialogue(inquiry, box, console)
        tools = (*inquiry.tools, *(box.tools if box else ()))
        answer = await _answered(inquiry, tools, dialogue, journal, catalog, console, show)
    answer = replace(answer, parsed=dialogue.parsed, tool_calls=tuple(dialogue.calls))
    return Outcome(answer, dialogue.messages)


def _dialogue(inquiry: Inquiry, box: Box | None, console: Console) -> Dialogue:
    from litellm_skill.dialogue import Dialogue

    tell = console.note if inquiry.verbose else _drop
    return Dialogue(box, inquiry.schema, inquiry.max_tool_rounds, console.secrets, inquiry.allow_secrets, tell)


def _drop(_: str) -> None:
    """For what is told only with --verbose."""


async def _answered(
    inquiry: Inquiry,
    tools: Sequence[Tool],
    dialogue: Dialogue,
    journal: Journal,
    catalog: Catalog,
    console: Console,
    show: Callable[[str], None],
) -> Answer:
    from litellm_skill import gateway

    keeps = journal.keeps and inquiry.file
    file = results.open_file(inquiry.run_id, journal.environ) if keeps else None
    transcript = results.Transcript(file, console.secrets, (*([journal.piece] if inquiry.pieces else []), show))
    tick = journal.write if inquiry.pieces else None
    listener = gateway.Listener(transcript.add, console.note, console.redact, tick)
    questions = [_question(inquiry, planned, tools, catalog) for planned in inquiry.plans]
    answer = None
    try:
        answer = await gateway.ask(questions, _patience(inquiry), listener, _gate(journal), dialogue.follow)
        cut = answer.fault is not None
        answer = replace(answer, text=redact_cut(answer.text, console.secrets)) if cut else answer
    finally:
        mended = answer.text if answer and dialogue.repaired else None
        path = transcript.close(cut=answer is None or answer.fault is not None, text=mended)
    lost = keeps and not transcript.keeps
    unkept = ["the answer could not be kept in a file: no state directory can be written"] if lost else []
    notes = [line for planned in inquiry.plans for line in (*planned.choice.warnings, *planned.notes)]
    answer = replace(answer, run_id=inquiry.run_id, thread=inquiry.thread, result_file=path)
    return _priced(answer.warned(*notes, *unkept), inquiry.plans, catalog)


def _may_use_tls(choice: Choice) -> bool:
    """Where the address is LiteLLM's to know, it may."""
    plain = (choice.access.endpoint or "").startswith("http:")
    return not plain and choice.access.provider.name != providers.DEMO


def _question(inquiry: Inquiry, planned: Plan, tools: Sequence[Tool], catalog: Catalog) -> Question:
    """A model that thinks first, or that must first be loaded on this machine, may be silent for long before its first
    token; so may one whose wire is not streamed."""
    from litellm_skill import gateway

    model, way = planned.choice.model, planned.choice.access
    slow_start = model.reasoning or way.provider.name in gateway.NOT_STREAMED
    whole = inquiry.one_of_many and way.provider.name != providers.DEMO
    return gateway.Question(
        model,
        way,
        planned.conversation.messages(),
        planned.parameters,
        tools=[tool.as_message() for tool in tools],
        **_formats(inquiry.schema, planned, alone=not tools),
        worst_usd=planned.worst_usd,
        prompt_tokens=planned.prompt_tokens,
        affordable=lambda tokens, usd: plan.affordable(planned.choice, tokens, catalog, Funds(budget=usd)),
        price=lambda usage: catalog.cost(model, usage),
        idle=inquiry.idle or IDLE_TIMEOUT,
        idle_at_first=not (way.local or whole) and (inquiry.idle is not None or not slow_start),
        group=planned.choice.group,
        whole=whole,
    )


def _formats(schema: Schema | None, planned: Plan, *, alone: bool) -> dict[str, Any]:
    """The model's own way to hold to a schema where the catalogue knows of one, else JSON at least, else words. Not
    beside tools: to some of Anthropic's models LiteLLM 1.106.2 gives the format as a tool that must be called."""
    if schema is None:
        return {}
    model, words = planned.choice.model, structure.instructions(schema)
    provider = planned.choice.access.provider.name
    if not alone or not structure.natively_possible(schema, provider):
        return {"in_words": words}
    if model.schema or provider == "ollama":  # whose server holds any model to a schema
        native = structure.response_format(schema, strict=structure.strict_possible(schema))
        return {"formats": [native, JSON_MODE], "in_words": words}
    return {"formats": [JSON_MODE] if model.known else [], "in_words": words}


def _patience(inquiry: Inquiry) -> Patience:
    from litellm_skill import gateway

    return gateway.Patience(
        timeout=inquiry.timeout,
        retries=inquiry.retries,
        max_usd=inquiry.max_usd,
        strict_parameters=inquiry.strict_parameters,
        sits_out=not inquiry.one_of_many,
    )


def _gate(journal: Journal) -> Gate:
    from litellm_skill import gateway

    def admit(question: Question, patience: float) -> float:
        limit = question.parameters.get("max_tokens")
        return journal.admit(question.model, question.prompt_tokens, limit, patience)

    redis = journal.settings.find("REDIS_URL")
    url = redis.value if redis and redis.origin.trusted else None
    return gateway.Gate(admit, lambda question, usage: journal.used(question.model, usage), journal.rest, url)


def _priced(answer: Answer, plans: Sequence[Plan], catalog: Catalog) -> Answer:
    """The cost as the provider reported it, else by the price table; unknown stays None."""
    asked = answer.attempts[-1].model if answer.attempts else None
    choice = next((planned.choice for planned in plans if planned.choice.name == asked), plans[0].choice)
    if choice.access.provider.name == providers.DEMO:
        return replace(answer, cost_usd=0.0, cost_source=providers.DEMO)
    if answer.cost_usd is not None:
        return answer
    served = None if choice.model.id in catalog.stated_by_user else catalog.find(answer.model_used or "")
    model = served or choice.model
    cost = catalog.cost(model, answer.usage)
    source = model.price.source if model.price and cost is not None else None
    return replace(answer, cost_usd=cost, cost_source=source)
