"""SimpleShot for membership: weighted nearest neighbours among the labelled records.

After Wang et al. 2019 as used by FeS-MIA (Jiménez-López et al. 2025). The k nearest anchors
(support records and class means) vote with weight 1/d²; k is chosen on the validation records.
Unlike the published code, anchors and queries live in the same feature space, and the centre of
that space comes from records whose membership is not used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privacy_gate.attacks.few_shot.draws import membership_labels
from privacy_gate.attacks.few_shot.geometry import anchors, squared_distances
from privacy_gate.attacks.few_shot.selection import best_on_validation
from privacy_gate.domain import Float, Integer

_SMALLEST = 1e-12
"""Squared distances below this count as this: a copy of an anchor outvotes all others, not NaN."""


@dataclass(frozen=True, slots=True)
class SimpleShot:
    """Needs no training; transductive it is not: each query is scored by itself."""

    transductive = False

    def score(self, support: Float, validation: Float, query: Float) -> Float:
        """(R, Q) probability of membership.

        ``support`` (R, 2K, d) and ``validation`` (R, 2V, d), members first; ``query`` (R, Q, d), or
        (1, Q, d) for the same queries in every draw.
        """
        points, labels = anchors(support)
        candidates = neighbour_counts(support.shape[1] // 2)
        votes = np.stack([_votes(validation, points, labels, k) for k in candidates])
        chosen = best_on_validation(votes, membership_labels(validation.shape[1] // 2))
        scores = np.empty((support.shape[0], query.shape[1]))
        for index, k in enumerate(candidates):
            rows = np.flatnonzero(chosen == index)
            if rows.size:
                asked = query if query.shape[0] == 1 else query[rows]
                scores[rows] = _votes(asked, points[rows], labels, k)
        return scores


def neighbour_counts(shots: int) -> list[int]:
    """Odd numbers of neighbours up to K + 1."""
    return list(range(1, shots + 2, 2))


def _votes(asked: Float, points: Float, labels: Integer, k: int) -> Float:
    """(R, Q) share of the members' weight among the k nearest anchors."""
    distances = squared_distances(asked, points)
    nearest = np.argpartition(distances, k - 1, axis=-1)[..., :k]
    weights = 1.0 / np.maximum(np.take_along_axis(distances, nearest, axis=-1), _SMALLEST)
    result: Float = (weights * labels[nearest]).sum(-1) / weights.sum(-1)
    return result
