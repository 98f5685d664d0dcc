"""The ``privacy-gate`` command: parses arguments, calls the library, prints, exits."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from privacy_gate import __version__
from privacy_gate.errors import ExitCode, PrivacyGateError, UsageError, described
from privacy_gate.fixtures.commands import fixtures

_PATH = click.Path(path_type=Path)


class _Group(click.Group):
    """Maps every error to one sentence on standard error and an exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except click.exceptions.Exit as stop:
            code = stop.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            code = ExitCode.INTERRUPTED
        except click.ClickException as error:
            error.show()
            code = ExitCode.ERROR
        except PrivacyGateError as error:
            click.echo(f"privacy-gate: error: {error}", err=True)
            code = error.exit_code
        except SystemExit:  # click ends a broken pipe with 1, which means a failed check here
            code = ExitCode.ERROR
        except Exception as error:
            _explain(error)
            code = ExitCode.ERROR
        sys.exit(int(code) if isinstance(code, int) else ExitCode.PASS)


def _explain(error: Exception) -> None:
    """Say that something unforeseen happened; its text might quote a record."""
    if os.environ.get("PRIVACY_GATE_DEBUG"):
        traceback.print_exception(error)
    click.echo(
        f"privacy-gate: internal error ({type(error).__name__})."
        " Set PRIVACY_GATE_DEBUG=1 to see where.",
        err=True,
    )


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="privacy-gate")
def main() -> None:
    """A CI gate against privacy regressions in machine-learning models.

    Exit codes: 0 pass; 1 a budget is exceeded; 2 bad usage, configuration, model or fixtures, or an
    internal error; 3 inconclusive; 130 interrupted.
    """


main.add_command(fixtures)


@main.command("run")
@click.argument("configs", nargs=-1, type=_PATH)
@click.option("--output", type=_PATH, help="Directory for report.json, written on errors too.")
@click.option("--json", "json_file", type=_PATH, help="File for the JSON report; - prints it.")
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
            _write(folder / "report.json", rendered(report, "json"))
        if json_file is not None:
            _write(json_file, rendered(report, "json"))
        if str(json_file) != "-":
            click.echo(rendered(report, "terminal"))
    return finished.exit_code


@main.command("measure")
@click.argument("scores", type=_PATH)
@click.option("--fpr", multiple=True, type=float, help="FPR (and FNR) to report; repeatable.")
@click.option("--fnr", multiple=True, type=float, help="FNR to report; repeatable.")
@click.option("--budget", "budgets", multiple=True, help="For example 'tpr_at_fpr[0.01]<=0.05'.")
@click.option("--confidence", type=float, default=0.95, show_default=True)
@click.option("--episode-size", type=int, default=15, show_default=True, help="For Log-MIA.")
@click.option("--lower-is-member", is_flag=True, help="The scores are losses.")
@click.option("--json", "json_file", type=_PATH, help="Also write JSON; - prints it instead.")
def measure_command(
    scores: Path,
    fpr: Sequence[float],
    fnr: Sequence[float],
    json_file: Path | None,
    **options: Any,
) -> ExitCode:
    """Statistics of the membership scores in SCORES, an .npz with `members` and `nonmembers`."""
    from privacy_gate.measurement import DEFAULT_RATES, measure
    from privacy_gate.measurement_text import render
    from privacy_gate.score_file import read_scores

    try:
        members, nonmembers = read_scores(scores)
        result = measure(members, nonmembers, fpr=fpr or DEFAULT_RATES, fnr=fnr or None, **options)
    except Exception as error:
        if json_file is not None:
            content = {"schema": "privacy-gate.measure/1", "verdict": "error"}
            _write(json_file, _json({**content, "error": described(error)}))
        raise
    if json_file is not None:
        _write(json_file, _json(result.to_dict()))
    if str(json_file) != "-":
        click.echo(render(result), nl=False)
    return result.exit_code


@main.command("schema")
@click.argument("name", type=click.Choice(["config", "report"]))
def schema_command(name: str) -> None:
    """Print the JSON schema of the configuration or of the report."""
    if name == "config":
        from privacy_gate.config import config_schema as schema
    else:
        from privacy_gate.report.schema import report_schema as schema
    click.echo(json.dumps(schema(), indent=2))


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    if str(path) == "-":
        click.echo(text, nl=False)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.") from None


def _progress() -> Any:
    """A progress bar on a terminal's standard error, nothing elsewhere."""
    from contextlib import nullcontext

    if not sys.stderr.isatty():
        return nullcontext()
    from privacy_gate.progress import bar

    return bar()
