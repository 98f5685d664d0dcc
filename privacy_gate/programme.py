"""Which attacks run and what they are checked for: decided before any model is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from privacy_gate.attacks.few_shot.draws import records_needed
from privacy_gate.attacks.threshold import ThresholdAttack
from privacy_gate.domain import AttackResult, Boolean, Fixtures, Split
from privacy_gate.errors import ConfigError, FixtureError
from privacy_gate.protocols import Attack
from privacy_gate.registry import SUITES, open_attack, split_family
from privacy_gate.terms import PlannedCheck

if TYPE_CHECKING:
    from privacy_gate.config import Config


@dataclass(frozen=True)
class Programme:
    """The attacks that will run, those of a suite that cannot, and every check by budget line."""

    attacks: tuple[Attack, ...]
    not_run: tuple[AttackResult, ...]
    checks: tuple[PlannedCheck, ...]

    def reads(self, what: str) -> bool:
        """Whether an attack reads ``features`` or ``outputs`` of the model."""
        return any(what in attack.reads for attack in self.attacks)


def programme(config: Config, data: Fixtures, independent: Boolean) -> Programme:
    """Expand suites and budgets.

    An attack of a suite that the model's configuration or the fixtures do not allow is listed with
    the reason; an attack named singly must run. Raises ``ConfigError`` or ``FixtureError``.
    """
    attacks: dict[str, Attack] = {}
    not_run: list[AttackResult] = []
    for position, name in enumerate(config.attacks):
        for member in SUITES.get(name, (name,)):
            attack = _attack(config, member)
            obstacle = _obstacle(config, data, independent, attack)
            if obstacle is None:
                attacks.setdefault(member, attack)
            elif name in SUITES:
                not_run.append(_not_run(attack, str(obstacle)))
            else:
                obstacle.location = config.location("attacks", position)
                raise obstacle
    return Programme(tuple(attacks.values()), tuple(not_run), tuple(_checks(config, attacks)))


def _checks(config: Config, attacks: Sequence[str] | dict[str, Attack]) -> Iterator[PlannedCheck]:
    for position, budget in enumerate(config.budgets):
        wanted = config.attacks_for(budget)
        chosen = [name for name in attacks if name in wanted]
        if not chosen:
            raise ConfigError(
                "This budget matches no attack that runs.",
                hint=f"These run: {', '.join(attacks) or 'none'}.",
                location=config.location("budgets", position),
            )
        for name in chosen:
            yield PlannedCheck(
                attack=name,
                metric=budget.metric_key,
                budget=budget.max,
                warn_at=budget.warn_at,
                line=config.line_of("budgets", position),
                learned=split_family(name) is not None,
            )


def _attack(config: Config, name: str) -> Attack:
    if config.task == "custom":
        return ThresholdAttack(name, name)
    try:
        attack: Attack = open_attack(name, config.attack_section(name).options)
    except TypeError:
        raise ConfigError(
            f"The attack {name!r} does not take all of these options.",
            hint="features is for simple-shot-K and laplacian-shot-K, draws for few-shot attacks.",
            location=config.location("attacks"),
        ) from None
    return attack


def _obstacle(
    config: Config, data: Fixtures, independent: Boolean, attack: Attack
) -> ConfigError | FixtureError | None:
    """Why the attack cannot run, or ``None``."""
    access = _access(config)
    if attack.access not in access:
        return ConfigError(
            f"The attack {attack.name!r} needs {attack.access}, and the model's configuration"
            f" offers {', '.join(access)} only.",
            hint=_HOW_TO_OFFER.get(attack.access),
        )
    family = split_family(attack.name)
    if family is None:
        return None
    for split, needed in records_needed(family[1]).items():
        members = data.is_member[independent & (data.split == split)]
        have = int(min(members.sum(), (~members).sum()))
        if have < needed:
            return FixtureError(
                f"The attack {attack.name!r} needs {needed} labelled records a side in the"
                f" {Split(split).name.lower()} split, and one side has {have}.",
                hint="Add fixture records, raise that split's share, or use fewer shots.",
            )
    return None


_HOW_TO_OFFER = {
    "features": "Name a layer (torch) or one more output (ONNX) in model.features; an ONNX file"
    " has to be exported with the layer among its outputs.",
    "gradients": "Use a model of format torch.",
    "scores": "Choose an output with scores in model.output.",
}


def _access(config: Config) -> tuple[str, ...]:
    """What an attacker sees of the model as configured."""
    if config.model.output.kind == "labels":
        return ("labels",)
    features = ("features",) if config.model.features else ()
    gradients = ("gradients",) if config.model.format == "torch" else ()
    return ("labels", "scores", *features, *gradients)


def _not_run(attack: Attack, reason: str) -> AttackResult:
    return AttackResult(
        name=attack.name,
        family=attack.family,
        access=attack.access,
        status="not_run",
        reason=reason,
    )
