"""What planning promises, against enumeration and against simulated models."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from privacy_gate.domain import Metric, Sizes
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.planning import (
    Target,
    characteristic,
    plan,
    planted_separation,
    records_needed,
    round_up,
    sizes_needed,
)
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores

TARGETS = [
    Target(Metric("tpr_at_fpr", 0.01), 0.10),
    Target(Metric("tpr_at_fpr", 0.05), 0.20),
    Target(Metric("tnr_at_fnr", 0.01), 0.10),
    Target(Metric("tnr_at_fnr", 0.05), 0.20),
    Target(Metric("log_mia", "a"), 0.35),
    Target(Metric("auc"), 0.65),
]
ADVANTAGE = Target(Metric("advantage"), 0.4)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("population", [None, 6, 9])
@pytest.mark.parametrize("budget", [0.5, 0.7, 0.9])
def test_chance_to_pass_by_enumerating_who_is_a_member(swap, population, budget):
    n, m, level = 6, 5, 0.2
    judged = RateAtRate(0.3, swap)
    sizes = Sizes(n, m, population)
    highs = []
    for chosen in combinations(range(n + m), n):
        others = sorted(set(range(n + m)) - set(chosen))
        scores = SortedScores.of(sorted(chosen), others)
        highs.append(judged.measure(scores, level, level, sizes).high)
    chances = np.array(highs)
    assert judged.pass_probability(budget, level, sizes) == pytest.approx(
        (chances <= budget).mean(), rel=1e-9
    )
    for power in (0.203, 0.507, 0.903):
        smallest = judged.smallest_budget(level, sizes, power)
        assert (chances <= smallest).mean() >= power
        assert (chances < smallest - 1e-9).mean() < power


def simulated_verdicts(judged, separation, budget, sizes, runs):
    generator = np.random.default_rng(11)
    passes = fails = 0
    for _ in range(runs):
        members = generator.normal(separation, 1, sizes.members)
        scores = SortedScores.of(members, generator.normal(0, 1, sizes.nonmembers))
        passes += judged.measure(scores, 0.025, 0.025, sizes).high <= budget
        fails += judged.p_value(scores, budget, 0.01, sizes) <= 0.01
    return passes, fails


@pytest.mark.parametrize(
    ("target", "separation"),
    [
        (Target(Metric("tpr_at_fpr", 0.05), 0.15), 0.0),
        (Target(Metric("tpr_at_fpr", 0.05), 0.15), 1.0),
        (Target(Metric("tnr_at_fnr", 0.05), 0.2), 1.3),
        (Target(Metric("log_mia", "a"), 0.35), 0.0),
        (Target(Metric("log_mia", "b"), 0.75), 1.2),
        (Target(Metric("auc"), 0.56), 0.0),
        (Target(Metric("auc"), 0.65), 0.8),
    ],
    ids=lambda value: str(getattr(value, "metric", value)),
)
def test_chances_against_simulated_models(target, separation):
    runs, sizes = 400, Sizes(300, 240)
    judged = statistic(target.metric)
    chances = judged.verdict_probabilities(separation, target.budget, 0.025, 0.01, sizes)
    counts = simulated_verdicts(judged, separation, target.budget, sizes, runs)
    for chance, count in zip(chances, counts, strict=True):
        # 0.04 is what the normal law behind the asymptotic metrics may be off by
        slack = 0.002 if target.metric.name.startswith("t") else 0.04
        low = stats.binom.ppf(1e-5, runs, max(0.0, chance - slack))
        high = stats.binom.ppf(1 - 1e-5, runs, min(1.0, chance + slack))
        assert low <= count <= high
    if separation == 0:
        assert judged.pass_probability(target.budget, 0.025, sizes) == pytest.approx(
            chances[0], abs=2e-3
        )


@pytest.mark.parametrize("target", [*TARGETS, ADVANTAGE], ids=lambda target: str(target.metric))
def test_the_smallest_budget_is_passed_with_the_power_asked_for(target):
    judged, sizes = statistic(target.metric), Sizes(540, 540)
    for power in (0.5, 0.95):
        budget = judged.smallest_budget(0.025, sizes, power)
        assert 0 < budget < 1
        assert judged.pass_probability(budget + 1e-9, 0.025, sizes) >= power - 1e-6
        assert judged.pass_probability(budget - 0.01, 0.025, sizes) < power


@pytest.mark.parametrize("target", [*TARGETS, ADVANTAGE], ids=lambda target: str(target.metric))
def test_records_needed_suffice_and_fewer_do_not(target):
    judged = statistic(target.metric)
    records = records_needed(target, 0.025, 0.9)

    def chance(size):
        return judged.pass_probability(target.budget, 0.025, Sizes(size, size))

    assert all(chance(math.ceil(records * factor)) >= 0.9 for factor in (1, 1.01, 1.1, 2, 5))
    assert min(chance(math.floor(records * factor)) for factor in (0.9, 0.94, 0.98)) < 0.9


def test_a_budget_at_chance_level_is_never_certified():
    assert records_needed(Target(Metric("tpr_at_fpr", 0.05), 0.05), 0.025, most=100_000) is None
    assert records_needed(Target(Metric("auc"), 0.5), 0.025, most=100_000) is None
    assert sizes_needed([Target(Metric("log_mia", "a"), 0.178)], 0.95, most=100_000) is None


def test_plan_counts_every_attack():
    sizes = Sizes(400, 400)
    alone = plan(TARGETS, sizes, 0.95)
    shared = plan(TARGETS, sizes, 0.95, checks=36)
    listed = plan(TARGETS * 6, sizes, 0.95)
    assert shared.passes == alone.passes
    assert listed.run_passes == pytest.approx(shared.run_passes, abs=1e-12)
    assert shared.run_passes == pytest.approx(1 - 6 * sum(1 - p for p in alone.passes))
    assert shared.run_passes < alone.run_passes <= min(alone.passes)
    assert listed.fails[:6] == shared.fails
    assert shared.run_fails == max(shared.fails) <= alone.run_fails
    assert plan(TARGETS, Sizes(20, 20), 0.95).run_passes == 0.0


def test_sizes_needed_for_the_whole_run():
    records = sizes_needed(TARGETS, 0.95, power=0.95, checks=36)
    for factor in (1, 1.01, 1.1, 2):
        size = math.ceil(records * factor)
        chances = plan(TARGETS, Sizes(size, size), 0.95, checks=36)
        assert min(chances.run_passes, chances.run_fails) >= 0.95
    fewer = plan(TARGETS, Sizes(round(0.95 * records), round(0.95 * records)), 0.95, checks=36)
    assert min(fewer.run_passes, fewer.run_fails) < 0.95
    assert records > max(records_needed(target, 0.025) for target in TARGETS)
    assert sizes_needed(TARGETS, 0.95, power=0.8, checks=36) < records


def test_planted_leak():
    assert RateAtRate(0.01).true_value(planted_separation(TARGETS)) == pytest.approx(0.4)
    strong = [Target(Metric("tnr_at_fnr", 0.01), 0.1), Target(Metric("tpr_at_fpr", 0.1), 0.5)]
    assert RateAtRate(0.1).true_value(planted_separation(strong)) == pytest.approx(0.9)
    area = [Target(Metric("log_mia", "a"), 0.3), Target(Metric("auc"), 0.6)]
    assert statistic(Metric("auc")).true_value(planted_separation(area)) == pytest.approx(0.7)
    only = [Target(Metric("log_mia", "a"), 0.3)]
    assert statistic(Metric("log_mia", "a")).true_value(planted_separation(only)) == pytest.approx(
        0.6
    )


@pytest.mark.parametrize("target", [*TARGETS, ADVANTAGE], ids=lambda target: str(target.metric))
def test_characteristic_is_a_family_of_probabilities(target):
    found = characteristic(
        statistic(target.metric), target.budget, 0.025, 0.025 / 6, Sizes(400, 400)
    )
    columns = np.array([found.passes, found.fails, found.inconclusive])
    assert ((columns >= 0) & (columns <= 1)).all()
    assert columns.sum(axis=0) == pytest.approx(1, abs=2e-6)
    assert list(found.leak) == sorted(found.leak)
    assert (np.diff(found.passes) <= 0.02).all()
    assert (np.diff(found.fails) >= 0).all()
    beyond = np.array(found.leak) > target.budget
    assert (np.array(found.passes)[beyond] <= 0.06).all()
    assert (np.array(found.fails)[~beyond] <= 0.06).all()


@pytest.mark.parametrize("sizes", [Sizes(100, 100_000), Sizes(100_000, 100), Sizes(40, 9000)])
def test_planning_of_very_unequal_sides_rests_on_the_smaller(sizes):
    """The variance of the larger side hardly matters: chances are those of the smaller one."""
    judged = statistic(Metric("auc"))
    smaller = min(sizes.members, sizes.nonmembers)
    law = judged._ideal(0.0, sizes)
    assert math.sqrt(law.variance) == pytest.approx(math.sqrt(1 / 12 / smaller), rel=0.03)


def test_planning_with_the_largest_episodes_and_unequal_sides():
    judged = statistic(Metric("log_mia", "a"), 300)
    assert 0 < judged.pass_probability(0.3, 0.025, Sizes(1000, 50_000)) <= 1


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0.0608, 0.061), (7872, 7900), (0.061, 0.061), (1, 1), (0, 0), (99.1, 100)],
)
def test_numbers_to_recommend_are_rounded_up(value, rounded):
    assert round_up(value) == pytest.approx(rounded)
    assert round_up(value) >= value
