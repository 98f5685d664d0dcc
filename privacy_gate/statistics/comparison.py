"""Candidate and baseline compared by one metric (statistics.md, section 7).

Paired, where both models were scored on the same records: normal laws with the standard errors of
``paired.py``. Where a standard error is 0 the records carry no information about it, which is no
proof of equality; and below ``LEAST_COUNT`` expected false positives a bootstrap cannot see the
tail. Both times, and always for the advantage and for a baseline known by its aggregates only, the
difference of two intervals is taken.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import special

from privacy_gate.domain import Metric, Sizes, decimal
from privacy_gate.statistics.auc import Auc
from privacy_gate.statistics.difference import Bounds, Difference, DifferenceLaw, between, minus
from privacy_gate.statistics.log_mia import LogMia
from privacy_gate.statistics.metrics import Statistic, statistic
from privacy_gate.statistics.paired import (
    Pair,
    RecordScores,
    auc_error,
    discordance_bound,
    log_mia_error,
    rate_error,
)
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores

LEAST_COUNT = 5
"""Expected false positives from which on the bootstrap is used."""


def compare_paired(
    metric: Metric,
    pair: Pair,
    sizes: Sizes,
    *,
    level: float,
    holm_level: float,
    episode_size: int,
    generator: np.random.Generator,
) -> Difference:
    """The difference on the same records: ``level`` λ for each bound, ``holm_level`` λ/M."""
    judged = statistic(metric, episode_size)
    values = [
        judged.measure(model.ordered, level, level, sizes).estimate
        for model in (pair.candidate, pair.baseline)
    ]
    difference = minus(*values)
    law = None
    if difference is not None and uses_law(metric, sizes):
        law = _law(judged, pair, difference, generator)
    if law is None:
        found = _conservative(metric, pair, sizes, level, holm_level, episode_size)
        return _areas(found, pair, level, holm_level) if metric.name == "auc" else found
    return Difference(
        metric=metric,
        candidate=values[0],
        baseline=values[1],
        difference=difference,
        low=law.low(level),
        high=law.high(level),
        level=level,
        paired=True,
        method="asymptotic",
        law=law,
        counts={"standard_error": law.standard_error},
    )


def compare_bounds(
    metric: Metric,
    candidate: SortedScores,
    baseline: Bounds,
    sizes: Sizes,
    *,
    level: float,
    holm_level: float,
    episode_size: int,
) -> Difference:
    """The difference to a baseline of which only its bounds are known. The candidate gets the rest
    of each error; where the baseline has used up that of Holm, nothing can fail.

    Raises ``ValueError`` where the baseline has used up ``level`` itself.
    """
    if not baseline.level < level:
        raise ValueError("the baseline's bounds are less certain than this comparison")
    own = Bounds.of(
        metric,
        candidate,
        sizes,
        level - baseline.level,
        max(0.0, holm_level - baseline.holm_level),
        episode_size,
    )
    found = between(metric, own, baseline, paired=False)
    # rest and baseline add up to these, but for rounding, which must not decide about a level
    return replace(found, level=level, holm_level=holm_level)


def uses_law(metric: Metric, sizes: Sizes) -> bool:
    """Whether a paired comparison at these sizes rests on a normal law, where it can."""
    count = _expected(metric, sizes)
    return metric.name != "advantage" and (count is None or count >= LEAST_COUNT)


def same_model(
    metric: Metric, scores: SortedScores, sizes: Sizes, *, level: float, episode_size: int
) -> Difference:
    """A model compared with itself: no difference, whatever the records are."""
    value = statistic(metric, episode_size).measure(scores, level, level, sizes).estimate
    none = None if value is None else 0.0
    return Difference(metric, value, value, none, none, none, level, paired=True, method="exact")


def mcnemar(candidate_only: int, baseline_only: int) -> float:
    """Two-sided exact p-value of "both models call equally many" (McNemar 1947): under it each
    record that only one of them calls is a fair coin."""
    trials, fewer = candidate_only + baseline_only, min(candidate_only, baseline_only)
    return min(1.0, 2 * float(special.bdtr(fewer, trials, 0.5)))


def _conservative(
    metric: Metric, pair: Pair, sizes: Sizes, level: float, holm_level: float, episode_size: int
) -> Difference:
    first, second = (
        Bounds.of(metric, model.ordered, sizes, level / 2, holm_level / 2, episode_size)
        for model in (pair.candidate, pair.baseline)
    )
    return between(metric, first, second, paired=True, note=_note(metric, sizes))


def _note(metric: Metric, sizes: Sizes) -> str | None:
    if metric.name == "advantage" or uses_law(metric, sizes):
        return None
    return (
        f"fewer than {LEAST_COUNT} expected false positives, so the intervals of both models are"
        " subtracted"
    )


def _expected(metric: Metric, sizes: Sizes) -> float | None:
    """Expected records of the other side beyond the threshold; ``None`` for other metrics."""
    if metric.name not in ("tpr_at_fpr", "tnr_at_fnr"):
        return None
    setting = sizes.nonmembers if metric.name == "tpr_at_fpr" else sizes.members
    return float(decimal(float(metric.argument or 0.0)) * setting)


def _law(
    judged: Statistic, pair: Pair, difference: float, generator: np.random.Generator
) -> DifferenceLaw | None:
    """The normal law of the difference, ``None`` where there is none to trust."""
    lower = upper = difference
    error = 0.0
    if isinstance(judged, Auc):
        error = auc_error(pair)
    elif isinstance(judged, LogMia):
        error = log_mia_error(pair, judged)
    elif isinstance(judged, RateAtRate):
        sides = pair.swapped if judged.swap else pair
        allowed = judged.allowed_false_positives(sides.candidate.nonmembers.size)
        error = rate_error(sides, allowed, generator)
        lower = _stepped(sides.candidate, sides.baseline, allowed)
        upper = -_stepped(sides.baseline, sides.candidate, allowed)
    inside = -1 < lower <= upper < 1
    return DifferenceLaw(lower, upper, error) if error > 0 and inside else None


def _stepped(first: RecordScores, second: RecordScores, allowed: int) -> float:
    """The difference with one false positive fewer allowed to the first: the expected false
    positive rate above the (f + 1)-th largest of m, (f + 1)/(m + 1), exceeds f/m."""
    true = first.true_positives(allowed - 1) - second.true_positives(allowed)
    return true / first.members.size


def _areas(found: Difference, pair: Pair, level: float, holm_level: float) -> Difference:
    """The AUC's difference where its standard error is 0, exact. At difference 0 every record wins
    as often under both models, so that not one pair is ranked differently; else Hoeffding's bound:
    one comparison moves the difference by at most 2, and so many of them are independent."""
    pairs = min(pair.candidate.members.size, pair.candidate.nonmembers.size)
    difference = found.difference or 0.0

    def width(error: float) -> float:
        if difference == 0:
            return discordance_bound(pairs, error)
        return math.sqrt(2 * math.log(1 / error) / pairs)

    return Difference(
        metric=found.metric,
        candidate=found.candidate,
        baseline=found.baseline,
        difference=difference,
        low=max(-1.0, difference - width(level)),
        high=min(1.0, difference + width(level)),
        level=level,
        paired=True,
        method="exact",
        holm_low=difference - width(holm_level),
        holm_level=holm_level,
    )
