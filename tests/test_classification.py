"""The signals of classification against exact decimal arithmetic, and the relations they keep."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_gate.domain import Outputs
from privacy_gate.errors import FixtureError, ModelError
from privacy_gate.tasks.classification import (
    SMALLEST_PROBABILITY,
    Classification,
    signals_from_logits,
)

RELATIVE = {"rel": 1e-11, "abs": 1e-300}
# a margin is a difference of logits, so near 0 their last digit decides
TOLERANCE = dict.fromkeys(("loss", "confidence", "entropy", "modified-entropy"), RELATIVE)
TOLERANCE["margin"] = {"rel": 1e-11, "abs": 1e-12}
SIGNALS = tuple(TOLERANCE)


def exact(logits, label):
    """The signals of one record by their textbook definitions, in 250 digits."""
    with localcontext() as context:
        context.prec = 250
        weights = [Decimal(float(value)).exp() for value in logits]
        total = sum(weights)
        p = [weight / total for weight in weights]
        rest = [sum(weights[:k] + weights[k + 1 :]) / total for k in range(len(p))]  # 1 - p
        others = [k for k in range(len(p)) if k != label]
        return {
            "loss": float(p[label].ln()),
            "confidence": float(max(p).ln()),
            "entropy": float(sum(q * q.ln() for q in p)),
            "modified-entropy": float(
                rest[label] * p[label].ln() + sum(p[k] * rest[k].ln() for k in others)
            ),
            "margin": float(p[label].ln() - rest[label].ln()),
        }


def signals(logits, labels):
    return signals_from_logits(np.asarray(logits, dtype=np.float64), np.asarray(labels))


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("scale", [0.01, 1.0, 8.0, 40.0])
def test_known_answers_up_to_extreme_logits(classes, scale):
    random = np.random.default_rng(classes)
    logits = np.clip(random.normal(0, scale, (40, classes)), -80, 80)
    labels = random.integers(0, classes, 40)
    found = signals(logits, labels)
    for row in range(40):
        for name, value in exact(logits[row], labels[row]).items():
            assert found[name][row] == pytest.approx(value, **TOLERANCE[name]), (name, row)


@pytest.mark.parametrize(
    "logits",
    [[80.0, -80.0], [-80.0, 80.0], [80.0, 80.0, -80.0], [0.0, 0.0], [1e4, -1e4], [80.0, 79.999, 0]],
)
@pytest.mark.parametrize("label", [0, 1])
def test_known_answers_at_the_edges(logits, label):
    found = signals([logits], [label])
    for name, value in exact(logits, label).items():
        assert np.isfinite(found[name][0])
        assert found[name][0] == pytest.approx(value, **TOLERANCE[name]), name


def test_confident_records_stay_distinct():
    """In float32 many of these losses are exactly 0 and tie at the top."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (600, 10))
    labels = logits.argmax(axis=1)
    logits[np.arange(600), labels] += random.uniform(15, 60, 600)
    found = signals(logits, labels)
    for name in SIGNALS:
        assert np.unique(found[name]).size == 600, name
    margins = np.argsort(found["margin"])
    assert (np.argsort(found["loss"]) == margins).all()


def test_signals_do_not_depend_on_a_shift_of_all_logits():
    logits = np.array([[3.0, 1.0, -2.0], [0.5, 0.25, 8.0]])
    moved = signals(logits + 1024.0, [0, 2])
    for name, values in signals(logits, [0, 2]).items():
        np.testing.assert_allclose(moved[name], values, rtol=1e-12)


FINITE = st.floats(-80, 80, allow_nan=False)


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 6).flatmap(lambda c: st.lists(FINITE, min_size=c, max_size=c)), st.data())
def test_relations(row, data):
    label = data.draw(st.integers(0, len(row) - 1))
    found = {name: values[0] for name, values in signals([row], [label]).items()}
    assert all(np.isfinite(value) for value in found.values())
    assert found["loss"] <= 0
    assert found["confidence"] <= 0
    assert found["loss"] <= found["confidence"]
    assert -np.log(len(row)) - 1e-9 <= found["entropy"] <= 0
    assert found["modified-entropy"] <= 0
    raised = [value + 1.0 * (k == label) for k, value in enumerate(row)]
    after = {name: values[0] for name, values in signals([raised], [label]).items()}
    assert after["loss"] >= found["loss"]
    assert after["margin"] > found["margin"]
    # modified entropy falls with the label's probability (Song & Mittal 2021, section 3.2)
    assert after["modified-entropy"] >= found["modified-entropy"]


def test_permuting_classes_and_records_permutes_the_signals():
    random = np.random.default_rng(3)
    logits, labels = random.normal(0, 3, (50, 5)), random.integers(0, 5, 50)
    classes, rows = random.permutation(5), random.permutation(50)
    place = np.argsort(classes)
    found = signals(logits, labels)
    moved = signals(logits[rows][:, classes], place[labels[rows]])
    for name, values in found.items():
        np.testing.assert_allclose(moved[name], values[rows], rtol=1e-12)


# ------------------------------------------------------------------------------------ the task


def outputs(values, kind):
    return Outputs(np.asarray(values), kind)


def test_probabilities_give_the_signals_of_their_logarithms():
    random = np.random.default_rng(1)
    logits = random.normal(0, 3, (30, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = random.integers(0, 4, 30)
    found = Classification().signals(outputs(p, "probabilities"), labels)
    for name, values in signals(logits, labels).items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_probabilities_of_exactly_zero_and_one_are_finite(label):
    found = Classification().signals(outputs([[1.0, 0.0]], "probabilities"), np.array([label]))
    assert all(np.isfinite(values).all() for values in found.values())
    floor = np.log(SMALLEST_PROBABILITY)
    assert found["loss"][0] == pytest.approx(0.0 if label == 0 else floor, abs=1e-40)
    assert found["margin"][0] == pytest.approx(-floor if label == 0 else floor)
    assert found["correctness"][0] == (label == 0)


def test_labels_give_correctness_and_nothing_else():
    answer = outputs([2, 0, 1], "labels")
    task = Classification()
    found = task.signals(answer, np.array([2, 1, 1]))
    assert {name: values.tolist() for name, values in found.items()} == {"correctness": [1, 0, 1]}
    assert task.predicted(answer).tolist() == [2, 0, 1]


def test_all_signals_are_float64_columns():
    found = Classification(3).signals(outputs(np.eye(3, dtype=np.float32), "logits"), np.arange(3))
    assert set(found) == {*SIGNALS, "correctness"}
    for values in found.values():
        assert (values.dtype, values.shape) == (np.float64, (3,))
    assert found["correctness"].tolist() == [1, 1, 1]


def test_labels_outside_the_outputs_are_counted_not_quoted():
    with pytest.raises(FixtureError) as caught:
        Classification().signals(outputs(np.zeros((3, 4)), "logits"), np.array([1, 977, -1]))
    assert "4 outputs, but 2 of 3 labels" in caught.value.message
    assert "977" not in str(caught.value)


def test_another_number_of_outputs_than_classes():
    with pytest.raises(ModelError, match="4 outputs, but the fixtures have 10 classes"):
        Classification(10).signals(outputs(np.zeros((2, 4)), "logits"), np.array([1, 2]))


def test_an_output_per_pixel_is_no_classification():
    with pytest.raises(ModelError, match=r"shape \(records, 4, 8, 8\)"):
        Classification().predicted(outputs(np.zeros((2, 4, 8, 8)), "logits"))
