"""Generation parameters: what the model does not take is dropped and named, before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from litellm_skill.faults import BadInput
from litellm_skill.providers import DEMO

if TYPE_CHECKING:
    from litellm_skill.gateway.attempt import Question


def fit(litellm: ModuleType, question: Question, *, strict: bool) -> tuple[Question, tuple[str, ...]]:
    """The question with the parameters its model takes, and the names of those it does not.

    Raises BadInput in place of dropping one when ``strict``.
    """
    if question.access.provider.name == DEMO:
        return question, ()
    refused = tuple(name for name, value in question.parameters.items() if _refused(litellm, question, name, value))
    if refused and strict:
        raise BadInput(
            f"{question.model.id} does not take {', '.join(refused)}", "leave it out, or leave out --strict-params"
        )
    if question.tools and _refused(litellm, question, "tools", list(question.tools)):
        raise BadInput(f"{question.model.id} takes no tools", "ask another model")
    if refused:
        kept = {name: value for name, value in question.parameters.items() if name not in refused}
        question = replace(question, parameters=kept)
    return (_formatted(litellm, question) if question.formats or question.in_words else question), refused


def _formatted(litellm: ModuleType, question: Question) -> Question:
    """With a native response format if there is one, and with words where it says too little."""
    taken = (one for one in question.formats if not _refused(litellm, question, "response_format", dict(one)))
    chosen = next(taken, None)
    if not question.in_words or (chosen and chosen["type"] == "json_schema"):
        return replace(question, response_format=chosen)
    first, *rest = question.messages
    if first["role"] == "system":
        messages = [{**first, "content": f"{first['content']}\n\n{question.in_words}"}, *rest]
    else:
        messages = [{"role": "system", "content": question.in_words}, first, *rest]
    return replace(question, response_format=chosen, messages=messages)


def _refused(litellm: ModuleType, question: Question, name: str, value: Any) -> bool:
    """LiteLLM knows, without a request, what each model takes; it is asked for one parameter at a time."""
    try:
        litellm.utils.get_optional_params(
            model=question.model.id.split("/", 1)[1],
            custom_llm_provider=question.access.provider.litellm,
            drop_params=False,
            **{name: value},
        )
    except litellm.UnsupportedParamsError:
        return True
    except (litellm.BadRequestError, ValueError) as error:
        raise BadInput(f"{question.model.id} cannot take {name} {value!r}", "give another value") from error
    return False
