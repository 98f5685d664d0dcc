"""What raw columns hold, told from the shape, the type and a sample of records.

Images are told by their shape: (H, W), (H, W, C) or (C, H, W) with sides of at least 8 and 1, 3 or
4 channels. Everything else is a table, whose features are judged one by one: values 0 and 1 only
are bits, integer columns with at most 16 different values are categories, other numbers are
measurements. What is no number, or always the same, is left alone by noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Boolean, Float

Array = NDArray[Any]

SMALLEST_SIDE = 8
CHANNELS = (1, 3, 4)
MOST_CATEGORIES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One input column, its records flattened to F features.

    ``axes``: those of height and width in a batch (b, …), ``None`` for a table. ``sample`` (S, F):
    the records looked at. ``spread`` (F,): their standard deviation. ``low`` and ``high`` (F,):
    their range. (F,) each: ``measured``, ``bits``, ``categories``; none of them is left alone.
    """

    axes: tuple[int, int] | None
    sample: Array
    spread: Float
    low: Float
    high: Float
    measured: Boolean
    bits: Boolean
    categories: Boolean

    @property
    def noisy(self) -> Boolean:
        """(F,) what noise changes."""
        return self.measured | self.bits | self.categories

    @classmethod
    def of(cls, values: Array) -> Column:
        """Describe a sample (S, …) of a raw column."""
        flat = values.reshape(len(values), -1)
        axes = image_axes(values)
        features = flat.shape[1]
        none = np.zeros(features, dtype=np.bool_)
        zero = np.zeros(features)
        if values.dtype.kind not in "biuf":
            return cls(axes, flat, zero, zero, zero, none, none, none)
        numbers = flat.astype(np.float64)
        if (
            axes is not None
        ):  # one scale for all pixels: a border that is always dark is no constant
            numbers = numbers.reshape(-1, 1)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        known = ~np.isnan(numbers)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, numbers, 0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (numbers - mean) ** 2, 0).sum(axis=0) / count)
        low = np.where(known, numbers, np.inf).min(axis=0)
        high = np.where(known, numbers, -np.inf).max(axis=0)
        varies = spread > 0
        bits = varies & ((numbers == 0) | (numbers == 1) | ~known).all(axis=0)
        few = values.dtype.kind in "iu" and np.unique(flat).size <= MOST_CATEGORIES
        categories = varies & ~bits & (few and axes is None)
        parts = (spread, low, high, varies & ~bits & ~categories, bits, categories)
        return cls(axes, flat, *(np.broadcast_to(part, features) for part in parts))


def described(columns: Mapping[str, Array]) -> dict[str, Column]:
    """Every column of a sample, by name in alphabetical order."""
    return {name: Column.of(columns[name]) for name in sorted(columns)}


def image_axes(values: Array) -> tuple[int, int] | None:
    """The axes of height and width in a batch (b, …) of images, ``None`` if it holds none."""
    shape = values.shape[1:]
    if values.dtype.kind not in "iuf" or len(shape) not in (2, 3):
        return None
    axes = (1, 2)
    if len(shape) == 3:
        if shape[-1] in CHANNELS:
            axes = (1, 2)
        elif shape[0] in CHANNELS:
            axes = (2, 3)
        else:
            return None
    return axes if min(values.shape[axis] for axis in axes) >= SMALLEST_SIDE else None
