"""A report judged again: a genuine one stays what it is, a forged one never becomes a pass."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from functools import cache

import pytest
import report_samples as samples
import twins
from gate_project import DIGITS, bayes, onnx_project, run, save_onnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recounting import BUDGETS, DIGEST, KINDS, genuine, made, places, value_at, with_value
from scipy import special

from privacy_gate.config import load_config
from privacy_gate.domain import AttackResult, Change, Interval, ReportSet, exit_code
from privacy_gate.errors import UsageError
from privacy_gate.recount import recount
from privacy_gate.report.parse import report_from_dict
from privacy_gate.terms import Waiver

SEVERITY = {"pass": 0, "inconclusive": 1, "fail": 2, "error": 3}
TODAY = date(2026, 11, 22)
kinds = st.sampled_from(sorted(KINDS))
many = settings(max_examples=1200, deadline=None, suppress_health_check=list(HealthCheck))


def verdicts(report):
    return {check.id: check.verdict for check in report.checks}


def check_of(report, name):
    return next(check for check in report.checks if check.id == name)


def with_check(report, name, **changes):
    checks = tuple(
        replace(check, **changes) if check.id == name else check for check in report.checks
    )
    return replace(report, checks=checks)


def with_budgets(terms, factor):
    checks = tuple(replace(check, budget=check.budget * factor) for check in terms.checks)
    return replace(terms, checks=checks)


# ---------------------------------------------------------------------------- genuine reports stay


@pytest.mark.parametrize("kind", KINDS)
def test_a_genuine_report_stays_what_it_is(kind):
    report, terms = genuine(kind)
    assert recount(report, terms) == report
    again = recount(report_from_dict(report.to_dict()), terms)
    assert again.to_dict() == report.to_dict()


@pytest.mark.parametrize("case", ["private", "leaky"])
def test_the_bundled_reports_stay_what_they_are(case):
    report = samples.passing() if case == "private" else samples.failing()
    terms = load_config(DIGITS / f"{case}.yaml").terms
    assert recount(report, terms) == report


def test_reports_of_projects_stay_what_they_are(tmp_path):
    """Undecidable sizes, few-shot attacks left out, a known population, a waiver."""
    budgets = [{"metric": "tpr_at_fpr", "fpr": 0.001, "max": 0.002}, {"metric": "auc", "max": 0.65}]
    path = onnx_project(tmp_path, attacks=["threshold", "few-shot"], budgets=budgets)
    (undecidable,) = run(path).reports
    assert (undecidable.verdict, undecidable.complete) == ("inconclusive", False)
    again = recount(undecidable, load_config(path).terms)
    assert verdicts(again) == verdicts(undecidable)
    assert (again.verdict, again.complete) == ("inconclusive", False)
    assert "Nothing was measured" in again.checks[0].message

    path = onnx_project(tmp_path / "small", attacks=["threshold", "anchored-5"])
    (report,) = run(path).reports
    assert report.complete
    assert recount(report, load_config(path).terms) == report


INCREASES = [
    {"metric": "auc", "max": 0.65, "max_increase": 0.05},
    {"metric": "tpr_at_fpr", "fpr": 0.05, "max_increase": 0.2},
]


def test_increases_stay_what_they_are_and_cannot_be_made_up(tmp_path):
    other = {"attacks": ["loss"], "budgets": INCREASES}
    path = onnx_project(tmp_path, baseline={"model": "base.onnx"}, **other)
    save_onnx(tmp_path / "base.onnx", bayes()[0] * 0.7, bayes()[1] * 0.9)
    (report,) = run(path).reports
    terms = load_config(path).terms
    assert recount(report, terms) == report
    name = "loss/auc:increase"
    assert check_of(report, name).verdict == "pass"
    wider = with_check(report, name, low=-0.3, high=0.3, verdict="inconclusive")
    assert check_of(recount(wider, terms), name).verdict == "inconclusive"
    for changes in ({"high": 0.01}, {"estimate": -0.2, "low": -0.3, "high": -0.1}):
        forged = with_check(wider, name, **changes, verdict="pass")
        assert check_of(recount(forged, terms), name).verdict == "inconclusive"
    stricter = replace(terms, checks=tuple(replace(c, budget=1e-4) for c in terms.checks))
    assert check_of(recount(report, stricter), name).verdict == "inconclusive"


def test_increases_are_left_out_only_where_there_is_no_baseline(tmp_path):
    other = {"attacks": ["loss"], "budgets": INCREASES}
    path = onnx_project(tmp_path, baseline="baseline.json", **other)
    (report,) = run(path).reports
    assert [check.id for check in report.checks] == ["loss/auc"]
    terms = load_config(path).terms
    assert recount(report, terms) == report
    pinned = {**terms.pinned, "baseline.sha256": "ab" * 32}
    again = recount(report, replace(terms, pinned=pinned))
    assert verdicts(again)["loss/auc:increase"] == "not_run"
    assert not again.complete
    unsaid = replace(report, baseline=None)
    assert verdicts(recount(unsaid, terms))["loss/auc:increase"] == "not_run"


def test_errors_stay_errors():
    _, terms = genuine("no leak")
    again = recount(samples.broken(), terms)
    assert (again.verdict, again.complete, again.error) == ("error", False, samples.broken().error)
    hidden = replace(samples.broken(), verdict="pass", complete=True)
    assert recount(hidden, terms).verdict == "error"
    assert recount(replace(genuine("no leak")[0], verdict="error"), terms).verdict == "error"


# --------------------------------------------------------------------------------- forged numbers


@cache
def plain(kind):
    """A genuine report as JSON values, without what verdicts do not rest on, and its terms."""
    report, terms = genuine(kind)
    content = report.to_dict()
    for check in content["checks"]:
        check["characteristic"] = None
    for attack in content["attacks"]:
        attack["roc"] = attack["histogram"] = {}
    return content, terms


forged_values = st.one_of(
    st.none(),
    st.sampled_from([0, 1, -1, 2, 0.0, 1.0, 0.5, 1e-9, 10**9, True, False]),
    st.sampled_from(["pass", "fail", "inconclusive", "not_run", "waived", "exact", "asymptotic"]),
    st.floats(0, 1),
    st.integers(0, 1000),
)


@cache
def inner_places(kind):
    """All places of a report, those of checks more often."""
    found = [path for path in places(plain(kind)[0]) if path]
    checks = [path for path in found if path[0] == "checks"]
    return [*found, *checks, *(path for path in checks if "counts" in path)]


@st.composite
def forged(draw, most=4):
    """(kind, report) with up to ``most`` values changed, moved between places, or left out."""
    kind = draw(kinds)
    content = plain(kind)[0]
    where = st.sampled_from(inner_places(kind))
    for _ in range(draw(st.integers(1, most))):
        path, other = draw(where), draw(where)
        how = draw(st.sampled_from(["value", "value", "nudge", "take", "drop"]))
        value, by = draw(forged_values), draw(st.sampled_from([0.5, 0.9, 1.1, 2]))
        try:
            if how == "take":
                value = value_at(content, other)
            if how == "drop":
                content = with_value(content, path[:-1], lambda x, key=path[-1]: without(x, key))
            elif how == "nudge":
                content = with_value(content, path, lambda x, by=by: nudged(x, by))
            else:
                content = with_value(content, path, lambda _, value=value: value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return kind, content


def nudged(value, by):
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return round(value * by) if isinstance(value, int) else value * by


def without(value, key):
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name != key}
    return [inner for index, inner in enumerate(value) if index != key]


@many
@given(forged())
def test_a_forged_value_never_makes_a_pass(case):
    """Whatever single values say, a check passes only if the genuine one does."""
    kind, content = case
    report, terms = genuine(kind)
    try:
        found = report_from_dict(content)
    except UsageError:
        return
    again = recount(found, terms)
    passing = {name for name, verdict in verdicts(report).items() if verdict == "pass"}
    demanded = {check.id for check in terms.checks}
    assert {name for name, word in verdicts(again).items() if word == "pass"} & demanded <= passing
    if report.verdict != "pass":
        assert again.verdict != "pass"
        assert exit_code(again) != 0
    if again.verdict == "pass":
        assert again.complete


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS.keys() - {"no leak"})),
    data=st.data(),
    factor=st.sampled_from([0.2, 0.5, 0.9, 1.0, 1.5]),
    claims=st.sampled_from(["pass", "fail", "inconclusive", "waived", "not_run"]),
)
def test_counts_that_agree_with_each_other_pass_only_within_the_budget(kind, data, factor, claims):
    """A forger who rewrites every place gets the verdict of the counts, by an independent twin."""
    report, terms = genuine(kind)
    terms = with_budgets(terms, factor)
    planned = data.draw(
        st.sampled_from([check for check in terms.checks if "_at_" in check.metric.name])
    )
    check = check_of(report, planned.id)
    counts = dict(check.counts)
    side = counts["members"] if planned.metric.name == "tpr_at_fpr" else counts["nonmembers"]
    names = ("above_k_holm", "above_k_hi", "true_positives", "at_or_above_k_lo")
    names = [name for name in names if counts[name] is not None]
    drawn = data.draw(st.lists(st.integers(0, side), min_size=len(names), max_size=len(names)))
    drawn = sorted(drawn) if data.draw(st.booleans()) else drawn
    counts |= dict(zip(names, drawn, strict=True))
    low, high = interval(planned, counts)
    estimate = counts["true_positives"] / side
    numbers = {"estimate": estimate, "low": low, "high": high}
    changed = with_check(report, planned.id, **numbers, counts=counts, verdict=claims)
    again = check_of(recount(with_rows(changed, planned, numbers), terms), planned.id)
    if again.verdict == "pass":
        assert high <= planned.budget
        assert drawn == sorted(drawn)
        assert claims == "pass" or planned.budget > check.budget
    if again.verdict == "fail":
        assert low > planned.budget
        assert drawn == sorted(drawn)


@cache
def miss(side, *arguments):
    return getattr(twins, f"miss_{side}")(*arguments)


def interval(planned, counts):
    """Low and high that these counts give, by the twins."""
    members, nonmembers, population = (
        counts[name] for name in ("members", "nonmembers", "population")
    )
    swap = planned.metric.name == "tnr_at_fnr"
    n, m = (nonmembers, members) if swap else (members, nonmembers)
    counted, setting = (None, population) if swap else (population, None)
    rate, level = planned.metric.argument, counts["level"]
    low, high = 0.0, 1.0
    if counts["k_hi"] is not None:
        share = miss("above", counts["k_hi"], m, rate, setting)
        rest = (level - share) / (1 - share)
        low = float(twins.proportion_low(counts["above_k_hi"], n, rest, counted))
    if counts["k_lo"] is not None:
        share = miss("below", counts["k_lo"], m, rate, setting)
        rest = (level - share) / (1 - share)
        high = float(twins.proportion_high(counts["at_or_above_k_lo"], n, rest, counted))
    return low, high


def with_rows(report, planned, numbers):
    """The report with the same numbers among the attack's own results."""

    def rewritten(attack):
        rows = getattr(attack, planned.metric.name)
        return replace(attack, **{planned.metric.name: tuple({**row, **numbers} for row in rows)})

    attacks = tuple(
        rewritten(attack) if attack.name == planned.attack else attack for attack in report.attacks
    )
    return replace(report, attacks=attacks)


@settings(max_examples=200, deadline=None)
@given(kinds, st.lists(st.sampled_from([1.0, 0.99, 0.7, 0.3]), min_size=10, max_size=10))
def test_smaller_budgets_are_never_more_lenient(kind, factors):
    report, terms = genuine(kind)
    checks = tuple(
        replace(check, budget=check.budget * factor)
        for check, factor in zip(terms.checks, factors, strict=False)
    )
    again = recount(report, replace(terms, checks=checks))
    assert SEVERITY[again.verdict] >= SEVERITY[report.verdict]
    for check in again.checks:
        assert SEVERITY[check.verdict] >= SEVERITY[check_of(report, check.id).verdict]
        if check.metric in ("auc", "log_mia", "advantage") and check.verdict == "fail":
            assert check_of(report, check.id).verdict == "fail"  # never a new fail


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"above_k_hi": 2.0}, "no whole number"),
        ({"above_k_hi": -1}, "out of range"),
        ({"above_k_hi": 900}, "fall where they must rise"),
        ({"at_or_above_k_lo": 0}, "fall where they must rise"),
        ({"at_or_above_k_lo": None}, "no whole number"),
        ({"k_lo": 5}, "k_lo is not the threshold of these sizes"),
        ({"k_hi": None}, "k_hi is not the threshold of these sizes"),
        ({"population": 901}, "population"),
        ({"population": 899}, "population"),
        ({"level": 0.3}, "no level"),
        ({"holm_level": 0.03}, "no level"),
        ({"members": 899}, "sizes"),
        ({"true_positives": 901}, "out of range"),
        ({"false_positives": 41}, "out of range"),
        ({"at_or_above_k_lo": 80}, "another interval"),
    ],
)
def test_what_is_wrong_with_counts_is_said(changes, words):
    report, terms = genuine("no leak")
    name = "loss/tpr_at_fpr[0.05]"
    counts = {**check_of(report, name).counts, **changes}
    again = recount(with_check(report, name, counts=counts), terms)
    check = check_of(again, name)
    assert check.verdict == "inconclusive"
    assert words in check.message
    assert "Not supported by the report" in check.message or check.high > check.budget
    assert (again.verdict, again.complete) == ("inconclusive", False)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("loss/auc", {"high": 0.51}),
        ("loss/auc", {"low": 0.2, "high": 0.51}),
        ("loss/auc", {"estimate": 0.4, "low": 0.35, "high": 0.45}),
        ("loss/auc", {"low": 0.0, "estimate": 0.0, "high": 0.0}),
        ("loss/log_mia[a]", {"low": 0.1, "estimate": 0.15, "high": 0.2}),
        ("loss/advantage", {"high": 0.05}),
        ("loss/advantage", {"low": 0.0, "estimate": 0.0, "high": 0.1}),
    ],
)
def test_an_interval_that_cannot_be_is_no_pass(name, changes):
    report, terms = genuine("leak")
    forged = with_check(report, name, **changes, verdict="pass", p_value=1.0)
    again = recount(forged, terms)
    assert check_of(again, name).verdict != "pass"
    assert again.complete is False


def test_counts_that_the_rest_of_the_report_denies_are_no_pass():
    """Check and interval rewritten to agree, the attack's own results left as they were."""
    report, terms = genuine("leak")
    name = "loss/tpr_at_fpr[0.05]"
    planned = next(check for check in terms.checks if check.id == name)
    counts = {**check_of(report, name).counts}
    counts |= {count: 2 for count in ("above_k_holm", "above_k_hi", "true_positives")}
    counts["at_or_above_k_lo"] = 3
    low, high = interval(planned, counts)
    numbers = {"estimate": 2 / counts["members"], "low": low, "high": high}
    forged = with_check(report, name, **numbers, counts=counts, verdict="pass")
    found = check_of(recount(forged, terms), name)
    assert found.verdict == "inconclusive"
    assert "the results of its attack say otherwise" in found.message
    everywhere = with_rows(forged, planned, numbers)
    assert check_of(recount(everywhere, terms), name).verdict == "pass"  # no one can tell
    none = replace(everywhere, attacks=())
    assert "not among those that ran" in check_of(recount(none, terms), name).message
    areas = tuple(
        replace(attack, auc=replace(attack.auc, low=attack.auc.low - 0.1))
        for attack in everywhere.attacks
    )
    odd = recount(replace(everywhere, attacks=areas), terms)
    assert "the results of its attack say otherwise" in check_of(odd, name).message


def logistic(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("estimate", "low", "high", "words"),
    [
        (0.5, logistic(-0.2), logistic(0.2), ""),
        (0.5, logistic(-0.2), logistic(0.1), "not the one of its method"),
        (0.5, logistic(-0.1), logistic(0.2), "not the one of its method"),
        (0.5 + 1e-6, logistic(4e-6 - 0.2), logistic(4e-6 + 0.2), "not one of these sizes"),
        (0.5, 0.5, 0.5, "no width"),
        (0.0, 0.0, 0.01, "not the one of these sizes"),
        (0.5, 0.0, 0.55, "not the one of its method"),
    ],
)
def test_an_auc_rewritten_everywhere_must_still_be_one(estimate, low, high, words):
    report, terms = genuine("leak")
    numbers = {"estimate": estimate, "low": low, "high": high}
    implied = special.ndtr(special.logit(0.6) / 0.2 * special.ndtri(0.975)) if low > 0 else 1.0
    forged = with_check(report, "loss/auc", **numbers, p_value=float(implied), verdict="pass")
    attacks = tuple(replace(attack, auc=Interval(**numbers)) for attack in report.attacks)
    check = check_of(recount(replace(forged, attacks=attacks), terms), "loss/auc")
    if words:
        assert check.verdict == "inconclusive"
        assert words in check.message
    else:
        assert check.verdict == "pass"  # no one can tell


@pytest.mark.parametrize("name", ["loss/auc", "loss/log_mia[a]", "loss/advantage"])
def test_a_fail_hidden_by_its_p_value_is_not_tolerated(name):
    report, terms = genuine("leak")
    only = replace(terms, checks=tuple(c for c in terms.checks if c.id == name))
    only = replace(only, warn_until=date(2030, 1, 1), warn_reason="Tolerant.")
    alone = replace(report, checks=(check_of(report, name),))
    assert exit_code(recount(alone, only, today=TODAY)) == 1
    for p_value in (1.0, 0.03, None):
        hidden = with_check(alone, name, verdict="inconclusive", p_value=p_value)
        again = recount(hidden, only, today=TODAY)
        assert (again.verdict, again.complete, exit_code(again)) == ("inconclusive", False, 3)
    hidden = with_check(alone, name, verdict="inconclusive")
    assert exit_code(recount(hidden, only, today=TODAY)) == 3
    passing, _ = genuine("no leak")
    edited = with_check(passing, name, p_value=0.01)
    check = check_of(recount(edited, terms), name)
    assert (check.verdict, check.p_value > 0.9) == ("inconclusive", True)
    assert "its p-value is not the one of its interval" in check.message


def test_a_verdict_written_by_hand_is_written_over():
    report, terms = genuine("leak")
    checks = tuple(replace(c, verdict="pass", message="All is well.") for c in report.checks)
    again = recount(replace(report, checks=checks, verdict="pass"), terms)
    assert again.verdict == "fail"
    assert verdicts(again)["loss/tpr_at_fpr[0.05]"] == "fail"
    assert "All is well" not in str(again.checks)
    assert again.cautions[0] == "The report itself says pass."
    assert again.complete is False  # of the AUC nothing but the forged verdict is known


def test_a_wrong_direction_never_becomes_a_pass():
    for kind in ("wrong direction", "perfectly wrong"):
        report, terms = genuine(kind)
        checks = tuple(replace(check, verdict="pass") for check in report.checks)
        again = recount(replace(report, checks=checks, verdict="pass"), terms, today=TODAY)
        assert again.verdict == "inconclusive"
        loss = [check for check in again.checks if check.attack == "loss"]
        assert all(check.verdict == "inconclusive" for check in loss)
        assert any("scores non-members above members" in check.message for check in loss)
        tolerant = replace(terms, warn_until=date(2030, 1, 1), warn_reason="New fixtures.")
        assert exit_code(recount(report, tolerant, today=TODAY)) == 3


# ------------------------------------------------------------------------------------- other terms


def test_counts_decide_about_another_budget():
    report, terms = genuine("slight leak")
    name = "loss/tnr_at_fnr[0.05]"
    check = check_of(report, name)

    def judged(budget):
        checks = tuple(replace(c, budget=budget) if c.id == name else c for c in terms.checks)
        return check_of(recount(report, replace(terms, checks=checks)), name)

    assert judged(check.high + 0.01).verdict == "pass"
    assert judged(check.high - 0.01).verdict == "inconclusive"
    lenient = judged(check.low - 0.02)
    assert (lenient.verdict, lenient.budget) == ("fail", check.low - 0.02)
    assert lenient.p_value <= 0.025


def test_an_interval_decides_about_another_budget_but_never_newly_fails():
    report, terms = genuine("slight leak")
    auc = check_of(report, "loss/auc")
    assert auc.verdict == "fail"

    def judged(found, budget):
        checks = tuple(replace(c, budget=budget) if c.id == auc.id else c for c in terms.checks)
        return check_of(recount(found, replace(terms, checks=checks)), auc.id)

    assert judged(report, auc.high + 0.01).verdict == "pass"
    assert judged(report, 0.7).verdict == "inconclusive"
    assert judged(report, 0.55).verdict == "fail"  # it fails at 0.6 already
    lenient, _ = made({"loss": 0.0}, 300, 250)
    assert judged(lenient, check_of(lenient, auc.id).low - 0.01).verdict == "inconclusive"


def test_a_higher_confidence_takes_the_pass_and_a_lower_one_keeps_it():
    report, terms = genuine("no leak")
    stricter = recount(report, replace(terms, confidence=0.99))
    assert set(verdicts(stricter).values()) == {"inconclusive"}
    assert "lower confidence than 0.99" in stricter.checks[0].message
    assert recount(report, replace(terms, confidence=0.9)).verdict == "pass"


def test_more_checks_leave_a_fail_open_where_the_counts_do_not_tell():
    report, terms = made({"loss": 3.0}, 300, 250)
    checks = [check for check in report.checks if check.metric == "tpr_at_fpr"]
    (check,) = checks
    assert check.verdict == "fail"
    other = replace(check, counts={**check.counts, "holm_level": 0.025, "k_holm": 5})
    alone = replace(report, checks=(other,))
    found = recount(alone, terms).checks[0]
    assert found.verdict == "inconclusive"

    side = check.counts
    forty, _ = made({f"attack-{n}": 3.0 for n in range(30)}, 300, 250)
    one = replace(forty, checks=tuple(c for c in forty.checks if c.attack == "attack-0"))
    wanted = made({"attack-0": 3.0}, 300, 250)[1]
    rate = recount(one, wanted).checks[0]
    assert rate.verdict == "inconclusive"
    assert "correction for 5 checks at confidence 0.95" in rate.message
    assert side["k_holm"] != one.checks[0].counts["k_holm"]


# ---------------------------------------------------------------------------- what is demanded


def test_a_missing_check_is_not_run():
    report, terms = genuine("no leak")
    again = recount(replace(report, checks=report.checks[1:]), terms)
    assert (again.verdict, again.complete) == ("inconclusive", False)
    assert again.checks[0].verdict == "not_run"
    assert "does not have this check" in again.checks[0].message
    assert [check.id for check in again.checks] == [check.id for check in terms.checks]
    assert recount(replace(report, checks=()), terms).verdict == "inconclusive"


def test_a_check_given_twice_counts_for_nothing():
    report, terms = genuine("no leak")
    again = recount(replace(report, checks=(*report.checks, report.checks[0])), terms)
    assert (again.checks[0].verdict, again.complete) == ("inconclusive", False)
    assert "more than once" in again.checks[0].message


def test_what_the_report_did_not_run_stays_so():
    report, terms = genuine("no leak")
    again = recount(with_check(report, report.checks[2].id, verdict="not_run"), terms)
    assert (again.checks[2].verdict, again.verdict) == ("not_run", "inconclusive")
    assert again.complete is False
    assert recount(replace(report, complete=False), terms).verdict == "inconclusive"


def test_few_shot_attacks_of_a_suite_may_lack_records_on_the_known_fixtures_only():
    report, terms = genuine("few-shot beside threshold")
    rest = tuple(check for check in report.checks if check.attack == "loss")
    left_out = AttackResult("simple-shot-5", "few-shot", "features", "not_run", reason="Too few.")
    attacks = (report.attacks[0], left_out)
    small = replace(report, checks=rest, attacks=attacks)
    assert {check.attack for check in recount(small, terms).checks} == {"loss"}
    assert recount(small, terms).complete
    for other in (
        replace(terms, singly=("simple-shot-5",)),
        replace(terms, fixtures_sha256=None),
        replace(terms, fixtures_sha256="00" * 32),
    ):
        again = recount(small, other)
        assert not again.complete
        assert verdicts(again)["simple-shot-5/auc"] == "not_run"
    hidden = replace(small, attacks=(replace(left_out, name="loss"), left_out), checks=())
    assert verdicts(recount(hidden, terms))["loss/auc"] == "not_run"


def test_checks_that_nobody_demands_are_shown_and_can_only_harm():
    report, terms = genuine("no leak")
    fewer = replace(terms, checks=tuple(c for c in terms.checks if c.attack == "loss"))
    again = recount(report, fewer)
    assert (again.verdict, len(again.checks)) == ("pass", len(report.checks))
    assert recount(report, replace(terms, checks=())).verdict == "inconclusive"
    assert not recount(report, replace(terms, checks=())).complete
    leaking, _ = genuine("leak")
    extra = replace(leaking, checks=tuple(replace(c, budget=0.99) for c in leaking.checks))
    assert recount(leaking, replace(terms, checks=())).verdict == "fail"
    assert recount(extra, terms).verdict == "fail"
    odd = with_check(report, "margin/auc", metric="unheard-of")
    assert verdicts(recount(odd, fewer))["margin/auc"] == "inconclusive"


def test_other_fixtures_than_those_configured_block():
    report, terms = genuine("no leak")
    other = replace(report, fixtures={**report.fixtures, "sha256": "12" * 32})
    again = recount(other, terms)
    assert again.verdict == "fail"
    assert [(c.key, c.kind, c.blocking) for c in again.changes] == [("fixtures", "changed", True)]
    assert "121212121212" in again.changes[0].message
    shown = Change("fixtures", "changed", DIGEST, "12" * 32, "Shown only.", blocking=False)
    assert recount(other, terms, (shown,)).changes == (shown,)
    assert recount(other, terms, (shown,)).verdict == "pass"
    assert recount(other, replace(terms, fixtures_sha256=None)).verdict == "pass"
    bare = replace(report, fixtures={k: v for k, v in report.fixtures.items() if k != "sha256"})
    assert recount(bare, terms).verdict == "fail"


def test_changes_and_base_are_those_of_the_caller():
    report, terms = genuine("no leak")
    change = Change("budgets: loss/auc", "loosened", "0.5", "0.6", "Loosened.", blocking=True)
    base = {"ref": "main", "commit": "0" * 40}
    again = recount(report, terms, (change,), base)
    assert (again.verdict, again.changes, again.base) == ("fail", (change,), base)
    said = ("The report itself says fail.", "The report itself says pass.")
    assert recount(again, terms) == replace(report, cautions=said)


# ------------------------------------------------------------------------- waivers and tolerance


def test_waivers_and_tolerance_are_those_of_the_terms():
    report, terms = genuine("slight leak")
    waivers = tuple(
        Waiver(check.id, "Retired soon.", date(2027, 1, 31), "privacy-office@example.org")
        for check in terms.checks
    )
    waived = recount(report, replace(terms, waivers=waivers), today=TODAY)
    assert set(verdicts(waived).values()) == {"waived"}
    assert (waived.verdict, waived.tolerated, exit_code(waived)) == ("inconclusive", True, 0)
    assert waived.checks[0].waiver["reason"] == "Retired soon."
    assert waived.waivers[0]["expired"] is False
    late = recount(report, replace(terms, waivers=waivers), today=date(2027, 2, 1))
    assert (late.verdict, exit_code(late)) == ("fail", 1)
    forged = tuple(replace(check, verdict="waived") for check in report.checks)
    claimed = replace(report, checks=forged, tolerated=True, verdict="inconclusive")
    again = recount(claimed, terms, today=TODAY)
    assert (again.verdict, again.tolerated, exit_code(again)) == ("fail", False, 1)


def test_tolerance_never_covers_what_contradicts_itself():
    report, terms = genuine("few records")
    tolerant = replace(terms, warn_until=date(2027, 1, 31), warn_reason="More records to come.")
    assert exit_code(recount(report, tolerant, today=TODAY)) == 0
    assert exit_code(recount(report, tolerant, today=date(2027, 2, 1))) == 3
    waivers = tuple(Waiver(c.id, "x", date(2027, 1, 31), "y") for c in terms.checks)
    for other in (tolerant, replace(terms, waivers=waivers)):
        emptied = with_check(report, report.checks[0].id, counts={}, estimate=None)
        assert exit_code(recount(emptied, other, today=TODAY)) == 3
        altered = {**report.checks[0].counts, "k_lo": 1}
        forged = with_check(report, report.checks[0].id, counts=altered)
        assert exit_code(recount(forged, other, today=TODAY)) == 3
    leak, own = genuine("leak")
    own = replace(own, warn_until=date(2027, 1, 31), warn_reason="More records to come.")
    for check in leak.checks:  # a fail that is called undecided
        hidden = with_check(leak, check.id, verdict="inconclusive", p_value=1.0)
        assert exit_code(recount(hidden, own, today=TODAY)) != 0


def test_the_budgets_of_the_kinds_are_those_of_the_terms():
    for kind in KINDS:
        report, terms = genuine(kind)
        assert {check.metric for check in terms.checks} == set(BUDGETS)
        assert ReportSet((report,)).verdict == report.verdict
