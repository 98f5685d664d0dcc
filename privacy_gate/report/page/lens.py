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

_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, WIDTH - 8.0, 12.0, 178.0
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
    """Calibration error to the right, AUC of the strongest attack upwards, with its interval."""
    points = [point for variant in variants for point in _point(variant)]
    if len(points) < 2:
        return None
    widest = max(point.error for point in points) * 1.15 or 0.01
    low = min(0.5, *(point.low for point in points))
    high = max(0.55, *(point.high for point in points))
    x, y = Scale(0, widest, _LEFT, _RIGHT), Scale(low, high, _BOTTOM, _TOP)
    title = "Calibration error and strongest attack of each variant"
    drawing = svg.svg(
        identifier,
        218,
        title,
        "; ".join(f"{point.name}: ECE {point.error:.3f}, AUC {point.area:.3f}" for point in points),
        *_axes(x, y),
        *(part for point in points for part in _mark(point, x, y)),
        svg.label((_LEFT + _RIGHT) / 2, 214, "expected calibration error", anchor="middle"),
        svg.label(_LEFT + 4, _TOP + 2, "AUC"),
    )
    return Picture(
        id=identifier,
        title="Calibration and leakage",
        drawing=drawing,
        columns=("variant", "ECE", "AUC", "low", "high"),
        rows=tuple(
            (p.name, figure(p.error), figure(p.area), figure(p.low), figure(p.high)) for p in points
        ),
        notes=("The dashed line is what guessing gives. Lower and further left is better.",),
    )


@dataclass(frozen=True, slots=True)
class _Point:
    name: str
    error: float
    area: float
    low: float
    high: float


def _point(variant: Mapping[str, Any]) -> Iterator[_Point]:
    """The mark of a variant, if all of its numbers are there."""
    for attack in _strongest(variant):
        area = section(attack, "auc")
        error = number(section(variant, "ece").get("estimate"))
        values = [number(area.get(key)) for key in ("estimate", "low", "high")]
        estimate, low, high = values
        if error is not None and estimate is not None and low is not None and high is not None:
            yield _Point(clean(text(variant, "name"))[:_LONGEST_NAME], error, estimate, low, high)


def _axes(x: Scale, y: Scale) -> Iterator[Drawing]:
    for value in svg.rounds(y.low, y.high, 4):
        yield svg.line(_LEFT, y(value), _RIGHT, y(value), "grid")
        yield svg.label(_LEFT - 6, y(value) + 4, f"{value:.4g}", anchor="end")
    for value in svg.rounds(0, x.high, 4):
        yield svg.line(x(value), _BOTTOM, x(value), _BOTTOM + 4, "axis")
        yield svg.label(x(value), _BOTTOM + 18, f"{value:.4g}", anchor="middle")
    yield svg.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis")
    yield svg.line(_LEFT, y(0.5), _RIGHT, y(0.5), "chance")


def _mark(point: _Point, x: Scale, y: Scale) -> Iterator[Drawing]:
    place = x(point.error)
    yield svg.line(place, y(point.low), place, y(point.high), "whisker")
    yield svg.element("circle", cx=place, cy=y(point.area), r=3.6, class_="dot")
    left = place > (_LEFT + _RIGHT) / 2
    yield svg.label(
        place + (-7 if left else 7),
        y(point.area) - 6,
        point.name,
        anchor="end" if left else "start",
    )
