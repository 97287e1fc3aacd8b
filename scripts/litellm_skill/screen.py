"""What may leave this machine, and what may be shown: so far, that no key is ever printed or stored."""

from __future__ import annotations

from collections.abc import Iterable

from litellm_skill.settings import Settings

SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIALS")
SHORTEST = 8


def secrets(settings: Settings) -> tuple[str, ...]:
    """The values of everything at hand whose name says that it is a secret, the longest first."""
    found = {
        setting.value
        for setting in settings.values.values()
        if setting.name.upper().endswith(SECRET_NAMES) and len(setting.value) >= SHORTEST
    }
    return tuple(sorted(found, key=len, reverse=True))


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` with every secret, whatever its shape, written as ``[key]``."""
    for secret in secrets:
        text = text.replace(secret, "[key]")
    return text
