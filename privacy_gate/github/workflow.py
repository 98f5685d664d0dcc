"""Commands to the runner on standard output, and the files of a step: summary and outputs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from privacy_gate.errors import UsageError
from privacy_gate.github.annotations import Annotation

MOST_ANNOTATIONS = 8
"""Of each type. The runner shows 10 a step and drops the rest without a word; a composite action
shares them among its steps."""

LARGEST_SUMMARY = 1_048_576
"""Bytes of a step's summary; GitHub drops a larger one as a whole."""


def command_lines(annotations: Sequence[Annotation]) -> list[str]:
    """The annotations as workflow commands, in order; the last of a type says how many are left."""
    lines = []
    for level, command in (("failure", "error"), ("warning", "warning")):
        own = [annotation for annotation in annotations if annotation.level == level]
        shown = own if len(own) <= MOST_ANNOTATIONS else own[: MOST_ANNOTATIONS - 1]
        lines += [_command(command, annotation) for annotation in shown]
        if len(shown) < len(own):
            lines.append(f"::{command}::{len(own) - len(shown)} more, see the report")
    return lines


def _command(name: str, annotation: Annotation) -> str:
    properties = {
        "file": annotation.path,
        "line": str(annotation.line),
        "title": annotation.title,
    }
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {listed}::{_data(annotation.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def mask(token: str, stream: TextIO) -> None:
    """Have the runner hide the token in all that is printed from now on."""
    stream.write(f"::add-mask::{_data(token)}\n")
    stream.flush()


def show(text: str, stream: TextIO, *, in_actions: bool) -> None:
    """Print text that anybody may have written. In a job the runner is told first not to look for
    commands in it; the word that ends this cannot be guessed."""
    word = secrets.token_hex(16)
    guarded = f"::stop-commands::{word}\n{text.rstrip()}\n::{word}::\n"
    stream.write(guarded if in_actions else f"{text.rstrip()}\n")
    stream.flush()


def room(path: Path) -> int:
    """Bytes that still fit into a summary, with a margin."""
    used = path.stat().st_size if path.exists() else 0
    return LARGEST_SUMMARY - used - 1024


def append(path: Path, text: str) -> None:
    """Add text to a file of the step. Raises ``UsageError`` where that is not possible."""
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"Cannot write {path.name}: {error.strerror}.") from None


def outputs_text(values: Mapping[str, str]) -> str:
    """Outputs as the runner reads them; no value can end early and set another output."""
    blocks = []
    for name, value in values.items():
        delimiter = f"end-{secrets.token_hex(16)}"
        blocks.append(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")
    return "".join(blocks)
