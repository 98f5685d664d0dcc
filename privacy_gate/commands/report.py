"""``privacy-gate report render | merge``: saved reports in other formats, and a matrix as one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from privacy_gate.commands.files import PATH
from privacy_gate.commands.report_files import (
    format_options,
    read_reports,
    show,
    take_files,
    write_artifacts,
    write_files,
    write_reports,
)
from privacy_gate.domain import Report, ReportSet
from privacy_gate.errors import ExitCode, UsageError


@click.group()
def report() -> None:
    """Show saved reports again, in any format, or combine them."""


@report.command()
@click.argument("source", metavar="REPORT", type=PATH)
@click.option("--output", type=PATH, help="Directory for every format.")
@format_options
def render(source: Path, output: Path | None, **options: Any) -> None:
    """Write REPORT, a report.json, as `run` wrote it; without an option, print it.

    Nothing is judged: exit code 0 says that it is written, whatever its verdict.
    """
    files = take_files(options)
    reports = read_reports(source)
    if output is not None:
        write_reports(output, reports)
    write_files(reports, files)
    if output is None and not files:
        show(reports)


@report.command()
@click.argument("sources", metavar="REPORT...", nargs=-1, required=True, type=PATH)
@click.option("--expect", "expected", multiple=True, help="A name that must have a report.")
@click.option(
    "--config", "configs", multiple=True, type=PATH, help="A configuration that must have one."
)
@click.option("-o", "--output", type=PATH, required=True, help="Directory for every format.")
def merge(
    sources: tuple[Path, ...], expected: tuple[str, ...], configs: tuple[Path, ...], output: Path
) -> ExitCode:
    """Combine the reports of a matrix of jobs into one.

    Each REPORT is a report.json, or a directory that is searched for them. A report that is
    expected and not there is shown as missing and fails. The reports are taken as they are:
    `privacy-gate github` judges them again.
    """
    from privacy_gate.github.artifacts import forms
    from privacy_gate.github.judging import find_files
    from privacy_gate.registry import SET_RENDERERS

    names = [*expected, *map(_name, configs)]
    merged = _merged([read_reports(path) for path in find_files(sources)], names)
    write_artifacts(output, forms(SET_RENDERERS, merged, ""))
    show(merged)
    click.echo(f"{len(merged.reports)} reports, {len(merged.missing)} missing: {merged.verdict}")
    return merged.exit_code


def _name(config: Path) -> str:
    """The name of a configuration, which need be valid in nothing else."""
    from privacy_gate.config.source import read_source

    source = read_source(config)
    return str(source.data.get("name") or source.path.parent.name)


def _merged(found: Iterable[ReportSet], expected: Iterable[str]) -> ReportSet:
    """All reports, the same one once. Raises ``UsageError`` for two of one name, and for none."""
    reports: dict[str, Report] = {}
    missing = list(expected)
    for part in found:
        missing += part.missing
        for one in part.reports:
            if reports.setdefault(one.name, one) != one:
                raise UsageError(
                    f"There are two different reports of {one.name!r}.",
                    hint="Give each configuration its own name, and each report once.",
                )
    absent = [name for name in dict.fromkeys(missing) if name not in reports]
    if not reports and not absent:
        raise UsageError("There is no report.", hint="Name report.json files or their directories.")
    return ReportSet(tuple(reports.values()), tuple(absent))
