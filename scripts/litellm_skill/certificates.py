"""Whom TLS trusts: certifi's authorities and the user's own, and never nobody."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from litellm_skill.faults import NotSetUp
from litellm_skill.settings import private_directory, state_directory

OWN = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def refuse_blind_trust(environ: MutableMapping[str, str]) -> None:
    """Raises NotSetUp when ``SSL_VERIFY`` would make LiteLLM accept any certificate."""
    if environ.get("SSL_VERIFY", "").strip().lower() in ("false", "0", "no", "off"):
        raise NotSetUp(
            f"SSL_VERIFY={environ['SSL_VERIFY']} would accept any certificate: refused",
            f"unset it, and name your own CA in {' or '.join(OWN)}",
        )


def merge(environ: MutableMapping[str, str]) -> None:
    """Point ``SSL_CERT_FILE``, which LiteLLM reads in place of certifi's, at both together.

    Other tools name their extra authorities in other variables; a user behind a company's CA has set one of them.
    """
    own = [Path(value) for name in OWN if (value := environ.get(name)) and Path(value).is_file()]
    if own:
        environ["SSL_CERT_FILE"] = str(_bundle(list(dict.fromkeys(own))))


def _bundle(own: list[Path]) -> Path:
    """A file with certifi's and these authorities, named by its content; the first of them if none can be written."""
    import hashlib

    import certifi

    content = b"\n".join(path.read_bytes() for path in (Path(certifi.where()), *own))
    name = f"ca-{hashlib.sha256(content).hexdigest()[:16]}.pem"
    try:
        path = private_directory(state_directory(os.environ)) / name
        if not path.exists():
            draft = path.with_suffix(f".{os.getpid()}")
            draft.write_bytes(content)
            draft.replace(path)
        return path
    except OSError:
        return own[0]
