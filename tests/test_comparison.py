"""Candidate against baseline: every interval against a slow twin, and what happens at its edges."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import twins
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from privacy_gate.domain import Metric, Sizes, random_generator
from privacy_gate.errors import SignalError
from privacy_gate.statistics import paired
from privacy_gate.statistics.comparison import (
    compare_bounds,
    compare_paired,
    mcnemar,
    same_model,
)
from privacy_gate.statistics.difference import Bounds, DifferenceLaw, between
from privacy_gate.statistics.log_mia import LogMia
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.paired import Pair, RecordScores, auc_error, log_mia_error, rate_error

METRICS = [
    Metric("tpr_at_fpr", 0.05),
    Metric("tnr_at_fnr", 0.05),
    Metric("log_mia", "a"),
    Metric("log_mia", "b"),
    Metric("auc"),
    Metric("advantage"),
]
LEVEL, HOLM = 0.025, 0.025 / 6


def models(size, candidate=0.0, baseline=0.0, correlation=0.5, seed=0):
    """Binormal scores of the same records by two models."""
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(2, 2 * size))
    second = correlation * first + math.sqrt(1 - correlation**2) * second
    shift = np.repeat([1.0, 0.0], size)
    first, second = first + candidate * shift, second + baseline * shift
    return Pair(
        RecordScores.of(first[:size], first[size:]), RecordScores.of(second[:size], second[size:])
    )


def compared(metric, pair, level=LEVEL, holm_level=HOLM, episode_size=15, seed=0):
    sizes = Sizes(pair.candidate.members.size, pair.candidate.nonmembers.size)
    return compare_paired(
        metric,
        pair,
        sizes,
        level=level,
        holm_level=holm_level,
        episode_size=episode_size,
        generator=random_generator(seed, str(metric)),
    )


def itself(pair):
    return Pair(pair.candidate, pair.candidate)


# ------------------------------------------------------------------------------ standard errors


def test_log_mia_deletes_one_record_from_both_models_at_once():
    pair, size = models(7, 1.0, 0.3, seed=3), 3
    for regime, cap in (("a", 0), ("b", 2)):
        judged = LogMia(regime, size)
        variance = 0.0
        for side in ("members", "nonmembers"):
            deletions = []
            for left_out in range(7):
                means = []
                for model in (pair.candidate, pair.baseline):
                    kept = {"members": list(model.members), "nonmembers": list(model.nonmembers)}
                    del kept[side][left_out]
                    means.append(twins.episode_mean(kept["members"], kept["nonmembers"], size, cap))
                deletions.append(means[0] - means[1])
            variance += 6 / 7 * sum((x - np.mean(deletions)) ** 2 for x in deletions)
        assert judged.cap == cap
        assert log_mia_error(pair, judged) == pytest.approx(math.sqrt(variance), rel=1e-9)


def enumerated_variance(pair, allowed):
    """Of the difference of the true-positive rates, over every resample of every record."""
    candidate, baseline = pair.candidate, pair.baseline
    n, m = candidate.members.size, candidate.nonmembers.size
    values = []
    for others in itertools.product(range(m), repeat=m):
        thresholds = [
            twins.kth_largest([model.nonmembers[i] for i in others], allowed + 1)
            for model in (candidate, baseline)
        ]
        for chosen in itertools.product(range(n), repeat=n):
            rates = [
                sum(model.members[i] > threshold for i in chosen) / n
                for model, threshold in zip((candidate, baseline), thresholds, strict=True)
            ]
            values.append(rates[0] - rates[1])
    return np.var(values)


@pytest.mark.parametrize(("seed", "allowed"), [(0, 0), (1, 1), (2, 2)])
def test_the_bootstrap_is_that_of_all_resamples(monkeypatch, seed, allowed):
    monkeypatch.setattr(paired, "REPLICATES", 200_000)
    pair = models(4, 1.0, 0.0, seed=seed)
    found = rate_error(pair, allowed, np.random.default_rng(0))
    assert found == pytest.approx(math.sqrt(enumerated_variance(pair, allowed)), rel=0.01)


def resampled_error(pair, allowed, replicates, generator):
    """The plain bootstrap: members and non-members drawn anew, both models on the same draw."""
    n, m = pair.candidate.members.size, pair.candidate.nonmembers.size
    values = []
    for _ in range(replicates):
        members, others = generator.integers(0, n, n), generator.integers(0, m, m)
        rates = []
        for model in (pair.candidate, pair.baseline):
            threshold = np.sort(model.nonmembers[others])[m - allowed - 1]
            rates.append((model.members[members] > threshold).mean())
        values.append(rates[0] - rates[1])
    return np.std(values)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_records_far_from_the_threshold_are_counted_together(correlation):
    pair, allowed = models(3000, 1.0, 0.5, correlation), 400
    wanted = resampled_error(pair, allowed, 2000, np.random.default_rng(1))
    found = rate_error(pair, allowed, np.random.default_rng(2))
    assert found == pytest.approx(wanted, rel=0.06)


def test_a_bootstrap_in_parts_is_that_of_the_whole(monkeypatch):
    pair = models(200, 0.5, 0.0)
    whole = rate_error(pair, 10, np.random.default_rng(3))
    monkeypatch.setattr(paired, "_CELLS", 20_000)
    assert rate_error(pair, 10, np.random.default_rng(3)) == pytest.approx(whole, rel=0.08)


def test_the_same_seed_gives_the_same_interval():
    pair = models(150, 0.5, 0.0)
    first, again, other = (compared(METRICS[0], pair, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.low != other.low
    assert first.low == pytest.approx(other.low, abs=0.02)


# -------------------------------------------------------------------------- intervals and p-values


@given(
    lower=st.floats(-0.95, 0.95),
    step=st.floats(0, 0.04),
    error=st.floats(1e-4, 0.5),
    budget=st.floats(0.001, 0.9),
    level=st.floats(1e-6, 0.25),
)
def test_the_p_value_agrees_with_the_interval(lower, step, error, budget, level):
    law = DifferenceLaw(lower, lower + step, error)
    assert -1 <= law.low(level) < lower <= lower + step < law.high(level) <= 1
    assume(abs(law.low(level) - budget) > 1e-9)
    assert (law.low(level) > budget) == (law.p_above(budget) < level)


def test_the_auc_interval_is_delongs_on_the_scale_atanh():
    pair = models(120, 0.8, 0.4)
    found, error = compared(Metric("auc"), pair), auc_error(pair)
    difference = found.candidate - found.baseline
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.method == "asymptotic"
    half = 1.959964 * error / (1 - difference**2)
    assert found.low == pytest.approx(math.tanh(math.atanh(difference) - half), abs=1e-7)
    assert found.high == pytest.approx(math.tanh(math.atanh(difference) + half), abs=1e-7)
    distance = (math.atanh(0.1) - math.atanh(difference)) * (1 - difference**2) / error
    assert found.p_value(0.1) == pytest.approx(stats.norm.cdf(distance))


@pytest.mark.parametrize("metric", METRICS[:2], ids=str)
def test_a_rates_bounds_step_one_false_positive_to_the_safe_side(metric):
    pair, n = models(200, 1.5, 1.2, seed=4), 200
    found = compared(metric, pair)
    sides = pair.swapped if metric.name == "tnr_at_fnr" else pair
    for low, first, second in (
        (True, sides.candidate, sides.baseline),
        (False, sides.baseline, sides.candidate),
    ):
        fewer, as_many = (
            twins.best_true_positives(first.members, first.nonmembers, allowed)
            for allowed in (9, 10)
        )
        other = twins.best_true_positives(second.members, second.nonmembers, 10)
        assert fewer < as_many  # else the step would not be seen
        stepped = (fewer - other) / n
        assert (found.law.lower if low else -found.law.upper) == pytest.approx(stepped)
    assert found.low < found.law.lower < found.difference < found.law.upper < found.high


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_exchanging_the_models_mirrors_the_interval(metric):
    pair = models(150, 0.6, 0.1)
    there, back = compared(metric, pair), compared(metric, Pair(pair.baseline, pair.candidate))
    assert there.difference == pytest.approx(-back.difference)
    assert there.low == pytest.approx(-back.high, abs=0.01)  # two draws of the bootstrap
    assert there.high == pytest.approx(-back.low, abs=0.01)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_a_real_increase_is_found_and_its_absence_as_well(metric):
    increase = compared(metric, models(1000, 2.0, 0.0, 0.5))
    assert increase.low > 0.05
    assert increase.p_value(0.05) <= HOLM
    none = compared(metric, models(1000, 0.5, 0.5, 0.9))
    assert none.low < 0 < none.high
    assert none.p_value(0.05) > 0.5


# -------------------------------------------------------------------------- the conservative way


def test_below_five_expected_false_ones_the_intervals_are_subtracted():
    pair, metric = models(90, 1.0, 0.0), METRICS[0]
    assert pair.candidate.nonmembers.size * 0.05 < 5
    found = compared(metric, pair)
    _, first_low, first_high = twins.rate_interval(
        pair.candidate.members, pair.candidate.nonmembers, 0.05, LEVEL / 2
    )
    _, second_low, second_high = twins.rate_interval(
        pair.baseline.members, pair.baseline.nonmembers, 0.05, LEVEL / 2
    )
    assert found.low == pytest.approx(first_low - second_high)
    assert found.high == pytest.approx(first_high - second_low)
    assert (found.method, found.law, found.paired) == ("exact", None, True)
    assert "subtracted" in found.note
    assert compared(metric, models(100, 1.0, 0.0)).law is not None


def test_from_five_on_the_bootstrap_is_used():
    assert paired.REPLICATES >= 2000
    pair = models(500, 0.5, 0.0)
    assert compared(Metric("tpr_at_fpr", 0.01), pair).law is not None
    assert compared(Metric("tpr_at_fpr", 0.0099), pair).law is None


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("separation", [0.0, 1.0, 40.0])
def test_models_that_rank_alike_are_never_known_to_be_equal(metric, separation):
    """A resample that changes nothing is no information, so it cannot pass a small budget."""
    found = compared(metric, itself(models(150, separation)))
    assert found.difference == 0
    assert (found.method, found.law) in [("exact", None), ("asymptotic", None)]
    assert found.low < -1e-3
    assert found.high > 1e-3
    assert found.p_value(1e-3) == 1.0


def test_the_area_of_equal_rankings_is_bounded_by_the_pairs_that_agree():
    """None of k independent pairs is ranked differently: a share q would show with probability
    1 - (1 - q)^k."""
    found = compared(Metric("auc"), itself(models(150)))
    assert (1 - found.high) ** 150 == pytest.approx(LEVEL)
    assert found.low == -found.high


def test_without_a_standard_error_unequal_areas_get_hoeffdings_bound():
    low, high = np.arange(60.0), np.arange(100.0, 160.0)
    pair = Pair(RecordScores.of(high, low), RecordScores.of(low, high))
    found = compared(Metric("auc"), pair)
    assert (found.difference, found.high, found.method) == (1.0, 1.0, "exact")
    width = 1.0 - found.low
    assert math.exp(-60 * width**2 / 2) == pytest.approx(LEVEL)
    assert found.p_value(0.2) == HOLM
    assert found.p_value(0.9) == 1.0


@pytest.mark.parametrize("metric", METRICS[2:4], ids=str)
def test_rounding_is_no_standard_error(metric):
    """A perfect attack against a perfectly wrong one: every deletion gives 1 and 0."""
    low, high = np.arange(60.0), np.arange(100.0, 160.0)
    pair = Pair(RecordScores.of(high, low), RecordScores.of(low, high))
    found = compared(metric, pair)
    assert (found.difference, found.method, found.law) == (pytest.approx(1.0), "exact", None)
    assert found.low < 0.9


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_aggregates_share_the_error_with_the_candidate(metric):
    pair, sizes = models(200, 1.5, 0.0), Sizes(200, 200)
    known = Bounds.of(metric, pair.baseline.ordered, sizes, LEVEL / 2, HOLM / 2, 15)
    found = compare_bounds(
        metric, pair.candidate.ordered, known, sizes, level=LEVEL, holm_level=HOLM, episode_size=15
    )
    judged = statistic(metric)
    own = judged.measure(pair.candidate.ordered, LEVEL / 2, HOLM, sizes)
    assert found.low == own.low - known.high
    assert found.high == own.high - known.low
    assert (found.paired, found.level) == (False, LEVEL)
    surer = judged.measure(pair.candidate.ordered, HOLM / 2, HOLM, sizes)
    clear = surer.low - known.holm_high
    assert found.p_value(clear - 1e-6) == HOLM
    assert found.p_value(clear + 1e-6) == 1.0


def test_a_baseline_that_has_used_up_the_error_never_fails_a_model():
    pair, sizes, metric = models(500, 3.0, 0.0), Sizes(500, 500), Metric("auc")
    known = Bounds.of(metric, pair.baseline.ordered, sizes, LEVEL / 2, HOLM, 15)
    options = {"level": LEVEL, "holm_level": HOLM, "episode_size": 15}
    found = compare_bounds(metric, pair.candidate.ordered, known, sizes, **options)
    assert found.low > 0.2
    assert found.p_value(0.01) == 1.0
    known = Bounds.of(metric, pair.baseline.ordered, sizes, LEVEL, HOLM, 15)
    with pytest.raises(ValueError, match="less certain"):
        compare_bounds(metric, pair.candidate.ordered, known, sizes, **options)


def test_what_could_not_be_measured_is_not_compared():
    pair, metric = models(10), Metric("log_mia", "a")
    found = compared(metric, pair)
    assert (found.candidate, found.difference, found.low, found.high) == (None,) * 4
    assert found.p_value(0.01) == 1.0
    known = Bounds.of(metric, pair.baseline.ordered, Sizes(10, 10), LEVEL / 2, HOLM / 2, 15)
    assert between(metric, known, known, paired=False).high is None


# ---------------------------------------------------------------------------------- small things


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_a_model_compared_with_itself_has_not_changed(metric):
    pair = models(40)
    found = same_model(metric, pair.candidate.ordered, Sizes(40, 40), level=0.1, episode_size=15)
    assert found.candidate == found.baseline is not None
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.p_value(0.001) == 1.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_a_test_of_fair_coins(first, second):
    wanted = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(wanted, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(40)), st.permutations(range(40)), st.sampled_from(METRICS))
def test_no_order_of_records_gives_an_interval_without_its_estimate(first, second, metric):
    first, second = np.array(first, float), np.array(second, float)
    pair = Pair(RecordScores.of(first[:20], first[20:]), RecordScores.of(second[:20], second[20:]))
    found = compared(metric, pair, episode_size=5)
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert found.low < found.high


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (([1, 2, 2], [3, 4]), ([1, 2, 3], [4, 5])),
        (([1, 2, 3], [3, 4]), ([1, 2, 3], [4, 5])),
        (([1, 2, math.nan], [3, 4]), ([1, 2, 3], [4, 5])),
        (([1, 2, 3], [4, 5]), ([1, 2], [4, 5])),
        (([1, 2, 3], [4, 5]), ([1, 2, 3], [4, 5, 6])),
    ],
)
def test_scores_that_cannot_be_compared_are_refused(first, second):
    with pytest.raises(SignalError):
        Pair(RecordScores.of(*first), RecordScores.of(*second))
