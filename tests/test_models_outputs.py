"""Raw outputs become logits, probabilities or labels, or one clear error."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from model_zoo import configuration, output

from privacy_gate.errors import ModelError
from privacy_gate.models.outputs import OutputReader, feature_matrix
from privacy_gate.models.selection import as_array, select

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
PROBABILITIES = np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]], np.float32)


def reader(kind="auto", order=None, half_precision=False):
    labels = None if order is None else SimpleNamespace(order=order)
    config = configuration(Path("m"), output=output(kind=kind), labels=labels)
    return OutputReader(config, half_precision=half_precision)


# ------------------------------------------------------------------------------------- select


@dataclass
class Answer:
    logits: object
    loss: object = None


Pair = namedtuple("Pair", "logits aux")


@pytest.mark.parametrize(
    ("returned", "name"),
    [
        (LOGITS, None),
        (LOGITS, 0),
        ((LOGITS,), None),
        ([1, LOGITS], 1),
        ({"logits": LOGITS}, None),
        ({"logits": LOGITS, "hidden": None}, None),
        (OrderedDict(loss=1, logits=LOGITS), "logits"),
        (OrderedDict(loss=1, logits=LOGITS), 1),
        (OrderedDict(loss=None, logits=LOGITS, hidden=3), 0),
        (Pair(LOGITS, 2), "logits"),
        (Pair(LOGITS, 2), 0),
        (Answer(LOGITS), None),
        (Answer(LOGITS, 3), "logits"),
    ],
)
def test_select_finds_the_output(returned, name):
    assert select(returned, name) is LOGITS


@pytest.mark.parametrize(
    ("returned", "name", "said"),
    [
        ((LOGITS, LOGITS), None, r"2 outputs \(0, 1\)"),
        ({"a": LOGITS, "b": LOGITS}, None, r"2 outputs \(a, b\)"),
        ({"logits": LOGITS, "b": 1}, "logit", "no output 'logit'; it has logits, b"),
        ((LOGITS, LOGITS), 2, "no output 2"),
        ((LOGITS, LOGITS), -1, "no output -1"),
        (LOGITS, "logits", "one unnamed output"),
        (LOGITS, 1, "one unnamed output"),
        ((), None, "returned nothing"),
        ({"a": None}, None, "returned nothing"),
    ],
)
def test_select_refuses_to_guess(returned, name, said):
    with pytest.raises(ModelError, match=said):
        select(returned, name)


@pytest.mark.parametrize("value", [None, {"a": 1}, object(), [[1], [1, 2]], [None], 1j])
def test_what_is_no_array(value):
    with pytest.raises(ModelError, match="not an array of numbers"):
        as_array(value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_tensors_keep_at_least_32_bits(dtype):
    tensor = torch.tensor([1.5, -2.0], dtype=dtype, requires_grad=True)
    array = as_array(tensor)
    np.testing.assert_array_equal(array, [1.5, -2.0])
    assert array.dtype == (np.float64 if dtype == torch.float64 else np.float32)


# --------------------------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (LOGITS, "logits"),
        (PROBABILITIES, "probabilities"),
        (PROBABILITIES.astype(np.float16), "probabilities"),
        (np.array([2, 0]), "labels"),
        (np.array([[2], [0]]), "labels"),
        (np.array([True, False]), "labels"),
        (np.array([0.2, 0.9]), "probabilities"),
        (np.array([[-0.2], [0.9]]), "logits"),
        (np.array([[0.5, 0.5, 0.5], [0.1, 0.1, 0.1]]), "logits"),
    ],
)
def test_automatic_kinds(raw, kind):
    outputs = reader().read(raw, 2)
    assert outputs.kind == kind
    assert outputs.values.dtype == (np.int64 if kind == "labels" else np.float64)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_one_score_becomes_two_columns(shape):
    scores = np.array([0.25, 1.0], np.float32).reshape(shape)
    np.testing.assert_array_equal(reader("logits").read(scores, 2).values, [[0, 0.25], [0, 1.0]])
    np.testing.assert_array_equal(
        reader("probabilities").read(scores, 2).values, [[0.75, 0.25], [0.0, 1.0]]
    )


def test_a_batch_of_one_may_be_squeezed_to_a_number():
    np.testing.assert_array_equal(reader("logits").read(np.float32(3), 1).values, [[0, 3]])


@given(hnp.arrays(np.float32, (4, 3), elements=st.floats(-50, 50, width=32)))
def test_logits_come_back_exactly(raw):
    outputs = reader("logits").read(raw, 4)
    np.testing.assert_array_equal(outputs.values, raw.astype(np.float64))


@given(hnp.arrays(np.float64, (5, 4), elements=st.floats(-30, 30)))
def test_a_float32_softmax_is_always_accepted_as_probabilities(logits):
    softmax = torch.softmax(torch.tensor(logits, dtype=torch.float32), dim=1)
    values = reader("probabilities").read(as_array(softmax), 5).values
    assert values.min() >= 0
    assert values.max() <= 1
    np.testing.assert_allclose(values, softmax.numpy(), atol=1e-6)


def test_half_precision_softmax_is_accepted():
    logits = torch.randn(8, 1000, generator=torch.Generator().manual_seed(0))
    softmax = torch.softmax(logits.bfloat16(), dim=1)
    outputs = reader("auto", half_precision=True).read(as_array(softmax), 8)
    assert outputs.kind == "probabilities"


@pytest.mark.parametrize(
    ("kind", "raw", "said"),
    [
        ("probabilities", LOGITS, "leave the range from 0 to 1"),
        ("probabilities", np.array([-0.1, 0.5]), "leave the range"),
        ("probabilities", PROBABILITIES * 0.9, "do not sum to 1"),
        ("probabilities", np.array([1, 0]), "predicted labels"),
        ("logits", np.array([1, 0]), "predicted labels"),
        ("logits", np.array(["a", "b"]), "predicted labels"),
        ("labels", LOGITS, "answers 3 numbers per record"),
        ("labels", np.array([0.5, 1.0]), "not whole numbers"),
        ("labels", np.array([0, -1]), "no class positions"),
        ("labels", np.array(["a", "b"]), "texts that model.labels.order does not list"),
        ("auto", np.array([[1, 0], [0, 1]]), "kind is unclear"),
    ],
)
def test_contradictions_to_the_kind(kind, raw, said):
    with pytest.raises(ModelError, match=said) as caught:
        reader(kind).read(raw, 2)
    assert caught.value.location == "privacy_gate.yaml:model.output:1"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["auto", "logits", "probabilities", "labels"])
def test_outputs_that_are_not_finite_are_counted(kind, value):
    raw = np.full((256, 3), 1 / 3) if kind != "labels" else np.zeros(256)
    raw[[1, 7, 200]] = value
    with pytest.raises(ModelError, match="3 of 256 outputs are not finite"):
        reader(kind).read(raw, 256)


@pytest.mark.parametrize("shape", [(2, 3, 1), (3, 3), (3,), (), (2, 0), (0, 3)])
def test_shapes_that_cannot_be_judged(shape):
    with pytest.raises(ModelError, match="to 2 records"):
        reader().read(np.zeros(shape), 2)


def test_logits_that_look_like_probabilities_at_first():
    auto = reader()
    assert auto.read(PROBABILITIES, 2).kind == "probabilities"
    with pytest.raises(ModelError, match="look like probabilities in the first batch") as caught:
        auto.read(LOGITS, 2)
    assert "Set model.output.kind" in caught.value.hint


def test_logits_that_look_like_probabilities_later_are_still_logits():
    auto = reader()
    auto.read(LOGITS, 2)
    outputs = auto.read(PROBABILITIES, 2)
    assert outputs.kind == "logits"


@pytest.mark.parametrize("first", [LOGITS, PROBABILITIES])
def test_scores_and_labels_do_not_mix(first):
    for batches in ([first, np.array([1, 2])], [np.array([1, 2]), first]):
        auto = reader()
        auto.read(batches[0], 2)
        with pytest.raises(ModelError, match="first batch"):
            auto.read(batches[1], 2)


def test_the_number_of_classes_must_stay_and_match_the_labels():
    logits = reader("logits")
    logits.read(LOGITS, 2)
    with pytest.raises(ModelError, match="3 classes first and 2 later"):
        logits.read(LOGITS[:, :2], 2)
    with pytest.raises(ModelError, match=r"answers 3 classes, but model\.labels\.order names 2"):
        reader("logits", order=["a", "b"]).read(LOGITS, 2)


def test_labels_by_text_become_positions():
    raw = np.array(["b", "a"])
    np.testing.assert_array_equal(reader(order=["a", "b"]).read(raw, 2).values, [1, 0])
    with pytest.raises(ModelError, match="no class positions"):
        reader("labels", order=["a", "b"]).read(np.array([0, 2]), 2)


def test_mappings_with_changing_classes():
    with pytest.raises(ModelError, match="other classes for some records"):
        reader().read([{0: 0.5, 1: 0.5}, {0: 0.5, 2: 0.5}], 2)


# ------------------------------------------------------------------------------------ features


def test_features_are_flattened():
    raw = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    matrix = feature_matrix(raw, 2)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, np.arange(24).reshape(2, 12))
    np.testing.assert_array_equal(feature_matrix(np.ones(2), 2), [[1], [1]])


@pytest.mark.parametrize("raw", [np.ones((3, 2)), np.ones(()), np.ones((2, 0))])
def test_features_of_wrong_shape(raw):
    with pytest.raises(ModelError, match="for 2 records"):
        feature_matrix(raw, 2)


def test_features_that_are_not_finite():
    with pytest.raises(ModelError, match="not finite"):
        feature_matrix(np.array([[1.0], [np.nan]]), 2)
