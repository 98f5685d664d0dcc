"""Whether increases can be decided at these sizes: settled before any model is opened."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from privacy_gate.baseline.finding import Baseline
from privacy_gate.domain import Metric, Sizes
from privacy_gate.feasibility import MOSTLY_PASSES, RARELY_PASSES, Feasibility
from privacy_gate.statistics.asymptotic import normal_quantile
from privacy_gate.statistics.comparison import uses_law
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.planning import round_up
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict_words import metric_words

_SHARED = {"auc": 0.5, "log_mia": 0.3, "tpr_at_fpr": 0.1, "tnr_at_fnr": 0.1}
"""How the values of two models correlate when their scores correlate 0.5, as simulated by
``benchmarks/regression.py``: the further out in the tail, the less."""


def with_increases(
    found: Feasibility,
    checks: Sequence[PlannedCheck],
    sizes: Sizes,
    confidence: float,
    baseline: Baseline | None,
) -> Feasibility:
    """``found`` and what is to be said about the increases among the ``checks``.

    Against aggregates the chance of a model that leaks nothing is known, and less than a half is
    out of reach. Record by record it depends on how alike the two are: that is a caution only.
    """
    level = (1 - confidence) / 2
    impossible, cautions = dict(found.impossible), list(found.cautions)
    for check in checks:
        if baseline is None or not check.increase:
            continue
        own = check.sizes(sizes)
        if baseline.file is None or baseline.paired:
            cautions += _beside_a_model(check, own, level)
            continue
        bounds = baseline.file.bounds(check.attack, check.metric)
        if bounds is None or bounds.low is None:
            continue  # the check says so
        rest = level - bounds.level
        chance, smallest = _beside_bounds(check, own, rest, bounds.low)
        if chance < MOSTLY_PASSES:
            sentence = _sentence(check, own, chance, smallest)
            sentence += " The baseline's model file (baseline: {model: PATH}) needs less."
            if chance < RARELY_PASSES:
                impossible[check.id] = sentence
            else:
                cautions.append(sentence)
    return Feasibility(impossible, tuple(dict.fromkeys(cautions)))


def _beside_bounds(
    check: PlannedCheck, sizes: Sizes, level: float, low: float
) -> tuple[float, float]:
    """The chance of a model that leaks nothing, and the smallest increase it mostly stays within,
    where the baseline is known to be at least ``low``."""
    judged, limit = statistic(check.metric), check.budget + low
    chance = 1.0 if limit >= 1 else judged.pass_probability(limit, level, sizes)
    return chance, judged.smallest_budget(level, sizes, MOSTLY_PASSES) - low


def _beside_a_model(check: PlannedCheck, sizes: Sizes, level: float) -> list[str]:
    if not uses_law(check.metric, sizes):
        chance, smallest = _beside_bounds(check, sizes, level / 2, 0.0)
        alike = ""
    else:
        shared = _SHARED[check.metric.name]
        error = _single_error(check.metric, sizes, level) * math.sqrt(2 * (1 - shared))
        z = normal_quantile(level)
        chance = float(special.ndtr(check.budget / error - z))
        smallest = (z + normal_quantile(1 - MOSTLY_PASSES)) * error
        alike = ", if its scores correlate 0.5 with those of the baseline"
    return [] if chance >= MOSTLY_PASSES else [_sentence(check, sizes, chance, smallest, alike)]


def _single_error(metric: Metric, sizes: Sizes, level: float) -> float:
    """Standard error of one model's value without leakage."""
    spread = 1 / sizes.members + 1 / sizes.nonmembers
    if isinstance(metric.argument, float):
        return math.sqrt(metric.argument * (1 - metric.argument) * spread)
    judged = statistic(metric)
    # that budget is passed half of the time, so it lies one half-width above the value itself
    half_width = judged.smallest_budget(level, sizes, 0.5) - judged.true_value(0.0)
    return max(1e-6, half_width / normal_quantile(level))


def _sentence(
    check: PlannedCheck, sizes: Sizes, chance: float, smallest: float, alike: str = ""
) -> str:
    budget = round_up(max(smallest, 1e-3))
    cure = f"max_increase {budget:g} could" if budget < 1 else "no increase could"
    return (
        f"{metric_words(check.metric)}: an increase of at most {check.budget:g} over the baseline"
        f" cannot be certified with {sizes.members} + {sizes.nonmembers} evaluation records: a"
        f" model that leaks nothing passes with probability {chance:.2g}{alike}; {cure}."
    )
