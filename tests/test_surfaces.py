"""Surfaces: transforms attacked on and off, wrappers seen through, random answers averaged."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from gate_project import digits_project
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from plugin_project import AUC, LEAKY, SMALL, reproducible
from safetensors.torch import load_file, save_file

from privacy_gate.config import load_config
from privacy_gate.domain import Outputs
from privacy_gate.errors import ConfigError, ModelError, SignalError
from privacy_gate.gate import run
from privacy_gate.models.surfaces import (
    Averaged,
    Deployed,
    Function,
    Hamp,
    input_ranges,
    probabilities,
    rearranged,
)
from privacy_gate.report.html import render as html
from privacy_gate.report.markdown import render as markdown
from privacy_gate.report.terminal import render as terminal
from privacy_gate.terms import changes

CODE = """
import numpy as np
import torch
from torch import nn
from digits_model import build as plain


def rounded(p):
    return np.round(p, 1)


def one_hot(p):
    return (p == p.max(axis=1, keepdims=True)).astype(float)


def broken(p):
    return p[:, :3]


def negative(p):
    return -p


def shifted(x):
    return x.astype("float32") / 16 + 100


def raising(p):
    raise KeyError("record 17 of " + str(p[0]))


class Wrapped(nn.Module):
    def __init__(self, model, noise):
        super().__init__()
        self.inner = model
        self.noise = noise

    def forward(self, x):
        logits = self.inner(x)
        hidden = torch.zeros_like(logits).scatter(1, logits.argmax(1, keepdim=True), 5.0)
        return hidden + self.noise * torch.randn_like(hidden)


class Scaled(Wrapped):
    def forward(self, x):
        return self.inner(x - 100)


class Labels(Wrapped):
    def forward(self, x):
        return self.inner(x).argmax(1)


def build(width, noise=0.0, kind="Wrapped"):
    return globals()[kind](plain(width), noise)
"""


WRAPPED = "wrapped.safetensors"
"""The leaky weights, as a wrapper has them."""


# ------------------------------------------------------------------------------------ rearranging


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 6), st.integers(2, 7), st.data())
def test_rearranged_scores_keep_the_ranking_and_the_values(rows, classes, data):
    numbers = st.integers(-3, 3).map(float)
    values = data.draw(arrays(float, (rows, classes), elements=numbers))
    order = data.draw(arrays(float, (rows, classes), elements=numbers))
    found = rearranged(values, order)
    assert (np.sort(found, axis=1) == np.sort(values, axis=1)).all()
    assert (found.argmax(axis=1) == order.argmax(axis=1)).all() or (
        found.max(axis=1) == found[np.arange(rows), order.argmax(axis=1)]
    ).all()
    for row in range(rows):
        for one in range(classes):
            for other in range(classes):
                if order[row, one] > order[row, other]:
                    assert found[row, one] >= found[row, other]


def test_what_has_no_finite_answer_stays_without_one():
    assert np.isnan(rearranged(np.ones((1, 3)), np.array([[1.0, np.nan, 2.0]]))).all()


def test_hamp_depends_on_seed_attempt_and_record_only():
    x = np.random.default_rng(0).random((6, 4)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(4, 3))

    def answer(inputs, *, raw=False):
        return Outputs(inputs["x"] @ weights, "logits")

    hamp = Hamp(input_ranges([{"x": x}]), 0)
    plain = answer({"x": x})
    whole = hamp(plain, answer, {"x": x}, 0).values
    alone = hamp(Outputs(plain.values[2:3], "logits"), answer, {"x": x[2:3]}, 0).values
    assert (whole.argmax(axis=1) == plain.values.argmax(axis=1)).all()
    assert np.allclose(whole[2:3], alone)
    assert len({tuple(row) for row in np.sort(whole, axis=1)}) == 6  # another input for each row
    assert not np.allclose(whole, hamp(plain, answer, {"x": x}, 1).values)
    assert not np.allclose(whole, Hamp(hamp.ranges, 1)(plain, answer, {"x": x}, 0).values)


@pytest.mark.parametrize("values", [np.array(["a", "b"]), np.empty((0, 3))])
def test_random_inputs_need_numbers_to_be_like(values):
    with pytest.raises(ModelError, match="no numbers to draw random inputs 'x' from"):
        input_ranges([{"x": values}])


def test_the_average_is_that_of_probabilities():
    logits = iter([np.array([[0.0, 0.0]]), np.array([[np.log(3.0), 0.0]])])

    def answer(inputs, *, raw=False):
        return Outputs(next(logits), "logits")

    found = Averaged(Deployed(), 2)(answer, {"x": np.zeros((1, 1))})
    assert found.values == pytest.approx(np.array([[0.625, 0.375]]))
    assert found.kind == "probabilities"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda p: p[:, :1], "of the shape (2, 1) for (2, 3)"),
        (lambda p: -p, "negative or not finite"),
        (lambda p: p * np.nan, "negative or not finite"),
        (lambda p: p.astype(str), "returned <U"),
    ],
)
def test_a_transform_returns_scores_or_is_refused(function, words):
    outputs = Outputs(np.eye(3)[:2], "logits")
    with pytest.raises(ModelError, match=r".*") as caught:
        Function(function, "a:b", "gate.yaml:3")(outputs, None, {}, 0)
    assert words in str(caught.value)


def test_probabilities_of_large_logits_are_finite():
    found = probabilities(Outputs(np.array([[1e4, -1e4]]), "logits"))
    assert found == pytest.approx(np.array([[1.0, 0.0]]))


# ------------------------------------------------------------------------------------------- runs


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("surfaces")
    config = yaml.safe_load(digits_project(path, "hamp").read_text())
    module = config["model"]["factory"].partition(":")[0]
    (path / "surfaced.py").write_text(CODE.replace("digits_model", module))
    weights = load_file(path / "leaky.safetensors")
    save_file({f"inner.{key}": value for key, value in weights.items()}, path / WRAPPED)
    return path


def configured(directory, output, model=None, **changed):
    content = {**SMALL, "attacks": ["loss", "correctness"], "budgets": [AUC], **changed}
    content["model"] = {**content["model"], "path": LEAKY["model.path"], **(model or {})}
    content["model"]["output"] = {**content["model"]["output"], **output}
    content["fixtures"] = {"path": ".", "label": LEAKY["fixtures.label"]}
    path = directory / "privacy_gate.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def wrapped(noise):
    return {
        "format": "torch", "path": WRAPPED, "factory": "surfaced:build",
        "kwargs": {"width": 512, "noise": noise}, "output": {},
    }  # fmt: skip


def areas(report):
    return {attack.name: attack.auc.estimate for attack in report.attacks}


def verdicts(report):
    return {check.id: check.verdict for check in report.checks}


def test_a_transform_that_hides_scores_is_seen_through(directory):
    report = run(configured(directory, {"transforms": ["surfaced:one_hot"]}))
    found = areas(report)
    assert set(found) == {"loss", "loss@raw", "correctness"}
    assert found["loss@raw"] > 0.97 > found["loss"]
    assert verdicts(report)["loss@raw/auc"] == "fail"
    message = next(check.message for check in report.checks if check.id == "loss@raw/auc")
    assert "The leak is reached on the raw scores" in message
    plain = run(configured(directory, {}))
    assert areas(plain)["loss"] == found["loss@raw"]
    assert report.timing["forward_passes_per_record"] == 2


def test_several_transforms_are_applied_in_their_order(directory):
    both = run(configured(directory, {"transforms": ["surfaced:one_hot", "surfaced:rounded"]}))
    assert (
        areas(both)["loss"]
        == areas(run(configured(directory, {"transforms": ["surfaced:one_hot"]})))["loss"]
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [("broken", "returned float64"), ("negative", "returned scores"), ("raising", "raised KeyErr")],
)
def test_a_broken_transform_stops_the_run(directory, name, words):
    with pytest.raises(ModelError, match=f"output transform surfaced:{name} {words}") as caught:
        run(configured(directory, {"transforms": [f"surfaced:{name}"]}))
    assert "record" not in caught.value.message


def test_a_wrapper_is_seen_through_where_its_module_is_named(directory):
    report = run(configured(directory, {"raw": "inner"}, wrapped(0.0)))
    found = areas(report)
    assert found["loss@raw"] > 0.97 > found["loss"]
    with pytest.raises(ModelError, match="no submodule 'outer'"):
        run(configured(directory, {"raw": "outer"}, wrapped(0.0)))


def test_random_answers_are_refused_unless_repeats_says_that_they_are_meant(directory):
    noisy = wrapped(0.5)
    with pytest.raises(ModelError, match=r"model\.output\.repeats: 8"):
        run(configured(directory, {}, noisy))
    path = configured(directory, {"repeats": 4}, noisy)
    report = run(path)
    found = areas(report)
    assert set(found) == {"loss", "loss@averaged", "correctness"}
    assert found["loss@averaged"] != found["loss"]
    assert report.timing["forward_passes_per_record"] == 5
    assert reproducible(run(path).to_dict()) == reproducible(report.to_dict())


@pytest.mark.parametrize(
    ("output", "words"),
    [({"repeats": 2}, "answers labels, but"), ({"transforms": ["hamp"]}, "answers labels, but")],
)
def test_a_model_that_answers_labels_has_no_other_surface(directory, output, words):
    model = wrapped(0.0)
    model["kwargs"] = {**model["kwargs"], "kind": "Labels"}
    with pytest.raises(ModelError, match=words):
        run(configured(directory, output, model))
    with pytest.raises(SignalError, match=r"set model\.output\.kind: labels"):
        run(configured(directory, {}, model))


def test_raw_scores_of_a_model_that_guesses_there_are_refused(directory):
    """What a wrapper does to its inputs is not done to those of the module behind it."""
    model = wrapped(0.0)
    model["kwargs"] = {**model["kwargs"], "kind": "Scaled"}
    model["preprocess"] = "surfaced:shifted"
    with pytest.raises(ModelError, match="The model guesses") as caught:
        run(configured(directory, {"raw": "inner"}, model))
    assert "privacy_gate.yaml:" in str(caught.value)


def test_what_is_kept_between_runs_depends_on_all_that_random_answers_do(directory, tmp_path):
    """The seed, the records that random inputs are like, the code of a transform, the model's own
    random numbers: with the cache as without it."""
    hamp = {"transforms": ["hamp"]}
    noisy = wrapped(2.0)  # enough for another label now and then
    label_only = {"attacks": ["loss", {"name": "noise-robustness", "queries": 8}]}
    cases = [
        (hamp, {}, {}),
        (hamp, {}, {"statistics": {"seed": 1}}),
        (hamp, {}, {"splits": {"support": 0.3, "calibration": 0.1, "evaluation": 0.6}}),
        ({"repeats": 2}, noisy, label_only),
        ({"repeats": 2}, noisy, label_only),
        ({"repeats": 2}, noisy, {**label_only, "statistics": {"seed": 1}}),
    ]
    found = []
    for output, model, changed in cases:
        quick = {"calibration_lens": False, "overconfidence": {"transforms": []}}
        path = configured(directory, output, model, **quick, **changed)
        kept = run(path, cache=tmp_path / "cache")
        assert areas(kept) == areas(run(path))
        found.append((areas(kept), kept.run["cached"]))
    assert found[3][0] == found[4][0]
    assert "signals" in found[4][1]
    assert "signals" not in found[5][1]


def test_another_output_of_an_onnx_file_is_attacked_too(directory):
    found = areas(run(configured(directory, {"name": "logits", "raw": "logits"})))
    assert set(found) == {"loss", "loss@raw", "correctness"}
    assert found["loss@raw"] == found["loss"]
    with pytest.raises(ModelError, match="nothing"):
        run(configured(directory, {"name": "logits", "raw": "nothing"}))
    with pytest.raises(ModelError, match="512 outputs, but the fixtures have 10 classes"):
        run(configured(directory, {"name": "logits", "raw": "features"}))


def test_hiding_a_surface_is_a_blocking_change_of_the_terms(directory):
    base = load_config(configured(directory, {"transforms": ["surfaced:rounded"]})).terms
    head = load_config(configured(directory, {})).terms
    found = {change.key: change.blocking for change in changes(base, head)}
    assert found["budgets: loss@raw/auc"] is True
    assert found["model.output.transforms"] is False  # what is no longer called hides nothing
    added = {change.key: change.blocking for change in changes(head, base)}
    assert added["model.output.transforms"] is True  # code that nobody has approved


def test_budgets_of_an_attack_hold_on_every_surface(directory):
    budget = [{**AUC, "attacks": ["loss"]}]
    path = configured(directory, {"transforms": ["surfaced:rounded"]}, budgets=budget)
    assert [check.id for check in load_config(path).terms.checks] == ["loss/auc", "loss@raw/auc"]


@pytest.mark.parametrize(
    ("output", "changed", "words"),
    [
        ({"kind": "labels", "repeats": 3}, {}, "is about scores, but kind is labels"),
        ({"transforms": ["no_function"]}, {}, "hamp, or a function"),
        ({"repeats": 1}, {}, "repeats"),
        ({"repeats": 8}, {"limits": {"max_queries": 5}}, "less than the 9 queries"),
    ],
)
def test_what_cannot_be_is_refused(directory, output, changed, words):
    with pytest.raises(ConfigError, match=words):
        load_config(configured(directory, output, **changed))


def test_the_bundled_hamp_model_fails_and_every_report_says_where_the_leak_is(directory):
    report = run(directory / "hamp.yaml")
    assert report.verdict == "fail"
    found = areas(report)
    assert found["entropy@raw"] > 0.85
    assert found["entropy"] < 0.6  # the transform hides that score
    said = " ".join(check.message for check in report.checks if check.verdict == "fail")
    assert "The leak is reached on the raw scores" in said
    assert "The leak is reached with labels only" in said
    # 12 noisy and 10 changed copies of each record; hamp runs the model twice for each answer
    assert report.timing["forward_passes_per_record"] == 1 + 2 * (1 + 8 + 12 + 10)
    shown = " ".join(terminal(report).split())
    assert "by access: labels only: AUC 0.9" in shown
    assert "the raw scores behind them: AUC 0.98" in shown
    assert "the mean of repeated answers" in markdown(report)
    assert "By what an attacker sees" in html(report)
