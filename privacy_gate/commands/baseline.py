"""``privacy-gate baseline``: the file of aggregates that increases are held against."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from privacy_gate.commands.files import PATH
from privacy_gate.errors import ConfigError, ExitCode, UsageError

if TYPE_CHECKING:
    from privacy_gate.baseline.file import BaselineFile
    from privacy_gate.config import Config
    from privacy_gate.domain import Report
    from privacy_gate.preparation import Prepared


@click.group("baseline")
def baseline() -> None:
    """The baseline that `max_increase` budgets are held against."""


@baseline.command("update")
@click.argument("config_path", metavar="[CONFIG]", type=PATH, default=Path("privacy_gate.yaml"))
@click.option("--model", help="Judge this model file instead of the configured one.")
@click.option("--fixtures", help="Use these fixtures instead of the configured ones.")
@click.option("--device", help="auto, cpu, cuda or cuda:N.")
@click.option("--allow-root", "allow_roots", multiple=True, help="Also allow paths below this.")
@click.option("--even-if-failing", is_flag=True, help="Also where not every check passes.")
@click.option("--include-scores", is_flag=True, help="Also keep every record's score.")
def update_command(
    config_path: Path, even_if_failing: bool, include_scores: bool, **overrides: Any
) -> ExitCode:
    """Run the gate for CONFIG and make its model the baseline.

    Absolute budgets are judged, increases over the old baseline are shown only: updating is how an
    increase is accepted. Commit the file, so that it is reviewed.
    """
    from privacy_gate.baseline.file import write_baseline
    from privacy_gate.baseline.making import make_baseline, what_changed
    from privacy_gate.baseline.scores import scores_path, write_scores
    from privacy_gate.config import load_config
    from privacy_gate.config.paths import shown_path
    from privacy_gate.gate import EPISODE_SIZE, run_and_keep
    from privacy_gate.preparation import prepare

    config = load_config(config_path, **overrides)
    path = _file_of(config)
    old, told = _old(path, config)
    prepared = prepare(config, compared=False)
    report, scored = run_and_keep(prepared)
    if scored is None or not report.complete:
        raise UsageError(
            "The run has no verdict for every check, so it can be no baseline.",
            hint="privacy-gate run says why.",
        )
    if not even_if_failing:
        _refuse_failing(report)
    digest = None
    if include_scores:
        digest = write_scores(scores_path(path), scored.ranks, prepared.data)
    else:
        scores_path(path).unlink(missing_ok=True)
    new = make_baseline(prepared, scored, report, old, EPISODE_SIZE, digest)
    write_baseline(path, new, str(path))
    click.echo(
        f"Wrote {shown_path(path, config.root)}: {new.model.path}"
        f" (sha256 {new.model.sha256[:12]}), {len(new.attacks)} attacks,"
        f" {new.evaluation.members} members + {new.evaluation.nonmembers} non-members judged."
    )
    for sentence in (*told, *what_changed(old, new), *_out_of_reach(prepared)):
        click.echo(sentence)
    if include_scores:
        click.echo(
            f"{scores_path(path).name} holds a membership score of every record: never publish it"
            + ("." if _ignored(scores_path(path)) else ", and add it to .gitignore.")
        )
    if _ignored(path):
        click.echo("git ignores this file: add it with git add --force, or move it.")
    return ExitCode.PASS


def _out_of_reach(prepared: Prepared) -> Iterator[str]:
    """Increases that the next run could not certify against the file as it is now."""
    from privacy_gate.baseline.feasible import with_increases
    from privacy_gate.baseline.finding import find_baseline
    from privacy_gate.feasibility import Feasibility

    config, waiting = prepared.config, prepared.programme.waiting
    made = find_baseline(config, prepared.data.sha256)
    confidence = config.statistics.confidence
    found = with_increases(Feasibility(), waiting, prepared.sizes, confidence, made).impossible
    if found:
        name, sentence = next(iter(found.items()))
        more = f" So it is for {len(found) - 1} more." if len(found) > 1 else ""
        yield f"note: the next run would stop early. {name}: {sentence}{more}"


@baseline.command("show")
@click.argument("config_path", metavar="[CONFIG]", type=PATH, default=Path("privacy_gate.yaml"))
@click.option("--allow-root", "allow_roots", multiple=True, help="Also allow paths below this.")
def show_command(config_path: Path, **overrides: Any) -> ExitCode:
    """Print the baseline file of CONFIG."""
    from privacy_gate.baseline.file import read_baseline
    from privacy_gate.config import load_config
    from privacy_gate.config.paths import shown_path

    config = load_config(config_path, **overrides)
    path = _file_of(config)
    shown = shown_path(path, config.root)
    if not path.exists():
        click.echo(f"No baseline yet at {shown}: privacy-gate baseline update makes one.")
        return ExitCode.PASS
    click.echo("\n".join(_table(read_baseline(path, shown), shown)))
    return ExitCode.PASS


def _file_of(config: Config) -> Path:
    if config.baseline_path is not None:
        return config.baseline_path
    if config.baseline_model is not None:
        raise UsageError(
            "The baseline of this configuration is a model file, so there is no file of"
            " aggregates.",
            hint="Replace that model file to move the baseline.",
            location=config.location("baseline"),
        )
    raise UsageError(
        "This configuration names no baseline.",
        hint="Write, for example, 'baseline: privacy_baseline.json' at its top level.",
        location=config.source.file,
    )


def _old(path: Path, config: Config) -> tuple[BaselineFile | None, list[str]]:
    """The baseline before, and a sentence if it could not be read."""
    from privacy_gate.baseline.file import read_baseline

    if not path.exists():
        return None, []
    try:
        return read_baseline(path, str(path)), []
    except ConfigError as error:
        return None, [f"The one before could not be used. {error.message}"]


def _refuse_failing(report: Report) -> None:
    open_checks = [check for check in report.checks if check.verdict != "pass"]
    if open_checks:
        first = ", ".join(check.id for check in open_checks[:3])
        raise UsageError(
            f"{len(open_checks)} of {len(report.checks)} checks do not pass ({first}).",
            hint="Mend the model first; --even-if-failing makes it the baseline as it is.",
        )
    if report.verdict == "fail":
        raise UsageError(
            "The terms of the base branch were changed, so this run fails.",
            hint="Merge the change of the terms first, or give --even-if-failing.",
        )


def _ignored(path: Path) -> bool:
    try:
        done = subprocess.run(
            ["git", "-C", str(path.parent), "check-ignore", "--quiet", path.name],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _table(file: BaselineFile, shown: str) -> Iterator[str]:
    others = len(file.judged)
    yield f"baseline   {shown}, made {file.date} by version {file.tool_version}"
    yield f"model      {file.model.path} ({file.model.format}, sha256 {file.model.sha256[:12]})"
    yield f"commit     {file.commit or 'unknown'}"
    yield (
        f"fixtures   sha256 {file.fixtures_sha256[:12]}; {file.evaluation.members} members +"
        f" {file.evaluation.nonmembers} non-members judged"
    )
    yield (
        f"judged     {others} model{'s' if others != 1 else ''} on these fixtures so far;"
        f" confidence {file.confidence:g}, {file.checks} checks"
    )
    for attack, entry in file.attacks.items():
        yield ""
        yield attack
        for name, found in entry.metrics.items():
            numbers = "not measured"
            if found.estimate is not None and found.low is not None and found.high is not None:
                numbers = f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"
            yield f"  {name:<18} {numbers}"
    yield ""
    yield f"Each interval holds at confidence {1 - 2 * file.level:g}: half of the error is for it."
