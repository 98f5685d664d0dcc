"""Temperature scaling: one number by which all logits are divided (Guo et al., ICML 2017)."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from privacy_gate.domain import Float, Integer

SMALLEST, LARGEST = 0.01, 100.0
"""Temperatures that are looked at: a model that needs another one is not calibrated by it."""


def fit_temperature(logits: Float, labels: Integer) -> float:
    """The temperature with the smallest mean negative log-likelihood on held-out records.

    ``logits`` (n, K) float64 and ``labels`` (n,) in 0..K-1, n at least 1. The likelihood has one
    maximum in 1/T (it is convex there), and is searched in log T, so that T is positive. (The
    authors of the overconfidence study fit T by L-BFGS without that, on records that they score
    afterwards.)
    """
    found = minimize_scalar(
        lambda log_t: mean_loss(logits / math.exp(log_t), labels),
        bounds=(math.log(SMALLEST), math.log(LARGEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(math.exp(found.x))


def mean_loss(logits: Float, labels: Integer) -> float:
    """Mean negative log-likelihood, in nats."""
    chosen = logits[np.arange(labels.size), labels]
    return float((logsumexp(logits, axis=1) - chosen).mean())
