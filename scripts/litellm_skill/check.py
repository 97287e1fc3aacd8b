"""One thing that doctor looked at: what it is, whether it works, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from litellm_skill.faults import Fault

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True)
class Check:
    """``status``: ok, warning or error; ``fix``: the command or setting that mends it, "" where nothing is to mend."""

    subject: str
    status: str
    what: str
    fix: str = ""

    @property
    def text(self) -> str:
        """A line; steps of a fix stand below it, a line each."""
        steps = self.fix.split("\n") if self.fix else []
        below = "".join(f"\n{' ' * 9}{step}" for step in steps) if len(steps) > 1 else f" -> {self.fix}" * bool(steps)
        return f"{self.status:<8} {self.subject}: {' '.join(self.what.split())}{below}"

    @property
    def document(self) -> Mapping[str, str]:
        return asdict(self)


def of_fault(subject: str, fault: Fault, status: str = ERROR) -> Check:
    return Check(subject, status, fault.message, fault.hint)
