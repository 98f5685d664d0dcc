"""The parts of a file that are valid by themselves, whatever else is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from privacy_gate.config.problems import Path

_Section = TypeVar("_Section", bound=BaseModel)


def section(
    adapter: TypeAdapter[_Section], value: Any, path: Path, wrong: set[Path]
) -> _Section | None:
    """The section at ``path`` without the keys that are ``wrong``, ``None`` if it is none then."""
    if not isinstance(value, Mapping):
        return None
    spoilt = {place[len(path)] for place in wrong if place != path and below(path, [place])}
    try:
        return adapter.validate_python({k: v for k, v in value.items() if k not in spoilt})
    except ValidationError:
        return None


def below(path: Path, wrong: Iterable[Path]) -> bool:
    """Whether one of the places is ``path`` or lies below it."""
    return any(place[: len(path)] == path for place in wrong)


def entries(value: Any) -> list[Any]:
    """The list, or an empty one if it is none."""
    return value if isinstance(value, list) else []
