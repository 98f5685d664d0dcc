"""Which attacks run and what they are checked for: decided before any model is opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from privacy_gate.attacks.few_shot.draws import records_needed
from privacy_gate.attacks.threshold import CORRECTNESS, ThresholdAttack
from privacy_gate.config.available import Allowance, access_obstacle, open_configured
from privacy_gate.domain import AttackResult, Boolean, Check, Fixtures, Split
from privacy_gate.errors import ConfigError, FixtureError
from privacy_gate.protocols import Attack
from privacy_gate.registry import MODEL, SUITES, on_surfaces, split_family
from privacy_gate.terms import PlannedCheck

if TYPE_CHECKING:
    from privacy_gate.config import Config


@dataclass(frozen=True)
class Programme:
    """The attacks that will run, those of a suite that cannot, and every check by budget line.

    ``dropped``: checks that must be made, by the terms of the base branch, and cannot be.
    """

    attacks: tuple[Attack, ...]
    not_run: tuple[AttackResult, ...]
    checks: tuple[PlannedCheck, ...]
    dropped: tuple[PlannedCheck, ...] = ()
    waiting: tuple[PlannedCheck, ...] = ()
    """Increases that are not judged yet, because there is no baseline."""
    informational: tuple[PlannedCheck, ...] = ()
    """What is shown and decides nothing."""

    def without_baseline(self) -> Programme:
        """The programme where nothing is known that an increase could be judged against."""
        return replace(
            self,
            checks=tuple(check for check in self.checks if not check.increase),
            dropped=tuple(check for check in self.dropped if not check.increase),
            waiting=tuple(check for check in self.checks if check.increase),
            informational=tuple(check for check in self.informational if not check.increase),
        )

    def reads(self, what: str) -> bool:
        """Whether an attack reads ``features`` or ``outputs`` of the model."""
        return any(what in attack.reads for attack in self.attacks)

    def unmade(self) -> tuple[Check, ...]:
        """The dropped checks as they are reported: a run with one of them never passes."""
        reasons = {attack.name: attack.reason for attack in self.not_run}
        return tuple(
            check.undecided(
                "not_run",
                "The base branch demands this check. "
                + reasons.get(check.attack, f"The attack {check.attack} is not configured here."),
                "Configure it again, or merge the change of the terms first.",
            )
            for check in self.dropped
        )


def programme(config: Config, data: Fixtures, independent: Boolean) -> Programme:
    """Expand suites, and choose the checks of ``config.terms`` that can be made.

    An attack of a suite that the model's configuration or the fixtures do not allow is listed with
    the reason; an attack named singly must run. Raises ``ConfigError`` or ``FixtureError``.
    """
    attacks: dict[str, Attack] = {}
    not_run: list[AttackResult] = []
    too_small: set[str] = set()
    allowance = Allowance(config.limits.max_queries, config.model.output.queries)
    for position, name in enumerate(config.attacks):
        for member in SUITES.get(name, (name,)):
            attack = _attack(config, member, config.location("attacks", position))
            scarce = _too_few(data, independent, attack)
            obstacle = access_obstacle(config.model, attack) or scarce or allowance.obstacle(attack)
            if scarce is not None:
                too_small.add(member)
            if obstacle is None:
                attacks.setdefault(member, attack)
            elif name in SUITES:
                not_run.append(_not_run(attack, str(obstacle)))
            else:
                obstacle.location = config.location("attacks", position)
                raise obstacle
    surfaces = config.model.output.surfaces
    attacks = {
        name: attacks[name]
        if name in attacks
        else _attack(config, name, config.location("attacks"))
        for name in on_surfaces(attacks, surfaces)
    }
    _refuse_unknown_sets(config, data)
    may_be_left_out = too_small - set(config.terms.singly)
    wanted = [check for check in config.terms.checks if check.attack not in may_be_left_out]
    _refuse_unused_budgets(config, wanted, attacks)
    judged = {*attacks, MODEL}
    return Programme(
        attacks=tuple(attacks.values()),
        not_run=tuple(not_run),
        checks=tuple(check for check in wanted if check.attack in judged),
        dropped=tuple(check for check in wanted if check.attack not in judged),
        informational=tuple(
            check for check in config.terms.informational if check.attack in judged
        ),
    )


def _refuse_unknown_sets(config: Config, data: Fixtures) -> None:
    """A budget on a set of records that nobody makes would never be held against anything."""
    settings = config.overconfidence
    generated = () if settings.generator == "none" else ("generated",)
    sets = ("nonmembers", *settings.transforms, *generated, *data.ood)
    for check in (*config.terms.checks, *config.terms.informational):
        if check.metric.name == "ood_fpr" and check.metric.argument not in sets:
            raise ConfigError(
                f"There is no set {check.metric.argument} that attacks are tried on.",
                hint=f"There are {', '.join(sets)}.",
                location=f"{check.path or config.source.file}:{check.line}",
            )


def _refuse_unused_budgets(
    config: Config, wanted: Iterable[PlannedCheck], attacks: Collection[str]
) -> None:
    """A budget that nothing is held against would look as if it were kept."""
    used = {(check.path, check.line) for check in wanted}
    for check in config.terms.checks:
        if (check.path, check.line) not in used:
            raise ConfigError(
                "This budget matches no attack that runs.",
                hint=f"These run: {', '.join(attacks) or 'none'}.",
                location=f"{check.path or config.source.file}:{check.line}",
            )


def _attack(config: Config, name: str, location: str) -> Attack:
    if config.task == "custom":
        return ThresholdAttack(name, name)
    attack = open_configured(config.settings, name, location)
    only_labels = "label-only" in config.attacks and not {"threshold", name} & {*config.attacks}
    if attack is CORRECTNESS and only_labels:
        return replace(CORRECTNESS, family="label-only")
    return attack


def _too_few(data: Fixtures, independent: Boolean, attack: Attack) -> FixtureError | None:
    """What the attack has too few labelled records for, or ``None``."""
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


def _not_run(attack: Attack, reason: str) -> AttackResult:
    return AttackResult(
        name=attack.name,
        family=attack.family,
        access=attack.access,
        status="not_run",
        reason=reason,
    )
