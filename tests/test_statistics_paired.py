"""Paired DeLong: two areas of the same records against the definition, and its edge cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from privacy_gate.errors import SignalError
from privacy_gate.statistics.auc import auc_with_variance, paired_difference
from privacy_gate.statistics.scores import SortedScores

pairs = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=25)


def slow_paired(first, second):
    """DeLong, DeLong & Clarke-Pearson 1988: L S L' with the covariance matrices written out.

    ``first`` and ``second``: (members, non-members) each.
    """

    def wins(a, b):
        return 1.0 if a > b else 0.5 if a == b else 0.0

    areas, of_members, of_nonmembers = [], [], []
    for members, nonmembers in (first, second):
        table = [[wins(a, b) for b in nonmembers] for a in members]
        of_members.append([sum(row) / len(row) for row in table])
        of_nonmembers.append([sum(column) / len(column) for column in zip(*table, strict=True)])
        areas.append(sum(of_members[-1]) / len(members))
    n, m = len(first[0]), len(first[1])
    covariance = np.cov(of_members, ddof=1) / n + np.cov(of_nonmembers, ddof=1) / m
    contrast = np.array([1.0, -1.0])
    return areas[0] - areas[1], math.sqrt(max(0.0, contrast @ covariance @ contrast))


@given(pairs, pairs)
def test_equals_the_definition(members, nonmembers):
    (first, second), (first_non, second_non) = (
        zip(*side, strict=True) for side in (members, nonmembers)
    )
    found = paired_difference((first, second), (first_non, second_non))
    difference, error = slow_paired((first, first_non), (second, second_non))
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.standard_error == pytest.approx(error, abs=1e-7)
    if found.standard_error > 0:
        normal = 2 * stats.norm.sf(abs(difference) / found.standard_error)
        assert found.p_value == pytest.approx(normal, rel=1e-6, abs=1e-12)


def test_exchanging_the_scores_changes_the_sign_only():
    generator = np.random.default_rng(0)
    members, nonmembers = generator.normal(0.5, 1, (2, 40)), generator.normal(size=(2, 30))
    there = paired_difference(tuple(members), tuple(nonmembers))
    back = paired_difference(tuple(members[::-1]), tuple(nonmembers[::-1]))
    assert there.difference == -back.difference != 0
    assert (there.standard_error, there.p_value) == (back.standard_error, back.p_value)


def test_a_constant_second_score_leaves_the_variance_of_the_first():
    generator = np.random.default_rng(1)
    members, nonmembers = generator.normal(1, 1, 50), generator.normal(size=60)
    area, variance = auc_with_variance(SortedScores.of(members, nonmembers))
    found = paired_difference((members, np.zeros(50)), (nonmembers, np.zeros(60)))
    assert found.difference == pytest.approx(area - 0.5, abs=1e-12)
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_the_same_ranking_twice_is_no_difference():
    generator = np.random.default_rng(2)
    members, nonmembers = generator.normal(size=20), generator.normal(size=30)
    found = paired_difference((members, 3 * members + 1), (nonmembers, 3 * nonmembers + 1))
    assert (found.difference, found.standard_error, found.p_value) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(("size", "expected"), [(2, 2 * math.exp(-0.25)), (200, 2 * math.exp(-25))])
def test_without_variance_the_bound_is_the_exact_one(size, expected):
    found = paired_difference((np.ones(size), np.zeros(size)), (np.zeros(size), np.zeros(size)))
    assert (found.difference, found.standard_error) == (0.5, 0.0)
    assert found.p_value == pytest.approx(min(1.0, expected))


def test_two_attacks_of_equal_strength_differ_by_chance_only():
    generator = np.random.default_rng(3)
    p_values = []
    for _ in range(500):
        shared = generator.normal(size=120)
        first, second = (shared + generator.normal(size=120) for _ in range(2))
        shift = np.repeat([0.8, 0.0], 60)
        first, second = first + shift, second + shift
        p_values.append(
            paired_difference((first[:60], second[:60]), (first[60:], second[60:])).p_value
        )
    assert stats.binomtest(int(np.sum(np.array(p_values) < 0.05)), 500, 0.05).pvalue > 1e-3


@pytest.mark.parametrize(
    ("members", "nonmembers"),
    [
        (([1, 2, 3], [1, 2]), ([0, 1], [0, 1])),
        (([1, 2], [1, 2]), ([0, 1, 2], [0, 1])),
        (([1, math.nan], [1, 2]), ([0, 1], [0, 1])),
        (([1, 2], [1, math.inf]), ([0, 1], [0, 1])),
        (([1], [1]), ([0, 1], [0, 1])),
    ],
)
def test_scores_of_other_records_are_refused(members, nonmembers):
    with pytest.raises(SignalError):
        paired_difference(members, nonmembers)
