"""``noise-robustness``: how many noisy copies of a record keep its label.

After the random noise of Choquette-Choo et al. 2021 (section 4.2). The strength s of the noise is
chosen on the calibration split, whose membership an attacker knows: one half, unless members and
non-members differ more at another one, by more than chance. s is relative to the data: measurements
and pixels get Gaussian noise of s standard deviations, rounded and kept within the range of their
column; a bit is flipped with probability s·f(1-f) at a share f of ones, which is s/4 for a balanced
one; a category is drawn anew from other records with probability s/2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.attacks.label_only.columns import Column, described
from privacy_gate.attacks.label_only.evidence import Asked, Generators, correct_first
from privacy_gate.domain import Evidence, Float, Integer, Scores, Split
from privacy_gate.errors import SignalError
from privacy_gate.statistics.auc import auc_with_variance
from privacy_gate.statistics.scores import SortedScores

Array = NDArray[Any]

STRENGTHS = (0.5, 0.25, 1.0)
"""The ladder; the first is the one to start with."""

PILOT = 2
"""Copies a calibration record is asked about at each strength."""


@dataclass(frozen=True, slots=True)
class NoiseRobustness:
    """Asks about ``queries`` noisy copies of each record, and about 6 more of calibration ones."""

    queries: int = 12
    name: str = "noise-robustness"
    family: str = "label-only"
    access: str = "labels"
    reads: frozenset[str] = frozenset({"queries"})

    @property
    def queries_per_record(self) -> int:
        """The most that any record is asked about."""
        return self.queries + PILOT * len(STRENGTHS)

    def score(self, evidence: Evidence) -> Scores:
        """The share of copies that keep the label; a wrongly labelled record ranks below."""
        asked = Asked.of(self.name, evidence)
        columns = described(asked.queries.take(asked.shown()))
        if not any(column.noisy.any() for column in columns.values()):
            raise SignalError(
                f"The attack {self.name!r} has nothing to change: no input column holds numbers"
                " that differ between records.",
                hint="Name the other label-only attacks singly.",
            )
        rows = asked.everyone
        strength = self._strength(asked, columns)
        values = np.zeros(rows.size)
        values[rows] = self._kept(asked, columns, rows, (strength,), self.queries)[0]
        return Scores(
            correct_first(values, asked.correct),
            method=f"{self.queries} copies with noise of strength {strength:g}"
            f" ({_kinds(columns, strength)}), chosen on the calibration split",
        )

    def _strength(self, asked: Asked, columns: Mapping[str, Column]) -> float:
        """The first strength, unless another one tells the sides of the calibration records apart
        better by more than one standard error; the first where a side is missing."""
        rows = asked.known(Split.CALIBRATION)
        rows = rows[asked.evidence.membership[rows] >= 0]
        member = asked.evidence.membership[rows] == 1
        if min(member.sum(), (~member).sum()) < 2:
            return STRENGTHS[0]
        areas, variances = [], []
        for kept in self._kept(asked, columns, rows, STRENGTHS, PILOT):
            scores = correct_first(kept, asked.correct[rows])
            sides = SortedScores.of(scores[member], scores[~member])
            area, variance = auc_with_variance(sides)
            areas.append(area)
            variances.append(variance)
        best = int(np.argmax(areas))
        return STRENGTHS[best if areas[best] > areas[0] + np.sqrt(variances[0]) else 0]

    def _kept(
        self,
        asked: Asked,
        columns: Mapping[str, Column],
        rows: Integer,
        strengths: tuple[float, ...],
        copies: int,
    ) -> Float:
        """(strengths, rows) share of copies that keep the label; the same draws at each strength,
        so that strengths are compared on the same noise."""
        kept = np.zeros((len(strengths), rows.size))
        done = 0
        for block, raw in asked.queries.blocks(rows):
            place = slice(done, done + block.size)
            labels = asked.evidence.labels[block]
            generators = asked.generators(block, self.name)
            for _ in range(copies):
                draws = {name: drawn(columns[name], generators) for name in columns}
                for position, strength in enumerate(strengths):
                    changed = {
                        name: noisy(raw[name], columns[name], strength, *draws[name])
                        for name in columns
                    }
                    kept[position, place] += asked.queries.predict(block, changed) == labels
            done += block.size
        return kept / copies


def drawn(
    column: Column, generators: Generators
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Normal numbers (b, measured features) and uniform ones (b, bits and categories)."""
    measured, discrete = column.measured.sum(), (column.bits | column.categories).sum()
    normal = np.empty((len(generators), measured), dtype=np.float32)
    uniform = np.empty((len(generators), discrete), dtype=np.float32)
    for row, generator in enumerate(generators):
        if measured:
            generator.standard_normal(dtype=np.float32, out=normal[row])
        if discrete:
            generator.random(dtype=np.float32, out=uniform[row])
    return normal, uniform


def noisy(
    values: Array,
    column: Column,
    strength: float,
    normal: NDArray[np.float32],
    uniform: NDArray[np.float32],
) -> Array:
    """A noisy copy of raw ``values`` (b, …): same type, same shape, within the column's range."""
    result = values.reshape(len(values), -1).copy()
    if column.measured.any():
        where = slice(None) if column.measured.all() else np.flatnonzero(column.measured)
        result[:, where] = _shaken(result[:, where], column, where, strength, normal)
    discrete = np.flatnonzero(column.bits | column.categories)
    if discrete.size:
        result[:, discrete] = _redrawn(result[:, discrete], column, discrete, strength, uniform)
    return result.reshape(values.shape)


def _shaken(
    values: Array,
    column: Column,
    where: slice | Integer,
    strength: float,
    normal: NDArray[np.float32],
) -> Array:
    single = values.dtype.itemsize < 4 or values.dtype == np.float32
    number = np.dtype(np.float32 if single else np.float64)
    old = values.astype(number)
    moved: Array = normal * (strength * column.spread[where]).astype(number)
    moved += old
    if values.dtype.kind in "iu":
        np.rint(moved, out=moved)
    # what lies outside of the range that the sample has shown may stay there
    low, high = (bound[where].astype(number) for bound in (column.low, column.high))
    np.clip(moved, np.minimum(old, low), np.maximum(old, high), out=moved)
    return moved.astype(values.dtype)


def _redrawn(
    values: Array,
    column: Column,
    where: Integer,
    strength: float,
    uniform: NDArray[np.float32],
) -> Array:
    bits = column.bits[where]
    flip = bits & (uniform < strength * column.spread[where] ** 2)
    result = np.where(flip, values == 0, values).astype(values.dtype)
    if not bits.all():
        # below the chance of a new draw, the number that decided it is uniform again
        share = uniform / np.float32(strength / 2)
        donors = np.minimum(share * len(column.sample), len(column.sample) - 1).astype(np.int64)
        anew = ~bits & (share < 1)
        result = np.where(anew, column.sample[donors, where], result)
    return result


def _kinds(columns: Mapping[str, Column], strength: float) -> str:
    """What is done to how many values of a record."""
    words = []
    images = sum(int(column.measured.sum()) for column in columns.values() if column.axes)
    plain = sum(int(column.measured.sum()) for column in columns.values() if not column.axes)
    bits = sum(int(column.bits.sum()) for column in columns.values())
    categories = sum(int(column.categories.sum()) for column in columns.values())
    if images:
        words.append(f"Gaussian noise of {strength:g} standard deviations on {images} pixel values")
    if plain:
        words.append(f"Gaussian noise of {strength:g} standard deviations on {plain} measurements")
    if bits:
        words.append(f"flips of {bits} bits")
    if categories:
        words.append(f"{categories} categories drawn anew")
    return ", ".join(words) or "nothing to change"
