"""The check run on the judged commit: a conclusion, the report, annotations on the budget lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from privacy_gate.domain import ReportSet
from privacy_gate.errors import ExitCode, UsageError
from privacy_gate.github.annotations import Annotation
from privacy_gate.github.event import Job
from privacy_gate.github.failures import attempt, is_too_long, reason
from privacy_gate.github.text import plain
from privacy_gate.report.markdown import fit
from privacy_gate.report.page.headline import headline, set_headline

if TYPE_CHECKING:
    from github.CheckRun import CheckRun
    from github.Repository import Repository

Conclusion = Literal["success", "neutral", "failure", "action_required"]

PERMISSION = "checks: write"
BATCH = 50
"""Annotations that one request may hold."""

LIMITS = (60_000, 20_000)
"""Bytes of the summary; GitHub takes 65,535 characters. The next one where it refuses."""

FORK_WITHOUT_REPORT = (
    "No report came from this pull request of a fork. Either its run waits for approval because the"
    " fixtures are private, or it ended before it could write one. A maintainer has to look at"
    " exactly this commit and then approve its run, or start it again."
)


def conclusion(reports: ReportSet, job: Job) -> Conclusion:
    """``success`` for a complete pass only; ``neutral`` for what is tolerated or waived."""
    if not reports.reports and job.is_fork:
        return "action_required"
    if reports.exit_code != ExitCode.PASS:
        return "failure"
    return "success" if reports.verdict == "pass" and reports.complete else "neutral"


def note(reports: ReportSet, job: Job) -> str:
    """What the reports cannot say themselves, or empty."""
    return FORK_WITHOUT_REPORT if conclusion(reports, job) == "action_required" else ""


def name(identifier: str) -> str:
    """``privacy_gate``, or ``privacy_gate / ID``: what a ruleset can require."""
    return f"privacy_gate / {identifier}" if identifier else "privacy_gate"


def title(reports: ReportSet, job: Job) -> str:
    """One line for the list of checks."""
    if conclusion(reports, job) == "action_required":
        return "A maintainer has to approve the run for this fork"
    single = len(reports.reports) == 1 and not reports.missing
    head = headline(reports.reports[0]) if single else set_headline(reports)
    return plain(f"{head.word}. {head.sentence}", 200)


def write(
    repository: Repository,
    job: Job,
    reports: ReportSet,
    annotations: Sequence[Annotation],
    identifier: str,
) -> str:
    """Create the check run and say so. Raises what PyGithub raises if there is none then, and
    ``UsageError`` if the commit is unknown."""
    if job.head_sha is None:
        raise UsageError("The commit to write a check run for is unknown.")
    batches = [annotations[at : at + BATCH] for at in range(0, len(annotations), BATCH)] or [()]
    made = attempt(lambda: _create(repository, job, reports, batches[0], identifier))
    heading = {"title": made.output.title, "summary": made.output.summary}
    sent = len(batches[0])
    try:
        for batch in batches[1:]:  # GitHub adds them to those it has
            made.edit(output={**heading, "annotations": [_plain(one) for one in batch]})
            sent += len(batch)
    except Exception as error:
        lost = f"with {sent} of {len(annotations)} annotations. {reason(error, PERMISSION)}"
        return f"check run written {lost} {made.html_url}"
    return f"check run written: {made.html_url}"


def _create(
    repository: Repository,
    job: Job,
    reports: ReportSet,
    annotations: Sequence[Annotation],
    identifier: str,
) -> CheckRun:
    for limit in LIMITS:
        parts = (note(reports, job), fit(reports, bytes=limit, server=job.server_url))
        facts: dict[str, Any] = {"details_url": job.run_url} if job.run_url else {}
        try:
            return repository.create_check_run(
                name(identifier),
                str(job.head_sha),
                status="completed",
                conclusion=conclusion(reports, job),
                output={
                    "title": title(reports, job),
                    "summary": "\n\n".join(part for part in parts if part),
                    "annotations": [_plain(one) for one in annotations],
                },
                **facts,
            )
        except Exception as error:
            if not is_too_long(error) or limit == LIMITS[-1]:
                raise
    raise AssertionError("unreachable")


def _plain(annotation: Annotation) -> dict[str, str | int]:
    return {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level,
        "title": annotation.title,
        "message": annotation.message,
    }
