"""The few parts of SVG that our pictures need: elements, scales, ticks, and a picture's frame.

Colours and patterns are classes of the page's style sheet, so that pictures follow dark mode and
print. All text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from privacy_gate.report.page.values import clean

WIDTH = 360
"""Width of a picture in its own units, which are CSS pixels on a phone."""


class Drawing(str):
    """SVG source that a template may place as it is: every text in it is escaped already."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing and the same as a table: names of ``columns``, ``rows`` of texts.

    ``key`` explains the marks: (class of the mark, words). ``notes``: what to read it with.
    """

    id: str
    title: str
    drawing: Drawing
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    key: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def element(name: str, *children: str, **attributes: str | float) -> Drawing:
    """``<name …>children</name>``; ``class_`` is the attribute class, ``text_anchor``
    text-anchor. Children are :class:`Drawing`, or text that gets escaped."""
    parts = [f"<{name}"]
    for key, value in attributes.items():
        shown = _coordinate(value) if isinstance(value, int | float) else escape(clean(value))
        parts.append(f' {key.rstrip("_").replace("_", "-")}="{shown}"')
    inner = "".join(
        child if isinstance(child, Drawing) else escape(clean(child)) for child in children
    )
    parts.append(f">{inner}</{name}>" if inner else "/>")
    return Drawing("".join(parts))


def group(*children: Drawing, **attributes: str | float) -> Drawing:
    """``<g …>``"""
    return element("g", *children, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Drawing:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rectangle(x: float, y: float, width: float, height: float, class_: str) -> Drawing:
    """A rectangle; nothing is smaller than 0."""
    return element("rect", x=x, y=y, width=max(0.0, width), height=max(0.0, height), class_=class_)


def label(x: float, y: float, words: str, class_: str = "", anchor: str = "") -> Drawing:
    """A piece of text at a baseline; ``anchor`` is start, middle or end."""
    more = {key: value for key, value in (("class_", class_), ("text_anchor", anchor)) if value}
    return element("text", words, x=x, y=y, **more)


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Drawing:
    """A polyline, or a polygon if ``closed``."""
    shown = [key for key, _ in groupby(f"{_coordinate(x)} {_coordinate(y)}" for x, y in points)]
    if not shown:
        return Drawing("")
    return element("path", d="M" + "L".join(shown) + ("Z" if closed else ""), class_=class_)


def diamond(x: float, y: float, radius: float, class_: str) -> Drawing:
    """A square on its corner."""
    return path(
        [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)], class_, closed=True
    )


def svg(
    identifier: str,
    height: float,
    title: str,
    description: str,
    *children: Drawing,
    width: float = WIDTH,
    class_: str = "drawing",
    twin: str = "",
) -> Drawing:
    """A picture with its name and description; ``twin`` is the id of the table that holds the
    same values."""
    return element(
        "svg",
        element("title", title, id=f"{identifier}-title"),
        element("desc", description, id=f"{identifier}-desc"),
        *children,
        id=identifier,
        class_=class_,
        viewBox=f"0 0 {_coordinate(width)} {_coordinate(height)}",
        role="img",
        aria_labelledby=f"{identifier}-title {identifier}-desc",
        aria_details=twin or f"{identifier}-table",
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Values between ``low`` and ``high`` -> coordinates between ``start`` and ``end``, clamped;
    ``logarithmic`` needs ``0 < low``."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        span = high / 2 - low / 2  # halves: the difference of two floats may be no float
        part = (value / 2 - low / 2) / span if span > 0 else 0.5
        return self.start + part * (self.end - self.start)


def decades(low: float, high: float) -> list[float]:
    """The powers of ten from ``low`` to ``high``."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**power for power in range(first, last + 1)]


def rounds(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most so many."""
    span = high - low
    if not 1e-300 < span < 1e300:
        return [low]
    unit = 10.0 ** math.floor(math.log10(span / most))
    step = next(unit * k for k in (1, 2, 5, 10, 20) if span / (unit * k) < most)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [step * number for number in range(first, min(last, first + 2 * most) + 1)]


def steps(
    points: Iterable[tuple[float, float]], *, ahead: bool = False
) -> list[tuple[float, float]]:
    """The corners of a staircase through the points: a value holds up to the next point, or, with
    ``ahead``, from the point before."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        if corners:
            last_x, last_y = corners[-1]
            corners.append((last_x, y) if ahead else (x, last_y))
        corners.append((x, y))
    return corners


def _coordinate(value: float) -> str:
    shown = f"{value:.1f}"
    return shown.removesuffix(".0") if shown != "-0.0" else "0"
