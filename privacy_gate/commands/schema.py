"""``privacy-gate schema``: the JSON schemas, for editors and for readers of reports."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.argument("name", type=click.Choice(["config", "policy", "report"]))
def schema_command(name: str) -> None:
    """Print the JSON schema of the configuration, of a policy or of the report."""
    if name == "config":
        from privacy_gate.config import config_schema as schema
    elif name == "policy":
        from privacy_gate.config import policy_schema as schema
    else:
        from privacy_gate.report.schema import report_schema as schema
    click.echo(json.dumps(schema(), indent=2))
