"""Log-MIA (Jiménez-López et al. 2025): log(1 + true positives before the first false ones).

Regime A counts the members above every non-member, regime B those above all but ⌈ln d⌉
non-members, of d query records. The published protocol averages random episodes of 15 + 15
records. For fixed scores that mean over *all* episodes has a closed form, computed here, so only a
confidence interval remains: a two-sample U-statistic, with its variance by deletion of each record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import special

from privacy_gate.domain import Float, Measurement, Metric, Sizes
from privacy_gate.statistics.asymptotic import LogitNormal, normal_quantile
from privacy_gate.statistics.band import RocFunctional
from privacy_gate.statistics.episodes import Episodes, expected_log_binomial
from privacy_gate.statistics.ideal import binormal_scores
from privacy_gate.statistics.null import null_mean_log, null_p_value
from privacy_gate.statistics.scores import SortedScores

Regime = Literal["a", "b"]


def false_positive_cap(regime: Regime, records: int) -> int:
    """0 in regime A, ⌈ln d⌉ in regime B, as the authors' published metric code computes it."""
    return 0 if regime == "a" else math.ceil(math.log(records))


def log_mia(true_positives: int, members: int) -> float:
    """log(1 + T) / log(1 + n), in [0, 1]."""
    return math.log1p(true_positives) / math.log1p(members)


Word = Literal["none", "weak", "clear", "severe"]


def excess(value: float, null: float) -> float:
    """(value - null) / (1 - null): 0 without leakage, 1 at most."""
    return (value - null) / (1 - null)


def leakage_word(measured: Measurement) -> Word | None:
    """A word for a measured Log-MIA; ``None`` where nothing could be measured.

    none: the raw count lies below the exact 95 % quantile of its null, and the interval of the
    episode mean reaches down to its null mean. Otherwise by the excess of the episode mean: weak
    below 0.2, clear below 0.5, severe from there on.
    """
    value, low, null = measured.estimate, measured.low, measured.null
    if value is None or low is None or null is None or measured.null_p is None:
        return None
    if measured.null_p > 0.05 and low <= null:
        return "none"
    if excess(value, null) < 0.2:
        return "weak"
    return "clear" if excess(value, null) < 0.5 else "severe"


@dataclass(frozen=True, slots=True)
class LogMia:
    """Episode mean of Log-MIA at ``size`` + ``size`` query records, the gated quantity.

    ``size`` from 5 to 300. Below ``size`` records on a side the estimate is ``None``.
    """

    regime: Regime
    size: int = 15

    @property
    def metric(self) -> Metric:
        return Metric("log_mia", self.regime)

    @property
    def cap(self) -> int:
        """False positives allowed in an episode."""
        return false_positive_cap(self.regime, 2 * self.size)

    @property
    def null_mean(self) -> float:
        """The episode mean without leakage, exact."""
        return null_mean_log(self.cap, self.size, self.size)

    def measure(
        self, scores: SortedScores, level: float, holm_level: float, sizes: Sizes
    ) -> Measurement:
        """The episode mean with one-sided bounds at ``level``; ``null_p`` is the exact one of the
        full sample."""
        n, m = scores.members.size, scores.nonmembers.size
        cap = false_positive_cap(self.regime, n + m)
        true = scores.true_positives(cap)
        estimate = low = high = note = None
        exact = True
        if min(n, m) < self.size:
            note = f"needs {self.size} evaluation records a side, there are {n} + {m}"
        else:
            estimate, law = self._law(scores)
            upper_law = law
            if scores.tied_across_sides:
                _, upper_law = self._law(scores, ties_to_attacker=True)
            z = normal_quantile(level)
            low = self._band.low(scores, level) if law is None else law.bound(-z)
            high = self._band.high(scores, level) if upper_law is None else upper_law.bound(z)
            exact = law is None and upper_law is None
            if min(n, m) < 300:
                note = f"the interval is approximate below 300 records a side ({n} + {m})"
        return Measurement(
            metric=self.metric,
            estimate=estimate,
            low=low,
            high=high,
            level=level,
            method="exact" if exact else "asymptotic",
            null=self.null_mean,
            null_p=null_p_value(true, cap, n, m),
            counts={
                "members": sizes.members,
                "nonmembers": sizes.nonmembers,
                "level": level,
                "episode_size": self.size,
                "episode_false_positives": self.cap,
                "false_positives_allowed": cap,
                "true_positives": true,
            },
            note=note,
        )

    def p_value(self, scores: SortedScores, budget: float, level: float, sizes: Sizes) -> float:
        """P-value of "the episode mean is at most ``budget``"; 1 with too few records."""
        if min(scores.members.size, scores.nonmembers.size) < self.size:
            return 1.0
        _, law = self._law(scores)
        return self._band.p_value(scores, budget) if law is None else law.p_above(budget)

    def _law(
        self, scores: SortedScores, *, ties_to_attacker: bool = False
    ) -> tuple[float, LogitNormal | None]:
        """The mean over all episodes and its law, ``None`` where there is no variance to trust.

        Members tied with a non-member count as below it, or above it with ``ties_to_attacker``.
        """
        n, m = scores.members.size, scores.nonmembers.size
        if ties_to_attacker:
            above, not_below = scores.members_at_or_above_each, scores.nonmembers_above_each
        else:
            above, not_below = scores.members_above_each, scores.nonmembers_at_or_above_each
        episodes = Episodes(above, n, self.size, self.cap)
        mean = episodes.mean()
        # sums of weights carry rounding errors: what is 0 or 1 up to those is degenerate
        if min(n, m) == self.size or not 1e-12 < mean < 1 - 1e-12:
            return mean, None
        variance = episodes.variance(not_below)
        return mean, None if variance <= 1e-24 else LogitNormal(mean, variance)

    @property
    def _band(self) -> RocFunctional:
        cap, size = self.cap, self.size
        return RocFunctional(
            gain=lambda tpr: expected_log_binomial(tpr, size),
            weight=lambda fpr: special.betainc(cap + 1, size - cap, fpr),
        )

    def pass_probability(self, budget: float, level: float, sizes: Sizes) -> float:
        """P(the check passes) for a model that leaks nothing, from the normal law."""
        law = self._ideal(0.0, sizes)
        return 0.0 if law is None else law.pass_probability(budget, level)

    def smallest_budget(self, level: float, sizes: Sizes, power: float) -> float:
        """The smallest budget that a model that leaks nothing passes with probability ``power``."""
        law = self._ideal(0.0, sizes)
        return 1.0 if law is None else law.smallest_budget(level, power)

    def verdict_probabilities(
        self, separation: float, budget: float, level: float, holm_level: float, sizes: Sizes
    ) -> tuple[float, float]:
        """(P(pass), P(fail)) against the binormal leak of this ``separation``."""
        law = self._ideal(separation, sizes)
        if law is None:
            return 0.0, 0.0
        return law.pass_probability(budget, level), law.fail_probability(budget, holm_level)

    def _ideal(self, separation: float, sizes: Sizes) -> LogitNormal | None:
        if min(sizes.members, sizes.nonmembers) <= self.size:
            return None
        return _ideal_law(self, separation, sizes)

    def true_value(self, separation: float) -> float:
        """The episode mean under the binormal leak."""
        quantiles, weights = _threshold_law(self.cap, self.size)
        true_rate = special.ndtr(separation + quantiles)
        return float(weights @ expected_log_binomial(true_rate, self.size))

    def separation(self, value: float) -> float:
        """The binormal separation at which the episode mean is ``value``, by bisection."""
        low, high = -10.0, 40.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.true_value(middle) < value else (low, middle)
        return (low + high) / 2


@lru_cache(maxsize=16)
def _threshold_law(cap: int, size: int) -> tuple[Float, Float]:
    """Nodes and weights (201,) for means over the FPR of an episode's threshold, which follows
    Beta(cap + 1, size - cap): Gaussian quantiles of that FPR.

    In the variable z with Φ(z) = the share of the law below, the trapezoid rule is accurate to
    rounding, because everything is smooth and falls off with the Gaussian density.
    """
    z, step = np.linspace(-8.0, 8.0, 201, retstep=True)
    weights = np.exp(-z * z / 2) * (float(step) / math.sqrt(2 * math.pi))
    quantiles = special.ndtri(special.betaincinv(cap + 1, size - cap, special.ndtr(z)))
    return quantiles, weights


@lru_cache(maxsize=256)
def _ideal_law(statistic: LogMia, separation: float, sizes: Sizes) -> LogitNormal | None:
    scores, scale = binormal_scores(separation, sizes, least=2 * statistic.size)
    _, law = statistic._law(scores)
    if law is None:
        return None
    return LogitNormal(statistic.true_value(separation), law.variance * scale)
