"""What a check could and could not have detected at these sizes: its operating characteristic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from privacy_gate.domain import Characteristic, Check
from privacy_gate.report.page import svg
from privacy_gate.report.page.svg import WIDTH, Drawing, Picture, Scale
from privacy_gate.report.page.values import chance, exact, figure, metric_words, number

_LEFT, _RIGHT = 34.0, WIDTH - 10.0
_TOP, _BOTTOM = 20.0, 168.0
SURE, RARE = 0.8, 0.05
"""Chances at which a leak counts as detected, and a missed one as rare."""

Row = tuple[float, float, float, float]
"""True value, P(pass), P(inconclusive), P(fail)."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One budget at one pair of sizes: the attacks it judges, its picture, and what that says."""

    name: str
    attacks: tuple[str, ...]
    picture: Picture
    words: tuple[str, ...]


def detections(checks: Sequence[Check], prefix: str) -> list[Detection]:
    """One per distinct budget and characteristic, in the order of the checks; ids start with
    ``prefix``."""
    found: dict[tuple[object, ...], list[Check]] = {}
    for check in checks:
        if check.characteristic is not None:
            key = (_name(check), check.characteristic)
            found.setdefault(key, []).append(check)
    drawn: list[Detection] = []
    for alike in found.values():
        rows = _rows(alike[0].characteristic)
        budget = number(alike[0].budget)
        if len(rows) < 2 or rows[0][0] == rows[-1][0] or budget is None:
            continue
        name, words = _name(alike[0]), _words(rows)
        picture = _picture(rows, budget, name, words, f"{prefix}d{len(drawn)}")
        drawn.append(Detection(name, tuple(check.attack for check in alike), picture, words))
    return drawn


def _name(check: Check) -> str:
    words = metric_words(check.metric, check.arguments, check.increase)
    return f"{words} ≤\u00a0{exact(check.budget)}"


def _rows(curve: Characteristic | None) -> list[Row]:
    """The points of a characteristic in ascending order of the true value, shares in 0..1."""
    if curve is None:
        return []
    rows = []
    for values in zip(curve.leak, curve.passes, curve.inconclusive, curve.fails, strict=False):
        leak, *shares = map(number, values)
        if leak is not None and None not in shares:
            passes, undecided, fails = (min(max(share or 0.0, 0.0), 1.0) for share in shares)
            rows.append((leak, passes, undecided, fails))
    return sorted(rows)


def _words(rows: Sequence[Row]) -> tuple[str, ...]:
    """What the points say; only values that were computed are named."""
    none, last = rows[0], rows[-1]
    missed = next((row for row in rows if row[1] <= RARE), None)
    caught = next((row for row in rows if row[3] >= SURE), None)
    return (
        f"No leakage (true value {figure(none[0])}): passes with probability {chance(none[1])}.",
        f"From a true value of {figure(missed[0])} on, it passes with probability {RARE:g} at most."
        if missed
        else f"Even a true value of {figure(last[0])} passes with probability {chance(last[1])}.",
        f"From {figure(caught[0])} on, it fails with probability {SURE:g} at least."
        if caught
        else f"A true value of {figure(last[0])}, the largest computed, fails with probability"
        f" {chance(last[3])} only.",
    )


def _picture(
    rows: Sequence[Row], budget: float, name: str, words: Sequence[str], identifier: str
) -> Picture:
    x, y = Scale(rows[0][0], rows[-1][0], _LEFT, _RIGHT), Scale(0, 1, _BOTTOM, _TOP)
    levels = [
        [(x(row[0]), y(height)) for row, height in zip(rows, heights, strict=True)]
        for heights in (
            [0.0] * len(rows),
            [row[1] for row in rows],
            [row[1] + row[2] for row in rows],
            [1.0] * len(rows),
        )
    ]
    parts: list[Drawing] = []
    names: list[Drawing] = []
    for place, verdict in enumerate(("pass", "inconclusive", "fail")):
        below, above = levels[place], levels[place + 1]
        parts.append(svg.path([*below, *reversed(above)], f"area-{verdict}", closed=True))
        names += _area_name(verdict, below, above)
    drawing = svg.svg(
        identifier,
        206,
        f"Chance of each verdict by the true value: {name}",
        " ".join(words),
        *parts,
        *_axes(x, y),
        *_budget(x, budget),
        *names,
    )
    return Picture(
        id=identifier,
        title=name,
        drawing=drawing,
        columns=("true value", "P(pass)", "P(inconclusive)", "P(fail)"),
        rows=tuple((figure(row[0]), *map(chance, row[1:])) for row in rows),
    )


def _area_name(
    verdict: str, below: Sequence[tuple[float, float]], above: Sequence[tuple[float, float]]
) -> list[Drawing]:
    """The verdict's name inside its area, where that is tallest; none where there is no room."""
    heights = [low[1] - high[1] for low, high in zip(below, above, strict=True)]
    tallest = max(heights)
    if tallest < 26:
        return []
    wide = [place for place, height in enumerate(heights) if height >= 0.8 * tallest]
    place = wide[len(wide) // 2]
    anchor = {0: "start", len(heights) - 1: "end"}.get(place, "middle")
    x = below[place][0] + {"start": 6, "end": -6}.get(anchor, 0)
    y = (below[place][1] + above[place][1]) / 2 + 4
    return [svg.label(x, y, verdict, "strong halo", anchor)]


def _axes(x: Scale, y: Scale) -> list[Drawing]:
    parts = []
    for tick in (0.0, 0.5, 1.0):
        parts += [
            svg.line(_LEFT, y(tick), _RIGHT, y(tick), "grid"),
            svg.label(_LEFT - 6, y(tick) + 4, f"{tick:g}", anchor="end"),
        ]
    for tick in svg.rounds(x.low, x.high):
        parts += [
            svg.line(x(tick), _BOTTOM, x(tick), _BOTTOM + 4, "axis"),
            svg.label(x(tick), _BOTTOM + 17, f"{tick:.4g}".replace("-", "−"), anchor="middle"),
        ]
    return [
        *parts,
        svg.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"),
        svg.label((_LEFT + _RIGHT) / 2, _BOTTOM + 34, "true value", anchor="middle"),
    ]


def _budget(x: Scale, budget: float) -> list[Drawing]:
    at = x(budget)
    anchor = "end" if at > WIDTH * 0.75 else "start" if at < WIDTH * 0.25 else "middle"
    return [
        svg.line(at, _TOP - 4, at, _BOTTOM, "limit"),
        svg.label(at, _TOP - 8, f"budget {exact(budget)}", anchor=anchor),
    ]
