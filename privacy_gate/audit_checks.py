"""Budgets on what the overconfidence audit measures: false alarms on a set, calibration error.

Neither says whether members are recognised, so there is no null, no plan and no direction; the
rules of a verdict are the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from scipy import special

from privacy_gate.domain import Check, Interval, Measurement, Metric, Verdict
from privacy_gate.statistics.asymptotic import normal_quantile
from privacy_gate.statistics.plausible import Unsupported
from privacy_gate.statistics.tails import binomial_at_least, proportion_high, proportion_low

AuditedMetrics = Mapping[tuple[str, Metric], Measurement]
"""By attack (``model`` for what belongs to no attack) and metric."""


def false_alarms(metric: Metric, called: int, total: int, level: float) -> Measurement:
    """The share of ``total`` records of a set that are called members, with Clopper-Pearson bounds
    of one-sided error ``level``. An empty set measures nothing."""
    if total == 0:
        return nothing_measured(metric, level)
    return Measurement(
        metric,
        called / total,
        proportion_low(called, total, level),
        proportion_high(called, total, level),
        level,
        "exact",
        counts={"called": called, "total": total, "level": level},
    )


def calibration_error(error: Interval, records: int, level: float) -> Measurement:
    """The expected calibration error with an interval of one-sided error ``level``."""
    counts = {"records": records, "level": level}
    return Measurement(
        Metric("ece"), error.estimate, error.low, error.high, level, "asymptotic", counts=counts
    )


def nothing_measured(metric: Metric, level: float) -> Measurement:
    """What stands for a metric that the audit does not have."""
    note = "the overconfidence audit has nothing to say of it"
    counts = {"level": level}
    return Measurement(metric, None, None, None, level, "exact", counts=counts, note=note)


def audit_p_value(found: Measurement, budget: float) -> float:
    """P-value of the hypothesis that the true value is within ``budget``: exact for a share, from
    the normal approximation, as wide as the lower bound says, for a calibration error."""
    called, total = found.counts.get("called"), found.counts.get("total")
    if isinstance(called, int) and isinstance(total, int):
        return binomial_at_least(called, total, budget)
    if found.estimate is None or found.low is None or found.estimate <= found.low:
        return 1.0
    deviation = (found.estimate - found.low) / normal_quantile(found.level)
    return float(special.ndtr((budget - found.estimate) / deviation))


def rebuilt_audit(metric: Metric, check: Check, level: float) -> Measurement:
    """What the numbers of a reported check say, computed again where its counts allow it.

    Raises ``Unsupported`` for numbers that contradict themselves.
    """
    if check.estimate is None and check.counts.keys() <= {"level"}:
        return nothing_measured(metric, level)
    if metric.name == "ood_fpr":
        called, total = check.counts.get("called"), check.counts.get("total")
        if type(called) is not int or type(total) is not int or not 0 <= called <= total:
            raise Unsupported("its counts are none")
        return false_alarms(metric, called, total, level)
    records = check.counts.get("records")
    estimate, low, high = check.estimate, check.low, check.high
    if estimate is None or low is None or high is None or type(records) is not int or records < 1:
        raise Unsupported("an interval is missing")
    if not 0 <= low <= estimate <= high <= 1:
        raise Unsupported("its interval is none")
    return calibration_error(Interval(estimate, low, high), records, level)


def audit_advice(metric: Metric, verdict: Verdict) -> str:
    """What to do about a check of the audit; empty for a pass."""
    if verdict == "pass":
        return ""
    if metric.name == "ece":
        if verdict == "fail":
            return (
                "Calibrate the model, for example by a temperature fitted on held-out records, and"
                " measure again: calibration moves leakage, too, in either direction."
            )
        return "Add evaluation non-members."
    if verdict == "fail":
        return (
            "A single verdict of this attack is no evidence on such data. Train the model to be"
            " less confident away from its training data, or do not rely on single verdicts."
        )
    return "Add records to the set, or raise overconfidence.records."
