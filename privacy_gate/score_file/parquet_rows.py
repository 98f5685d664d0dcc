"""Scores from a ``.parquet`` file, batch by batch, with pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Boolean
from privacy_gate.errors import UsageError, missing_extra
from privacy_gate.score_file.csv_rows import REPAIR, TOO_LARGE
from privacy_gate.score_file.table import GROUP, LARGEST_EXACT, ScoreSides, Table, check_columns

if TYPE_CHECKING:
    import pyarrow

_BATCH = 65_536
_FORM = "Write exactly the columns score, member and, if you like, group."
_TYPES = {
    "score": ("floating-point numbers or integers", "Convert the column, for example to float64."),
    "member": ("true and false, or the integers 1 and 0", "Convert the column to bool."),
    GROUP: ("texts or integers", "Convert the column to text."),
}


def read_parquet(path: Path) -> ScoreSides:
    """Both sides of the rows, which messages count from 1. Raises ``UsageError``."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise missing_extra("Reading .parquet files", "parquet") from None
    location = str(path)
    table = Table(location)
    try:
        with path.open("rb") as stream, parquet.ParquetFile(stream) as file:
            grouped = check_columns(list(file.schema_arrow.names), location, _FORM)
            columns = ["score", "member", *([GROUP] if grouped else [])]
            for name in columns:
                _check_type(file.schema_arrow.field(name).type, name, location)
            first = 1
            for batch in file.iter_batches(_BATCH, columns=columns):
                _add(table, first, {name: batch.column(name) for name in columns})
                first += batch.num_rows
    except (pyarrow.ArrowException, EOFError) as error:
        raise UsageError(
            f"The file cannot be read as .parquet ({type(error).__name__}).", location=location
        ) from None
    return table.sides()


def _check_type(kind: pyarrow.DataType, name: str, location: str) -> None:
    from pyarrow import types

    if types.is_dictionary(kind) and name == GROUP:
        kind = kind.value_type
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    good = {
        "score": types.is_floating(kind) or types.is_integer(kind),
        "member": types.is_boolean(kind) or types.is_integer(kind),
        GROUP: text or types.is_integer(kind),
    }
    if not good[name]:
        wanted, hint = _TYPES[name]
        raise UsageError(
            f"The column {name} is of type {kind}: {wanted} are expected.",
            hint=hint,
            location=location,
        )


def _add(table: Table, first: int, columns: dict[str, Any]) -> None:
    for name, column in columns.items():
        if column.null_count:
            empty = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            what = "value of member" if name == "member" else name
            table.refuse(first + empty, f"has no {what}", REPAIR if name == "score" else None)
    scores = columns["score"].to_numpy(zero_copy_only=False)
    members = columns["member"].to_numpy(zero_copy_only=False)
    rows = range(first, first + len(scores))
    groups = [str(group) for group in columns[GROUP].to_pylist()] if GROUP in columns else None
    table.extend(rows, _scores(table, first, scores), _members(table, first, members), groups)


def _scores(table: Table, first: int, scores: NDArray[Any]) -> list[float]:
    if scores.dtype.kind in "iu":
        bad = scores > LARGEST_EXACT
        if scores.dtype.kind == "i":
            bad |= scores < -LARGEST_EXACT
        if bad.any():
            table.refuse(first + int(np.argmax(bad)), *TOO_LARGE)
    values = scores.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        row = first + int(np.argmin(finite))
        table.refuse(row, "has a score that is NaN or infinite", REPAIR)
    found: list[float] = values.tolist()
    return found


def _members(table: Table, first: int, members: NDArray[Any]) -> Boolean:
    if members.dtype.kind == "b":
        return members
    bad = (members != 0) & (members != 1)
    if bad.any():
        row = first + int(np.argmax(bad))
        table.refuse(row, "has a value of member that is neither 1 nor 0")
    return members.astype(np.bool_)
