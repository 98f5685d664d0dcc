"""What a gate can and cannot decide at given sizes, before any model is opened.

All chances are those of a model that leaks nothing, or of the *planted leak*: the equal-variance
binormal model N(μ, 1) against N(0, 1) whose TPR is min(4 × budget, 0.9) at the first TPR budget (or
whose AUC is the first AUC budget + 0.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from privacy_gate.domain import Characteristic, Metric, Sizes
from privacy_gate.statistics.metrics import Statistic, statistic

_FURTHER = (1.0, 1.005, 1.01, 1.015, 1.02, 1.05, 1.1, 1.16, 1.25)
"""Multiples of a size at which power is looked at; one tooth at FPR 0.01 is 1.5 % of 6 700."""


@dataclass(frozen=True, slots=True)
class Target:
    """A metric and its budget."""

    metric: Metric
    budget: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Chances per target: ``passes`` without leakage, ``fails`` at the planted leak."""

    passes: tuple[float, ...]
    fails: tuple[float, ...]
    attacks: float = 1.0
    """Checks per target: how many attacks are judged by each."""

    @property
    def run_passes(self) -> float:
        """A lower bound of P(every check passes) without leakage (Bonferroni), at least 0."""
        return max(0.0, 1.0 - self.attacks * sum(1.0 - p for p in self.passes))

    @property
    def run_fails(self) -> float:
        """A lower bound of P(some check fails) at the planted leak: that of the best check."""
        return max(self.fails)


def plan(
    targets: Sequence[Target], sizes: Sizes, confidence: float, checks: int | None = None
) -> Plan:
    """Chances for these targets; ``checks`` is M when it is larger than ``len(targets)``, because
    each budget judges several attacks (all of them equally many: else give one target a check)."""
    level = (1 - confidence) / 2
    checks = checks or len(targets)
    holm_level = level / checks
    separation = planted_separation(targets)
    passes, fails = {}, {}
    for target in dict.fromkeys(targets):  # each once, however many attacks it judges
        judged = statistic(target.metric)
        passes[target] = judged.pass_probability(target.budget, level, sizes)
        fails[target] = judged.verdict_probabilities(
            separation, target.budget, level, holm_level, sizes
        )[1]
    return Plan(
        passes=tuple(passes[target] for target in targets),
        fails=tuple(fails[target] for target in targets),
        attacks=checks / len(targets),
    )


def planted_separation(targets: Sequence[Target]) -> float:
    """The separation of the planted leak of these targets."""
    for target in targets:
        if target.metric.name == "tpr_at_fpr":
            return statistic(target.metric).separation(min(4 * target.budget, 0.9))
    for target in targets:
        if target.metric.name == "auc":
            return statistic(target.metric).separation(min(target.budget + 0.1, 0.99))
    first = targets[0]
    return statistic(first.metric).separation(min(max(2 * first.budget, first.budget + 0.1), 0.95))


def records_needed(
    target: Target, level: float, power: float = 0.95, most: int = 10_000_000
) -> int | None:
    """Evaluation records a side, about, for a model that leaks nothing to pass with this power.

    ``None`` if not even ``most`` suffice: the budget lies below what chance gives.
    """
    judged = statistic(target.metric)
    return _smallest_size(
        lambda sizes: judged.pass_probability(target.budget, level, sizes) >= power, most
    )


def sizes_needed(
    targets: Sequence[Target],
    confidence: float,
    power: float = 0.95,
    checks: int | None = None,
    most: int = 10_000_000,
) -> int | None:
    """Evaluation records a side, about, for a run to decide.

    A model that leaks nothing passes every check, and the planted leak fails one, each with at
    least this power: both chances are lower bounds, see :class:`Plan`.

    ``checks`` as in :func:`plan`. ``None`` if not even ``most`` records suffice.
    """

    def decides(sizes: Sizes) -> bool:
        chances = plan(targets, sizes, confidence, checks)
        return chances.run_passes >= power and chances.run_fails >= power

    return _smallest_size(decides, most)


def _smallest_size(enough: Callable[[Sizes], bool], most: int) -> int | None:
    """The least number of records a side from which on a condition holds, within 1 %."""

    def holds(records: int) -> bool:
        # counts are whole, so power is a saw-tooth in the size: it has to hold further on, too
        further = [math.ceil(records * factor) for factor in _FURTHER]
        return all(enough(Sizes(size, size)) for size in further)

    high = 16
    while not holds(high):
        high *= 2
        if high > most:
            return None
    low = high // 2
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def round_up(value: float, digits: int = 2) -> float:
    """``value`` rounded up to so many significant digits: a number to recommend."""
    if not value > 0:
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.12g}")


@lru_cache(maxsize=256)
def characteristic(
    judged: Statistic, budget: float, level: float, holm_level: float, sizes: Sizes
) -> Characteristic:
    """P(pass), P(fail), P(inconclusive) against the true value of the metric, from no leakage to
    well beyond the budget."""
    none = judged.true_value(0.0)
    top = min(0.98, max(budget + 2 * (budget - none), 2 * budget))
    leaks = np.linspace(none, top, 9)
    passes, fails = [], []
    for leak in leaks:
        separation = max(0.0, judged.separation(float(leak)))
        p_pass, p_fail = judged.verdict_probabilities(separation, budget, level, holm_level, sizes)
        passes.append(round(p_pass, 6))
        fails.append(round(p_fail, 6))
    return Characteristic(
        leak=tuple(round(float(leak), 6) for leak in leaks),
        passes=tuple(passes),
        fails=tuple(fails),
        inconclusive=tuple(
            max(0.0, round(1 - p - f, 6)) for p, f in zip(passes, fails, strict=True)
        ),
    )
