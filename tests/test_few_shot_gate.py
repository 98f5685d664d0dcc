"""Few-shot attacks through the whole gate: suites, options, refusals, what the report says."""

from __future__ import annotations

import numpy as np
import pytest
from gate_project import (
    colours,
    digits_project,
    onnx_project,
    refused,
    run,
    save_onnx,
    save_torch,
    settings,
    write_config,
    write_fixtures,
)

AUC = [{"metric": "auc", "max": 0.7}]


def attacks_of(report):
    return {attack.name: attack for attack in report.attacks}


@pytest.fixture
def features(tmp_path):
    """A project whose configuration names the feature output."""

    def make(**changes):
        model = {"features": {"name": "features"}}
        return onnx_project(tmp_path, model=model, budgets=AUC, **changes)

    return make


def test_the_default_runs_both_suites(tmp_path):
    path = onnx_project(tmp_path, attacks=None, budgets=AUC)
    (report,) = run(path).reports
    assert report.verdict == "pass"
    assert [check.id for check in report.checks][-3:] == [
        "anchored-5/auc",
        "simple-shot-5/auc",
        "laplacian-shot-5/auc",
    ]
    shown = attacks_of(report)["anchored-5"].few_shot
    members, nonmembers = shown["pool"]["members"], shown["pool"]["nonmembers"]
    assert 200 < members < 360
    assert 200 < nonmembers < 360
    assert (shown["shots"], shown["draws"], shown["features"]) == (5, 100, "signals")
    assert f"{members} + {nonmembers} labelled records" in shown["title"]
    assert 0 < shown["single_draw"]["auc"]["sd"] < 0.2
    assert attacks_of(report)["loss"].few_shot is None


def test_a_suite_leaves_out_what_the_fixtures_are_too_small_for(tmp_path):
    write_fixtures(tmp_path, colours(60, 0), colours(60, 1))
    save_onnx(tmp_path / "model.onnx")
    path = write_config(
        tmp_path, attacks=["threshold", "few-shot"], budgets=[{**AUC[0], "max": 0.9}]
    )
    (report,) = run(path).reports
    left_out = [attack for attack in report.attacks if attack.status == "not_run"]
    assert {attack.name for attack in left_out} == {
        "anchored-5",
        "simple-shot-5",
        "laplacian-shot-5",
    }
    assert all("15 labelled records a side in the calibration split" in a.reason for a in left_out)
    assert {check.attack for check in report.checks} == set(attacks_of(report)) - {
        attack.name for attack in left_out
    }


@pytest.mark.parametrize(
    ("attacks", "sentence"),
    [
        (["anchored-200"], "needs 200 labelled records a side in the support split"),
        ([{"name": "simple-shot-5", "features": "penultimate"}], "needs features, and"),
        (["transductive-5"], "Use a model of format torch"),
        ([{"name": "anchored-5", "features": "logits"}], "does not take all of these options"),
        ([{"name": "loss", "draws": 3}], "does not take all of these options"),
    ],
)
def test_an_attack_named_singly_must_run(tmp_path, attacks, sentence):
    assert sentence in refused(onnx_project(tmp_path, attacks=attacks, budgets=AUC))


def test_features_that_the_file_lacks_say_how_to_get_them(tmp_path):
    attacks = [{"name": "simple-shot-5", "features": "penultimate"}]
    model = {"features": {"name": "avgpool"}}
    sentence = refused(onnx_project(tmp_path, attacks=attacks, budgets=AUC, model=model))
    assert "avgpool" in sentence
    assert "logits, features" in sentence


@pytest.mark.parametrize("space", ["penultimate", "logits", "probabilities", "signals"])
def test_every_feature_space_reaches_the_attack(features, space):
    options = {"name": "simple-shot-3", "features": space, "draws": 7}
    (report,) = run(features(attacks=[options])).reports
    assert report.verdict == "pass"
    shown = attacks_of(report)["simple-shot-3"].few_shot
    assert (shown["shots"], shown["draws"], shown["features"]) == (3, 7, space)


def test_the_published_protocol_is_reported_beside_and_gates_nothing(features):
    attacks = [{"name": "simple-shot-5", "paper_episodes": 60}, "loss"]
    (report,) = run(features(attacks=attacks)).reports
    paper = attacks_of(report)["simple-shot-5"].few_shot["paper"]
    assert paper["log_mia_a"]["null"] == pytest.approx(0.178, abs=1e-3)
    assert paper["log_mia_b"]["null"] == pytest.approx(0.588, abs=1e-3)
    assert abs(paper["auc"]["mean"] - 0.5) < 0.1
    assert [check.id for check in report.checks] == ["simple-shot-5/auc", "loss/auc"]


def test_transductive_tuning_runs_on_a_torch_model(tmp_path):
    write_fixtures(tmp_path, colours(150, 0), colours(150, 1))
    attacks = [{"name": "transductive-2", "draws": 2, "paper_episodes": 3}]
    section = {**settings()["model"], **save_torch(tmp_path)}
    path = write_config(tmp_path, attacks=attacks, budgets=[{**AUC[0], "max": 0.9}], model=section)
    (report,) = run(path).reports
    assert report.verdict == "pass"
    shown = attacks_of(report)["transductive-2"].few_shot
    assert "conditional on one transductive run" in shown["note"]
    assert np.isfinite(shown["paper"]["auc"]["mean"])


def test_the_leaky_candidate_fails_few_shot_checks_too(tmp_path):
    config = digits_project(tmp_path, "leaky-onnx")
    text = config.read_text().replace("[threshold, few-shot]", "[anchored-1, simple-shot-5]")
    config.write_text(text)
    (report,) = run(config).reports
    failed = {check.id for check in report.checks if check.verdict == "fail"}
    assert {"anchored-1/log_mia[a]", "anchored-1/tnr_at_fnr[0.05]", "simple-shot-5/auc"} <= failed
    message = next(c.message for c in report.checks if c.id == "anchored-1/log_mia[a]")
    assert "Without leakage it is 0.178" in message
    assert message.endswith("severe.")
