"""What the pictures of a report are drawn from: ROC points with bounds, histograms, ties."""

from __future__ import annotations

import numpy as np

from privacy_gate.domain import Float, Sizes
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores

_POINTS = 96
_BINS = 40


def roc_curve(scores: SortedScores, sizes: Sizes, level: float) -> dict[str, tuple[float, ...]]:
    """``fpr``, ``tpr`` and pointwise bounds ``low``, ``high`` at f/m for about 96 values of f,
    dense at the low end. No interpolation: every point is a threshold."""
    m = scores.nonmembers.size
    counts = np.unique(np.rint(np.geomspace(1, m, _POINTS)).astype(int))
    fpr, tpr, low, high = [0.0], [scores.true_positives(0) / scores.members.size], [0.0], []
    for count in counts[counts < m]:
        point = RateAtRate(int(count) / m)
        measured = point.measure(scores, level, level, sizes)
        fpr.append(int(count) / m)
        tpr.append(scores.true_positives(int(count)) / scores.members.size)
        low.append(float(measured.low or 0.0))
        high.append(float(measured.high or 0.0))
    return {
        "fpr": (*fpr, 1.0),
        "tpr": (*tpr, 1.0),
        "low": (*low, 1.0),
        # FPR 0 has no upper bound of its own: that of the first positive FPR holds there too
        "high": (*high[:1], *high, 1.0),
    }


def histogram(members: Float, nonmembers: Float) -> dict[str, tuple[float, ...]]:
    """Shares of both sides in 40 bins over the central 98 % of the pooled scores.

    The outer bins also hold what lies beyond, so that no single extreme record can be read off.
    """
    low, high = np.quantile(np.concatenate([members, nonmembers]), [0.01, 0.99])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    shares = [
        np.histogram(np.clip(side, low, high), edges)[0] / side.size
        for side in (members, nonmembers)
    ]
    return {
        "edges": tuple(edges.tolist()),
        "members": tuple(shares[0].tolist()),
        "nonmembers": tuple(shares[1].tolist()),
    }


def ties(scores: Float) -> dict[str, int]:
    """Records in the largest block of equal scores, and in the block at the top."""
    _, counts = np.unique(scores, return_counts=True)
    return {"largest_block": int(counts.max()), "at_top": int(counts[-1])}
