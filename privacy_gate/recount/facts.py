"""What the checks of a report share: sizes, levels, attacks, directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from privacy_gate.domain import AttackResult, Check, Report, Sizes, Verdict
from privacy_gate.statistics.multiplicity import holm
from privacy_gate.statistics.plausible import p_below_half
from privacy_gate.terms import PlannedCheck, Terms, held_verdicts
from privacy_gate.verdict import DIRECTION_LEVEL

_MOST_RECORDS = 10**9


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks of a report share.

    ``sizes``: those of the evaluation records, ``None`` where the report contradicts itself;
    ``checks``: how many are corrected for; ``measured_level``: the one-sided error that the report
    was measured at, if it says so; ``wrong``: attacks that score members below non-members;
    ``held``: verdicts that a fixture check kept the report from claiming, whatever its numbers say;
    ``overconfidence``: what the report says of that audit.
    """

    reported: Mapping[str, Sequence[Check]]
    attacks: Mapping[str, AttackResult]
    sizes: Sizes | None
    confidence: float
    checks: int
    measured_level: float | None
    wrong: frozenset[str] = frozenset()
    held: frozenset[Verdict] = frozenset()
    overconfidence: Mapping[str, Any] | None = None

    @property
    def level(self) -> float:
        """One-sided error of a bound, λ."""
        return (1 - self.confidence) / 2

    @property
    def holm_level(self) -> float:
        """The smallest level a p-value is compared with, λ/M."""
        return self.level / max(1, self.checks)

    @classmethod
    def of(cls, report: Report, terms: Terms, demanded: Sequence[PlannedCheck]) -> Facts:
        """The facts of a report under ``terms``, of which these checks are ``demanded``.

        As in a run, checks without numbers are not corrected for. To hide some is no help: fewer
        checks fail more easily.
        """
        reported: dict[str, list[Check]] = {}
        for check in report.checks:
            reported.setdefault(check.id, []).append(check)
        checks = sum(any(map(has_numbers, reported.get(own.id, ()))) for own in demanded)
        attacks = {attack.name: attack for attack in report.attacks if attack.status == "ran"}
        levels = [own.counts.get("level") for own in report.checks]
        facts = cls(
            reported,
            attacks,
            _sizes(report.fixtures),
            terms.confidence,
            checks,
            max((level for level in levels if isinstance(level, float)), default=None),
            held=held_verdicts(report.fixture_checks),
            overconfidence=report.overconfidence,
        )
        return replace(facts, wrong=_wrong_directions(facts))


def has_numbers(check: Check) -> bool:
    """Whether anything was measured for the check."""
    return check.estimate is not None or bool(check.counts)


def _sizes(fixtures: Mapping[str, Any]) -> Sizes | None:
    """Evaluation records a side, and the training records that the members are a sample of."""
    parts = fixtures.get("evaluation")
    sides = []
    for side in ("members", "nonmembers"):
        part, whole = parts.get(side) if isinstance(parts, Mapping) else None, fixtures.get(side)
        if (
            type(part) is not int
            or type(whole) is not int
            or not (2 <= part <= whole <= _MOST_RECORDS)
        ):
            return None
        sides.append(part)
    population = fixtures.get("training_records")
    if population is not None and (
        type(population) is not int or not fixtures["members"] <= population <= _MOST_RECORDS
    ):
        return None
    sampled = fixtures.get("member_sampling") in ("all", "random")
    return Sizes(sides[0], sides[1], population if sampled else None)


def _wrong_directions(facts: Facts) -> frozenset[str]:
    """As in a run, from the interval of each attack's AUC."""
    areas = {name: attack.auc for name, attack in facts.attacks.items() if attack.auc is not None}
    if facts.sizes is None or not areas:
        return frozenset()
    level = facts.level if facts.measured_level is None else facts.measured_level
    least = DIRECTION_LEVEL / len(areas)
    found = [p_below_half(area, level, facts.sizes, least) for area in areas.values()]
    rejected = holm(found, DIRECTION_LEVEL)
    return frozenset(name for name, below in zip(areas, rejected, strict=True) if below)
