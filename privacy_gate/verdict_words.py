"""What a check says: its numbers in a sentence, and what to do about them."""

from __future__ import annotations

from privacy_gate.audit_checks import audit_advice
from privacy_gate.domain import Measurement, Metric, Sizes, Verdict
from privacy_gate.increases import increase_words
from privacy_gate.registry import LABELS_ONLY, split_surface
from privacy_gate.statistics.log_mia import excess, leakage_word
from privacy_gate.statistics.planning import round_up
from privacy_gate.terms import PlannedCheck


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


def check_words(
    planned: PlannedCheck,
    measured: Measurement,
    verdict: Verdict,
    p_value: float | None,
    sizes: Sizes,
) -> tuple[str, str]:
    """Message and advice; the advice is empty where nothing is left to do."""
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
        if above(measured.estimate, planned.warn_at):
            message += (
                f" The estimate {measured.estimate:.3g} is above warn_at {planned.warn_at:g}."
            )
        return message, ""
    if verdict == "fail":
        chance = "" if p_value is None else f" (p = {p_value:.2g})"
        message = f"{name} is at least {low}, above the budget {budget}{chance}.{aside}"
        message += _reached(planned.attack)
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


def _reached(attack: str) -> str:
    """Where an attack that sees less, or more, than the scores that are shown found the leak."""
    base, surface = split_surface(attack)
    if surface == "raw":
        return " The leak is reached on the raw scores: what is shown of them only hides it."
    if surface == "averaged":
        return " The leak is reached by averaging repeated answers."
    if base in LABELS_ONLY:
        return " The leak is reached with labels only: no change of the scores hides it."
    return ""


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


def above(estimate: float | None, limit: float | None) -> bool:
    """Whether both are known and the first is larger."""
    return estimate is not None and limit is not None and estimate > limit
