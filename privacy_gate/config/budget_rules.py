"""Rules for a list of budgets beside the attacks it is for, in a configuration or a policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from privacy_gate.config.budgets import Budget, BudgetBase
from privacy_gate.config.names import chosen_attacks, expand, known_names, unknown_attack
from privacy_gate.config.parts import below, entries, section
from privacy_gate.config.problems import Path, Problem, shown
from privacy_gate.config.source import Source

_BUDGET: TypeAdapter[BudgetBase] = TypeAdapter(Budget)
_DECISIVE = ("attacks", "max", "max_increase")


@dataclass(frozen=True, slots=True)
class Configured:
    """What budgets refer to: valid names listed under ``attacks``, and whether these are all that
    are listed; whether the task is custom; whether there is a baseline."""

    attacks: tuple[str, ...]
    complete: bool
    custom: bool
    baseline: bool


def readable_budgets(source: Source, wrong: set[Path]) -> dict[int, BudgetBase]:
    """The budgets of a file by position, those left out that lack what is ``wrong`` with them."""
    found = {}
    for index, item in enumerate(entries(source.data.get("budgets"))):
        path = ("budgets", index)
        budget = section(_BUDGET, item, path, wrong)
        spoilt = any(below((*path, key), wrong) for key in _DECISIVE)
        if budget is not None and not spoilt:
            found[index] = budget
    return found


def budget_problems(
    source: Source, budgets: Mapping[int, BudgetBase], configured: Configured
) -> Iterable[Problem]:
    """Budgets that can never pass or never bind, name no attack, or judge a check twice.

    ``budgets`` by their position in the list ``budgets`` of the file.
    """
    listed = configured.attacks
    restricted = [name for budget in budgets.values() for name in budget.attacks or ()]
    names = known_names(configured.custom, listed if configured.custom else [*listed, *restricted])
    attacks = expand(listed)
    first: dict[str, int] = {}
    for index, budget in budgets.items():
        yield from _levels(source, index, budget, configured.baseline)
        yield from _audits(source, index, budget, configured.custom)
        for place, name in enumerate(budget.attacks or ()):
            path = ("budgets", index, "attacks", place)
            if name not in names:
                yield source.problem(path, unknown_attack(name, names))
            elif configured.complete and set(expand([name])).isdisjoint(attacks):
                sentence = f"{shown(name)} matches no attack listed under 'attacks'"
                yield source.problem(path, sentence)
        chosen = chosen_attacks(budget, attacks)
        checks = [f"{name}/{budget.metric_key}{kind}" for name in chosen for kind in budget.limits]
        taken = next((check for check in checks if check in first), None)
        if taken is not None:
            lines = [source.mark(("budgets", place))[0] for place in (first[taken], index)]
            sentence = f"the check {taken!r} has two budgets, on lines {both(lines)}"
            yield source.problem(("budgets", index), sentence)
        for check in checks:
            first.setdefault(check, index)


def _audits(source: Source, index: int, budget: BudgetBase, custom: bool) -> Iterable[Problem]:
    """What does not fit to a metric of the overconfidence audit."""
    path, metric = ("budgets", index), budget.metric_key
    if not metric.audited:
        return
    if custom:
        sentence = f"{metric.name} needs class scores, so it is for task classification only"
        yield source.problem((*path, "metric"), sentence)
    if budget.max_increase is not None:
        sentence = f"{metric.name} has no increase over a baseline; write max"
        yield source.problem((*path, "max_increase"), sentence, key=True)
    if metric.name == "ece" and budget.attacks is not None:
        sentence = "ece is a property of the model, not of attacks"
        yield source.problem((*path, "attacks"), sentence, key=True)


def both(lines: list[int]) -> str:
    """Two line numbers in a sentence."""
    return " and ".join(str(line) for line in lines)


def _levels(
    source: Source, index: int, budget: BudgetBase, has_baseline: bool
) -> Iterable[Problem]:
    path = ("budgets", index)
    if budget.max_increase is not None and not has_baseline:
        sentence = "needs a baseline; write 'baseline: privacy_baseline.json' in the configuration"
        yield source.problem((*path, "max_increase"), sentence)
    if budget.max is None:
        if budget.max_increase is None:
            yield source.problem((*path, "max"), "is required, or max_increase")
        elif budget.warn_at is not None:
            yield source.problem((*path, "warn_at"), "needs max, which it is a part of")
        return
    key = budget.metric_key
    chance = 0.5 if key.name == "auc" else key.argument
    if isinstance(chance, float) and (
        budget.max < chance or (budget.max == chance and key.name == "auc")
    ):
        sentence = (
            f"a budget of {budget.max:g} can never pass: without any leakage {key} is {chance:g}"
        )
        yield source.problem((*path, "max"), sentence)
    if budget.warn_at is not None and budget.warn_at >= budget.max:
        sentence = f"must be less than max, {budget.max:g}"
        yield source.problem((*path, "warn_at"), sentence)
