"""Expected calibration error and overconfidence error: definitions, known answers, intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_gate.statistics.calibration_error import (
    BINS,
    calibration_error,
    calibration_errors,
    overconfidence_error,
)

answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def split(pairs):
    return np.array([p for p, _ in pairs]), np.array([hit for _, hit in pairs])


def slow_errors(confidence, correct, bins=BINS):
    """Both by their definitions, bin by bin; (lo, hi], and 0 in the first."""
    ece = over = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = (confidence > low) & (confidence <= high)
        inside |= (confidence == 0) & (number == 0)
        if inside.any():
            mean, accuracy = confidence[inside].mean(), correct[inside].mean()
            ece += inside.mean() * abs(mean - accuracy)
            over += inside.mean() * mean * max(mean - accuracy, 0.0)
    return ece, over


@given(answers)
def test_both_errors_are_their_definitions(pairs):
    confidence, correct = split(pairs)
    edges = np.linspace(0, 1, BINS + 1)
    # an edge that is no fraction of two lies on one side or the other
    near = np.abs(confidence[:, None] - edges[1:-1]).min(axis=1) < 1e-12
    confidence = np.where(near, confidence + 1e-9, confidence)
    ece, over = slow_errors(confidence, correct)
    assert calibration_error(confidence, correct) == pytest.approx(ece, abs=1e-12)
    assert overconfidence_error(confidence, correct) == pytest.approx(over, abs=1e-12)
    assert (
        overconfidence_error(confidence, correct) <= calibration_error(confidence, correct) + 1e-12
    )


def test_known_answers():
    sure = np.full(10, 0.9)
    right = np.arange(10) < 9
    assert calibration_error(sure, right) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(sure, ~right) == pytest.approx(0.8)
    assert overconfidence_error(sure, ~right) == pytest.approx(0.9 * 0.8)
    shy = np.full(10, 0.3)
    assert calibration_error(shy, right) == pytest.approx(0.6)
    assert overconfidence_error(shy, right) == 0.0
    # both halves are off by 0.4 in opposite directions: one bin would hide it, two bins do not
    mixed, hits = np.repeat([0.4, 0.6], 5), np.repeat([True, False], 5)
    assert calibration_error(mixed, hits, bins=1) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(mixed, hits, bins=2) == pytest.approx(0.6)


def test_bins_are_open_below_and_closed_above():
    edge = np.array([0.5, 0.5 + 1e-9])
    hits = np.array([True, False])
    assert calibration_error(edge, hits, bins=2) == pytest.approx(0.5)  # two bins, each off by half
    assert calibration_error(edge - 1e-9, hits, bins=2) == pytest.approx(0.0, abs=1e-8)  # one bin
    assert calibration_error(np.zeros(2), hits) == pytest.approx(0.5)


@settings(max_examples=25)
@given(answers)
def test_intervals_hold_their_estimates_and_have_a_width(pairs):
    confidence, correct = split(pairs)
    found = calibration_errors(
        confidence, correct, np.random.default_rng(0), level=0.025, resamples=50
    )
    assert found.calibration[0] == calibration_error(confidence, correct)
    assert found.overconfidence[0] == overconfidence_error(confidence, correct)
    for estimate, low, high in (found.calibration, found.overconfidence):
        assert 0 <= low <= estimate <= high <= 1
    if correct.all():
        # nothing was seen to go wrong: the interval still allows for what so many records may hide
        assert (
            found.calibration[2] - found.calibration[0]
            >= min(1 - 0.025 ** (1 / correct.size), 1 - found.calibration[0]) - 1e-9
        )


def test_one_seed_gives_one_interval():
    random = np.random.default_rng(1)
    confidence = random.uniform(0.5, 1, 200)
    correct = random.random(200) < confidence
    first, again, other = (
        calibration_errors(confidence, correct, np.random.default_rng(seed), level=0.025)
        for seed in (0, 0, 1)
    )
    assert first.facts() == again.facts() != other.facts()


def calibrated(random, n):
    confidence = random.uniform(0.5, 1, n)
    return confidence, random.random(n) < confidence


def overconfident(random, n):
    confidence = 0.5 + random.beta(8, 1, n) / 2
    return confidence, random.random(n) < confidence**3


def saturated(random, n):
    confidence = 1 - 10 ** -random.uniform(1, 8, n)
    return confidence, random.random(n) < 0.93


@pytest.mark.parametrize("law", [calibrated, overconfident, saturated])
def test_bounds_miss_about_as_often_as_they_say(law):
    """A plain percentile bootstrap misses a calibrated model's 0 in every run, a reflected one in
    30 of 100: the errors are sums of absolute values, so their estimates are too large."""
    truth = law(np.random.default_rng(0), 400_000)
    true_errors = calibration_error(*truth), overconfidence_error(*truth)
    runs, missed = 150, np.zeros((2, 2))
    for run in range(runs):
        sample = law(np.random.default_rng([1, run]), 300)
        found = calibration_errors(
            *sample, np.random.default_rng([2, run]), level=0.025, resamples=200
        )
        for place, (_, low, high) in enumerate((found.calibration, found.overconfidence)):
            # the binned truth of a calibrated model is not exactly 0 in a finite sample
            missed[place] += [true_errors[place] < low - 2e-3, true_errors[place] > high + 2e-3]
    assert (missed / runs <= 0.08).all()
