"""What ``doctor`` says: one line for each thing it looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from privacy_gate.errors import PrivacyGateError

Status = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``ok``; ``note``: worth knowing, nothing is wrong; ``problem``: a run would suffer from it,
    and ``action`` says what to do."""

    topic: str
    status: Status
    message: str
    action: str = ""


def problem(topic: str, error: PrivacyGateError) -> list[Finding]:
    """An error as findings: one for each line, since a configuration tells all at once."""
    where = f"{error.location}: " if error.location else ""
    first, *others = error.message.split("\n")
    lines = [f"{where}{first}", *others]
    return [
        Finding(topic, "problem", line, (error.hint or "") if line is lines[-1] else "")
        for line in lines
    ]


def any_problem(findings: Iterable[Finding]) -> bool:
    """Whether something is wrong."""
    return any(found.status == "problem" for found in findings)
