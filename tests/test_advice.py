"""Advice: what each remedy does to scores, what it is measured on, what is said."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from gate_project import DIGITS, onnx_project
from plugin_project import AUC, LEAKY, SMALL
from scipy.special import softmax

from privacy_gate.advice.measuring import advise
from privacy_gate.advice.remedies import REMEDIES
from privacy_gate.advice.words import advice_text, strongest
from privacy_gate.cli import main
from privacy_gate.config import load_config
from privacy_gate.domain import Split
from privacy_gate.errors import ConfigError
from privacy_gate.preparation import prepare

SCORES = ["loss", "confidence", "entropy", "modified-entropy", "margin"]
NAMES = [
    "as-is", "temperature", "rounded-2", "rounded-1", "top-3", "top-1", "label", "hamp",
]  # fmt: skip
FEW_QUERIES = {"limits": {"max_queries": 2}}  # the label-only attacks that ask take seconds


def prepared(directory, **changes):
    """The leaky ONNX model of the bundled digits."""
    content = {**SMALL, **FEW_QUERIES, "budgets": [AUC], **changes}
    content["model"] = {**SMALL["model"], "path": LEAKY["model.path"]}
    content["fixtures"] = {"path": ".", "label": LEAKY["fixtures.label"]}
    shutil.copytree(DIGITS, directory, dirs_exist_ok=True)
    path = directory / "privacy_gate.yaml"
    path.write_text(yaml.safe_dump(content))
    return prepare(load_config(path), compared=False, cache="off")


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    ready = prepared(tmp_path_factory.mktemp("advice"), calibration_lens=False)
    return ready, advise(ready)


# --------------------------------------------------------------------------------------- remedies


def test_each_remedy_changes_scores_as_its_words_say():
    p = np.array([[0.514, 0.3, 0.13, 0.056], [0.2, 0.26, 0.24, 0.3]])
    found = {one.name: softmax(one.apply(np.log(p)), axis=1) for one in REMEDIES}
    assert found["rounded-2"] == pytest.approx(np.array([[0.51, 0.3, 0.13, 0.06], p[1]]), abs=1e-12)
    wanted = np.array([[0.5, 0.3, 0.1, 0.1], [0.2, 0.3, 0.2, 0.3]])
    assert found["rounded-1"] == pytest.approx(wanted)
    kept = np.array([[0.514, 0.3, 0.13, 0], [0, 0.26, 0.24, 0.3]])
    assert found["top-3"] == pytest.approx(kept / kept.sum(axis=1, keepdims=True))
    assert found["label"] == pytest.approx(np.array([[1, 0, 0, 0], [0, 0, 0, 1.0]]))
    assert (found["top-1"].argmax(axis=1) == [0, 3]).all()


def test_two_classes_and_extreme_scores_stay_finite():
    logits = np.array([[1e4, -1e4], [0.0, 0.0], [3.0, 3.1]])
    for remedy in REMEDIES:
        changed = remedy.apply(logits)
        assert changed.shape == (3, 2)
        assert np.isfinite(changed).all()


# -------------------------------------------------------------------------------------- measuring


def test_every_remedy_is_measured_with_every_attack(leaky):
    _, found = leaky
    assert [effect.name for effect in found.effects] == NAMES
    assert all(list(effect.attacks) == [*SCORES, "correctness"] for effect in found.effects)
    by_name = {effect.name: effect for effect in found.effects}
    assert strongest(by_name["as-is"].attacks)[1]["auc"]["low"] > 0.9
    assert by_name["temperature"].ece["estimate"] < by_name["as-is"].ece["estimate"] / 2
    # what hides scores leaves those who see labels where they were
    assert by_name["hamp"].attacks["entropy"]["auc"]["high"] < 0.6
    right = found.labels_only["correctness"]
    for name in ("as-is", "temperature", "top-3", "top-1", "label", "hamp"):
        assert by_name[name].attacks["correctness"] == right
        assert by_name[name].accuracy == by_name["as-is"].accuracy


def test_no_evaluation_record_counts(leaky, tmp_path):
    """With everything known of them turned round, the advice is the same."""
    ready, found = leaky
    judged = ready.data.split == Split.EVALUATION
    data = replace(
        ready.data,
        is_member=np.where(judged, ~ready.data.is_member, ready.data.is_member),
        labels=np.where(judged, (ready.data.labels + 1) % 10, ready.data.labels),
    )
    assert advise(replace(ready, data=data)).to_dict() == found.to_dict()


def test_what_was_fitted_on_is_not_judged(leaky):
    ready, found = leaky
    held = ready.data.split == Split.CALIBRATION
    assert found.members == (held & ready.data.is_member & ready.independent).sum()
    turned = np.where(held, (ready.data.labels + 1) % 10, ready.data.labels)
    again = advise(replace(ready, data=replace(ready.data, labels=turned)))
    assert again.effects[1].words == found.effects[1].words  # the temperature is that of support
    assert again.effects[0].accuracy != found.effects[0].accuracy


def test_what_cannot_be_tried_says_why(tmp_path):
    few = {"splits": {"support": 0.02, "calibration": 0.38, "evaluation": 0.6}}
    found = {effect.name: effect for effect in advise(prepared(tmp_path, **few)).effects}
    assert "fewer than 30 support non-members" in found["temperature"].reason
    assert not found["hamp"].reason
    path = onnx_project(
        tmp_path / "hamp", attacks=["loss"], budgets=[AUC], **FEW_QUERIES,
        model={"output": {"name": "logits", "transforms": ["hamp"]}},
    )  # fmt: skip
    with pytest.raises(ConfigError, match="max_queries"):
        load_config(path)
    path.write_text(path.read_text().replace("max_queries: 2", "max_queries: 3"))
    hidden = advise(prepare(load_config(path), compared=False, cache="off"))
    assert hidden.effects[-1].reason == "the configuration has it already"
    assert "hamp         not tried: the configuration" in advice_text(hidden)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"output": {"name": "logits", "kind": "labels"}}, "attacks": ["correctness"]},
        {"task": "custom", "signals": "no:thing", "attacks": ["own"], "model": {"output": {}}},
    ],
)  # fmt: skip
def test_a_model_without_scores_is_refused(tmp_path, changes):
    path = onnx_project(tmp_path, budgets=[AUC], **changes)
    with pytest.raises(ConfigError, match="nothing to try"):
        advise(prepare(load_config(path), compared=False, cache="off"))


# ------------------------------------------------------------------------------------------ words


def test_nobody_can_mistake_hiding_for_removing(leaky):
    text = advice_text(leaky[1])
    (row,) = [line for line in text.splitlines() if line.startswith("correctness ")]
    assert len(row.split()) == 1 + len(NAMES)
    assert "So hiding scores does not remove the leak: correctness still tells" in text
    assert "Training again (not measured here):" in text
    assert "DP-SGD" in text
    assert "docs/hamp.md" in text


def test_the_command_prints_text_or_json(tmp_path):
    prepared(tmp_path)
    path = str(tmp_path / "privacy_gate.yaml")
    text = CliRunner().invoke(main, ["advise", path])
    assert text.exit_code == 0, text.output
    assert text.stdout.startswith("Tried on 224 + 213 calibration records")
    found = json.loads(CliRunner().invoke(main, ["advise", path, "--json"]).stdout)
    assert [effect["name"] for effect in found["effects"]] == NAMES
    assert all(remedy["measured"] is False for remedy in found["retraining"])
    none = CliRunner().invoke(main, ["advise", str(tmp_path / "none.yaml")])
    assert none.exit_code == 2
