"""``privacy-gate init``: a first configuration, fitted to the model and the fixtures at hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from privacy_gate.commands.files import PATH
from privacy_gate.errors import UsageError

if TYPE_CHECKING:
    from privacy_gate.setup.drafting import Draft
    from privacy_gate.setup.search import Found

_MOST_LISTED = 10


@click.command("init")
@click.option("--model", type=PATH, help="The model file, if there are several or it is elsewhere.")
@click.option("--fixtures", type=PATH, help="The fixture directory, likewise.")
@click.option(
    "--task",
    type=click.Choice(["classification", "custom"]),
    default="classification",
    show_default=True,
    help="custom: a function of yours turns outputs into signals.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    default="privacy_gate.yaml",
    show_default=True,
    help="File to write; it must be new.",
)
@click.option("--no-measure", is_flag=True, help="Do not run the model, nor any code.")
def init_command(
    model: Path | None,
    fixtures: Path | None,
    task: Literal["classification", "custom"],
    output: Path,
    no_measure: bool,
) -> None:
    """Write a commented configuration for the model and the fixtures found below this directory.

    Budgets are those that the fixtures can certify. What cannot be known is TODO, which `run`
    reports with what fills it in. To measure the accuracy, and which preprocessing fits, the model
    is run on some of the fixtures, with the function that builds it.
    """
    from privacy_gate.setup.guidance import without_fixtures
    from privacy_gate.setup.initial import draft, tried
    from privacy_gate.setup.search import search
    from privacy_gate.setup.sections import written
    from privacy_gate.setup.writing import refuse_existing, write_new

    refuse_existing(output)
    top = Path.cwd()
    found = search(top)
    directory = _chosen("--fixtures", fixtures, found.fixtures, "fixture directories")
    if directory is None:
        raise without_fixtures(found, top)
    file = _chosen("--model", model, found.models, "model files")
    home = output.resolve().parent
    start = draft(found, file, directory, home, task, top)
    if no_measure:
        finished = start
    else:
        click.echo("Running the model on some of the records (not with --no-measure) …", err=True)
        finished = tried(start)
    text = written(finished)
    write_new(output, text)
    for line in _summary(finished, found, output, text):
        click.echo(line)


def _chosen(option: str, given: Path | None, found: Sequence[Path], what: str) -> Path | None:
    """The path given, else the only one found; asks on a terminal, and nowhere else."""
    if given is not None:
        return given.resolve()
    if len(found) <= 1:
        return found[0] if found else None
    names = [str(path.relative_to(Path.cwd())) for path in found]
    listed = "\n".join(f"  {name}" for name in names[:_MOST_LISTED])
    more = f"\n  and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            f"There are several {what}:\n{listed}{more}\n",
            hint=f"Name one: privacy-gate init {option} {names[0]}\n"
            "Of several models in one repository, each gets its file in its own directory.",
        )
    click.echo(f"There are several {what}:\n{listed}{more}")
    name = click.prompt(f"{option}", type=click.Choice(names), show_choices=False)
    return found[names.index(name)]


def _summary(finished: Draft, found: Found, output: Path, text: str) -> Iterator[str]:
    from privacy_gate.setup.guidance import left_to_do
    from privacy_gate.setup.starting_budgets import RAISED

    yield f"Wrote {output}."
    measured = finished.measured
    if measured is not None and measured.members and measured.nonmembers:
        yield (
            f"  Right on {measured.members.estimate:.3f} of the members and"
            f" {measured.nonmembers.estimate:.3f} of the non-members."
        )
    if measured is not None and measured.preprocess is not None and len(measured.tried) > 1:
        yield "  model.preprocess was inferred from that: compare it with the training code."
    if measured is not None and measured.standardised is not None:
        yield "  Training seems to standardise the columns; the fixtures hold them as they are."
    if measured is not None and measured.guesses:
        yield "  The model only guesses: what was tried for model.preprocess is in the file. Labels"
        yield "  in another order than in training look the same: set model.labels.order."
    if finished.obstacle:
        yield f"  The model was not measured: {finished.obstacle}."
    if RAISED in text:
        yield "  The default budgets take more records than these: the file has looser ones."
    if not found.complete:
        yield "  Too many files to look at them all: name others with --model or --fixtures."
    yield from left_to_do(text, output)
