"""One feature space for labelled records and queries, made without anybody's membership."""

from __future__ import annotations

import few_shot_twins as twins
import numpy as np
import pytest
from few_shot_evidence import evidence, with_membership, with_signals

from privacy_gate.attacks.few_shot.spaces import SIGNALS, SPACES, signal_matrix, space
from privacy_gate.domain import Split
from privacy_gate.errors import SignalError


def pool_of(found):
    return np.flatnonzero(found.split != Split.EVALUATION)


def by_twin(found, name):
    pool = pool_of(found)
    if name == "signals":
        columns = [twins.z_scores(found.signals.columns[s].tolist(), pool) for s in SIGNALS]
        return np.transpose(columns)
    if name == "penultimate":
        return twins.unit_space(found.signals.features.astype(float).tolist(), pool)
    vectors = found.signals.outputs.tolist()
    if name == "probabilities":
        vectors = [twins.softmax(vector) for vector in vectors]
    return twins.unit_space(vectors, pool)


@pytest.mark.parametrize("name", SPACES)
def test_equals_its_twin(name):
    found, _ = evidence(1)
    points = space(found, name, pool_of(found))
    assert points.dtype == np.float64
    np.testing.assert_allclose(points, by_twin(found, name), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SPACES)
def test_membership_is_not_used(name):
    found, is_member = evidence(2)
    other = with_membership(found, np.random.default_rng(0).permutation(is_member))
    np.testing.assert_array_equal(
        space(other, name, pool_of(found)), space(found, name, pool_of(found))
    )


@pytest.mark.parametrize("name", SPACES)
def test_a_record_outside_the_pool_moves_nothing_but_itself(name):
    found, _ = evidence(3)
    row = int(np.flatnonzero(found.split == Split.EVALUATION)[0])
    points = space(found, name, pool_of(found))
    columns = {key: values.copy() for key, values in found.signals.columns.items()}
    features, outputs = found.signals.features.copy(), found.signals.outputs.copy()
    for values in (*columns.values(), features, outputs[:, 0]):
        values[row] += 7
    changed = with_signals(found, columns=columns, features=features, outputs=outputs)
    moved = space(changed, name, pool_of(found))
    others = np.arange(found.split.size) != row
    np.testing.assert_array_equal(moved[others], points[others])
    assert (moved[row] != points[row]).any()


@pytest.mark.parametrize("name", ["penultimate", "logits", "probabilities"])
def test_a_record_at_the_centre_stays_there(name):
    """It has no direction, and is not divided by its length of zero."""
    found, _ = evidence(4)
    features, outputs = (np.ones((found.split.size, 5), kind) for kind in (np.float32, float))
    points = space(with_signals(found, features=features, outputs=outputs), name, pool_of(found))
    assert np.isfinite(points).all()
    assert (points == points[0]).all()


def test_the_six_signals_of_classification_whatever_else_there_is():
    found, _ = evidence(5)
    columns = dict(found.signals.columns)
    wider = with_signals(found, columns={"another": columns["loss"] * 2, **columns})
    np.testing.assert_array_equal(signal_matrix(wider), signal_matrix(found))
    assert signal_matrix(found).shape == (found.split.size, 6)


@pytest.mark.parametrize("names", [["b", "a"], ["loss", "mine"], ["correctness"]])
def test_every_signal_of_a_custom_task(names):
    """Also if one of them happens to be called like one of classification."""
    found, _ = evidence(6)
    random = np.random.default_rng(0)
    columns = {name: random.normal(size=found.split.size) for name in names}
    matrix = signal_matrix(with_signals(found, columns=columns))
    np.testing.assert_array_equal(matrix, np.stack([columns[n] for n in sorted(names)], axis=1))


@pytest.mark.parametrize(
    ("name", "missing", "words"),
    [
        ("penultimate", {"features": None}, "penultimate features"),
        ("logits", {"outputs": None}, "logits"),
        ("probabilities", {"outputs": None}, "probabilities"),
        ("signals", {"columns": {}}, "no signal"),
    ],
)
def test_what_the_model_did_not_give_is_named(name, missing, words):
    found, _ = evidence(7)
    with pytest.raises(SignalError, match=words):
        space(with_signals(found, **missing), name, pool_of(found))
