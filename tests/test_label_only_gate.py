"""The label-only suite in the gate: a leak that scores hide, limits, models without scores."""

from __future__ import annotations

import numpy as np
import pytest
from gate_project import (
    BUDGETS,
    colours,
    onnx_project,
    refused,
    run,
    save_onnx,
    write_config,
    write_fixtures,
    write_module,
)

from privacy_gate.attacks.label_only.noise import PILOT, STRENGTHS
from privacy_gate.config import load_config
from privacy_gate.preparation import prepare

BITS, SIDE = 40, 500
MEMORY = """
import torch
from torch import nn


class Memory(nn.Module):
    '''Answers by a rule; near a record it remembers, as it would for that record. How sure it says
    to be has nothing to do with either.'''

    def __init__(self, records, bits):
        super().__init__()
        self.known = nn.Parameter(torch.zeros(records, bits))
        self.rule = nn.Parameter(torch.zeros(bits))

    def margin(self, x):
        return (x - 0.5) @ self.rule

    def forward(self, x):
        x = x.float()
        apart = x.sum(1)[:, None] + self.known.sum(1) - 2 * x @ self.known.T
        nearest = apart.min(1)
        remembered = self.margin(self.known)[nearest.indices]
        own = torch.where(nearest.values <= 8, remembered, self.margin(x))
        says = 2 + torch.sin(99 * self.margin(x))
        return nn.functional.one_hot((own > 0).long(), 2) * says[:, None]


def build(records, bits):
    return Memory(records, bits)
"""


def blinded_project(directory, remembers, **changes):
    """Records of bits whose labels follow a rule, and a model whose scores say nothing."""
    import torch
    from safetensors.torch import save_file

    random = np.random.default_rng(0)
    rule = random.normal(size=BITS)
    x = random.integers(0, 2, (2 * SIDE, BITS)).astype(np.uint8)
    y = ((x - 0.5) @ rule > 0).astype(np.int64)
    members, nonmembers = (
        {"x": x[part], "y": y[part]} for part in (slice(SIDE), slice(SIDE, None))
    )
    write_fixtures(directory, members, nonmembers)
    known = members["x"] if remembers else np.full((SIDE, BITS), -9.0)
    state = {"known": torch.tensor(known).float(), "rule": torch.tensor(rule).float()}
    save_file(state, directory / "model.safetensors")
    model = {
        "format": "torch",
        "path": "model.safetensors",
        "factory": f"{write_module(directory, MEMORY)}:build",
        "kwargs": {"records": SIDE, "bits": BITS},
        "preprocess": None,
        "output": {"kind": "logits"},
    }
    return write_config(directory, model=model, **changes)


def by_name(report):
    return {attack.name: attack for attack in report.attacks}


def test_a_leak_that_the_scores_hide_is_seen_by_labels(tmp_path):
    suites = ["threshold", "label-only", "boundary-distance"]
    path = blinded_project(tmp_path, remembers=True, attacks=suites)
    (report,) = run(path).reports
    assert report.verdict == "fail"
    failed = {check.attack for check in report.checks if check.verdict == "fail"}
    assert "noise-robustness" in failed
    assert failed <= {"noise-robustness", "augmentation-robustness", "boundary-distance"}
    attacks = by_name(report)
    for name in ("loss", "margin", "correctness"):
        assert attacks[name].auc.low < 0.5 < attacks[name].auc.high
        assert attacks[name].family == "threshold"
    assert attacks["noise-robustness"].auc.low > 0.75
    assert "40 bits" in attacks["noise-robustness"].method


def test_without_a_leak_nothing_is_found(tmp_path):
    path = blinded_project(tmp_path, remembers=False, attacks=["label-only", "boundary-distance"])
    (report,) = run(path).reports
    assert report.verdict == "pass"
    for attack in report.attacks:
        assert attack.auc.low < 0.5 < attack.auc.high


def test_a_model_that_answers_labels_only_is_attacked_and_its_queries_are_true(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    write_fixtures(tmp_path, colours(300, 0), colours(300, 1))
    save_onnx(tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.node.append(helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0))
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]))
    onnx.save(model, tmp_path / "model.onnx")
    path = write_config(
        tmp_path,
        model={"output": {"name": "label", "kind": "labels"}},
        attacks=["label-only", {"name": "augmentation-robustness", "queries": 6}],
        budgets=[{"metric": "auc", "max": 0.7}],
    )
    (report,) = run(path).reports
    assert report.verdict == "pass"
    attacks = by_name(report)
    assert {attack.family for attack in attacks.values()} == {"label-only"}
    asked = {name: attack.queries_per_record for name, attack in attacks.items()}
    assert asked == {
        "correctness": 1,
        "noise-robustness": 12 + PILOT * len(STRENGTHS),
        "augmentation-robustness": 6,
    }
    assert report.timing["forward_passes_per_record"] == 1 + 18 + 6
    assert attacks["noise-robustness"].method.startswith("12 copies with noise of strength")
    assert "192 pixel values" in attacks["noise-robustness"].method
    # made from calibration records, so no threshold can be set on these
    assert attacks["noise-robustness"].operating_point == {}
    assert attacks["correctness"].operating_point != {}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    directory = tmp_path_factory.mktemp("colours")
    onnx_project(directory)
    return directory


def programme(directory, **changes):
    path = write_config(directory, "limits.yaml", **changes)
    return prepare(load_config(path)).programme


@pytest.mark.parametrize(
    ("most", "ran"),
    [
        (23, {"correctness", "noise-robustness", "augmentation-robustness"}),
        (22, {"correctness", "noise-robustness"}),
        (18, {"correctness", "augmentation-robustness"}),
        (1, {"correctness"}),
    ],
)
def test_what_would_ask_too_often_is_left_out_of_a_suite(project, most, ran):
    found = programme(project, attacks=["label-only"], limits={"max_queries": most})
    assert {attack.name for attack in found.attacks} == ran
    left_out = {attack.name: attack.reason for attack in found.not_run}
    assert left_out.keys() == {"noise-robustness", "augmentation-robustness"} - ran
    for reason in left_out.values():
        assert f"limits.max_queries: {most} leaves" in reason
    assert {check.attack for check in found.checks} == ran
    assert not found.dropped


def test_what_is_named_singly_and_would_ask_too_often_is_an_error(project):
    attacks = ["label-only", {"name": "boundary-distance", "queries": 64}]
    path = write_config(
        project, "singly.yaml", attacks=attacks, limits={"max_queries": 64}, name="singly"
    )
    words = refused(path)
    assert "'boundary-distance' asks the model 64 times" in words
    assert "leaves 41" in words
    assert "singly.yaml" in words


def test_options_an_attack_does_not_take(project):
    for attack in ({"name": "loss", "queries": 5}, {"name": "boundary-distance", "queries": 5}):
        path = write_config(project, "options.yaml", attacks=[attack], name="options")
        assert "does not take all of these options" in refused(path)


def test_correctness_belongs_to_the_suite_that_is_asked_for(project):
    for attacks, family in (
        (["label-only"], "label-only"),
        (["label-only", "few-shot"], "label-only"),
        (["label-only", "threshold"], "threshold"),
        (["correctness", "label-only"], "threshold"),
        (["threshold"], "threshold"),
    ):
        found = programme(project, attacks=attacks)
        assert {a.name: a.family for a in found.attacks}["correctness"] == family, attacks


def test_the_base_branch_still_demands_what_a_lower_limit_leaves_out(project):
    """Fewer queries are no way around a check."""
    from dataclasses import replace

    from privacy_gate.programme import programme as planned

    path = write_config(project, "limits.yaml", attacks=["label-only"])
    before = load_config(path)
    path = write_config(project, "limits.yaml", attacks=["label-only"], limits={"max_queries": 5})
    prepared = prepare(replace(load_config(path), terms=before.terms))
    found = planned(prepared.config, prepared.data, prepared.independent)
    assert {check.attack for check in found.dropped} == {"noise-robustness"}
    unmade = found.unmade()
    assert {check.verdict for check in unmade} == {"not_run"}
    assert "limits.max_queries" in unmade[0].message
    assert len(unmade) == len(BUDGETS)
