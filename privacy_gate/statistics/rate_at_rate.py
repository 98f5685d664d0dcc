"""TPR at FPR, exactly: estimate, interval and p-value; TNR at FNR is the same with sides swapped.

Distribution-free and finite-sample (statistics.md, section 2). The FPR above the k-th largest of m
non-members is Beta(k, m-k+1) (Wilks 1941); given that threshold the true positives are binomial
(Clopper and Pearson 1934), or hypergeometric when the members are a sample of known size. One k is
fixed in advance by the sizes, the rate and the error; nothing is minimised over k.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from privacy_gate.domain import Measurement, Metric, Sizes, decimal
from privacy_gate.statistics import tails
from privacy_gate.statistics.null import null_p_value, null_quantile
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.statistics.thresholds import Rank, Ranks, Side


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
        side = self.side(sizes)
        ranks = side.ranks(level, holm_level)
        if self.swap:
            scores = scores.swapped
        threshold = scores.largest_nonmember(side.allowed + 1)
        counts = {
            "members": sizes.members,
            "nonmembers": sizes.nonmembers,
            "population": sizes.population,
            "level": level,
            "holm_level": holm_level,
            "k_hi": ranks.low.k if ranks.low else None,
            "above_k_hi": _count(scores.members_above, scores, ranks.low),
            "k_lo": ranks.high.k if ranks.high else None,
            "at_or_above_k_lo": _count(scores.members_at_or_above, scores, ranks.high),
            "k_holm": ranks.holm.k if ranks.holm else None,
            "above_k_holm": _count(scores.members_above, scores, ranks.holm),
            "true_positives": scores.true_positives(side.allowed),
            "false_positives": scores.nonmembers_above(threshold),
        }
        return self.from_counts(counts, side, ranks)

    def from_counts(
        self, counts: Mapping[str, int | float | None], side: Side, ranks: Ranks
    ) -> Measurement:
        """The measurement that these ``counts`` stand for, with the thresholds ``ranks`` of
        ``side``: all of it can be computed again from a report."""
        true = _whole(counts["true_positives"]) or 0
        level = float(counts["level"] or 0.0)
        return Measurement(
            metric=self.metric,
            estimate=true / side.counted,
            low=side.low(ranks.low, _whole(counts["above_k_hi"]), level),
            high=side.high(ranks.high, _whole(counts["at_or_above_k_lo"]), level),
            level=level,
            method="exact",
            null=self.rate,
            null_p=null_p_value(true, side.allowed, side.counted, side.threshold),
            counts=counts,
            note=None if side.allowed else f"not observable (m = {side.threshold})",
        )

    def p_value(self, scores: SortedScores, budget: float, level: float, sizes: Sizes) -> float:
        """P-value of "the rate is at most ``budget``", with k fixed for ``level``."""
        if self.swap:
            scores = scores.swapped
        side = self.side(sizes)
        rank = side.below_rate(level)
        return side.p_value(rank, _count(scores.members_above, scores, rank), budget)

    def side(self, sizes: Sizes) -> Side:
        """Which side is counted, and which sets the threshold."""
        return Side.of(self.rate, sizes, self.swap)

    def allowed_false_positives(self, nonmembers: int) -> int:
        """⌊rate · m⌋, from the decimal number that the user wrote."""
        return int(decimal(self.rate) * nonmembers)

    def observable(self, sizes: Sizes) -> bool:
        """Whether the rate is at least one record of the side that sets the threshold."""
        return self.side(sizes).allowed >= 1

    # ------------------------------------------------------------------------------- planning

    def pass_probability(self, budget: float, level: float, sizes: Sizes) -> float:
        """P(the check passes) for a model that leaks nothing, exact."""
        side = self.side(sizes)
        rank = side.above_rate(level)
        if rank is None:
            return 0.0
        most = tails.largest(lambda count: side.high(rank, count, level) <= budget, 0, side.counted)
        if most is None:
            return 0.0
        return 1.0 - null_p_value(most + 1, rank.k - 1, side.counted, side.threshold)

    def smallest_budget(self, level: float, sizes: Sizes, power: float) -> float:
        """The smallest budget that a model that leaks nothing passes with probability ``power``."""
        side = self.side(sizes)
        rank = side.above_rate(level)
        if rank is None:
            return 1.0
        count = null_quantile(power, rank.k - 1, side.counted, side.threshold)
        return side.high(rank, count, level)

    def verdict_probabilities(
        self, separation: float, budget: float, level: float, holm_level: float, sizes: Sizes
    ) -> tuple[float, float]:
        """(P(pass), P(fail)) against the binormal leak N(``separation``, 1) against N(0, 1)."""
        side = self.side(sizes)
        passes = fails = 0.0
        rank = side.above_rate(level)
        if rank is not None:
            most = tails.largest(
                lambda count: side.high(rank, count, level) <= budget, 0, side.counted
            )
            if most is not None:
                passes = self._averaged(
                    side, rank, separation, lambda rate: special.bdtr(most, side.counted, rate)
                )
        rank = side.below_rate(holm_level)
        if rank is not None:
            least = tails.smallest(
                lambda count: side.p_value(rank, count, budget) <= holm_level,
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
        side: Side,
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


def _count(counter: Callable[[float], int], scores: SortedScores, rank: Rank | None) -> int | None:
    return None if rank is None else counter(scores.largest_nonmember(rank.k))


def _whole(value: int | float | None) -> int | None:
    return None if value is None else int(value)


def records_to_observe(rate: float, error: float) -> int:
    """The smallest m with (1 - rate)^m < error: fewer non-members give a lower bound of 0."""
    return math.floor(math.log(error) / math.log1p(-rate)) + 1
