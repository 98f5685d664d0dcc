"""``privacy-gate measure``: the statistics alone, for scores of any framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
@click.option("--lower-is-member", is_flag=True, help="A lower score means member: losses.")
@click.option("--json", "json_file", type=PATH, help="Also write JSON; - prints it instead.")
def measure_command(
    scores: Path,
    fpr: Sequence[float],
    fnr: Sequence[float],
    json_file: Path | None,
    **options: Any,
) -> ExitCode:
    """Statistics of the membership scores in SCORES.

    SCORES is an .npz with `members` and `nonmembers`, or a .csv or .parquet with the columns
    `score`, `member` (1 or 0) and, where records belong together, `group`. A higher score means
    member, unless --lower-is-member is given.
    """
    from privacy_gate.measurement import DEFAULT_RATES, measure
    from privacy_gate.measurement_text import render
    from privacy_gate.score_file.reading import read_scores

    try:
        found = read_scores(scores)
        result = measure(
            found.members,
            found.nonmembers,
            fpr=fpr or DEFAULT_RATES,
            fnr=fnr or None,
            **options,
        )
        result = replace(result, cautions=(*found.notes, *result.cautions))
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
