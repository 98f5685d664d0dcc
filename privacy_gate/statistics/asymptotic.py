"""Intervals and p-values on the logit scale, where a statistic in (0, 1) is nearly Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special


@dataclass(frozen=True, slots=True)
class LogitNormal:
    """An estimate strictly inside (0, 1) with its variance."""

    estimate: float
    variance: float

    @property
    def deviation(self) -> float:
        """Standard deviation on the logit scale (delta method)."""
        return math.sqrt(self.variance) / (self.estimate * (1 - self.estimate))

    def bound(self, z: float) -> float:
        """The bound ``z`` standard deviations above (or below) the estimate."""
        return float(special.expit(special.logit(self.estimate) + z * self.deviation))

    def p_above(self, budget: float) -> float:
        """P-value of "the true value is at most ``budget``"."""
        return float(
            special.ndtr((special.logit(budget) - special.logit(self.estimate)) / self.deviation)
        )

    def pass_probability(self, budget: float, level: float) -> float:
        """P(upper bound <= budget) when the truth is this estimate."""
        distance = (special.logit(budget) - special.logit(self.estimate)) / self.deviation
        return float(special.ndtr(distance - normal_quantile(level)))

    def fail_probability(self, budget: float, holm_level: float) -> float:
        """P(p-value <= holm_level) when the truth is this estimate."""
        distance = (special.logit(self.estimate) - special.logit(budget)) / self.deviation
        return float(special.ndtr(distance - normal_quantile(holm_level)))

    def smallest_budget(self, level: float, power: float) -> float:
        """The budget that is passed with probability ``power`` when the truth is this estimate."""
        return self.bound(normal_quantile(level) + normal_quantile(1 - power))


def normal_quantile(level: float) -> float:
    """The upper ``level`` quantile of the standard normal law."""
    return float(-special.ndtri(level))
