"""The attacks of a report as one table: what each measured, and which did not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from privacy_gate.domain import AttackResult, Report
from privacy_gate.report.comment.audit import table_part
from privacy_gate.report.comment.escape import code, text
from privacy_gate.report.comment.markup import folded, joined, table
from privacy_gate.report.page.access import access_table
from privacy_gate.report.page.values import NOTHING, exact, figure, interval, number, share
from privacy_gate.report.page.values import text as value

_HEADER = ("attack", "family", "AUC", "TPR at FPR", "TNR at FNR", "Log-MIA A (null)")


def attack_part(report: Report) -> str:
    """A folded table, what is to be said of single attacks, and what each level of access gets."""
    attacks = report.attacks
    rows = [
        (
            code(attack.name),
            code(attack.family, 40),
            _area(attack),
            _first(attack.tpr_at_fpr, "fpr"),
            _first(attack.tnr_at_fnr, "fnr"),
            _log_mia(attack),
        )
        for attack in attacks
    ]
    notes = [f"- {code(attack.name)}: {text(_note(attack))}" for attack in attacks if _note(attack)]
    access = access_table(report)
    levels = "" if access is None else table_part(access)
    body = joined([levels, table(_HEADER, rows), "\n".join(notes)]) if rows else ""
    return folded(f"Attacks ({len(attacks)})", body)


def _area(attack: AttackResult) -> str:
    if attack.status != "ran":
        return "not run"
    area = attack.auc
    return NOTHING if area is None else text(interval(area.estimate, area.low, area.high))


def _first(rates: Sequence[Mapping[str, Any]], key: str) -> str:
    """The value at the first budgeted rate; a rate below one record cannot be observed."""
    if not rates:
        return NOTHING
    found = rates[0]
    shown = "not observable" if found.get("observable") is False else share(found)
    return text(f"{exact(found.get(key))}: {shown}")


def _log_mia(attack: AttackResult) -> str:
    for found in attack.log_mia:
        if found.get("regime") == "a" and number(found.get("episode_mean")) is not None:
            null = figure(found.get("episode_null_mean"))
            return text(f"{figure(found.get('episode_mean'))} ({null})")
    return NOTHING


def _note(attack: AttackResult) -> str:
    if attack.status != "ran":
        return f"not run: {attack.reason or 'no reason recorded'}"
    return value(attack.few_shot, "title")
