"""``privacy-gate github comment | check | all``: judge the reports again, then post them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from privacy_gate.commands.files import PATH
from privacy_gate.commands.report_files import write_artifacts
from privacy_gate.config.paths import find_root
from privacy_gate.domain import ReportSet
from privacy_gate.errors import ExitCode, PrivacyGateError, UsageError
from privacy_gate.faces import rendered
from privacy_gate.github import publish, workflow
from privacy_gate.github.annotations import annotate
from privacy_gate.github.artifacts import artifacts
from privacy_gate.github.check_run import conclusion, name, note, title
from privacy_gate.github.client import connect
from privacy_gate.github.comment import LIMITS, MODES, Comment, Mode
from privacy_gate.github.event import Job, read_job
from privacy_gate.github.failures import reason
from privacy_gate.github.files import is_inside
from privacy_gate.github.judging import Judged, find_files, judge, read_files
from privacy_gate.github.lookup import with_pull_request
from privacy_gate.github.source import find_source

if TYPE_CHECKING:
    from github.Repository import Repository

F = TypeVar("F", bound=Callable[..., Any])
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_mode = click.option(
    "--comment",
    "mode",
    type=click.Choice(MODES),
    default="on-change",
    show_default=True,
    help="When the comment of a pull request is written or edited.",
)


def _common(command: F) -> F:
    """The arguments of all three commands."""
    options = (
        click.argument("reports", nargs=-1, type=PATH, required=True),
        click.option(
            "--config",
            "configs",
            multiple=True,
            default=("privacy_gate.yaml",),
            show_default=True,
            help="A configuration that must have a report, relative to the repository.",
        ),
        click.option("--id", "identifier", default="", help="Tells several gates apart."),
        click.option("--output", type=PATH, help="Directory for the final reports."),
        click.option("--policy-ref", help="Read the terms from here, not from the base branch."),
        click.option("--dry-run", is_flag=True, help="Show what would be posted; post nothing."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def github() -> None:
    """Judge reports by the terms of the base branch and post them from GitHub Actions.

    REPORTS are files or directories that are searched for report.json. Everything about the run is
    read from the variables of GitHub Actions, the token from GITHUB_TOKEN. The exit code is that of
    the reports as they are judged here; a comment or check run that cannot be written never
    changes it.
    """


@github.command()
@_common
@_mode
def comment(mode: Mode, **options: Any) -> ExitCode:
    """Write or edit the one comment on the pull request."""
    return _run(publish.Wanted(mode, check_run=False, identifier=options["identifier"]), **options)


@github.command()
@_common
def check(**options: Any) -> ExitCode:
    """Write a check run with annotations on the budget lines."""
    return _run(publish.Wanted(None, check_run=True, identifier=options["identifier"]), **options)


@github.command("all")
@_common
@_mode
@click.option("--check-run/--no-check-run", default=True, show_default=True, help="Write one.")
def all_command(mode: Mode, check_run: bool, **options: Any) -> ExitCode:
    """Comment, check run, annotations, step summary and outputs."""
    wanted = publish.Wanted(mode, check_run, options["identifier"])
    return _run(wanted, step=True, **options)


def _run(
    wanted: publish.Wanted,
    *,
    reports: tuple[Path, ...],
    configs: tuple[str, ...],
    identifier: str,
    output: Path | None,
    policy_ref: str | None,
    dry_run: bool,
    step: bool = False,
) -> ExitCode:
    """``step``: also the annotations, the summary and the outputs of the step."""
    configs = tuple(dict.fromkeys(_checked_config(path) for path in configs))
    if identifier and not _IDENTIFIER.fullmatch(identifier):
        raise UsageError("--id is made of letters, digits, '.', '_' and '-', at most 64.")
    job = read_job(os.environ)
    if job.in_actions and job.token:
        workflow.mask(job.token, sys.stdout)
    repository = _connected(job, optional=step or dry_run)
    job = _with_pull_request(job, repository)
    source = find_source(job, repository, find_root(Path.cwd()), policy_ref)
    judged = judge(read_files(find_files(reports)), configs, source)
    for report in judged.reports.reports:
        workflow.show(rendered(report, "terminal"), sys.stdout, in_actions=job.in_actions)
    for missing in judged.reports.missing:
        _say(f"there is no report of {missing}")
    files = {} if output is None else _write(judged.reports, output)
    if dry_run:
        _show(job, judged, wanted)
    else:
        _post(job, repository, judged, wanted, files, step=step)
    return judged.reports.exit_code


def _checked_config(path: str) -> str:
    tidy = path.replace("\\", "/").removeprefix("./")
    if not is_inside(tidy):
        raise UsageError(f"--config {path!r} is not a path relative to the repository.")
    return tidy


def _connected(job: Job, *, optional: bool) -> Repository | None:
    """``optional``: without a token there is still something to do."""
    try:
        return connect(job)
    except PrivacyGateError as error:
        if not optional:
            raise
        _say(f"not connected: {error}")
        return None


def _with_pull_request(job: Job, repository: Repository | None) -> Job:
    if repository is None:
        return job
    try:
        return with_pull_request(job, repository)
    except PrivacyGateError:
        raise
    except Exception as error:
        raise UsageError(
            f"The pull request cannot be looked up. {reason(error, 'pull-requests: read')}"
        ) from None


def _post(
    job: Job,
    repository: Repository | None,
    judged: Judged,
    wanted: publish.Wanted,
    files: dict[str, str],
    *,
    step: bool,
) -> None:
    reports, found = judged.reports, annotate(judged.reports, judged.configs)
    changed = written = False
    if repository is not None:
        changed = publish.post_comment(repository, job, reports, wanted, _say)
        written = publish.post_check_run(repository, job, reports, found, wanted, _say)
    if step:
        if not written and job.in_actions:  # the check run holds the same annotations
            click.echo("\n".join(workflow.command_lines(found)))
        publish.write_summary(job, reports, _say)
        publish.write_outputs(job, reports, files, changed=changed)


def _show(job: Job, judged: Judged, wanted: publish.Wanted) -> None:
    """What would be posted."""
    reports, found = judged.reports, annotate(judged.reports, judged.configs)
    lines = []
    if wanted.check_run:
        lines.append(f"check run: {name(wanted.identifier)}, {conclusion(reports, job)}")
        lines.append(f"  {title(reports, job)}")
        lines += [f"  {one.level} {one.path}:{one.line} {one.title}" for one in found]
    if wanted.comment is not None:
        content = Comment(reports, wanted.comment, wanted.identifier, note(reports, job))
        lines += [f"comment ({wanted.comment}):", content.body(job, LIMITS[0])]
    workflow.show("\n".join(lines), sys.stdout, in_actions=job.in_actions)


def _write(reports: ReportSet, directory: Path) -> dict[str, str]:
    """The path of each file at the top of the directory, by name."""
    found = list(artifacts(reports))
    write_artifacts(directory, found)
    return {
        artifact.path: str(directory / artifact.path)
        for artifact in found
        if artifact.text is not None and "/" not in artifact.path
    }


def _say(text: str) -> None:
    """One line on standard error, which the runner cannot take for a command."""
    line = " ".join(text.split()).replace("##[", "## [")
    click.echo(f"privacy-gate: {line}", err=True)
