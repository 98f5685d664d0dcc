"""Checks in the order a reader needs them: what failed first, then what came closest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from privacy_gate.domain import Check
from privacy_gate.report.page.values import number

_RANK = {"fail": 0, "inconclusive": 1, "not_run": 2, "waived": 3, "pass": 4}


def worst_first(checks: Iterable[Check]) -> list[Check]:
    """Failed checks, then undecided ones, those not run, waived and passed ones; within each those
    that use up most of their budget."""
    return sorted(checks, key=lambda check: (_RANK.get(check.verdict, 0), -used(check), check.id))


def used(check: Check) -> float:
    """How much of its budget a check uses up: for certain where it failed, else at most."""
    bound = number(check.low if check.verdict == "fail" else check.high)
    budget = number(check.budget)
    if bound is None or budget is None or budget <= 0:
        return 0.0
    return bound / budget


def by_budget(checks: Sequence[Check]) -> list[list[Check]]:
    """The checks of each distinct budget (metric, argument, limit), worst first within and
    among them."""
    groups: dict[tuple[object, ...], list[Check]] = {}
    for check in worst_first(checks):
        key = (check.metric, *check.arguments.values(), check.increase, check.budget)
        groups.setdefault(key, []).append(check)
    return list(groups.values())
