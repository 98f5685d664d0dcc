"""Exact tests by drawing: what a statistic is when membership is shuffled.

Draws stop as soon as the p-value is known to be unremarkable (Besag and Clifford 1991, Sequential
Monte Carlo p-values, section 2): it stays exact, and sound fixtures cost a few dozen draws.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from privacy_gate.domain import Boolean, Float, Integer

MOST_DRAWS = 9_999
"""The smallest p-value is 1/10 000, a third of the level that counts."""

_ENOUGH = 20
_AT_ONCE = 100
_CELLS = 1 << 21

Draw = Callable[[int], Float]
"""Number of draws -> so many values of the statistic under the null hypothesis."""


def sequential_p_value(observed: float, draw: Draw) -> float:
    """P(statistic >= ``observed``) under the null hypothesis, never below 1/10 000.

    Exact: P(p <= a) <= a for every a, whatever the statistic is.
    """
    exceeding = drawn = 0
    least = observed - 1e-9 * abs(observed)  # sums in another order are the same value
    while drawn < MOST_DRAWS:
        above = np.flatnonzero(draw(min(_AT_ONCE, MOST_DRAWS - drawn)) >= least)
        if exceeding + above.size >= _ENOUGH:
            last = int(above[_ENOUGH - exceeding - 1])
            return _ENOUGH / (drawn + last + 1)
        exceeding += above.size
        drawn += min(_AT_ONCE, MOST_DRAWS - drawn)
    return (exceeding + 1) / (drawn + 1)


def rank_sum_p_value(
    ranks: Float,
    is_member: Boolean,
    strata: Integer,
    generator: np.random.Generator,
    *,
    two_sided: bool = False,
) -> float:
    """P-value of "membership is exchangeable within each stratum": members have the higher
    ``ranks`` (n,), or with ``two_sided`` other ones. A stratum of one side says nothing."""
    parts = []
    observed = mean = 0.0
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        members = int(is_member[rows].sum())
        if 0 < members < rows.size:
            parts.append((ranks[rows], members))
            observed += float(ranks[rows][is_member[rows]].sum())
            mean += members * float(ranks[rows].mean())

    def draw(count: int) -> Float:
        total = np.zeros(count)
        for values, members in parts:
            at_once = max(1, _CELLS // values.size)
            for start in range(0, count, at_once):
                copies = np.tile(values, (min(at_once, count - start), 1))
                shuffled = generator.permuted(copies, axis=1)[:, :members]
                total[start : start + at_once] += shuffled.sum(axis=1)
        return np.abs(total - mean) if two_sided else total

    return sequential_p_value(abs(observed - mean) if two_sided else observed, draw)
