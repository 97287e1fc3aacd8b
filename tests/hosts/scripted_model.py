"""The model of a host, as a script: what it says and calls, turn by turn. It plays the model that is asked, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from provider_server import Call, ProviderServer, Reply, Request


class ScriptedModel(ProviderServer):
    """A request that offers tools is the host's, and gets the next of ``turns``; any other gets ``answer``. ``wait``:
    the call for a request that says that a command still runs; such a one is no turn."""

    def __init__(self, turns: Sequence[Reply], answer: str, wait: Callable[[Request], Call | None]) -> None:
        self._turns = list(turns)
        self._answer = answer
        self._wait = wait
        self.heard: list[Request] = []  # by the host's model
        self.asked: list[Request] = []  # of the other model; some hosts want a title of it, too
        super().__init__()

    def record(self, request: Request, *, generates: bool) -> Reply:
        if not generates:
            return super().record(request, generates=False)
        if not request.body.get("tools"):
            self.asked.append(request)
            return Reply(text=self._answer)
        if waiting := self._wait(request):
            return Reply(calls=(waiting,))
        self.heard.append(request)
        return self._turns.pop(0) if self._turns else Reply(text="There is nothing left to do.")


def text_of(request: Request) -> str:
    """Everything the model can read in it."""
    return "\n".join(_strings(request.body))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
