"""``privacy-gate plan``: how many records, or which budgets, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import click

from privacy_gate.commands.files import PATH, strict_json
from privacy_gate.errors import ExitCode, UsageError

DEFAULT = Path("privacy_gate.yaml")


@click.command("plan")
@click.argument("config", type=PATH, required=False)
@click.option(
    "--power",
    type=float,
    default=0.95,
    show_default=True,
    help="Chance of the right verdict, for a model that leaks nothing and for the planted leak.",
)
@click.option("--members", type=click.IntRange(min=2), help="Fixture records that are members.")
@click.option("--nonmembers", type=click.IntRange(min=2), help="Fixture records that are not.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print the smallest budgets as YAML.")
@click.option("--bytes", "record_bytes", type=click.IntRange(min=1), help="Size of one record.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan_command(
    config: Path | None,
    power: float,
    members: int | None,
    nonmembers: int | None,
    as_yaml: bool,
    record_bytes: int | None,
    as_json: bool,
) -> ExitCode:
    """Records needed to decide all checks of CONFIG, or the budgets that given records certify.

    CONFIG defaults to privacy_gate.yaml if there is one, else to the default budgets. With
    --members and --nonmembers the smallest budgets are printed that such fixtures can certify.
    Exit code 3: no number of records, or no budget, would do.
    """
    from privacy_gate.config import load_config
    from privacy_gate.domain import Sizes
    from privacy_gate.planner.budgets import plan_budgets
    from privacy_gate.planner.question import default_question, question
    from privacy_gate.planner.records import plan_records
    from privacy_gate.planner.words import budgets_text, budgets_yaml, records_text

    if not 0.5 <= power < 1:  # also refuses nan, unlike click's ranges
        raise UsageError("--power must lie in [0.5, 1).")
    path = config or (DEFAULT if DEFAULT.exists() else None)
    asked = default_question() if path is None else question(load_config(path))
    if members is None and nonmembers is None:
        _refuse(as_yaml, "--yaml", "--members and --nonmembers")
        needed = plan_records(asked, power)
        text = strict_json(_with_bytes(needed.to_dict(), record_bytes)) if as_json else ""
        click.echo(text or records_text(needed, record_bytes), nl=False)
        return ExitCode.PASS if needed.evaluation is not None else ExitCode.INCONCLUSIVE
    if members is None or nonmembers is None:
        raise UsageError("Both --members and --nonmembers are needed.")
    _refuse(record_bytes is not None, "--bytes", "neither --members nor --nonmembers")
    if as_yaml and as_json:
        raise UsageError("--yaml and --json cannot both be printed.")
    found = plan_budgets(asked, Sizes(members, nonmembers), power)
    if as_json:
        click.echo(strict_json(found.to_dict()), nl=False)
    else:
        click.echo(budgets_yaml(found) if as_yaml else budgets_text(found), nl=False)
    return ExitCode.PASS if found.chances is not None else ExitCode.INCONCLUSIVE


def _with_bytes(content: dict[str, object], record_bytes: int | None) -> dict[str, object]:
    records = content["fixture_records"]
    if record_bytes is None or not isinstance(records, int):
        return content
    return {**content, "fixture_bytes": 2 * records * record_bytes}


def _refuse(given: bool, option: str, condition: str) -> None:
    if given:
        raise UsageError(f"{option} needs {condition}.")
