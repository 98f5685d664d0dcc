"""The name, the search path, the model and the fixtures that a file means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from privacy_gate.config.overrides import Override
from privacy_gate.config.paths import resolve_inside
from privacy_gate.config.problems import Path as Place
from privacy_gate.config.problems import Problem, shown
from privacy_gate.config.source import Source, read_source
from privacy_gate.config.values import NAME
from privacy_gate.errors import ConfigError


class Resolver:
    """Resolves names and paths of a file, collecting what is wrong with them."""

    def __init__(
        self,
        source: Source,
        roots: tuple[Path, ...],
        overrides: Iterable[Override],
        wrong: set[Place],
    ) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._roots = roots
        self._overrides = {(item.section, item.key): item for item in overrides}
        self._wrong = wrong

    def name(self) -> str:
        """The name given, else that of the directory."""
        if "name" in self._source.data:
            return str(self._source.data["name"])
        name = self._source.path.parent.name
        if not _is_name(name):
            sentence = f"is required, since the directory's name {shown(name)} cannot serve as one"
            self.problems.append(self._source.problem(("name",), sentence))
        return name

    def python_path(self) -> tuple[Path, ...]:
        """The directories of ``python_path``."""
        written = self._source.data.get("python_path", ["."])
        entries = enumerate(written if isinstance(written, list) else [])
        found = [self._inside(text, ("python_path", index)) for index, text in entries]
        directories = tuple(dict.fromkeys(path for path in found if path is not None))
        for index, path in enumerate(found):
            if path is not None and not path.is_dir():
                problem = self._source.problem(("python_path", index), "is not a directory")
                self.problems.append(problem)
        return directories

    def path(
        self, section: Literal["model", "fixtures"], option: str, variable: str
    ) -> Path | None:
        """The path of a section, as overridden; ``None`` and a problem if there is none."""
        override = self._overrides.get((section, "path"))
        written = self._source.data.get(section)
        place: Place = (section,) if isinstance(written, str) else (section, "path")
        text = written.get("path") if isinstance(written, Mapping) else written
        inside = None if text is None else self._inside(text, place)
        if override is not None:
            return override.path()
        if text is None and not {place, place[:1]} & self._wrong:
            sentence = f"is required; write it, or give {option} or {variable}"
            self.problems.append(self._source.problem(place, sentence))
        return inside

    def baseline(self) -> tuple[Path | None, Path | None]:
        """The baseline as a file of aggregates, or as a model file."""
        written = self._source.data.get("baseline")
        if isinstance(written, Mapping):
            return None, self._inside(written.get("model"), ("baseline", "model"))
        return self._inside(written, ("baseline",)), None

    def fixtures_root(self) -> Path | None:
        """The directory that locations of records are relative to, as overridden."""
        override = self._overrides.get(("fixtures", "root"))
        inside = self._fixtures_path("root")
        return inside if override is None else override.path()

    def receipt(self) -> Path | None:
        """The training receipt."""
        return self._fixtures_path("receipt")

    def _fixtures_path(self, key: str) -> Path | None:
        written = self._source.data.get("fixtures")
        text = written.get(key) if isinstance(written, Mapping) else None
        return self._inside(text, ("fixtures", key))

    def policy(self) -> Path | None:
        """The policy file."""
        return self._inside(self._source.data.get("policy"), ("policy",))

    def _inside(self, text: Any, place: Place) -> Path | None:
        if not isinstance(text, str) or place in self._wrong:
            return None
        try:
            return resolve_inside(text, self._source.path.parent, self._roots)
        except ValueError as error:
            written = shown(self._source.written(place))
            self.problems.append(self._source.problem(place, f"{written} {error}"))
            return None


def likely_name(path: Path) -> str:
    """The name of a configuration that may be broken, for the report that says so: its own as far
    as it can be read, else that of the directory of a ``privacy_gate.yaml``, else the file's."""
    absolute = Path(os.path.abspath(path))
    try:
        written = read_source(absolute).data.get("name")
    except ConfigError:
        written = None
    directory = absolute.parent.name if absolute.name == "privacy_gate.yaml" else ""
    known = (name for name in (written, directory) if isinstance(name, str) and _is_name(name))
    return next(known, absolute.stem)


def _is_name(text: str) -> bool:
    return re.fullmatch(NAME, text, re.ASCII) is not None
