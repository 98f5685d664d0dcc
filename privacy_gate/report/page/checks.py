"""The checks as a page shows them: rows of a table, a matrix of attacks and budgets, the worst."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privacy_gate.domain import Check, Comparison, Report
from privacy_gate.report.page import svg
from privacy_gate.report.page.order import by_budget, worst_first
from privacy_gate.report.page.reading import measured, measured_briefly, observable
from privacy_gate.report.page.svg import Drawing, Scale
from privacy_gate.report.page.values import (
    NOTHING,
    clean,
    exact,
    figure,
    metric_words,
    number,
    p_value,
    signed,
    text,
)

_STRIP = 148.0


@dataclass(frozen=True, slots=True)
class Row:
    """One check, every field a text. ``anchor`` is the id of its row in the table of checks."""

    anchor: str
    verdict: str
    id: str
    attack: str
    metric: str
    value: str
    budget: str
    null: str
    p: str
    method: str
    change: str
    change_word: str
    message: str
    advice: str
    waiver: str
    place: str
    warned: bool
    strip: Drawing


@dataclass(frozen=True, slots=True)
class Group:
    """The checks of one budget: the worst of them, how many have each verdict, and the advice for
    the worst, unless a group before gives the same."""

    title: str
    worst: Row
    counts: tuple[tuple[str, int], ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One check in the matrix: its verdict, its estimate, and the row it stands for."""

    verdict: str
    value: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Checks:
    """All views of a report's checks."""

    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    columns: tuple[str, ...]
    matrix: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    compared: bool
    informational: tuple[Row, ...]


def checks_view(report: Report, prefix: str) -> Checks:
    """The views; ids start with ``prefix``."""
    ordered = worst_first(report.checks)
    rows = {id(check): _row(check, f"{prefix}c{n}", report) for n, check in enumerate(ordered)}
    groups = by_budget(report.checks)
    return Checks(
        rows=tuple(rows[id(check)] for check in ordered),
        groups=tuple(_groups(groups, rows)),
        **_matrix(report, ordered, rows),
        compared=any(check.baseline is not None for check in report.checks),
        informational=tuple(
            _row(check, f"{prefix}i{n}", report)
            for n, check in enumerate(worst_first(report.informational))
        ),
    )


def _groups(groups: Sequence[Sequence[Check]], rows: Mapping[int, Row]) -> Iterator[Group]:
    given: set[str] = set()
    for group in groups:
        worst = rows[id(group[0])]
        advice = "" if worst.advice in given else worst.advice
        given.add(advice)
        yield Group(_title(group[0]), worst, _counts(group), advice)


def _matrix(report: Report, ordered: Sequence[Check], rows: Mapping[int, Row]) -> dict[str, Any]:
    """``columns``: titles of the budgets in the report's order; ``matrix``: (attack, a cell per
    budget), the worst attack first."""
    columns = list(dict.fromkeys(_title(check) for check in report.checks))
    cells: dict[str, dict[str, Cell]] = {}
    for check in ordered:
        row = rows[id(check)]
        cells.setdefault(clean(check.attack), {}).setdefault(
            _title(check), Cell(check.verdict, measured_briefly(check), row.anchor)
        )
    return {
        "columns": tuple(columns),
        "matrix": tuple(
            (attack, tuple(found.get(column) for column in columns))
            for attack, found in cells.items()
        ),
    }


def _title(check: Check) -> str:
    words = metric_words(check.metric, check.arguments, check.increase)
    return f"{words} ≤\u00a0{exact(check.budget)}"


def _counts(checks: Sequence[Check]) -> tuple[tuple[str, int], ...]:
    verdicts = [check.verdict for check in checks]
    return tuple((verdict, verdicts.count(verdict)) for verdict in dict.fromkeys(verdicts))


def _row(check: Check, anchor: str, report: Report) -> Row:
    null = check.null if check.metric in ("log_mia", "auc") else None
    change, word = _change(check.baseline)
    path = clean(check.path) if check.path else text(report.config, "path")
    return Row(
        anchor=anchor,
        verdict=check.verdict,
        id=clean(check.id),
        attack=clean(check.attack),
        metric=metric_words(check.metric, check.arguments, check.increase),
        value=measured(check),
        budget=exact(check.budget),
        null=figure(null),
        p=p_value(check.p_value),
        method=clean(check.method or NOTHING),
        change=change,
        change_word=word,
        message=clean(check.message),
        advice=clean(check.advice),
        waiver=_waiver(check),
        place=f"{path}:{check.line}" if check.line is not None else path,
        warned=check.warned,
        strip=_strip(check),
    )


def _waiver(check: Check) -> str:
    if check.waiver is None:
        return ""
    until, who = text(check.waiver, "until"), text(check.waiver, "approved_by")
    return (
        f"Waived until {until or 'an unknown day'}: {text(check.waiver, 'reason')}"
        + (f" Approved by {who}." if who else "")
    )  # fmt: skip


def _change(comparison: Comparison | None) -> tuple[str, str]:
    """The difference to the baseline with its interval, and in words."""
    if comparison is None:
        return NOTHING, ""
    paired = "" if comparison.paired else ", unpaired"
    if number(comparison.difference) is None:
        return NOTHING, f"{comparison.word}{paired}"
    numbers = (
        f"{signed(comparison.difference)} [{signed(comparison.low)}, {signed(comparison.high)}]"
    )
    return numbers.replace(" ", "\u00a0"), f"{comparison.word}{paired}"


def _strip(check: Check) -> Drawing:
    """Interval, estimate and chance on a line whose middle is the budget: what lies right of it is
    too much. Each half has its own scale."""
    estimate, low, high = number(check.estimate), number(check.low), number(check.high)
    budget = number(check.budget)
    if estimate is None or low is None or high is None or budget is None:
        return Drawing("")
    ends = (min(low, -budget), max(high, 2 * budget)) if check.increase else (0.0, 1.0)
    middle = _STRIP / 2
    below, above = Scale(ends[0], budget, 4, middle), Scale(budget, ends[1], middle, _STRIP - 4)

    def x(value: float) -> float:
        return below(value) if value <= budget else above(value)

    null = number(check.null) if check.metric in ("log_mia", "auc") else None
    dot = svg.element("circle", cx=x(estimate), cy=10, r=3.6, class_="dot")
    return svg.element(
        "svg",
        svg.line(4, 10, _STRIP - 4, 10, "track"),
        *([] if null is None else [svg.diamond(x(null), 10, 5.5, "null")]),
        svg.line(middle, 1, middle, 19, "budget"),
        svg.line(x(low), 10, x(high), 10, "whisker wide"),
        *([dot] if observable(check) else []),
        preserveAspectRatio="xMinYMid",
        class_="strip",
        viewBox=f"0 0 {_STRIP:g} 20",
        aria_hidden="true",
    )
