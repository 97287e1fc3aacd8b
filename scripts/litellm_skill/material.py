"""What is under review: files and changes, read and screened before anybody is asked, as a reviewer reads them."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from litellm_skill import attachments, changes, intake, screen, sources
from litellm_skill.attachments import Attachment, SentFile
from litellm_skill.console import Console
from litellm_skill.faults import BadInput
from litellm_skill.intake import Extras
from litellm_skill.policy import Policy
from litellm_skill.prompt import Prompt
from litellm_skill.screen import Part
from litellm_skill.sources import Source

FILE_BYTES = 2_000_000
DIFF_BYTES = 20_000_000
_FOLDER = Path(__file__).parent


@cache
def words() -> Mapping[str, str]:
    """What reviewers are told, of review.toml."""
    return tomllib.loads((_FOLDER / "review.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Material:
    """``asked``: the prompt without what is under review. ``files``: by path, as sent; the diff stands under its own
    name."""

    asked: Prompt
    sources: tuple[Source, ...]
    files: Mapping[str, SentFile]
    conventions: Part | None = None
    diff: str | None = None
    warnings: tuple[str, ...] = ()

    def prompt(self, part: Sequence[Source], number: int, parts: int, rounds: int) -> Prompt:
        """Of one part of it; ``number`` from 1. ``rounds``: in how many the model may look by itself, 0 for none."""
        said = [words()["system"]]
        said += [words()["looking"].format(rounds=rounds)] if rounds else []
        said += [self.asked.system.text] if self.asked.system else []
        content = [*self.asked.content]
        if parts > 1:
            content.append(Part("the place of this part", words()["part"].format(number=number, parts=parts)))
        content += [self.conventions] if self.conventions else []
        return replace(
            self.asked,
            content=(*content, *(source.part() for source in part)),
            system=Part("the task of a reviewer", "\n\n".join(said)),
            files=self._sent(part),
        )

    def _sent(self, part: Sequence[Source]) -> tuple[SentFile, ...]:
        names = [self.diff if source.diff else source.path for source in part]
        sent = [*([self.conventions.name] if self.conventions else []), *(name for name in names if name)]
        return tuple(self.files[name] for name in dict.fromkeys(sent))


def read(args: argparse.Namespace, rules: Policy, console: Console) -> tuple[Material, Extras]:
    """Raises BadInput when there is nothing to review, or what cannot be; SecretFound."""
    prompt = words()["focus"] if args.prompt is None and args.prompt_file is None else args.prompt
    alone: dict[str, Any] = {"prompt": prompt, "file": [], "diff": False, "diff_base": None}
    asked, extras = intake.read(argparse.Namespace(**{**vars(args), **alone}), rules, console)
    here, allowed = Path.cwd(), tuple(args.allow_path)
    attached = _texts(attachments.read_files(tuple(args.file), here, FILE_BYTES, allowed))
    named = _texts(attachments.read_files((args.conventions,), here, 200_000, allowed) if args.conventions else ())
    diff = None
    if args.diff or args.diff_base is not None:
        diff = changes.take(here, args.diff_base, DIFF_BYTES, allowed, _FOLDER / "review.gitattributes")
    if not attached and diff is None and not args.read:
        raise BadInput("nothing to review", "add --diff, --diff-base REF or -f FILE; or --read DIR and a prompt")
    if not args.allow_secrets:
        parts = [part for part, _ in (*attached, *named)] + ([Part(diff.name, diff.text)] if diff else [])
        screen.refuse(screen.scan(parts, console.secrets))
    files = {sent.path: sent for _, sent in (*attached, *named)}
    if diff:
        files[diff.name] = attachments.sent_file(diff.name, diff.raw)
    shown = [sources.of_text(sent.path, unfenced(part)) for part, sent in attached]
    material = Material(
        asked,
        tuple([*(sources.of_diff(diff.text) if diff else []), *shown]),
        files,
        _conventions(named),
        diff.name if diff else None,
        _warnings(diff, here) if diff else (),
    )
    return material, extras


def _texts(found: Iterable[Attachment]) -> list[tuple[Part, SentFile]]:
    """Raises BadInput for an image or a PDF."""
    pairs: list[tuple[Part, SentFile]] = []
    for one in list(found):  # all are read first: a secret among them is refused before an image is
        if not isinstance(one.content, Part):
            raise BadInput(f"{one.sent.path} is no text, and only text can be reviewed", "leave it out")
        pairs.append((one.content, one.sent))
    return pairs


def unfenced(part: Part) -> str:
    """Of an attached text, as it is in the file, but that its last line has an end."""
    text = part.text.split("\n", part.heading)[part.heading].rpartition("\n")[0]
    return f"{text}\n" if text else ""


def _conventions(named: Sequence[tuple[Part, SentFile]]) -> Part | None:
    if not named:
        return None
    (part, sent), *_ = named
    return Part(sent.path, f"{words()['conventions']}\n{part.text}")


def _warnings(diff: changes.Diff, here: Path) -> tuple[str, ...]:
    """What of the changes is not under review, or is called otherwise than from here."""
    found = [diff.untracked] if diff.untracked else []
    if os.path.realpath(diff.top) != os.path.realpath(here):
        found.append(f"the paths of the diff are relative to {diff.top}")
    if "\ufffd" in diff.text and diff.text.encode() != diff.raw:
        found.append("bytes of the diff that are not UTF-8 text are shown as \ufffd")
    return tuple(found)
