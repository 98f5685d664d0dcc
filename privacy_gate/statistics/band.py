"""Exact bands for functionals of the ROC curve, for the cases in which an asymptotic variance is 0.

Both empirical distribution functions are shifted against the statement by the one-sided
Dvoretzky-Kiefer-Wolfowitz half-width (Massart 1990), half of the error each, and the functional is
computed again. Never a zero-width interval, and valid in finite samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from privacy_gate.domain import Float
from privacy_gate.statistics.scores import SortedScores


def half_width(records: int, error: float) -> float:
    """One-sided half-width for half of ``error``: √(ln(2/error) / (2·records))."""
    return math.sqrt(math.log(2 / error) / (2 * records))


@dataclass(frozen=True, slots=True)
class RocFunctional:
    """∫ gain(TPR(u)) dW(u) over FPR u, for a rising ``gain`` with gain(0) = 0 and gain(1) = 1, and
    the distribution function ``weight`` of W on [0, 1]."""

    gain: Callable[[Float], Float]
    weight: Callable[[Float], Float]

    def low(self, scores: SortedScores, error: float) -> float:
        """Lower bound, wrong with probability at most ``error``."""
        n, m = scores.members.size, scores.nonmembers.size
        levels, edges = _steps(scores.members_above_each / n)
        tpr = np.maximum(0.0, levels - half_width(n, error))
        fpr = np.minimum(1.0, edges / m + half_width(m, error))
        return float(self.gain(tpr) @ np.diff(self.weight(fpr)))

    def high(self, scores: SortedScores, error: float) -> float:
        """Upper bound, wrong with probability at most ``error``."""
        n, m = scores.members.size, scores.nonmembers.size
        levels, edges = _steps(scores.members_at_or_above_each / n)
        tpr = np.minimum(1.0, levels + half_width(n, error))
        fpr = np.maximum(0.0, edges / m - half_width(m, error))
        beyond = 1.0 - float(self.weight(fpr[-1:])[0])  # FPRs past the last step: TPR may be 1
        return min(1.0, float(self.gain(tpr) @ np.diff(self.weight(fpr))) + beyond)

    def p_value(self, scores: SortedScores, budget: float) -> float:
        """P-value of "at most ``budget``": the least error at which the lower bound clears it."""
        least, most = 1e-300, 1.0
        if self.low(scores, most) <= budget:
            return 1.0
        if self.low(scores, least) > budget:
            return least
        for _ in range(60):
            middle = math.sqrt(least * most)
            if self.low(scores, middle) > budget:
                most = middle
            else:
                least = middle
        return most


def _steps(levels: Float) -> tuple[Float, Float]:
    """Runs of equal levels: their values, and their edges as counts of non-members."""
    changes = np.flatnonzero(np.diff(levels)) + 1
    starts = np.concatenate([[0], changes])
    return levels[starts], np.concatenate([starts, [levels.size]]).astype(np.float64)
