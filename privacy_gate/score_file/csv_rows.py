"""Scores from a ``.csv`` file: UTF-8, commas, a header, every row checked, read as a stream."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from privacy_gate.errors import UsageError
from privacy_gate.score_file.table import GROUP, LARGEST_EXACT, ScoreSides, Table, check_columns

_BATCH = 16_384
_MEMBER = {"1": True, "0": False, "true": True, "false": False}
_FORM = "The first line must be score,member or score,member,group; separate cells by commas."


def read_csv(path: Path) -> ScoreSides:
    """Both sides of the rows. Row numbers in messages count the header as row 1, as spreadsheets
    do. Raises ``UsageError``."""
    location = str(path)
    table = Table(location)
    rows = _Rows(path, table)
    try:
        for batch in rows:
            table.extend(*batch)
    except UnicodeDecodeError:
        raise UsageError(
            f"The file is not UTF-8 text (after row {rows.number}).",
            hint="Save it as CSV in UTF-8.",
            location=location,
        ) from None
    except csv.Error:
        table.refuse(rows.number + 1, "is no CSV: look for quotes that do not match")
    return table.sides()


Batch = tuple[list[int], list[float], list[bool], list[str] | None]


class _Rows:
    """The checked rows of a file, in batches; ``number`` is that of the last row read."""

    def __init__(self, path: Path, table: Table) -> None:
        self.number = 0
        self._path = path
        self._table = table

    def __iter__(self) -> Iterator[Batch]:
        with self._path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, None)
            if header is None:
                raise UsageError("The file is empty.", hint=_FORM, location=str(self._path))
            self.number = 1
            names = [cell.strip() for cell in header]
            grouped = check_columns(names, str(self._path), _FORM)
            places = names.index("score"), names.index("member")
            group_place = names.index(GROUP) if grouped else None
            batch = self._new(grouped)
            for cells in reader:
                self.number += 1
                if not cells:
                    continue  # a blank line: with two columns it cannot be a record
                if len(cells) != len(names):
                    self._refuse_width(len(cells), len(names))
                batch[0].append(self.number)
                batch[1].append(self._score(cells[places[0]].strip()))
                batch[2].append(self._member(cells[places[1]].strip()))
                if batch[3] is not None and group_place is not None:
                    batch[3].append(self._group(cells[group_place].strip()))
                if len(batch[0]) == _BATCH:
                    yield batch
                    batch = self._new(grouped)
            yield batch

    @staticmethod
    def _new(grouped: bool) -> Batch:
        return [], [], [], [] if grouped else None

    def _score(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            self._refuse_score(text)
        # float() also reads 1_000 and digits of other scripts
        if not text.isascii() or "_" in text:
            self._refuse_score(text)
        if not math.isfinite(value):
            self._table.refuse(self.number, "has a score that is NaN or infinite", REPAIR)
        if abs(value) > LARGEST_EXACT and text.lstrip("+-").isdigit():
            self._table.refuse(self.number, *TOO_LARGE)
        return value

    def _refuse_score(self, text: str) -> NoReturn:
        if not text:
            self._table.refuse(self.number, "has no score", REPAIR)
        self._table.refuse(
            self.number, "has a score that is no number", "Write numbers with a decimal point."
        )

    def _member(self, text: str) -> bool:
        member = _MEMBER.get(text.lower())
        if member is None:
            strange = "has a value of member that is none of 1, 0, true and false"
            self._table.refuse(
                self.number,
                strange if text else "has no value of member",
                "Write 1 for records that were trained on, and 0 for others.",
            )
        return member

    def _group(self, text: str) -> str:
        if not text:
            self._table.refuse(
                self.number,
                "has no group",
                "Give every record a group; one that stands alone gets a name of its own.",
            )
        return text

    def _refuse_width(self, found: int, wanted: int) -> NoReturn:
        self._table.refuse(
            self.number,
            f"has {found} cells, and the header {wanted}",
            "Write numbers with a decimal point, and texts that hold commas in quotes.",
        )


REPAIR = "Repair the scores at their source: dropping records would bias the result."
TOO_LARGE = (
    "has an integer score of 2**53 or more, where different scores become equal",
    "Give the scores as floating-point numbers of ordinary size.",
)
