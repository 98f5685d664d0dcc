"""What to do next, said after ``init``: what is missing, and the commands that make it."""

from __future__ import annotations

import csv
import shlex
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from privacy_gate.config.problems import dotted
from privacy_gate.config.source import parse_source
from privacy_gate.config.unfinished import unfinished
from privacy_gate.errors import UsageError
from privacy_gate.setup.search import Found

DEFAULT = "privacy_gate.yaml"
_LABELS = ("y", "label", "labels", "target", "class")
_IDENTIFIERS = ("id", "identifier")
_LOCATIONS = ("path", "file", "filename", "location")


def without_fixtures(found: Found, top: Path) -> UsageError:
    """The error where there are no fixtures: nothing is written then, since a configuration without
    them would know neither budgets nor labels, and would stand in the way of the one to come."""
    model = "" if found.models else ", nor a model"
    again = "train again on exactly" if found.models else "train on exactly"
    return UsageError(
        f"There are no fixtures below {top}{model}: nothing was written.",
        hint=(
            "Next:\n"
            f"  1. {_build(found.data, top)}\n"
            "     (a coin decides for each record whether training must leave it out)\n"
            f"  2. {again} the records that are not left out, and save the model as safetensors or"
            " ONNX\n"
            "  3. privacy-gate init\n"
            "Fixtures elsewhere: privacy-gate init --fixtures DIR"
        ),
    )


def left_to_do(text: str, path: Path) -> Iterator[str]:
    """Every TODO of the file with its line, or what to run where there is none."""
    problems = unfinished(parse_source(text.encode(), path, str(path)))
    for problem in problems:
        yield f"  {path}:{problem.line}: {dotted(problem.path)}: {problem.sentence}"
    named = "" if str(path) == DEFAULT else f" {shlex.quote(str(path))}"
    if problems:
        yield f"Then: privacy-gate doctor{named}, and privacy-gate run{named}"
    else:
        yield f"Next: privacy-gate run{named}"


def _build(data: Sequence[Path], top: Path) -> str:
    """The command that makes fixtures of the nearest table, with its columns where they can be
    told."""
    table = data[0] if data else Path("train.npz")
    names = _columns(table)
    name = shlex.quote(str(table.relative_to(top)) if data else str(table))
    command = f"privacy-gate fixtures build --from {name} --rate 0.5"
    if table.suffix != ".npz":
        location = _first(_LOCATIONS, names) or "path"
        folder = shlex.quote(str(table.parent.relative_to(top)))
        command += f" --reference --location {shlex.quote(location)} --root {folder}"
    command += f" --label {shlex.quote(_first(_LABELS, names) or 'y')}"
    identifier = _first(_IDENTIFIERS, names)
    return f"{command}{f' --id {identifier}' if identifier else ''} -o fixtures"


def _columns(table: Path) -> list[str]:
    """The names of a table's columns; none where they cannot be told."""
    try:
        if table.suffix == ".npz":
            with zipfile.ZipFile(table) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist()]
        if table.suffix == ".csv":
            with table.open(newline="", encoding="utf-8-sig") as stream:
                return next(csv.reader([stream.readline(10_000)]), [])
    except (OSError, ValueError, zipfile.BadZipFile, csv.Error):
        pass
    return []


def _first(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)
