"""``privacy-gate explain``: the configuration in sentences."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from privacy_gate.commands.files import PATH


@click.command("explain")
@click.argument("config", type=PATH, default="privacy_gate.yaml")
@click.option("--policy-ref", help="Commit or branch whose terms count, too.")
def explain_command(config: Path, policy_ref: str | None) -> None:
    """Say what CONFIG (default: privacy_gate.yaml) asks for, for readers of no YAML.

    The model is not opened, and of the fixtures only the manifest is read.
    """
    from privacy_gate.config import load_config
    from privacy_gate.explanation.page import explain

    loaded = load_config(config, policy_ref=policy_ref)
    click.echo(explain(loaded, datetime.now(UTC).date()), nl=False)
