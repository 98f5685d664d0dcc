"""What is said about the difference of a model to its baseline: the comparison, its words, and the
tighter budget that a better model deserves."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from privacy_gate.domain import Check, Comparison, Measurement, Sizes, Verdict
from privacy_gate.statistics.difference import Difference
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.planning import round_up
from privacy_gate.terms import PlannedCheck

_POWER = 0.95


def comparison(found: Difference) -> Comparison | None:
    """The difference as a check shows it, ``None`` where nothing could be compared."""
    if found.difference is None or found.low is None or found.high is None:
        return None
    word: Literal["within noise", "higher", "lower"] = "within noise"
    if found.low > 0:
        word = "higher"
    elif found.high < 0:
        word = "lower"
    return Comparison(
        estimate=found.baseline,
        difference=found.difference,
        low=found.low,
        high=found.high,
        paired=found.paired,
        method=found.method,
        word=word,
    )


def measured_increase(
    planned: PlannedCheck, found: Difference | None, sizes: Sizes, level: float
) -> Measurement:
    """The difference as what an increase check measures; without one, nothing is measured."""
    if found is None:
        note = f"the baseline has no {planned.metric} of the attack {planned.attack}"
        return Measurement(planned.metric, None, None, None, level, "exact", note=note)
    return Measurement(
        metric=planned.metric,
        estimate=found.difference,
        low=found.low,
        high=found.high,
        level=level,
        method=found.method,
        counts={
            "members": sizes.members,
            "nonmembers": sizes.nonmembers,
            "level": level,
            "paired": int(found.paired),
            **found.counts,
        },
        note=found.note,
    )


def increase_words(
    name: str,
    planned: PlannedCheck,
    measured: Measurement,
    verdict: Verdict,
    p_value: float | None,
    sizes: Sizes,
) -> tuple[str, str]:
    """Message and advice of an increase check; ``name`` is the metric in words."""
    if measured.estimate is None or measured.low is None or measured.high is None:
        note = measured.note or "one of the two could not be measured"
        return f"{name} cannot be compared: {note}.", _UPDATE
    budget, low, high = f"{planned.budget:g}", f"{measured.low:.3g}", f"{measured.high:.3g}"
    if verdict == "pass":
        if measured.high <= 0:
            return f"{name} did not rise over the baseline; {budget} is tolerated.", ""
        return f"{name} rose by at most {high} over the baseline, within {budget}.", ""
    if verdict == "fail":
        chance = "" if p_value is None else f" (p = {p_value:.2g})"
        return f"{name} rose by at least {low} over the baseline, more than {budget}{chance}.", (
            "Find out what changed in the training since the baseline: data, epochs,"
            " regularisation. If the increase is meant, have the baseline updated."
        )
    message = (
        f"{name} differs from the baseline by {measured.estimate:+.3g}, in [{low}, {high}]: that"
        f" does not decide about an increase of {budget}."
    )
    if measured.note:
        message += f" There are {measured.note}."
    return message, _cure(planned, measured, sizes)


_UPDATE = "Make a new baseline: privacy-gate baseline update."


def _cure(planned: PlannedCheck, measured: Measurement, sizes: Sizes) -> str:
    """What would decide: a paired comparison, more records, or a larger budget."""
    estimate, low, high = measured.estimate, measured.low, measured.high
    if estimate is None or low is None or high is None:
        return _UPDATE
    if low > planned.budget:
        return (
            "The lower bound is above the budget, but not after the correction for all checks: use"
            " fewer budgets or more evaluation records."
        )
    paired = (
        ""
        if measured.counts.get("paired", 1)
        else " Compared record by record, with the baseline's model file (baseline: {model: PATH}),"
        " fewer would do."
    )
    smallest = round_up(high)
    certifiable = f"max_increase {smallest:g} would pass with these." if smallest < 1 else ""
    gap = planned.budget - estimate
    have = min(sizes.members, sizes.nonmembers)
    width = high - estimate if gap > 0 else estimate - low
    records = have * (width / abs(gap)) ** 2 if gap else float("inf")
    if not records <= 100 * have:
        return f"More records alone would hardly decide it; {certifiable}{paired}".strip()
    decided = "pass" if gap > 0 else "fail"
    return (
        f"If the difference {estimate:+.3g} holds, about {max(round_up(records), have):,.0f}"
        f" evaluation records a side would decide it ({decided}); there are {sizes.members} +"
        f" {sizes.nonmembers}. {certifiable}{paired}"
    ).strip()


def beside_the_baseline(
    check: Check,
    planned: PlannedCheck,
    measured: Measurement,
    found: Difference | None,
    sizes: Sizes,
    episode_size: int,
) -> Check:
    """The check with its comparison, if there is one, and with advice if the model got better."""
    compared = None if found is None else comparison(found)
    return with_comparison(check, planned, measured, compared, sizes, episode_size)


def with_comparison(
    check: Check,
    planned: PlannedCheck,
    measured: Measurement,
    compared: Comparison | None,
    sizes: Sizes,
    episode_size: int,
) -> Check:
    """The same with a comparison that is made already."""
    better = compared is not None and compared.word == "lower"
    advice = check.advice
    if better and check.verdict == "pass" and not planned.increase:
        advice = _tighter(planned, measured, planned.sizes(sizes), episode_size) or advice
    return replace(check, baseline=compared, advice=advice)


def _tighter(planned: PlannedCheck, measured: Measurement, sizes: Sizes, episode_size: int) -> str:
    """The smallest budget that these fixtures can still certify (power 0.95) and that holds here;
    empty where the present budget is no larger."""
    if measured.high is None:
        return ""
    judged = statistic(planned.metric, episode_size)
    certifiable = judged.smallest_budget(measured.level, sizes, _POWER)
    budget = round_up(max(certifiable, measured.high))
    if not budget < planned.budget:
        return ""
    return f"Got better: tighten the budget to {budget:g}."
