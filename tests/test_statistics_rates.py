"""TPR at FPR and TNR at FNR against loops over thresholds and linear searches for k."""

from __future__ import annotations

import math

import numpy as np
import pytest
import twins
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_gate.domain import Sizes
from privacy_gate.statistics.rate_at_rate import RateAtRate, records_to_observe
from privacy_gate.statistics.scores import SortedScores

tied = st.lists(st.integers(-6, 6), min_size=2, max_size=40)
rates = st.sampled_from([0.01, 0.05, 0.1, 0.29, 0.5, 0.9, 1 / 3])
levels = st.sampled_from([0.25, 0.025, 0.0007])


@given(tied, tied, st.integers(0, 45))
def test_counts_by_a_loop_over_thresholds(members, nonmembers, allowed):
    scores = SortedScores.of(members, nonmembers)
    assert scores.true_positives(allowed) == twins.best_true_positives(members, nonmembers, allowed)


@settings(max_examples=60)
@given(tied, tied, rates, levels, st.one_of(st.none(), st.integers(0, 20)))
def test_interval_by_definition(members, nonmembers, rate, level, unseen):
    population = None if unseen is None else len(members) + unseen
    sizes = Sizes(len(members), len(nonmembers), population)
    scores = SortedScores.of(members, nonmembers)
    found = RateAtRate(rate).measure(scores, level, level, sizes)
    wanted = twins.rate_interval(members, nonmembers, rate, level, counted_population=population)
    assert (found.estimate, found.low, found.high) == pytest.approx(wanted, abs=1e-9)

    found = RateAtRate(rate, swap=True).measure(scores, level, level, sizes)
    wanted = twins.rate_interval(
        [-s for s in nonmembers],
        [-s for s in members],
        rate,
        level,
        setting_population=population,
    )
    assert (found.estimate, found.low, found.high) == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=60)
@given(tied, tied, rates, rates, levels, st.one_of(st.none(), st.integers(0, 20)))
def test_p_value_by_definition(members, nonmembers, rate, budget, level, unseen):
    population = None if unseen is None else len(members) + unseen
    sizes = Sizes(len(members), len(nonmembers), population)
    found = RateAtRate(rate).p_value(SortedScores.of(members, nonmembers), budget, level, sizes)
    wanted = twins.rate_p_value(members, nonmembers, rate, budget, level, population)
    assert found == pytest.approx(wanted, rel=1e-7)


@pytest.mark.parametrize("swap", [False, True])
def test_realistic_sizes_by_definition(swap):
    generator = np.random.default_rng(5)
    members, nonmembers = generator.normal(1.5, 1, 400), generator.normal(0, 1, 700)
    scores = SortedScores.of(members, nonmembers)
    counted, setting = (-nonmembers, -members) if swap else (members, nonmembers)
    for rate in (0.001, 0.01, 0.1):
        for population in (None, 400, 900):
            found = RateAtRate(rate, swap).measure(
                scores, 0.025, 0.001, Sizes(400, 700, population)
            )
            sides = {"setting_population" if swap else "counted_population": population}
            wanted = twins.rate_interval(list(counted), list(setting), rate, 0.025, **sides)
            assert (found.estimate, found.low, found.high) == pytest.approx(wanted, abs=1e-9)
            of_threshold = population if swap else None
            m = len(setting)
            assert found.counts["k_hi"] == twins.k_hi(m, rate, 0.025, of_threshold)
            assert found.counts["k_holm"] == twins.k_hi(m, rate, 0.001, of_threshold)
            assert found.counts["k_lo"] == twins.k_lo(m, rate, 0.025, of_threshold)


@given(tied, tied, rates, levels)
def test_tnr_is_tpr_with_sides_and_sign_swapped(members, nonmembers, rate, level):
    scores = SortedScores.of(members, nonmembers)
    mirrored = SortedScores.of([-s for s in nonmembers], [-s for s in members])
    sizes = Sizes(len(members), len(nonmembers))
    tnr = RateAtRate(rate, swap=True).measure(scores, level, level, sizes)
    tpr = RateAtRate(rate).measure(mirrored, level, level, sizes.swapped)
    for name in ("estimate", "low", "high", "null_p", "note"):
        assert getattr(tnr, name) == getattr(tpr, name)
    same = {key: tnr.counts[key] for key in tnr.counts if key not in ("members", "nonmembers")}
    assert same == {key: tpr.counts[key] for key in same}
    assert RateAtRate(rate, swap=True).p_value(scores, 0.3, level, sizes) == RateAtRate(
        rate
    ).p_value(mirrored, 0.3, level, sizes.swapped)


@given(tied, tied, rates, levels, st.one_of(st.none(), st.integers(0, 20)), st.booleans())
def test_the_interval_holds_the_estimate(members, nonmembers, rate, level, unseen, swap):
    population = None if unseen is None else len(members) + unseen
    found = RateAtRate(rate, swap).measure(
        SortedScores.of(members, nonmembers),
        level,
        level,
        Sizes(len(members), len(nonmembers), population),
    )
    assert 0 <= found.low <= found.high <= 1
    assert found.high >= found.estimate
    if population is None or swap:
        assert found.low <= found.estimate
    assert 0 <= found.null_p <= 1


@given(
    tied,
    tied,
    rates,
    st.sampled_from([0.03, 0.1, 0.25, 0.5, 0.8]),
    levels,
    st.one_of(st.none(), st.integers(0, 20)),
    st.booleans(),
)
def test_p_value_and_lower_bound_agree(members, nonmembers, rate, budget, level, unseen, swap):
    population = None if unseen is None else len(members) + unseen
    sizes = Sizes(len(members), len(nonmembers), population)
    scores = SortedScores.of(members, nonmembers)
    judged = RateAtRate(rate, swap)
    low = judged.measure(scores, level, level, sizes).low
    p_value = judged.p_value(scores, budget, level, sizes)
    assert (p_value <= level) == (low > budget)


def test_ties_help_the_attacker_in_the_upper_bound_only():
    tied = SortedScores.of(np.ones(500), np.ones(500))
    found = RateAtRate(0.05).measure(tied, 0.025, 0.025, Sizes(500, 500))
    assert (found.estimate, found.low, found.high) == (0.0, 0.0, 1.0)


def test_more_records_tighten_the_interval():
    widths = []
    for size in (200, 800, 3200):
        members = np.arange(size) + size // 4
        found = RateAtRate(0.1).measure(
            SortedScores.of(members, np.arange(size) - 0.5), 0.025, 0.025, Sizes(size, size)
        )
        widths.append(found.high - found.low)
    assert widths[0] > 1.5 * widths[1] > 2.25 * widths[2]


def test_a_known_population_tightens_the_interval():
    generator = np.random.default_rng(2)
    scores = SortedScores.of(generator.normal(1, 1, 540), generator.normal(0, 1, 540))
    found = [
        RateAtRate(0.05).measure(scores, 0.025, 0.025, Sizes(540, 540, population))
        for population in (None, 2000, 600, 540)
    ]
    lows, highs = [one.low for one in found], [one.high for one in found]
    assert lows == sorted(lows)
    assert highs == sorted(highs, reverse=True)
    assert highs[3] < highs[0]
    assert lows[3] > lows[0]


def test_a_rate_below_one_record_is_flagged():
    scores = SortedScores.of(np.arange(300), np.arange(100))
    sizes = Sizes(300, 100)
    for rate, allowed in ((0.0099, 0), (0.01, 1), (0.29, 29), (0.0199, 1)):
        judged = RateAtRate(rate)
        assert judged.allowed_false_positives(100) == allowed
        assert judged.observable(sizes) == (allowed > 0)
        note = judged.measure(scores, 0.025, 0.025, sizes).note
        assert note == (None if allowed else "not observable (m = 100)")
    assert RateAtRate(0.004, swap=True).observable(sizes)  # of 300 members


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.01, 0.001, 0.29])
@pytest.mark.parametrize("error", [0.25, 0.025, 0.0007])
def test_records_to_observe(rate, error):
    found = records_to_observe(rate, error)
    assert (1 - rate) ** found < error
    assert found == 1 or (1 - rate) ** (found - 1) >= error
    scores = SortedScores.of(np.arange(found) + 10 * found, np.arange(found))
    low = RateAtRate(rate).measure(scores, error, error, Sizes(found, found)).low
    assert low > 0
    assert math.isclose(RateAtRate(rate).separation(RateAtRate(rate).true_value(1.5)), 1.5)
