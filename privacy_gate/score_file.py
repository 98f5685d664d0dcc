"""Scores from a file, never unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.errors import UsageError

_SIDES = ("members", "nonmembers")
_MANY_VALUES = 10


def read_scores(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """The arrays ``members`` and ``nonmembers`` of an ``.npz`` that holds exactly these."""
    location = str(path)
    if path.suffix != ".npz":
        raise UsageError(
            f"Scores are read from .npz files, not {path.suffix or 'files without a suffix'}.",
            hint="Save them with numpy.savez(path, members=…, nonmembers=…).",
            location=location,
        )
    try:
        if not zipfile.is_zipfile(path) and path.is_file():
            raise zipfile.BadZipFile  # numpy would read another format by its content
        with np.load(path, allow_pickle=False) as archive:
            _check_names(list(archive.files), location)
            members, nonmembers = (_member(archive, side, location) for side in _SIDES)
    except FileNotFoundError:
        raise UsageError("The file does not exist.", location=location) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"The file cannot be read as .npz ({type(error).__name__}).", location=location
        ) from None
    _refuse_same(members, nonmembers, location)
    return members, nonmembers


def _refuse_same(members: NDArray[Any], nonmembers: NDArray[Any], location: str) -> None:
    """The same scores twice are a slip that would read as perfect privacy; few-valued scores may
    agree by chance."""
    if np.array_equal(members, nonmembers) and np.unique(members).size >= _MANY_VALUES:
        raise UsageError(
            "The arrays members and nonmembers hold the same scores.",
            hint="Save the scores of the records that were not trained on as nonmembers.",
            location=location,
        )


def _check_names(found: list[str], location: str) -> None:
    missing = [side for side in _SIDES if side not in found]
    extra = sorted(set(found) - set(_SIDES))
    if missing or extra:
        raise UsageError(
            f"The file holds {', '.join(sorted(found)) or 'nothing'}.",
            hint="Exactly the arrays members and nonmembers are expected.",
            location=location,
        )


def _member(archive: Any, side: str, location: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = archive[side]
    except ValueError:
        raise UsageError(
            f"The array {side} holds objects or is damaged; objects are never unpickled.",
            hint="Save plain numbers.",
            location=location,
        ) from None
    return array
