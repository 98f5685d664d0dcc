"""What will be checked, and whether it can be decided: settled before any model is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from privacy_gate.attacks.threshold import ThresholdAttack
from privacy_gate.domain import AttackResult, Sizes
from privacy_gate.errors import ConfigError
from privacy_gate.protocols import Attack
from privacy_gate.registry import SUITES, attack_targets, resolve
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.planning import Target, records_needed, round_up
from privacy_gate.verdict import PlannedCheck, metric_words

if TYPE_CHECKING:
    from privacy_gate.config import Config

MOSTLY_PASSES = 0.95
RARELY_PASSES = 0.5


@dataclass(frozen=True)
class Programme:
    """The attacks that will run, those of a suite that cannot, and every check by budget line."""

    attacks: tuple[Attack, ...]
    not_run: tuple[AttackResult, ...]
    checks: tuple[PlannedCheck, ...]


def programme(config: Config) -> Programme:
    """Expand suites and budgets. Raises ``ConfigError`` for an attack named singly that cannot run,
    and for a budget without an attack."""
    attacks: dict[str, Attack] = {}
    not_run: list[AttackResult] = []
    access = _access(config)
    for position, name in enumerate(config.attacks):
        for member in SUITES.get(name, (name,)):
            attack = _attack(config, member)
            if attack.access in access:
                attacks[member] = attack
            elif name in SUITES:
                not_run.append(_not_run(attack, access))
            else:
                raise ConfigError(
                    f"The attack {name!r} needs {attack.access}, and the model's configuration"
                    f" offers {', '.join(access)} only.",
                    hint="Declare model.output or model.features accordingly, or drop the attack.",
                    location=config.location("attacks", position),
                )
    checks = []
    for position, budget in enumerate(config.budgets):
        wanted = config.attacks_for(budget)
        chosen = [name for name in attacks if name in wanted]
        if not chosen:
            raise ConfigError(
                "This budget matches no attack that runs.",
                hint=f"These run: {', '.join(attacks) or 'none'}.",
                location=config.location("budgets", position),
            )
        checks += [
            PlannedCheck(
                attack=name,
                metric=budget.metric_key,
                budget=budget.max,
                warn_at=budget.warn_at,
                line=config.line_of("budgets", position),
            )
            for name in chosen
        ]
    return Programme(tuple(attacks.values()), tuple(not_run), tuple(checks))


def _access(config: Config) -> tuple[str, ...]:
    """What an attacker sees of the model as configured."""
    if config.model.output.kind == "labels":
        return ("labels",)
    return ("labels", "scores", *(("features",) if config.model.features else ()))


def _attack(config: Config, name: str) -> Attack:
    if config.task == "custom":
        return ThresholdAttack(name, name)
    attack: Attack = resolve(attack_targets()[name])
    return attack


def _not_run(attack: Attack, access: Sequence[str]) -> AttackResult:
    return AttackResult(
        name=attack.name,
        family=attack.family,
        access=attack.access,
        status="not_run",
        reason=f"needs {attack.access}; the configuration offers {', '.join(access)}",
    )


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
    for target in dict.fromkeys(Target(check.metric, check.budget) for check in checks):
        judged = statistic(target.metric)
        chance = judged.pass_probability(target.budget, level, sizes)
        if chance < MOSTLY_PASSES:
            sentence = _too_few(target, chance, level, sizes)
            if chance < RARELY_PASSES:
                for check in checks:
                    if Target(check.metric, check.budget) == target:
                        impossible[check.id] = sentence
            else:
                cautions.append(sentence)
        elif not _can_fail(target, level, len(checks), sizes):
            cautions.append(
                f"{metric_words(target.metric)} <= {target.budget:g} can pass but never fail with"
                f" {sizes.members} + {sizes.nonmembers} evaluation records and {len(checks)}"
                " checks: rely on the budgets at higher rates, or add records."
            )
    return Feasibility(impossible, tuple(cautions))


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
