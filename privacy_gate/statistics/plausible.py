"""Whether an interval that nobody vouches for can be what its metric gives at these sizes, and the
p-values that such an interval implies. What is refused raises ``Unsupported``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from privacy_gate.domain import Interval, Measurement, Sizes
from privacy_gate.statistics.advantage import Advantage
from privacy_gate.statistics.asymptotic import normal_quantile
from privacy_gate.statistics.band import half_width

_MOST_PAIRS = 10**8
"""Comparisons up to which an AUC tells how many of them were won."""


class Unsupported(Exception):
    """Why the numbers of a check cannot be those of a measurement; half a sentence."""


def refuse_order(interval: Interval) -> None:
    """Refuse bounds in the wrong order, beyond [0, 1], or without any width."""
    if not 0 <= interval.low <= interval.estimate <= interval.high <= 1:
        raise Unsupported("its interval is none")
    if interval.low == interval.high:
        raise Unsupported("its interval has no width")


def refuse_bounds(interval: Interval) -> None:
    """Refuse bounds that no normal law on the logit scale gives."""
    low, estimate, high = interval.low, interval.estimate, interval.high
    if not 0 < low < estimate < high:
        raise Unsupported("its interval is not the one of its method")
    if high == 1:
        return
    # near 1 a float has few digits left on the logit scale
    slack = 1e-9 + sum(4e-16 / (1 - x) for x in (low, estimate, high))
    down, up = (abs(special.logit(x) - special.logit(estimate)) for x in (low, high))
    if not math.isclose(down, up, rel_tol=1e-6, abs_tol=slack):
        raise Unsupported("its interval is not the one of its method")


def refuse_advantage(interval: Interval, sizes: Sizes, level: float) -> None:
    """Refuse bounds at ``level`` that are not those of the band of these sizes."""
    width = half_width(sizes.members, level) + half_width(sizes.nonmembers, level)
    wanted = (max(0.0, interval.estimate - width), min(1.0, interval.estimate + width))
    _refuse_other(interval, wanted)


def refuse_area(interval: Interval, sizes: Sizes, level: float) -> None:
    """Refuse an AUC that is no share of comparisons won, and bounds at ``level`` that are not its
    own: the exact band at 0 and 1, else those of a normal law."""
    refuse_order(interval)
    pairs = sizes.members * sizes.nonmembers
    won = interval.estimate * pairs
    if pairs <= _MOST_PAIRS and abs(won - round(won)) > 1e-5:
        raise Unsupported("its estimate is not one of these sizes")
    n, m = (min(1.0, half_width(size, level)) for size in (sizes.members, sizes.nonmembers))
    if interval.estimate == 1:
        _refuse_other(interval, ((1 - n) * (1 - m), 1.0))
    elif interval.estimate == 0:
        _refuse_other(interval, (0.0, n * (1 - m) + m))
    else:
        refuse_bounds(interval)


def _refuse_other(interval: Interval, wanted: Sequence[float]) -> None:
    found = (interval.low, interval.high)
    if not all(math.isclose(a, b, abs_tol=1e-9) for a, b in zip(found, wanted, strict=True)):
        raise Unsupported("its interval is not the one of these sizes")


def p_above(measured: Measurement, sizes: Sizes, budget: float) -> float | None:
    """P-value of "the value is at most ``budget``", from the interval alone; ``None`` where that
    does not tell it (an exact band of AUC or Log-MIA)."""
    estimate, low = measured.estimate, measured.low
    if estimate is None or low is None:
        return None
    if measured.metric.name == "advantage":
        return Advantage().p_above(estimate, budget, sizes)
    if measured.method == "exact" or not 0 < low < estimate < 1:
        return None
    deviation = special.logit(estimate) - special.logit(low)
    distance = (special.logit(budget) - special.logit(estimate)) / deviation
    return float(special.ndtr(distance * normal_quantile(measured.level)))


def p_below_half(area: Interval, level: float, sizes: Sizes, least: float) -> float:
    """P-value of "the AUC is at least 0.5" from its interval at ``level``; where the interval is
    the exact band of an area of 0, only whether it lies below ``least``."""
    if area.estimate == 0:
        bound = (1 - half_width(sizes.members, least)) * (1 - half_width(sizes.nonmembers, least))
        return 0.0 if bound > 0.5 else 1.0
    if not 0 < area.low < area.estimate < 0.5:
        return 1.0
    below = special.logit(area.estimate) - special.logit(area.low)
    return float(special.ndtr(special.logit(area.estimate) / below * normal_quantile(level)))
