"""The calibration lens as one folded part."""

from __future__ import annotations

from privacy_gate.domain import Report
from privacy_gate.report.comment.audit import table_part
from privacy_gate.report.comment.escape import text
from privacy_gate.report.comment.markup import folded, joined
from privacy_gate.report.page.lens import lens_view


def lens_part(report: Report) -> str:
    """The sentence and the tables; empty where there was no lens."""
    view = lens_view(report)
    if view is None:
        return ""
    notes = "\n".join(f"- {text(note)}" for note in view.notes)
    body = joined([text(view.sentence), *map(table_part, view.tables), notes])
    return folded("Calibration lens: the same attacks on calibrated answers", body)
