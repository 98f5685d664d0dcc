"""A threshold fixed on the calibration split and judged on the evaluation split.

Everything else in a report sweeps the threshold; this is the single decision rule an attacker could
have written down beforehand, globally or per class.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from privacy_gate.domain import Boolean, Float, Integer, decimal
from privacy_gate.statistics.tails import proportion_high, proportion_interval, proportion_low

PRIORS = (0.01, 0.1, 0.5)
"""Shares of members in the population an attacker draws from, for the precision (PPV)."""


def conformal_threshold(calibration_nonmembers: Float, fpr: float) -> float:
    """A threshold whose expected FPR on new non-members is at most ``fpr``.

    The ⌊fpr·(m+1)⌋-th largest of m exchangeable non-members; ``inf`` (call nobody) where that is 0.
    """
    ordered = np.sort(calibration_nonmembers)
    k = int(decimal(fpr) * (ordered.size + 1))
    return float(ordered[ordered.size - k]) if k else math.inf


def class_thresholds(
    calibration_nonmembers: Float, classes: Integer, count: int, fpr: float
) -> Float:
    """(count,) a conformal threshold per class; the global one where a class has too few."""
    overall = conformal_threshold(calibration_nonmembers, fpr)
    thresholds = np.full(count, overall)
    for label in range(count):
        own = conformal_threshold(calibration_nonmembers[classes == label], fpr)
        if math.isfinite(own):
            thresholds[label] = own
    return thresholds


def operating_point(
    members_called: Boolean, nonmembers_called: Boolean, target_fpr: float, confidence: float
) -> dict[str, Any]:
    """What a fixed rule achieves on evaluation records, with Clopper-Pearson intervals.

    ``ppv`` gives the precision at each prior. ``distinguishability`` is
    ``log(TPR_low / FPR_high)`` and ``log((1-FPR)_low / (1-TPR)_high)``, the larger, at least 0: how
    far apart these score distributions are. It is **not** a differential-privacy statement, because
    records of one training run are dependent.
    """
    true, false = int(members_called.sum()), int(nonmembers_called.sum())
    n, m = members_called.size, nonmembers_called.size
    tpr, fpr = true / n, false / m
    error = (1 - confidence) / 2
    return {
        "target_fpr": target_fpr,
        "true_positives": true,
        "false_positives": false,
        "tpr": _with_interval(true, n, confidence),
        "fpr": _with_interval(false, m, confidence),
        "ppv": {f"{prior:g}": _precision(tpr, fpr, prior) for prior in PRIORS},
        "distinguishability": max(
            0.0,
            _log_ratio(proportion_low(true, n, error), proportion_high(false, m, error)),
            _log_ratio(proportion_low(m - false, m, error), proportion_high(n - true, n, error)),
        ),
    }


def _with_interval(count: int, trials: int, confidence: float) -> dict[str, float]:
    low, high = proportion_interval(count, trials, confidence)
    return {"estimate": count / trials, "low": low, "high": high}


def _precision(tpr: float, fpr: float, prior: float) -> float | None:
    called = prior * tpr + (1 - prior) * fpr
    return prior * tpr / called if called else None


def _log_ratio(numerator: float, denominator: float) -> float:
    return math.log(numerator / denominator) if numerator > 0 else 0.0
