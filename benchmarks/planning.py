"""Does ``privacy-gate plan`` say the truth? Simulated models against its chances, as a table.

    python benchmarks/planning.py --runs 2000

Three configurations, each at the size that ``plan`` names for it: models that leak nothing, and
models with the planted leak. Every model is judged by all checks together, as in a run of the gate.
A check that ``plan`` counts as failed survives the strictest step of Holm's correction; the verdict
also knows the later steps, and fails a little more often.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privacy_gate.domain import Metric, Sizes, random_generator
from privacy_gate.planner.question import Question, default_question
from privacy_gate.planner.records import RecordsPlan, plan_records
from privacy_gate.registry import SUITES
from privacy_gate.statistics.planning import planted_separation
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict import judge, outcome

FIRST_STEP = "fails at λ/M"
"""What is counted beside the verdicts: p-values at most λ/M."""

Scores = Callable[[float, int, np.random.Generator], Mapping[str, SortedScores]]


def _calibration():
    """The neighbouring study, which simulates the six threshold attacks of one model."""
    name = "privacy_gate_calibration_study"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("calibration.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def independent(*attacks: str) -> Scores:
    """Attacks that see the whole leak and have nothing else in common: the worst case of a bound
    that adds their errors."""

    def scores(separation, size, generator):
        return {
            name: SortedScores.of(
                generator.normal(separation, 1, size), generator.normal(0, 1, size)
            )
            for name in attacks
        }

    return scores


@dataclass(frozen=True)
class Study:
    """A configuration, what its attacks see, and which of them see exactly the planted leak."""

    asked: Question
    power: float
    scores: Scores
    exact: tuple[str, ...]


def studies() -> dict[str, Study]:
    """The three configurations by name."""
    suite = SUITES["threshold"]
    default = tuple(check for check in default_question().checks if check.attack in suite)
    single = (
        PlannedCheck("loss", Metric("tpr_at_fpr", 0.05), 0.12),
        PlannedCheck("loss", Metric("auc"), 0.6),
    )
    uneven = (
        PlannedCheck("loss", Metric("tpr_at_fpr", 0.01), 0.04),
        PlannedCheck("loss", Metric("tnr_at_fnr", 0.05), 0.12),
        PlannedCheck("margin", Metric("tnr_at_fnr", 0.05), 0.12),
        PlannedCheck("margin", Metric("log_mia", "b"), 0.7),
        PlannedCheck("margin", Metric("advantage"), 0.3),
    )
    return {
        "default budgets, threshold suite": Study(
            Question("default", default, 0.95),
            0.95,
            _calibration().suite_scores,
            ("loss", "margin"),
        ),
        "one attack, 90 %, power 0.8": Study(
            Question("single", single, 0.9), 0.8, independent("loss"), ("loss",)
        ),
        "two attacks, uneven budgets": Study(
            Question("uneven", uneven, 0.95), 0.9, independent("loss", "margin"), ("loss", "margin")
        ),
    }


@dataclass(frozen=True)
class Outcomes:
    """How many of ``runs`` models passed or failed, as a whole and each check."""

    runs: int
    whole: Counter[str]
    checks: Mapping[str, Counter[str]]


def simulate(study: Study, size: int, runs: int, *, leak: bool, seed: int = 0) -> Outcomes:
    """Judge simulated models on ``size`` evaluation records a side."""
    separation = planted_separation(study.asked.targets) if leak else 0.0
    whole: Counter[str] = Counter()
    checks = {check.id: Counter() for check in study.asked.checks}
    strictest = study.asked.level / len(study.asked.checks)
    for run in range(runs):
        generator = random_generator(seed, "planning", study.asked.name, f"{leak}", f"{run}")
        found = judge(
            study.asked.checks,
            study.scores(separation, size, generator),
            Sizes(size, size),
            confidence=study.asked.confidence,
        )
        whole[outcome(found)] += 1
        for check in found:
            checks[check.id][check.verdict] += 1
            checks[check.id][FIRST_STEP] += check.p_value <= strictest
    return Outcomes(runs, whole, checks)


def named(study: Study) -> RecordsPlan:
    """What ``plan`` says."""
    found = plan_records(study.asked, study.power)
    assert found.evaluation is not None
    return found


def show(name: str, study: Study, runs: int) -> None:
    """Print one configuration."""
    plan = named(study)
    quiet = simulate(study, plan.evaluation, runs, leak=False)
    leaky = simulate(study, plan.evaluation, runs, leak=True)
    print(f"### {name}: {plan.evaluation:,} evaluation records a side\n")
    print("| | plan: passes | simulated | plan: fails the leak | at λ/M | verdict |")
    print("| --- | --- | --- | --- | --- | --- |")
    chances = plan.chances
    print(
        f"| the run | {chances.run_passes[0]:.4f} to {chances.run_passes[1]:.4f}"
        f" | {quiet.whole['pass'] / runs:.4f} | at least {chances.run_fails[0]:.4f}"
        f" | | {leaky.whole['fail'] / runs:.4f} |"
    )
    for row, passes, fails in zip(chances.rows, chances.passes, chances.fails, strict=True):
        ids = [f"{attack}/{row.metric}" for attack in row.attacks]
        exact = [f"{attack}/{row.metric}" for attack in row.attacks if attack in study.exact]
        print(
            f"| `{row.metric}` <= {row.budget:g} | {passes:.4f} | {_span(quiet, ids, 'pass')}"
            f" | {fails:.4f} | {_span(leaky, exact, FIRST_STEP)} | {_span(leaky, exact, 'fail')} |"
        )
    print()


def _span(found: Outcomes, ids: list[str], verdict: str) -> str:
    shares = sorted(found.checks[name][verdict] / found.runs for name in ids)
    low, high = f"{shares[0]:.4f}", f"{shares[-1]:.4f}"
    return low if low == high else f"{low} to {high}"


def main() -> None:
    """Print all tables and what they cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    start = time.process_time()
    for name, study in studies().items():
        show(name, study, runs)
    print(f"{runs} models a column; {time.process_time() - start:.0f} CPU seconds.")


if __name__ == "__main__":
    main()
