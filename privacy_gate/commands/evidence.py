"""``privacy-gate evidence``: what stands behind a report, to be kept or attested."""

from __future__ import annotations

import os
from pathlib import Path

import click

from privacy_gate.commands.files import PATH, strict_json
from privacy_gate.errors import UsageError


@click.command("evidence")
@click.argument("report", type=PATH)
@click.option("-o", "--output", type=PATH, help="Zip to write.")
@click.option(
    "--root",
    type=PATH,
    default=".",
    show_default=True,
    help="Directory that the paths in the report are relative to.",
)
@click.option("--fixtures", type=PATH, help="Where the fixtures are, if not where the report says.")
@click.option(
    "--predicate",
    "predicate_file",
    type=PATH,
    help="JSON to write: the predicate of an attestation. Prints the subject to attest.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
def evidence_command(
    report: Path,
    output: Path | None,
    root: Path,
    fixtures: Path | None,
    predicate_file: Path | None,
    force: bool,
) -> None:
    """Bundle REPORT (a report.json) with all it was made under; write its predicate.

    Exit code 0 says that the bundle is written, whatever the report's verdict.
    """
    from privacy_gate.evidence.bundle import archive, bundle, read_report
    from privacy_gate.evidence.page import standing
    from privacy_gate.evidence.predicate import predicate, subject

    if output is None and predicate_file is None:
        raise UsageError("Nothing to write.", hint="Give -o evidence.zip, or --predicate FILE.")
    found, content = read_report(report)
    if output is not None:
        bundled = bundle(found, content, root=root, fixtures=fixtures)
        _write(output, archive(bundled.files), force)
        click.echo(f"Wrote {output}: {', '.join(sorted(bundled.files))}.")
        for sentence in bundled.left_out:
            click.echo(f"Left out: {sentence}.")
        click.echo(standing(found))
    if predicate_file is not None:
        stated = predicate(found, content)
        name, digest = subject(found)
        _write(predicate_file, strict_json(stated).encode(), force)
        click.echo(f"subject-name={name}\nsubject-digest={digest}")


def _write(path: Path, content: bytes, force: bool) -> None:
    """Write all or nothing; an existing file is replaced only if that is asked for."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        try:
            draft.write_bytes(content)
            (os.replace if force else os.link)(draft, path)  # a link never replaces a file
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        if path.exists() and not force:
            raise UsageError(f"{path} exists.", hint="Give --force to replace it.") from None
        raise UsageError(f"Cannot write {path}: {error.strerror}.") from None
