"""What reports stand for together: one verdict, one exit code, one folder each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from privacy_gate.domain.report import Outcome, Report
from privacy_gate.errors import ExitCode

_WORST_FIRST = (ExitCode.ERROR, ExitCode.FAIL, ExitCode.INCONCLUSIVE)
_OUTCOMES: dict[ExitCode, Outcome] = {
    ExitCode.ERROR: "error",
    ExitCode.FAIL: "fail",
    ExitCode.INCONCLUSIVE: "inconclusive",
}


def exit_code(report: Report) -> ExitCode:
    """The exit code a report stands for; an incomplete one, or one that its own checks, fixture
    checks and changes contradict, never passes."""
    if report.verdict == "pass" and report.complete:
        passed = bool(report.checks) and all(check.verdict == "pass" for check in report.checks)
        blocked = report.error is not None or any(change.blocking for change in report.changes)
        blocked = blocked or any(check.blocking for check in report.fixture_checks)
        return ExitCode.PASS if passed and not blocked else ExitCode.ERROR
    if report.verdict == "fail":
        return ExitCode.FAIL
    if report.verdict == "inconclusive":
        tolerated = report.complete and report.tolerated
        return ExitCode.PASS if tolerated else ExitCode.INCONCLUSIVE
    return ExitCode.ERROR


@dataclass(frozen=True, slots=True)
class ReportSet:
    """The reports of a run or of a matrix of jobs, one per configuration.

    ``missing``: names of configurations that must have a report and have none.
    """

    reports: tuple[Report, ...]
    missing: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """An error wins over a fail or a missing report, a fail over an inconclusive one."""
        codes = {exit_code(report) for report in self.reports}
        if self.missing:
            codes.add(ExitCode.FAIL)
        passed = ExitCode.PASS if codes else ExitCode.ERROR  # of nothing, nothing is known
        return next((code for code in _WORST_FIRST if code in codes), passed)

    @property
    def verdict(self) -> Outcome:
        """``pass`` if all pass; what is tolerated is ``inconclusive``, with exit code 0."""
        if self.exit_code != ExitCode.PASS:
            return _OUTCOMES[self.exit_code]
        passed = all(report.verdict == "pass" for report in self.reports)
        return "pass" if passed else "inconclusive"

    @property
    def complete(self) -> bool:
        """Whether every configured check of every configuration has a verdict."""
        return (
            not self.missing
            and bool(self.reports)
            and all(report.complete for report in self.reports)
        )

    @property
    def folders(self) -> tuple[str, ...]:
        """A folder per report: its name, numbered where an error left two of the same name."""
        folders: list[str] = []
        for report in self.reports:
            name, number = report.name, 2
            while name in folders:
                name, number = f"{report.name}-{number}", number + 1
            folders.append(name)
        return tuple(folders)

    def to_dict(self) -> dict[str, Any]:
        """The reports as plain JSON values."""
        return {
            "schema": "privacy-gate.reports/1",
            "verdict": self.verdict,
            "complete": self.complete,
            "missing": list(self.missing),
            "reports": [report.to_dict() for report in self.reports],
        }
