"""Whether the budgets can be decided at these sizes: settled before any model is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from privacy_gate.domain import Sizes
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.planning import Target, records_needed, round_up
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict_words import metric_words

MOSTLY_PASSES = 0.95
RARELY_PASSES = 0.5


@dataclass(frozen=True)
class Feasibility:
    """What these sizes allow: ``impossible`` by check id (fewer than half of non-leaking models
    would pass), and ``cautions`` for the report."""

    impossible: dict[str, str] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()


def feasibility(checks: Sequence[PlannedCheck], sizes: Sizes, confidence: float) -> Feasibility:
    """Judge the budgets against the sizes alone, once per distinct budget."""
    level = (1 - confidence) / 2
    impossible: dict[str, str] = {}
    cautions: list[str] = []
    alike: dict[tuple[Target, Sizes], list[PlannedCheck]] = {}
    for check in checks:
        if not check.planned:
            continue  # sizes alone do not tell
        key = (Target(check.metric, check.budget), check.sizes(sizes))
        alike.setdefault(key, []).append(check)
    told: set[Target] = set()  # what holds for all attacks is not said for learned ones again
    for (target, own), same in alike.items():
        chance = statistic(target.metric).pass_probability(target.budget, level, own)
        if chance < MOSTLY_PASSES:
            sentence = _too_few(target, chance, level, own)
            if chance < RARELY_PASSES:
                impossible |= {check.id: sentence for check in same}
            else:
                cautions.append(sentence)
        elif target not in told and not _can_fail(target, level, len(checks), own):
            told.add(target)
            whom = " for attacks that learn from the fixtures" if same[0].learned else ""
            cautions.append(
                f"{metric_words(target.metric)} <= {target.budget:g} can pass but never fail{whom}"
                f" with {own.members} + {own.nonmembers} evaluation records and {len(checks)}"
                " checks: rely on the budgets at higher rates, or add records."
            )
    return Feasibility(impossible, tuple(dict.fromkeys(cautions)))


def _too_few(target: Target, chance: float, level: float, sizes: Sizes) -> str:
    judged = statistic(target.metric)
    needed = records_needed(target, level, MOSTLY_PASSES)
    budget = round_up(judged.smallest_budget(level, sizes, MOSTLY_PASSES))
    cure = f"a budget of {budget:g}" if budget < 1 else "another metric"
    more = f"about {round_up(needed):,.0f} records a side or " if needed else ""
    return (
        f"{metric_words(target.metric)} <= {target.budget:g} cannot be certified with"
        f" {sizes.members} + {sizes.nonmembers} evaluation records: a model that leaks nothing"
        f" passes with probability {chance:.2g}; it needs {more}{cure}."
    )


def _can_fail(target: Target, level: float, checks: int, sizes: Sizes) -> bool:
    """Whether a leak far above the budget would more likely than not fail."""
    judged = statistic(target.metric)
    separation = judged.separation(max(0.97, (1 + target.budget) / 2))
    fails = judged.verdict_probabilities(separation, target.budget, level, level / checks, sizes)[1]
    return fails >= 0.5
