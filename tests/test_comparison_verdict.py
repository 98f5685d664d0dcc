"""Increase checks: verdicts that never contradict the interval beside them, words, advice."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_comparison import METRICS, compared, itself, models

from privacy_gate.domain import Metric, Sizes
from privacy_gate.increases import comparison
from privacy_gate.statistics.comparison import same_model
from privacy_gate.statistics.difference import Difference
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict import judge, outcome

CONFIDENCE = 0.95
LEVEL = (1 - CONFIDENCE) / 2


def increases(budget=0.1, metrics=METRICS):
    return [PlannedCheck("loss", metric, budget, increase=True) for metric in metrics]


def judged(pair, checks, wrong_direction=(), **changed):
    """The checks of one attack, candidate and baseline scored on the same records."""
    size = pair.candidate.members.size
    differences = {
        ("loss", check.metric): replace(
            compared(check.metric, pair, LEVEL, LEVEL / len(checks)), **changed
        )
        for check in checks
    }
    return judge(
        checks,
        {"loss": pair.candidate.ordered},
        Sizes(size, size),
        confidence=CONFIDENCE,
        wrong_direction=wrong_direction,
        differences=differences,
    )


def test_no_change_passes_a_large_increase_fails_few_records_do_not_decide():
    exact = METRICS[:5]  # the advantage's band is too wide
    assert {c.verdict for c in judged(models(1500, 0.3, 0.3, 0.9), increases(metrics=exact))} == {
        "pass"
    }
    assert {c.verdict for c in judged(models(1500, 3.0, 0.3, 0.5), increases())} == {"fail"}
    assert {c.verdict for c in judged(models(60, 0.3, 0.0, 0.5), increases(0.02))} == {
        "inconclusive"
    }


def test_an_increase_check_reports_the_difference():
    (check,) = judged(models(400, 1.0, 0.2), increases(metrics=[Metric("auc")]))
    assert check.id == "loss/auc:increase"
    assert check.increase
    assert check.estimate == check.baseline.difference
    assert (check.low, check.high) == (check.baseline.low, check.baseline.high)
    assert check.baseline.word == "higher"
    assert check.baseline.paired
    assert check.characteristic is None
    assert check.counts["level"] == pytest.approx(LEVEL)
    assert check.counts["paired"] == 1
    assert "over the baseline" in check.message


numbers = st.one_of(st.none(), st.just(math.nan), st.floats(-1, 1))


@given(
    values=st.lists(numbers, min_size=3, max_size=3),
    holm_low=numbers,
    budget=st.floats(0.001, 0.999),
)
def test_a_verdict_never_contradicts_its_interval(values, holm_low, budget):
    if not any(value is None or math.isnan(value) for value in values):
        values = sorted(values)
    low, estimate, high = values
    found = Difference(
        Metric("auc"), 0.6, 0.5, estimate, low, high, LEVEL, True, "exact",
        holm_low=holm_low, holm_level=LEVEL,
    )  # fmt: skip
    planned = PlannedCheck("loss", Metric("auc"), budget, increase=True)
    (check,) = judge(
        [planned],
        {"loss": models(20).candidate.ordered},
        Sizes(20, 20),
        confidence=CONFIDENCE,
        differences={("loss", Metric("auc")): found},
    )
    if check.verdict == "pass":
        assert high <= budget
    elif check.verdict == "fail":
        assert low > budget
        assert holm_low > budget
    else:
        assert check.verdict == "inconclusive"
        assert high is None or not high <= budget
    assert check.message


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1, 2), st.floats(0, 0.99), st.sampled_from([0.02, 0.2]))
def test_verdicts_of_real_scores_agree_with_their_intervals(seed, shift, correlation, budget):
    for check in judged(models(120, shift, 0.0, correlation, seed), increases(budget)):
        assert check.low <= check.estimate <= check.high
        assert (check.verdict == "pass") == (check.high <= budget)
        if check.verdict == "fail":
            assert check.low > budget
            assert check.p_value <= LEVEL


def test_increases_and_values_are_corrected_together():
    """The same scores: a p-value that survives alone does not survive beside 400 other checks."""
    pair, metric = models(400, 0.9, 0.0, 0.5, seed=4), Metric("auc")
    planned = PlannedCheck("loss", metric, compared(metric, pair).low - 0.005, increase=True)
    (alone,) = judged(pair, [planned])
    assert (alone.verdict, LEVEL / 400 < alone.p_value < LEVEL) == ("fail", True)
    others = [PlannedCheck("loss", Metric("tpr_at_fpr", 0.1 + n / 1000), 0.99) for n in range(400)]
    differences = {("loss", metric): compared(metric, pair, LEVEL, LEVEL / 401)}
    check = judge(
        [planned, *others],
        {"loss": pair.candidate.ordered},
        Sizes(400, 400),
        confidence=CONFIDENCE,
        differences=differences,
    )[0]
    assert check.low > check.budget
    assert check.verdict == "inconclusive"
    assert "correction for all checks" in check.advice


def test_without_a_difference_nothing_passes():
    checks = judge(
        increases(),
        {"loss": models(50).candidate.ordered},
        Sizes(50, 50),
        confidence=CONFIDENCE,
    )
    assert {check.verdict for check in checks} == {"inconclusive"}
    assert outcome(checks) == "inconclusive"
    assert {check.p_value for check in checks} == {1.0}
    assert "the baseline has no tpr_at_fpr[0.05] of the attack loss" in checks[0].message
    assert "baseline update" in checks[0].advice
    assert {check.baseline for check in checks} == {None}


def test_an_attack_that_points_the_wrong_way_never_passes():
    (check,) = judged(
        models(1000, -0.5, 0.0), increases(metrics=[Metric("auc")]), wrong_direction={"loss"}
    )
    assert check.high < check.budget
    assert check.verdict == "inconclusive"


def test_the_same_model_passes_whatever_the_budget():
    pair, metric = models(40), Metric("tpr_at_fpr", 0.05)
    found = same_model(metric, pair.candidate.ordered, Sizes(40, 40), level=LEVEL, episode_size=15)
    (check,) = judge(
        [PlannedCheck("loss", metric, 0.001, increase=True)],
        {"loss": pair.candidate.ordered},
        Sizes(40, 40),
        confidence=CONFIDENCE,
        differences={("loss", metric): found},
    )
    assert (check.verdict, check.estimate) == ("pass", 0.0)
    assert check.baseline.word == "within noise"


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_equal_scores_of_another_model_do_not_pass_a_tiny_budget(metric):
    (check,) = judged(itself(models(150)), increases(0.005, [metric]))
    assert (check.estimate, check.verdict) == (0.0, "inconclusive")


# -------------------------------------------------------------------------------------- words


def test_a_better_model_is_told_to_tighten_its_budget():
    planned = PlannedCheck("loss", Metric("auc"), 0.9)
    (check,) = judged(models(1500, 0.0, 1.5), [planned])
    assert (check.verdict, check.baseline.word) == ("pass", "lower")
    assert check.advice == "Got better: tighten the budget to 0.54."
    assert check.high < 0.54 < 0.9
    (tight,) = judged(models(1500, 0.0, 1.5), [replace(planned, budget=0.535)])
    assert (tight.verdict, tight.advice) == ("pass", "")


def test_the_tighter_budget_is_one_that_the_model_keeps():
    (check,) = judged(models(1500, 0.5, 1.5), [PlannedCheck("loss", Metric("auc"), 0.9)])
    assert (check.verdict, check.baseline.word) == ("pass", "lower")
    named = float(check.advice.removesuffix(".").rsplit(" ", 1)[1])
    assert check.high <= named < check.high + 0.02
    assert named > 0.6


def test_a_budget_that_is_kept_without_getting_better_is_left_alone():
    (check,) = judged(models(1500, 0.0, 0.0, 0.9), [PlannedCheck("loss", Metric("auc"), 0.9)])
    assert (check.verdict, check.baseline.word, check.advice) == ("pass", "within noise", "")


def test_the_cure_names_records_and_the_budget_that_would_pass():
    (check,) = judged(models(200, 0.0, 0.0, 0.5), increases(0.04, [Metric("auc")]))
    assert check.verdict == "inconclusive"
    assert "evaluation records a side would decide it" in check.advice
    named = float(check.advice.split("max_increase ")[1].split(" ")[0])
    assert check.high <= named < check.high * 1.2
    assert "{model: PATH}" not in check.advice
    (unpaired,) = judged(models(200, 0.0, 0.0, 0.5), increases(0.04, [Metric("auc")]), paired=False)
    assert "{model: PATH}" in unpaired.advice


def test_a_subtraction_of_intervals_says_why():
    (check,) = judged(models(60, 0.0, 0.0), increases(0.05, [Metric("tpr_at_fpr", 0.05)]))
    assert check.verdict == "inconclusive"
    assert "There are fewer than 5 expected false positives" in check.message


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(-0.1, 0.1, "within noise"), (0.01, 0.1, "higher"), (-0.1, -0.01, "lower"),
     (0.0, 0.1, "within noise"), (-0.1, 0.0, "within noise"), (0.0, 0.0, "within noise")],
)  # fmt: skip
def test_a_word_says_whether_the_interval_excludes_zero(low, high, word):
    found = Difference(Metric("auc"), 0.6, 0.5, 0.0, low, high, LEVEL, True, "exact")
    assert comparison(found).word == word
    assert comparison(replace(found, difference=None, low=None, high=None)) is None


def test_no_check_has_a_comparison_where_there_is_no_baseline():
    scores = {"loss": models(50).candidate.ordered}
    planned = [PlannedCheck("loss", metric, 0.9) for metric in METRICS]
    for check in judge(planned, scores, Sizes(50, 50), confidence=CONFIDENCE):
        assert check.baseline is None
    assert judge([], scores, Sizes(50, 50), confidence=CONFIDENCE) == []


# ------------------------------------------------------------------------------- error rates


def verdicts(runs, size, candidate, baseline, correlation, budget, metrics):
    counts = dict.fromkeys(("pass", "fail", "inconclusive"), 0)
    for run in range(runs):
        seed = int(np.random.default_rng([run, size]).integers(2**31))
        pair = models(size, candidate, baseline, correlation, seed)
        for check in judged(pair, increases(budget, metrics)):
            counts[check.verdict] += 1
    return counts


def test_no_change_hardly_ever_fails_and_a_large_increase_never_passes():
    metrics = [METRICS[0], METRICS[2], METRICS[4]]
    same = verdicts(60, 540, 0.5, 0.5, 0.7, 0.05, metrics)
    assert same["fail"] == 0
    worse = verdicts(60, 540, 1.6, 0.0, 0.7, 0.05, metrics)  # at least four times that
    assert worse["pass"] == 0
    assert worse["fail"] > 0.95 * 180
