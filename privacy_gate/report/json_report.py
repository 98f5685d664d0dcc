"""The report as JSON: strict (no NaN, no Infinity), keys in the order of the schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from privacy_gate.domain import Report, ReportSet


def render(report: Report) -> str:
    """UTF-8 text ending in a newline. Raises ``ValueError`` if a number is not finite."""
    return dumps(report.to_dict())


def render_set(reports: ReportSet) -> str:
    """The reports of a run or a matrix as one document, in the same way."""
    return dumps(reports.to_dict())


def dumps(content: Mapping[str, Any]) -> str:
    """The same for a report that is JSON values already."""
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
