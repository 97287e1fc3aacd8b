"""What this command prints: the answer on stdout, everything else on stderr, and no key on either."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import Any, TextIO

from litellm_skill import report, screen
from litellm_skill.answer import Answer
from litellm_skill.faults import Fault
from litellm_skill.host import Host


@dataclass(frozen=True)
class Console:
    """``secrets`` are the values redacted from everything that is printed."""

    out: TextIO
    err: TextIO
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    host: Host | None = None
    secrets: tuple[str, ...] = ()

    @property
    def streams(self) -> bool:
        """Whether text is shown as it comes: not inside a JSON document, nor where a host gets it fenced."""
        return not self.json and self.host is None

    def redact(self, text: str) -> str:
        return screen.redact(text, self.secrets)

    def note(self, text: str) -> None:
        """Something the reader may want to know; ``--quiet`` leaves it out."""
        if not self.quiet:
            self._complain(text)

    def fault(self, fault: Fault) -> None:
        self._complain(f"error: {fault.message}")
        if fault.hint:
            self._complain(f"next: {fault.hint}")

    def trace(self, error: BaseException) -> None:
        """With ``--verbose`` the traceback, without keys."""
        if self.verbose:
            import traceback

            write(self.err, self.redact("".join(traceback.format_exception(error))))

    def show(self, text: str) -> None:
        """A piece of the answer, as text."""
        write(self.out, report.printable(self.redact(text)))

    def document(self, document: Any) -> None:
        safe = screen.redact_values(document, self.secrets)
        write(self.out, json.dumps(safe, ensure_ascii=False, indent=2) + "\n")

    def answer_for_host(self, answer: Answer) -> None:
        self.text_for_host(answer.text, answer.model_used or answer.model_requested, answer.result_file)

    def text_for_host(self, text: str, source: str, result_file: str | None) -> None:
        shown = report.for_host(self.redact(text), source, result_file, os.urandom(6).hex())
        write(self.out, self.redact(shown))

    def _complain(self, text: str) -> None:
        write(self.err, report.one_line(self.redact(text)) + "\n")


def standard(*, json: bool = False, host: Host | None = None) -> Console:
    """The process's own streams, as UTF-8 whatever the locale says."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  for the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    return Console(sys.stdout, sys.stderr, json=json, host=host)


def write(stream: TextIO, text: str) -> None:
    """Write and flush; a reader that has gone away is no error. Nor does a full disk end the call, for the answer is
    kept elsewhere: the last flush of the process tries again, and its failure is exit code 1."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except OSError:
        return
