"""Checks of the overconfidence audit beside what the audit itself says in the same report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from privacy_gate.domain import Measurement
from privacy_gate.recount.facts import Facts
from privacy_gate.terms import PlannedCheck


def audit_agrees(planned: PlannedCheck, measured: Measurement, facts: Facts) -> bool:
    """Whether a measured share or calibration error is the one that the audit reports.

    What was not measured agrees with anything: it is never a pass.
    """
    if measured.estimate is None:
        return True
    found = facts.overconfidence or {}
    counts = measured.counts
    if planned.metric.name == "ood_fpr":
        return [(counts["called"], counts["total"])] == list(_calls(planned, found))
    error = (found.get("ece") or {}).get("nonmembers") or {}
    own = (measured.estimate, measured.low, measured.high, counts["records"])
    evaluated = None if facts.sizes is None else facts.sizes.nonmembers
    return own == tuple(error.get(key) for key in _ERROR) and counts["records"] == evaluated


_ERROR = ("estimate", "low", "high", "records")


def _calls(planned: PlannedCheck, found: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """What the audit counted for the attack on the set: records that are called members, or have
    no finite answer, and all of them."""
    for attack in found.get("attacks") or ():
        for one in attack["sets"] if attack["name"] == planned.attack else ():
            if one["name"] == planned.metric.argument:
                yield one["called"] + one["not_finite"], one["total"]
