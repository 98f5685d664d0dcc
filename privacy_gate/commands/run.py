"""``privacy-gate run``: the gate as a command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from privacy_gate.commands.files import PATH, write
from privacy_gate.errors import ExitCode, UsageError


@click.command("run")
@click.argument("configs", nargs=-1, type=PATH)
@click.option("--output", type=PATH, help="Directory for report.json, written on errors too.")
@click.option("--json", "json_file", type=PATH, help="File for the JSON report; - prints it.")
@click.option("--model", help="Judge this model file instead of the configured one.")
@click.option("--fixtures", help="Use these fixtures instead of the configured ones.")
@click.option("--device", help="auto, cpu, cuda or cuda:N.")
@click.option("--allow-root", "allow_roots", multiple=True, help="Also allow paths below this.")
def run_command(
    configs: tuple[Path, ...], output: Path | None, json_file: Path | None, **overrides: Any
) -> ExitCode:
    """Run the gate for each CONFIG (default: privacy_gate.yaml) and print its report."""
    from privacy_gate.faces import rendered, run_all

    paths = configs or (Path("privacy_gate.yaml"),)
    if json_file is not None and len(paths) > 1:
        raise UsageError(
            "--json writes one file, but several configurations are run.",
            hint="Use --output DIR, which gets one directory per configuration.",
        )
    with _progress() as progress:
        finished = run_all(paths, progress=progress, **overrides)
    for report, name in zip(finished.reports, finished.folders, strict=True):
        if output is not None:
            folder = output / name if len(paths) > 1 else output
            write(folder / "report.json", rendered(report, "json"))
        if json_file is not None:
            write(json_file, rendered(report, "json"))
        if str(json_file) != "-":
            click.echo(rendered(report, "terminal"))
    return finished.exit_code


def _progress() -> Any:
    """A progress bar on a terminal's standard error, nothing elsewhere."""
    from contextlib import nullcontext

    if not sys.stderr.isatty():
        return nullcontext()
    from privacy_gate.progress import bar

    return bar()
