"""From measurements and budgets to verdicts: pure functions, the rules of a gate in one place.

pass: the upper bound is within the budget. fail: the lower bound is above it **and** the p-value
survives Holm over all checks of the configuration. inconclusive: everything else, NaN included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from privacy_gate.audit_checks import AuditedMetrics, audit_p_value, nothing_measured
from privacy_gate.domain import Change, Check, Measurement, Metric, Outcome, Sizes, Verdict
from privacy_gate.increases import beside_the_baseline, measured_increase
from privacy_gate.statistics.difference import Difference
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.multiplicity import holm
from privacy_gate.statistics.planning import characteristic
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.terms import PlannedCheck, Waiver
from privacy_gate.verdict_words import above, check_words

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
    characteristics: bool = True,
) -> list[Check]:
    """Judge all checks of one configuration together (Holm needs all of them).

    ``scores`` by attack name, of evaluation records. An attack in ``wrong_direction`` scores
    members below non-members: it is never a pass. ``differences`` to the baseline, by attack and
    metric, where there is one. ``audited``: what the overconfidence audit measured.
    Without ``characteristics`` the checks do not say what they can detect.
    """
    level = (1 - confidence) / 2
    holm_level = level / max(1, len(planned))
    known = differences or {}
    measured, p_values = [], []
    for check in planned:
        if check.metric.audited:
            value = (audited or {}).get((check.attack, check.metric))
            value = value or nothing_measured(check.metric, level)
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
            characteristics,
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
    characterised: bool = True,
) -> Check:
    """One check with its verdict and words. ``rejected``: its p-value survived Holm; ``sizes`` are
    its own, ``level`` is λ and ``holm_level`` λ/M; ``characterised``: with what it can detect."""
    verdict = _verdict(measured, planned.budget, rejected)
    if wrong_direction and verdict == "pass" and not planned.metric.audited:
        verdict, message, advice = WRONG_DIRECTION
    else:
        message, advice = check_words(planned, measured, verdict, p_value, sizes)
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
        warned=above(measured.estimate, planned.warn_at),
        estimate=measured.estimate,
        low=measured.low,
        high=measured.high,
        null=measured.null,
        null_p=measured.null_p,
        p_value=p_value,
        method=measured.method,
        counts=measured.counts,
        characteristic=characteristic(
            statistic(planned.metric, episode_size), planned.budget, level, holm_level, sizes
        )
        if characterised and planned.planned
        else None,
    )


def _verdict(measured: Measurement, budget: float, rejected: bool) -> Verdict:
    if measured.high is not None and measured.high <= budget:
        return "pass"
    if measured.low is not None and measured.low > budget and rejected:
        return "fail"
    return "inconclusive"


WRONG_DIRECTION: tuple[Verdict, str, str] = (
    "inconclusive",
    "The attack scores non-members above members (AUC credibly below 0.5), so a low value here is"
    " no sign of safety.",
    "Check that members and non-members are not exchanged, and that a higher score means member.",
)
"""Verdict, message and advice for what would pass if the attack did not point the wrong way."""
