"""Known answers: reference values computed from the formulas alone, and counts other tools give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from privacy_gate.domain import Sizes
from privacy_gate.measurement import measure
from privacy_gate.statistics.null import null_mean_log
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores

HERE = Path(__file__).parent
CASES = json.loads((HERE / "vectors" / "statistics.json").read_text())["cases"]
PARITY = json.loads((HERE / "parity" / "reference.json").read_text())


def close(value):
    return pytest.approx(value, rel=0, abs=1e-9)


def p_close(value):
    return pytest.approx(value, rel=1e-6, abs=1e-300)


@pytest.fixture(params=CASES, ids=lambda case: f"seed{case['seed']}")
def case(request):
    return request.param


def test_reference_values(case):
    found = measure(case["members"], case["nonmembers"]).to_dict()
    assert found["auc"]["estimate"] == close(case["auc"])
    for metric, rate in (("tpr_at_fpr", "fpr"), ("tnr_at_fnr", "fnr")):
        assert [row[rate] for row in found[metric]] == [row["rate"] for row in case[metric]]
        for row, wanted in zip(found[metric], case[metric], strict=True):
            assert row["true_positives"] == wanted["true"]
            assert row["false_positives"] == wanted["false"]
            for key in ("observable", "k_hi", "k_lo"):
                assert row[key] == wanted[key]
            for key in ("estimate", "low", "high"):
                assert row[key] == close(wanted[key])
            assert row["null_p"] == p_close(wanted["null_p"])
    for row, wanted in zip(found["log_mia"], case["log_mia"], strict=True):
        for key in ("regime", "f", "true_positives", "episode_size", "episode_f"):
            assert row[key] == wanted[key]
        for key in ("value", "episode_mean", "episode_null_mean"):
            assert row[key] == close(wanted[key])
        assert row["null_p"] == p_close(wanted["null_p"])


def test_reference_p_values(case):
    scores = SortedScores.of(case["members"], case["nonmembers"])
    sizes = Sizes(len(case["members"]), len(case["nonmembers"]))
    for metric in ("tpr_at_fpr", "tnr_at_fnr"):
        for row in case[metric]:
            judged = RateAtRate(row["rate"], swap=metric == "tnr_at_fnr")
            for wanted in row["p_exceeds"]:
                p_value = judged.p_value(scores, wanted["budget"], wanted["level"], sizes)
                assert p_value == p_close(wanted["p"])


@pytest.mark.parametrize("name", sorted(PARITY))
def test_counts_on_which_other_tools_agree(name):
    with np.load(HERE / "parity" / f"{name}.npz") as arrays:
        members, nonmembers = arrays["members"], arrays["nonmembers"]
    rates = [float(rate) for rate in PARITY[name]["tpr_at_fpr"] if float(rate) > 0]
    found = measure(members, nonmembers, fpr=rates).to_dict()
    assert found["auc"]["estimate"] == pytest.approx(PARITY[name]["auc"], rel=0, abs=1e-6)
    for row in found["tpr_at_fpr"]:
        wanted = PARITY[name]["tpr_at_fpr"][repr(row["fpr"])]
        assert (row["true_positives"], row["false_positives"]) == (wanted["tp"], wanted["fp"])
        assert row["estimate"] == pytest.approx(wanted["tpr"], rel=1e-12)
    none = PARITY[name]["tpr_at_fpr"]["0.0"]
    assert none["fp"] == 0
    assert SortedScores.of(members, nonmembers).true_positives(0) == none["tp"]
    assert found["log_mia"][0]["true_positives"] == none["tp"]


class TestFiguresOfTheHandbook:
    """Numbers that the documentation states."""

    def test_the_zero_of_log_mia_is_not_zero(self):
        assert null_mean_log(0, 15, 15) == pytest.approx(0.178, abs=5e-4)
        assert null_mean_log(4, 15, 15) == pytest.approx(0.588, abs=5e-4)
        assert null_mean_log(0, 10_000, 10_000) == pytest.approx(0.055, abs=5e-4)

    @pytest.mark.parametrize(("population", "chance"), [(None, 0.83), (900, 0.95), (540, 0.996)])
    def test_chance_that_a_model_that_leaks_nothing_passes(self, population, chance):
        found = RateAtRate(0.01).pass_probability(0.05, 0.025, Sizes(540, 540, population))
        assert found == pytest.approx(chance, abs=0.0051 if chance < 0.99 else 0.0006)

    @pytest.mark.parametrize(
        ("population", "level", "floor"), [(None, 0.025, 0.0044), (898, 0.0007, 0.00025)]
    )
    def test_floor_of_a_tnr_p_value(self, population, level, floor):
        perfect = SortedScores.of(np.arange(538) + 1000, np.arange(538))
        judged = RateAtRate(0.01, swap=True)
        p_value = judged.p_value(perfect, 0.05, level, Sizes(538, 538, population))
        assert p_value == pytest.approx(floor, rel=0.05)

    def test_smallest_certifiable_budget(self):
        found = RateAtRate(0.01).smallest_budget(0.025, Sizes(540, 540), 0.95)
        assert found == pytest.approx(0.061, abs=5e-4)
        chance = RateAtRate(0.01).pass_probability(0.02, 0.025, Sizes(540, 540))
        assert chance == pytest.approx(0.02, abs=5e-3)

    @pytest.mark.parametrize(
        ("rate", "budget", "records"),
        [
            (0.01, 0.10, 300),
            (0.01, 0.05, 770),
            (0.01, 0.03, 2240),
            (0.01, 0.02, 8000),
            (0.001, 0.02, 1500),
            (0.001, 0.01, 3000),
            (0.001, 0.005, 8200),
        ],
    )
    def test_orientation_table(self, rate, budget, records):
        judged = RateAtRate(rate)
        assert judged.pass_probability(budget, 0.025, Sizes(records, records)) >= 0.95
        # stated with reserve, but not with twice what is needed
        half = Sizes(records // 2, records // 2)
        assert judged.pass_probability(budget, 0.025, half) < 0.95
