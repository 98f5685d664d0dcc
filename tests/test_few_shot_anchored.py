"""The anchored attacker against its twin, column by column."""

from __future__ import annotations

import few_shot_twins as twins
import numpy as np
import pytest

from privacy_gate.attacks.few_shot.anchored import (
    class_difficulty,
    covariates,
    difficulty_trust,
    neighbour_difficulty,
    standardised,
)

RECORDS = 60
POOL = np.random.default_rng(0).permutation(RECORDS)[:40]


def columns(seed, width):
    random = np.random.default_rng(seed)
    values = random.normal(size=(RECORDS, width)) * 10.0 ** np.arange(width) + 3
    values[POOL[0], 0] = 900.0  # an outlier, to be clipped
    return values


def draws(seed, count, shots):
    """Support and validation rows out of the pool, disjoint."""
    random = np.random.default_rng(seed)
    order = np.argsort(random.random((count, POOL.size)), axis=1)
    rows = POOL[order]
    return rows[:, : 2 * shots], rows[:, 2 * shots : 2 * shots + 20]


@pytest.mark.parametrize("shots", [1, 2, 5, 10])
@pytest.mark.parametrize(("difficulties", "trust"), [(0, 1.0), (1, 1.0), (3, 0.3)])
def test_equals_its_twin(shots, difficulties, trust):
    signals, difficulty = columns(1, 4), columns(2, 3)[:, :difficulties]
    support, validation = draws(3, 4, shots)
    found = covariates(signals, difficulty, POOL, trust)
    scores = found.weights(POOL, support, validation) @ found.values.T
    for draw in range(4):
        expected = twins.anchored(
            signals.T.tolist(), difficulty.T.tolist(), POOL, support[draw], validation[draw], trust
        )
        np.testing.assert_allclose(scores[draw], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, -1e300])
def test_a_constant_column_changes_nothing(constant):
    """0.1 is the hard one: the mean of many is not 0.1."""
    signals = columns(4, 3)
    support, validation = draws(5, 3, 5)
    none = np.empty((RECORDS, 0))
    plain = covariates(signals, none, POOL)
    more = covariates(np.c_[signals, np.full(RECORDS, constant)], none, POOL)
    np.testing.assert_allclose(
        more.weights(POOL, support, validation) @ more.values.T,
        plain.weights(POOL, support, validation) @ plain.values.T,
        atol=1e-12,
    )


def test_a_single_column_keeps_its_order():
    signals = columns(6, 1)
    found = covariates(signals, np.empty((RECORDS, 0)), POOL)
    weights = found.weights(POOL, *draws(7, 2, 5))
    assert weights.shape == (2, 1)
    expected = [twins.z_scores(signals[:, 0].tolist(), POOL)]
    np.testing.assert_allclose(found.values.T, expected, rtol=0, atol=1e-12)


def test_without_labelled_evidence_the_direction_is_known():
    """Records that say nothing leave the prior: positive on every signal, zero on difficulty."""
    random = np.random.default_rng(8)
    values = random.normal(size=(RECORDS, 2))
    found = covariates(values, random.normal(size=(RECORDS, 1)), POOL)
    same = np.repeat(POOL[:1], 10)[None]
    inverse = np.linalg.inv(np.corrcoef(found.values[POOL], rowvar=False) + np.eye(3))
    expected = 40 / (40 + 10) * np.array([0.5, 0.5, 0.0]) @ inverse
    np.testing.assert_allclose(found.weights(POOL, same, same)[0], expected, rtol=0, atol=1e-12)


def test_z_scores_equal_their_twin_and_use_pool_rows_only():
    values = columns(9, 3)
    found = standardised(values, POOL)
    for column in range(3):
        expected = twins.z_scores(values[:, column].tolist(), POOL)
        np.testing.assert_allclose(found[:, column], expected, rtol=0, atol=1e-12)
    assert found.max() == 4.0
    outside = np.setdiff1d(np.arange(RECORDS), POOL)
    moved = values.copy()
    moved[outside] += 1000
    np.testing.assert_array_equal(standardised(moved, POOL)[POOL], found[POOL])


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-200, 1e200, 1e308])
def test_z_scores_of_very_small_and_large_numbers(scale):
    """Squares that overflow or vanish must not turn a column into a constant one."""
    values = np.resize([-1.0, 1.0], RECORDS)[:, None] * scale
    np.testing.assert_allclose(
        standardised(values, np.arange(RECORDS)), np.sign(values), rtol=1e-12
    )


def test_a_column_constant_in_the_pool_is_zero_everywhere():
    values = np.full((RECORDS, 1), 0.1)
    values[np.setdiff1d(np.arange(RECORDS), POOL)] = np.linspace(-1, 1, 20)[:, None] * 1e308
    assert not standardised(values, POOL).any()


@pytest.mark.parametrize("classes", [1, 3, 40])
def test_class_difficulty_equals_its_twin(classes):
    """With 40 classes some are not in the pool at all."""
    random = np.random.default_rng(classes)
    margin, labels = random.normal(size=RECORDS), random.integers(0, classes, RECORDS)
    expected = twins.class_difficulty(margin.tolist(), labels.tolist(), POOL)
    found = class_difficulty(margin, labels, POOL)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    if classes == 1:
        assert not found.any()


@pytest.mark.parametrize("pool", [POOL, POOL[:6]])
def test_neighbour_difficulty_equals_its_twin(pool):
    """With a pool of 6 there are fewer than 10 neighbours."""
    random = np.random.default_rng(12)
    features = random.normal(size=(RECORDS, 4)).astype(np.float32)
    margin, labels = random.normal(size=RECORDS), random.integers(0, 3, RECORDS)
    found = neighbour_difficulty(features, margin, labels, pool)
    expected = twins.neighbour_difficulty(
        features.astype(float).tolist(), margin.tolist(), labels.tolist(), pool
    )
    np.testing.assert_allclose(found, np.transpose(expected), rtol=0, atol=1e-9)


def test_a_record_is_not_its_own_neighbour():
    features = np.eye(RECORDS, dtype=np.float32)
    labels = np.arange(RECORDS)
    margin = np.zeros(RECORDS)
    assert not neighbour_difficulty(features, margin, labels, POOL)[:, 0].any()


def test_trust_shrinks_difficulty_towards_no_difficulty():
    signals, difficulty = columns(13, 3), columns(14, 2)
    rows = draws(15, 4, 5)

    def scores(found):
        return found.weights(POOL, *rows) @ found.values.T

    none = scores(covariates(signals, np.empty((RECORDS, 0)), POOL))
    distances = [
        np.abs(scores(covariates(signals, difficulty, POOL, trust)) - none).max()
        for trust in (0.0, 0.2, 0.6, 1.0)
    ]
    assert distances[0] < 1e-12
    assert (np.diff(distances) > 0).all()


@pytest.mark.parametrize(("classes", "expected"), [(1, 0.8), (4, 0.5), (40, 1 / 11)])
def test_trust_grows_with_the_records_of_a_class(classes, expected):
    labels = np.zeros(RECORDS, dtype=np.int64)
    labels[POOL] = np.arange(POOL.size) % classes
    assert difficulty_trust(labels, POOL) == pytest.approx(expected)
