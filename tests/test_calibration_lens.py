"""The calibration lens: temperature and Laplace against known answers, and on a model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from gate_project import digits_project
from hypothesis import given, settings
from hypothesis import strategies as st
from plugin_project import AUC, SMALL
from scipy.special import log_softmax, softmax

from privacy_gate.calibration_lens import lens
from privacy_gate.calibration_lens.inputs import linear_layers
from privacy_gate.calibration_lens.laplace import (
    Curvature,
    LaplaceLayer,
    LastLayer,
    fit_laplace,
    matching_layer,
)
from privacy_gate.calibration_lens.temperature import fit_temperature, mean_loss
from privacy_gate.gate import run
from privacy_gate.report.html import render as html
from privacy_gate.report.markdown import render as markdown
from privacy_gate.report.parse import read_untrusted
from privacy_gate.report.terminal import render as terminal


def drawn(temperature, records=4000, classes=5, seed=0):
    """Logits whose probabilities, divided by ``temperature``, are those that labels follow."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (records, classes))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < random.random((records, 1))).sum(axis=1)
    return logits * temperature, np.minimum(labels, classes - 1)


# ------------------------------------------------------------------------------------ temperature


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_the_temperature_that_logits_were_multiplied_by_is_found(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.06)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 5), st.integers(0, 1000))
def test_no_other_temperature_is_better(temperature, seed):
    logits, labels = drawn(temperature, records=60, seed=seed)
    best = fit_temperature(logits, labels)
    loss = mean_loss(logits / best, labels)
    assert best > 0
    assert all(loss <= mean_loss(logits / other, labels) + 1e-6 for other in np.logspace(-2, 2, 41))


def test_logits_that_are_always_right_are_cooled_as_far_as_it_goes():
    assert fit_temperature(np.eye(3) * 3.0, np.array([0, 1, 2])) < 0.2


# ---------------------------------------------------------------------------------------- Laplace


def layer_and_features(records=300, width=6, classes=4, seed=1):
    random = np.random.default_rng(seed)
    layer = LastLayer(random.normal(0, 1, (classes, width)), random.normal(0, 1, classes))
    return layer, random.normal(0, 1, (records, width))


def test_the_factors_are_the_means_over_records():
    layer, features = layer_and_features(50)
    p = softmax(layer.logits(features), axis=1)
    outputs = sum(np.diag(row) - np.outer(row, row) for row in p) / 50
    inputs = sum(np.outer(row, row) for row in features) / 50
    found = Curvature.of(layer, features, 900)
    for factor, matrix in ((found.outputs, outputs), (found.inputs, inputs)):
        root = factor.inverse_root(30.0, 0.7)
        assert np.allclose(root @ root.T, np.linalg.inv(30 * matrix + 0.7 * np.eye(len(matrix))))


def test_a_sharp_prior_leaves_the_answers_and_a_wide_one_blurs_them():
    layer, features = layer_and_features()
    curvature = Curvature.of(layer, features, 300)
    plain = log_softmax(layer.logits(features), axis=1)
    sharp = LaplaceLayer(layer, curvature, 1e-8, 0).logits(features)
    assert np.abs(sharp - plain).max() < 0.01
    wide = LaplaceLayer(layer, curvature, 1e3, 0).logits(20 * features)
    assert (
        np.exp(wide).max(axis=1).mean()
        < softmax(layer.logits(20 * features), axis=1).max(axis=1).mean()
    )
    assert np.allclose(np.exp(wide).sum(axis=1), 1)


def test_the_spread_of_the_logits_is_the_published_one():
    """Of many samples, against (φᵀ Σ_in φ) Σ_out + Σ_b, by the mean probabilities it leads to."""
    layer, features = layer_and_features(30)
    curvature, tau = Curvature.of(layer, features, 30), 1 / 5.0
    p = softmax(layer.logits(features), axis=1)
    outputs, inputs = np.diag(p.mean(axis=0)) - p.T @ p / 30, features.T @ features / 30
    inside = np.linalg.inv(np.sqrt(30) * inputs + np.sqrt(tau) * np.eye(6))
    outside = np.linalg.inv(np.sqrt(30) * outputs + np.sqrt(tau) * np.eye(4))
    shift = np.linalg.inv(30 * outputs + tau * np.eye(4))
    phi = features[3]
    random = np.random.default_rng(7)
    logits = random.multivariate_normal(
        layer.logits(phi[None])[0], (phi @ inside @ phi) * outside + shift, 200_000
    )
    found = np.exp(LaplaceLayer(layer, curvature, 5.0, 0).logits(phi[None], 20_000)[0])
    assert found == pytest.approx(softmax(logits, axis=1).mean(axis=0), abs=0.01)


def test_asking_again_or_in_other_company_gives_the_same_answer():
    layer, features = layer_and_features()
    fitted = fit_laplace(layer, features, 300, *_held_out(layer), features[:40] * 30, 0)
    alone = np.concatenate([fitted.logits(features[i : i + 1]) for i in range(5)])
    assert np.allclose(fitted.logits(features)[:5], alone, atol=1e-12)


def _held_out(layer):
    held = np.random.default_rng(5).normal(0, 1, (200, 6))
    p = softmax(layer.logits(held), axis=1)
    return held, np.array([np.random.default_rng(i).choice(4, p=row) for i, row in enumerate(p)])


def test_only_the_layer_that_makes_the_logits_matches():
    layer, features = layer_and_features()
    logits = layer.logits(features)
    other = replace(layer, weight=layer.weight * 1.1)
    narrow = LastLayer(layer.weight[:, :3], layer.bias)
    assert matching_layer([narrow, other, layer], features, logits.astype(np.float32)) is layer
    assert matching_layer([narrow, other], features, logits) is None
    halved = torch.tensor(logits).to(torch.bfloat16).double().numpy()
    assert matching_layer([other, layer], features, halved) is layer
    shifted = log_softmax(logits, axis=1)  # probabilities tell logits up to a constant
    assert matching_layer([layer], features, shifted) is layer


# ------------------------------------------------------------------------------------------- runs


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("lens")
    digits_project(path, "private")
    return path


def report(directory, **changes):
    content = yaml.safe_load((directory / "private.yaml").read_text()) | {
        "attacks": ["loss", "margin"], "budgets": [AUC], **changes,
    }  # fmt: skip
    path = directory / "privacy_gate.yaml"
    path.write_text(yaml.safe_dump(content))
    return run(path)


def test_a_run_tries_the_attacks_on_calibrated_answers_and_every_report_shows_it(directory):
    found = report(directory)
    seen = found.calibration
    assert [variant["name"] for variant in seen["variants"]] == ["as-is", "temperature", "laplace"]
    as_is, cooled, _ = seen["variants"]
    assert cooled["ece"]["estimate"] < as_is["ece"]["estimate"] / 2  # the model is underconfident
    assert cooled["accuracy"] == as_is["accuracy"]
    areas = {attack["name"]: attack["auc"] for attack in as_is["attacks"]}
    assert areas["loss"]["estimate"] == pytest.approx(found.attacks[0].auc.estimate)
    again = read_untrusted(json.dumps(found.to_dict()))[0]
    assert again.calibration == json.loads(json.dumps(seen))
    assert "calibration lens: as it is: ECE" in " ".join(terminal(found).split())
    assert "Calibration lens" in markdown(found)
    page = html(found)
    assert "Calibration and leakage" in page
    assert "divided by a temperature" in page


def test_only_layers_that_could_make_the_logits_are_looked_at():
    """The other weights of a large model are not copied."""

    class Model:
        def parameters(self):
            shapes = {"a.weight": (4, 6), "a.bias": (4,), "b.weight": (6, 6), "c.weight": (4, 6)}
            return {name: torch.ones(shape) * len(name) for name, shape in shapes.items()}

    found = list(linear_layers(Model(), (4, 6)))
    assert [float(layer.bias.sum()) for layer in found] == [0.0, 4 * 6.0]


def test_too_few_or_too_many_scores_leave_the_laplace_approximation_out(directory, monkeypatch):
    monkeypatch.setattr(lens, "MOST", 1000)
    assert "takes too long for more than 1,000" in str(report(directory).calibration["missing"])
    monkeypatch.setattr(lens, "FEWEST", 10_000)
    found = report(directory).calibration
    assert [variant["name"] for variant in found["variants"]] == ["as-is"]
    assert {one["name"] for one in found["missing"]} == {"temperature", "laplace"}


def test_what_cannot_be_tried_says_why(directory):
    model = {**SMALL["model"], "features": {"name": "features"}}
    seen = report(directory, model=model).calibration
    assert [variant["name"] for variant in seen["variants"]] == ["as-is", "temperature"]
    assert seen["missing"] == [
        {"name": "laplace", "reason": "a model of format onnx has no layers"}
    ]
    assert report(directory, calibration_lens=False).calibration is None
