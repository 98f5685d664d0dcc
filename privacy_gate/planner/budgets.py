"""The smallest budgets that given fixtures can certify."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from privacy_gate.domain import Metric, Sizes
from privacy_gate.errors import UsageError
from privacy_gate.planner.question import Question, Row
from privacy_gate.planner.records import Chances, chances, run_to_dict
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.planning import round_up


@dataclass(frozen=True, slots=True)
class Certifiable:
    """A row of the question and the smallest budget in its place, ``None`` if there is none below
    1. ``configured_passes``: chance that a model without leakage passes the budget as it is."""

    row: Row
    smallest: float | None
    configured_passes: float


@dataclass(frozen=True, slots=True)
class BudgetsPlan:
    """``fixtures`` and ``evaluation`` sizes, the smallest budgets, and what they decide together
    (``None`` if there is not one)."""

    asked: Question
    power: float
    fixtures: Sizes
    evaluation: Sizes
    rows: tuple[Certifiable, ...]
    chances: Chances | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": "privacy-gate.plan/1",
            "for": self.asked.name,
            "confidence": self.asked.confidence,
            "power": self.power,
            "checks": len(self.asked.checks),
            "fixture_records": _sides(self.fixtures),
            "evaluation_records": _sides(self.evaluation),
            "run": self.chances and run_to_dict(self.chances),
            "budgets": [
                {
                    "metric": str(found.row.metric),
                    "max": found.smallest,
                    "attacks": list(found.row.attacks),
                    "configured": found.row.budget,
                    "configured_passes": found.configured_passes,
                }
                for found in self.rows
            ],
        }


def plan_budgets(asked: Question, fixtures: Sizes, power: float) -> BudgetsPlan:
    """The smallest budgets, rounded up to two digits, that a model without leakage passes, all
    checks together, with a chance of at least ``power``.

    Raises ``UsageError`` if the fixtures are too small for any evaluation.
    """
    evaluation = Sizes(
        asked.evaluation_records(fixtures.members), asked.evaluation_records(fixtures.nonmembers)
    )
    if min(evaluation.members, evaluation.nonmembers) < 2:
        raise UsageError(
            "These fixtures are too small: fewer than 2 evaluation records a side are certain.",
            hint="Hundreds of records a side are needed to conclude anything.",
        )
    each = 1 - (1 - power) / asked.corrected  # all checks together miss at most 1 - power
    rows = tuple(
        Certifiable(
            row,
            _smallest(row.metric, asked.level, evaluation, each),
            statistic(row.metric).pass_probability(row.budget, asked.level, evaluation),
        )
        for row in asked.rows
        if row.budget is not None
    )
    judged = _with(asked, rows)
    found = chances(judged, evaluation) if judged.targets else None
    return BudgetsPlan(asked, power, fixtures, evaluation, rows, found)


def _smallest(metric: Metric, level: float, sizes: Sizes, power: float) -> float | None:
    budget = round_up(statistic(metric).smallest_budget(level, sizes, power))
    return budget if budget < 1 else None


def _with(asked: Question, rows: tuple[Certifiable, ...]) -> Question:
    """The question with the smallest budgets in the place of its own."""
    smallest = {
        (found.row.metric, attack): found.smallest for found in rows for attack in found.row.attacks
    }
    checks = []
    for check in asked.checks:
        budget = check.budget if check.increase else smallest[check.metric, check.attack]
        if budget is not None:
            checks.append(replace(check, budget=budget))
    return replace(asked, checks=tuple(checks))


def _sides(sizes: Sizes) -> dict[str, int]:
    return {"members": sizes.members, "nonmembers": sizes.nonmembers}
