"""LiteLLM itself, imported once, late and quiet."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from litellm_skill import demo
from litellm_skill.catalog import Model
from litellm_skill.faults import NotSetUp
from litellm_skill.gateway import transport
from litellm_skill.providers import DEMO

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUIET_IMPORT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else the import fetches a price file (up to 47 s on a bad network)
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # else a call with such a header fetches a file from GitHub
    "LITELLM_MODE": "PRODUCTION",  # else it loads the nearest .env above site-packages
    "LITELLM_LOG": "ERROR",  # DEBUG and INFO go to stdout, 13 kB for one call
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # else every installed distribution is searched for them
}
COLLECT_AFTER = 50_000  # objects; a call makes some thousand, a long answer hundreds of thousands
# Lines on stderr that say nothing to the user. The first two LiteLLM filters itself, but only as it is imported.
WARNINGS = (
    ".*`ReadOnly` qualifier",
    ".*Accessing the .* attribute on the instance is deprecated",
    "Pydantic serializer warnings",
    "coroutine .* was never awaited",  # of a call that was left at its deadline
)
REROUTING = ("USE_LITELLM_PROXY",)  # would send every model to an address this project did not choose


def load() -> ModuleType:
    """The library, with its price fetch, its .env loading, its banners and its log output off; and its counting of
    tokens, for which it loads a table on the first call: what it counts is an estimate, and none is shown."""
    os.environ.update(QUIET_IMPORT)
    for name in REROUTING:
        os.environ.pop(name, None)
    _name_a_temporary_folder()
    litellm = _imported()
    transport.guard()
    litellm.suppress_debug_info = True  # type: ignore[attr-defined]
    litellm.disable_token_counter = True  # type: ignore[attr-defined]
    _silence()
    if not litellm.custom_provider_map:
        _register_demo(litellm)
    return litellm


def _name_a_temporary_folder() -> None:
    """LiteLLM asks for its path as it is imported, and fails where none can be written: in a read-only sandbox."""
    import tempfile

    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = os.getcwd()  # what is written there fails by itself


def _imported() -> ModuleType:
    """LiteLLM is a million objects that stay. The collector would look at them again and again while they come, which
    is a quarter of the time, and at each later turn, were they not frozen."""
    if "litellm" in sys.modules:
        gc.enable()  # start-up has switched it off, also in a child of the warm worker
        return sys.modules["litellm"]
    gc.disable()
    try:
        import litellm
    except (ImportError, SyntaxError, AttributeError) as error:
        raise _damaged(error) from error
    finally:
        gc.enable()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    library: ModuleType = litellm
    return library


@contextlib.contextmanager
def stdout_kept_clean() -> Iterator[None]:
    """LiteLLM prints banners; whatever it prints goes to stderr, for stdout is the answer alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def know(litellm: ModuleType, model: Model) -> None:
    """Tell LiteLLM of a model its table lacks that is served by the Responses API (``openai/responses/…``): of one it
    does not know it believes that it cannot stream, cuts a whole reply into pieces itself, and says ``stop`` at the end
    of one that reached its limit."""
    provider, _, name = model.id.partition("/responses/")
    if name and not model.known:
        row = {"litellm_provider": provider, "mode": "chat", "supports_native_streaming": True}
        litellm.register_model({name: row})


def can_stream(litellm: ModuleType, model: Model) -> bool:
    """Of some models of the Responses API LiteLLM's table says that they cannot. Asked to stream, it then takes the
    whole reply, cuts it into pieces itself, and says ``stop`` whatever the end was."""
    provider, _, name = model.id.partition("/")
    if model.mode != "responses":
        return True
    return bool(litellm.utils.supports_native_streaming(name.removeprefix("responses/"), provider))


async def close_connections() -> None:
    """Close the connections LiteLLM keeps for a next call, which a command does not make."""
    if "litellm" in sys.modules:
        from litellm.llms.custom_httpx.async_client_cleanup import close_litellm_async_clients

        await close_litellm_async_clients()
        await sys.modules["litellm"].module_level_aclient.close()


def _damaged(error: Exception) -> NotSetUp:
    own = os.path.basename(os.path.dirname(sys.prefix)).startswith("litellm-skill")  # made by installer.py
    hint = f"remove {sys.prefix}: the next command installs it anew" if own else "install it anew"
    return NotSetUp(f"LiteLLM cannot be imported: {type(error).__name__}: {error}", hint)


def _silence() -> None:
    import logging
    import warnings

    for message in WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logger = logging.getLogger(name)
        if logger.level != logging.CRITICAL:  # to set it makes every logger of the process slower for a while
            logger.setLevel(logging.CRITICAL)


def _register_demo(litellm: ModuleType) -> None:
    from litellm.llms.custom_llm import CustomLLM

    class DemoProvider(CustomLLM):
        """``demo/…``: everything but the network is the real path."""

        async def astreaming(self, *_: Any, **call: Any) -> AsyncIterator[dict[str, Any]]:
            reply = demo.reply(call["model"], call["messages"])
            for piece in reply.pieces:
                yield _chunk(piece)
            yield _chunk("", finish_reason="stop", usage=reply.usage)

    litellm.custom_provider_map = [{"provider": DEMO, "custom_handler": DemoProvider()}]  # type: ignore[attr-defined]
    litellm.utils.custom_llm_setup()


def _chunk(text: str, finish_reason: str = "", usage: dict[str, int] | None = None) -> dict[str, Any]:
    return {
        "text": text,
        "index": 0,
        "is_finished": bool(finish_reason),
        "finish_reason": finish_reason,
        "tool_use": None,
        "usage": usage,
    }
