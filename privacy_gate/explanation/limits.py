"""What a budget tolerates, in a sentence."""

from __future__ import annotations

from privacy_gate.domain import Metric, decimal
from privacy_gate.statistics.log_mia import LogMia
from privacy_gate.terms import PlannedCheck


def shares(rate: float) -> str:
    """``0.01`` -> "1 in 100", ``0.0005`` -> "5 in 10,000": as the user wrote it, exactly."""
    scale = 100
    while decimal(rate) * scale % 1 and scale < 10**9:
        scale *= 10
    return f"{(decimal(rate) * scale).normalize():,f} in {scale:,}"


def limit_sentence(check: PlannedCheck, confidence: float) -> str:
    """What the check tolerates, and how sure the gate has to be of it."""
    sure = f"confidence {confidence * 100:g} %"
    if check.increase:
        return (
            f"Compared with the baseline, {_quantity(check.metric)} may grow by at most"
            f" {_amount(check.metric, check.budget)}; {sure}."
        )
    limit, aside = _VALUE[check.metric.name](check.metric, check.budget)
    return f"{limit}; {sure}.{aside}"


def warning_sentence(check: PlannedCheck) -> str:
    """From where on an estimate is reported as a warning; empty where it never is."""
    if check.warn_at is None:
        return ""
    return (
        f"A measured value above {_amount(check.metric, check.warn_at)} is shown as a warning;"
        " the verdict stays."
    )


def _tpr(metric: Metric, budget: float) -> tuple[str, str]:
    return (
        f"When {_mistaken(metric)} wrongly called a member, at most {shares(budget)} members may be"
        " recognised",
        "",
    )


def _tnr(metric: Metric, budget: float) -> tuple[str, str]:
    return (
        f"When {_mistaken(metric)} wrongly called an outsider, at most {shares(budget)} outsiders"
        " may be recognised as such",
        "",
    )


def _log_mia(metric: Metric, budget: float) -> tuple[str, str]:
    measured = _log_mia_of(metric)
    return (
        f"In random line-ups of {measured.size} members and {measured.size} outsiders, most"
        f" suspicious first, the number of members before the {_ordinal(measured.cap + 1)} outsider"
        f" may reach {budget:g} on average, on a logarithmic scale from 0 (none) to 1 (all)",
        f" Without any leakage it is {measured.null_mean:.2f}.",
    )


def _auc(metric: Metric, budget: float) -> tuple[str, str]:
    return (
        "Shown one member and one outsider, an attack may tell which is which in at most"
        f" {shares(budget)} cases",
        " Guessing gives 50 in 100.",
    )


def _advantage(metric: Metric, budget: float) -> tuple[str, str]:
    return (
        "Wherever an attack draws the line, the share of members it recognises may exceed the share"
        f" of outsiders it wrongly calls members by at most {shares(budget)}",
        "",
    )


def _ood_fpr(metric: Metric, budget: float) -> tuple[str, str]:
    return (
        f"Of the records of the set {metric.argument}, which nobody trained on, at most"
        f" {shares(budget)} may be called members",
        "",
    )


def _ece(metric: Metric, budget: float) -> tuple[str, str]:
    return (
        "The model's confidence may differ from the share of its answers that are right by at most"
        f" {shares(budget)} on average, on records it was not trained on",
        "",
    )


_VALUE = {
    "tpr_at_fpr": _tpr,
    "tnr_at_fnr": _tnr,
    "log_mia": _log_mia,
    "auc": _auc,
    "advantage": _advantage,
    "ood_fpr": _ood_fpr,
    "ece": _ece,
}


def _quantity(metric: Metric) -> str:
    """The metric as the subject of a sentence."""
    if metric.name == "tpr_at_fpr":
        return f"the share of members recognised when {_mistaken(metric)} wrongly called a member"
    if metric.name == "tnr_at_fnr":
        return (
            f"the share of outsiders recognised when {_mistaken(metric)} wrongly called an outsider"
        )
    if metric.name == "log_mia":
        before = _ordinal(_log_mia_of(metric).cap + 1)
        return f"the Log-MIA value (members before the {before} outsider, on a scale from 0 to 1)"
    return {
        "auc": "the share of pairs in which member and outsider are told apart",
        "advantage": "the largest excess of recognised members over wrongly called outsiders",
    }[metric.name]


def _mistaken(metric: Metric) -> str:
    """ "1 in 100 outsiders is", "5 in 100 members are"."""
    rate = shares(float(metric.argument or 0.0))
    whom = "outsiders" if metric.name == "tpr_at_fpr" else "members"
    return f"{rate} {whom} {'is' if rate.startswith('1 ') else 'are'}"


def _amount(metric: Metric, value: float) -> str:
    return f"{value:g}" if metric.name == "log_mia" else shares(value)


def _log_mia_of(metric: Metric) -> LogMia:
    return LogMia("a" if metric.argument == "a" else "b")


def _ordinal(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth")
    return words[number - 1] if number <= len(words) else f"{number}th"
