"""``privacy-gate schema``: the JSON schemas, for editors and for readers of reports."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.argument("name", type=click.Choice(["config", "report"]))
def schema_command(name: str) -> None:
    """Print the JSON schema of the configuration or of the report."""
    if name == "config":
        from privacy_gate.config import config_schema as schema
    else:
        from privacy_gate.report.schema import report_schema as schema
    click.echo(json.dumps(schema(), indent=2))
