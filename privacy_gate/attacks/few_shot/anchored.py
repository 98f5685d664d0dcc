"""The anchored attacker: a linear rule whose direction is known, corrected by a few labels.

Every signal is oriented so that higher means member, so the direction of the rule is a prior, not
something to be learned from ten records. The difference of the class means over all 2K + 30
labelled records corrects it, weighed against the prior like 40 further records a side. Difficulty
covariates say what the signals of a record like this one are without membership; they come from an
unlabelled pool. The recipe was measured against the published attackers on targets that memorise
and targets that do not (``benchmarks/few_shot.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Float, Integer

PRIOR_RECORDS = 40.0
"""How many labelled records a side the prior is worth."""

PRIOR_EFFECT = 0.5
"""Assumed distance of the class means of a signal, in standard deviations."""

RIDGE = 1.0
CLIP = 4.0
NEIGHBOURS = 10
SHRINKAGE = 10.0
"""Pseudo-records a class: its median is drawn to the global one, and difficulty as a whole is
believed the less, the fewer records a class has in the pool."""

_ENTRIES = 4_000_000
"""Similarities held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Covariates:
    """Standardised columns (N, p), the assumed effect of membership on each (p,), and the scale
    (p,) that each was multiplied with after it was standardised."""

    values: Float
    prior: Float
    scale: Float

    def weights(self, pool: Integer, support: Integer, validation: Integer) -> Float:
        """(R, p) the linear rule of each draw.

        ``pool`` (P,) unlabelled rows for the correlations; ``support`` (R, 2K), ``validation``
        (R, 2V) rows, members first in each.
        """
        gap = self._gap(support, validation)
        labelled = (support.shape[1] + validation.shape[1]) / 2
        effect = (PRIOR_RECORDS * self.prior + labelled * gap) / (PRIOR_RECORDS + labelled)
        covariance = _correlation(self.values[pool]) * np.outer(self.scale, self.scale)
        inverse = np.linalg.inv(covariance + RIDGE * np.eye(gap.shape[1]))
        result: Float = effect @ inverse
        return result

    def _gap(self, support: Integer, validation: Integer) -> Float:
        """(R, p) member mean minus non-member mean over all labelled records of each draw."""
        shots, held = support.shape[1] // 2, validation.shape[1] // 2
        members = np.concatenate([support[:, :shots], validation[:, :held]], axis=1)
        nonmembers = np.concatenate([support[:, shots:], validation[:, held:]], axis=1)
        result: Float = self.values[members].mean(axis=1) - self.values[nonmembers].mean(axis=1)
        return result


def covariates(signals: Float, difficulty: Float, pool: Integer, trust: float = 1.0) -> Covariates:
    """Standardise on the pool and clip at ±4; the prior effect is 0.5 on signals, 0 on difficulty.

    ``signals`` (N, s), ``difficulty`` (N, q), q may be 0. ``trust`` from 0 (difficulty is ignored)
    to 1 scales the difficulty columns down, which the ridge turns into smaller weights.
    """
    counts = [signals.shape[1], difficulty.shape[1]]
    scale = np.repeat([1.0, trust], counts)
    columns = standardised(np.concatenate([signals, difficulty], axis=1), pool)
    return Covariates(columns * scale, np.repeat([PRIOR_EFFECT, 0.0], counts), scale)


def difficulty_trust(labels: Integer, pool: Integer) -> float:
    """n / (n + 10) for n pool records a class.

    Among four records of a class, how easy they look depends on how many of them were trained on:
    such a difficulty carries membership, and correcting for it would take the leak away.
    """
    records = pool.size / np.unique(labels[pool]).size
    return float(records / (records + SHRINKAGE))


def _correlation(values: Float) -> Float:
    """(p, p) correlations; a constant column correlates with nothing, not even itself."""
    centred = values - values.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    unit = centred / np.where(norms > 0, norms, 1.0)
    result: Float = unit.T @ unit
    return result


def standardised(columns: Float, pool: Integer) -> Float:
    """(N, p) z-scores by the pool's mean and deviation, clipped at ±4; a column that is constant
    in the pool is 0."""
    low, high = columns[pool].min(axis=0), columns[pool].max(axis=0)
    # the squares of large numbers overflow; the mean of equal numbers may differ from them
    scale = np.where(low < high, np.maximum(np.abs(low), np.abs(high)), np.inf)
    with np.errstate(over="ignore"):
        scaled = columns / scale
        mean, deviation = scaled[pool].mean(axis=0), scaled[pool].std(axis=0)
        result = (scaled - mean) / np.where(deviation > 0, deviation, 1.0)
    clipped: Float = np.clip(result, -CLIP, CLIP)
    return clipped


def class_difficulty(margin: Float, labels: Integer, pool: Integer) -> Float:
    """(N,) median margin of the record's class in the pool, minus the global one, shrunk to 0."""
    overall = float(np.median(margin[pool]))
    result = np.zeros(labels.size)
    for label in np.unique(labels[pool]):
        own = margin[pool][labels[pool] == label]
        shrunk = own.size / (own.size + SHRINKAGE) * (float(np.median(own)) - overall)
        result[labels == label] = shrunk
    return result


def neighbour_difficulty(
    features: NDArray[np.float32], margin: Float, labels: Integer, pool: Integer
) -> Float:
    """(N, 2) over the 10 cosine-nearest pool records, itself excluded: the share with the record's
    own label, and their mean margin. Features are centred on the pool."""
    centred = features.astype(np.float64) - features[pool].mean(axis=0, dtype=np.float64)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(norms > 0, norms, 1.0)
    result = np.empty((labels.size, 2))
    count = min(NEIGHBOURS, pool.size - 1)
    size = max(1, _ENTRIES // pool.size)
    for start in range(0, labels.size, size):
        rows = np.arange(start, min(start + size, labels.size))
        similarity = unit[rows] @ unit[pool].T
        similarity[rows[:, None] == pool[None, :]] = -np.inf
        nearest = pool[np.argpartition(-similarity, count - 1, axis=1)[:, :count]]
        result[rows, 0] = (labels[nearest] == labels[rows, None]).mean(axis=1)
        result[rows, 1] = margin[nearest].mean(axis=1)
    return result
