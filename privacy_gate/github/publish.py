"""Posting, as far as GitHub lets us: what fails is said, and never changes what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from privacy_gate.domain import ReportSet
from privacy_gate.errors import UsageError
from privacy_gate.github import check_run, comment
from privacy_gate.github.annotations import Annotation
from privacy_gate.github.event import Job
from privacy_gate.github.failures import reason
from privacy_gate.github.workflow import LARGEST_SUMMARY, append, outputs_text, room
from privacy_gate.report.markdown import fit
from privacy_gate.report.page.order import used, worst_first

if TYPE_CHECKING:
    from github.Repository import Repository

Say = Callable[[str], None]

_LEAST_ROOM = 4096


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be posted. ``comment`` is ``None`` and ``check_run`` false where the command is
    not about it."""

    comment: comment.Mode | None
    check_run: bool
    identifier: str = ""


def post_comment(
    repository: Repository, job: Job, reports: ReportSet, wanted: Wanted, say: Say
) -> bool:
    """Whether the result in the comment is a new one."""
    if wanted.comment is None:
        return False
    note = check_run.note(reports, job)
    content = comment.Comment(reports, wanted.comment, wanted.identifier, note)
    try:
        posted = comment.post(repository, job, content)
    except Exception as error:
        say(f"no comment: {reason(error, comment.PERMISSION)}")
        return False
    say(posted.words)
    return posted.changed


def post_check_run(
    repository: Repository,
    job: Job,
    reports: ReportSet,
    annotations: tuple[Annotation, ...],
    wanted: Wanted,
    say: Say,
) -> bool:
    """Whether the check run was written."""
    if not wanted.check_run:
        return False
    try:
        words = check_run.write(repository, job, reports, annotations, wanted.identifier)
    except Exception as error:
        say(f"no check run: {reason(error, check_run.PERMISSION)}")
        return False
    say(words)
    return True


def write_summary(job: Job, reports: ReportSet, say: Say) -> None:
    """Add the reports to the summary of the step."""
    if job.summary is None:
        return
    note, left = check_run.note(reports, job), room(job.summary)
    if left < _LEAST_ROOM:
        say(f"no summary: less than {_LEAST_ROOM} of its {LARGEST_SUMMARY} bytes are left")
        return
    limit = min(left, 1_000_000) - len(note.encode()) - 2
    text = "\n\n".join(
        part for part in (note, fit(reports, bytes=limit, server=job.server_url)) if part
    )
    try:
        append(job.summary, text.rstrip() + "\n")
    except UsageError as error:
        say(f"no summary: {error}")


def write_outputs(job: Job, reports: ReportSet, files: dict[str, str], *, changed: bool) -> None:
    """Set the outputs of the step; ``files``: where report_json, html and sarif are."""
    if job.output is not None:
        append(job.output, outputs_text(outputs(reports, files, changed=changed)))


def outputs(reports: ReportSet, files: dict[str, str], *, changed: bool) -> dict[str, str]:
    """The outputs by name; what does not exist is empty. ``worst_ratio``: how much of its budget
    the worst check uses up, for certain if it failed, else at most; 1 is the budget."""
    checks = worst_first(check for report in reports.reports for check in report.checks)
    measured = bool(checks) and checks[0].high is not None
    return {
        "verdict": reports.verdict,
        "complete": str(reports.complete).lower(),
        "worst_check": checks[0].id if checks else "",
        "worst_ratio": f"{used(checks[0]):.4g}" if measured else "",
        "report_json": files.get("report.json", ""),
        "html": files.get("report.html", ""),
        "sarif": files.get("report.sarif", ""),
        "changed": str(changed).lower(),
    }
