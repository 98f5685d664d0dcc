"""From a path to two sides of scores, by the file's suffix."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.errors import UsageError
from privacy_gate.score_file.csv_rows import TOO_LARGE, read_csv
from privacy_gate.score_file.parquet_rows import read_parquet
from privacy_gate.score_file.table import LARGEST_EXACT, ScoreSides

_SIDES = ("members", "nonmembers")
_MANY_VALUES = 10


def read_scores(path: Path) -> ScoreSides:
    """The scores in an ``.npz`` with exactly the arrays ``members`` and ``nonmembers``, or in a
    ``.csv`` or ``.parquet`` with the columns ``score, member[, group]``. Raises ``UsageError``."""
    location = str(path)
    reader = {".npz": _read_npz, ".csv": read_csv, ".parquet": read_parquet}.get(
        path.suffix.lower()
    )
    if reader is None:
        raise UsageError(
            "Scores are read from .npz, .csv and .parquet files, not"
            f" {path.suffix or 'files without a suffix'}.",
            hint="Save them with numpy.savez(path, members=…, nonmembers=…), or as a table with the"
            " columns score, member.",
            location=location,
        )
    try:
        found = reader(path)
    except FileNotFoundError:
        raise UsageError("The file does not exist.", location=location) from None
    except OSError as error:
        raise UsageError(
            f"The file cannot be read as {path.suffix} ({type(error).__name__}).",
            location=location,
        ) from None
    _refuse_same(found, location)
    return found


def _read_npz(path: Path) -> ScoreSides:
    location = str(path)
    try:
        if not zipfile.is_zipfile(path) and path.is_file():
            raise zipfile.BadZipFile  # numpy would read another format by its content
        with np.load(path, allow_pickle=False) as archive:
            _check_names(list(archive.files), location)
            members, nonmembers = (_side(archive, side, location) for side in _SIDES)
            return ScoreSides(members, nonmembers)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"The file cannot be read as .npz ({type(error).__name__}).", location=location
        ) from None


def _refuse_same(found: ScoreSides, location: str) -> None:
    """The same scores twice are a slip that would read as perfect privacy; few-valued scores may
    agree by chance."""
    members, nonmembers = found.members, found.nonmembers
    if np.array_equal(members, nonmembers) and np.unique(members).size >= _MANY_VALUES:
        raise UsageError(
            "The members and the nonmembers hold the same scores.",
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


def _side(archive: Any, side: str, location: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = archive[side]
    except ValueError:
        raise UsageError(
            f"The array {side} holds objects or is damaged; objects are never unpickled.",
            hint="Save plain numbers.",
            location=location,
        ) from None
    whole = array.dtype.kind in "iu" and array.size
    if whole and max(int(array.max()), -int(array.min())) > LARGEST_EXACT:
        raise UsageError(
            f"The array {side} holds integers of 2**53 or more, where different scores become"
            " equal.",
            hint=TOO_LARGE[1],
            location=location,
        )
    return array
