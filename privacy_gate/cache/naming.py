"""What an entry depends on, as bytes that are the same for equal parts only."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_FORMAT = 1


def canonical(kind: str, parts: Mapping[str, Any]) -> bytes:
    """The kind of entry, its parts, and what every entry depends on.

    ``parts`` may nest mappings and lists of numbers, text, ``None``, dates, bytes, sets and arrays,
    which count by type, shape and content. Raises ``TypeError`` for anything else: how it would
    print need not say all that it is.
    """
    return json.dumps([_FORMAT, kind, _plain(_surroundings()), _plain(parts)]).encode()


def _plain(value: Any) -> Any:
    """JSON in which keys keep their types and have an order; 1, 1.0, true and "1" differ in it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        pairs = [[_plain(key), _plain(inner)] for key, inner in value.items()]
        return {"mapping": sorted(pairs, key=json.dumps)}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return {"set": sorted((_plain(inner) for inner in value), key=json.dumps)}
    if isinstance(value, bytes | date):
        return {type(value).__name__: repr(value)}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"array": [value.dtype.str, list(value.shape), digest]}
    raise TypeError(f"{type(value).__name__} cannot be part of a cache key")


@cache
def _surroundings() -> dict[str, Any]:
    """This tool's code, Python, the kind of machine, and the name and version of all packages."""
    package = Path(__file__).parents[1]
    code = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        code.update(f"{path.relative_to(package).as_posix()}\0".encode())
        code.update(hashlib.sha256(path.read_bytes()).digest())
    installed = {
        entry.name
        for place in sys.path
        if os.path.isdir(place)
        for entry in os.scandir(place)
        if entry.name.endswith(".dist-info")
    }
    return {
        "tool": code.hexdigest(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": sorted(installed),
    }
