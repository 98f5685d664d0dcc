"""The ``privacy-gate`` command: parses arguments, calls the library, prints, exits."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import click

from privacy_gate import __version__
from privacy_gate.errors import ExitCode, PrivacyGateError
from privacy_gate.registry import resolve

COMMANDS = {
    "init": "privacy_gate.commands.init:init_command",
    "run": "privacy_gate.commands.run:run_command",
    "measure": "privacy_gate.commands.measure:measure_command",
    "report": "privacy_gate.commands.report:report",
    "plan": "privacy_gate.commands.plan:plan_command",
    "explain": "privacy_gate.commands.explain:explain_command",
    "doctor": "privacy_gate.commands.doctor:doctor_command",
    "fixtures": "privacy_gate.commands.fixtures:fixtures",
    "advise": "privacy_gate.commands.advise:advise_command",
    "selftest": "privacy_gate.commands.selftest:selftest_command",
    "baseline": "privacy_gate.commands.baseline:baseline",
    "evidence": "privacy_gate.commands.evidence:evidence_command",
    "github": "privacy_gate.commands.github:github",
    "schema": "privacy_gate.commands.schema:schema_command",
}
"""Command -> its target, in the order of ``--help``; imported when it is asked for."""


class _Group(click.Group):
    """Maps every error to one sentence on standard error and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = resolve(COMMANDS[name])
        return command

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
