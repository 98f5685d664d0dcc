"""From measurements and budgets to verdicts: pure functions, the rules of a gate in one place.

pass: the upper bound is within the budget. fail: the lower bound is above it **and** the p-value
survives Holm over all checks of the configuration. inconclusive: everything else, NaN included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from privacy_gate.domain import Check, Measurement, Metric, Outcome, Sizes, Verdict
from privacy_gate.statistics.log_mia import excess, leakage_word
from privacy_gate.statistics.metrics import statistic
from privacy_gate.statistics.multiplicity import holm
from privacy_gate.statistics.planning import characteristic, round_up
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.terms import PlannedCheck

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
) -> list[Check]:
    """Judge all checks of one configuration together (Holm needs all of them).

    ``scores`` by attack name, of evaluation records. An attack in ``wrong_direction`` scores
    members below non-members: it is never a pass.
    """
    level = (1 - confidence) / 2
    holm_level = level / len(planned)
    measured, p_values = [], []
    for check in planned:
        judged = statistic(check.metric, episode_size)
        of_attack = scores[check.attack]
        own = check.sizes(sizes)
        measured.append(judged.measure(of_attack, level, holm_level, own))
        p_values.append(judged.p_value(of_attack, check.budget, holm_level, own))
    rejected = holm(p_values, level)
    return [
        _check(
            *row,
            row[0].sizes(sizes),
            level,
            holm_level,
            episode_size,
            row[0].attack in wrong_direction,
        )
        for row in zip(planned, measured, p_values, rejected, strict=True)
    ]


def outcome(checks: Sequence[Check]) -> Outcome:
    """The verdict of a run. No checks, or a check without a verdict, is never a pass."""
    verdicts = {check.verdict for check in checks}
    if "fail" in verdicts:
        return "fail"
    if not checks or "not_run" in verdicts:
        return "inconclusive"
    if "inconclusive" in verdicts:
        return "inconclusive"
    return "pass"


def wrong_directions(scores: Mapping[str, SortedScores]) -> frozenset[str]:
    """Attacks whose AUC lies credibly below 0.5 (Holm over the attacks, 0.001)."""
    from privacy_gate.statistics.auc import Auc

    names = list(scores)
    rejected = holm([Auc().p_below_half(scores[name]) for name in names], DIRECTION_LEVEL)
    return frozenset(name for name, below in zip(names, rejected, strict=True) if below)


def _check(
    planned: PlannedCheck,
    measured: Measurement,
    p_value: float,
    rejected: bool,
    sizes: Sizes,
    level: float,
    holm_level: float,
    episode_size: int,
    wrong_direction: bool,
) -> Check:
    verdict = _verdict(measured, planned.budget, rejected)
    if wrong_direction and verdict == "pass":
        verdict, message, advice = _WRONG_DIRECTION
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
        characteristic=characteristic(
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


_WRONG_DIRECTION: tuple[Verdict, str, str] = (
    "inconclusive",
    "The attack scores non-members above members (AUC credibly below 0.5), so a low value here is"
    " no sign of safety.",
    "Check that members and non-members are not exchanged, and that a higher score means member.",
)


def metric_words(metric: Metric) -> str:
    """The metric as it reads in a sentence."""
    if metric.name == "tpr_at_fpr":
        return f"TPR at FPR {metric.argument:g}"
    if metric.name == "tnr_at_fnr":
        return f"TNR at FNR {metric.argument:g}"
    if metric.name == "log_mia":
        return f"Log-MIA (regime {str(metric.argument).upper()})"
    return {"auc": "AUC", "advantage": "Advantage"}[metric.name]


def _words(
    planned: PlannedCheck, measured: Measurement, verdict: Verdict, p_value: float, sizes: Sizes
) -> tuple[str, str]:
    name, budget = metric_words(planned.metric), f"{planned.budget:g}"
    if measured.estimate is None or measured.low is None or measured.high is None:
        return f"{name} cannot be measured: {measured.note}.", "Add evaluation records."
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
        message = f"{name} is at least {low}, above the budget {budget} (p = {p_value:.2g}).{aside}"
        return message, (
            "The model gives members away. Train with less memorisation (earlier stopping,"
            " regularisation, clean labels, differential privacy), then run the gate again."
        )
    message = (
        f"{name} lies in [{low}, {high}]: that does not decide about the budget {budget}.{aside}"
    )
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
        return f"The estimate lies at the budget; {certifiable}."
    records = round_up(have * (width / abs(gap)) ** 2)
    decided = "pass" if gap > 0 else "fail"
    if records > 100 * have:
        return f"The estimate lies at the budget; {certifiable}."
    return (
        f"If the estimate {estimate:.3g} holds, about {max(records, have):,.0f} evaluation records"
        f" a side would decide it ({decided}); there are {sizes.members} + {sizes.nonmembers};"
        f" {certifiable}."
    )
