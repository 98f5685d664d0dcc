"""Budgets that are shown and decide nothing, and budgets on the overconfidence audit."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import report_samples
from gate_project import onnx_project, refused, run, write_config

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
from privacy_gate.recount import recount
from privacy_gate.report.html import render as html
from privacy_gate.report.markdown import render as markdown
from privacy_gate.report.parse import read_untrusted
from privacy_gate.report.terminal import render as terminal
from privacy_gate.statistics.plausible import Unsupported
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.terms import PlannedCheck, Terms, changes, stricter
from privacy_gate.verdict import judge, outcome

SCALED, PERMUTED, ECE = Metric("ood_fpr", "scaled"), Metric("ood_fpr", "permuted"), Metric("ece")
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
    assert check.null is None
    assert check.characteristic is None
    if verdict == "fail":
        assert check.low > 0.96
        assert "no evidence" in check.advice


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
    assert audit_p_value(nothing_measured(ECE, LEVEL), 0.1) == 1.0


# ------------------------------------------------------------------------------- judged once more


@pytest.mark.parametrize(
    ("metric", "changed", "words"),
    [
        (SCALED, {"counts": {"called": 5, "total": 4, "level": LEVEL}}, "counts"),
        (SCALED, {"counts": {"called": True, "total": 4, "level": LEVEL}}, "counts"),
        (SCALED, {"counts": {"total": 4}}, "counts"),
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
    assert "For information" in page
    assert "loss/ood_fpr[scaled]" in page


# ----------------------------------------------------------------------------- a run, and forgeries

BUDGETS = [
    {"metric": "auc", "max": 0.65},
    {"metric": "ood_fpr", "set": "permuted", "max": 0.99, "attacks": ["loss"],
     "informational": False},
    {"metric": "ood_fpr", "set": "permuted", "max": 0.999, "attacks": ["margin"]},
    {"metric": "ece", "max": 0.9, "informational": False},
    {"metric": "advantage", "max": 0.001, "attacks": ["loss"], "informational": True},
]  # fmt: skip


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The report and the terms of a run with budgets of both kinds on the audit."""
    path = onnx_project(
        tmp_path_factory.mktemp("audited"), attacks=["loss", "margin"], budgets=BUDGETS,
        overconfidence={"transforms": ["permuted"]}, calibration_lens=False,
    )  # fmt: skip
    (report,) = run(path).reports
    return report, load_config(path)


def with_check(report, name, **changes):
    return replace(
        report,
        checks=tuple(replace(c, **changes) if c.id == name else c for c in report.checks),
    )


def verdict_of(report, name):
    return next(check.verdict for check in report.checks if check.id == name)


def test_a_run_judges_the_audit_and_its_report_stays_what_it_is(judged):
    report, config = judged
    assert report.verdict == "pass"
    assert {check.id: check.verdict for check in report.checks} == {
        "loss/auc": "pass", "margin/auc": "pass", "loss/ood_fpr[permuted]": "pass",
        "model/ece": "pass",
    }  # fmt: skip
    assert {check.id: check.verdict for check in report.informational} == {
        "margin/ood_fpr[permuted]": "pass", "loss/advantage": "inconclusive",
    }  # fmt: skip
    assert recount(report, config.terms) == report


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("loss/ood_fpr[permuted]", lambda total: false_alarms(PERMUTED, 0, total, LEVEL)),
        ("model/ece", lambda total: calibration_error(Interval(0.0, 0.0, 0.1), total, LEVEL)),
    ],
)  # fmt: skip
def test_numbers_that_the_audit_does_not_have_are_no_pass(judged, name, numbers):
    report, config = judged
    made = numbers(report.fixtures["evaluation"]["nonmembers"])
    forged = with_check(
        report, name, estimate=made.estimate, low=made.low, high=made.high, counts=made.counts,
        p_value=audit_p_value(made, 0.99 if "ood" in name else 0.9),
    )  # fmt: skip
    again = recount(forged, config.terms)
    assert verdict_of(again, name) == "inconclusive"
    assert again.verdict == "inconclusive"
    assert not again.complete
    assert verdict_of(recount(replace(report, overconfidence=None), config.terms), name) != "pass"


def test_only_the_terms_say_what_is_informational(judged):
    report, config = judged
    own = next(check for check in report.checks if check.id == "loss/auc")
    hidden = replace(
        report,
        checks=tuple(check for check in report.checks if check is not own),
        informational=(*report.informational, own),
    )
    again = recount(hidden, config.terms)
    assert verdict_of(again, "loss/auc") == "not_run"
    assert again.verdict == "inconclusive"
    assert [check.id for check in again.informational] == [c.id for c in report.informational]
    boast = replace(report.informational[1], verdict="pass", budget=0.9, message="Fine.")
    boasting = replace(report, informational=(report.informational[0], boast))
    (_, shown) = recount(boasting, config.terms).informational
    assert (shown.verdict, shown.budget) == ("inconclusive", 0.001)  # its interval is above that
    assert shown.message != "Fine."


def test_how_false_alarms_are_counted_is_a_term_where_a_budget_rests_on_it(judged):
    base = judged[1].terms
    first = [{"metric": "tpr_at_fpr", "fpr": 0.001, "max": 0.9}, *BUDGETS]
    fewer = {"transforms": ["permuted"], "records": 9}
    for changed in ({"budgets": first}, {"overconfidence": fewer}):
        directory = judged[1].directory
        path = write_config(
            directory, "other.yaml", attacks=["loss", "margin"],
            **{"budgets": BUDGETS, "overconfidence": {"transforms": ["permuted"]}, **changed},
        )  # fmt: skip
        blocking = [c.key for c in changes(base, load_config(path).terms) if c.blocking]
        assert blocking
        assert all(key.startswith("overconfidence") for key in blocking)


def test_a_set_that_nobody_makes_is_no_set(tmp_path):
    budget = {"metric": "ood_fpr", "set": "typo", "max": 0.5}
    path = onnx_project(
        tmp_path, attacks=["loss"], budgets=[BUDGETS[0], budget],
        overconfidence={"transforms": ["permuted"]},
    )  # fmt: skip
    said = refused(path)
    assert "There is no set typo that attacks are tried on" in said
    assert "There are nonmembers, permuted." in said


def test_what_the_audit_did_not_measure_stays_undecided_when_judged_again(judged):
    report, config = judged
    planned = next(check for check in config.terms.checks if check.metric.name == "ood_fpr")
    (undecided,) = judge([planned], {}, Sizes(9, 9), confidence=0.95, audited={})
    again = recount(with_check(report, planned.id, **{
        name: getattr(undecided, name)
        for name in ("estimate", "low", "high", "counts", "verdict", "p_value", "message")
    }), config.terms)  # fmt: skip
    found = next(check for check in again.checks if check.id == planned.id)
    assert found == replace(undecided, message=found.message)
    assert found.message == undecided.message
