"""Problems of a configuration file: where, which key, and one sentence; reported all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from privacy_gate.errors import ConfigError

Path = tuple[str | int, ...]
"""A place in the configuration: ``("budgets", 0, "max")``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: file, 1-based position, key (empty for the file), sentence."""

    file: str
    line: int
    column: int
    path: Path
    sentence: str


def shown(text: str, limit: int = 60) -> str:
    """The text quoted, shortened and free of control characters, so that it can be printed."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def dotted(path: Path) -> str:
    """``("budgets", 0, "max")`` -> ``budgets[0].max``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        plain = part.isprintable() and 0 < len(part) <= 60
        text += ("." if text else "") + (part if plain else shown(part))
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that names the valid name nearest to ``name``, or all of them if none is near."""
    names = list(known)
    match = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {match[0]!r}?" if match else f"Valid: {', '.join(sorted(names))}."


def config_error(file: str, problems: Sequence[Problem]) -> ConfigError:
    """One error for all problems: as text, a line ``file:line:column: key: sentence`` for each.

    Those of ``file`` come first, then those of a file that it extends.
    """
    ordered = sorted(
        dict.fromkeys(problems),
        key=lambda problem: (problem.file != file, problem.line, problem.column),
    )
    places = [f"{problem.file}:{problem.line}:{problem.column}" for problem in ordered]
    texts = [
        (f"{dotted(problem.path)}: " if problem.path else "") + problem.sentence
        for problem in ordered
    ]
    # The error's own location is printed before its message: it serves the first problem.
    others = [f"{place}: {text}" for place, text in zip(places[1:], texts[1:], strict=True)]
    return ConfigError("\n".join([texts[0], *others]), location=places[0])
