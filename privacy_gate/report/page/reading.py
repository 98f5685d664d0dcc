"""What was measured for a check, as a reader may take it."""

from __future__ import annotations

from privacy_gate.domain import Check, decimal
from privacy_gate.report.page.values import bound, figure, interval, number

_THRESHOLD_SIDE = {"tpr_at_fpr": ("fpr", "nonmembers"), "tnr_at_fnr": ("fnr", "members")}


def observable(check: Check) -> bool:
    """Whether the rate of a check is at least one record of the side that sets its threshold: below
    that nothing is observed but an upper bound."""
    if check.metric not in _THRESHOLD_SIDE or check.increase:
        return True
    argument, side = _THRESHOLD_SIDE[check.metric]
    rate, size = number(check.arguments.get(argument)), number(check.counts.get(side))
    return rate is None or size is None or decimal(rate) * decimal(size) >= 1


def measured(check: Check) -> str:
    """Estimate and interval; only the upper bound where no more can be observed."""
    if observable(check) or number(check.high) is None:
        return interval(check.estimate, check.low, check.high, check.budget)
    return f"not observable, at most {bound(check.high, check.budget)}"


def measured_briefly(check: Check) -> str:
    """The estimate alone, for a narrow cell; empty where nothing was measured."""
    if number(check.estimate) is None:
        return ""
    return figure(check.estimate) if observable(check) else f"≤ {bound(check.high, check.budget)}"
