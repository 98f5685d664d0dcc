"""Pictures of the scores of both sides, and of an attack's values beside what chance gives.

Pure functions from a report's values to a :class:`Picture`; nothing is computed but coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from privacy_gate.domain import AttackResult, Check
from privacy_gate.report.page import svg
from privacy_gate.report.page.svg import WIDTH, Drawing, Picture, Scale
from privacy_gate.report.page.values import exact, figure, interval, number, numbers, text

_LEFT, _RIGHT = 44.0, WIDTH - 8.0
_LONGEST_NAME = 14
"""Longer than any name of ours: a foreign report must not run out of the picture."""


# ------------------------------------------------------------------------------ score histograms


def histogram(attack: AttackResult, identifier: str) -> Picture | None:
    """Shares of members (above the axis) and of non-members (below) per bin of scores; ``None``
    where none were recorded."""
    edges = numbers(attack.histogram, "edges")
    sides = [numbers(attack.histogram, side) for side in ("members", "nonmembers")]
    bins = min(len(edges) - 1, *map(len, sides))
    shares = [[max(0.0, value or 0.0) for value in side[:bins]] for side in sides]
    known = [edge for edge in edges if edge is not None]
    most = max(map(max, shares)) if bins > 0 else 0.0
    if most <= 0 or len(known) != len(edges) or known != sorted(known):
        return None
    top, middle, bottom = 8.0, 108.0, 208.0
    x = Scale(known[0], known[bins], _LEFT, _RIGHT)
    up, down = Scale(0, most, middle, top), Scale(0, most, middle, bottom)
    title = f"Scores that {attack.name} gave members and non-members"
    drawing = svg.svg(
        identifier,
        250,
        title,
        f"Members above the axis, non-members below; the tallest bin holds {figure(most)}.",
        *_histogram_axes(x, (up, down), most),
        svg.path(_outline(known, shares[0], x, up), "members", closed=True),
        svg.path(_outline(known, shares[1], x, down), "nonmembers", closed=True),
        svg.line(_LEFT, middle, _RIGHT, middle, "axis"),
        _side_label("members", shares[0], top + 10),
        _side_label("non-members", shares[1], bottom - 4),
        svg.label((_LEFT + _RIGHT) / 2, 246, "score (higher: more like a member)", anchor="middle"),
    )
    return Picture(
        id=identifier,
        title="Scores of both sides",
        drawing=drawing,
        columns=("from", "to", "members", "non-members"),
        rows=tuple(
            (figure(known[i]), figure(known[i + 1]), figure(shares[0][i]), figure(shares[1][i]))
            for i in range(bins)
        ),
        notes=(
            "Share of each side's evaluation records per bin; the outer bins also hold what lies"
            " beyond them.",
        ),
    )


def _histogram_axes(x: Scale, sides: Sequence[Scale], most: float) -> list[Drawing]:
    parts = []
    for value in svg.rounds(0, most, 3):
        for scale in sides[: 2 if value else 1]:
            if value:
                parts.append(svg.line(_LEFT, scale(value), _RIGHT, scale(value), "grid"))
            parts.append(svg.label(_LEFT - 6, scale(value) + 4, f"{value:g}", anchor="end"))
    for value in svg.rounds(x.low, x.high):
        parts += [
            svg.line(x(value), 208, x(value), 212, "axis"),
            svg.label(x(value), 226, f"{value:.4g}".replace("-", "−"), anchor="middle"),
        ]
    return parts


def _outline(
    edges: Sequence[float], shares: Sequence[float], x: Scale, y: Scale
) -> list[tuple[float, float]]:
    """One polygon for all bars of a side."""
    points = [(x(edges[0]), y(0))]
    for left, right, share in zip(edges, edges[1:], shares, strict=False):
        points += [(x(left), y(share)), (x(right), y(share))]
    return [*points, (x(edges[len(shares)]), y(0))]


def _side_label(words: str, shares: Sequence[float], y: float) -> Drawing:
    """The name of a side, in the half of the picture where its bars are lower."""
    half = len(shares) // 2
    left = max(shares[:half], default=0.0) <= max(shares[half:], default=0.0)
    return svg.label(
        _LEFT + 8 if left else _RIGHT - 8, y, words, "strong halo", "start" if left else "end"
    )


# ----------------------------------------------------------------------- beside what chance gives


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    estimate: float | None
    low: float | None
    high: float | None
    null: float | None
    budget: float | None
    word: str
    note: str


def beside_chance(attack: AttackResult, checks: Sequence[Check], identifier: str) -> Picture | None:
    """AUC and both regimes of Log-MIA beside the value that a model without leakage gives."""
    rows = list(_rows(attack, checks))
    if not rows:
        return None
    x = Scale(0, 1, 12, WIDTH - 12)
    bottom = 48.0 * len(rows) + 4
    parts = [
        svg.group(*_axis(x, bottom)),
        *[svg.group(*_chance_row(row, x, 48.0 * place)) for place, row in enumerate(rows)],
    ]
    described = "; ".join(
        f"{row.name} {interval(row.estimate, row.low, row.high)},"
        f" {figure(row.null)} without leakage"
        for row in rows
    )
    title = f"Log-MIA and AUC of {attack.name} against no leakage"
    return Picture(
        id=identifier,
        title="Log-MIA and AUC against no leakage",
        drawing=svg.svg(identifier, bottom + 22, title, f"{described}.", *parts),
        columns=("metric", "value", "low", "high", "without leakage", "budget", "in words"),
        rows=tuple(
            (
                row.name,
                *(figure(value) for value in (row.estimate, row.low, row.high, row.null)),
                exact(row.budget),
                row.word or row.note,
            )
            for row in rows
        ),
        key=(
            ("dot", "value and interval"),
            ("null", "without leakage"),
            *((("budget", "budget"),) if any(row.budget is not None for row in rows) else ()),
        ),
        notes=("Log-MIA is not 0 without leakage: compare with the hollow mark, not with 0.",),
    )


def _rows(attack: AttackResult, checks: Sequence[Check]) -> list[_Row]:
    budgets = {
        (check.metric, next(iter(check.arguments.values()), None)): number(check.budget)
        for check in checks
        if not check.increase
    }
    rows = []
    for entry in attack.log_mia:
        regime = text(entry, "regime")
        rows.append(
            _Row(
                f"Log-MIA {regime.upper()}",
                number(entry.get("episode_mean")),
                number(entry.get("episode_low")),
                number(entry.get("episode_high")),
                number(entry.get("episode_null_mean")),
                budgets.get(("log_mia", regime)),
                text(entry, "word"),
                text(entry, "note"),
            )
        )
    if attack.auc is not None:
        area = attack.auc
        rows.append(
            _Row("AUC", number(area.estimate), number(area.low), number(area.high), 0.5,
                 budgets.get(("auc", None)), "", "")
        )  # fmt: skip
    return rows


def _axis(x: Scale, bottom: float) -> list[Drawing]:
    parts = [svg.line(x(0), bottom, x(1), bottom, "axis")]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = {0.0: "start", 1.0: "end"}.get(tick, "middle")
        parts += [
            svg.line(x(tick), 0, x(tick), bottom, "grid"),
            svg.label(x(tick), bottom + 16, f"{tick:g}", anchor=anchor),
        ]
    return parts


def _chance_row(row: _Row, x: Scale, top: float) -> list[Drawing]:
    name = row.name if len(row.name) <= _LONGEST_NAME else f"{row.name[:_LONGEST_NAME]}…"
    words = f"{name}  {interval(row.estimate, row.low, row.high)}"
    parts = [svg.label(x(0), top + 14, words, "halo")]
    middle = top + 32
    parts.append(svg.line(x(0), middle, x(1), middle, "track"))
    if row.budget is not None:
        at = x(row.budget)
        parts.append(svg.line(at, middle - 11, at, middle + 11, "budget"))
    if row.null is not None:
        parts.append(svg.diamond(x(row.null), middle, 6.5, "null"))
    if row.estimate is not None and row.low is not None and row.high is not None:
        parts += [
            svg.line(x(row.low), middle, x(row.high), middle, "whisker wide"),
            svg.element("circle", cx=x(row.estimate), cy=middle, r=4, class_="dot"),
        ]
    return parts
