"""The overconfidence audit as one folded part."""

from __future__ import annotations

from privacy_gate.domain import Report
from privacy_gate.report.comment.escape import code, text
from privacy_gate.report.comment.markup import folded, joined, table
from privacy_gate.report.page.attacks import Table
from privacy_gate.report.page.audit import audit_view


def audit_part(report: Report) -> str:
    """Sentences and tables; empty where there was no audit."""
    view = audit_view(report)
    if view is None:
        return ""
    lines = [f"- {code(attack)}: {text(sentence)}" for attack, sentence in view.sentences]
    lines += [f"- {text(note)}" for note in view.notes]
    tables = map(table_part, view.tables)
    body = joined([text(view.lead), "\n".join(lines), *tables])
    return folded("Overconfidence: false alarms on records that are no members", body)


def table_part(found: Table) -> str:
    """A small table below its caption."""
    header = [text(name, 60) for name in found.columns]
    return joined([f"**{text(found.caption)}**", table(header, _cells(found.rows))])


def _cells(rows: tuple[tuple[str, ...], ...]) -> list[list[str]]:
    return [[code(first), *(text(cell, 120) for cell in rest)] for first, *rest in rows]
