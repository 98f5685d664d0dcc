"""Hyper-parameters are chosen on validation records, and nowhere else."""

from __future__ import annotations

import numpy as np

from privacy_gate.domain import Float, Integer


def best_on_validation(scores: Float, labels: Integer) -> Integer:
    """(R,) the index of the best candidate of each draw.

    ``scores`` (G, R, V) of the validation records under each of G candidates; ``labels`` (V,).
    Best: most true positives before the first false one (the paper's criterion); then the larger
    AUC; then the first candidate. (The published code resolves ties towards the last one, so that
    the largest neighbourhood wins whenever nothing separates.)
    """
    # in whole numbers, because rounding would decide between equal AUCs
    whole = 2 * _pairs(labels) + 1
    merit = whole * true_positives_at_zero(scores, labels) + _doubled_wins(scores, labels)
    return np.asarray(np.argmax(merit, axis=0), dtype=np.int64)


def true_positives_at_zero(scores: Float, labels: Integer) -> Integer:
    """(…,) members strictly above every non-member, over the last axis of ``scores``."""
    highest = scores[..., labels == 0].max(axis=-1, keepdims=True)
    return np.asarray((scores[..., labels == 1] > highest).sum(axis=-1), dtype=np.int64)


def auc(scores: Float, labels: Integer) -> Float:
    """(…,) Mann-Whitney with ties counted half, over the last axis of ``scores``."""
    result: Float = _doubled_wins(scores, labels) / (2 * _pairs(labels))
    return result


def _doubled_wins(scores: Float, labels: Integer) -> Integer:
    """(…,) pairs in which the member is above, counted twice, and tied pairs, counted once."""
    members = scores[..., labels == 1][..., :, None]
    nonmembers = scores[..., labels == 0][..., None, :]
    above = (members > nonmembers).sum(axis=(-2, -1))
    return np.asarray(above + (members >= nonmembers).sum(axis=(-2, -1)), dtype=np.int64)


def _pairs(labels: Integer) -> int:
    return int((labels == 1).sum() * (labels == 0).sum())
