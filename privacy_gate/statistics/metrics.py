"""From a metric's name to its statistic: the one place a new gated metric is added."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from privacy_gate.domain import Measurement, Metric, Sizes
from privacy_gate.statistics.advantage import Advantage
from privacy_gate.statistics.auc import Auc
from privacy_gate.statistics.log_mia import LogMia
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores


class Statistic(Hashable, Protocol):
    """What a gated metric offers: measuring and testing on scores, planning on sizes alone.

    ``level`` is the one-sided error λ, ``holm_level`` is λ/M for M checks. ``separation`` is the
    distance of the binormal leak N(separation, 1) against N(0, 1).
    """

    def measure(
        self, scores: SortedScores, level: float, holm_level: float, sizes: Sizes
    ) -> Measurement: ...

    def p_value(self, scores: SortedScores, budget: float, level: float, sizes: Sizes) -> float: ...

    def pass_probability(self, budget: float, level: float, sizes: Sizes) -> float: ...

    def smallest_budget(self, level: float, sizes: Sizes, power: float) -> float: ...

    def verdict_probabilities(
        self, separation: float, budget: float, level: float, holm_level: float, sizes: Sizes
    ) -> tuple[float, float]: ...

    def true_value(self, separation: float) -> float: ...

    def separation(self, value: float) -> float: ...


def statistic(metric: Metric, episode_size: int = 15) -> Statistic:
    """The statistic behind a metric."""
    if metric.name == "tpr_at_fpr" or metric.name == "tnr_at_fnr":
        return RateAtRate(float(metric.argument or 0.0), swap=metric.name == "tnr_at_fnr")
    if metric.name == "log_mia":
        return LogMia("a" if metric.argument == "a" else "b", episode_size)
    if metric.name == "auc":
        return Auc()
    if metric.name == "advantage":
        return Advantage()
    raise ValueError(f"unknown metric {metric.name!r}")
