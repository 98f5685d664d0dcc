"""Copies, groups and random models: what would make records or answers other than they seem."""

from __future__ import annotations

import numpy as np
import pytest
from gate_project import (
    MODEL_CODE,
    colours,
    refused,
    run,
    save_onnx,
    save_torch,
    settings,
    write_config,
    write_fixtures,
    write_module,
)

from privacy_gate.report.terminal import render

AUC = [{"metric": "auc", "max": 0.7}]


def repeated(columns, times):
    return {name: np.repeat(values, times, axis=0) for name, values in columns.items()}


def test_copies_of_a_record_count_once(tmp_path):
    members, nonmembers = (repeated(colours(300, seed), 4) for seed in (0, 1))
    write_fixtures(tmp_path, members, nonmembers)
    save_onnx(tmp_path / "model.onnx")
    (report,) = run(write_config(tmp_path, attacks=["loss", "anchored-5"], budgets=AUC)).reports
    sizes = report.fixtures["evaluation"]
    assert 140 < sizes["members"] < 220
    assert 140 < sizes["nonmembers"] < 220
    assert report.checks[0].counts["members"] == sizes["members"]
    assert any("1800 of 2400 records share" in caution for caution in report.cautions)
    pool = next(a.few_shot["pool"] for a in report.attacks if a.few_shot)
    assert pool["members"] + sizes["members"] == 300


def test_copies_across_the_sides_are_said_on_the_screen(tmp_path):
    members, nonmembers = colours(400, 0), colours(400, 1)
    nonmembers["x"][:40], nonmembers["y"][:40] = members["x"][:40], members["y"][:40]
    members["id"], nonmembers["id"] = np.arange(400), np.arange(400, 800)
    write_fixtures(tmp_path, members, nonmembers, identifier="id")
    save_onnx(tmp_path / "model.onnx")
    (report,) = run(write_config(tmp_path, budgets=AUC)).reports
    verdicts = {check.name: check.verdict for check in report.fixture_checks}
    assert verdicts["duplicates"] == "inconclusive"
    text = " ".join(render(report).split())
    assert "40 members and 40 non-members have the same content under different identifiers" in text
    assert "80 of 800 records share" in text


def test_the_same_records_on_both_sides_leave_nothing_to_judge(tmp_path):
    members, nonmembers = colours(400, 0), colours(400, 0)
    members["id"], nonmembers["id"] = np.arange(400), np.arange(400, 800)
    write_fixtures(tmp_path, members, nonmembers, identifier="id")
    save_onnx(tmp_path / "model.onnx")
    assert "has 0 members and 0 non-members" in refused(write_config(tmp_path, budgets=AUC))


def test_a_random_model_is_refused(tmp_path):
    write_fixtures(tmp_path)
    section = {**settings()["model"], **save_torch(tmp_path)}
    noisy = MODEL_CODE.replace("self.head(colour)", "self.head(colour) + torch.randn(1)")
    noisy = noisy.replace("+ torch.randn(1)", "+ torch.randn(len(x), 4)")
    section["factory"] = f"{write_module(tmp_path, noisy)}:build"
    sentence = refused(write_config(tmp_path, budgets=AUC, model=section))
    assert "The model is random" in sentence
    assert "dropout" in sentence


@pytest.mark.parametrize("attack", ["anchored-5", "loss"])
def test_a_learned_attack_rests_on_no_known_training_set(tmp_path, attack):
    write_fixtures(tmp_path, member_sampling="all", training_records=700)
    save_onnx(tmp_path / "model.onnx")
    budgets = [{"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.3}]
    (report,) = run(write_config(tmp_path, attacks=[attack], budgets=budgets)).reports
    (check,) = report.checks
    assert check.counts["population"] == (700 if attack == "loss" else None)
    assert (report.attacks[0].operating_point == {}) == (attack == "anchored-5")


def test_attacks_that_did_not_run_are_on_the_screen(tmp_path):
    write_fixtures(tmp_path, colours(60, 0), colours(60, 1))
    save_onnx(tmp_path / "model.onnx")
    (report,) = run(
        write_config(tmp_path, attacks=["threshold", "few-shot"], budgets=[{**AUC[0], "max": 0.9}])
    ).reports
    text = " ".join(render(report).split())
    assert "not run: anchored-5: The attack 'anchored-5' needs 15 labelled records" in text
