"""Rows of (score, member, group) gathered into two sides, one score per group.

Rows are named by number only: no message holds a score or the name of a group.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Boolean, Float, Integer, keyed_hash
from privacy_gate.errors import UsageError

LARGEST_EXACT = 2**53 - 1
"""Beyond it, float64 makes equal scores of different integers."""

COLUMNS = ("score", "member")
GROUP = "group"


@dataclass(frozen=True, slots=True)
class ScoreSides:
    """``members`` (n,) and ``nonmembers`` (m,) scores as found, and what a reader should know."""

    members: NDArray[Any]
    nonmembers: NDArray[Any]
    notes: tuple[str, ...] = ()


class Table:
    """Collects rows in order; a group that is found on both sides is an error at its row."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._scores = array("d")
        self._members = bytearray()
        self._groups = array("q")
        self._numbers: dict[str, int] = {}
        self._sides = bytearray()

    def refuse(self, row: int, sentence: str, hint: str | None = None) -> NoReturn:
        """Raise ``UsageError`` about a row."""
        raise UsageError(f"Row {row} {sentence}.", hint=hint, location=self._location)

    def extend(
        self,
        rows: Iterable[int],
        scores: Iterable[float],
        members: Iterable[bool],
        groups: Iterable[str] | None,
    ) -> None:
        """Add rows, given with their numbers; the scores are finite. ``groups`` names them."""
        sides = bytes(members)
        if groups is not None:
            for row, member, group in zip(rows, sides, groups, strict=True):
                self._groups.append(self._number(row, member, group))
        self._scores.extend(scores)
        self._members.extend(sides)

    def _number(self, row: int, member: int, group: str) -> int:
        number = self._numbers.setdefault(group, len(self._sides))
        if number == len(self._sides):
            self._sides.append(member)
        elif self._sides[number] != member:
            self.refuse(
                row,
                "belongs to a group that has a record on the other side, too",
                "A group is either a member or not: leave out groups that are partly in training.",
            )
        return number

    def sides(self) -> ScoreSides:
        """Both sides; of each group one record."""
        scores = np.frombuffer(self._scores, np.float64) if self._scores else np.empty(0)
        member = np.frombuffer(bytes(self._members), np.bool_)
        if not self._numbers:
            return ScoreSides(scores[member].copy(), scores[~member].copy())
        groups = np.frombuffer(self._groups, np.int64)
        side = np.frombuffer(bytes(self._sides), np.bool_)
        kept = one_of_each_group(scores, groups, list(self._numbers))
        return ScoreSides(kept[side], kept[~side], (_group_note(side, groups),))


def one_of_each_group(scores: Float, groups: Integer, names: list[str]) -> Float:
    """(len(names),) the score of one record of each group, whatever the order of the rows.

    ``groups`` (records,) numbers 0, 1, … of the groups called ``names``. The hash of the name picks
    from the group's sorted scores, so every record is as likely, and the law of the result does not
    depend on the size of the group, as that of the largest score or of the mean would.
    """
    order = np.lexsort((scores, groups))
    counts = np.bincount(groups, minlength=len(names))
    first = np.cumsum(counts) - counts
    chosen = [
        _pick(name, count) if count > 1 else 0
        for name, count in zip(names, counts.tolist(), strict=True)
    ]
    kept: Float = scores[order[first + np.array(chosen, np.int64)]]
    return kept


def _pick(name: str, count: int) -> int:
    digest = keyed_hash(b"privacy-gate measure", "group", name.encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest[:8], "big") % count


def _group_note(side: Boolean, groups: Integer) -> str:
    counts = np.bincount(groups, minlength=side.size)
    sizes = [counts[chosen].mean() if chosen.any() else 0.0 for chosen in (side, ~side)]
    return (
        f"Each group counts once, by a record that its hash picks: {int(side.sum())} groups of"
        f" members ({sizes[0]:.1f} records each on average) and {int((~side).sum())} of non-members"
        f" ({sizes[1]:.1f})."
    )


def check_columns(found: list[str], location: str, hint: str) -> bool:
    """Whether there is a column of groups. Raises ``UsageError`` unless the columns are exactly
    score, member and perhaps group, in any order."""
    known = (*COLUMNS, GROUP)
    missing = [name for name in COLUMNS if name not in found]
    extra = ", ".join(repr(name[:40]) for name in found if name not in known)
    if missing:  # what is there instead may be a record, in a file without a header
        sentence = f"The column {missing[0]} is missing."
    elif len(set(found)) < len(found):
        sentence = "A column occurs twice."
    elif extra:
        sentence = f"There are columns that mean nothing here: {extra}."
    else:
        return GROUP in found
    raise UsageError(sentence, hint=hint, location=location)
