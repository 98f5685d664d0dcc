"""Reports as files: the options that name them, every format at once, all on the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import click

from privacy_gate.commands.files import PATH, write
from privacy_gate.domain import ReportSet
from privacy_gate.errors import UsageError, missing_extra
from privacy_gate.github.artifacts import FORMS, Artifact, artifacts
from privacy_gate.registry import RENDERERS, SET_RENDERERS, resolve
from privacy_gate.report.comment.escape import clean

F = TypeVar("F", bound=Callable[..., Any])

TOGETHER = "reports.json"
"""The JSON of several reports, beside the directories of each with its own ``report.json``."""


def format_options(command: F) -> F:
    """``--json FILE`` and the like for every format of a report, as ``json_file``, …"""
    for form in reversed(FORMS):
        text = f"File for the report as {form.upper() if form != 'markdown' else 'Markdown'};"
        option = click.option(f"--{form}", f"{form}_file", type=PATH, help=f"{text} - prints it.")
        command = option(command)
    return command


def take_files(options: dict[str, Any]) -> dict[str, Path]:
    """The files asked for by ``format_options``, by format, taken out of the ``options``.

    Raises ``UsageError`` where two texts would be printed into each other, or HTML cannot be made.
    """
    taken = {form: options.pop(f"{form}_file") for form in FORMS}
    files = {form: path for form, path in taken.items() if path is not None}
    if sum(str(path) == "-" for path in files.values()) > 1:
        raise UsageError("Only one format can be printed.", hint="Name a file for the others.")
    if "html" in files and find_spec("jinja2") is None:
        raise missing_extra("--html", "html")
    return files


def read_reports(path: Path) -> ReportSet:
    """The reports of a JSON file, one or several, whoever wrote it. Raises ``UsageError``."""
    from privacy_gate.report.parse import read_set
    from privacy_gate.report.untrusted import LARGEST

    try:
        with path.open("rb") as file:
            content = file.read(4 * LARGEST + 1)
        return read_set(content.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text.") from None
    except UsageError as error:
        raise UsageError(error.message, hint=error.hint, location=str(path)) from None


def write_files(reports: ReportSet, files: Mapping[str, Path]) -> None:
    """Write each format to its file: one report, or the text of several."""
    single = len(reports.reports) == 1 and not reports.missing
    for form, path in files.items():
        render = resolve((RENDERERS if single else SET_RENDERERS)[form])
        write(path, render(reports.reports[0] if single else reports))


def write_reports(folder: Path, reports: ReportSet) -> None:
    """Every format of the reports: of one ``report.json`` and so on; of several a directory each,
    and the text of all of them at the top, its JSON as ``reports.json``."""
    found = artifacts(reports)
    if len(reports.reports) != 1 or reports.missing:
        found = (replace(a, path=TOGETHER) if a.path == "report.json" else a for a in found)
    write_artifacts(folder, found)


def write_artifacts(folder: Path, found: Iterable[Artifact]) -> None:
    """Write what could be made, and say once of each format what could not, and why."""
    told: set[str] = set()
    for artifact in found:
        if artifact.text is not None:
            write(folder / artifact.path, artifact.text)
        elif artifact.problem not in told:
            told.add(artifact.problem)
            name = artifact.path.rpartition("/")[2]
            click.echo(f"privacy-gate: {name} is not written: {artifact.problem}", err=True)


def show(reports: ReportSet) -> None:
    """Print every report, and which are missing."""
    render = resolve(RENDERERS["terminal"])
    for report in reports.reports:
        click.echo(render(report))
    for name in reports.missing:
        click.echo(f"privacy_gate  {clean(name, 80)}: there is no report, which fails the gate.\n")
