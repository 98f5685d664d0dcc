"""Membership advantage max(TPR - FPR) (Yeom et al. 2018) with a distribution-free band."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from privacy_gate.domain import Measurement, Metric, Sizes
from privacy_gate.statistics.band import half_width
from privacy_gate.statistics.scores import SortedScores


def advantage(scores: SortedScores, *, ties_to_attacker: bool = False) -> float:
    """The largest TPR - FPR over thresholds, at least 0 (accept nobody).

    ``ties_to_attacker`` counts members tied with the threshold as found, for upper bounds.
    """
    n, m = scores.members.size, scores.nonmembers.size
    side: Literal["left", "right"] = "left" if ties_to_attacker else "right"
    true = (n - np.searchsorted(scores.members, scores.nonmembers, side=side)) / n
    false = (m - np.searchsorted(scores.nonmembers, scores.nonmembers, side="right")) / m
    return float(max(0.0, np.max(true - false)))


@dataclass(frozen=True, slots=True)
class Advantage:
    """The advantage with one-sided Dvoretzky-Kiefer-Wolfowitz bounds (``method: exact``)."""

    metric = Metric("advantage")

    @staticmethod
    def _width(sizes: Sizes, error: float) -> float:
        return half_width(sizes.members, error) + half_width(sizes.nonmembers, error)

    def measure(
        self, scores: SortedScores, level: float, holm_level: float, sizes: Sizes
    ) -> Measurement:
        """The estimate and one-sided bounds at ``level``."""
        estimate, width = advantage(scores), self._width(sizes, level)
        return Measurement(
            metric=self.metric,
            estimate=estimate,
            low=max(0.0, estimate - width),
            high=min(1.0, advantage(scores, ties_to_attacker=True) + width),
            level=level,
            method="exact",
            null=0.0,
            counts={"members": sizes.members, "nonmembers": sizes.nonmembers, "level": level},
        )

    def p_value(self, scores: SortedScores, budget: float, level: float, sizes: Sizes) -> float:
        """The smallest error at which the lower bound clears the budget."""
        return self.p_above(advantage(scores), budget, sizes)

    @staticmethod
    def p_above(estimate: float, budget: float, sizes: Sizes) -> float:
        """The same from the estimate."""
        excess = estimate - budget
        if excess <= 0:
            return 1.0
        sides = math.sqrt(1 / (2 * sizes.members)) + math.sqrt(1 / (2 * sizes.nonmembers))
        return min(1.0, 2 * math.exp(-((excess / sides) ** 2)))

    def pass_probability(self, budget: float, level: float, sizes: Sizes) -> float:
        """P(the check passes) for a model that leaks nothing, from Smirnov's limit law."""
        slack = budget - self._width(sizes, level)
        if slack <= 0:
            return 0.0
        return 1 - math.exp(-2 * slack**2 * self._harmonic(sizes))

    def smallest_budget(self, level: float, sizes: Sizes, power: float) -> float:
        """The smallest budget that a model that leaks nothing passes with probability ``power``."""
        quantile = math.sqrt(-math.log(1 - power) / (2 * self._harmonic(sizes)))
        return min(1.0, self._width(sizes, level) + quantile)

    @staticmethod
    def _harmonic(sizes: Sizes) -> float:
        return sizes.members * sizes.nonmembers / (sizes.members + sizes.nonmembers)

    def verdict_probabilities(
        self, separation: float, budget: float, level: float, holm_level: float, sizes: Sizes
    ) -> tuple[float, float]:
        """(P(pass), P(fail)) against the binormal leak, from the count at its best threshold."""
        truth = self.true_value(separation)
        if separation == 0:
            return self.pass_probability(budget, level, sizes), 0.0
        rate = float(special.ndtr(separation / 2))
        deviation = math.sqrt(rate * (1 - rate) * (1 / sizes.members + 1 / sizes.nonmembers))
        passes = special.ndtr((budget - self._width(sizes, level) - truth) / deviation)
        fails = special.ndtr((truth - budget - self._width(sizes, holm_level)) / deviation)
        return float(passes), float(fails)

    def true_value(self, separation: float) -> float:
        """The advantage under the binormal leak."""
        return float(2 * special.ndtr(separation / 2) - 1)

    def separation(self, value: float) -> float:
        """The binormal separation at which the advantage is ``value``."""
        return float(2 * special.ndtri((value + 1) / 2))
