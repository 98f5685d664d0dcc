"""The report as SARIF 2.1.0, for code scanning: a run per model, a result for what did not pass.

Levels say how sure a finding is, not whether it stops the run, which the exit code says: what
failed is an ``error``; what was not decided or not run a ``warning``; what is waived is suppressed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from privacy_gate.domain import Change, Check, Report, ReportSet, exit_code
from privacy_gate.errors import UsageError
from privacy_gate.report.comment.escape import clean
from privacy_gate.report.json_report import dumps
from privacy_gate.report.page.headline import headline
from privacy_gate.report.page.values import number, text
from privacy_gate.report.sarif_rules import OF_METRIC, PLACES, RULES

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
HOME = "https://github.com/privacy-gate/privacy-gate"
CONFIG = "privacy_gate.yaml"
MOST_RUNS = 20
"""Runs that code scanning accepts in one file."""
MOST_RESULTS = 5000
"""Results of a run that code scanning keeps."""

_LONGEST_NAME = 120
_LONGEST_MESSAGE = 4000
_LAST_LINE = 2**31 - 1
_VERSION = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}(-[0-9A-Za-z.-]{1,40})?(\+[0-9A-Za-z.-]{1,40})?")
_PLACE = re.compile(r"(.+?):(\d{1,9})(?::\d{1,9})?")
_LEVELS = {"fail": "error"}


def render(report: Report) -> str:
    """One report, one run."""
    return render_set(ReportSet((report,)))


def render_set(reports: ReportSet) -> str:
    """A run per report and per missing one, each in a category of its own.

    Raises ``UsageError`` for more runs than code scanning accepts in one file.
    """
    runs = [
        _run(report, folder)
        for report, folder in zip(reports.reports, reports.folders, strict=True)
    ]
    driver = runs[0]["tool"]["driver"] if runs else _driver("")
    runs += [_missing(name, driver) for name in reports.missing]
    if len(runs) > MOST_RUNS:
        raise UsageError(
            f"Code scanning accepts {MOST_RUNS} runs in one SARIF file; these are {len(runs)}.",
            hint="Write the SARIF of each model to a file of its own.",
        )
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": runs})


def _run(report: Report, name: str) -> dict[str, Any]:
    results = _results(report)
    if len(results) > MOST_RESULTS:
        left = len(results) - MOST_RESULTS + 1
        message = f"{left} more findings are in the report."
        last = _result("PG009", "warning", message, (_config(report), None), (report.name, "more"))
        results = [*results[: MOST_RESULTS - 1], last]
    return {
        "tool": {"driver": _driver(clean(report.run.get("tool_version"), 100))},
        "automationDetails": {"id": _category(name)},
        "invocations": [{"executionSuccessful": report.error is None and report.complete}],
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {
            "name": clean(report.name, _LONGEST_NAME),
            "verdict": report.verdict,
            "complete": report.complete,
            "exitCode": int(exit_code(report)),
        },
    }


def _missing(name: str, driver: Mapping[str, Any]) -> dict[str, Any]:
    """The run of a model without a report: one result, so that it cannot be overlooked."""
    shown = clean(name, _LONGEST_NAME)
    message = f"The configured model {shown} has no report, so nothing is known about it."
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": _category(name)},
        "invocations": [{"executionSuccessful": False}],
        "columnKind": "unicodeCodePoints",
        "results": [_result("PG009", "error", message, (CONFIG, None), (name, "missing"))],
        "properties": {"name": shown, "verdict": "missing", "complete": False},
    }


def _driver(version: str) -> dict[str, Any]:
    semantic = {"semanticVersion": version} if _VERSION.fullmatch(version) else {}
    rules = [rule.to_dict() for rule in RULES]
    return {"name": "privacy_gate", "informationUri": HOME, **semantic, "rules": rules}


def _category(name: str) -> str:
    """The id by which code scanning tells the alerts of one model from those of another."""
    return f"privacy-gate/{quote(clean(name, _LONGEST_NAME), safe='') or 'model'}/"


# ----------------------------------------------------------------------------------------- results


def _results(report: Report) -> list[dict[str, Any]]:
    """Errors first; at least one for a report that is no pass, whatever it holds."""
    head = headline(report)
    found = list(_findings(report))
    contradictory = head.verdict == "error" and report.error is None
    if (
        contradictory
        or not (report.complete or report.error)
        or (not found and head.verdict != "pass")
    ):
        message, place = f"{head.word}. {head.sentence}", (_config(report), None)
        identity = _identity(report, "no verdict")
        found.append(_result("PG009", "error", message, place, identity))
    return sorted(found, key=lambda result: str(result["level"]))  # as in the alphabet


def _findings(report: Report) -> Iterator[dict[str, Any]]:
    if report.error is not None:
        yield _of_error(report, report.error)
    for change in report.changes:
        if change.blocking or change.kind in ("loosened", "dropped"):
            yield _of_change(report, change)
    for check in report.checks:
        if check.verdict != "pass":
            yield _of_check(report, check)
    for found in report.fixture_checks:
        if found.verdict != "pass":
            level = _LEVELS.get(found.verdict, "warning")
            message = f"{found.name}: {found.message} {found.advice}"
            identity = _identity(report, f"fixtures/{found.name}")
            result = _result("PG010", level, message, (_config(report), None), identity)
            if found.accepted:
                result["suppressions"] = [_accepted(found.accepted)]
            yield result


def _of_error(report: Report, error: Mapping[str, Any]) -> dict[str, Any]:
    message = " ".join(text(error, key) for key in ("message", "hint"))
    match = _PLACE.fullmatch(text(error, "location"))
    place = (match[1], int(match[2])) if match else (_config(report), None)
    return _result("PG008", "error", message, place, _identity(report, "error"))


def _of_change(report: Report, change: Change) -> dict[str, Any]:
    level = "error" if change.blocking else "warning"
    message = f"{change.key} {change.kind}: {change.message}"
    identity = _identity(report, f"{change.kind} {change.key}")
    return _result("PG007", level, message, (_config(report), change.line), identity)


def _of_check(report: Report, check: Check) -> dict[str, Any]:
    if check.verdict == "not_run":
        rule = "PG009"
    else:
        rule = "PG006" if check.increase else OF_METRIC.get(check.metric, "PG011")
    verdict = check.verdict.replace("_", " ")
    result = _result(
        rule,
        _LEVELS.get(check.verdict, "warning"),
        f"{check.id} {verdict}: {check.message} {check.advice}",
        (check.path or _config(report), check.line),
        _identity(report, check.id),
    )
    measured = {
        key: found
        for key in ("estimate", "low", "high", "budget")
        if (found := number(getattr(check, key))) is not None
    }
    result["properties"] = {"verdict": check.verdict, **measured}
    if check.verdict == "waived":
        result["suppressions"] = [_suppression(check.waiver or {})]
    return result


def _suppression(waiver: Mapping[str, Any]) -> dict[str, Any]:
    reason = text(waiver, "reason") or "no reason recorded"
    until, approved = text(waiver, "until"), text(waiver, "approved_by")
    justification = f"{reason} (until {until or 'an unknown day'}"
    justification += f", approved by {approved})" if approved else ")"
    return _accepted(justification)


def _accepted(justification: str) -> dict[str, Any]:
    return {
        "kind": "external",
        "status": "accepted",
        "justification": clean(justification, _LONGEST_MESSAGE),
    }


def _result(
    rule: str,
    level: str,
    message: str,
    place: tuple[str, int | None],
    identity: tuple[str, ...],
) -> dict[str, Any]:
    """``place``: path and line; ``identity``: what makes this the same finding in the next run,
    which no measured value may be part of."""
    path, line = place
    uri = relative_uri(path)
    first = min(max(1, line or 1), _LAST_LINE) if uri else 1
    digest = hashlib.sha256("\0".join(identity).encode("utf-8", "replace")).hexdigest()
    return {
        "ruleId": rule,
        "ruleIndex": PLACES[rule],
        "level": level,
        "message": {"text": _plain(message) or "No message was recorded."},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri or CONFIG},
                    "region": {"startLine": first},
                }
            }
        ],
        "partialFingerprints": {"privacyGateFinding/v1": digest},
    }


def _identity(report: Report, finding: str) -> tuple[str, ...]:
    return (report.name, finding, text(report.fixtures, "sha256"))


def _config(report: Report) -> str:
    return text(report.config, "path")


def relative_uri(path: str) -> str | None:
    """A path of the repository as a URI; ``None`` for any other, and for one that leaves it."""
    parts = [part for part in path.replace("\\", "/").split("/") if part != "."]
    if not parts or len(path) > 1000 or not path.isprintable():
        return None
    inside = all(parts) and ".." not in parts and ":" not in parts[0]
    return quote("/".join(parts), errors="replace") if inside else None


def _plain(message: str) -> str:
    """One line in which nothing links or mentions: ``[text](target)`` is a link in a message, and
    ``@name`` a mention, but not inside a word (``loss@raw``)."""
    shown = clean(message, _LONGEST_MESSAGE).replace("](", "] (")
    return re.sub(r"(?<![a-zA-Z0-9])@", "(at)", shown)
