"""What is to be planned: the checks, and how many of the records they are judged on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from privacy_gate.attacks.few_shot.draws import records_needed
from privacy_gate.domain import Metric, Split
from privacy_gate.errors import UsageError
from privacy_gate.fixtures.load import DEFAULT_SPLITS
from privacy_gate.registry import SUITES, learns, split_family
from privacy_gate.statistics import tails
from privacy_gate.statistics.planning import Target
from privacy_gate.terms import PlannedCheck

if TYPE_CHECKING:
    from privacy_gate.config import Config

SPLIT_CHANCE = 0.99
"""Chance with which the coins of the split leave at least the evaluation records counted on."""

_DEFAULT_BUDGETS = {
    Metric("tpr_at_fpr", 0.01): 0.05,
    Metric("tpr_at_fpr", 0.05): 0.15,
    Metric("tnr_at_fnr", 0.01): 0.05,
    Metric("tnr_at_fnr", 0.05): 0.15,
    Metric("log_mia", "a"): 0.35,
    Metric("auc"): 0.60,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A metric with its limits and the attacks they hold for. ``budget`` bounds the metric itself,
    ``increase`` its increase over the baseline; at least one of them is given."""

    metric: Metric
    budget: float | None
    increase: float | None
    attacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """The checks of a configuration; ``shares`` are those of support, calibration, evaluation.
    ``audited``: further checks, on the overconfidence audit: sizes alone tell nothing of them, but
    all are corrected for together."""

    name: str
    checks: tuple[PlannedCheck, ...]
    confidence: float
    shares: tuple[float, float, float] = DEFAULT_SPLITS
    audited: int = 0

    @property
    def corrected(self) -> int:
        """How many checks are corrected for."""
        return len(self.checks) + self.audited

    @property
    def level(self) -> float:
        """One-sided error λ of a bound."""
        return (1 - self.confidence) / 2

    @property
    def attacks(self) -> tuple[str, ...]:
        """Every attack with a check, in order."""
        return tuple(dict.fromkeys(check.attack for check in self.checks))

    @property
    def targets(self) -> tuple[Target, ...]:
        """One per check of a value; what may increase depends on the baseline."""
        return tuple(Target(c.metric, c.budget) for c in self.checks if not c.increase)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The checks, those of several attacks with the same limits as one."""
        limits: dict[tuple[Metric, str], list[float | None]] = {}
        for check in self.checks:
            found = limits.setdefault((check.metric, check.attack), [None, None])
            found[check.increase] = check.budget
        rows: dict[tuple[Metric, float | None, float | None], Row] = {}
        for (metric, attack), (budget, increase) in limits.items():
            row = rows.get((metric, budget, increase), Row(metric, budget, increase, ()))
            rows[metric, budget, increase] = replace(row, attacks=(*row.attacks, attack))
        return tuple(rows.values())

    def fixture_records(self, evaluation: int) -> int:
        """Fixture records a side that leave so many for evaluation, and enough for attacks to learn
        from, with the chance ``SPLIT_CHANCE`` for each split."""
        return max(
            [self._drawn(evaluation, self.shares[Split.EVALUATION])]
            + [
                self._drawn(needed, self.shares[split])
                for family in map(split_family, self.attacks)
                if family is not None
                for split, needed in records_needed(family[1]).items()
            ]
        )

    def evaluation_records(self, records: int) -> int:
        """Evaluation records that so many fixture records leave with the chance
        ``SPLIT_CHANCE``."""
        share = self.shares[Split.EVALUATION]
        found = tails.largest(
            lambda count: tails.binomial_at_least(count, records, share) >= SPLIT_CHANCE, 0, records
        )
        return found or 0

    @staticmethod
    def _drawn(wanted: int, share: float) -> int:
        enough = tails.smallest(
            lambda records: tails.binomial_at_least(wanted, records, share) >= SPLIT_CHANCE,
            wanted,
            int(wanted / share) * 4 + 1000,
        )
        assert enough is not None
        return enough


def question(config: Config) -> Question:
    """What a configuration asks for, by its own terms, its policy's and the base branch's.

    Raises ``UsageError`` where nothing can be planned.
    """
    splits = config.splits
    checks = tuple(check for check in config.terms.checks if not check.metric.audited)
    asked = Question(
        name=config.terms.path,
        checks=checks,
        confidence=config.terms.confidence,
        shares=(splits.support, splits.calibration, splits.evaluation),
        audited=len(config.terms.checks) - len(checks),
    )
    if not asked.targets:
        raise UsageError(
            "There is nothing to plan: every budget bounds an increase over the baseline, or what"
            " the overconfidence audit measures.",
            hint="Add a budget on tpr_at_fpr, tnr_at_fnr, log_mia or auc with max.",
        )
    return asked


def default_question() -> Question:
    """The budgets to begin with, for the attacks that run if nothing is configured."""
    attacks = (*SUITES["threshold"], *SUITES["few-shot"])
    return Question("the default budgets", tuple(_checks(attacks)), confidence=0.95)


def _checks(attacks: Iterable[str]) -> Iterable[PlannedCheck]:
    for metric, budget in _DEFAULT_BUDGETS.items():
        for attack in attacks:
            yield PlannedCheck(attack, metric, budget, learned=learns(attack))
