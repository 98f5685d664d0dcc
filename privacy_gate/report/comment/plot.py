"""A ROC as plain text, both axes logarithmic: what a comment can show, which holds no images.

Mermaid charts have no logarithmic axes, and on linear ones the low rates that matter here, FPR 1 %
and below, are one pixel wide; they are also not drawn in mails. So the picture is text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from privacy_gate.report.page.values import exact, numbers

COLUMNS = 49
ROWS = 13
_MOST_DECADES = 6
_ROUNDING = 1e-9

Point = tuple[float, float, float | None, float | None]
"""Rate on the x-axis, rate on the y-axis, and the bounds of the latter where there are any."""


@dataclass(frozen=True, slots=True)
class Axes:
    """Names of the rates, and ``smallest``: the lowest rate on the x-axis that is observable."""

    x: str
    y: str
    smallest: float


def roc_plot(
    roc: Mapping[str, object],
    nonmembers: float,
    budgets: Iterable[tuple[float, float]] = (),
) -> str | None:
    """TPR against FPR with its band, for at least one non-member; ``budgets`` are pairs (FPR,
    budget). ``None`` if no point of the curve can be drawn."""
    low, high = numbers(roc, "low"), numbers(roc, "high")
    rates = _rates(roc)
    banded = len(low) == len(high) == len(rates)
    points = [
        (*rate, *((low[place], high[place]) if banded else (None, None)))
        for place, rate in enumerate(rates)
        if rate is not None
    ]
    return _plot(points, Axes("FPR", "TPR", 1 / nonmembers), budgets)


def reversed_plot(
    roc: Mapping[str, object],
    members: float,
    budgets: Iterable[tuple[float, float]] = (),
) -> str | None:
    """TNR against FNR: the same curve seen from the other side; ``budgets`` are pairs (FNR,
    budget). It has no band: the report holds that of the TPR only."""
    points = [(1 - rate[1], 1 - rate[0], None, None) for rate in _rates(roc) if rate is not None]
    return _plot(points, Axes("FNR", "TNR", 1 / members), budgets)


def _rates(roc: Mapping[str, object]) -> list[tuple[float, float] | None]:
    """(FPR, TPR) of each point; ``None`` for what is no pair of rates."""
    pairs = zip(numbers(roc, "fpr"), numbers(roc, "tpr"), strict=False)
    return [
        (x, y) if x is not None and y is not None and 0 <= x <= 1 and 0 <= y <= 1 else None
        for x, y in pairs
    ]


def _plot(
    points: Sequence[Point], axes: Axes, budgets: Iterable[tuple[float, float]]
) -> str | None:
    decades = min(_MOST_DECADES, max(1, math.ceil(-math.log10(axes.smallest) - _ROUNDING)))
    cells = [[" "] * COLUMNS for _ in range(ROWS)]
    for column in range(COLUMNS):
        cells[_below(_rate(column, decades), decades)][column] = "/"
    banded = _draw(cells, sorted(points, key=lambda point: point[:2]), axes, decades)
    if banded is None:
        return None
    marked = [_mark(cells, rate, budget, decades) for rate, budget in budgets]
    picture = [
        f"{_tick(row, decades):>8} |{''.join(line)}".rstrip() for row, line in enumerate(cells)
    ]
    legend = ["o measured", *([". its interval"] if banded else []), "/ chance"]
    legend += ["# budget"] if any(marked) else []
    return "\n".join(
        [
            f"{axes.y:>8}",
            *picture,
            " " * 9 + "+" + "-" * COLUMNS,
            " " * 10 + _labels(decades) + f"  {axes.x}",
            "   ".join(legend),
            f"{axes.x} below {axes.smallest:.2g} cannot be observed with these records.",
        ]
    )


def _draw(cells: list[list[str]], points: Sequence[Point], axes: Axes, decades: int) -> bool | None:
    """Curve and band, column by column: at each rate the last point that does not exceed it, as
    there is no interpolation. Whether there was a band; ``None`` if nothing was drawn."""
    drawn, banded, following = False, False, 0
    for column in range(COLUMNS):
        rate = _rate(column, decades)
        while following < len(points) and points[following][0] <= rate * (1 + _ROUNDING):
            following += 1
        if rate < axes.smallest * (1 - _ROUNDING) or following == 0:
            continue
        _, value, low, high = points[following - 1]
        if low is not None and high is not None:
            banded = True
            for row in range(_below(high, decades), _below(low, decades) + 1):
                if row < ROWS and cells[row][column] == " ":
                    cells[row][column] = "."
        if _below(value, decades) < ROWS:
            cells[_below(value, decades)][column] = "o"
        drawn = True
    return banded if drawn else None


def _mark(cells: list[list[str]], rate: float, budget: float, decades: int) -> bool:
    row = _below(budget, decades)
    if row == ROWS or not 10.0**-decades <= rate <= 1:
        return False
    cells[row][round((1 + math.log10(rate) / decades) * (COLUMNS - 1))] = "#"
    return True


def _rate(column: int, decades: int) -> float:
    return float(10 ** (decades * (column / (COLUMNS - 1) - 1)))


def _below(rate: float, decades: int) -> int:
    """The row of a rate, 0 at the top for 1; ``ROWS`` where it lies below the picture."""
    if rate < 10.0**-decades * (1 - _ROUNDING):
        return ROWS
    return min(ROWS - 1, max(0, round(-math.log10(min(rate, 1.0)) / decades * (ROWS - 1))))


def _tick(row: int, decades: int) -> str:
    """The rate at a row where that is a power of ten."""
    for decade in range(decades + 1):
        if round(decade / decades * (ROWS - 1)) == row:
            return exact(10.0**-decade)
    return ""


def _labels(decades: int) -> str:
    line = [" "] * (COLUMNS + 1)
    for decade in range(decades + 1):
        label = exact(10.0**-decade)
        at = round((1 - decade / decades) * (COLUMNS - 1))
        at = min(at, COLUMNS + 1 - len(label))
        if all(cell == " " for cell in line[at : at + len(label)]):
            line[at : at + len(label)] = label
    return "".join(line).rstrip()
