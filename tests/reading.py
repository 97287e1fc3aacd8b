"""Prompts that the tests read, as ``prompt.read`` does for the command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from litellm_skill import prompt
from litellm_skill.faults import BadInput, SecretFound
from litellm_skill.prompt import Inputs, Prompt

posix = pytest.mark.skipif(os.name == "nt", reason="needs FIFOs, terminals and links")


def read(directory: Path, stdin: BinaryIO | None = None, max_bytes: int = 2_000_000, **named: object) -> Prompt:
    return prompt.read(Inputs(**named), stdin=stdin, directory=directory, max_bytes=max_bytes)


def refusal(directory: Path, stdin: BinaryIO | None = None, max_bytes: int = 2_000_000, **named: object) -> str:
    """Message and hint of the ``BadInput`` or ``SecretFound`` that ``named`` leads to; each is one line."""
    with pytest.raises((BadInput, SecretFound)) as caught:
        read(directory, stdin, max_bytes, **named)
    fault = caught.value
    assert fault.hint
    assert "\n" not in fault.message + fault.hint
    return f"{fault.message} | {fault.hint}"


@contextmanager
def pipe(content: bytes = b"", *, ends: bool = True) -> Iterator[BinaryIO]:
    """The reading end of a pipe that holds ``content``, and then ends or stays open."""
    reader, writer = os.pipe()
    os.write(writer, content)
    if ends:
        os.close(writer)
    with open(reader, "rb") as stream:
        yield stream
    if not ends:
        os.close(writer)
