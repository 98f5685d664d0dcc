"""Two models scored on the same records: the standard error of the difference of a metric.

AUC: DeLong et al. 1988. Log-MIA: deletion of one record from both means at once. TPR at FPR and TNR
at FNR: a stratified bootstrap of the records, in which both models meet the same resampled records.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import special

from privacy_gate.domain import Boolean, Float, Integer
from privacy_gate.errors import SignalError
from privacy_gate.statistics.auc import paired_difference
from privacy_gate.statistics.episodes import Episodes, deletion_variance
from privacy_gate.statistics.log_mia import LogMia
from privacy_gate.statistics.scores import SortedScores, as_scores

REPLICATES = 2000
"""Bootstrap samples: a standard error is then known to about 1.6 %."""

_CELLS = 1 << 21
"""Most cells of a temporary table, to bound memory."""


@dataclass(frozen=True, eq=False)
class RecordScores:
    """One model's scores of ``members`` (n,) and ``nonmembers`` (m,), record by record and without
    ties (ranks, as ``run`` makes them)."""

    members: Float
    nonmembers: Float

    @classmethod
    def of(cls, members: Any, nonmembers: Any) -> RecordScores:
        """Validate both sides. Raises ``SignalError``."""
        sides = cls(as_scores(members, "members"), as_scores(nonmembers, "nonmembers"))
        pooled = np.concatenate([sides.members, sides.nonmembers])
        if np.unique(pooled).size < pooled.size:
            raise SignalError(
                "Scores to be compared record by record have ties.",
                hint="Break them first, by one key per record for both models.",
            )
        return sides

    @cached_property
    def ordered(self) -> SortedScores:
        """The same, sorted."""
        return SortedScores(np.sort(self.members), np.sort(self.nonmembers))

    @cached_property
    def swapped(self) -> RecordScores:
        """Sides and sign exchanged: TNR at FNR is TPR at FPR of this."""
        return RecordScores(-self.nonmembers, -self.members)

    @cached_property
    def above_members(self) -> Integer:
        """(n,) non-members above each member."""
        ordered = self.ordered.nonmembers
        return ordered.size - np.searchsorted(ordered, self.members)

    @cached_property
    def above_nonmembers(self) -> Integer:
        """(m,) non-members above each non-member: its place in descending order, from 0."""
        ranks = np.empty(self.nonmembers.size, dtype=np.int64)
        ranks[np.argsort(-self.nonmembers)] = np.arange(self.nonmembers.size)
        return ranks

    def true_positives(self, allowed: int) -> int:
        """Members above all but ``allowed`` of the non-members."""
        return int((self.above_members <= allowed).sum())


@dataclass(frozen=True, eq=False)
class Pair:
    """The candidate's and the baseline's scores of the same records, in the same order."""

    candidate: RecordScores
    baseline: RecordScores

    def __post_init__(self) -> None:
        for side in ("members", "nonmembers"):
            sizes = [getattr(model, side).size for model in (self.candidate, self.baseline)]
            if sizes[0] != sizes[1]:
                raise SignalError(f"The {side} of candidate and baseline are not the same records.")

    @cached_property
    def swapped(self) -> Pair:
        """Sides and sign exchanged."""
        return Pair(self.candidate.swapped, self.baseline.swapped)


def auc_error(pair: Pair) -> float:
    """Standard error of the difference of the areas, 0 where no record is ranked differently."""
    first, second = pair.candidate, pair.baseline
    return paired_difference(
        (first.members, second.members), (first.nonmembers, second.nonmembers)
    ).standard_error


def log_mia_error(pair: Pair, judged: LogMia) -> float:
    """Standard error of the difference of the episode means; 0 where they cannot be compared."""
    first, second = (_deletions(model, judged) for model in (pair.candidate, pair.baseline))
    if first is None or second is None:
        return 0.0
    variance = deletion_variance(first[0] - second[0], first[1] - second[1])
    # sums of weights carry rounding errors: what is 0 up to those is degenerate
    return 0.0 if variance <= 1e-24 else math.sqrt(variance)


def _deletions(model: RecordScores, judged: LogMia) -> tuple[Float, Float] | None:
    """The episode mean without each member and without each non-member, record by record."""
    n, m = model.members.size, model.nonmembers.size
    if min(n, m) <= judged.size:
        return None
    episodes = Episodes(model.ordered.members_above_each, n, judged.size, judged.cap)
    without_member, without_nonmember = episodes.deletions(model.above_members)
    return without_member, without_nonmember[model.above_nonmembers]


def rate_error(pair: Pair, allowed: int, generator: np.random.Generator) -> float:
    """Bootstrap standard error of the difference of the true-positive rates at ``allowed`` false
    positives; 0 where no resampling changes it.

    Members and non-members are resampled with replacement, both models on the same records. The
    non-members, which set the thresholds, are drawn ``REPLICATES`` times; given the thresholds the
    mean and the variance over resampled members are known, so that they need no drawing.
    """
    n = pair.candidate.members.size
    thresholds = _thresholds(pair, allowed, generator)
    counts = np.array(_called(pair, *thresholds), dtype=np.float64) / n
    candidate_only, baseline_only = counts
    difference = candidate_only - baseline_only
    given = (candidate_only + baseline_only - difference**2).mean() / n
    return math.sqrt(float(difference.var()) + max(0.0, float(given)))


def _thresholds(
    pair: Pair, allowed: int, generator: np.random.Generator
) -> tuple[Integer, Integer]:
    """(REPLICATES,) for each model: the place, in its descending order of the non-members, of the
    one that the (``allowed`` + 1)-th largest resampled non-member is a copy of.

    That place lies within eight standard deviations of ``allowed``, so only records in that window
    of either model are counted one by one; those above it are counted together.
    """
    m = pair.candidate.nonmembers.size
    reach = math.ceil(8 * math.sqrt(allowed + 1)) + 15
    start, end = max(0, allowed - reach), min(m, allowed + reach + 1)
    places = (pair.candidate.above_nonmembers, pair.baseline.above_nonmembers)
    single = np.zeros(m, dtype=np.bool_)
    for place in places:
        single |= (place >= start) & (place < end)
    above = [place < start for place in places]
    together = np.array(
        [(~single & (above[0] == one) & (above[1] == two)).sum() for one, two in _SIDES]
    )
    found: list[list[Integer]] = [[], []]
    at_once = max(1, _CELLS // (int(single.sum()) + len(_SIDES)))
    for first in range(0, REPLICATES, at_once):
        counts = _copies(int(single.sum()), together, min(at_once, REPLICATES - first), generator)
        for model, place in enumerate(places):
            inside = _order(place[single], start, end)
            ahead = np.concatenate([above[model][single], [sides[model] for sides in _SIDES]])
            before = counts[:, ahead].sum(axis=1)
            passed = before[:, None] + np.cumsum(counts[:, inside], axis=1)
            found[model].append(np.minimum(start + (passed <= allowed).sum(axis=1), end - 1))
    return np.concatenate(found[0]), np.concatenate(found[1])


def _copies(
    single: int, together: Integer, replicates: int, generator: np.random.Generator
) -> Integer:
    """(replicates, single + groups) how often each single record, and each of the groups
    ``together``, occurs among as many draws with replacement as there are records."""
    records = single + int(together.sum())
    drawn = generator.binomial(records, single / records, replicates)
    cells = np.repeat(np.arange(replicates) * single, drawn)
    cells += generator.integers(0, single, cells.size)
    counts = np.bincount(cells, minlength=replicates * single).reshape(replicates, single)
    shares = together / max(1, records - single)
    if single == records:
        shares[0] = 1.0  # nothing is left to be shared
    return np.hstack([counts, generator.multinomial(records - drawn, shares)])


_SIDES = ((False, False), (False, True), (True, False), (True, True))
"""Whether a record that is not counted singly lies above the window of either model."""


def _order(places: Integer, start: int, end: int) -> Integer:
    """Which of the single records lie in a model's window, in its descending order."""
    inside = np.flatnonzero((places >= start) & (places < end))
    return inside[np.argsort(places[inside])]


def _called(pair: Pair, first: Integer, second: Integer) -> tuple[Integer, Integer]:
    """(REPLICATES,) members called by the candidate alone and by the baseline alone, with
    thresholds at the non-members of these places."""
    places = np.array([pair.candidate.above_members, pair.baseline.above_members])
    thresholds = np.array([first, second])
    always = (places <= thresholds.min(axis=1, keepdims=True)).all(axis=0)
    never = (places > thresholds.max(axis=1, keepdims=True)).all(axis=0)
    candidates, baselines = places[:, ~(always | never)]
    only: tuple[list[Integer], list[Integer]] = ([], [])
    at_once = max(1, _CELLS // max(1, candidates.size))
    for begin in range(0, first.size, at_once):
        rows = slice(begin, begin + at_once)
        candidate: Boolean = candidates <= first[rows, None]
        baseline: Boolean = baselines <= second[rows, None]
        only[0].append((candidate & ~baseline).sum(axis=1))
        only[1].append((baseline & ~candidate).sum(axis=1))
    return np.concatenate(only[0]), np.concatenate(only[1])


def discordance_bound(pairs: int, error: float) -> float:
    """Upper bound of the share of (member, non-member) pairs that two models rank differently, when
    none of ``pairs`` independent ones is; wrong with probability at most ``error``."""
    return float(-special.expm1(math.log(error) / pairs))
