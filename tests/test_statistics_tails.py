"""Tails, bounds of proportions, the exact null and Holm, against definitions and scipy.stats."""

from __future__ import annotations

import math

import numpy as np
import pytest
import twins
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from privacy_gate.statistics import tails
from privacy_gate.statistics.multiplicity import holm
from privacy_gate.statistics.null import null_mean_log, null_p_value, null_quantile


def p_close(value):
    return pytest.approx(value, rel=1e-7, abs=1e-300)


def test_binomial_tails():
    for trials, rate in ((1, 0.3), (7, 0.5), (540, 0.01), (20_000, 0.001), (3000, 0.4)):
        for count in {0, 1, trials // 100, trials // 3, trials // 2, trials - 1, trials}:
            above, below = (
                stats.binom.sf(count - 1, trials, rate),
                stats.binom.cdf(count, trials, rate),
            )
            assert tails.binomial_at_least(count, trials, rate) == p_close(above)
            assert tails.binomial_at_most(count, trials, rate) == p_close(below)
        assert tails.binomial_at_least(-1, trials, rate) == 1.0
        assert tails.binomial_at_least(trials + 1, trials, rate) == 0.0
        assert tails.binomial_at_most(-1, trials, rate) == 0.0


def test_hypergeometric_tails_exactly_in_whole_numbers():
    for population, marked, drawn in (
        (9, 4, 3),
        (20, 13, 11),
        (30, 1, 29),
        (12, 12, 5),
        (12, 0, 5),
    ):
        ways = [
            math.comb(marked, x) * math.comb(population - marked, drawn - x)
            for x in range(drawn + 1)
        ]
        for count in range(-1, drawn + 2):
            at_least = sum(ways[max(0, count) :]) / math.comb(population, drawn)
            at_most = sum(ways[: max(0, count + 1)]) / math.comb(population, drawn)
            sizes = (population, marked, drawn)
            assert tails.hypergeometric_at_least(count, *sizes) == pytest.approx(
                at_least, rel=1e-12, abs=1e-15
            )
            assert tails.hypergeometric_at_most(count, *sizes) == pytest.approx(
                at_most, rel=1e-12, abs=1e-15
            )


def test_hypergeometric_tails_far_out():
    smallest = 1.0
    for population, marked, drawn in (
        (1080, 540, 60),
        (5000, 1000, 700),
        (200_000, 100_000, 2000),
        (2_000_000, 1_000_000, 40_000),
    ):
        mean = drawn * marked // population
        spread = math.sqrt(mean)
        for deviations in (0, 1, 3, 8, 15, 24):
            count = min(drawn, marked, mean + round(deviations * spread))
            wanted = stats.hypergeom.sf(count - 1, population, marked, drawn)
            smallest = min(smallest, wanted)
            assert tails.hypergeometric_at_least(count, population, marked, drawn) == p_close(
                wanted
            )
            low = max(0, mean - round(deviations * spread))
            wanted = stats.hypergeom.cdf(low, population, marked, drawn)
            assert tails.hypergeometric_at_most(low, population, marked, drawn) == p_close(wanted)
    assert smallest < 1e-250


def test_clopper_pearson():
    for trials in (1, 5, 40, 540):
        for count in {0, 1, trials // 3, trials - 1, trials}:
            for error in (0.25, 0.025, 0.0007, 1e-9):
                low, high = (
                    twins.proportion_low(count, trials, error),
                    twins.proportion_high(count, trials, error),
                )
                assert tails.proportion_low(count, trials, error) == pytest.approx(low, abs=1e-9)
                assert tails.proportion_high(count, trials, error) == pytest.approx(high, abs=1e-9)
    result = stats.binomtest(7, 40).proportion_ci(0.95)
    assert tails.proportion_interval(7, 40, 0.95) == pytest.approx((result.low, result.high))


@pytest.mark.parametrize(("population", "trials"), [(20, 12), (60, 59), (60, 60), (90, 40)])
def test_bounds_in_a_finite_population(population, trials):
    for count in range(0, trials + 1, max(1, trials // 12)):
        for error in (0.25, 0.025, 0.0007):
            assert tails.proportion_low(count, trials, error, population) == pytest.approx(
                twins.proportion_low(count, trials, error, population), abs=1e-12
            )
            assert tails.proportion_high(count, trials, error, population) == pytest.approx(
                twins.proportion_high(count, trials, error, population), abs=1e-12
            )


@given(
    trials=st.integers(1, 200),
    share=st.floats(0, 1),
    error=st.floats(1e-6, 0.49),
    unseen=st.one_of(st.none(), st.integers(0, 200)),
)
def test_a_bound_never_crosses_its_estimate(trials, share, error, unseen):
    count = round(share * trials)
    population = None if unseen is None else trials + unseen
    low = tails.proportion_low(count, trials, error, population)
    high = tails.proportion_high(count, trials, error, population)
    if population is None:
        assert 0 <= low <= count / trials <= high <= 1
    else:  # whole records of the population: the bounds enclose it within one of them
        assert count / population <= low <= math.ceil(count / trials * population) / population
        assert math.floor(count / trials * population) / population <= high <= 1
    if unseen == 0:
        assert low == high == count / trials


@given(boundary=st.integers(-5, 30), low=st.integers(0, 20), width=st.integers(-2, 20))
def test_searches_agree_with_a_scan(boundary, low, width):
    high = low + width
    rising = [x for x in range(low, high + 1) if x >= boundary]
    falling = [x for x in range(low, high + 1) if x <= boundary]
    assert tails.smallest(lambda x: x >= boundary, low, high) == (rising[0] if rising else None)
    assert tails.largest(lambda x: x <= boundary, low, high) == (falling[-1] if falling else None)


@pytest.mark.parametrize(("n", "m"), [(4, 5), (5, 4), (3, 7), (6, 3)])
def test_the_null_by_enumerating_who_is_a_member(n, m):
    for f in range(m):
        counts = np.array(list(twins.null_counts(f, n, m)))
        for t in range(n + 1):
            assert null_p_value(t, f, n, m) == pytest.approx((counts >= t).mean(), rel=1e-12)
        mean = np.log1p(counts).mean() / math.log1p(n)
        assert null_mean_log(f, n, m) == pytest.approx(mean, rel=1e-12)
        for level in (0.101, 0.507, 0.903, 0.991):
            wanted = next(t for t in range(n + 1) if (counts <= t).mean() >= level)
            assert null_quantile(level, f, n, m) == wanted


def test_the_null_where_there_is_no_threshold_left():
    assert null_p_value(3, 4, 5, 4) == 1.0
    assert null_mean_log(4, 5, 4) == 1.0


def test_the_mean_of_the_null_at_a_million_records():
    n = m = 1_000_000
    t = np.arange(200, dtype=float)
    geometric = 0.5 ** (t + 1)  # the limit law of T_0
    wanted = geometric @ np.log1p(t) / math.log1p(n)
    assert null_mean_log(0, n, m) == pytest.approx(wanted, rel=1e-5)


@given(
    st.lists(
        st.one_of(st.sampled_from([0.0, 0.001, 0.005, 0.0125, 0.025, 1.0]), st.floats(0, 1)),
        max_size=8,
    ),
    st.sampled_from([0.025, 0.1]),
)
def test_holm(p_values, level):
    assert holm(p_values, level) == twins.holm(p_values, level)


def test_holm_never_rejects_what_is_not_a_number():
    assert holm([math.nan], 0.5) == [False]
    assert holm([math.nan, 0.9], 0.5) == [False, False]
    assert not holm([0.9, math.nan, 0.9], 0.5)[1]
