"""Budgets that are shown and decide nothing, and budgets on what the overconfidence audit measures."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import report_samples

from privacy_gate.audit_checks import (
    audit_p_value,
    calibration_error,
    false_alarms,
    nothing_measured,
    rebuilt_audit,
)
from privacy_gate.config import load_config
from privacy_gate.domain import Interval, Metric, Sizes
from privacy_gate.errors import ConfigError, UsageError
from privacy_gate.measurement import parse_budget
from privacy_gate.report.html import render as html
from privacy_gate.report.markdown import render as markdown
from privacy_gate.report.parse import read_untrusted
from privacy_gate.report.terminal import render as terminal
from privacy_gate.statistics.plausible import Unsupported
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.terms import PlannedCheck, Terms, changes, stricter
from privacy_gate.verdict import judge, outcome

SCALED, ECE = Metric("ood_fpr", "scaled"), Metric("ece")
LEVEL = 0.025


def configured(directory, budgets):
    (directory / "data").mkdir(exist_ok=True)
    text = """\
        version: 1
        model: {format: onnx, path: model.onnx}
        fixtures: data
        attacks: [threshold]
        budgets:
        """
    path = directory / "gate.yaml"
    lines = "".join(f"  - {budget}\n" for budget in budgets)
    path.write_text(textwrap.dedent(text) + lines, encoding="utf-8")
    return load_config(path)


def scores(separation, size=400):
    random = np.random.default_rng(3)
    return SortedScores.of(random.normal(separation, 1, size), random.normal(0, 1, size))


# ----------------------------------------------------------------------------------- configuration


def test_metrics_of_the_audit_decide_nothing_unless_asked_to(tmp_path):
    budgets = [
        "{metric: auc, max: 0.6}",
        "{metric: ood_fpr, set: scaled, max: 0.5}",
        "{metric: ood_fpr, set: my-set, max: 0.5, attacks: [loss], informational: false}",
        "{metric: ece, max: 0.1}",
        "{metric: advantage, max: 0.3, attacks: [loss], informational: true}",
    ]
    terms = configured(tmp_path, budgets).terms
    decide = [check.id for check in terms.checks if not check.id.endswith("/auc")]
    assert decide == ["loss/ood_fpr[my-set]"]
    assert [check.id for check in terms.informational] == [
        "loss/ood_fpr[scaled]", "confidence/ood_fpr[scaled]", "entropy/ood_fpr[scaled]",
        "modified-entropy/ood_fpr[scaled]", "margin/ood_fpr[scaled]", "model/ece",
        "loss/advantage",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        (["{metric: ece, max: 0.1}"], "are informational only, so nothing could ever fail"),
        (["{metric: auc, max: 0.6}", "{metric: ece, max: 0.1, attacks: [loss]}"], "of the model"),
        (["{metric: auc, max: 0.6}", "{metric: ood_fpr, set: a, max_increase: 0.1}"], "write max"),
        (["{metric: auc, max: 0.6}", "{metric: ood_fpr, max: 0.1}"], "set: is required"),
        (["{metric: auc, max: 0.6}", "{metric: ood_fpr, set: A B, max: 0.1}"], "name of a set"),
        (
            ["{metric: ood_fpr, set: a, max: 0.1, attacks: [correctness], informational: false}"],
            "matches no attack",
        ),
        (
            ["{metric: auc, max: 0.6}", "{metric: auc, max: 0.7, informational: true}"],
            "has two budgets",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, budgets, words):
    with pytest.raises(ConfigError, match=words):
        configured(tmp_path, budgets)


def test_scores_alone_have_no_set_of_records():
    with pytest.raises(UsageError, match="needs a model and sets of records"):
        parse_budget("ood_fpr[scaled]<=0.5")


# ------------------------------------------------------------------------------------------- terms


def test_making_a_budget_informational_is_a_blocking_change():
    budget = PlannedCheck("loss", Metric("auc"), 0.6)
    other = PlannedCheck("loss", Metric("tpr_at_fpr", 0.01), 0.1)
    base = Terms("m", "gate.yaml", (budget, other), (), 0.95)
    head = Terms("m", "gate.yaml", (other,), (), 0.95, informational=(budget,))
    assert [(c.kind, c.blocking) for c in changes(base, head)] == [("dropped", True)]
    both = stricter(base, head)
    assert {check.id for check in both.checks} == {budget.id, other.id}
    assert both.informational == ()
    back = stricter(head, base)
    assert {check.id for check in back.checks} == {budget.id, other.id}
    assert back.informational == ()


# ---------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("called", "total", "verdict"),
    [(10, 500, "pass"), (490, 500, "fail"), (250, 500, "inconclusive"), (0, 0, "inconclusive")],
)
def test_false_alarms_are_judged_like_every_other_rate(called, total, verdict):
    planned = [PlannedCheck("loss", SCALED, 0.5)]
    found = {("loss", SCALED): false_alarms(SCALED, called, total, LEVEL)}
    (check,) = judge(planned, {"loss": scores(0)}, Sizes(400, 400), confidence=0.95, audited=found)
    assert check.verdict == verdict
    assert outcome([check]) == verdict
    assert check.null is None and check.characteristic is None
    if verdict == "fail":
        assert check.low > 0.96 and "no evidence" in check.advice


def test_what_the_audit_did_not_measure_is_never_a_pass():
    (check,) = judge(
        [PlannedCheck("model", ECE, 0.1)], {}, Sizes(400, 400), confidence=0.95, audited={}
    )
    assert check.verdict == "inconclusive"
    assert "cannot be measured" in check.message


def test_a_wrong_direction_says_nothing_about_false_alarms():
    found = {("loss", SCALED): false_alarms(SCALED, 1, 500, LEVEL)}
    planned = [PlannedCheck("loss", SCALED, 0.5), PlannedCheck("loss", Metric("auc"), 0.6)]
    checks = judge(
        planned,
        {"loss": scores(-1)},
        Sizes(400, 400),
        confidence=0.95,
        wrong_direction={"loss"},
        audited=found,
    )
    assert [check.verdict for check in checks] == ["pass", "inconclusive"]


def test_p_values_of_the_audit():
    exact = false_alarms(SCALED, 60, 100, LEVEL)
    assert audit_p_value(exact, 0.5) == pytest.approx(0.0284, abs=1e-4)  # P(Bin(100, 0.5) >= 60)
    error = calibration_error(Interval(0.2, 0.2 - 1.959964 * 0.02, 0.25), 500, LEVEL)
    assert audit_p_value(error, 0.15) == pytest.approx(0.00621, abs=1e-5)  # Phi(-2.5)
    assert audit_p_value(nothing_measured(ECE, LEVEL, "x"), 0.1) == 1.0


# ------------------------------------------------------------------------------- judged once more


@pytest.mark.parametrize(
    ("metric", "changed", "words"),
    [
        (SCALED, {"counts": {"called": 5, "total": 4, "level": LEVEL}}, "counts"),
        (SCALED, {"counts": {"called": True, "total": 4, "level": LEVEL}}, "counts"),
        (SCALED, {"counts": {}}, "counts"),
        (ECE, {"low": 0.3}, "interval"),
        (ECE, {"high": None}, "interval is missing"),
    ],
)
def test_numbers_that_contradict_themselves_are_not_taken(metric, changed, words):
    value = (
        false_alarms(metric, 3, 40, LEVEL)
        if metric == SCALED
        else calibration_error(Interval(0.2, 0.1, 0.3), 50, LEVEL)
    )
    planned = PlannedCheck("loss", metric, 0.5)
    reported = replace(
        planned.undecided("pass", "."),
        estimate=value.estimate,
        low=value.low,
        high=value.high,
        counts=value.counts,
    )
    assert rebuilt_audit(metric, reported, LEVEL) == value
    with pytest.raises(Unsupported, match=words):
        rebuilt_audit(metric, replace(reported, **changed), LEVEL)


# ----------------------------------------------------------------------------------------- reports


def test_what_is_informational_is_shown_everywhere_and_changes_no_verdict():
    shown = replace(
        report_samples.failing().checks[0], id="loss/ood_fpr[scaled]", attack="loss",
        metric="ood_fpr", arguments={"set": "scaled"}, verdict="fail", counts={},
    )  # fmt: skip
    report = replace(report_samples.passing(), informational=(shown,))
    again = read_untrusted(json.dumps(report.to_dict()))[0]
    assert again.informational == (shown,)
    assert again.verdict == "pass"
    assert "for information: loss/ood_fpr[scaled]" in terminal(report)
    assert "For information, deciding nothing (1)" in markdown(report)
    page = html(report)
    assert "For information" in page and "loss/ood_fpr[scaled]" in page
