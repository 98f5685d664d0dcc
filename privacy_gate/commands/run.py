"""``privacy-gate run``: the gate as a command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from privacy_gate.commands.files import PATH
from privacy_gate.commands.report_files import (
    format_options,
    read_reports,
    show,
    take_files,
    write_files,
    write_reports,
)
from privacy_gate.errors import ExitCode, PrivacyGateError, UsageError
from privacy_gate.report.comment.escape import clean

if TYPE_CHECKING:
    from privacy_gate.reuse import Earlier


@click.command("run")
@click.argument("configs", nargs=-1, type=PATH)
@click.option("--output", type=PATH, help="Directory for every format, written on errors too.")
@format_options
@click.option("--model", help="Judge this model file instead of the configured one.")
@click.option("--fixtures", help="Use these fixtures instead of the configured ones.")
@click.option("--device", help="auto, cpu, cuda or cuda:N.")
@click.option("--allow-root", "allow_roots", multiple=True, help="Also allow paths below this.")
@click.option("--policy-ref", help="Branch or commit whose budgets and policy count, too.")
@click.option("--cache", type=PATH, help="Keep signals in this directory; off keeps none.")
@click.option("--no-cache", is_flag=True, help="Compute everything, and keep nothing.")
@click.option("--reuse", type=PATH, help="Repeat this earlier report if nothing has changed.")
@click.option("--default-branch", help="The branch it must be of; GitHub Actions know it.")
def run_command(
    configs: tuple[Path, ...],
    output: Path | None,
    cache: Path | None,
    no_cache: bool,
    reuse: Path | None,
    default_branch: str | None,
    **options: Any,
) -> ExitCode:
    """Run the gate for each CONFIG (default: privacy_gate.yaml) and print its report."""
    from privacy_gate.cache import OFF
    from privacy_gate.faces import run_all
    from privacy_gate.progress import bar

    files = take_files(options)
    paths = configs or (Path("privacy_gate.yaml"),)
    if files and len(paths) > 1:
        raise UsageError(
            f"--{next(iter(files))} writes one file, but several configurations are run.",
            hint="Use --output DIR, which gets one directory per configuration.",
        )
    if cache is not None and no_cache:
        raise UsageError("--cache and --no-cache contradict each other.", hint="Give one of them.")
    earlier = None if reuse is None else _earlier(reuse, default_branch)
    with bar("records") as progress:
        finished = run_all(
            paths,
            cache=OFF if no_cache else cache,
            progress=progress,
            earlier=earlier,
            **options,
        )
    if output is not None:
        write_reports(output, finished)
    write_files(finished, files)
    if not any(str(path) == "-" for path in files.values()):
        show(finished)
    return finished.exit_code


def _earlier(path: Path, default_branch: str | None) -> Earlier | None:
    """The reports to repeat; a file that cannot be read is no reason not to run."""
    from privacy_gate.reuse import Earlier

    try:
        reports = read_reports(path).reports
    except PrivacyGateError as error:
        _say(f"nothing is reused: {error}")
        return None
    return Earlier(reports, default_branch or _default_branch(), _say)


def _default_branch() -> str | None:
    """As the event of GitHub Actions says; ``None`` elsewhere."""
    from privacy_gate.github.event import read_job

    try:
        return read_job(os.environ).default_branch
    except PrivacyGateError:
        return None


def _say(line: str) -> None:
    click.echo(f"privacy-gate: {clean(line, 500)}", err=True)
