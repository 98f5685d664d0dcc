"""What every back-end must do, over every format there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from model_zoo import VARIANTS, ArrayRecords, images, reference, saved, seeded

from privacy_gate.models.forward import stream
from privacy_gate.models.model_file import file_sha256
from privacy_gate.models.opening import open_model
from privacy_gate.models.preprocess import open_preprocess
from privacy_gate.models.querying import Asking
from privacy_gate.registry import MODELS

RECORDS = 37
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
        ],
    ),
]
CASES = [(name, variant) for name in ("cnn", "mlp") for variant in VARIANTS]


@pytest.fixture(scope="module", params=CASES, ids=["-".join(case) for case in CASES])
def config(request, tmp_path_factory):
    return saved(*request.param, tmp_path_factory.mktemp("models"))


@pytest.fixture
def module(config):
    return seeded(config.model_path.stem)


def gathered(config, device, batch_size, order, features=True):
    """Outputs of all records, in the order of the records, from a stream in any order."""
    config.model.device = device
    model = open_model(config, features=features)
    records = ArrayRecords(x=images(RECORDS))
    preprocess = open_preprocess(config, records.columns, model)
    answers = list(stream(model, preprocess, records, order, batch_size))
    model.close()
    indices = np.concatenate([part for part, _ in answers])
    np.testing.assert_array_equal(indices, order)
    values = np.concatenate([outputs.values for _, outputs in answers])
    kinds = {outputs.kind for _, outputs in answers}
    kept = np.concatenate([outputs.features for _, outputs in answers]) if features else None
    return values, kept, kinds


def test_changed_records_are_answered_like_any_others(config, module):
    """What label-only attacks ask: raw records, changed before they are preprocessed."""
    model = open_model(config, features=False)
    records = ArrayRecords(x=images(RECORDS))
    asking = Asking(model, open_preprocess(config, records.columns, model), records, 7)
    order = np.random.default_rng(0).permutation(RECORDS)
    changed = (
        (rows, {"x": columns["x"][:, ::-1].copy()}) for rows, columns in asking.blocks(order)
    )
    answers = list(asking.answers(changed))
    model.close()
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in answers]), order)
    values = np.concatenate([outputs.values for _, outputs in answers])
    expected, _ = reference(module, images(RECORDS)[:, ::-1].copy())
    np.testing.assert_allclose(values, expected[order], rtol=1e-4, atol=1e-5)


def test_every_registered_format_is_covered():
    formats = {"safetensors": "torch", "pt": "torch"}
    assert {formats.get(variant, variant) for variant in VARIANTS} == set(MODELS)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch_size", [1, 5, 16, "auto"])
def test_predictions_and_features_are_those_of_the_plain_forward_pass(
    config, module, device, batch_size
):
    order = np.arange(RECORDS)[::-1].copy()
    values, features, kinds = gathered(config, device, batch_size, order)
    logits, embedding = reference(module, images(RECORDS))
    assert kinds == {"logits"}
    assert values.dtype == np.float64
    assert features.dtype == np.float32
    np.testing.assert_allclose(values, logits[order], atol=1e-5, rtol=0)
    np.testing.assert_allclose(features, embedding[order], atol=1e-5, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_two_runs_agree_to_the_last_bit(config, device):
    order = np.arange(RECORDS)
    first, _, _ = gathered(config, device, 16, order, features=False)
    second, _, _ = gathered(config, device, 16, order, features=False)
    np.testing.assert_array_equal(first, second)


def test_attributes_for_the_report(config):
    config.model.device = "cpu"
    model = open_model(config)
    assert model.format == config.model.format
    assert model.device == "cpu"
    assert model.precision == "float32"
    assert model.input_names == ("x",)
    assert model.sha256 == file_sha256(config.model_path)
    assert model.providers == (("CPUExecutionProvider",) if config.model.format == "onnx" else ())
    assert model.forward({"x": images(2)}).features is None
    model.close()


def test_a_wrong_shape_is_one_sentence_with_the_shapes(config):
    from privacy_gate.errors import ModelError

    config.model.device = "cpu"
    model = open_model(config)
    with pytest.raises(ModelError, match=r"given x \(4, 3, 5\) float32") as caught:
        model.forward({"x": np.zeros((4, 3, 5), np.float32)})
    assert "model.preprocess" in caught.value.hint
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400
