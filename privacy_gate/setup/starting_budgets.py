"""Budgets to begin with: the default ones, as far as the fixtures can certify them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from privacy_gate.domain import Sizes
from privacy_gate.errors import UsageError
from privacy_gate.planner.budgets import BudgetsPlan, plan_budgets
from privacy_gate.planner.question import Question, default_question
from privacy_gate.planner.records import chances, plan_records
from privacy_gate.planner.words import budgets_yaml

POWER = 0.95
RAISED = "As near to the default budgets as these fixtures can certify"


def budgets_section(records: Sizes, attacks: tuple[str, ...] | None) -> str:
    """The ``budgets`` of a configuration, with comments on what they decide.

    ``records``: fixture records a side; ``attacks``: those that run, the usual ones by default. A
    default budget that these fixtures cannot certify is raised to the smallest that they can; one
    that they can is left as it is, since ordinary models do not reach the smallest one. Raises
    ``UsageError`` for fixtures that certify nothing.
    """
    asked = _asked(attacks)
    smallest = plan_budgets(asked, records, POWER)
    found = _no_stricter_than_default(asked, smallest)
    if found.chances is None:
        raise UsageError(
            f"{records.members} members and {records.nonmembers} non-members certify no budget.",
            hint="Hundreds of records a side are needed; see: privacy-gate plan",
        )
    return "".join(f"# {line}\n" for line in _raised(asked, found)) + budgets_yaml(found)


def _asked(attacks: tuple[str, ...] | None) -> Question:
    asked = default_question()
    if attacks is None:
        return asked
    # an attack of the user's own stands for the first of the usual ones
    first = asked.attacks[0]
    names = {name: name if name in asked.attacks else first for name in attacks}
    return replace(
        asked,
        checks=tuple(
            replace(check, attack=name)
            for name, like in names.items()
            for check in asked.checks
            if check.attack == like
        ),
    )


def _no_stricter_than_default(asked: Question, found: BudgetsPlan) -> BudgetsPlan:
    rows = tuple(
        replace(row, smallest=max(row.smallest, row.row.budget))
        if row.smallest is not None and row.row.budget is not None
        else row
        for row in found.rows
    )
    limits = {(row.row.metric, attack): row.smallest for row in rows for attack in row.row.attacks}
    checks = tuple(
        replace(check, budget=limit)
        for check in asked.checks
        if (limit := limits[check.metric, check.attack]) is not None
    )
    judged = replace(asked, checks=checks)
    return replace(found, rows=rows, chances=chances(judged, found.evaluation) if checks else None)


def _raised(asked: Question, found: BudgetsPlan) -> Iterator[str]:
    raised = any(row.smallest != row.row.budget for row in found.rows)
    if not raised:
        yield "The default budgets. Which are right for your data is for whoever answers for it."
        return
    needed = plan_records(asked, POWER).fixtures
    yield f"{RAISED}: the smallest that a model"
    yield "without leakage passes. More records certify smaller ones" + (
        f"; {needed:,} a side the default ones." if needed else "."
    )
