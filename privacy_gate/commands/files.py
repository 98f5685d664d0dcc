"""What commands write: texts to files or standard output, parents made, errors in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from privacy_gate.errors import UsageError

PATH = click.Path(path_type=Path)
"""The type of every path argument."""


def write(path: Path, text: str) -> None:
    """Write UTF-8 text; ``-`` prints it. Raises ``UsageError`` where that is not possible."""
    if str(path) == "-":
        click.echo(text, nl=False)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.") from None


def strict_json(content: Any) -> str:
    """JSON without NaN, ending in a newline."""
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
