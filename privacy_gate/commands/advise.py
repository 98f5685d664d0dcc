"""``privacy-gate advise``: what can be done about a leak, tried where it can be."""

from __future__ import annotations

from pathlib import Path

import click

from privacy_gate.commands.files import PATH, strict_json
from privacy_gate.errors import ExitCode

DEFAULT = Path("privacy_gate.yaml")


@click.command("advise")
@click.argument("config", type=PATH, default=DEFAULT)
@click.option("--model", type=PATH, help="Model file in the place of model.path.")
@click.option("--fixtures", type=PATH, help="Fixtures in the place of fixtures.path.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def advise_command(
    config: Path, model: Path | None, fixtures: Path | None, as_json: bool
) -> ExitCode:
    """Try what can be done to the scores of CONFIG's model, and say what it is worth.

    Temperature, rounding, top-k, labels only and HAMP's output modification are measured on the
    calibration split, beside what attackers get who need no scores. Remedies that need training
    again are listed. This is no verdict: exit code 0 unless it could not run (2).
    """
    from privacy_gate.advice.measuring import advise
    from privacy_gate.advice.words import RETRAINING, advice_text
    from privacy_gate.config import load_config
    from privacy_gate.preparation import prepare
    from privacy_gate.progress import bar

    prepared = prepare(load_config(config, model=model, fixtures=fixtures), compared=False)
    with bar("records") as progress:
        found = advise(prepared, progress)
    if as_json:
        retraining = [
            {"name": name, "words": words, "measured": False} for name, words in RETRAINING
        ]
        click.echo(strict_json({**found.to_dict(), "retraining": retraining}), nl=False)
    else:
        click.echo(advice_text(found), nl=False)
    return ExitCode.PASS
