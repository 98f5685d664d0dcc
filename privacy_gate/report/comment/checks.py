"""The checks of a report as tables: verdict, numbers, budget, and the change to the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from privacy_gate.domain import Check
from privacy_gate.report.comment.escape import code, text
from privacy_gate.report.comment.markup import ICONS, table
from privacy_gate.report.page.headline import word
from privacy_gate.report.page.order import by_budget, worst_first
from privacy_gate.report.page.values import exact, figure, interval, number, signed

SHOWN = 8
"""Budgets that are shown at a glance."""


def worst(checks: Sequence[Check]) -> list[list[Check]]:
    """The checks of each budget, worst first; the budgets that are worst off, at most ``SHOWN``."""
    return by_budget(checks)[:SHOWN]


def rest(checks: Iterable[Check], shown: Iterable[Check]) -> list[Check]:
    """The checks that are not ``shown``, worst first."""
    known = {id(check) for check in shown}
    return [check for check in worst_first(checks) if id(check) not in known]


def budget_table(groups: Sequence[Sequence[Check]]) -> str:
    """One row a budget: its worst check, and how many checks have which verdict."""
    return _table(
        [group[0] for group in groups],
        "worst check of each budget",
        "all of this budget",
        [tally(group) for group in groups],
    )


def check_table(checks: Sequence[Check]) -> str:
    """One row a check."""
    return _table(checks, "check", "", [])


def _table(checks: Sequence[Check], title: str, last: str, notes: Sequence[str]) -> str:
    """The column of changes only where one has been compared; ``notes`` in a ``last`` column."""
    changes = any(check.baseline is not None for check in checks)
    header = ["verdict", title, "measured", "budget", *(["against the baseline"] * changes)]
    rows = [
        [
            _verdict(check),
            code(check.id),
            measured(check),
            text(f"≤ {exact(check.budget)}"),
            *([_comparison(check)] * changes),
        ]
        for check in checks
    ]
    if notes:
        header.append(last)
        rows = [[*row, note] for row, note in zip(rows, notes, strict=True)]
    return table(header, rows)


def measured(check: Check) -> str:
    """Estimate and interval, and the value without leakage where that is not 0."""
    shown = interval(check.estimate, check.low, check.high, check.budget)
    if check.metric == "log_mia" and number(check.null) is not None:
        shown += f"; null {figure(check.null)}"
    return text(shown)


def tally(checks: Iterable[Check]) -> str:
    """``2 fail, 1 inconclusive, 3 pass``."""
    words = [word(check.verdict) for check in worst_first(checks)]
    return ", ".join(f"{words.count(each)} {each}" for each in dict.fromkeys(words))


def compared(checks: Iterable[Check]) -> str:
    """How many checks differ credibly from the baseline; empty where none was compared."""
    found = [check.baseline.word for check in checks if check.baseline is not None]
    words = [f"{found.count(each)} {each}" for each in ("higher", "within noise", "lower")]
    return f"Against the baseline: {', '.join(words)}." if found else ""


def _verdict(check: Check) -> str:
    warned = ", above `warn_at`" if check.warned else ""
    return f"{ICONS[check.verdict]} {word(check.verdict)}{warned}"


def _comparison(check: Check) -> str:
    """The difference to the baseline, and whether it can be told from none."""
    found = check.baseline
    if found is None or number(found.difference) is None:
        return "not compared"
    numbers = text(f"{signed(found.difference)} [{signed(found.low)}, {signed(found.high)}]")
    told = found.word if found.word == "within noise" else f"**{found.word}**"
    return f"{numbers}, {told}" + ("" if found.paired else ", unpaired")
