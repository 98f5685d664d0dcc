"""What an attacker gets who sees labels only, scores, or the raw scores behind them."""

from __future__ import annotations

from collections.abc import Iterator

from privacy_gate.domain import AttackResult, Report
from privacy_gate.report.page.attacks import Table
from privacy_gate.report.page.values import NOTHING, clean, exact, figure, interval, share

_WORDS = {
    "labels": "labels only",
    "scores": "the scores that are shown",
    "averaged-scores": "the mean of repeated answers",
    "raw-scores": "the raw scores behind them",
    "features": "features of a hidden layer",
    "gradients": "the whole model",
}
"""Access -> what an attacker sees, the least first."""


def access_table(report: Report, prefix: str = "") -> Table | None:
    """One row a level of access with the attack that gets furthest there by AUC; ``None`` where
    all attacks see the same."""
    rows = tuple(_rows(report))
    if len(rows) < 2:
        return None
    columns = ("an attacker who sees", "strongest attack", "AUC", "TPR at FPR", "TNR at FNR")
    note = "The strongest attack of several looks stronger than it is; checks correct for that."
    return Table(f"{prefix}access", "By what an attacker sees", columns, rows, note)


def access_sentence(report: Report) -> str:
    """``labels only: AUC 0.91 (noise-robustness); …``; empty where all attacks see the same."""
    parts = [
        f"{words}: AUC {figure(found.auc.estimate)} ({clean(found.name)})"
        for words, found in _strongest(report)
        if found.auc is not None
    ]
    return "; ".join(parts) if len(parts) > 1 else ""


def _strongest(report: Report) -> Iterator[tuple[str, AttackResult]]:
    ran = [attack for attack in report.attacks if attack.status == "ran" and attack.auc is not None]
    for access, words in _WORDS.items():
        found = [attack for attack in ran if attack.access == access]
        if found:
            yield words, max(found, key=lambda attack: attack.auc.estimate if attack.auc else 0.0)


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    for words, attack in _strongest(report):
        area = attack.auc
        rates = [
            f"{exact(found[0].get(key))}: {share(found[0])}" if found else NOTHING
            for key, found in (("fpr", attack.tpr_at_fpr), ("fnr", attack.tnr_at_fnr))
        ]
        shown = NOTHING if area is None else interval(area.estimate, area.low, area.high)
        yield words, clean(attack.name), shown, *rates
