"""A file that must be new: written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from privacy_gate.errors import UsageError


def refuse_existing(path: Path) -> None:
    """Raise ``UsageError`` if there is something of this name, or no directory for it."""
    if os.path.lexists(path):
        raise _exists(path)
    if not path.parent.is_dir():
        raise UsageError(f"There is no directory {path.parent}.", hint="Make it first.")


def write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet, whole or not at all. Raises ``UsageError``."""
    try:
        with path.open("x"):
            pass  # takes the name: whoever comes second is told
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.") from None
    try:
        _replace(path, text)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise UsageError(f"Cannot write {path}: {error.strerror}.") from None


def _replace(path: Path, text: str) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".privacy_gate-") as directory:
        whole = Path(directory) / path.name
        whole.write_text(text, encoding="utf-8", newline="\n")
        os.replace(whole, path)


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"{path} exists already, and init never overwrites.",
        hint="Give another name with -o FILE, or remove the file first.",
    )
