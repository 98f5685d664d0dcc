"""How many records a side decide all checks of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from privacy_gate.domain import Metric, Sizes
from privacy_gate.planner.question import SPLIT_CHANCE, Question, Row
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.planning import (
    Target,
    plan,
    planted_separation,
    records_needed,
    sizes_needed,
)


@dataclass(frozen=True, slots=True)
class Chances:
    """Chances at some sizes. ``rows``: those of the question with a budget; per row ``passes`` is
    the chance that a check passes a model without leakage, ``fails`` that it fails the planted
    leak. For the run: bounds, because how the attacks depend on each other is not known."""

    rows: tuple[Row, ...]
    passes: tuple[float, ...]
    fails: tuple[float, ...]
    run_passes: tuple[float, float]
    run_fails: tuple[float, float]
    leak: tuple[Metric, float]
    """The planted leak: a metric and its value."""


@dataclass(frozen=True, slots=True)
class RecordsPlan:
    """``evaluation`` and ``fixtures``: records a side, ``None`` where no number would do.
    ``alone``: evaluation records a side that each row would need if it were the only check."""

    asked: Question
    power: float
    evaluation: int | None
    fixtures: int | None
    chances: Chances | None
    alone: tuple[int | None, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        chances = self.chances
        rows = budget_rows(self.asked)
        return {
            "schema": "privacy-gate.plan/1",
            "for": self.asked.name,
            "confidence": self.asked.confidence,
            "power": self.power,
            "checks": len(self.asked.checks),
            "evaluation_records": self.evaluation,
            "fixture_records": self.fixtures,
            "evaluation_share": self.asked.shares[2],
            "split_chance": SPLIT_CHANCE,
            "run": chances and run_to_dict(chances),
            "budgets": [
                {
                    "metric": str(row.metric),
                    "max": row.budget,
                    "attacks": list(row.attacks),
                    "passes": chances and chances.passes[place],
                    "fails": chances and chances.fails[place],
                    "alone": self.alone[place],
                }
                for place, row in enumerate(rows)
            ],
        }


def plan_records(asked: Question, power: float) -> RecordsPlan:
    """Records a side from which on a model that leaks nothing passes every check, and the planted
    leak fails, each with a chance of at least ``power``."""
    targets, checks = asked.targets, asked.corrected
    evaluation = sizes_needed(targets, asked.confidence, power, checks)
    return RecordsPlan(
        asked=asked,
        power=power,
        evaluation=evaluation,
        fixtures=None if evaluation is None else asked.fixture_records(evaluation),
        chances=None if evaluation is None else chances(asked, Sizes(evaluation, evaluation)),
        alone=tuple(
            records_needed(Target(row.metric, budget), asked.level, power)
            for row, budget in _limits(asked)
        ),
    )


def chances(asked: Question, sizes: Sizes) -> Chances:
    """What the checks decide at these evaluation sizes."""
    found = plan(asked.targets, sizes, asked.confidence, asked.corrected)
    passes = dict(zip(asked.targets, found.passes, strict=True))
    fails = dict(zip(asked.targets, found.fails, strict=True))
    limits = [(row, Target(row.metric, budget)) for row, budget in _limits(asked)]
    return Chances(
        rows=tuple(row for row, _ in limits),
        passes=tuple(passes[target] for _, target in limits),
        fails=tuple(fails[target] for _, target in limits),
        run_passes=(found.run_passes, min(found.passes)),
        run_fails=(found.run_fails, min(1.0, sum(found.fails))),
        leak=planted_leak(asked.targets),
    )


def planted_leak(targets: tuple[Target, ...]) -> tuple[Metric, float]:
    """The metric that the planted leak of these targets is defined by, and its value there."""
    names = ("tpr_at_fpr", "auc")
    first = next(
        (target for name in names for target in targets if target.metric.name == name), targets[0]
    )
    return first.metric, statistic(first.metric).true_value(planted_separation(targets))


def budget_rows(asked: Question) -> list[Row]:
    """The rows that bound a value."""
    return [row for row, _ in _limits(asked)]


def run_to_dict(found: Chances) -> dict[str, Any]:
    """The chances of the whole run as plain JSON values; a pair is a lower and an upper bound."""
    metric, value = found.leak
    return {
        "passes_without_leakage": list(found.run_passes),
        "fails_at_planted_leak": list(found.run_fails),
        "planted_leak": {"metric": str(metric), "value": value},
    }


def _limits(asked: Question) -> list[tuple[Row, float]]:
    return [(row, row.budget) for row in asked.rows if row.budget is not None]
