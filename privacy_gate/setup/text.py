"""A configuration as commented YAML: keys in order, values in flow style, comments beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privacy_gate.config.scalars import AmbiguousScalar, read_plain
from privacy_gate.domain import decimal
from privacy_gate.errors import UsageError

WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./:+-]*")


@dataclass(frozen=True, slots=True)
class Line:
    """A key with its value; ``comment`` goes beside it, or above it where it is long. One that is
    not ``active`` is written as a comment itself, for its reader to use; with the value ``None`` it
    is nothing but its comment."""

    key: str
    value: Any
    comment: str = ""
    active: bool = True


def block(lines: Sequence[Line], indent: int = 0) -> str:
    """Lines of YAML; a value that is a list of ``Line`` becomes a nested block."""
    return "".join(f"{text}\n" for line in lines for text in _written(line, " " * indent))


def _written(line: Line, margin: str) -> Iterator[str]:
    if isinstance(line.value, list) and line.value and isinstance(line.value[0], Line):
        yield f"{margin}{line.key}:" + (f"  # {line.comment}" if line.comment else "")
        yield block(line.value, len(margin) + 2).rstrip("\n")
        return
    if line.value is None:
        for part in _wrapped(f"{line.key}: {line.comment}", WIDTH - len(margin) - 2):
            yield f"{margin}# {part}"
        return
    text = f"{margin}{'' if line.active else '# '}{line.key}: {flow(line.value)}"
    beside = f"{text}  # {line.comment}"
    if not line.comment:
        yield text
    elif len(beside) <= WIDTH:
        yield beside
    else:
        for part in _wrapped(line.comment, WIDTH - len(margin) - 2):
            yield f"{margin}# {part}"
        yield text


def flow(value: Any) -> str:
    """A value in one line, as the configuration's reader understands it.

    Raises ``UsageError`` for text that no configuration can hold.
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = f"{decimal(value):f}"
        return text if "." in text else f"{text}.0"
    return _text(str(value))


def _text(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise UsageError(
            "A name or path here has characters that no configuration can hold.",
            hint="Rename the file or the column.",
        )
    if _PLAIN.fullmatch(text) and not text.endswith(":"):
        try:
            if read_plain(text) == text:
                return text
        except AmbiguousScalar:
            pass
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _wrapped(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
