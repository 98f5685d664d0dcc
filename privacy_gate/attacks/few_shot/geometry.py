"""Distances and anchors shared by the attackers that compare records with labelled ones."""

from __future__ import annotations

import numpy as np

from privacy_gate.attacks.few_shot.draws import membership_labels
from privacy_gate.domain import Float, Integer


def anchors(support: Float) -> tuple[Float, Integer]:
    """(R, A, d) the support records and, from two shots on, the two class means; (A,) their labels.

    ``support`` (R, 2K, d), members first.
    """
    shots = support.shape[1] // 2
    labels = membership_labels(shots)
    if shots < 2:
        return support, labels
    means = support.reshape(support.shape[0], 2, shots, -1).mean(axis=2)
    return np.concatenate([support, means], axis=1), np.concatenate([labels, [1, 0]])


def squared_distances(left: Float, right: Float) -> Float:
    """(R, L, M) squared Euclidean distances of ``left`` (R or 1, L, d) to ``right`` (R, M, d)."""
    products = left @ np.swapaxes(right, -1, -2)
    norms = (left**2).sum(-1)[..., :, None] + (right**2).sum(-1)[..., None, :]
    result: Float = np.maximum(norms - 2 * products, 0.0)
    return result
