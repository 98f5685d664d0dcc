"""The area under the ROC curve: Mann-Whitney with mid-ranks, DeLong variance, logit interval.

DeLong's variance in O(N log N) from placement values (Sun & Xu 2014). On the plain scale the
interval misses 7-16 % at AUC >= 0.96; on the logit scale it does not. At zero variance the exact
band of ``band.py`` takes over, so that a perfect attack is never reported as [1, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from privacy_gate.domain import Float, Integer, Measurement, Metric, Sizes
from privacy_gate.errors import SignalError
from privacy_gate.statistics.asymptotic import LogitNormal, normal_quantile
from privacy_gate.statistics.band import RocFunctional
from privacy_gate.statistics.ideal import binormal_scores
from privacy_gate.statistics.scores import SortedScores, as_scores

_BAND = RocFunctional(gain=lambda tpr: tpr, weight=lambda fpr: fpr)


def placements(scores: SortedScores) -> tuple[Float, Float]:
    """Share of non-members below each member (n,), of members above each non-member (m,), both in
    ascending order of the scores. Ties count half."""
    n, m = scores.members.size, scores.nonmembers.size
    not_below = scores.nonmembers_above_each + scores.nonmembers_at_or_above_each
    above = scores.members_above_each + scores.members_at_or_above_each
    return (2 * m - not_below) / (2 * m), above[::-1] / (2 * n)


def auc_with_variance(scores: SortedScores) -> tuple[float, float]:
    """The area and its DeLong variance."""
    of_members, of_nonmembers = placements(scores)
    # ranks are halves of integers: the sum is exact, so that equal inputs give equal areas
    area = float(of_members.mean())
    variance = of_members.var(ddof=1) / of_members.size
    variance += of_nonmembers.var(ddof=1) / of_nonmembers.size
    return area, float(variance)


@dataclass(frozen=True, slots=True)
class Auc:
    """AUC with a logit DeLong interval (``method: asymptotic``), or the exact band."""

    metric = Metric("auc")

    def measure(
        self, scores: SortedScores, level: float, holm_level: float, sizes: Sizes
    ) -> Measurement:
        """The area and one-sided bounds at ``level``."""
        area, law = self._law(scores)
        if law is None:
            low, high = _BAND.low(scores, level), _BAND.high(scores, level)
        else:
            z = normal_quantile(level)
            low, high = law.bound(-z), law.bound(z)
        return Measurement(
            metric=self.metric,
            estimate=area,
            low=low,
            high=high,
            level=level,
            method="exact" if law is None else "asymptotic",
            null=0.5,
            counts={"members": sizes.members, "nonmembers": sizes.nonmembers, "level": level},
        )

    def p_value(self, scores: SortedScores, budget: float, level: float, sizes: Sizes) -> float:
        """P-value of "the area is at most ``budget``"."""
        _, law = self._law(scores)
        return _BAND.p_value(scores, budget) if law is None else law.p_above(budget)

    def p_below_half(self, scores: SortedScores) -> float:
        """P-value of "the area is at least 0.5": small when the scores point the wrong way."""
        reversed_sides = SortedScores(scores.nonmembers, scores.members)
        return self.p_value(reversed_sides, 0.5, 0.0, Sizes(0, 0))

    @staticmethod
    def _law(scores: SortedScores) -> tuple[float, LogitNormal | None]:
        area, variance = auc_with_variance(scores)
        degenerate = variance <= 0.0 or not 0.0 < area < 1.0
        return area, None if degenerate else LogitNormal(area, variance)

    def pass_probability(self, budget: float, level: float, sizes: Sizes) -> float:
        """P(the check passes) for a model that leaks nothing, from the normal law."""
        return self._ideal(0.0, sizes).pass_probability(budget, level)

    def smallest_budget(self, level: float, sizes: Sizes, power: float) -> float:
        """The smallest budget that a model that leaks nothing passes with probability ``power``."""
        return self._ideal(0.0, sizes).smallest_budget(level, power)

    def verdict_probabilities(
        self, separation: float, budget: float, level: float, holm_level: float, sizes: Sizes
    ) -> tuple[float, float]:
        """(P(pass), P(fail)) against the binormal leak of this ``separation``."""
        law = self._ideal(separation, sizes)
        return law.pass_probability(budget, level), law.fail_probability(budget, holm_level)

    def true_value(self, separation: float) -> float:
        """The area under the binormal leak."""
        return float(special.ndtr(separation / math.sqrt(2)))

    def separation(self, value: float) -> float:
        """The binormal separation at which the area is ``value``."""
        return float(special.ndtri(value) * math.sqrt(2))

    @staticmethod
    def _ideal(separation: float, sizes: Sizes) -> LogitNormal:
        scores, scale = binormal_scores(separation, sizes)
        area, variance = auc_with_variance(scores)
        # a leak beyond the last quantile would have no variance: an area of 1 - 1e-9 stands for it
        area = min(area, 1 - 1e-9)
        return LogitNormal(area, max(variance * scale, (1e-3 * (1 - area)) ** 2))


@dataclass(frozen=True, slots=True)
class AucDifference:
    """First area minus second, of two scores of the same records.

    ``p_value`` is two-sided, for "both areas are the same": asymptotic, except at standard error 0,
    where it is Hoeffding's exact bound, which is 1 at difference 0.
    """

    difference: float
    standard_error: float
    p_value: float


def paired_difference(
    members: tuple[ArrayLike, ArrayLike], nonmembers: tuple[ArrayLike, ArrayLike]
) -> AucDifference:
    """DeLong's comparison of two areas measured on the same records (DeLong et al. 1988).

    ``members``: the first and the second scores (n,) of the members, record by record in the same
    order; ``nonmembers`` (m,) likewise. Raises ``SignalError`` for scores that are not finite
    numbers, or not of the same records.
    """
    sides = zip(_aligned(members, "members"), _aligned(nonmembers, "nonmembers"), strict=True)
    first, second = (_wins(*scores) for scores in sides)
    n, m = first[0].size, first[1].size
    # integers until the last division, so that equal areas differ by exactly 0
    of_members, of_nonmembers = first[0] - second[0], first[1] - second[1]
    difference = int(of_members.sum()) / (2 * n * m)
    variance = float(of_members.var(ddof=1)) / (4 * m * m) / n
    variance += float(of_nonmembers.var(ddof=1)) / (4 * n * n) / m
    error = math.sqrt(variance)
    if error > 0:
        p_value = 2 * float(special.ndtr(-abs(difference) / error))
    else:
        # one comparison moves the difference by at most 2, and min(n, m) of them are independent
        p_value = min(1.0, 2 * math.exp(-min(n, m) * difference**2 / 2))
    return AucDifference(difference, error, p_value)


def _aligned(pair: tuple[ArrayLike, ArrayLike], side: str) -> tuple[Float, Float]:
    first, second = as_scores(pair[0], side), as_scores(pair[1], side)
    if first.size != second.size:
        raise SignalError(
            f"The two scores of the {side} are of {first.size} and {second.size} records.",
            hint="A paired comparison needs both scores of every record, in the same order.",
        )
    return first, second


def _wins(members: Float, nonmembers: Float) -> tuple[Integer, Integer]:
    """Twice the non-members below each member (n,), twice the members above each non-member (m,),
    in the order given; a tie counts once."""
    above = 2 * members.size - _twice_below(nonmembers, members)
    return _twice_below(members, nonmembers), above


def _twice_below(values: Float, others: Float) -> Integer:
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left")
    return np.asarray(below + np.searchsorted(ordered, values, side="right"), dtype=np.int64)
