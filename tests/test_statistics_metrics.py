"""AUC, Log-MIA, advantage, exact bands, operating points and ROC points by their definitions."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import twins
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from privacy_gate.domain import Metric, Sizes
from privacy_gate.statistics.advantage import Advantage, advantage
from privacy_gate.statistics.auc import Auc, auc_with_variance, placements
from privacy_gate.statistics.band import RocFunctional
from privacy_gate.statistics.log_mia import LogMia, false_positive_cap, log_mia
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.operating_point import (
    class_thresholds,
    conformal_threshold,
    operating_point,
)
from privacy_gate.statistics.roc import histogram, roc_curve, ties
from privacy_gate.statistics.scores import SortedScores

tied = st.lists(st.integers(-6, 6), min_size=2, max_size=30)
small = st.lists(st.integers(-4, 4), min_size=6, max_size=7)
budgets = st.sampled_from([0.05, 0.2, 0.35, 0.5, 0.65, 0.9])


def measured(judged, members, nonmembers, level=0.025):
    sizes = Sizes(len(members), len(nonmembers))
    return judged.measure(SortedScores.of(members, nonmembers), level, level, sizes)


def logit_interval(estimate, variance, level):
    """The delta method written out."""
    centre, z = math.log(estimate / (1 - estimate)), stats.norm.isf(level)
    spread = z * math.sqrt(variance) / (estimate * (1 - estimate))
    return tuple(1 / (1 + math.exp(-(centre + sign * spread))) for sign in (-1, 1))


# ------------------------------------------------------------------------------------------- AUC


@given(tied, tied)
def test_auc_and_delong_by_double_loop(members, nonmembers):
    scores = SortedScores.of(members, nonmembers)
    area, variance = auc_with_variance(scores)
    assert area == pytest.approx(twins.auc(members, nonmembers), abs=1e-12)
    assert variance == pytest.approx(twins.delong_variance(members, nonmembers), abs=1e-12)
    of_members, of_nonmembers = placements(scores)
    assert of_members.mean() == pytest.approx(of_nonmembers.mean(), abs=1e-12)
    assert (np.diff(of_members) >= 0).all()
    assert (np.diff(of_nonmembers) <= 0).all()


@given(tied, tied, st.sampled_from([0.25, 0.025]))
def test_auc_interval_by_definition(members, nonmembers, level):
    found = measured(Auc(), members, nonmembers, level)
    variance = twins.delong_variance(members, nonmembers)
    if variance > 1e-15 and 0 < found.estimate < 1:
        assert found.method == "asymptotic"
        wanted = logit_interval(found.estimate, variance, level)
        assert (found.low, found.high) == pytest.approx(wanted, abs=1e-9)
    assert 0 <= found.low <= found.high <= 1
    assert found.low <= found.estimate <= found.high


@pytest.mark.parametrize("direction", [1, -1])
def test_a_perfect_attack_is_never_reported_without_an_interval(direction):
    members, nonmembers = direction * (np.arange(300) + 300), direction * np.arange(300)
    found = measured(Auc(), members, nonmembers)
    assert found.method == "exact"
    assert found.estimate == (1 if direction == 1 else 0)
    assert found.high - found.low > 0.1
    low, high = twins.band(list(members), list(nonmembers), 0.025, lambda t: t, np.ones_like)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_auc_below_half_is_noticed():
    generator = np.random.default_rng(1)
    high, low = generator.normal(1, 1, 200), generator.normal(0, 1, 200)
    assert Auc().p_below_half(SortedScores.of(low, high)) < 1e-6
    assert Auc().p_below_half(SortedScores.of(high, low)) > 1 - 1e-6


# ---------------------------------------------------------------------------------------- Log-MIA


@settings(max_examples=40, deadline=None)
@given(small, small, st.sampled_from("ab"))
def test_episode_mean_over_all_episodes(members, nonmembers, regime):
    found = measured(LogMia(regime, 5), members, nonmembers)
    cap = false_positive_cap(regime, 10)
    assert cap == (0 if regime == "a" else 3)
    wanted = twins.episode_mean(members, nonmembers, 5, cap)
    assert found.estimate == pytest.approx(wanted, abs=1e-12)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=6, max_size=7),
    st.lists(st.integers(-5, 5), min_size=6, max_size=7),
    st.sampled_from("ab"),
    st.booleans(),
)
def test_deletion_variance_by_computing_again(members, nonmembers, regime, ties_to_attacker):
    judged = LogMia(regime, 5)
    scores = SortedScores.of(members, nonmembers)
    mean, law = judged._law(scores, ties_to_attacker=ties_to_attacker)
    variance = twins.episode_variance(members, nonmembers, 5, judged.cap, ties_to_attacker)
    wanted = twins.episode_mean(members, nonmembers, 5, judged.cap, ties_to_attacker)
    assert mean == pytest.approx(wanted, abs=1e-12)
    if law is None:
        assert variance < 1e-20 or not 1e-12 < wanted < 1 - 1e-12
    else:
        assert law.variance == pytest.approx(variance, rel=1e-9, abs=1e-15)


def test_deletion_variance_and_interval_at_eight_a_side():
    members, nonmembers = [5, 4, 3, 3, 1, 0, -1, 2], [4, 3, 0, 0, -1, -2, 1, -3]
    for regime in "ab":
        judged = LogMia(regime, 5)
        found = measured(judged, members, nonmembers)
        laws = [
            (
                twins.episode_mean(members, nonmembers, 5, judged.cap, ties),
                twins.episode_variance(members, nonmembers, 5, judged.cap, ties),
            )
            for ties in (False, True)
        ]
        assert found.method == "asymptotic"
        assert found.low == pytest.approx(logit_interval(*laws[0], 0.025)[0], abs=1e-9)
        assert found.high == pytest.approx(logit_interval(*laws[1], 0.025)[1], abs=1e-9)
        assert laws[1][0] > laws[0][0]  # there are ties, and they count for the upper bound


def test_rounded_scores_do_not_hide_a_leak_from_the_upper_bound():
    """Rounding leaves one non-member in the top block: strict counts alone would see no leak."""
    generator = np.random.default_rng(4)
    members = np.concatenate([np.full(200, 9.0), generator.normal(size=300)])
    nonmembers = np.concatenate([np.full(2, 9.0), generator.normal(size=498)])
    found = measured(LogMia("a"), members, nonmembers)
    broken_for_the_attacker = members.copy()
    broken_for_the_attacker[:200] += 1
    leak = measured(LogMia("a"), broken_for_the_attacker, nonmembers)
    assert found.high >= leak.estimate
    assert found.low <= found.estimate < leak.estimate


def test_the_largest_episode_size():
    generator = np.random.default_rng(3)
    members, nonmembers = generator.normal(0.5, 1, 700), generator.normal(0, 1, 900)
    found = measured(LogMia("b", 300), members, nonmembers)
    values = []
    for _ in range(4000):
        threshold = np.sort(generator.choice(nonmembers, 300, replace=False))[-1 - 7]
        above = (generator.choice(members, 300, replace=False) > threshold).sum()
        values.append(math.log1p(above) / math.log1p(300))
    error = np.std(values) / math.sqrt(len(values))
    assert abs(found.estimate - np.mean(values)) < 4 * error


@pytest.mark.parametrize("regime", ["a", "b"])
def test_log_mia_without_enough_records_says_so(regime):
    judged = LogMia(regime, 15)
    few = SortedScores.of(np.arange(14) + 400, np.arange(400))
    found = judged.measure(few, 0.025, 0.025, Sizes(14, 400))
    assert (found.estimate, found.low, found.high) == (None, None, None)
    assert found.note == "needs 15 evaluation records a side, there are 14 + 400"
    assert found.null_p < 1
    assert judged.p_value(few, 0.3, 0.025, Sizes(14, 400)) == 1.0
    assert judged.pass_probability(0.3, 0.025, Sizes(14, 400)) == 0.0
    assert judged.smallest_budget(0.025, Sizes(14, 400), 0.95) == 1.0
    assert judged.verdict_probabilities(1.0, 0.3, 0.025, 0.01, Sizes(14, 400)) == (0.0, 0.0)


def test_with_exactly_one_episode_a_side_the_band_takes_over():
    """Nothing can be deleted from 15 non-members, so their part of the variance is unknown."""
    generator = np.random.default_rng(8)
    found = measured(LogMia("a", 15), generator.normal(1, 1, 400), generator.normal(0, 1, 15))
    assert found.method == "exact"
    assert 0 < found.estimate < 1
    assert found.low < found.estimate - 0.2
    assert found.high > found.estimate + 0.2


@pytest.mark.parametrize("regime", ["a", "b"])
def test_log_mia_band_by_integration(regime):
    judged = LogMia(regime, 15)
    members, nonmembers = np.arange(400) + 400, np.arange(400)
    found = measured(judged, members, nonmembers)
    assert (found.method, found.estimate) == ("exact", pytest.approx(1.0))
    x = np.arange(16)

    def gain(rate):
        return stats.binom.pmf(x[:, None], 15, rate).T @ np.log1p(x) / math.log(16)

    density = stats.beta(judged.cap + 1, 15 - judged.cap).pdf
    wanted = twins.band(list(members), list(nonmembers), 0.025, gain, density, points=20_000)
    assert (found.low, found.high) == pytest.approx(wanted, abs=1e-3)


def test_log_mia_of_the_whole_sample():
    assert log_mia(0, 100) == 0
    assert log_mia(100, 100) == 1
    assert log_mia(9, 99) == pytest.approx(0.5)
    assert [false_positive_cap("b", d) for d in (2, 30, 1080, 8103)] == [1, 4, 7, 9]


# -------------------------------------------------------------------- advantage, bands, p-values


@given(tied, tied, st.sampled_from([0.5, 0.025]))
def test_advantage_by_definition(members, nonmembers, level):
    found = measured(Advantage(), members, nonmembers, level)
    n, m = len(members), len(nonmembers)
    wide = math.sqrt(math.log(2 / level) / 2) * (1 / math.sqrt(n) + 1 / math.sqrt(m))
    strict = twins.advantage(members, nonmembers)
    assert found.estimate == pytest.approx(strict, abs=1e-12)
    assert found.low == pytest.approx(max(0, strict - wide), abs=1e-12)
    loose = twins.advantage(members, nonmembers, ties=True)
    assert found.high == pytest.approx(min(1, loose + wide), abs=1e-12)
    scores = SortedScores.of(members, nonmembers)
    assert advantage(scores, ties_to_attacker=True) == pytest.approx(loose, abs=1e-12)


@settings(max_examples=25)
@given(tied, tied, st.sampled_from([0.3, 0.025]))
def test_band_by_integration(members, nonmembers, error):
    band = RocFunctional(gain=lambda tpr: tpr**2, weight=lambda fpr: fpr**3)
    scores = SortedScores.of(members, nonmembers)
    wanted = twins.band(
        members, nonmembers, error, lambda t: t**2, lambda u: 3 * u**2, points=20_000
    )
    found = band.low(scores, error), band.high(scores, error)
    assert found == pytest.approx(wanted, abs=1e-3)


STATISTICS = [Advantage(), Auc(), LogMia("a", 5), LogMia("b", 5)]


@pytest.mark.parametrize("judged", STATISTICS, ids=lambda judged: str(judged.metric))
@settings(max_examples=40)
@given(members=tied, nonmembers=tied, budget=budgets, level=st.sampled_from([0.25, 0.025]))
def test_p_values_agree_with_lower_bounds(judged, members, nonmembers, budget, level):
    sizes = Sizes(len(members), len(nonmembers))
    scores = SortedScores.of(members, nonmembers)
    low = judged.measure(scores, level, level, sizes).low
    p_value = judged.p_value(scores, budget, level, sizes)
    assert 0 <= p_value <= 1
    if low is None:
        assert p_value == 1
        return
    assume(abs(low - budget) > 1e-9)
    assert (p_value <= level) == (low > budget)


@pytest.mark.parametrize("separation", [1.5, 400.0], ids=["leak", "perfect"])
@pytest.mark.parametrize("judged", STATISTICS, ids=lambda judged: str(judged.metric))
def test_a_p_value_is_the_least_error_at_which_the_lower_bound_clears_the_budget(
    judged, separation
):
    generator = np.random.default_rng(9)
    sizes = Sizes(300, 200)
    scores = SortedScores.of(generator.normal(separation, 1, 300), generator.normal(0, 1, 200))
    budget = 0.6 * judged.measure(scores, 0.025, 0.025, sizes).low
    p_value = judged.p_value(scores, budget, 0.025, sizes)
    assert 1e-300 < p_value < 0.025
    assert judged.measure(scores, p_value * 1.0001, 0.025, sizes).low > budget
    assert judged.measure(scores, p_value * 0.9999, 0.025, sizes).low <= budget


@pytest.mark.parametrize("judged", STATISTICS, ids=lambda judged: str(judged.metric))
@settings(max_examples=40)
@given(members=tied, nonmembers=tied, order=st.randoms(use_true_random=False))
def test_order_and_scale_do_not_matter(judged, members, nonmembers, order):
    sizes = Sizes(len(members), len(nonmembers))
    shuffled = list(members), list(nonmembers)
    for side in shuffled:
        order.shuffle(side)
    first = judged.measure(SortedScores.of(members, nonmembers), 0.025, 0.025, sizes)
    assert judged.measure(SortedScores.of(*shuffled), 0.025, 0.025, sizes) == first
    rescaled = [np.exp(np.array(side) / 3) - 7 for side in (members, nonmembers)]
    assert judged.measure(SortedScores.of(*rescaled), 0.025, 0.025, sizes) == first


@pytest.mark.parametrize("judged", STATISTICS, ids=lambda judged: str(judged.metric))
@settings(max_examples=40)
@given(members=tied, nonmembers=tied)
def test_the_interval_holds_the_estimate(judged, members, nonmembers):
    found = measured(judged, members, nonmembers)
    if found.estimate is None:
        assert min(len(members), len(nonmembers)) < 5
        assert (found.low, found.high) == (None, None)
    else:
        assert -1e-12 <= found.low <= found.estimate + 1e-12
        assert found.estimate <= found.high + 1e-12
        assert found.high <= 1


@pytest.mark.parametrize("judged", STATISTICS, ids=lambda judged: str(judged.metric))
def test_more_records_tighten_the_interval(judged):
    widths = []
    for size in (200, 800, 3200):
        shifted = np.arange(size) + size // 3
        found = measured(judged, shifted, np.arange(size) + 0.5)
        widths.append(found.high - found.low)
    assert widths[0] > 1.7 * widths[1] > 2.89 * widths[2]


@pytest.mark.parametrize(
    "metric",
    [
        Metric("tpr_at_fpr", 0.01),
        Metric("tnr_at_fnr", 0.1),
        Metric("log_mia", "a"),
        Metric("log_mia", "b"),
        Metric("auc"),
        Metric("advantage"),
    ],
    ids=str,
)
def test_true_values_of_the_binormal_leak(metric):
    judged = statistic(metric)
    assert judged.metric == metric
    for separation in (0.0, 0.7, 2.5):
        truth = judged.true_value(separation)
        assert judged.separation(truth) == pytest.approx(separation, abs=1e-6)
        quantiles = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
        found = measured(judged, quantiles + separation + 1e-5, quantiles)
        assert found.estimate == pytest.approx(truth, abs=5e-3)


def test_an_unknown_metric_has_no_statistic():
    with pytest.raises(ValueError, match="nonsense"):
        statistic(Metric("nonsense"))


# ------------------------------------------------------------------------------- operating points


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=40), st.sampled_from([0.01, 0.1, 0.29]))
def test_conformal_threshold_by_a_loop(nonmembers, fpr):
    k = twins.exact_floor(fpr, len(nonmembers) + 1)
    wanted = twins.kth_largest(nonmembers, k) if k else math.inf
    assert conformal_threshold(np.array(nonmembers, dtype=float), fpr) == wanted


@pytest.mark.parametrize("records", [[1, 2, 3, 4, 5], [1, 1, 2, 2, 3], [7, 7, 7, 7, 7]])
@pytest.mark.parametrize("fpr", [0.2, 0.4, 0.5, 0.9])
def test_conformal_threshold_keeps_the_expected_fpr(records, fpr):
    """Over every order in which exchangeable records can arrive, the last one being new."""
    called = [
        new > conformal_threshold(np.array(past, dtype=float), fpr)
        for *past, new in permutations(records)
    ]
    assert np.mean(called) <= fpr


def test_class_thresholds_by_a_loop():
    generator = np.random.default_rng(0)
    scores, classes = generator.normal(size=60), generator.integers(0, 3, 60)
    classes[:3] = 3  # too few of class 3 for an FPR of 0.1, none of class 4
    found = class_thresholds(scores, classes, 5, 0.1)
    for label in range(5):
        own = conformal_threshold(scores[classes == label], 0.1)
        wanted = own if label < 3 else conformal_threshold(scores, 0.1)
        assert found[label] == wanted


@given(
    st.lists(st.booleans(), min_size=1, max_size=40),
    st.lists(st.booleans(), min_size=1, max_size=40),
)
def test_operating_point_by_definition(members_called, nonmembers_called):
    found = operating_point(np.array(members_called), np.array(nonmembers_called), 0.1, 0.95)
    counts = {}
    for name, called in (("tpr", members_called), ("fpr", nonmembers_called)):
        low, high = (
            twins.proportion_low(sum(called), len(called), 0.025),
            twins.proportion_high(sum(called), len(called), 0.025),
        )
        counts[name] = (sum(called) / len(called), low, high)
        assert tuple(found[name].values()) == pytest.approx(counts[name], abs=1e-9)
    assert (found["true_positives"], found["false_positives"]) == (
        sum(members_called),
        sum(nonmembers_called),
    )
    (tpr, tpr_low, _), (fpr, _, fpr_high) = counts["tpr"], counts["fpr"]
    for prior in (0.01, 0.1, 0.5):
        called = prior * tpr + (1 - prior) * fpr
        wanted = pytest.approx(prior * tpr / called) if called else None
        assert found["ppv"][f"{prior:g}"] == wanted
    ratios = [0.0]
    if tpr_low > 0:
        ratios.append(math.log(tpr_low / fpr_high))
    if fpr_high < 1:
        ratios.append(math.log((1 - fpr_high) / (1 - tpr_low)))
    assert found["distinguishability"] == pytest.approx(max(ratios), abs=1e-9)


# ------------------------------------------------------------------------------------- pictures


@given(tied, tied)
def test_every_point_of_the_roc_curve_is_a_threshold(members, nonmembers):
    scores = SortedScores.of(members, nonmembers)
    curve = roc_curve(scores, Sizes(len(members), len(nonmembers)), 0.025)
    n, m = len(members), len(nonmembers)
    assert len({len(values) for values in curve.values()}) == 1
    assert (curve["fpr"][0], curve["fpr"][-1], curve["tpr"][-1]) == (0, 1, 1)
    for fpr, tpr, low, high in list(
        zip(*(curve[key] for key in ("fpr", "tpr", "low", "high")), strict=True)
    )[:-1]:
        assert tpr == twins.best_true_positives(members, nonmembers, round(fpr * m)) / n
        assert 0 <= low <= tpr <= high <= 1
    for key in ("fpr", "tpr"):
        assert list(curve[key]) == sorted(curve[key])


def test_the_roc_curve_stays_small():
    generator = np.random.default_rng(0)
    scores = SortedScores.of(generator.normal(1, 1, 20_000), generator.normal(0, 1, 20_000))
    curve = roc_curve(scores, Sizes(20_000, 20_000), 0.025)
    assert 60 <= len(curve["fpr"]) <= 512


@given(tied, tied)
def test_histogram_counts_everybody(members, nonmembers):
    found = histogram(np.array(members, dtype=float), np.array(nonmembers, dtype=float))
    assert len(found["edges"]) == 41
    assert (np.diff(found["edges"]) > 0).all()
    assert sum(found["members"]) == pytest.approx(1)
    assert sum(found["nonmembers"]) == pytest.approx(1)


@given(tied)
def test_ties_by_counting(scores):
    assert ties(np.array(scores, dtype=float)) == {
        "largest_block": max(scores.count(score) for score in scores),
        "at_top": scores.count(max(scores)),
    }
