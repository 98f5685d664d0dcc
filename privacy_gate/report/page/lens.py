"""The calibration lens as a page, a comment and a terminal show it: calibration beside leakage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privacy_gate.domain import Report
from privacy_gate.report.page import svg
from privacy_gate.report.page.attacks import Table
from privacy_gate.report.page.svg import WIDTH, Drawing, Picture, Scale
from privacy_gate.report.page.values import (
    NOTHING,
    clean,
    entries,
    exact,
    figure,
    number,
    section,
    share,
    text,
)

_TOP, _ROW = 6.0, 28.0
_ERRORS, _AREAS = (96.0, 212.0), (240.0, WIDTH - 14.0)
"""Where the two axes begin and end."""
_LONGEST_NAME = 14
"""Longer than any name of ours: a foreign report must not run out of the picture."""


@dataclass(frozen=True, slots=True)
class LensView:
    """``sentence``: what calibration did to leakage; ``picture``: one mark a variant."""

    sentence: str
    tables: tuple[Table, ...]
    picture: Picture | None
    notes: tuple[str, ...]


def lens_view(report: Report, prefix: str = "") -> LensView | None:
    """The lens, ``None`` where there is none; ids start with ``prefix``."""
    found = report.calibration
    variants = entries(found, "variants")
    if found is None or not variants:
        return None
    return LensView(
        lens_sentence(report),
        (_calibrations(found, f"{prefix}lens-errors"), *_leaks(found, variants, prefix)),
        _picture(variants, f"{prefix}lens-picture"),
        tuple(
            f"{text(missing, 'name')}: not tried, {text(missing, 'reason')}."
            for missing in entries(found, "missing")
        ),
    )


def lens_sentence(report: Report) -> str:
    """``ECE and strongest AUC``, as the model is and for each variant; empty without variants."""
    parts = [
        f"{text(variant, 'words')}: ECE {figure(section(variant, 'ece').get('estimate'))}, AUC"
        f" {figure(section(attack, 'auc').get('estimate'))} ({text(attack, 'name')})"
        for variant in entries(report.calibration, "variants")
        for attack in _strongest(variant)
    ]
    return "; ".join(parts)


def _strongest(variant: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The attack with the largest AUC, or none."""
    attacks = entries(variant, "attacks")
    attacks.sort(key=lambda attack: -(number(section(attack, "auc").get("estimate")) or 0.0))
    return attacks[:1]


def _calibrations(found: Mapping[str, Any], identifier: str) -> Table:
    rows = tuple(
        (
            text(variant, "name"),
            text(variant, "words"),
            share(section(variant, "ece")),
            share(section(variant, "overconfidence_error")),
            figure(variant.get("accuracy")),
        )
        for variant in entries(found, "variants")
    )
    columns = (
        "variant",
        "answers",
        "expected calibration error",
        "overconfidence error",
        "accuracy",
    )
    note = (
        f"On evaluation non-members, {exact(found.get('bins'))} bins; fitted on"
        f" {exact(found.get('calibration_records'))} calibration non-members."
    )
    return Table(identifier, "Calibration of each variant", columns, rows, note)


def _leaks(
    found: Mapping[str, Any], variants: Sequence[Mapping[str, Any]], prefix: str
) -> Iterator[Table]:
    """What each attack finds: one row an attack, one column a variant."""
    names = list(
        dict.fromkeys(
            text(attack, "name") for variant in variants for attack in entries(variant, "attacks")
        )
    )
    fpr = exact(found.get("fpr"))
    for key, caption in (("auc", "AUC of each variant"), ("tpr", f"TPR at FPR {fpr}")):
        values = [
            {text(one, "name"): share(section(one, key)) for one in entries(variant, "attacks")}
            for variant in variants
        ]
        rows = tuple((name, *(of.get(name, NOTHING) for of in values)) for name in names)
        columns = ("attack", *(text(variant, "name") for variant in variants))
        yield Table(f"{prefix}lens-{key}", caption, columns, rows)


def _picture(variants: Sequence[Mapping[str, Any]], identifier: str) -> Picture | None:
    """A row a variant: its calibration error on the left, the AUC of its strongest attack on the
    right, each with its interval."""
    points = [point for variant in variants for point in _point(variant)]
    if len(points) < 2:
        return None
    bottom = _TOP + _ROW * len(points)
    error = Scale(0, max(point.error[2] for point in points) or 0.01, *_ERRORS)
    low = min(0.5, *(point.area[1] for point in points))
    area = Scale(low, max(0.55, *(point.area[2] for point in points)), *_AREAS)
    title = "Calibration error and strongest attack of each variant"
    words = (f"{point.name}: ECE {point.error[0]:.3f}, AUC {point.area[0]:.3f}" for point in points)
    drawing = svg.svg(
        identifier,
        bottom + 40,
        title,
        "; ".join(words),
        *_axis(error, bottom, "calibration error"),
        *_axis(area, bottom, "AUC"),
        svg.line(area(0.5), _TOP, area(0.5), bottom, "chance"),
        *(
            part
            for place, point in enumerate(points)
            for part in _row(point, _TOP + _ROW * (place + 0.5), error, area)
        ),
    )
    return Picture(
        id=identifier,
        title="Calibration and leakage",
        drawing=drawing,
        columns=("variant", "ECE", "low", "high", "AUC", "low", "high"),
        rows=tuple((p.name, *map(figure, p.error), *map(figure, p.area)) for p in points),
        notes=("The dashed line is what guessing gives. Further left is better, on both sides.",),
    )


@dataclass(frozen=True, slots=True)
class _Point:
    """``error`` and ``area`` as (estimate, low, high)."""

    name: str
    error: tuple[float, float, float]
    area: tuple[float, float, float]


def _point(variant: Mapping[str, Any]) -> Iterator[_Point]:
    """The row of a variant, if all of its numbers are there."""
    for attack in _strongest(variant):
        error, area = _three(section(variant, "ece")), _three(section(attack, "auc"))
        if error is not None and area is not None:
            yield _Point(clean(text(variant, "name"))[:_LONGEST_NAME], error, area)


def _three(interval: Mapping[str, Any]) -> tuple[float, float, float] | None:
    estimate, low, high = (number(interval.get(key)) for key in ("estimate", "low", "high"))
    if estimate is None or low is None or high is None:
        return None
    return estimate, low, high


def _axis(scale: Scale, bottom: float, name: str) -> Iterator[Drawing]:
    yield svg.line(scale.start, bottom, scale.end, bottom, "axis")
    for value in svg.rounds(scale.low, scale.high, 3):
        yield svg.line(scale(value), bottom, scale(value), bottom + 4, "axis")
        yield svg.label(scale(value), bottom + 16, f"{value:.3g}", anchor="middle")
    yield svg.label((scale.start + scale.end) / 2, bottom + 34, name, anchor="middle")


def _row(point: _Point, y: float, error: Scale, area: Scale) -> Iterator[Drawing]:
    yield svg.label(0, y + 4, point.name)
    for scale, (estimate, low, high) in ((error, point.error), (area, point.area)):
        yield svg.line(scale(low), y, scale(high), y, "whisker")
        yield svg.element("circle", cx=scale(estimate), cy=y, r=3.6, class_="dot")
