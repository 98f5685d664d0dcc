"""One check of a report judged again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from privacy_gate.audit_checks import audit_p_value, rebuilt_audit
from privacy_gate.domain import AttackResult, Check, Interval, Measurement, Sizes
from privacy_gate.increases import with_comparison
from privacy_gate.recount.audits import audit_agrees
from privacy_gate.recount.facts import Facts, has_numbers
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.plausible import Unsupported, p_above, refuse_area
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.reported import (
    corrected_p_value,
    difference,
    rebuilt,
    stated_level,
)
from privacy_gate.terms import PlannedCheck, number
from privacy_gate.verdict import judged_check

EPISODE_SIZE = 15
_AGAIN = "Run the gate again, by these terms, and leave its report as it is."
_ROWS = {
    "tpr_at_fpr": ("fpr", "estimate", "low", "high"),
    "tnr_at_fnr": ("fnr", "estimate", "low", "high"),
    "log_mia": ("regime", "episode_mean", "episode_low", "episode_high"),
}
"""Metric -> where an attack's own results hold its argument, estimate and bounds."""


@dataclass(frozen=True, slots=True)
class Row:
    """A planned check beside what the report has of it. ``doubt``: why its numbers can be no pass,
    half a sentence; without ``measured`` they can be nothing at all. ``fail_held``: a fixture check
    kept the report from saying that they are a fail."""

    planned: PlannedCheck
    reported: Check | None
    measured: Measurement | None = None
    p_value: float | None = None
    doubt: str = ""
    fail_held: bool = False

    @classmethod
    def of(cls, planned: PlannedCheck, facts: Facts) -> Row:
        """The row of a planned check."""
        found = facts.reported.get(planned.id, ())
        if len(found) != 1:
            return cls(planned, None, doubt="it is there more than once" if found else "")
        (reported,) = found
        if not has_numbers(reported):
            return cls(planned, reported)
        try:
            measured = _measurement(planned, reported, facts.sizes)
        except Unsupported as reason:
            return cls(planned, reported, doubt=str(reason))
        p_value = _p_value(planned, reported, measured, facts)
        doubt = _doubt(planned, reported, measured, facts)
        return cls(planned, reported, measured, p_value, doubt, "fail" in facts.held)

    def sound(self, rejected: bool) -> bool:
        """Whether the check has a verdict that its numbers support; a fail that the report does not
        own up to is none."""
        if self.measured is None or self.reported is None or self.doubt:
            return False
        low = self.measured.low
        above = low is not None and low > self.planned.budget >= self.reported.budget
        return self._may_fail or not (above and rejected)

    def judged(self, facts: Facts, rejected: bool) -> Check:
        """The check with its verdict and words; ``rejected``: its p-value survived Holm."""
        planned, reported, measured = self.planned, self.reported, self.measured
        if measured is None or reported is None:
            return self._undecided()
        sizes = planned.sizes(facts.sizes or Sizes(0, 0))
        if measured.counts.get("population") is None:
            sizes = replace(sizes, population=None)
        check = judged_check(
            planned,
            measured,
            self.p_value,
            rejected and self._may_fail,
            sizes,
            facts.level,
            facts.holm_level,
            EPISODE_SIZE,
            planned.attack in facts.wrong,
        )
        check = with_comparison(check, planned, measured, reported.baseline, sizes, EPISODE_SIZE)
        if reported.verdict == "not_run":
            return replace(check, verdict="not_run", message=_NOT_RUN, advice="")
        if check.verdict == "pass" and self.doubt:
            message = f"Not supported by the report: {self.doubt}."
            return replace(check, verdict="inconclusive", message=message, advice=_AGAIN)
        if check.verdict == "inconclusive" and self.p_value is None:
            return self._uncorrected(check, facts)
        return check

    @property
    def _may_fail(self) -> bool:
        """An interval can keep a fail; a new one needs the scores."""
        owned = self.reported is not None and self.reported.verdict in ("fail", "waived")
        return owned or self.fail_held or _counted(self.planned)

    def _undecided(self) -> Check:
        planned, reported = self.planned, self.reported
        if self.doubt:
            message = f"Not supported by the report: {self.doubt}."
            return planned.undecided("inconclusive", message, _AGAIN)
        if reported is None:
            message = "Not run: the report does not have this check."
            return planned.undecided("not_run", message, _AGAIN)
        if reported.verdict == "not_run":
            return planned.undecided("not_run", _NOT_RUN)
        return planned.undecided("inconclusive", "Nothing was measured: see the notes.")

    def _uncorrected(self, check: Check, facts: Facts) -> Check:
        """Say so where only the correction for all checks is missing."""
        if check.low is None or check.low <= check.budget:
            return check
        message = (
            f"{check.message} Its counts do not tell whether that survives the correction for"
            f" {facts.checks} checks at confidence {number(facts.confidence)}."
        )
        return replace(check, message=message, advice=_AGAIN)


def _counted(planned: PlannedCheck) -> bool:
    """Whether the counts of a report tell everything about a check."""
    return planned.metric.name in ("tpr_at_fpr", "tnr_at_fnr", "ood_fpr") and not planned.increase


_NOT_RUN = "Not run, as the report says."


def _measurement(planned: PlannedCheck, reported: Check, sizes: Sizes | None) -> Measurement:
    if sizes is None:
        raise Unsupported("the sizes of the fixtures contradict each other")
    if planned.increase:
        return difference(planned.metric, reported)
    if planned.metric.audited:
        return rebuilt_audit(planned.metric, reported, stated_level(reported.counts))
    return rebuilt(planned.metric, reported, planned.sizes(sizes))


def _p_value(
    planned: PlannedCheck, reported: Check, measured: Measurement, facts: Facts
) -> float | None:
    """Computed again from counts or interval where these tell it. Otherwise that of the report,
    which a smaller budget can only lower; ``None`` if nothing tells."""
    if planned.metric.audited:
        return audit_p_value(measured, planned.budget)
    judged = statistic(planned.metric)
    if isinstance(judged, RateAtRate) and not planned.increase:
        return corrected_p_value(judged, measured, planned.budget, facts.holm_level)
    implied = _implied(planned, measured, planned.budget, facts)
    found = reported.p_value
    if implied is not None:
        same = planned.budget == reported.budget and _close(found, implied)
        return found if same else implied
    known = found is not None and 0 <= found <= 1 and planned.budget <= reported.budget
    return found if known else None


def _implied(
    planned: PlannedCheck, measured: Measurement, budget: float, facts: Facts
) -> float | None:
    if planned.increase or facts.sizes is None or not 0 < budget < 1:
        return None
    return p_above(measured, facts.sizes, budget)


def _other_p_value(
    planned: PlannedCheck, reported: Check, measured: Measurement, facts: Facts
) -> bool:
    """Whether the p-value of the report is not the one that its interval implies."""
    if isinstance(statistic(planned.metric), RateAtRate):
        return False
    implied = _implied(planned, measured, reported.budget, facts)
    return implied is not None and not _close(reported.p_value, implied)


def _close(found: float | None, wanted: float) -> bool:
    """Whether two p-values are the same up to rounding; below 1e-9 it does not matter."""
    return found is not None and (
        math.isclose(found, wanted, rel_tol=1e-6) or 0 <= max(found, wanted) < 1e-9
    )


def _doubt(planned: PlannedCheck, reported: Check, measured: Measurement, facts: Facts) -> str:
    """Why these numbers cannot be a pass; empty if they can."""
    attack = facts.attacks.get(planned.attack)
    if not _same((reported.estimate, reported.low, reported.high), measured):
        return "its counts give another interval"
    if (facts.measured_level or 0.0) > facts.level * (1 + 1e-9):
        return f"it was measured at a lower confidence than {number(facts.confidence)}"
    if planned.metric.audited:
        if not audit_agrees(planned, measured, facts):
            return "the overconfidence audit says otherwise"
        return _unclaimed(planned, reported, measured, facts)
    if _other_p_value(planned, reported, measured, facts):
        return "its p-value is not the one of its interval"
    if attack is None or attack.auc is None:
        return "its attack is not among those that ran"
    if planned.increase:
        compared = reported.baseline
        if compared is None or not _same(
            (compared.difference, compared.low, compared.high), measured
        ):
            return "its comparison says otherwise"
    elif not _agrees(planned, measured, attack, attack.auc, facts):
        return "the results of its attack say otherwise"
    return _unclaimed(planned, reported, measured, facts)


def _unclaimed(planned: PlannedCheck, reported: Check, measured: Measurement, facts: Facts) -> str:
    """A check that its own numbers would pass, and that says it does not, although nothing else
    kept it from that."""
    wrong = planned.attack in facts.wrong and not planned.metric.audited
    if wrong or "pass" in facts.held:
        return ""
    within = measured.high is not None and measured.high <= min(planned.budget, reported.budget)
    return "it does not claim a pass itself" if within and reported.verdict != "pass" else ""


def _agrees(
    planned: PlannedCheck,
    measured: Measurement,
    attack: AttackResult,
    area: Interval,
    facts: Facts,
) -> bool:
    """Whether the attack's own results, which stand elsewhere in the report, are the same."""
    metric = planned.metric
    if facts.sizes is None:
        return False
    try:
        refuse_area(area, facts.sizes, measured.level)
    except Unsupported:
        return False
    if metric.name == "auc":
        return _same((area.estimate, area.low, area.high), measured)
    if metric.name not in _ROWS:
        return True
    argument, *numbers = _ROWS[metric.name]
    rows = [row for row in getattr(attack, metric.name) if row.get(argument) == metric.argument]
    return len(rows) == 1 and _same([rows[0].get(name) for name in numbers], measured)


def _same(numbers: Sequence[Any], measured: Measurement) -> bool:
    """Whether estimate, low and high are those measured, up to rounding on another machine."""
    wanted = (measured.estimate, measured.low, measured.high)
    return all(
        a is b if a is None or b is None else isinstance(a, float | int) and abs(a - b) <= 1e-9
        for a, b in zip(numbers, wanted, strict=True)
    )
