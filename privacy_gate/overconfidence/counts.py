"""The numbers of the audit, pure functions: thresholds, false alarms, mean confidences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Boolean, Float
from privacy_gate.ranking import break_ties
from privacy_gate.statistics.operating_point import conformal_threshold
from privacy_gate.statistics.tails import proportion_high, proportion_low

Keys = NDArray[np.uint64]

DRIFT = 3.0
"""A single verdict is evidence only if no set has more false alarms than this many times the target
(the drift that Hintersdorf et al. 2022 found is 2 to 100)."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score, and the key above which records of this very score are called members."""

    score: float
    key: int

    def called(self, scores: Float, keys: Keys) -> Boolean:
        """(n,) who is called a member; what is NaN is not."""
        tied = (scores == self.score) & (keys > np.uint64(self.key))
        return np.asarray((scores > self.score) | tied)


def threshold(scores: Float, keys: Keys, fpr: float) -> Threshold | None:
    """The conformal threshold of calibration non-members, ties broken by key as everywhere;
    ``None`` where there are too few of them for any."""
    ranks = break_ties(scores, keys)
    found = conformal_threshold(ranks, fpr)
    if math.isinf(found):
        return None
    place = int(np.flatnonzero(ranks == found)[0])
    return Threshold(float(scores[place]), int(keys[place]))


@dataclass(frozen=True, slots=True)
class SetCalls:
    """How many records of a ``set`` an ``attack`` calls members. ``not_finite``: records the model
    has no finite answer to; they are among ``total``, and not among ``called``."""

    attack: str
    set: str
    called: int
    total: int
    not_finite: int = 0

    def fpr(self, confidence: float) -> dict[str, float]:
        """The share called, with a Clopper-Pearson interval. Records without a finite answer are
        no members in the estimate and the lower bound, and members in the upper bound."""
        error = (1 - confidence) / 2
        return {
            "estimate": self.called / self.total,
            "low": proportion_low(self.called, self.total, error),
            "high": proportion_high(self.called + self.not_finite, self.total, error),
        }


def mean_or_none(values: Float) -> float | None:
    """The mean of the finite ones; ``None`` if there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def confusion(called: Boolean, member: Boolean, top: Float) -> dict[str, float | None]:
    """Mean largest probability ``top`` (n,) of each confusion group; ``None`` for an empty one."""
    return {
        "tp": mean_or_none(top[called & member]),
        "fp": mean_or_none(top[called & ~member]),
        "fn": mean_or_none(top[~called & member]),
        "tn": mean_or_none(top[~called & ~member]),
    }


Evidence = Literal["yes", "no", "open"]


def is_evidence(rates: Sequence[Mapping[str, Any]], target: float) -> Evidence:
    """Whether a single verdict says anything, by the false alarms on sets off the distribution.

    ``no``: on some set they are credibly more often than the target rate; ``yes``: on no set they
    can be more than ``DRIFT`` times as often; ``open``: too few records to tell.
    """
    if any(rate["low"] > target for rate in rates):
        return "no"
    return "yes" if all(rate["high"] <= DRIFT * target for rate in rates) else "open"
