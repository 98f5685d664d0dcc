"""The words for Log-MIA, and that no value is ever shown without its null."""

from __future__ import annotations

import numpy as np
import pytest

from privacy_gate.domain import Measurement, Metric, Sizes
from privacy_gate.measurement import measure
from privacy_gate.measurement_text import render
from privacy_gate.statistics.log_mia import LogMia, excess, leakage_word
from privacy_gate.statistics.scores import SortedScores


def measured(estimate, low, null_p):
    return Measurement(
        Metric("log_mia", "a"), estimate, low, 1.0, 0.025, "asymptotic", 0.178, null_p
    )


@pytest.mark.parametrize(
    ("estimate", "low", "null_p", "word"),
    [
        (0.18, 0.15, 0.40, "none"),
        (0.02, 0.01, 1.00, "none"),
        (0.23, 0.19, 0.40, "weak"),  # the interval lies above the null
        (0.23, 0.17, 0.01, "weak"),  # the raw count is beyond its 95 % quantile
        (0.178 + 0.199 * 0.822, 0.25, 0.01, "weak"),
        (0.178 + 0.201 * 0.822, 0.25, 0.01, "clear"),
        (0.178 + 0.499 * 0.822, 0.25, 0.01, "clear"),
        (0.178 + 0.501 * 0.822, 0.25, 0.01, "severe"),
        (None, None, 0.40, None),
    ],
)
def test_words_follow_the_null_and_the_excess(estimate, low, null_p, word):
    assert leakage_word(measured(estimate, low, null_p)) == word


def test_excess_runs_from_the_null_to_one():
    assert excess(0.178, 0.178) == 0.0
    assert excess(1.0, 0.178) == 1.0
    assert excess(0.0, 0.178) < 0.0


def test_no_leakage_is_mostly_called_none():
    random = np.random.default_rng(0)
    words = [
        leakage_word(
            LogMia("a").measure(
                SortedScores.of(random.normal(size=300), random.normal(size=300)),
                0.025,
                0.025,
                Sizes(300, 300),
            )
        )
        for _ in range(200)
    ]
    # two tests at 5 % and 2.5 %: at most about 7.5 % of quiet models are called more than none
    assert words.count("none") >= 176
    assert set(words) <= {"none", "weak"}


def test_every_face_of_measure_shows_null_excess_and_word():
    random = np.random.default_rng(1)
    result = measure(
        random.normal(1.5, 1, 400), random.normal(0, 1, 400), budgets=["log_mia[a]<=0.35"]
    )
    for entry, null in zip(result.to_dict()["log_mia"], (0.178, 0.588), strict=True):
        assert entry["episode_null_mean"] == pytest.approx(null, abs=5e-4)
        assert entry["episode_excess"] == pytest.approx(
            (entry["episode_mean"] - entry["episode_null_mean"]) / (1 - entry["episode_null_mean"])
        )
        assert entry["word"] in ("clear", "severe")
        assert entry["null_q95"] < entry["value"]
        text = render(result)
        assert f"{entry['episode_null_mean']:.4f} without leakage" in text
        assert entry["word"] in text
    assert "Without leakage it is 0.178; excess" in result.checks[0].message
