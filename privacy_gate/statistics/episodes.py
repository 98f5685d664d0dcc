"""Means of Log-MIA over all episodes, in closed form.

An episode draws q members and q non-members; its value is log(1 + T) / log(1 + q), where T counts
the members above all but f of the non-members. With A_j members above the j-th largest of m
non-members, the threshold is the j-th with probability C(j, f) C(m-1-j, q-f-1) / C(m, q), and given
j, T is hypergeometric: no Monte Carlo over queries is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from privacy_gate.domain import Float, Integer

_CELLS = 1 << 20
"""Most cells of a temporary table, to bound memory."""


def _threshold_weights(nonmembers: int, size: int, cap: int) -> Float:
    """(m,) P(the episode's threshold is the j-th largest non-member, 0-based):
    C(j, f) C(m-1-j, q-f-1) / C(m, q)."""
    j = np.arange(nonmembers, dtype=np.float64)
    weights = np.full(nonmembers, float(special.comb(size, cap)) * (size - cap))
    # falling factorials, each factor divided by one of those of C(m, q), so that nothing overflows
    for i in range(cap):
        weights *= np.maximum(j - i, 0.0) / (nonmembers - i)
    for i in range(size - cap - 1):
        weights *= np.maximum(nonmembers - 1 - j - i, 0.0) / (nonmembers - cap - i)
    return weights / (nonmembers - size + 1)


def _expected_log(above: Integer, members: int, size: int) -> Float:
    """E[log(1 + T)] / log(1 + q), T hypergeometric: ``above`` of ``members`` marked, q drawn."""
    distinct, inverse = np.unique(above, return_inverse=True)
    chunk = _CELLS // (size + 1)
    values = np.concatenate(
        [
            _expected_log_chunk(distinct[start : start + chunk].astype(np.float64), members, size)
            for start in range(0, distinct.size, chunk)
        ]
    )
    result: Float = values[inverse]
    return result


def _expected_log_chunk(marked: Float, members: int, size: int) -> Float:
    hits = np.empty((size + 1, marked.size))  # marked · (marked - 1) · … over n^t
    misses = np.empty_like(hits)
    hits[0] = misses[0] = 1.0
    for i in range(size):
        hits[i + 1] = hits[i] * np.maximum(marked - i, 0.0) / members
        misses[i + 1] = misses[i] * np.maximum(members - marked - i, 0.0) / members
    scale = float(np.prod(members / (members - np.arange(size, dtype=np.float64))))
    gains = np.log1p(np.arange(size + 1)) / math.log1p(size)
    coefficients = scale * gains * special.comb(size, np.arange(size + 1))
    result: Float = np.einsum("t,tj,tj->j", coefficients, hits, misses[::-1])
    return result


@dataclass(frozen=True, slots=True)
class Episodes:
    """The members above each non-member (descending), and the episode's size and cap."""

    above: Integer
    members: int
    size: int
    cap: int

    def mean(self) -> float:
        weights = _threshold_weights(self.above.size, self.size, self.cap)
        return min(1.0, float(weights @ _expected_log(self.above, self.members, self.size)))

    def variance(self, not_below: Integer) -> float:
        """Deletion (jackknife) variance; ``not_below`` (n,) counts, for each member, the
        non-members it does not exceed. Needs more than ``size`` records on both sides."""
        return deletion_variance(*self.deletions(not_below))

    def deletions(self, not_below: Integer) -> tuple[Float, Float]:
        """The mean without each member (n,), in the order of ``not_below``, and without each
        non-member (m,), in descending order."""
        return self._without_a_member()[not_below], self._without_a_nonmember()

    def _without_a_member(self) -> Float:
        """(m + 1,) the mean without a member that has r non-members at or above it, r = 0..m."""
        weights = _threshold_weights(self.above.size, self.size, self.cap)
        left = self.members - 1
        kept = weights * _expected_log(np.minimum(self.above, left), left, self.size)
        lost = weights * _expected_log(np.maximum(self.above - 1, 0), left, self.size)
        before: Float = np.concatenate([[0.0], np.cumsum(kept)])
        after: Float = np.concatenate([[0.0], np.cumsum(lost)])
        result: Float = before + (after[-1] - after)
        return result

    def _without_a_nonmember(self) -> Float:
        """(m,) the mean without the j-th largest non-member."""
        weights = _threshold_weights(self.above.size - 1, self.size, self.cap)
        expected = _expected_log(self.above, self.members, self.size)
        before: Float = np.concatenate([[0.0], np.cumsum(weights * expected[:-1])])
        after: Float = np.concatenate([[0.0], np.cumsum(weights * expected[1:])])
        result: Float = before + (after[-1] - after)
        return result


def deletion_variance(without_member: Float, without_nonmember: Float) -> float:
    """Variance of a two-sample statistic from its values without each record of either side."""
    parts = (
        (values.size - 1) / values.size * float(((values - values.mean()) ** 2).sum())
        for values in (without_member, without_nonmember)
    )
    return sum(parts)


def expected_log_binomial(rate: Float, size: int) -> Float:
    """E[log(1 + X)] / log(1 + q) for X ~ Binomial(q, rate)."""
    count = np.arange(size + 1)[:, None]
    probability = special.comb(size, count) * rate**count * (1 - rate) ** (size - count)
    result: Float = (np.log1p(count[:, 0]) / math.log1p(size)) @ probability
    return result
