"""Names of attacks and suites, as a configuration writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from privacy_gate import registry
from privacy_gate.config.budgets import BudgetBase
from privacy_gate.config.problems import nearest, shown


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """Attack names in order, suites replaced by their attacks, each once."""
    singles = [single for name in names for single in registry.SUITES.get(name, (name,))]
    return tuple(dict.fromkeys(singles))


def chosen_attacks(budget: BudgetBase, names: Iterable[str]) -> list[str]:
    """Those of ``names``, of attacks that run, that a budget is for; the model itself for ``ece``.
    Of the metrics of the overconfidence audit only attacks that it looks at can be meant."""
    metric = budget.metric_key.name
    if metric == "ece":
        return [registry.MODEL]
    wanted = None if budget.attacks is None else expand(budget.attacks)
    return [
        name
        for name in names
        if (wanted is None or registry.split_surface(name)[0] in wanted)
        and (metric != "ood_fpr" or name in registry.AUDITED_ATTACKS)
    ]


def known_names(custom: bool, written: Collection[str]) -> Collection[str]:
    """The names that may be used; of task custom only the user knows the signals."""
    if custom:
        return written
    few_shot = [name for name in written if registry.split_family(name) is not None]
    examples = [f"{family}-5" for family in registry.FAMILIES]
    return (*registry.SUITES, *registry.attack_targets(), *examples, *few_shot)


def unknown_attack(name: str, names: Iterable[str]) -> str:
    """The sentence about a name that is none of ``names``."""
    return f"unknown attack {shown(name)}. {nearest(name, names)}"
