"""What did not pass, each with the line it is about: for check runs and workflow commands alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from privacy_gate.domain import Change, Check, Report, ReportSet
from privacy_gate.github.files import is_inside
from privacy_gate.github.text import plain
from privacy_gate.report.page.order import worst_first

LONGEST_TITLE = 200
LONGEST_MESSAGE = 4000
LONGEST_PATH = 250


@dataclass(frozen=True, slots=True)
class Annotation:
    """``path`` is relative to the repository, ``line`` starts at 1. No text in it can break out of
    a line, but ``:``, ``,`` and ``%`` are as they came."""

    path: str
    line: int
    level: Literal["failure", "warning"]
    title: str
    message: str


def annotate(reports: ReportSet, configs: Mapping[str, str]) -> tuple[Annotation, ...]:
    """One per missing report, error, blocking change and check that did not pass, worst first.

    ``configs``: the path of the configuration by the name of its report or missing report.
    """
    found = [_missing(name, configs) for name in reports.missing]
    for report in reports.reports:
        found += _of_run(report, _config(report, configs))
    for report in reports.reports:
        found += _of_checks(report, _config(report, configs))
    return tuple(sorted(found, key=lambda annotation: annotation.level != "failure"))


def _missing(name: str, configs: Mapping[str, str]) -> Annotation:
    message = "This configuration has no report, so nothing is known about its model."
    return _annotation(configs.get(name, name), 1, "failure", f"{name}: no report", message)


def _of_run(report: Report, config: str) -> Iterator[Annotation]:
    if report.error is not None:
        path, line = _place(report.error, config)
        message = " ".join(str(report.error.get(key) or "") for key in ("message", "hint"))
        yield _annotation(path, line, "failure", f"{report.name}: error", message)
    for change in report.changes:
        if change.blocking:
            yield _of_change(report, change, config)


def _of_change(report: Report, change: Change, config: str) -> Annotation:
    title = f"{report.name}: {change.key} {change.kind}"
    return _annotation(config, change.line, "failure", title, change.message)


def _of_checks(report: Report, config: str) -> Iterator[Annotation]:
    for check in worst_first(report.checks):
        if check.verdict != "pass":
            path = check.path if check.path and is_inside(check.path) else config
            title = f"{report.name}: {check.id} {check.verdict.replace('_', ' ')}"
            message = f"{check.message} {check.advice}"
            yield _annotation(path, check.line, _level(report, check), title, message)


def _level(report: Report, check: Check) -> Literal["failure", "warning"]:
    if check.verdict == "waived":
        return "warning"
    tolerated = report.tolerated and report.complete and check.verdict == "inconclusive"
    return "warning" if tolerated else "failure"


def _config(report: Report, configs: Mapping[str, str]) -> str:
    path = str(report.config.get("path") or "")
    return configs.get(report.name, path if is_inside(path) else "privacy_gate.yaml")


def _place(error: Mapping[str, Any], config: str) -> tuple[str, int]:
    """``file:line:column`` as a path of the repository and a line."""
    match = re.fullmatch(r"([^:]+):(\d{1,7})(?::\d+)?", str(error.get("location") or ""))
    if match is None:
        return config, 1
    return (match[1] if is_inside(match[1]) else config), int(match[2])


def _annotation(
    path: str, line: int | None, level: Literal["failure", "warning"], title: str, message: str
) -> Annotation:
    return Annotation(
        path=plain(path, LONGEST_PATH),
        line=max(1, line or 1),
        level=level,
        title=plain(title, LONGEST_TITLE),
        message=plain(message, LONGEST_MESSAGE),
    )
