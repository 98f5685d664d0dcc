"""YAML with positions: a file as plain data, and the line and column of everything in it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from privacy_gate.config.nodes import Builder, Composer, Mark, start_of
from privacy_gate.config.problems import Path, Problem, config_error
from privacy_gate.errors import ConfigError

LARGEST_FILE = 1_000_000

# YAML breaks lines, and terminals reorder text, at characters that most editors do not show: a
# reviewer would read another budget than the one in force.
_INVISIBLE = re.compile("\r(?!\n)|[\x85\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML file read: ``data`` holds only dicts with text keys, lists, text, numbers, booleans,
    dates and ``None``. ``problems`` are those of the notation; a value with one is ``None``.

    Where it is completed by the file that it ``extended``, everything is that of both, but for
    ``path``, ``file`` and ``sha256``; the places in ``inherited`` stand in that other file.
    """

    path: FilePath
    file: str
    sha256: str
    data: Mapping[str, Any]
    problems: tuple[Problem, ...]
    keys: Mapping[Path, Mark] = field(repr=False)
    values: Mapping[Path, Mark] = field(repr=False)
    extended: Source | None = None
    inherited: frozenset[Path] = field(default=frozenset(), repr=False)

    def mark(self, path: Path, *, key: bool = False) -> Mark:
        """1-based line and column of a value (or of its key); of the nearest parent if absent.

        A nested mapping or list is found at its key, where its author would look for it.
        """
        marks = self.keys if key else self.values
        for length in range(len(path), 0, -1):
            found = marks.get(path[:length]) or self.values.get(path[:length])
            if found is not None:
                return found
        return (1, 1)

    def value(self, path: Path) -> Any:
        """The value at a place that the file has."""
        found: Any = self.data
        for part in path:
            found = found[part]
        return found

    def holder(self, path: Path) -> Source:
        """The file that a value stands in; that of the nearest parent if it is absent."""
        known = (path[:length] for length in range(len(path), 0, -1))
        nearest = next((place for place in known if place in self.values), ())
        return self.extended if self.extended and nearest in self.inherited else self

    def written(self, path: Path) -> Any:
        """A value that the file has as it stands in its own file, which a path is relative to."""
        return self.holder(path).value(path)

    def location(self, path: Path) -> str:
        """``file:line:column`` of a value."""
        line, column = self.mark(path)
        return f"{self.holder(path).file}:{line}:{column}"

    def problem(self, path: Path, sentence: str, *, key: bool = False) -> Problem:
        """A problem at this place."""
        return Problem(self.holder(path).file, *self.mark(path, key=key), path, sentence)


def read_source(path: str | os.PathLike[str], what: str = "configuration") -> Source:
    """Read a file; ``what`` names its kind in messages.

    Raises ``ConfigError`` if it is missing, no regular file, or for what ``parse_source`` refuses.
    """
    resolved, file = _locate(path)
    return parse_source(_read(resolved, file, what), resolved, file)


def parse_source(content: bytes, path: FilePath, file: str) -> Source:
    """The content of a file; ``file`` names it in messages.

    Raises ``ConfigError`` if it is larger than 1 MB, not UTF-8, not YAML, empty, more than one
    document, nested too deeply, or no mapping; problems that leave the rest readable are returned
    in ``problems``.
    """
    if len(content) > LARGEST_FILE:
        raise ConfigError(
            "The file is larger than 1 MB.", hint="Is this the right file?", location=file
        )
    text = _decode(content, file)
    composer, node = _compose(text, file)
    builder = Builder(file, composer.refused)
    if not isinstance(node, yaml.MappingNode):
        raise _file_error(file, start_of(node), "expected a mapping of keys at the top level")
    data = builder.mapping(node, ())
    digest = hashlib.sha256(content).hexdigest()
    problems = tuple(builder.problems)
    return Source(path, file, digest, data, problems, builder.keys, builder.values)


def _locate(path: str | os.PathLike[str]) -> tuple[FilePath, str]:
    """The absolute path, and the name for messages: relative to the working directory if below."""
    try:
        resolved = FilePath(path).resolve()
        return resolved, str(resolved.relative_to(FilePath.cwd()))
    except (ValueError, OSError, RuntimeError):
        return FilePath(os.path.abspath(path)), os.path.abspath(path)


def _read(path: FilePath, file: str, what: str) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "a directory" if path.is_dir() else "not a regular file"
            raise ConfigError(f"The {what} is {kind}.", hint="Name the YAML file.", location=file)
        with path.open("rb") as stream:
            return stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"The {what} file does not exist.",
            hint="Check the path"
            + ("; `privacy-gate init` writes one." if what == "configuration" else "."),
            location=file,
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the path is not valid"
        raise ConfigError(f"The {what} file cannot be read: {reason}.", location=file) from error


def _decode(content: bytes, file: str) -> str:
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        mark = (before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        raise _file_error(file, mark, "is not UTF-8; save the file as UTF-8") from None
    found = _INVISIBLE.search(text)
    if found is not None:
        sentence = f"the invisible character U+{ord(found[0]):04X} is not allowed here"
        raise _file_error(file, _mark_at(text, found.start()), sentence)
    return text


def _mark_at(text: str, index: int) -> Mark:
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def _file_error(file: str, mark: Mark, sentence: str) -> ConfigError:
    return config_error(file, [Problem(file, *mark, (), sentence)])


def _compose(text: str, file: str) -> tuple[Composer, yaml.Node]:
    try:
        composer: Any = Composer(text)
        composer.get_event()
        if composer.check_event(yaml.StreamEndEvent):
            raise _file_error(file, (1, 1), "the file is empty")
        node = composer.compose_document()
        if not composer.check_event(yaml.StreamEndEvent):
            sentence = "a second document begins here; one file holds one configuration"
            raise _file_error(file, start_of(composer.peek_event()), sentence)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file) from None
    except yaml.reader.ReaderError as error:
        sentence = f"the character U+{int(error.character):04X} is not allowed in YAML"
        raise _file_error(file, _mark_at(text, error.position), sentence) from None
    except (ValueError, OverflowError, RecursionError):
        # PyYAML lets these out, for example for an escape beyond the last Unicode character.
        raise _file_error(file, (1, 1), "is not valid YAML") from None
    assert node is not None
    return composer, node


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> ConfigError:
    position = error.problem_mark or error.context_mark
    mark = (1, 1) if position is None else (position.line + 1, position.column + 1)
    index = len(text) if position is None else position.index
    if text[index : index + 1] == "\t":
        return _file_error(file, mark, "a tab stands where YAML wants spaces")
    problem = re.sub(r"\s+", " ", str(error.problem or error.context or "cannot be parsed"))
    return _file_error(file, mark, f"is not valid YAML: {problem}")
