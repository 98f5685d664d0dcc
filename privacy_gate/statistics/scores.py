"""Scores of both sides, validated and sorted once.

A record is called a member when its score lies **strictly** above the threshold. Tied scores
never help the attacker in an estimate or a lower bound (``>``), always in an upper bound (``>=``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from privacy_gate.domain import Float, Integer
from privacy_gate.errors import SignalError


def as_scores(values: Any, side: str) -> Float:
    """``values`` as float64 of shape (records,).

    Accepts one-dimensional real integers or floats, at least two, all finite; anything else is a
    ``SignalError`` that names the ``side``.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):
        raise SignalError(
            f"The scores of the {side} are not an array of numbers.",
            hint="Give one score per record, as a one-dimensional array.",
        ) from None
    if array.dtype.kind not in "iuf":
        raise SignalError(
            f"The scores of the {side} are of type {array.dtype}, not real numbers.",
            hint="Give integers or floats.",
        )
    if array.ndim != 1:
        raise SignalError(
            f"The scores of the {side} have the shape {array.shape}.",
            hint="Give one score per record, as a one-dimensional array.",
        )
    if array.size < 2:
        raise SignalError(
            f"There {'is' if array.size == 1 else 'are'} {array.size} score(s) of {side}.",
            hint="At least 2 records a side are needed, and hundreds to conclude anything.",
        )
    array = array.astype(np.float64)
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise SignalError(
            f"{bad} of {array.size} scores of the {side} are NaN or infinite.",
            hint="Repair the scores at their source: dropping records would bias the result.",
        )
    return array


@dataclass(frozen=True, eq=False)
class SortedScores:
    """Scores in ascending order: ``members`` (n,) and ``nonmembers`` (m,), float64."""

    members: Float
    nonmembers: Float

    @classmethod
    def of(cls, members: Any, nonmembers: Any) -> SortedScores:
        """Validate and sort both sides."""
        return cls(
            np.sort(as_scores(members, "members")), np.sort(as_scores(nonmembers, "nonmembers"))
        )

    @cached_property
    def swapped(self) -> SortedScores:
        """Sides and sign exchanged: TNR at FNR is TPR at FPR of this."""
        return SortedScores(-self.nonmembers[::-1], -self.members[::-1])

    @cached_property
    def members_above_each(self) -> Integer:
        """(m,) members strictly above each non-member, non-members in descending order."""
        below = np.searchsorted(self.members, self.nonmembers, side="right")
        return (self.members.size - below)[::-1]

    @cached_property
    def members_at_or_above_each(self) -> Integer:
        """(m,) members at or above each non-member, non-members in descending order."""
        below = np.searchsorted(self.members, self.nonmembers, side="left")
        return (self.members.size - below)[::-1]

    @cached_property
    def nonmembers_above_each(self) -> Integer:
        """(n,) non-members strictly above each member, members in ascending order."""
        return self.nonmembers.size - np.searchsorted(self.nonmembers, self.members, side="right")

    @cached_property
    def nonmembers_at_or_above_each(self) -> Integer:
        """(n,) non-members at or above each member, members in ascending order."""
        return self.nonmembers.size - np.searchsorted(self.nonmembers, self.members, side="left")

    @cached_property
    def tied_across_sides(self) -> bool:
        """Whether some member has exactly the score of some non-member."""
        return not np.array_equal(self.members_above_each, self.members_at_or_above_each)

    def largest_nonmember(self, rank: int) -> float:
        """The ``rank``-th largest non-member score, 1-based."""
        return float(self.nonmembers[self.nonmembers.size - rank])

    def members_above(self, threshold: float) -> int:
        """Members strictly above the threshold."""
        return int(self.members.size - np.searchsorted(self.members, threshold, side="right"))

    def members_at_or_above(self, threshold: float) -> int:
        """Members at or above the threshold."""
        return int(self.members.size - np.searchsorted(self.members, threshold, side="left"))

    def nonmembers_above(self, threshold: float) -> int:
        """Non-members strictly above the threshold."""
        return int(self.nonmembers.size - np.searchsorted(self.nonmembers, threshold, side="right"))

    def true_positives(self, false_positives: int) -> int:
        """Members above the (``false_positives`` + 1)-th largest non-member; all without one."""
        if false_positives >= self.nonmembers.size:
            return int(self.members.size)
        return self.members_above(self.largest_nonmember(false_positives + 1))
