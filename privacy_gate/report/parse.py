"""Reports read back from JSON: one that we wrote ourselves, or one that nobody vouches for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from privacy_gate.domain import AttackResult, Check, Report, ReportSet
from privacy_gate.errors import UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = "privacy-gate.report/1"
SET_SCHEMA = "privacy-gate.reports/1"
_MOST_REPORTS = 500


def read_untrusted(text: str) -> tuple[Report, ...]:
    """The reports of a JSON text of the schema report/1 or reports/1, whoever wrote it.

    Types, ranges, lengths and sizes are those of a report that ``run`` writes, and it does not
    contradict itself in plain sight; whether its counts support it is for ``recount`` to say.
    Fields that this version does not know are left out, and a caution says so. Raises
    ``UsageError`` with the place of the first problem; no value is quoted.
    """
    return read_set(text).reports


def read_set(text: str) -> ReportSet:
    """The same with the names of reports that are missing from a document of reports/1."""
    from privacy_gate.report.untrusted import load

    content = load(text)
    if not isinstance(content, dict) or content.get("schema") != SET_SCHEMA:
        return ReportSet((_report(content),))
    reports, missing = content.get("reports"), content.get("missing")
    if not isinstance(reports, list) or not isinstance(missing, list):
        raise UsageError("The reports are damaged: reports or missing is no list.")
    if len(reports) > _MOST_REPORTS or len(missing) > _MOST_REPORTS:
        raise UsageError(f"There are more than {_MOST_REPORTS} reports in one text.")
    if not all(isinstance(name, str) and 0 < len(name) <= 200 for name in missing):
        raise UsageError("The reports are damaged: a missing name is none.")
    return ReportSet(tuple(_report(report) for report in reports), tuple(missing))


def _report(content: Any) -> Report:
    from privacy_gate.report.shapes import refuse

    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise UsageError(f"This is no report of the schema {SCHEMA}.")
    refuse(json.dumps(content))
    report = report_from_dict(content)
    unknown = _unknown(content, Report)
    checks = (*content["checks"], *content.get("informational", ()))
    unknown += sum(_unknown(check, Check) for check in checks)
    unknown += sum(_unknown(attack, AttackResult) for attack in content["attacks"])
    if not unknown:
        return report
    caution = f"{unknown} field(s) of the report are not known to this version and were left out."
    return replace(report, cautions=(*report.cautions, caution))


def _unknown(content: Mapping[str, Any], kind: type[Report | Check | AttackResult]) -> int:
    return len(set(content) - {field.name for field in fields(kind)})


def report_from_dict(content: Mapping[str, Any]) -> Report:
    """The report whose ``to_dict()`` this is. Raises ``UsageError`` if it is none."""
    from pydantic import ValidationError

    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        raise UsageError(f"This is no report of the schema {SCHEMA}.")
    try:
        checks = [_attributes(check) for check in content["checks"]]
        shown = [_attributes(check) for check in content.get("informational", ())]
        text = json.dumps({**content, "checks": checks, "informational": shown}, allow_nan=False)
        report = _adapter().validate_json(text, strict=True)
        json.dumps(report.to_dict(), allow_nan=False)  # an integer may be too large for a float
        return report
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UsageError(f"The report is damaged at {place}.") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UsageError("The report is damaged.") from None


def _attributes(check: Mapping[str, Any]) -> dict[str, Any]:
    characteristic = check.get("characteristic")
    if characteristic is None:
        return dict(check)
    names = {"leak": "leak", "pass": "passes", "fail": "fails", "inconclusive": "inconclusive"}
    renamed = {attribute: characteristic[key] for key, attribute in names.items()}
    return {**check, "characteristic": renamed}


@cache
def _adapter() -> TypeAdapter[Report]:
    from pydantic import TypeAdapter

    return TypeAdapter(Report)
