"""What to do next, in the order in which it is likely to help; all of it is in the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from privacy_gate.domain import Check, Report, Verdict
from privacy_gate.report.page.order import worst_first
from privacy_gate.report.page.values import bound, clean, counted, exact, text

MOST_CURES = 4
"""Cures of inconclusive checks that are named one by one."""

MOST_ITEMS = 6
"""Items that a step names one by one."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. ``why``: what it is expected to change; ``items``: what it concerns."""

    action: str
    why: str
    items: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The first items, and how many more there are."""
        more = len(self.items) - MOST_ITEMS
        return (*self.items[:MOST_ITEMS], f"and {more} more") if more > 1 else self.items


def next_steps(report: Report) -> list[Step]:
    """Steps, the most effective first; empty if nothing is left to do."""
    return [
        *_error(report),
        *_terms(report),
        *_not_run(report),
        *_failed(report),
        *_undecided(report),
        *_waived(report),
        *_better(report),
        *_cautions(report),
    ]


def _error(report: Report) -> Iterator[Step]:
    if report.error is not None:
        hint = text(report.error, "hint") or "Correct what the error names."
        yield Step(hint, "The run ended in an error; until it runs, nothing is known.")


def _terms(report: Report) -> Iterator[Step]:
    blocking = [change for change in report.changes if change.blocking]
    if blocking:
        yield Step(
            "Take these changes of the terms back, or have them accepted on the base branch first.",
            "They fail the run whatever was measured.",
            tuple(clean(change.key) for change in blocking),
        )


def _not_run(report: Report) -> Iterator[Step]:
    waiting = _with(report, "not_run")
    if waiting:
        yield Step(
            "Run every configured check.",
            f"{_have(waiting)} no verdict, and without one the run cannot pass.",
            tuple(dict.fromkeys(clean(check.message) for check in waiting)),
        )


def _failed(report: Report) -> Iterator[Step]:
    for advice, checks in _grouped(_with(report, "fail")):
        worst = checks[0]
        yield Step(
            advice or "Read the messages of the failed checks.",
            f"{counted(len(checks), 'check fails', 'checks fail')}; the worst is {clean(worst.id)}"
            f" with {bound(worst.low, worst.budget)} at least against a budget of"
            f" {exact(worst.budget)}.",
        )


def _undecided(report: Report) -> Iterator[Step]:
    """The cures shared by most checks first; the checks' own order decides between equals."""
    groups = _grouped(_with(report, "inconclusive"))
    groups.sort(key=lambda group: -len(group[1]))
    for advice, checks in groups[:MOST_CURES]:
        yield Step(
            advice or clean(checks[0].message),
            f"{counted(len(checks), 'check is', 'checks are')} inconclusive for this reason.",
            tuple(clean(check.id) for check in checks),
        )
    rest = [check for _, checks in groups[MOST_CURES:] for check in checks]
    if rest:
        yield Step(
            "See the table of checks for the rest.",
            f"{counted(len(rest), 'more check is', 'more checks are')} inconclusive, each with a"
            " cure of its own.",
            tuple(clean(check.id) for check in rest),
        )


def _waived(report: Report) -> Iterator[Step]:
    verdicts = {clean(check.id): check.verdict for check in report.checks}
    for waiver in report.waivers:
        subject, until = text(waiver, "check"), text(waiver, "until")
        verdict = verdicts.get(subject)
        if verdict == "pass":
            yield Step(f"Remove the waiver of {subject}.", "The check passes without it.")
        elif verdict is None and "inconclusive" not in verdicts.values():
            continue  # it tolerates what did not happen
        elif waiver.get("expired"):
            why = f"Its waiver ended on {until} and excuses nothing any more."
            yield Step(f"See to {subject}, or have the waiver renewed.", why)
        else:
            yield Step(f"See to {subject} by {until}.", "From the day after, it counts again.")


def _better(report: Report) -> Iterator[Step]:
    """Budgets that a credible improvement leaves too loose."""
    better = [
        check
        for check in worst_first(report.checks)
        if check.verdict == "pass" and not check.increase
        if check.advice or (check.baseline is not None and check.baseline.word == "lower")
    ]
    if better:
        yield Step(
            "Tighten the budgets of what got better than the baseline.",
            f"{counted(len(better), 'check')} got credibly better; only a tighter budget keeps it.",
            tuple(f"{clean(check.id)}: {_tighter(check)}" for check in better),
        )


def _tighter(check: Check) -> str:
    measured = f"at most {bound(check.high, check.budget)} here, budget {exact(check.budget)}"
    return clean(check.advice) or measured


def _cautions(report: Report) -> Iterator[Step]:
    if report.cautions:
        yield Step(
            f"Read the {counted(len(report.cautions), 'caution')} below.",
            "They limit what this verdict says.",
        )


def _with(report: Report, verdict: Verdict) -> list[Check]:
    return worst_first(check for check in report.checks if check.verdict == verdict)


def _grouped(checks: Sequence[Check]) -> list[tuple[str, list[Check]]]:
    """The checks of each advice, in order."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(clean(check.advice), []).append(check)
    return list(groups.items())


def _have(checks: Sequence[Check]) -> str:
    return counted(len(checks), "check has", "checks have")
