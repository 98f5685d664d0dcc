"""The promises of comparisons, by simulation: quick here, with 2 000 runs under ``-m slow``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from scipy import stats

STUDY = Path(__file__).parents[1] / "benchmarks" / "regression.py"
CHANCE = 1e-4
"""How often a bound of these tests may be missed by a study that keeps its promise."""
WORST = 0.05
"""Highest share of misses that a normal law is known to give (nominal 2.5 %)."""


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("regression_study", STUDY)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def at_most(share, runs):
    """The largest count that a share of this size explains."""
    return stats.binom.ppf(1 - CHANCE, runs, share)


def assert_no_change_does_not_fail(study, size, separation, paired, runs):
    case = study.Case(size, separation, separation, 0.7)
    for counts in study.verdicts(case, (0.05, 0.1), paired, runs, 1).values():
        assert counts["fail"] <= at_most(0.025, runs)


def assert_a_planted_increase_never_passes(study, size, paired, runs, least_failed=0.0):
    for metric in study.METRICS:
        judged = study.statistic(metric, study.EPISODE_SIZE)
        case = study.Case(size, judged.separation(judged.true_value(0.0) + 0.2), 0.0, 0.5)
        found = study.verdicts(case, (0.05,), paired, runs, 1, (metric,), len(study.METRICS))
        counts = found[metric, 0.05]
        assert counts["pass"] <= at_most(0.01, runs), metric
        if metric.name in ("auc", "log_mia"):
            assert counts["fail"] >= least_failed * runs, metric


def assert_intervals_cover(study, size, candidate, baseline, paired, runs):
    case = study.Case(size, candidate, baseline, 0.8)
    for metric in study.METRICS:
        low, high, width, failed = study.misses(case, metric, paired, runs, 1)
        limit = at_most(WORST if paired else 0.025, runs)
        assert low * runs <= limit, metric
        assert high * runs <= limit, metric
        assert width > 0
        # five checks share 2.5 %; the normal law is less exact far out
        assert failed is None or failed * runs <= at_most(0.02 if paired else 0.005, runs)


@pytest.mark.parametrize("paired", [True, False])
def test_no_change_does_not_fail(study, paired):
    assert_no_change_does_not_fail(study, 300, 1.0, paired, runs=40)


@pytest.mark.parametrize("paired", [True, False])
def test_a_planted_increase_never_passes(study, paired):
    assert_a_planted_increase_never_passes(study, 540, paired, 40, 0.8 if paired else 0.0)


@pytest.mark.parametrize("paired", [True, False])
def test_intervals_cover_the_truth(study, paired):
    assert_intervals_cover(study, 300, 0.5, 0.0, paired, runs=60)


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("size", [300, 540, 1000])
def test_no_change_does_not_fail_in_2000_runs(study, size, paired):
    for separation in (0.0, 1.0):
        assert_no_change_does_not_fail(study, size, separation, paired, runs=2000)


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("size", [300, 540, 1000])
def test_a_planted_increase_never_passes_in_2000_runs(study, size, paired):
    assert_a_planted_increase_never_passes(study, size, paired, runs=2000)


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("leak", [(0.0, 0.0), (0.5, 0.0), (2.5, 2.0)])
def test_intervals_cover_the_truth_in_2000_runs(study, leak, paired):
    assert_intervals_cover(study, 540, *leak, paired, runs=2000)


def test_the_study_prints_tables(study, capsys):
    study.no_change(runs=2, seed=0)
    study.planted(runs=2, seed=0)
    study.coverage(runs=2, seed=0, size=150)
    said = capsys.readouterr().out
    assert said.count("\n| --- |") == 3
    assert "| 540 | auc | paired | 1 | 0.9 |" in said
