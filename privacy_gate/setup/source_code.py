"""A Python file as a tree, with the names it imports and the name it is imported by."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LARGEST = 1_000_000
_SOURCE_ROOTS = {"src", "lib"}


@dataclass(frozen=True, slots=True)
class Module:
    """A file that was parsed, not imported. ``name``: dotted, looked up in ``python_path``."""

    path: Path
    name: str
    python_path: Path
    tree: ast.Module
    imports: Mapping[str, str]

    @property
    def is_script(self) -> bool:
        """Whether it does something when it is run."""
        return any(
            isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
            for node in self.tree.body
        )

    def dotted(self, node: ast.expr | None) -> str | None:
        """``nn.Module`` -> ``torch.nn.Module``, as this file imports it; a name that is not
        imported is one of this file. ``None`` for any other expression."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._dotted_text(node.value)
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, f"{self.name}.{node.id}")
        if isinstance(node, ast.Attribute):
            before = self.dotted(node.value)
            return None if before is None else f"{before}.{node.attr}"
        return None

    def _dotted_text(self, text: str) -> str | None:
        try:
            inner = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError):
            return None
        return None if isinstance(inner, ast.Constant) else self.dotted(inner)


def read_module(path: Path, top: Path) -> Module | None:
    """Parse a file below ``top``; ``None`` if that is not possible or no name leads to it."""
    named = _name(path, top)
    try:
        if named is None or path.stat().st_size > _LARGEST:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in code that is not ours
            tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    name, python_path = named
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return Module(path, name, python_path, tree, _imports(tree, package))


def _name(path: Path, top: Path) -> tuple[str, Path] | None:
    """The dotted name and the directory it is looked up in: ``top``, or a ``src`` below it."""
    parts = list(path.relative_to(top).with_suffix("").parts)
    start = 1 if len(parts) > 1 and parts[0] in _SOURCE_ROOTS else 0
    names = parts[start:]
    if names[-1] == "__init__":
        names.pop()
    if not names or not all(name.isidentifier() for name in names):
        return None
    return ".".join(names), top.joinpath(*parts[:start])


def _imports(tree: ast.Module, package: str) -> dict[str, str]:
    """Local name -> dotted name, for every import anywhere in the file."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    found[alias.asname] = alias.name
                else:
                    first = alias.name.partition(".")[0]
                    found[first] = first
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, package)
            for alias in node.names:
                found[alias.asname or alias.name] = f"{origin}.{alias.name}"
    return found


def _origin(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    base = parents[: len(parents) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])
