"""Verdicts: never in conflict with the interval beside them, never a pass by accident."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_gate import verdict as module
from privacy_gate.domain import Measurement, Metric, Sizes
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict import judge, outcome, wrong_directions
from privacy_gate.verdict_words import metric_words

METRICS = [
    Metric("tpr_at_fpr", 0.05),
    Metric("tnr_at_fnr", 0.05),
    Metric("log_mia", "a"),
    Metric("log_mia", "b"),
    Metric("auc"),
    Metric("advantage"),
]
BUDGETS = [0.15, 0.15, 0.35, 0.7, 0.6, 0.3]


def suite(attack="loss"):
    return [
        PlannedCheck(attack, metric, budget)
        for metric, budget in zip(METRICS, BUDGETS, strict=True)
    ]


def binormal(separation, size, seed=0):
    generator = np.random.default_rng(seed)
    return SortedScores.of(generator.normal(separation, 1, size), generator.normal(0, 1, size))


def judged(separation, size, **options):
    scores = {"loss": binormal(separation, size)}
    return judge(suite(), scores, Sizes(size, size), confidence=0.95, **options)


def test_no_leak_passes_a_leak_fails_few_records_do_not_decide():
    assert {check.verdict for check in judged(0.0, 1500)} == {"pass"}
    assert {check.verdict for check in judged(3.0, 1500)} == {"fail"}
    assert {check.verdict for check in judged(0.6, 20)} == {"inconclusive"}
    assert [check.id for check in judged(0.0, 100)] == [
        "loss/tpr_at_fpr[0.05]",
        "loss/tnr_at_fnr[0.05]",
        "loss/log_mia[a]",
        "loss/log_mia[b]",
        "loss/auc",
        "loss/advantage",
    ]


@settings(max_examples=40, deadline=None)
@given(
    members=st.lists(st.integers(-9, 9), min_size=2, max_size=60),
    nonmembers=st.lists(st.integers(-9, 9), min_size=2, max_size=60),
    shift=st.integers(0, 12),
    confidence=st.sampled_from([0.5, 0.9, 0.95]),
)
def test_a_verdict_never_contradicts_its_interval(members, nonmembers, shift, confidence):
    scores = SortedScores.of([s + shift for s in members], nonmembers)
    sizes = Sizes(len(members), len(nonmembers))
    level = (1 - confidence) / 2
    for check in judge(suite(), {"loss": scores}, sizes, confidence=confidence):
        if check.verdict == "pass":
            assert check.high <= check.budget
        elif check.verdict == "fail":
            assert check.low > check.budget
            assert check.p_value <= level
        else:
            assert check.verdict == "inconclusive"
            assert check.high is None or check.high > check.budget
        assert check.message


def stub_metric(monkeypatch, low, high, p_value, estimate=0.2):
    class Stub:
        def measure(self, scores, level, holm_level, sizes):
            return Measurement(Metric("auc"), estimate, low, high, level, "exact", note="a reason")

        def p_value(self, scores, budget, level, sizes):
            return p_value

    monkeypatch.setattr(module, "statistic", lambda metric, episode_size=15: Stub())
    monkeypatch.setattr(module, "characteristic", lambda *arguments: None)
    planned = [PlannedCheck("loss", Metric("auc"), 0.3)]
    scores = {"loss": binormal(0, 20)}
    return judge(planned, scores, Sizes(20, 20), confidence=0.95)[0]


nan = math.nan


@pytest.mark.parametrize(
    ("low", "high", "p_value", "wanted"),
    [
        (0.1, 0.3, 1.0, "pass"),
        (0.1, 0.3000001, 1.0, "inconclusive"),
        (0.31, 0.4, 0.025, "fail"),
        (0.31, 0.4, 0.0251, "inconclusive"),
        (0.3, 0.4, 0.0, "inconclusive"),
        (nan, nan, nan, "inconclusive"),
        (0.1, nan, nan, "inconclusive"),
        (0.1, nan, 0.0, "inconclusive"),
        (nan, 0.4, 0.0, "inconclusive"),
        (0.4, 0.5, nan, "inconclusive"),
        (None, None, 1.0, "inconclusive"),
    ],
)
def test_rules(monkeypatch, low, high, p_value, wanted):
    check = stub_metric(monkeypatch, low, high, p_value, None if low is None else 0.2)
    assert check.verdict == wanted


def test_what_cannot_be_measured_gives_the_reason(monkeypatch):
    check = stub_metric(monkeypatch, None, None, 1.0, None)
    assert check.message == "AUC cannot be measured: a reason."
    assert check.advice == "Add evaluation records."


def test_failing_needs_holm_over_all_checks():
    scores = binormal(1.2, 300, seed=3)
    sizes = Sizes(300, 300)
    alone = [PlannedCheck("loss", Metric("tpr_at_fpr", 0.1), 0.3)]
    single = judge(alone, {"loss": scores}, sizes, confidence=0.95)[0]
    assert single.verdict == "fail"
    assert single.p_value == RateAtRate(0.1).p_value(scores, 0.3, single.counts["level"], sizes)
    quiet = binormal(0.0, 300, seed=4)
    crowd = [*alone, *(PlannedCheck(f"other-{i}", METRICS[0], 0.9) for i in range(400))]
    everyone = {"loss": scores, **{f"other-{i}": quiet for i in range(400)}}
    crowded = judge(crowd, everyone, sizes, confidence=0.95)[0]
    assert crowded.counts["holm_level"] == pytest.approx(0.025 / 401)
    assert (crowded.low, crowded.high) == (single.low, single.high)
    assert crowded.verdict == "inconclusive"
    assert "correction for all checks" in crowded.advice


def test_counts_suffice_to_recompute_the_verdict():
    check = judged(1.0, 800)[0]
    assert {
        "members",
        "nonmembers",
        "population",
        "level",
        "k_hi",
        "above_k_hi",
        "k_lo",
        "at_or_above_k_lo",
        "k_holm",
        "above_k_holm",
        "true_positives",
        "false_positives",
    } <= set(check.counts)
    assert check.estimate == check.counts["true_positives"] / check.counts["members"]


def test_wrong_direction_is_never_a_pass():
    reversed_scores = {"loss": binormal(-1.5, 800)}
    wrong = wrong_directions(reversed_scores)
    assert wrong == {"loss"}
    checks = judge(
        suite(), reversed_scores, Sizes(800, 800), confidence=0.95, wrong_direction=wrong
    )
    assert "pass" not in {check.verdict for check in checks}
    assert "below 0.5" in next(c for c in checks if c.metric == "auc").message
    # a leak that does show stays a failure
    strict = [replace(suite()[0], metric=Metric("tpr_at_fpr", 0.05), budget=0.2)]
    leak = {"loss": binormal(2.5, 800)}
    found = judge(strict, leak, Sizes(800, 800), confidence=0.95, wrong_direction={"loss"})
    assert found[0].verdict == "fail"


def test_directions_need_evidence_over_all_attacks():
    fair = {f"attack-{seed}": binormal(0, 200, seed) for seed in range(40)}
    assert wrong_directions(fair) == frozenset()
    assert wrong_directions({**fair, "odd": binormal(-1, 200)}) == {"odd"}


def test_warn_at_leaves_the_verdict_alone():
    planned = [replace(suite()[0], warn_at=0.01)]
    check = judge(planned, {"loss": binormal(0, 1500)}, Sizes(1500, 1500), confidence=0.95)[0]
    assert (check.verdict, check.warned) == ("pass", True)
    assert "above warn_at 0.01" in check.message
    assert not judged(0.0, 1500)[0].warned


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [
        ([], "inconclusive"),
        (["pass"], "pass"),
        (["pass", "waived"], "inconclusive"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass", "not_run"], "inconclusive"),
        (["fail", "inconclusive", "not_run"], "fail"),
        (["fail", "pass"], "fail"),
    ],
)
def test_outcome(verdicts, wanted):
    planned = PlannedCheck("loss", Metric("auc"), 0.6)
    checks = [planned.undecided(verdict, "message") for verdict in verdicts]
    assert outcome(checks) == wanted


def test_a_learned_attack_rests_on_no_population():
    sizes = Sizes(536, 547, 892)
    learned = PlannedCheck("anchored-5", Metric("tnr_at_fnr", 0.01), 0.1, learned=True)
    assert learned.sizes(sizes) == Sizes(536, 547)
    assert PlannedCheck("loss", Metric("auc"), 0.6).sizes(sizes) == sizes
    random = np.random.default_rng(0)
    scores = SortedScores.of(random.normal(size=536), random.normal(size=547))
    (check,) = judge([learned], {"anchored-5": scores}, sizes, confidence=0.95)
    assert check.counts["population"] is None


def test_advice_names_the_cure_in_numbers():
    loose = PlannedCheck("loss", Metric("tpr_at_fpr", 0.05), 0.08)
    check = judge([loose], {"loss": binormal(0, 500, 2)}, Sizes(500, 500), confidence=0.95)[0]
    assert check.verdict == "inconclusive"
    assert "evaluation records a side would decide it (pass)" in check.advice
    assert "there are 500 + 500" in check.advice
    assert f"a budget of {math.ceil(check.high * 1000) / 1000:g} would pass" in check.advice


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_every_metric_reads_in_a_sentence(metric):
    words = metric_words(metric)
    assert words
    assert "_" not in words


def test_undecided_checks_carry_their_budget():
    check = replace(suite()[0], line=7).undecided("not_run", "why", "what to do")
    assert (check.id, check.budget, check.line) == ("loss/tpr_at_fpr[0.05]", 0.15, 7)
    assert (check.verdict, check.message, check.advice) == ("not_run", "why", "what to do")
    assert check.arguments == {"fpr": 0.05}
    assert check.estimate is None
