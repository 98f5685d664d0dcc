"""The report as one HTML file: no script, nothing loaded from elsewhere, readable on a phone, in
the dark and on paper. Pictures are drawn by ``report.page``; the templates only lay out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privacy_gate.domain import Report, ReportSet
from privacy_gate.errors import missing_extra
from privacy_gate.report.page.access import access_table
from privacy_gate.report.page.attacks import attacks_view, not_run
from privacy_gate.report.page.audit import audit_view
from privacy_gate.report.page.checks import checks_view
from privacy_gate.report.page.detection import detections
from privacy_gate.report.page.headline import (
    SIGNS,
    banners,
    counts,
    headline,
    set_headline,
    tally,
    word,
)
from privacy_gate.report.page.lens import lens_view
from privacy_gate.report.page.provenance import glance, overrides, provenance, waivers
from privacy_gate.report.page.steps import next_steps
from privacy_gate.report.page.values import clean, exact, text

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render(report: Report) -> str:
    """One page for one report. Raises ``UsageError`` where jinja2 is not installed."""
    return _page("report.html.j2", head=headline(report), report=_view(report, ""))


def render_set(reports: ReportSet) -> str:
    """One page for the reports of a run or a matrix; a missing one is shown and fails."""
    views = [_view(report, f"r{place}-") for place, report in enumerate(reports.reports)]
    return _page(
        "set.html.j2", head=set_headline(reports), reports=views, missing=list(reports.missing)
    )


def _view(report: Report, prefix: str) -> Mapping[str, Any]:
    """What the templates show of a report; every id starts with ``prefix``."""
    return {
        "prefix": prefix,
        "name": report.name,
        "head": headline(report),
        "counts": counts(report),
        "tally": tally(report),
        "banners": banners(report),
        "blocking": [change for change in report.changes if change.blocking],
        "changes": [change for change in report.changes if not change.blocking],
        "error": _error(report),
        "checks": checks_view(report, prefix),
        "steps": next_steps(report),
        "attacks": attacks_view(report, prefix),
        "not_run": not_run(report),
        "access": access_table(report, prefix),
        "overconfidence": audit_view(report, prefix),
        "calibration": lens_view(report, prefix),
        "detections": detections(report.checks, prefix),
        "fixture_checks": report.fixture_checks,
        "cautions": report.cautions,
        "glance": glance(report),
        "provenance": provenance(report),
        "overrides": overrides(report),
        "waivers": waivers(report),
    }


def _error(report: Report) -> dict[str, str] | None:
    if report.error is None:
        return None
    found = {key: text(report.error, key) for key in ("message", "hint", "location")}
    return {**found, "message": found["message"] or "No message was recorded."}


def _page(template: str, **content: Any) -> str:
    return _environment().get_template(template).render(**content).rstrip() + "\n"


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise missing_extra("The HTML report", "html") from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.globals.update(signs=SIGNS, word=word)
    environment.filters["exact"] = exact
    return environment


def _finalize(value: Any) -> Any:
    """Clean whatever a template prints; what is HTML already knows so."""
    return value if hasattr(value, "__html__") else clean(value)
