"""Where a configuration may point: inside the project, or below a directory that was allowed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from privacy_gate.errors import UsageError

ROOTS_VARIABLE = "PRIVACY_GATE_ROOTS"


def find_root(directory: Path) -> Path:
    """The git top level that holds ``directory``, else the directory itself."""
    for candidate in (directory, *directory.parents):
        if (candidate / ".git").exists():  # a directory, or a file in a worktree
            return candidate
    return directory


def allowed_roots(arguments: Iterable[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """Directories allowed by argument, then those in ``PRIVACY_GATE_ROOTS``, symlinks resolved.

    Raises ``UsageError`` for one that is not a directory.
    """
    variable = os.environ.get(ROOTS_VARIABLE, "")
    named = [("--allow-root", os.fspath(argument)) for argument in arguments]
    named += [(ROOTS_VARIABLE, text) for text in variable.split(os.pathsep) if text]
    return tuple(_root(source, text) for source, text in named)


def _root(source: str, text: str) -> Path:
    try:
        root = Path(text).resolve()
        if text and root.is_dir():
            return root
    except (OSError, RuntimeError, ValueError):
        pass
    raise UsageError(
        f"The allowed root {text!r} is not a directory.", hint=f"Correct {source}.", location=source
    )


def shown_path(path: Path, root: Path) -> str:
    """A path as it reads in a report: relative to the project if it lies inside."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def resolve_inside(text: str, directory: Path, roots: Iterable[Path]) -> Path:
    """The path relative to ``directory``, symlinks resolved, if it lies in one of the ``roots``.

    Raises ``ValueError`` with a sentence otherwise. Whether it exists is not asked.
    """
    if text.startswith("~"):
        raise ValueError("starts with '~', which is not expanded; write the path out")
    try:
        path = (directory / text).resolve()
    except (OSError, RuntimeError, ValueError):
        raise ValueError("is not a path that can be followed") from None
    if not any(path.is_relative_to(root) for root in roots):
        raise ValueError(
            "lies outside the project; move it inside, or allow its directory with --allow-root "
            f"or {ROOTS_VARIABLE}"
        )
    return path
