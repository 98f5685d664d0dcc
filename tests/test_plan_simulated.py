"""What ``plan`` promises, against simulated models: quick here, 2 000 a cell under ``-m slow``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from scipy import stats

STUDY = Path(__file__).parents[1] / "benchmarks" / "planning.py"
CHANCE = 1e-5
"""How often a bound of these tests may be missed by a plan that says the truth."""

APPROXIMATE = {"log_mia": 0.04, "auc": 0.015, "advantage": 0.01}
"""What the normal law behind these metrics may be off by; the others are exact."""


def load_study():
    name = "planning_study"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, STUDY)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


NAMES = (
    "default budgets, threshold suite",
    "one attack, 90 %, power 0.8",
    "two attacks, uneven budgets",
)


def explained(count, runs, low, high=None):
    """Whether a chance between ``low`` and ``high`` explains the count."""
    high = low if high is None else high
    least = stats.binom.ppf(CHANCE, runs, max(0.0, low))
    return least <= count <= stats.binom.ppf(1 - CHANCE, runs, min(1.0, high))


def assert_the_plan_holds(name, runs):
    study_module = load_study()
    study = study_module.studies()[name]
    plan = study_module.named(study)
    found = plan.chances
    quiet = study_module.simulate(study, plan.evaluation, runs, leak=False)
    leaky = study_module.simulate(study, plan.evaluation, runs, leak=True)
    assert min(found.run_passes[0], found.run_fails[0]) >= study.power
    assert explained(quiet.whole["pass"], runs, *found.run_passes)
    assert explained(leaky.whole["fail"], runs, *found.run_fails)
    assert leaky.whole["pass"] <= stats.binom.ppf(1 - CHANCE, runs, 0.01)
    for row, passes, fails in zip(found.rows, found.passes, found.fails, strict=True):
        slack = APPROXIMATE.get(row.metric.name, 0.001)  # 0.001: the quadrature of P(fail)
        for attack in row.attacks:
            check = f"{attack}/{row.metric}"
            counted = quiet.checks[check]["pass"]
            assert explained(counted, runs, passes - slack, passes + slack), check
            if attack not in study.exact:
                continue
            counted = leaky.checks[check][study_module.FIRST_STEP]
            assert explained(counted, runs, fails - slack, fails + slack), check
            assert leaky.checks[check]["fail"] >= counted


@pytest.mark.parametrize("name", NAMES)
def test_chances_agree_with_simulated_models(name):
    assert_the_plan_holds(name, 60)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_chances_agree_with_many_simulated_models(name):
    assert_the_plan_holds(name, 2000)


def test_every_configuration_of_the_study_is_tested():
    assert tuple(load_study().studies()) == NAMES
