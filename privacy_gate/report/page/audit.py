"""The overconfidence audit as a page and a comment show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privacy_gate.domain import Report
from privacy_gate.report.page.attacks import Table
from privacy_gate.report.page.values import (
    NOTHING,
    entries,
    exact,
    figure,
    number,
    section,
    share,
    text,
)

_GROUPS = ("tp", "fp", "fn", "tn")
_SIDES = (("members", "members"), ("nonmembers", "non-members"))


@dataclass(frozen=True, slots=True)
class AuditView:
    """``sentences`` are (attack, sentence), the attack with most false alarms first."""

    lead: str
    sentences: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def audit_view(report: Report, prefix: str = "") -> AuditView | None:
    """The audit, ``None`` where there is none; ids start with ``prefix``."""
    found = report.overconfidence
    if found is None:
        return None
    attacks = worst_attacks(report)
    lead = (
        f"Thresholds are set on {exact(found.get('calibration_nonmembers'))} calibration"
        f" non-members for an FPR of {exact(found.get('target_fpr'))}. Nobody trained on"
        f" any record below; {exact(found.get('queries'))} more of them went through the model."
        " No verdict depends on this unless a budget says so."
    )
    tables = (
        _false_alarms(found, attacks, f"{prefix}audit-fpr"),
        _confidences(attacks, f"{prefix}audit-groups"),
        _errors(found, f"{prefix}audit-errors"),
    )
    return AuditView(
        lead,
        tuple((text(attack, "name"), text(attack, "sentence")) for attack in attacks),
        tuple(table for table in tables if table.rows),
        tuple(_notes(found)),
    )


def worst_attacks(report: Report) -> list[Mapping[str, Any]]:
    """The audited attacks, the one with the highest share of false alarms on any set first."""
    return sorted(entries(report.overconfidence, "attacks"), key=lambda found: -_worst(found))


def errors_words(report: Report) -> str:
    """Both calibration errors of both sides in one line; empty where there are none."""
    found = report.overconfidence
    parts = [
        f"{name} {share(section(section(found, key), 'members'))} (members),"
        f" {share(section(section(found, key), 'nonmembers'))} (non-members)"
        for key, name in (("ece", "ECE"), ("overconfidence_error", "overconfidence error"))
        if section(section(found, key), "members")
    ]
    return "; ".join(parts)


def _worst(attack: Mapping[str, Any]) -> float:
    away = [one for one in entries(attack, "sets") if one.get("name") != "nonmembers"]
    return max((number(section(one, "fpr").get("estimate")) or 0.0 for one in away), default=-1.0)


def _false_alarms(
    found: Mapping[str, Any], attacks: Sequence[Mapping[str, Any]], identifier: str
) -> Table:
    """One row a set, one column an attack."""
    rates = [
        {text(one, "name"): share(section(one, "fpr")) for one in entries(attack, "sets")}
        for attack in attacks
    ]
    rows = tuple(
        (
            text(tried, "name"),
            text(tried, "words"),
            exact(tried.get("records")),
            text(tried, "labels"),
            _confidence(tried.get("mean_confidence")),
            *(of_attack.get(text(tried, "name"), NOTHING) for of_attack in rates),
        )
        for tried in entries(found, "sets")
    )
    names = (text(attack, "name") for attack in attacks)
    columns = ("set", "what", "records", "labels", "mean confidence", *names)
    note = (
        "The share of each set that is called members, with an exact interval. labels: attacks that"
        " read labels are given the record's own, or the one that the model predicts."
    )
    return Table(identifier, "False alarms", columns, rows, note)


def _confidences(attacks: Sequence[Mapping[str, Any]], identifier: str) -> Table:
    rows = tuple(
        (
            text(attack, "name"),
            *(_confidence(section(attack, "groups").get(group)) for group in _GROUPS),
        )
        for attack in attacks
        if section(attack, "groups")
    )
    columns = ("attack", "true positives", "false positives", "false negatives", "true negatives")
    note = "Evaluation members and non-members; a group without a record has none."
    return Table(identifier, "Mean largest probability", columns, rows, note)


def _errors(found: Mapping[str, Any], identifier: str) -> Table:
    ece, over = section(found, "ece"), section(found, "overconfidence_error")
    rows = tuple(
        (
            words,
            exact(section(ece, side).get("records")),
            share(section(ece, side)),
            share(section(over, side)),
        )
        for side, words in _SIDES
        if section(ece, side)
    )
    columns = ("evaluation", "records", "expected calibration error", "overconfidence error")
    note = (
        f"{exact(found.get('bins'))} bins; asymptotic intervals. A calibrated model can leak, and a"
        " model that does not leak can be badly calibrated."
    )
    return Table(identifier, "Calibration", columns, rows, note)


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    """What was not tried, and what the model had no answer to."""
    for tried in entries(found, "sets"):
        if number(tried.get("not_finite")):
            yield (
                f"{text(tried, 'name')}: the model has no finite answer to"
                f" {exact(tried.get('not_finite'))} of {exact(tried.get('records'))} records; they"
                " count as false alarms in upper bounds only."
            )
    for missing in entries(found, "missing"):
        yield f"{text(missing, 'name')}: not tried, {text(missing, 'reason')}."
    for attack in entries(found, "left_out"):
        yield f"{text(attack, 'name')}: left out, {text(attack, 'reason')}."


def _confidence(value: Any) -> str:
    """A mean probability, which rounding must not make certain."""
    found = number(value)
    return "> 0.999" if found is not None and 0.9995 <= found < 1 else figure(found)
