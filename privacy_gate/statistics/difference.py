"""What is known of a difference: candidate minus baseline, of one metric.

Two ways to it. From two intervals, one of each model: the error is shared, the interval is
conservative and needs nothing but the bounds. From a standard error: a normal law on the scale
``atanh``, so that bounds stay within (-1, 1) and follow the skewness near its ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from scipy import special

from privacy_gate.domain import Measurement, Method, Metric, Sizes
from privacy_gate.statistics.asymptotic import normal_quantile
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.scores import SortedScores


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one model's own scores say about a metric: ``low`` and ``high`` are each wrong with
    probability at most ``level``, ``holm_low`` and ``holm_high`` with at most ``holm_level``.
    ``None`` where nothing could be measured. ``counts`` holds the ``true_positives`` and
    ``false_positives`` behind a rate."""

    estimate: float | None
    low: float | None
    high: float | None
    level: float
    holm_low: float | None
    holm_high: float | None
    holm_level: float
    method: Method
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        metric: Metric,
        scores: SortedScores,
        sizes: Sizes,
        level: float,
        holm_level: float,
        episode_size: int,
    ) -> Bounds:
        """Measured at both levels; at a ``holm_level`` of 0 nothing is certain."""
        judged = statistic(metric, episode_size)
        found = judged.measure(scores, level, level, sizes)
        surer: Measurement | None = None
        if holm_level > 0:
            surer = judged.measure(scores, holm_level, holm_level, sizes)
        return cls(
            estimate=found.estimate,
            low=found.low,
            high=found.high,
            level=level,
            holm_low=None if surer is None else surer.low,
            holm_high=None if surer is None else surer.high,
            holm_level=holm_level,
            method=found.method,
            counts={
                name: int(count)
                for name in ("true_positives", "false_positives")
                if (count := found.counts.get(name)) is not None
            },
        )


@dataclass(frozen=True, slots=True)
class DifferenceLaw:
    """A difference inside (-1, 1) with its standard error. ``lower`` and ``upper`` are what the
    lower and the upper bound are taken from: the estimate, or one step of it to the safe side."""

    lower: float
    upper: float
    standard_error: float

    def low(self, level: float) -> float:
        """Lower bound, wrong with probability ``level`` under the law."""
        return self._beyond(self.lower, -normal_quantile(level))

    def high(self, level: float) -> float:
        """Upper bound, wrong with probability ``level`` under the law."""
        return self._beyond(self.upper, normal_quantile(level))

    def p_above(self, budget: float) -> float:
        """P-value of "the true difference is at most ``budget``"."""
        distance = math.atanh(budget) - math.atanh(self.lower)
        return float(special.ndtr(distance * (1 - self.lower**2) / self.standard_error))

    def _beyond(self, centre: float, z: float) -> float:
        return math.tanh(math.atanh(centre) + z * self.standard_error / (1 - centre**2))


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate minus baseline. ``candidate`` and ``baseline`` are the two values; ``low`` and
    ``high`` are one-sided bounds of the ``difference`` at ``level`` each, ``None`` where there is
    nothing to compare. ``paired``: both models were scored on the same records.

    A p-value comes from ``law``; without one it is ``holm_level`` where ``holm_low``, a lower bound
    wrong with at most that probability, clears the budget, and 1 otherwise.
    """

    metric: Metric
    candidate: float | None
    baseline: float | None
    difference: float | None
    low: float | None
    high: float | None
    level: float
    paired: bool
    method: Method
    law: DifferenceLaw | None = None
    holm_low: float | None = None
    holm_level: float = 1.0
    counts: Mapping[str, int | float | None] = field(default_factory=dict)
    note: str | None = None

    def p_value(self, budget: float) -> float:
        """P-value of "the true difference is at most ``budget``", for Holm over M checks."""
        if self.law is not None:
            return self.law.p_above(budget)
        cleared = self.holm_low is not None and self.holm_low > budget
        return self.holm_level if cleared else 1.0


def between(
    metric: Metric, candidate: Bounds, baseline: Bounds, *, paired: bool, note: str | None = None
) -> Difference:
    """The conservative difference of two intervals (Bonferroni): [low - high, high - low], each
    side wrong with probability at most the sum of the two errors."""
    exact = candidate.method == baseline.method == "exact"
    return Difference(
        metric=metric,
        candidate=candidate.estimate,
        baseline=baseline.estimate,
        difference=minus(candidate.estimate, baseline.estimate),
        low=minus(candidate.low, baseline.high),
        high=minus(candidate.high, baseline.low),
        level=candidate.level + baseline.level,
        paired=paired,
        method="exact" if exact else "asymptotic",
        holm_low=minus(candidate.holm_low, baseline.holm_high),
        holm_level=candidate.holm_level + baseline.holm_level,
        note=note,
    )


def minus(first: float | None, second: float | None) -> float | None:
    """The difference, ``None`` where one of the two is not known."""
    return None if first is None or second is None else first - second
