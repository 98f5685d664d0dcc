"""Scores that follow the binormal leak exactly, without chance: what planning is computed on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special

from privacy_gate.domain import Sizes
from privacy_gate.statistics.scores import SortedScores

_MOST = 2000
"""Quantiles a side; beyond, variances are scaled by the sizes instead."""


@lru_cache(maxsize=256)
def binormal_scores(separation: float, sizes: Sizes, least: int = 20) -> tuple[SortedScores, float]:
    """Evenly spaced quantiles of N(separation, 1) and N(0, 1), and the factor for their variances.

    At most 2 000 a side, in the proportion of the sizes, but at least ``least`` of the smaller
    side; a variance of order 1/records computed from them is to be multiplied by the factor. It
    is slightly too large where the larger side is cut to 2 000 for the sake of the smaller.
    """
    small, large = sorted((sizes.members, sizes.nonmembers))
    scale = max(least / small, min(1.0, _MOST / large))
    n, m = (min(_MOST, round(count * scale)) for count in (sizes.members, sizes.nonmembers))
    members = special.ndtri((np.arange(n) + 0.5) / n) + separation
    nonmembers = special.ndtri((np.arange(m) + 0.5) / m)
    # at equal sizes and no separation both sides would be the same numbers: break the ties evenly
    members = members + 1e-9 * np.where(np.arange(n) % 2, 1, -1)
    return SortedScores(np.sort(members), nonmembers), scale
