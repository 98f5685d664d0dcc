"""The ROC curve of one attack as a picture: log–log, with its band, chance and the budgets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from privacy_gate.domain import AttackResult, Check
from privacy_gate.report.page import svg
from privacy_gate.report.page.reading import measured, observable
from privacy_gate.report.page.svg import Drawing, Picture, Scale
from privacy_gate.report.page.values import exact, figure, number, numbers

_LEFT, _RIGHT = 52.0, svg.WIDTH - 8.0
_TOP, _BOTTOM = 8.0, 296.0
_HEIGHT = _BOTTOM + 42.0
_LEAST = 1e-7
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class _Point:
    fpr: float
    tpr: float
    low: float
    high: float


def roc(attack: AttackResult, checks: Sequence[Check], identifier: str) -> Picture | None:
    """The curve of an attack, and the budgets of those of its ``checks`` that bound TPR at an FPR.
    ``None`` where no curve was recorded.

    The curve and its lower bounds hold for every larger FPR, an upper bound for every smaller one:
    all are drawn as stairs, without interpolation. Left of one false positive (FPR 1/m) is nothing.
    """
    points = _points(attack.roc)
    seen = [point for point in points if point.fpr > 0]
    if not seen:
        return None
    marks = [
        (rate, check)
        for check in checks
        if check.metric == "tpr_at_fpr" and not check.increase and number(check.budget) is not None
        if (rate := number(check.arguments.get("fpr"))) and 0 < rate < 1
    ]
    smallest = seen[0].fpr
    x, y = _scales(smallest, marks)
    below = f"FPR below {figure(smallest, 4)} (one non-member) cannot be observed"
    title = f"ROC curve of {attack.name}"
    words = [
        f"TPR at FPR {exact(rate)}: {measured(check)}, budget {exact(check.budget)}."
        for rate, check in marks
    ]
    drawing = svg.svg(
        identifier,
        _HEIGHT,
        title,
        " ".join(["True positive rate against false positive rate.", *words, f"{below}."]),
        *_zone(smallest, x),
        *_axes(x, y),
        svg.path(_band(seen, x, y), "band", closed=True),
        svg.line(x(x.low), y(x.low), x(1), y(1), "chance"),
        svg.path([(x(a), y(b)) for a, b in svg.steps((p.fpr, p.tpr) for p in seen)], "curve"),
        *[_budget(rate, check, x, y) for rate, check in marks],
    )
    return Picture(
        id=identifier,
        title="ROC curve",
        drawing=drawing,
        columns=("FPR", "TPR", "low", "high"),
        rows=tuple((_rate(p.fpr), figure(p.tpr), figure(p.low), figure(p.high)) for p in points),
        key=(
            ("curve", "measured"),
            ("band", "pointwise confidence band"),
            ("chance", "chance"),
            *((("budget", "budget"), ("whisker", "interval of the check")) if marks else ()),
            ("zone", "not observable"),
        ),
        notes=(f"Both axes are logarithmic. {below}.",),
    )


def _points(content: Mapping[str, object]) -> list[_Point]:
    columns = [numbers(content, key) for key in ("fpr", "tpr", "low", "high")]
    points = [
        _Point(*(min(max(value, 0.0), 1.0) for value in row if value is not None))
        for row in zip(*columns, strict=False)
        if None not in row
    ]
    return sorted(points, key=lambda point: point.fpr)


def _scales(smallest: float, marks: Sequence[tuple[float, Check]]) -> tuple[Scale, Scale]:
    """Both axes from below the smallest rate that can be seen, or has a budget, to 1."""
    wanted = [rate for rate, _ in marks] + [check.budget for _, check in marks]
    lowest = min([smallest / 2.5, *(value / 1.5 for value in wanted if 0 < value <= 1)])
    lowest = max(min(lowest, 0.5), _LEAST)
    return (
        Scale(lowest, 1.0, _LEFT, _RIGHT, logarithmic=True),
        Scale(lowest, 1.0, _BOTTOM, _TOP, logarithmic=True),
    )


def _zone(smallest: float, x: Scale) -> list[Drawing]:
    """What no record could show: hatched, with its reason where there is room for it."""
    end = x(smallest)
    parts = [svg.rectangle(_LEFT, _TOP, end - _LEFT, _BOTTOM - _TOP, "zone")]
    if end - _LEFT >= 16:
        middle = (_LEFT + end) / 2 + 4
        words = svg.element(
            "text",
            "not observable",
            class_="small halo",
            text_anchor="middle",
            transform=f"translate({middle:.1f} {_TOP + 62:.1f}) rotate(-90)",
        )
        parts.append(words)
    return parts


def _axes(x: Scale, y: Scale) -> list[Drawing]:
    parts = []
    for tick in svg.decades(x.low, 1.0):
        parts += [
            svg.line(x(tick), _TOP, x(tick), _BOTTOM, "grid"),
            svg.line(_LEFT, y(tick), _RIGHT, y(tick), "grid"),
            svg.label(
                x(tick), _BOTTOM + 16, _decade(tick), anchor="end" if tick == 1 else "middle"
            ),
            svg.label(_LEFT - 6, y(tick) + 4, _decade(tick), anchor="end"),
        ]
    middle = (_LEFT + _RIGHT) / 2
    return [
        *parts,
        svg.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"),
        svg.line(_LEFT, _TOP, _LEFT, _BOTTOM, "axis"),
        svg.label(middle, _BOTTOM + 34, "false positive rate (FPR)", anchor="middle"),
        svg.element(
            "text",
            "true positive rate (TPR)",
            text_anchor="middle",
            transform=f"translate(11 {(_TOP + _BOTTOM) / 2:.1f}) rotate(-90)",
        ),
    ]


def _band(points: Sequence[_Point], x: Scale, y: Scale) -> list[tuple[float, float]]:
    lower = svg.steps((point.fpr, point.low) for point in points)
    upper = svg.steps(((point.fpr, point.high) for point in points), ahead=True)
    return [(x(a), y(b)) for a, b in (*lower, *reversed(upper))]


def _budget(rate: float, check: Check, x: Scale, y: Scale) -> Drawing:
    """The budget as a ceiling with its value, and the interval that is judged by it; no estimate
    where none can be observed."""
    at, ceiling = x(rate), y(check.budget)
    parts = []
    low, high, estimate = number(check.low), number(check.high), number(check.estimate)
    if low is not None and high is not None and estimate is not None:
        parts += [
            svg.line(at, y(low), at, y(high), "whisker"),
            svg.line(at - 4, y(high), at + 4, y(high), "whisker"),
            svg.line(at - 4, y(low), at + 4, y(low), "whisker"),
        ]
        if observable(check):
            parts.append(svg.element("circle", cx=at, cy=y(estimate), r=3.2, class_="dot"))
    parts += [
        svg.line(at - 13, ceiling, at + 13, ceiling, "budget"),
        svg.path([(at - 4, ceiling - 6), (at + 4, ceiling - 6), (at, ceiling)], "cap", closed=True),
        svg.label(at - 16, ceiling + 4, f"≤ {exact(check.budget)}", "small halo", "end"),
    ]
    return svg.group(*parts)


def _rate(value: float) -> str:
    return "0 (no false positive)" if value == 0 else figure(value, 4)


def _decade(value: float) -> str:
    power = round(math.log10(value))
    return f"{value:g}" if power >= -3 else f"10{str(power).translate(_SUPERSCRIPT)}"
