"""A model that is not run as it is meant to be shows no leak, so it must never be green."""

from __future__ import annotations

import numpy as np
import pytest
from fixture_sets import KEY, read_manifest, write_manifest
from gate_project import (
    bayes,
    colours,
    digits_project,
    logits_of,
    onnx_project,
    refused,
    run,
    save_onnx,
    save_torch,
    write_config,
    write_fixtures,
    write_module,
)

from privacy_gate.domain import Interval, Signals
from privacy_gate.errors import ExitCode, FixtureError, ModelError, SignalError
from privacy_gate.guards import (
    accuracy,
    refuse_constant,
    refuse_guessing,
    refuse_swapped_sides,
    refuse_unexpected,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with both model files; tests write their own configurations."""
    directory = tmp_path_factory.mktemp("colours")
    onnx_project(directory)
    return directory


@pytest.fixture(scope="module")
def torch_model(project):
    return save_torch(project)


def expected():
    """What the model reaches when it is run rightly, computed without the package."""
    columns = colours(700, 1)
    reached = (logits_of(columns["x"]).argmax(axis=1) == columns["y"]).mean()
    return {"nonmember_accuracy": round(float(reached), 3)}


def model(project, torch_model, back_end, **changes):
    base = dict(torch_model) if back_end == "torch" else {}
    return {**base, "output": {"name": "logits"}, "expected": expected(), **changes}


@pytest.mark.parametrize("back_end", ["onnx", "torch"])
def test_run_rightly_it_passes(project, torch_model, back_end):
    path = write_config(project, model=model(project, torch_model, back_end))
    (report,) = run(path).reports
    assert (report.verdict, report.complete) == ("pass", True)
    measured = report.model["accuracy"]["nonmembers"]["estimate"]
    assert measured == pytest.approx(expected()["nonmember_accuracy"], abs=0.01)
    assert not any("not verified: model.expected" in caution for caution in report.cautions)


FAULTS = {
    "missing scale": {"preprocess": {"layout": "NCHW"}},
    "scaled twice": {"preprocess": {"scale": 1 / 255**2, "layout": "NCHW"}},
    "permuted labels": {"labels": {"order": [1, 0, 2, 3]}},
    "rotated labels": {"labels": {"order": [1, 2, 3, 0]}},
    "wrong output": {"output": {"name": "features"}},
    "mean of another data set": {
        "preprocess": {"scale": 1 / 255, "mean": [0.2, 0.4, 0.4], "layout": "NCHW"}
    },
}


@pytest.mark.parametrize("back_end", ["onnx", "torch"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error(project, torch_model, back_end, fault):
    changes = model(project, torch_model, back_end, **FAULTS[fault])
    words = refused(write_config(project, model=changes))
    assert "The model guesses" in words or "but 0.723 ± 0.03 is expected" in words
    assert "model.preprocess" in words or "scale, channel order, label order" in words


@pytest.mark.parametrize("back_end", ["onnx", "torch"])
def test_blue_green_red_is_an_error(project, torch_model, back_end):
    module = write_module(project)
    changes = model(project, torch_model, back_end, preprocess=f"{module}:bgr")
    words = refused(write_config(project, model=changes))
    assert "channel order" in words
    del changes["expected"]
    assert "The model guesses" in refused(write_config(project, model=changes))


def test_a_constant_model_guesses_even_if_nothing_is_expected(tmp_path):
    path = onnx_project(tmp_path)
    save_onnx(tmp_path / "model.onnx", weight=np.zeros((4, 3)), bias=np.zeros(4))
    words = refused(path)
    assert "The model guesses" in words
    assert "not credibly above 1/4" in words
    assert "shows no leak" in words


def test_a_random_model_guesses(tmp_path):
    path = onnx_project(tmp_path)
    random = np.random.default_rng(7)
    save_onnx(tmp_path / "model.onnx", weight=random.normal(0, 0.01, (4, 3)), bias=np.zeros(4))
    assert "The model guesses" in refused(path)


def test_a_model_that_is_always_wrong_guesses(tmp_path):
    path = onnx_project(tmp_path)
    weight, bias = bayes()
    save_onnx(tmp_path / "model.onnx", weight=-weight, bias=-bias)
    assert "The model guesses" in refused(path)


def test_without_an_expectation_the_report_says_so(tmp_path):
    (report,) = run(onnx_project(tmp_path)).reports
    assert report.verdict == "pass"
    (caution,) = [text for text in report.cautions if text.startswith("Preprocessing not verified")]
    assert "Compare the accuracy with training's" in caution


# ----------------------------------------------------------------------------- exchanged sides


def exchange(directory):
    """Members and non-members change places in the manifest, as by a slip of the hand."""
    manifest = read_manifest(directory)
    sides = manifest["sides"]
    sides["members"], sides["nonmembers"] = sides["nonmembers"], sides["members"]
    manifest.pop("training_records")
    manifest["member_sampling"] = "unknown"
    write_manifest(directory, manifest)


@pytest.mark.parametrize("keep_expected", [True, False])
def test_exchanged_sides_are_named(tmp_path, keep_expected):
    config = digits_project(tmp_path, "leaky-onnx")
    exchange(tmp_path)
    if not keep_expected:
        text = config.read_text().replace("  expected: {nonmember_accuracy: 0.12}\n", "")
        assert "expected" not in text
        config.write_text(text)
    words = refused(config)
    assert "The sides look exchanged" in words
    assert "Exchange members and nonmembers in the manifest" in words


# ------------------------------------------------------------------------------ the guards alone


def test_accuracy_is_clopper_pearson():
    from scipy.stats import binomtest

    correct = np.arange(200) < 150
    found = accuracy(correct, 0.9)
    exact = binomtest(150, 200).proportion_ci(0.9)
    assert found.estimate == 0.75
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_guessing_is_caught_at_the_stated_rate(classes):
    """A model that draws its answers is let through in at most 1 % of runs."""
    random = np.random.default_rng(classes)
    passed = 0
    for _ in range(400):
        labels = random.integers(0, classes, 150)
        try:
            refuse_guessing(random.integers(0, classes, 150), labels, None)
            passed += 1
        except ModelError:
            continue
    assert passed <= 10


def test_a_majority_vote_guesses_though_it_is_mostly_right():
    labels = np.repeat([0, 1], [950, 50])
    with pytest.raises(ModelError, match=r"balanced accuracy on 1000 members is 0\.500"):
        refuse_guessing(np.zeros(1000, dtype=np.int64), labels, None)


def test_a_working_model_is_let_through():
    labels = np.arange(300) % 3
    refuse_guessing(np.where(np.arange(300) < 240, labels, (labels + 1) % 3), labels, None)


def test_one_class_shows_nothing():
    with pytest.raises(FixtureError, match="same label"):
        refuse_guessing(np.zeros(50, dtype=np.int64), np.zeros(50, dtype=np.int64), None)


@pytest.mark.parametrize(
    ("expected", "fine"), [(0.80, True), (0.94, True), (0.951, False), (0.729, False), (0.73, True)]
)
def test_expectations_allow_the_interval_and_the_tolerance(expected, fine):
    measured = Interval(0.84, 0.76, 0.92)
    if fine:
        refuse_unexpected(measured, expected, 0.03, None)
    else:
        with pytest.raises(ModelError, match="is expected") as caught:
            refuse_unexpected(measured, expected, 0.03, None)
        assert ("trained on the non-members" in str(caught.value)) == (expected < 0.76)


def test_sides_are_exchanged_only_if_credibly_so():
    refuse_swapped_sides(Interval(0.8, 0.75, 0.85), Interval(0.86, 0.82, 0.9), 0.1)
    with pytest.raises(FixtureError, match="look exchanged"):
        refuse_swapped_sides(Interval(0.7, 0.65, 0.75), Interval(0.86, 0.82, 0.9), 0.1)
    # negated logits: wrong on both sides, so the model guesses, whichever side is which
    refuse_swapped_sides(Interval(0.0, 0.0, 0.01), Interval(0.05, 0.04, 0.07), 0.1)


def test_a_constant_signal_is_named():
    refuse_constant(Signals({"a": np.array([0.0, 1.0])}))
    with pytest.raises(SignalError, match="'b' is the same for 2 of 2 records"):
        refuse_constant(Signals({"a": np.array([0.0, 1.0]), "b": np.ones(2)}))


def test_a_receipt_of_another_model_stops_the_run(tmp_path):
    from privacy_gate.holdout import Receipt

    identified = [{**colours(300, n), "id": np.arange(300) + 1000 * n} for n in (0, 1)]
    write_fixtures(tmp_path, *identified, identifier="id")
    save_onnx(tmp_path / "model.onnx")
    receipt = Receipt(key=KEY)
    receipt.saw(identified[0]["id"])
    receipt.write(tmp_path / "receipt.safetensors", model=tmp_path / "model.onnx")
    fixtures = {"path": "data", "receipt": "receipt.safetensors"}
    budgets = [{"metric": "auc", "max": 0.7}]
    path = write_config(tmp_path, fixtures=fixtures, budgets=budgets)
    (report,) = run(path).reports
    assert report.error is None
    weight, bias = bayes()
    save_onnx(tmp_path / "model.onnx", weight * 2, bias * 2)
    finished = run(path)
    assert finished.exit_code == ExitCode.ERROR
    assert "The training receipt is for the model" in finished.reports[0].error["message"]
