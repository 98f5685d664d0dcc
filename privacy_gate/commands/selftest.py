"""``privacy-gate selftest``: does the gate find leakage where there is none?"""

from __future__ import annotations

from pathlib import Path

import click

from privacy_gate.commands.files import PATH, strict_json
from privacy_gate.errors import ExitCode

DEFAULT = Path("privacy_gate.yaml")


@click.command("selftest")
@click.argument("config", type=PATH, default=DEFAULT)
@click.option(
    "--draws",
    type=click.IntRange(min=20),
    default=200,
    show_default=True,
    help="Permutations of membership.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; default: one per processor.")
@click.option("--model", type=PATH, help="Model file in the place of model.path.")
@click.option("--fixtures", type=PATH, help="Fixtures in the place of fixtures.path.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def selftest_command(
    config: Path,
    draws: int,
    jobs: int | None,
    model: Path | None,
    fixtures: Path | None,
    as_json: bool,
) -> ExitCode:
    """Deal out membership by lot, again and again, and judge CONFIG each time as a run does.

    Whatever is found then is made up. Exit code 0: no more false alarms than chance allows; 1: more
    than that; 2: it could not run.
    """
    from privacy_gate.config import load_config
    from privacy_gate.preparation import prepare
    from privacy_gate.progress import bar
    from privacy_gate.scoring import score_model
    from privacy_gate.selftest.running import selftest, without_asking
    from privacy_gate.selftest.words import selftest_text

    config_read = load_config(config, model=model, fixtures=fixtures)
    prepared, left_out = without_asking(prepare(config_read, compared=False))
    scored = score_model(prepared, None, whole=False)
    with bar("runs") as progress:
        found = selftest(prepared, scored, draws, jobs, progress)
    if as_json:
        click.echo(strict_json({**found.to_dict(), "left_out": left_out}), nl=False)
    else:
        click.echo(selftest_text(found, left_out), nl=False)
    return ExitCode.FAIL if found.exceeded else ExitCode.PASS
