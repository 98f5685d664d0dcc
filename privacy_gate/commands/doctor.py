"""``privacy-gate doctor``: what is installed, what is set, and what stands in the way of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from privacy_gate.commands.files import PATH, strict_json
from privacy_gate.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from privacy_gate.setup.batch import Batch, Range
    from privacy_gate.setup.finding import Finding

_DEFAULT = Path("privacy_gate.yaml")


@click.command("doctor")
@click.argument("config", type=PATH, required=False)
@click.option("--show-batch", is_flag=True, help="Also show five records as the model sees them.")
@click.option("--model", help="Look at this model file instead of the configured one.")
@click.option("--fixtures", help="Look at these fixtures instead of the configured ones.")
@click.option("--device", help="auto, cpu, cuda or cuda:N.")
@click.option("--allow-root", "allow_roots", multiple=True, help="Also allow paths below this.")
@click.option("--policy-ref", help="Branch or commit whose budgets and policy count, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor_command(
    config: Path | None, show_batch: bool, as_json: bool, **overrides: Any
) -> ExitCode:
    """Say what a run of CONFIG (default: privacy_gate.yaml) needs, and what of it is wrong.

    Verifies the fixtures and opens the model. --show-batch prints shapes, types and ranges over
    five records together, and their labels beside the predicted ones; no record. Exit codes: 0
    fine, 1 something is wrong, 2 could not run.
    """
    from privacy_gate.setup.environment import environment_findings, extras, installed
    from privacy_gate.setup.finding import any_problem
    from privacy_gate.setup.project import examine

    if config is not None and not config.exists():
        raise UsageError("The configuration file does not exist.", location=str(config))
    versions = installed()
    surroundings = tuple(environment_findings(versions, extras(), os.environ))
    examined = examine(config or _DEFAULT, overrides, batch=show_batch)
    findings = (*surroundings, *examined.findings)
    if as_json:
        content = {
            "schema": "privacy-gate.doctor/1",
            "versions": versions,
            "findings": [asdict(found) for found in findings],
            "batch": examined.batch and examined.batch.to_dict(),
        }
        click.echo(strict_json(content), nl=False)
    else:
        for line in (*map(_line, findings), *_batch(examined.batch)):
            click.echo(line)
    return ExitCode.FAIL if any_problem(findings) else ExitCode.PASS


def _line(found: Finding) -> str:
    return f"{found.status:<8} {found.topic}: {found.message} {found.action}".rstrip()


def _batch(batch: Batch | None) -> Iterator[str]:
    if batch is None:
        return
    yield ""
    yield "Five records, over all of them:"
    yield from (f"  raw      {_range(found)}" for found in batch.raw)
    yield from (f"  input    {_range(found)}" for found in batch.inputs)
    yield f"  returned {_range(batch.output)}, read as {batch.kind}"
    if batch.true:
        yield f"  {'label':<12} predicted"
        for true, predicted in zip(batch.true, batch.predicted, strict=True):
            yield f"  {true!s:<12} {predicted}"


def _range(found: Range) -> str:
    shape = " × ".join(str(size) for size in found.shape)
    what = "text, lengths" if found.dtype == "text" else f"{found.dtype},"
    return (
        f"{found.name}: {shape} {what} {found.low:.4g} to {found.high:.4g},"
        f" mean {found.mean:.4g}" + (f", {found.not_finite} not finite" if found.not_finite else "")
    )
