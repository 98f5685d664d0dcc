"""Random draws of labelled records: support from the support split, validation from calibration.

An episode of the paper (Jiménez-López et al. 2025) holds K labelled members and K non-members to
learn from, 15 + 15 to choose hyper-parameters on, and 15 + 15 queries. "K shots" hides the 30
validation labels; every attacker here is given the same 2K + 30.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privacy_gate.domain import Evidence, Integer, Split, random_generator
from privacy_gate.errors import FixtureError

VALIDATION = 15
"""Validation records a side."""


def records_needed(shots: int) -> dict[Split, int]:
    """Labelled records a side that K shots need in each split."""
    return {Split.SUPPORT: shots, Split.CALIBRATION: VALIDATION}


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Row numbers of R draws, members first: ``support`` (R, 2K), ``validation`` (R, 30)."""

    support: Integer
    validation: Integer

    @property
    def shots(self) -> int:
        """K."""
        return int(self.support.shape[1] // 2)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Row numbers of the labelled records an attacker may draw from, by split and side."""

    support: tuple[Integer, Integer]
    validation: tuple[Integer, Integer]

    @classmethod
    def of(cls, evidence: Evidence) -> Pool:
        """Members and non-members of the support and the calibration split."""
        return cls(_sides(evidence, Split.SUPPORT), _sides(evidence, Split.CALIBRATION))

    @property
    def sizes(self) -> tuple[int, int]:
        """Labelled members and non-members in all."""
        members, nonmembers = (
            self.support[side].size + self.validation[side].size for side in (0, 1)
        )
        return members, nonmembers

    def draw(self, shots: int, count: int, seed: int, name: str) -> Draws:
        """``count`` draws without replacement; they depend on ``seed``, ``name`` and the
        pool only.

        Raises ``FixtureError`` if a side has too few records.
        """
        self._refuse_too_few(shots)
        generator = random_generator(seed, "few-shot", name)
        return Draws(
            _drawn(self.support, shots, count, generator),
            _drawn(self.validation, VALIDATION, count, generator),
        )

    def _refuse_too_few(self, shots: int) -> None:
        for split, sides, needed in (
            ("support", self.support, shots),
            ("calibration", self.validation, VALIDATION),
        ):
            have = min(side.size for side in sides)
            if have < needed:
                raise FixtureError(
                    f"A few-shot attack with {shots} shots needs {needed} records a side in the"
                    f" {split} split, and one side has {have}.",
                    hint="Add fixture records, raise this split's share in splits, or use fewer"
                    " shots.",
                )


def membership_labels(per_side: int) -> Integer:
    """(2 · per_side,) 1 for the members, who come first, and 0 for the non-members."""
    return np.repeat(np.array([1, 0], dtype=np.int64), per_side)


def _sides(evidence: Evidence, split: Split) -> tuple[Integer, Integer]:
    inside = evidence.split == split
    members = np.flatnonzero(inside & (evidence.membership == 1))
    return members, np.flatnonzero(inside & (evidence.membership == 0))


def _drawn(
    sides: tuple[Integer, Integer], size: int, count: int, generator: np.random.Generator
) -> Integer:
    """(count, 2 · size) rows drawn without replacement within a draw."""
    parts = [
        rows[np.argsort(generator.random((count, rows.size)), axis=1)[:, :size]] for rows in sides
    ]
    return np.concatenate(parts, axis=1)
