"""TPR at FPR, exactly: estimate, interval and p-value; TNR at FNR is the same with sides swapped.

Distribution-free and finite-sample (statistics.md, section 2). The FPR above the k-th largest of m
non-members is Beta(k, m-k+1) (Wilks 1941); given that threshold the true positives are binomial
(Clopper and Pearson 1934), or hypergeometric when the members are a sample of known size. One k is
fixed in advance by the sizes, the rate and the error; nothing is minimised over k.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from privacy_gate.domain import Measurement, Metric, Sizes, decimal
from privacy_gate.statistics import tails
from privacy_gate.statistics.null import null_p_value, null_quantile
from privacy_gate.statistics.scores import SortedScores

_SHARE = 0.7
"""Share of the error that the choice of k may use; the rest goes to the count."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A threshold at the ``k``-th largest non-member, on the wrong side of the rate with
    probability ``miss``."""

    k: int
    miss: float


@dataclass(frozen=True, slots=True)
class RateAtRate:
    """TPR at FPR = ``rate`` (``swap`` False) or TNR at FNR = ``rate`` (``swap`` True)."""

    rate: float
    swap: bool = False

    @property
    def metric(self) -> Metric:
        return Metric("tnr_at_fnr" if self.swap else "tpr_at_fpr", self.rate)

    # ------------------------------------------------------------------------------- measuring

    def measure(
        self, scores: SortedScores, level: float, holm_level: float, sizes: Sizes
    ) -> Measurement:
        """Estimate, one-sided bounds at ``level``, and the counts to recompute any verdict from.

        ``holm_level`` is the smallest level at which a p-value will be compared (λ/M).
        """
        if self.swap:
            scores = scores.swapped
        side = _Sides.of(sizes, self.swap)
        allowed = self.allowed_false_positives(side.threshold)
        true = scores.true_positives(allowed)
        threshold = scores.largest_nonmember(allowed + 1)
        upper_rank = self.rank_below_rate(side, level)
        lower_rank = self.rank_above_rate(side, level)
        holm_rank = self.rank_below_rate(side, holm_level)
        above_hi = _count(scores.members_above, scores, upper_rank)
        at_lo = _count(scores.members_at_or_above, scores, lower_rank)
        return Measurement(
            metric=self.metric,
            estimate=true / side.counted,
            low=self._low(side, upper_rank, above_hi, level),
            high=self._high(side, lower_rank, at_lo, level),
            level=level,
            method="exact",
            null=self.rate,
            null_p=null_p_value(true, allowed, side.counted, side.threshold),
            counts={
                "members": sizes.members,
                "nonmembers": sizes.nonmembers,
                "population": sizes.population,
                "level": level,
                "holm_level": holm_level,
                "k_hi": upper_rank.k if upper_rank else None,
                "above_k_hi": above_hi,
                "k_lo": lower_rank.k if lower_rank else None,
                "at_or_above_k_lo": at_lo,
                "k_holm": holm_rank.k if holm_rank else None,
                "above_k_holm": _count(scores.members_above, scores, holm_rank),
                "true_positives": true,
                "false_positives": scores.nonmembers_above(threshold),
            },
            note=None if allowed else f"not observable (m = {side.threshold})",
        )

    def p_value(self, scores: SortedScores, budget: float, level: float, sizes: Sizes) -> float:
        """P-value of "the rate is at most ``budget``", with k fixed for ``level``."""
        if self.swap:
            scores = scores.swapped
        side = _Sides.of(sizes, self.swap)
        rank = self.rank_below_rate(side, level)
        if rank is None:
            return 1.0
        return self._p_value(side, rank, _count(scores.members_above, scores, rank) or 0, budget)

    def allowed_false_positives(self, nonmembers: int) -> int:
        """⌊rate · m⌋, from the decimal number that the user wrote."""
        return int(decimal(self.rate) * nonmembers)

    def observable(self, sizes: Sizes) -> bool:
        """Whether the rate is at least one record of the side that sets the threshold."""
        return self.allowed_false_positives(_Sides.of(sizes, self.swap).threshold) >= 1

    # ---------------------------------------------------------------------- thresholds and bounds

    def rank_below_rate(self, side: _Sides, error: float) -> Rank | None:
        """The largest k whose threshold exceeds the rate with probability at most ``error``."""
        return self._rank(
            error, lambda k: self._misses_above(side, k), side.threshold, falling=True
        )

    def rank_above_rate(self, side: _Sides, error: float) -> Rank | None:
        """The smallest k whose threshold falls short of the rate with probability ≤ ``error``."""
        return self._rank(
            error, lambda k: self._misses_below(side, k), side.threshold, falling=False
        )

    @staticmethod
    def _rank(
        error: float, miss: Callable[[int], float], count: int, *, falling: bool
    ) -> Rank | None:
        if falling:
            k = tails.largest(lambda k: miss(k) <= _SHARE * error, 1, count)
            if k is None and miss(1) < error:
                k = 1
        else:
            k = tails.smallest(lambda k: miss(k) <= _SHARE * error, 1, count)
        return None if k is None else Rank(k, miss(k))

    def _misses_above(self, side: _Sides, k: int) -> float:
        """P(the k-th largest lies below the ⌊rate⌋ quantile, so that its FPR exceeds the rate)."""
        if side.threshold_population is None:
            return tails.binomial_at_most(k - 1, side.threshold, self.rate)
        total = side.threshold_population
        # a threshold may itself be the first record beyond the allowed ones, hence + 1
        marked = min(total, int(decimal(self.rate) * total) + 1)
        return tails.hypergeometric_at_most(k - 1, total, marked, side.threshold)

    def _misses_below(self, side: _Sides, k: int) -> float:
        """P(the k-th largest lies above the quantile, so that its FPR falls short of the rate)."""
        if side.threshold_population is None:
            return tails.binomial_at_least(k, side.threshold, self.rate)
        total = side.threshold_population
        return tails.hypergeometric_at_least(
            k, total, int(decimal(self.rate) * total), side.threshold
        )

    @staticmethod
    def _low(side: _Sides, rank: Rank | None, count: int | None, error: float) -> float:
        if rank is None or not count:
            return 0.0
        rest = (error - rank.miss) / (1 - rank.miss)
        return tails.proportion_low(count, side.counted, rest, side.counted_population)

    @staticmethod
    def _high(side: _Sides, rank: Rank | None, count: int | None, error: float) -> float:
        if rank is None or count is None:
            return 1.0
        rest = (error - rank.miss) / (1 - rank.miss)
        return tails.proportion_high(count, side.counted, rest, side.counted_population)

    @staticmethod
    def _p_value(side: _Sides, rank: Rank, count: int, budget: float) -> float:
        if side.counted_population is None:
            tail = tails.binomial_at_least(count, side.counted, budget)
        else:
            marked = int(decimal(budget) * side.counted_population)
            tail = tails.hypergeometric_at_least(
                count, side.counted_population, marked, side.counted
            )
        return rank.miss + (1 - rank.miss) * tail

    # ------------------------------------------------------------------------------- planning

    def pass_probability(self, budget: float, level: float, sizes: Sizes) -> float:
        """P(the check passes) for a model that leaks nothing, exact."""
        side = _Sides.of(sizes, self.swap)
        rank = self.rank_above_rate(side, level)
        if rank is None:
            return 0.0
        most = tails.largest(
            lambda count: self._high(side, rank, count, level) <= budget, 0, side.counted
        )
        if most is None:
            return 0.0
        return 1.0 - null_p_value(most + 1, rank.k - 1, side.counted, side.threshold)

    def smallest_budget(self, level: float, sizes: Sizes, power: float) -> float:
        """The smallest budget that a model that leaks nothing passes with probability ``power``."""
        side = _Sides.of(sizes, self.swap)
        rank = self.rank_above_rate(side, level)
        if rank is None:
            return 1.0
        count = null_quantile(power, rank.k - 1, side.counted, side.threshold)
        return self._high(side, rank, count, level)

    def verdict_probabilities(
        self, separation: float, budget: float, level: float, holm_level: float, sizes: Sizes
    ) -> tuple[float, float]:
        """(P(pass), P(fail)) against the binormal leak N(``separation``, 1) against N(0, 1)."""
        side = _Sides.of(sizes, self.swap)
        passes = fails = 0.0
        rank = self.rank_above_rate(side, level)
        if rank is not None:
            most = tails.largest(
                lambda count: self._high(side, rank, count, level) <= budget, 0, side.counted
            )
            if most is not None:
                passes = self._averaged(
                    side, rank, separation, lambda rate: special.bdtr(most, side.counted, rate)
                )
        rank = self.rank_below_rate(side, holm_level)
        if rank is not None:
            least = tails.smallest(
                lambda count: self._p_value(side, rank, count, budget) <= holm_level,
                0,
                side.counted,
            )
            if least is not None:
                fails = self._averaged(
                    side,
                    rank,
                    separation,
                    lambda rate: special.bdtrc(least - 1, side.counted, rate),
                )
        return passes, fails

    @staticmethod
    def _averaged(
        side: _Sides,
        rank: Rank,
        separation: float,
        probability: Callable[[np.ndarray], np.ndarray],
    ) -> float:
        """Mean over the random FPR of the threshold, Beta(k, m-k+1), by 256 equal parts."""
        parts = (np.arange(256) + 0.5) / 256
        false_rate = special.betaincinv(rank.k, side.threshold - rank.k + 1, parts)
        return float(np.mean(probability(special.ndtr(separation + special.ndtri(false_rate)))))

    def true_value(self, separation: float) -> float:
        """The rate under the binormal leak; the same for both directions."""
        return float(special.ndtr(separation + special.ndtri(self.rate)))

    def separation(self, value: float) -> float:
        """The binormal separation at which the rate is ``value``."""
        return float(special.ndtri(value) - special.ndtri(self.rate))


@dataclass(frozen=True, slots=True)
class _Sides:
    """Which side is counted and which sets the threshold, with their known populations."""

    counted: int
    threshold: int
    counted_population: int | None
    threshold_population: int | None

    @classmethod
    def of(cls, sizes: Sizes, swap: bool) -> _Sides:
        if swap:
            return cls(sizes.nonmembers, sizes.members, None, sizes.population)
        return cls(sizes.members, sizes.nonmembers, sizes.population, None)


def _count(counter: Callable[[float], int], scores: SortedScores, rank: Rank | None) -> int | None:
    return None if rank is None else counter(scores.largest_nonmember(rank.k))


def records_to_observe(rate: float, error: float) -> int:
    """The smallest m with (1 - rate)^m < error: fewer non-members give a lower bound of 0."""
    return math.floor(math.log(error) / math.log1p(-rate)) + 1
