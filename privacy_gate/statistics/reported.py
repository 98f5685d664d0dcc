"""Measurements rebuilt from the numbers of a report that nobody vouches for.

TPR and TNR are computed again from their counts. Of the other metrics a report holds the interval
only: it is taken as it stands if it can be the interval of these sizes at all. What cannot be is
refused with a reason, never corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from privacy_gate.domain import Check, Interval, Measurement, Metric, Sizes
from privacy_gate.statistics.log_mia import LogMia, false_positive_cap
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.null import null_p_value
from privacy_gate.statistics.plausible import (
    Unsupported,
    refuse_advantage,
    refuse_area,
    refuse_bounds,
    refuse_order,
)
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.thresholds import Ranks, Side

LARGEST_LEVEL = 0.25
"""One-sided error at the lowest confidence that a configuration may ask for, 0.5."""

Counts = Mapping[str, int | float | None]


def rebuilt(metric: Metric, check: Check, sizes: Sizes) -> Measurement:
    """What ``check`` reports of ``metric``, measured on ``sizes``; the population of these is used
    only where the counts claim it.

    Raises ``Unsupported``. Estimate and bounds of TPR and TNR may differ from those reported, which
    the caller compares.
    """
    counts = check.counts
    if _whole(counts, "members") != sizes.members or _whole(counts, "nonmembers") != (
        sizes.nonmembers
    ):
        raise Unsupported("its sizes are not those of the evaluation records")
    level = stated_level(counts)
    judged = statistic(metric)
    if isinstance(judged, RateAtRate):
        return _rate(judged, counts, sizes, level)
    estimate, low, high = check.estimate, check.low, check.high
    if isinstance(judged, LogMia) and estimate is None:
        return _too_few(judged, check, sizes, level)
    if estimate is None or low is None or high is None:
        raise Unsupported("an interval is missing")
    interval = Interval(estimate, low, high)
    exact = check.method == "exact"
    refuse_order(interval)
    if metric.name == "advantage":
        refuse_advantage(interval, sizes, level)
    elif metric.name == "auc":
        refuse_area(interval, sizes, level)
    elif not exact:
        refuse_bounds(interval)
    null, null_p = _null(judged, counts, sizes) if isinstance(judged, LogMia) else (None, None)
    return Measurement(
        metric=metric,
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        method="exact" if exact or metric.name == "advantage" else "asymptotic",
        null={"auc": 0.5, "advantage": 0.0}.get(metric.name, null),
        null_p=null_p,
        counts=counts,
    )


def stated_level(counts: Counts) -> float:
    """The one-sided error that a check says it was measured at. Raises ``Unsupported``."""
    return _level(counts, "level", LARGEST_LEVEL)


def difference(metric: Metric, check: Check) -> Measurement:
    """What ``check`` reports of a difference of ``metric`` to a baseline, which lies in [-1, 1].

    Raises ``Unsupported``."""
    estimate, low, high = check.estimate, check.low, check.high
    if estimate is None or low is None or high is None:
        raise Unsupported("an interval is missing")
    if not -1 <= low <= estimate <= high <= 1:
        raise Unsupported("its interval is none")
    method = check.method or "asymptotic"
    level = float(check.counts.get("level") or 0.0)
    return Measurement(
        metric, estimate, low, high, level, method, check.null, check.null_p, check.counts
    )


def corrected_p_value(
    judged: RateAtRate, measured: Measurement, budget: float, holm_level: float
) -> float | None:
    """The p-value at ``holm_level`` of a rate that ``rebuilt`` returned; ``None`` if its counts
    were taken at a threshold for another number of checks, so that they do not tell."""
    counts = measured.counts
    side = judged.side(_sizes(counts))
    rank = side.below_rate(holm_level)
    if (None if rank is None else rank.k) != counts["k_holm"]:
        return None
    return side.p_value(rank, _whole_or_none(counts, "above_k_holm"), budget)


# --------------------------------------------------------------------------------------- the rates


def _rate(judged: RateAtRate, counts: Counts, sizes: Sizes, level: float) -> Measurement:
    population = _whole_or_none(counts, "population")
    if population is not None and population != sizes.population:
        raise Unsupported("its population is not known of these records")
    side = judged.side(Sizes(sizes.members, sizes.nonmembers, population))
    ranks = side.ranks(level, _level(counts, "holm_level", level))
    _refuse_counts(counts, side, ranks)
    return judged.from_counts(counts, side, ranks)


def _refuse_counts(counts: Counts, side: Side, ranks: Ranks) -> None:
    """Refuse thresholds that are not those of these sizes, and counts that do not rise with them.

    In the order of k, as many records lie strictly above a lower threshold as above a higher one,
    and as many at or above it.
    """
    above = [(side.allowed + 1, _count(counts, "true_positives", side.counted))]
    for k, name, rank in (
        ("k_hi", "above_k_hi", ranks.low),
        ("k_holm", "above_k_holm", ranks.holm),
    ):
        if rank is not None:
            above.append((rank.k, _count(counts, name, side.counted)))
        _refuse_rank(counts, k, name, None if rank is None else rank.k)
    _refuse_rank(counts, "k_lo", "at_or_above_k_lo", None if ranks.high is None else ranks.high.k)
    ordered = sorted(above)
    if any(a[1] > b[1] or (a[0] == b[0] and a != b) for a, b in pairwise(ordered)):
        raise Unsupported("its counts fall where they must rise")
    if ranks.high is not None:
        reached = _count(counts, "at_or_above_k_lo", side.counted)
        if any(count > reached for k, count in above if k <= ranks.high.k):
            raise Unsupported("its counts fall where they must rise")
    _count(counts, "false_positives", side.allowed)


def _refuse_rank(counts: Counts, name: str, count: str, k: int | None) -> None:
    if count not in counts or name not in counts:
        raise Unsupported(f"{name} or {count} is missing")
    if _whole_or_none(counts, name) != k:
        raise Unsupported(f"{name} is not the threshold of these sizes")
    if k is None and counts.get(count) is not None:
        raise Unsupported(f"it has {count} without a threshold")


# ----------------------------------------------------------------------------------------- Log-MIA


def _null(judged: LogMia, counts: Counts, sizes: Sizes) -> tuple[float, float]:
    """Value expected without leakage, and the exact p-value of the whole sample."""
    cap = false_positive_cap(judged.regime, sizes.members + sizes.nonmembers)
    wanted = {
        "episode_size": judged.size,
        "episode_false_positives": judged.cap,
        "false_positives_allowed": cap,
    }
    if any(_whole(counts, name) != value for name, value in wanted.items()):
        raise Unsupported("its counts are not those of these sizes")
    true = _count(counts, "true_positives", sizes.members)
    return judged.null_mean, null_p_value(true, cap, sizes.members, sizes.nonmembers)


def _too_few(judged: LogMia, check: Check, sizes: Sizes, level: float) -> Measurement:
    """Log-MIA of fewer records than an episode has."""
    have = f"{sizes.members} + {sizes.nonmembers}"
    if (
        min(sizes.members, sizes.nonmembers) >= judged.size
        or (check.low, check.high) != (None,) * 2
    ):
        raise Unsupported("an interval is missing")
    null, null_p = _null(judged, check.counts, sizes)
    note = f"needs {judged.size} evaluation records a side, there are {have}"
    return Measurement(
        judged.metric, None, None, None, level, "exact", null, null_p, check.counts, note
    )


# ------------------------------------------------------------------------------------ single counts


def _sizes(counts: Counts) -> Sizes:
    return Sizes(
        _whole(counts, "members"),
        _whole(counts, "nonmembers"),
        _whole_or_none(counts, "population"),
    )


def _level(counts: Counts, name: str, most: float) -> float:
    value = counts.get(name)
    if not isinstance(value, float) or not 0 < value <= most:
        raise Unsupported(f"{name} is no level")
    return value


def _count(counts: Counts, name: str, most: int) -> int:
    value = _whole(counts, name)
    if not 0 <= value <= most:
        raise Unsupported(f"{name} is out of range")
    return value


def _whole(counts: Counts, name: str) -> int:
    value = counts.get(name)
    if type(value) is not int:
        raise Unsupported(f"{name} is no whole number")
    return value


def _whole_or_none(counts: Counts, name: str) -> int | None:
    return None if counts.get(name) is None else _whole(counts, name)
