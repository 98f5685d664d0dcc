"""The thresholds that exact bounds of a rate rest on, and those bounds from a count.

One k is fixed in advance by the sizes, the rate and the error; nothing is minimised over k. The
bounds need no scores, only how many records lie above the k-th largest of the other side
(statistics.md, section 2), so a report's counts are enough to compute them again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from privacy_gate.domain import Sizes, decimal
from privacy_gate.statistics import tails

_SHARE = 0.7
"""Share of the error that the choice of k may use; the rest goes to the count."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A threshold at the ``k``-th largest record, on the wrong side of the rate with probability
    ``miss``."""

    k: int
    miss: float


@dataclass(frozen=True, slots=True)
class Ranks:
    """The thresholds of a measurement, ``None`` where the records do not suffice for one: for the
    lower bound, for the upper bound, and for the p-value at the corrected level."""

    low: Rank | None
    high: Rank | None
    holm: Rank | None


@dataclass(frozen=True, slots=True)
class Side:
    """A rate, the side that is counted and the side that sets the threshold; a population is the
    known number of records a side is a uniform sample of."""

    rate: float
    counted: int
    threshold: int
    counted_population: int | None
    threshold_population: int | None

    @classmethod
    def of(cls, rate: float, sizes: Sizes, swap: bool) -> Side:
        """Members are counted and non-members set the threshold, with ``swap`` the reverse."""
        if swap:
            return cls(rate, sizes.nonmembers, sizes.members, None, sizes.population)
        return cls(rate, sizes.members, sizes.nonmembers, sizes.population, None)

    @property
    def allowed(self) -> int:
        """⌊rate · m⌋ records of the side that sets the threshold, from the decimal that the user
        wrote."""
        return int(decimal(self.rate) * self.threshold)

    def ranks(self, level: float, holm_level: float) -> Ranks:
        """The thresholds for bounds at ``level`` and a p-value at ``holm_level``."""
        return Ranks(self.below_rate(level), self.above_rate(level), self.below_rate(holm_level))

    def below_rate(self, error: float) -> Rank | None:
        """The largest k whose threshold exceeds the rate with probability at most ``error``."""
        k = tails.largest(lambda k: self._misses_above(k) <= _SHARE * error, 1, self.threshold)
        if k is None and self._misses_above(1) < error:
            k = 1
        return self._rank(k, self._misses_above)

    def above_rate(self, error: float) -> Rank | None:
        """The smallest k whose threshold falls short of the rate with probability ≤ ``error``."""
        k = tails.smallest(lambda k: self._misses_below(k) <= _SHARE * error, 1, self.threshold)
        return self._rank(k, self._misses_below)

    @staticmethod
    def _rank(k: int | None, miss: Callable[[int], float]) -> Rank | None:
        return None if k is None else Rank(k, miss(k))

    def _misses_above(self, k: int) -> float:
        """P(the k-th largest lies below the ⌊rate⌋ quantile, so that its FPR exceeds the rate)."""
        if self.threshold_population is None:
            return tails.binomial_at_most(k - 1, self.threshold, self.rate)
        total = self.threshold_population
        # a threshold may itself be the first record beyond the allowed ones, hence + 1
        marked = min(total, int(decimal(self.rate) * total) + 1)
        return tails.hypergeometric_at_most(k - 1, total, marked, self.threshold)

    def _misses_below(self, k: int) -> float:
        """P(the k-th largest lies above the quantile, so that its FPR falls short of the rate)."""
        if self.threshold_population is None:
            return tails.binomial_at_least(k, self.threshold, self.rate)
        total = self.threshold_population
        return tails.hypergeometric_at_least(
            k, total, int(decimal(self.rate) * total), self.threshold
        )

    def low(self, rank: Rank | None, count: int | None, error: float) -> float:
        """Lower bound from ``count`` records above the threshold; 0 without a threshold."""
        if rank is None or not count:
            return 0.0
        return tails.proportion_low(
            count, self.counted, _rest(rank, error), self.counted_population
        )

    def high(self, rank: Rank | None, count: int | None, error: float) -> float:
        """Upper bound from ``count`` records at or above the threshold; 1 without a threshold."""
        if rank is None or count is None:
            return 1.0
        return tails.proportion_high(
            count, self.counted, _rest(rank, error), self.counted_population
        )

    def p_value(self, rank: Rank | None, count: int | None, budget: float) -> float:
        """P-value of "the rate is at most ``budget``" from ``count`` records above the threshold; 1
        without a threshold."""
        if rank is None:
            return 1.0
        count = count or 0
        if self.counted_population is None:
            tail = tails.binomial_at_least(count, self.counted, budget)
        else:
            marked = int(decimal(budget) * self.counted_population)
            tail = tails.hypergeometric_at_least(
                count, self.counted_population, marked, self.counted
            )
        return rank.miss + (1 - rank.miss) * tail


def _rest(rank: Rank, error: float) -> float:
    """What the choice of the threshold leaves of the error."""
    return (error - rank.miss) / (1 - rank.miss)
