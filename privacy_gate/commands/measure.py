"""``privacy-gate measure``: the statistics alone, for scores of any framework."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from privacy_gate.commands.files import PATH, strict_json, write
from privacy_gate.errors import ExitCode, described


@click.command("measure")
@click.argument("scores", type=PATH)
@click.option("--fpr", multiple=True, type=float, help="FPR (and FNR) to report; repeatable.")
@click.option("--fnr", multiple=True, type=float, help="FNR to report; repeatable.")
@click.option("--budget", "budgets", multiple=True, help="For example 'tpr_at_fpr[0.01]<=0.05'.")
@click.option("--confidence", type=float, default=0.95, show_default=True)
@click.option("--episode-size", type=int, default=15, show_default=True, help="For Log-MIA.")
@click.option("--lower-is-member", is_flag=True, help="The scores are losses.")
@click.option("--json", "json_file", type=PATH, help="Also write JSON; - prints it instead.")
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
            write(json_file, strict_json({**content, "error": described(error)}))
        raise
    if json_file is not None:
        write(json_file, strict_json(result.to_dict()))
    if str(json_file) != "-":
        click.echo(render(result), nl=False)
    return result.exit_code
