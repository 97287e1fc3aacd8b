"""The user's own files and what is made of them: .env values, policy, certificates, models.toml, the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from litellm_skill import certificates, check, database, deployments, journal, modelfile, policy, settings
from litellm_skill.catalog import Catalog
from litellm_skill.check import ERROR, OK, WARNING, Check
from litellm_skill.faults import Fault, Forbidden, NotSetUp, UnknownModel
from litellm_skill.modelfile import ModelFile
from litellm_skill.settings import EVERYTHING, Settings

SOON = timedelta(days=30)


def env_files(at_hand: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """Values of a .env that were not used. Their names only."""
    for ignored in at_hand.ignored:
        if ignored.name == EVERYTHING:
            yield Check(".env", ERROR, ignored.reason, f"correct it or move it away: {ignored.path}")
        else:
            what = f"{ignored.name} in {ignored.path} is ignored: {ignored.reason}"
            yield Check(".env", WARNING, what, f"move that line to {settings.user_directory(environ) / '.env'}")


def rules(environ: Mapping[str, str]) -> Check:
    try:
        found = policy.load(environ)
    except Forbidden as fault:
        return check.of_fault("policy", fault)
    names = ", ".join(str(file.path) for file in found.files)
    return Check(
        "policy", OK, f"{names} limits what may be asked" if names else "no policy.toml: everything may be asked"
    )


def trust(environ: Mapping[str, str]) -> Iterator[Check]:
    """Whom TLS trusts."""
    try:
        certificates.refuse_blind_trust(dict(environ))
    except NotSetUp as fault:
        yield check.of_fault("certificates", fault)
    named: dict[str, list[str]] = {}
    for name in certificates.OWN:
        if environ.get(name):
            named.setdefault(environ[name], []).append(name)
    why = {path: _broken(Path(path)) for path in named}
    for path, names in named.items():
        if why[path]:
            fix = f"let {' and '.join(names)} name a PEM file of certificates, or unset {' '.join(names)}"
            yield Check("certificates", ERROR, f"{path} ({', '.join(names)}) {why[path]}", fix)
    whole = "".join(f" and {path} ({', '.join(names)})" for path, names in named.items() if not why[path])
    yield Check("certificates", OK, f"certifi's{whole}")


def _broken(path: Path) -> str:
    """Why a file of authorities is none, or ""."""
    import ssl

    if path.is_dir():
        return "is a folder, which is not read"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "holds no certificate"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def history(at_hand: Settings, environ: Mapping[str, str], *, permitted: bool) -> Iterator[Check]:
    """Whether answers can be kept: it opens the file, as a call does."""
    if not permitted or not journal.wanted(at_hand):
        by = "LITELLM_SKILL_HISTORY" if permitted else "policy.toml"
        yield Check("history", OK, f"off ({by}): nothing is kept, and nothing runs in the background")
        return
    notes: list[str] = []
    try:
        with closing(database.connect(environ, notes.append)):
            yield Check("history", OK, f"{database.file(environ)} can be written")
    except NotSetUp as fault:
        state = "set XDG_STATE_HOME to a folder that only you can write to"
        what = f"{fault.message}; answers come, but are not kept"
        yield Check("history", WARNING, what, "; ".join(filter(None, (state, fault.hint))))
    yield from (
        Check("history", WARNING, note, "python3 call_model.py --list-results shows what is left") for note in notes
    )


def models(known: Catalog, path: Path, today: date) -> Iterator[Check]:
    """Whether what the user's models.toml names is still served."""
    if not path.exists():
        return
    retired = list(_retired(known, modelfile.read(path), path, today))
    yield from retired or [Check("models.toml", OK, str(path))]


def groups(at_hand: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether each group of the user's own model list has a deployment that can be called."""
    try:
        found = deployments.read(None, at_hand, environ)
        broken = [(name, group.missing) for name in found.names if (group := found.find(name)) and group.missing]
    except Fault as fault:
        yield check.of_fault("models.yaml", fault)
        return
    yield from (Check("models.yaml", WARNING, f"{name}: {why.message}", why.hint) for name, why in broken)
    if found.names and not broken:
        yield Check("models.yaml", OK, ", ".join(found.names))


def _retired(known: Catalog, own: ModelFile, path: Path, today: date) -> Iterator[Check]:
    for place, name in _named(own):
        model = known.find(name)
        gone = model.deprecated if model else None
        try:
            known.resolve(name, usable=lambda _: True, today=today)
        except UnknownModel as fault:
            yield Check("models.toml", ERROR, f"{path}: {place}: {fault.message}", f"name another there; {fault.hint}")
            continue
        if gone and gone <= today + SOON:
            verb = "retired it on" if gone <= today else "retires it on"
            what = f"{path}: {place}: {name}: its provider {verb} {gone}"
            yield Check("models.toml", WARNING, what, "name another there, or leave it if you know better")


def _named(own: ModelFile) -> Iterator[tuple[str, str]]:
    """Each full id in the file, and where it stands."""
    places = [(f"aliases.{name}", target) for name, targets in own.aliases.items() for target in targets]
    places += [(f"roles.{of}.{role}", id) for of, roles in own.roles.items() for role, id in roles.items()]
    places += [(f"tasks.{task}", name) for task, preferred in own.tasks.items() for name in preferred.models]
    places += [(f'models."{id}"', id) for id in own.models]
    places += [("embedding", id) for id in own.embedding]
    return ((place, name) for place, name in places if "/" in name)
