"""From measurements and budgets to verdicts: pure functions, the rules of a gate in one place.

pass: the upper bound is within the budget. fail: the lower bound is above it **and** the p-value
survives Holm over all checks of the configuration. inconclusive: everything else, NaN included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from privacy_gate.audit_checks import (
    AuditedMetrics,
    audit_advice,
    audit_p_value,
    nothing_measured,
)
from privacy_gate.domain import Change, Check, Measurement, Metric, Outcome, Sizes, Verdict
from privacy_gate.increases import beside_the_baseline, increase_words, measured_increase
from privacy_gate.statistics.difference import Difference
from privacy_gate.statistics.log_mia import excess, leakage_word
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.multiplicity import holm
from privacy_gate.statistics.planning import characteristic, round_up
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.terms import PlannedCheck, Waiver

DIRECTION_LEVEL = 0.001
"""Error, over all attacks, of calling an AUC below 0.5 a wrong direction."""


def judge(
    planned: Sequence[PlannedCheck],
    scores: Mapping[str, SortedScores],
    sizes: Sizes,
    *,
    confidence: float,
    episode_size: int = 15,
    wrong_direction: Collection[str] = (),
    differences: Mapping[tuple[str, Metric], Difference] | None = None,
    audited: AuditedMetrics | None = None,
) -> list[Check]:
    """Judge all checks of one configuration together (Holm needs all of them).

    ``scores`` by attack name, of evaluation records. An attack in ``wrong_direction`` scores
    members below non-members: it is never a pass. ``differences`` to the baseline, by attack and
    metric, where there is one. ``audited``: what the overconfidence audit measured.
    """
    level = (1 - confidence) / 2
    holm_level = level / max(1, len(planned))
    known = differences or {}
    measured, p_values = [], []
    for check in planned:
        if check.metric.audited:
            value = (audited or {}).get((check.attack, check.metric))
            value = value or nothing_measured(check.metric, level, "no audit measured it")
            measured.append(value)
            p_values.append(audit_p_value(value, check.budget))
            continue
        judged = statistic(check.metric, episode_size)
        of_attack = scores[check.attack]
        own = check.sizes(sizes)
        if check.increase:
            found = known.get((check.attack, check.metric))
            measured.append(measured_increase(check, found, own, level))
            p_values.append(1.0 if found is None else found.p_value(check.budget))
            continue
        measured.append(judged.measure(of_attack, level, holm_level, own))
        p_values.append(judged.p_value(of_attack, check.budget, holm_level, own))
    rejected = holm(p_values, level)
    checks = [
        judged_check(
            *row,
            row[0].sizes(sizes),
            level,
            holm_level,
            episode_size,
            row[0].attack in wrong_direction,
        )
        for row in zip(planned, measured, p_values, rejected, strict=True)
    ]
    return [
        beside_the_baseline(
            check, plan, value, known.get((plan.attack, plan.metric)), sizes, episode_size
        )
        for check, plan, value in zip(checks, planned, measured, strict=True)
    ]


def apply_waivers(
    checks: Iterable[Check],
    waivers: Iterable[Waiver],
    today: date,
    wrong_direction: Collection[str] = (),
) -> list[Check]:
    """The checks, those that failed or are undecided ``waived`` where a waiver is valid ``today``.

    Never those of an attack in ``wrong_direction``: these say that something else is broken.
    """
    valid = {waiver.check: waiver for waiver in waivers if today <= waiver.until}
    return [
        replace(check, verdict="waived", waiver=valid[check.id].facts())
        if check.id in valid
        and check.verdict in ("fail", "inconclusive")
        and check.attack not in wrong_direction
        else check
        for check in checks
    ]


def outcome(checks: Sequence[Check], changes: Iterable[Change] = ()) -> Outcome:
    """The verdict of a run. No checks, or a check without a verdict, is never a pass, nor is one
    that is waived; a blocking change of the terms is a fail."""
    verdicts = {check.verdict for check in checks}
    if "fail" in verdicts or any(change.blocking for change in changes):
        return "fail"
    return "pass" if verdicts == {"pass"} else "inconclusive"


def tolerated(
    checks: Iterable[Check], inconclusive: bool, wrong_direction: Collection[str] = ()
) -> bool:
    """Whether there are undecided or waived checks and all of them are tolerated: waived, or
    undecided where ``inconclusive`` says so and the attack points the right way."""
    open_ones = [check for check in checks if check.verdict in ("inconclusive", "waived")]
    return bool(open_ones) and all(
        check.verdict == "waived" or (inconclusive and check.attack not in wrong_direction)
        for check in open_ones
    )


def wrong_directions(scores: Mapping[str, SortedScores]) -> frozenset[str]:
    """Attacks whose AUC lies credibly below 0.5 (Holm over the attacks, 0.001)."""
    from privacy_gate.statistics.auc import Auc

    names = list(scores)
    rejected = holm([Auc().p_below_half(scores[name]) for name in names], DIRECTION_LEVEL)
    return frozenset(name for name, below in zip(names, rejected, strict=True) if below)


def judged_check(
    planned: PlannedCheck,
    measured: Measurement,
    p_value: float | None,
    rejected: bool,
    sizes: Sizes,
    level: float,
    holm_level: float,
    episode_size: int,
    wrong_direction: bool,
) -> Check:
    """One check with its verdict and words. ``rejected``: its p-value survived Holm; ``sizes`` are
    its own, ``level`` is λ and ``holm_level`` λ/M."""
    verdict = _verdict(measured, planned.budget, rejected)
    if wrong_direction and verdict == "pass" and not planned.metric.audited:
        verdict, message, advice = WRONG_DIRECTION
    else:
        message, advice = _words(planned, measured, verdict, p_value, sizes)
    return Check(
        id=planned.id,
        attack=planned.attack,
        metric=planned.metric.name,
        arguments=planned.metric.arguments,
        budget=planned.budget,
        line=planned.line,
        path=planned.path,
        increase=planned.increase,
        verdict=verdict,
        message=message,
        advice=advice,
        warned=_above(measured.estimate, planned.warn_at),
        estimate=measured.estimate,
        low=measured.low,
        high=measured.high,
        null=measured.null,
        null_p=measured.null_p,
        p_value=p_value,
        method=measured.method,
        counts=measured.counts,
        characteristic=None
        if not planned.planned
        else characteristic(
            statistic(planned.metric, episode_size), planned.budget, level, holm_level, sizes
        ),
    )


def _verdict(measured: Measurement, budget: float, rejected: bool) -> Verdict:
    if measured.high is not None and measured.high <= budget:
        return "pass"
    if measured.low is not None and measured.low > budget and rejected:
        return "fail"
    return "inconclusive"


def _above(estimate: float | None, limit: float | None) -> bool:
    return estimate is not None and limit is not None and estimate > limit


WRONG_DIRECTION: tuple[Verdict, str, str] = (
    "inconclusive",
    "The attack scores non-members above members (AUC credibly below 0.5), so a low value here is"
    " no sign of safety.",
    "Check that members and non-members are not exchanged, and that a higher score means member.",
)
"""Verdict, message and advice for what would pass if the attack did not point the wrong way."""


def metric_words(metric: Metric) -> str:
    """The metric as it reads in a sentence."""
    if metric.name == "tpr_at_fpr":
        return f"TPR at FPR {metric.argument:g}"
    if metric.name == "tnr_at_fnr":
        return f"TNR at FNR {metric.argument:g}"
    if metric.name == "log_mia":
        return f"Log-MIA (regime {str(metric.argument).upper()})"
    if metric.name == "ood_fpr":
        return f"The share of {metric.argument} records called members"
    return {"auc": "AUC", "advantage": "Advantage", "ece": "ECE"}[metric.name]


def _words(
    planned: PlannedCheck,
    measured: Measurement,
    verdict: Verdict,
    p_value: float | None,
    sizes: Sizes,
) -> tuple[str, str]:
    name, budget = metric_words(planned.metric), f"{planned.budget:g}"
    if planned.increase:
        return increase_words(name, planned, measured, verdict, p_value, sizes)
    if measured.estimate is None or measured.low is None or measured.high is None:
        cure = "" if planned.metric.audited else "Add evaluation records."
        return f"{name} cannot be measured: {measured.note}.", cure
    low, high = f"{measured.low:.3g}", f"{measured.high:.3g}"
    aside = _beside_the_null(measured)
    if verdict == "pass":
        message = f"{name} is at most {high}, within the budget {budget}.{aside}"
        if _above(measured.estimate, planned.warn_at):
            message += (
                f" The estimate {measured.estimate:.3g} is above warn_at {planned.warn_at:g}."
            )
        return message, ""
    if verdict == "fail":
        chance = "" if p_value is None else f" (p = {p_value:.2g})"
        message = f"{name} is at least {low}, above the budget {budget}{chance}.{aside}"
        if planned.metric.audited:
            return message, audit_advice(planned.metric, verdict)
        return message, (
            "The model gives members away. Train with less memorisation (earlier stopping,"
            " regularisation, clean labels, differential privacy), then run the gate again."
        )
    message = (
        f"{name} lies in [{low}, {high}]: that does not decide about the budget {budget}.{aside}"
    )
    if planned.metric.audited:
        return message, audit_advice(planned.metric, verdict)
    return message, _cure(planned, measured, sizes)


def _beside_the_null(measured: Measurement) -> str:
    """Log-MIA is never shown without its value under no leakage, which is not 0."""
    word = leakage_word(measured) if measured.metric.name == "log_mia" else None
    if word is None or measured.estimate is None or measured.null is None:
        return ""
    above = excess(measured.estimate, measured.null)
    return f" Without leakage it is {measured.null:.3f}; excess {above:+.2f}: {word}."


def _cure(planned: PlannedCheck, measured: Measurement, sizes: Sizes) -> str:
    """What would decide, in numbers: intervals shrink like one over the root of the records."""
    estimate, low, high = measured.estimate, measured.low, measured.high
    if estimate is None or low is None or high is None:
        return ""
    have = min(sizes.members, sizes.nonmembers)
    if low > planned.budget:
        return (
            "The lower bound is above the budget, but not after the correction for all checks: use"
            " fewer budgets or more evaluation records."
        )
    smallest = round_up(high)
    possible = f"a budget of {smallest:g}" if smallest < 1 else "no budget below 1"
    certifiable = f"{possible} would pass with these"
    gap = planned.budget - estimate
    width = high - estimate if gap > 0 else estimate - low
    if gap == 0 or width <= 0:
        return f"More records alone would hardly decide it; {certifiable}."
    records = round_up(have * (width / abs(gap)) ** 2)
    decided = "pass" if gap > 0 else "fail"
    if records > 100 * have:
        return f"More records alone would hardly decide it; {certifiable}."
    return (
        f"If the estimate {estimate:.3g} holds, about {max(records, have):,.0f} evaluation records"
        f" a side would decide it ({decided}); there are {sizes.members} + {sizes.nonmembers};"
        f" {certifiable}."
    )
