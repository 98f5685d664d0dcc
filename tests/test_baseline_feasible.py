"""Increases that these records cannot certify are announced, with chances that hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_baseline_file import baseline, entry
from test_comparison import models
from test_comparison_verdict import judged

from privacy_gate.baseline.feasible import with_increases
from privacy_gate.baseline.file import AttackEntry
from privacy_gate.baseline.finding import Baseline
from privacy_gate.domain import Metric, Sizes
from privacy_gate.feasibility import Feasibility
from privacy_gate.statistics.metrics import statistic
from privacy_gate.terms import PlannedCheck

AUC, RATE = Metric("auc"), Metric("tpr_at_fpr", 0.05)
MODEL = Baseline("model", Path("main.onnx"), "main.onnx")


def file_with(metric, estimate, half_width):
    bounds = entry(estimate, low=estimate - half_width, high=estimate + half_width,
                   holm_low=estimate - half_width, holm_high=estimate + half_width)  # fmt: skip
    attack = AttackEntry(ranks_sha256="12" * 32, metrics={str(metric): bounds})
    file = baseline(attacks={"loss": attack})
    return Baseline("aggregates", Path("b.json"), "b.json", file)


def said(metric, budget, size, against, increase=True):
    planned = PlannedCheck("loss", metric, budget, increase=increase)
    return with_increases(Feasibility(), [planned], Sizes(size, size), 0.95, against)


def test_against_aggregates_the_chance_is_that_of_a_model_that_leaks_nothing():
    against = file_with(AUC, 0.5, 0.04)
    found = said(AUC, 0.05, 540, against)
    (sentence,) = found.impossible.values()
    chance = statistic(AUC).pass_probability(0.46 + 0.05, 0.0125, Sizes(540, 540))
    assert chance < 0.5
    assert f"passes with probability {chance:.2g}" in sentence
    assert "{model: PATH}" in sentence
    named = float(re.search(r"max_increase ([\d.]+) could", sentence)[1])
    assert said(AUC, named, 540, against) == Feasibility()
    assert said(AUC, named * 0.8, 540, against) != Feasibility()


def test_between_a_half_and_most_it_is_a_caution():
    against = file_with(AUC, 0.5, 0.04)
    found = said(AUC, 0.085, 540, against)
    assert found.impossible == {}
    assert len(found.cautions) == 1


@pytest.mark.parametrize("against", [None, MODEL, file_with(RATE, 0.05, 0.03)])
def test_other_checks_and_unknown_metrics_are_left_alone(against):
    assert said(AUC, 0.01, 100, against, increase=False) == Feasibility()
    if against is not MODEL:
        assert said(AUC, 0.01, 100, against) == Feasibility()


def test_what_was_said_before_stays_said():
    before = Feasibility({"loss/auc": "too small"}, ("a note",))
    planned = PlannedCheck("loss", AUC, 0.001, increase=True)
    found = with_increases(before, [planned], Sizes(90, 90), 0.95, MODEL)
    assert found.impossible == {"loss/auc": "too small"}
    assert found.cautions[0] == "a note"
    assert len(found.cautions) == 2


@pytest.mark.parametrize(
    ("metric", "budget", "size"),
    [(AUC, 0.05, 300), (RATE, 0.05, 300), (Metric("log_mia", "a"), 0.08, 300),
     (Metric("tpr_at_fpr", 0.01), 0.05, 300)],
)  # fmt: skip
def test_the_chance_beside_a_model_is_about_what_simulation_gives(metric, budget, size):
    (caution,) = said(metric, budget, size, MODEL).cautions
    chance = float(re.search(r"probability ([\d.e-]+)", caution)[1])
    planned = [PlannedCheck("loss", metric, budget, increase=True)]
    runs = 150
    passed = sum(
        judged(models(size, 0.0, 0.0, 0.5, seed), planned)[0].verdict == "pass"
        for seed in range(runs)
    )
    assert passed / runs == pytest.approx(chance, abs=0.15)
