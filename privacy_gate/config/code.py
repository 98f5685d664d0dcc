"""One digest of the code that a configuration names, so that a change of it does not go unnoticed.

Only files are read; nothing is imported or run.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from privacy_gate.config.values import TARGET

_OWN = "privacy_gate"


def code_sha256(settings: BaseModel, search_path: Sequence[Path]) -> str:
    """The digest of the source files behind every ``module:function`` in the ``settings``.

    A module counts with its whole top-level package. What it imports from ``search_path`` counts,
    too, as far as ``import`` statements tell; so does this tool. Other installed packages count
    only where a function of theirs is named, and data files never.
    """
    places = [str(place) for place in search_path]
    pending = [_OWN, *sorted({target.split(":")[0].split(".")[0] for target in _targets(settings)})]
    lines: list[str] = []
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        ours = dict(_files(name, places)) if name != _OWN else {}
        files = ours or dict(_files(name, None))
        lines += [f"{name} {shown} {_sha256(path)}\n" for shown, path in files.items()]
        lines += [] if files else [f"{name} is not found\n"]
        for path in ours.values():
            pending += [found for found in _imported(path) if any(_files(found, places))]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _targets(value: Any) -> Iterator[str]:
    """Every text that names a function, wherever it stands: a new key cannot be forgotten."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, str):
        if re.fullmatch(TARGET, value, re.ASCII):
            yield value
    elif isinstance(value, Mapping | tuple | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _targets(inner)


def _files(name: str, places: list[str] | None) -> Iterator[tuple[str, Path]]:
    """The files of a top-level module or package: its name there, and the file."""
    spec = _installed(name) if places is None else PathFinder.find_spec(name, places)
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        if spec.origin is not None:
            yield Path(spec.origin).name, Path(spec.origin)
        return
    endings = tuple(all_suffixes())
    for location in spec.submodule_search_locations:
        for folder, folders, files in os.walk(location):
            folders[:] = sorted(inner for inner in folders if inner != "__pycache__")
            for file in sorted(files):
                if file.endswith(endings):
                    path = Path(folder, file)
                    yield path.relative_to(location).as_posix(), path


def _installed(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except (ImportError, ValueError):
        return None


def _imported(path: Path) -> Iterator[str]:
    """The top-level names that a file's import statements ask for."""
    try:
        tree = ast.parse(path.read_bytes()) if path.suffix == ".py" else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def _sha256(path: Path) -> str:
    return file_sha256(path) or "unreadable"


def file_sha256(path: Path) -> str | None:
    """The digest of a file, ``None`` where there is none to read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
