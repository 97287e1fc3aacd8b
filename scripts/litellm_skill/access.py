"""How a provider is reached from here: which key goes to which address, and the rule of trust between them.

A key never goes to an address that came from a less trusted place: an address from the working directory's ``.env``
or from ``--env-file`` is used only when the key in use comes from that same file; otherwise it is ignored, and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from litellm_skill import providers
from litellm_skill.faults import NotSetUp
from litellm_skill.providers import Provider
from litellm_skill.settings import Setting, Settings


@dataclass(frozen=True)
class Profile:
    """One model of the user's own, named by four variables."""

    provider: str
    model: str
    key: str
    address: str


CHAT = Profile("LLM_PROVIDER", "LLM_MODEL", "LLM_PROVIDER_API_KEY", "LLM_PROVIDER_BASE_URL")
EMBEDDING = Profile(
    "EMBEDDING_PROVIDER", "EMBEDDING_MODEL", "EMBEDDING_PROVIDER_API_KEY", "EMBEDDING_PROVIDER_BASE_URL"
)


@dataclass(frozen=True)
class Access:
    """``key`` None: LiteLLM finds its credential itself (ambient), or none is needed. ``missing``: what is lacking.

    ``address`` is the one that was set (by the variable ``address_name``, in ``address_source``), None for the
    provider's own default; ``arguments`` go to LiteLLM as they are.
    """

    provider: Provider
    key: str | None = field(default=None, repr=False)
    key_name: str | None = None
    key_source: str | None = None
    address: str | None = None
    address_name: str | None = None
    address_source: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    missing: NotSetUp | None = None

    @property
    def endpoint(self) -> str | None:
        """The address calls go to."""
        return self.address or self.provider.address

    @property
    def host(self) -> str | None:
        """``host`` or ``host:port``; None where it depends on a region and is not known before the call."""
        return None if self.address is None and self.provider.regional else providers.host_of(self.endpoint)

    @property
    def local(self) -> bool:
        """Whether the endpoint is a server on this machine."""
        host = urlsplit(self.endpoint or "").hostname
        return self.provider.port is not None and host in ("localhost", "127.0.0.1", "::1")


def profile_model(settings: Settings, profile: Profile = CHAT) -> str | None:
    """The profile's provider and model as one id; the model may contain slashes."""
    provider, model = settings.get(profile.provider), settings.get(profile.model)
    if not model or not provider or model.startswith(f"{provider}/"):
        return model
    return f"{provider}/{model}"


def usable(provider_name: str, settings: Settings, profile: Profile = CHAT) -> bool:
    """Whether a key or ambient credential is at hand. Local servers do not count: they must be asked."""
    provider = providers.get(provider_name)
    credential = None if provider.port is not None else _credential(provider, settings, profile)
    if credential is None or provider.address is not None or not provider.listed:
        return credential is not None
    own = profile if credential.name == profile.key else None
    return _address(provider, settings, credential, own)[0] is not None


def reach(provider_name: str, settings: Settings, *, model: str, profile: Profile = CHAT) -> Access:
    """Access for one model; ``missing`` says what it lacks. Raises NotSetUp when a key cannot be one."""
    provider = providers.get(provider_name)
    own = settings.get(profile.provider) == provider.name and model == profile_model(settings, profile)
    credential = (settings.find(profile.key) if own else None) or _credential(provider, settings, profile)
    own = own or (credential is not None and credential.name == profile.key)
    address, warnings = _address(provider, settings, credential, profile if own else None)
    missing = None
    if credential is None and provider.port is None:
        missing = _no_key(provider)
    elif address is None and provider.address is None and provider.listed:
        hint = warnings[0] if warnings else f"set {provider.addresses[0]} to its address"
        missing = NotSetUp(f"no address for {provider.name}", hint)
    key = credential if credential is not None and credential.name in (*provider.keys, profile.key) else None
    return Access(
        provider,
        key=_clean(key) if key else None,
        key_name=credential.name if credential else None,
        key_source=credential.source if credential else None,
        address=_checked(address, provider) if address else None,
        address_name=address.name if address else None,
        address_source=address.source if address else None,
        arguments=_arguments(provider, settings),
        warnings=warnings,
        missing=missing,
    )


def _credential(provider: Provider, settings: Settings, profile: Profile) -> Setting | None:
    """The provider's own key, the first variable of an ambient set, or the profile's key: from the first source that
    has one, so that a file never outranks the environment."""
    ambient = (names for names in provider.ambient if all(_trusted(settings.find(name)) for name in names))
    names = [*provider.keys, *(names[0] for names in ambient)]
    if not provider.listed and (found := _prefixed(provider, settings)):
        names.append(found.name)
    if own := settings.find(*names):
        return own
    return settings.find(profile.key) if settings.get(profile.provider) == provider.name else None


def _trusted(setting: Setting | None) -> bool:
    return setting is not None and setting.origin.trusted


def _prefixed(provider: Provider, settings: Settings) -> Setting | None:
    """LiteLLM's long tail names its credentials in many ways; one trusted ``NAME_…`` variable will do."""
    stem = provider.name.upper().replace("-", "_") + "_"
    found = (setting for name, setting in settings.values.items() if name.startswith(stem) and _trusted(setting))
    return next((setting for setting in found if setting.name not in provider.addresses), None)


def _addresses(provider: Provider, settings: Settings, profile: Profile | None) -> list[Setting]:
    names = (profile.address, *provider.addresses) if profile else provider.addresses
    return [setting for name in names if (setting := settings.find(name))]


def _address(
    provider: Provider, settings: Settings, credential: Setting | None, profile: Profile | None
) -> tuple[Setting | None, tuple[str, ...]]:
    """The first address this credential may go to, and a warning for each one passed over. ``profile``: whose address
    counts, too."""
    warnings: list[str] = []
    for setting in _addresses(provider, settings, profile):
        if setting.origin.trusted or _same_file(setting, credential):
            return setting, tuple(warnings)
        warnings.append(_untrusted(setting, credential))
    return None, tuple(warnings)


def _checked(setting: Setting, provider: Provider) -> str:
    """The address as LiteLLM wants it, which adds the rest of the path itself. Raises NotSetUp when it is none."""
    parts = _parts(setting.value)
    if parts is None or not parts.hostname or parts.username or parts.query:
        what = f"{setting.name} ({setting.source}) is no address: http:// or https://, a host, perhaps a path"
        raise NotSetUp(what, f"correct {setting.name}")
    address = setting.value.rstrip("/").removesuffix(provider.added_path)
    return address if parts.path.strip("/") or not provider.base_path else address + provider.base_path


def _parts(address: str) -> SplitResult | None:
    """None when it cannot be an address: a bracket left open, a port that is none, another scheme."""
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _same_file(setting: Setting, credential: Setting | None) -> bool:
    return credential is not None and (setting.origin, setting.path) == (credential.origin, credential.path)


def _untrusted(setting: Setting, credential: Setting | None) -> str:
    why = f"the key comes from {credential.source}" if credential else "no key stands beside it"
    return f"ignored {setting.name} from {setting.source}: {why}"


def _arguments(provider: Provider, settings: Settings) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, argument in provider.settings.items():
        if value := settings.get(name):
            found.setdefault(argument, value)
    return found


def _clean(key: Setting) -> str:
    if not key.value.isascii() or not key.value.isprintable() or " " in key.value:
        raise NotSetUp(
            f"{key.name} ({key.source}) is not a key: it has a space or a character that is not plain ASCII",
            "paste the key again, alone on its line",
        )
    return key.value


def _no_key(provider: Provider) -> NotSetUp:
    names = " or ".join(provider.keys or tuple(" + ".join(names) for names in provider.ambient))
    where = "in the environment or in ~/.config/litellm-skill/.env"
    return NotSetUp(f"no key for {provider.name}", f"set {names} {where}")
