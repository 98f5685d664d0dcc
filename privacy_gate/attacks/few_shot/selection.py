"""Hyper-parameters are chosen on validation records, and nowhere else."""

from __future__ import annotations

import numpy as np

from privacy_gate.domain import Float, Integer


def best_on_validation(scores: Float, labels: Integer) -> Integer:
    """(R,) the index of the best candidate of each draw.

    ``scores`` (G, R, V) of the validation records under each of G candidates; ``labels`` (V,). Best:
    most true positives before the first false one (the paper's criterion); then the larger AUC;
    then the first candidate. (The published code resolves ties towards the last one, so that the
    largest neighbourhood wins whenever nothing separates.)
    """
    first = true_positives_at_zero(scores, labels).astype(np.float64)
    # an AUC lies in [0, 1]: half of it never outweighs one true positive
    return np.asarray(np.argmax(first + 0.5 * auc(scores, labels), axis=0), dtype=np.int64)


def true_positives_at_zero(scores: Float, labels: Integer) -> Integer:
    """(…,) members strictly above every non-member, over the last axis of ``scores``."""
    highest = scores[..., labels == 0].max(axis=-1, keepdims=True)
    return np.asarray((scores[..., labels == 1] > highest).sum(axis=-1), dtype=np.int64)


def auc(scores: Float, labels: Integer) -> Float:
    """(…,) Mann-Whitney with ties counted half, over the last axis of ``scores``."""
    members = scores[..., labels == 1][..., :, None]
    nonmembers = scores[..., labels == 0][..., None, :]
    wins = (members > nonmembers).mean(axis=(-2, -1))
    ties = (members == nonmembers).mean(axis=(-2, -1))
    result: Float = wins + 0.5 * ties
    return result
