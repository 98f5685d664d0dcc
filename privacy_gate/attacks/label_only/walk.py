"""The way from records to others: what lies between two records, and how far apart they are.

Measurements and pixels are interpolated; bits, categories and everything that is no number switch
to the other record's value one after the other, in a random order. Distances are Euclidean in
standard deviations; a category or text that differs counts 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.attacks.label_only.columns import Column
from privacy_gate.attacks.label_only.evidence import Generators
from privacy_gate.domain import Boolean, Float, Integer

Array = NDArray[Any]
Raw = Mapping[str, Array]
"""Input column -> (b, …)."""


@dataclass(frozen=True, eq=False)
class Walk:
    """From any records to the records of the sample that ``columns`` describe."""

    columns: Mapping[str, Column]

    @cached_property
    def _weights(self) -> dict[str, tuple[Boolean, Float]]:
        """Column -> which features are subtracted, (F,), and one over their standard deviation."""
        found = {}
        for name, column in self.columns.items():
            numeric = column.measured | column.bits
            found[name] = numeric, 1 / column.spread[numeric]
        return found

    @property
    def longest(self) -> float:
        """No two records within the ranges of the sample are further apart."""
        total = 0.0
        for name, column in self.columns.items():
            numeric, weights = self._weights[name]
            ranges = (column.high - column.low)[numeric] * weights
            total += float((ranges**2).sum() + (~numeric).sum())
        return float(np.sqrt(total))

    def to_sample(self, raw: Raw) -> Float:
        """(b, S) distances to the records of the sample, rounded, so that equal ones stay equal in
        batches of any size."""
        total: Float = np.zeros(())
        for name, column in self.columns.items():
            flat = raw[name].reshape(len(raw[name]), -1)
            numeric, weights = self._weights[name]
            if numeric.any():
                here, there = (
                    np.nan_to_num(part[:, numeric] * weights, posinf=0.0, neginf=0.0)
                    for part in (flat, column.sample)
                )
                total = total + (here**2).sum(axis=1)[:, None] + (there**2).sum(axis=1)
                total = total - 2 * here @ there.T
            for feature in np.flatnonzero(~numeric):
                total = total + (flat[:, [feature]] != column.sample[:, feature])
        return np.sqrt(np.maximum(total, 0.0)).round(6)

    def order(self, generators: Generators) -> dict[str, NDArray[np.float32]]:
        """Column -> (b, F), when on the way from 0 to 1 each feature switches."""
        found = {}
        for name, column in self.columns.items():
            found[name] = np.empty((len(generators), column.spread.size), dtype=np.float32)
            if not column.measured.all():
                for row, generator in enumerate(generators):
                    generator.random(dtype=np.float32, out=found[name][row])
        return found

    def place(
        self, raw: Raw, donors: Integer, share: Float, order: Mapping[str, Array]
    ) -> dict[str, Array]:
        """Records ``share`` (b,) of the way from ``raw`` to the sample's records ``donors`` (b,);
        0 is the record itself and 1 the donor, exactly."""
        places = {}
        for name, column in self.columns.items():
            own = raw[name].reshape(len(donors), -1)
            donor = column.sample[donors]
            mixed = np.where(order[name] < share[:, None], donor, own)
            measured = column.measured
            if measured.any():
                weight = share[:, None]
                between = (1 - weight) * own[:, measured] + weight * donor[:, measured]
                if own.dtype.kind in "iu":
                    between = np.rint(between)
                mixed[:, measured] = between
            places[name] = mixed.astype(own.dtype, copy=False).reshape(raw[name].shape)
        return places

    def distance(self, raw: Raw, places: Raw) -> Float:
        """(b,) distances between records and the places they were moved to."""
        total = np.zeros(len(next(iter(raw.values()))))
        for name in self.columns:
            numeric, weights = self._weights[name]
            own, moved = (part[name].reshape(len(total), -1) for part in (raw, places))
            if numeric.any():
                steps = moved[:, numeric].astype(np.float64) - own[:, numeric]
                total += np.nan_to_num((steps * weights) ** 2, posinf=0.0).sum(axis=1)
            total += (moved[:, ~numeric] != own[:, ~numeric]).sum(axis=1)
        return np.sqrt(total)
