"""What a model's training may have done to raw records, and which of it the model's answers show.

A model was trained under one preprocessing; under another it recognises fewer of its own training
records. So the usual ones are tried, and one is taken only if the others are credibly worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Boolean
from privacy_gate.models.preprocess import CHANNELS

Preprocessing = Mapping[str, Any]
"""A value of ``model.preprocess``; empty for none."""

Shape = Sequence[int | None]

PIXELS = {"uint8": 255, "uint16": 65535}
"""Types that hold pixels, as a rule, and the largest value of each."""
_IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
_CREDIBLY = 2.58
"""Standard deviations: a two-sided error of 1 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """The answers under one preprocessing: whether each of some members is predicted correctly
    (n,)."""

    preprocess: Preprocessing
    correct: Boolean

    @property
    def accuracy(self) -> float:
        """The share of members that are predicted correctly."""
        return float(self.correct.mean())

    @property
    def shifts(self) -> bool:
        """Whether it does more than scaling."""
        return "mean" in self.preprocess or "std" in self.preprocess


def possible(
    dtype: str, row: Shape, wanted: Shape | None, whole: bool, largest: float
) -> tuple[Preprocessing, ...]:
    """The usual preprocessings, the likeliest first.

    ``dtype`` and ``row``: of a record; ``wanted``: the shape of one record that the model takes, if
    it says so; ``whole``: whether it takes whole numbers; ``largest``: value among the records.
    Empty where only a function of the user's could turn one into the other, as for text.
    """
    if dtype == "text":
        return ()
    return tuple(
        {**scaling, **({"layout": layout} if layout else {})}
        for scaling in ([{}] if whole else list(_scalings(dtype, row, largest)))
        for layout in _layouts(row, wanted)
    )


def _scalings(dtype: str, row: Shape, largest: float) -> Iterator[Preprocessing]:
    scales = [1 / end for end in _ends(largest, PIXELS[dtype])] if dtype in PIXELS else []
    yield from ({"scale": scale} for scale in scales)
    yield {}
    for scale in scales[:1] if len(row) >= 2 else ():
        yield {"scale": scale, "mean": [0.5], "std": [0.5]}
        if len(row) == 3 and 3 in (row[0], row[-1]):
            mean, std = _IMAGENET
            yield {"scale": scale, "mean": mean, "std": std}


def _ends(largest: float, of_type: int) -> list[float]:
    """Where the range of pixels may end: at 16 or 1023, if values go exactly so far, and where that
    of their type does."""
    round_number = largest > 1 and any(math.log2(largest + more).is_integer() for more in (0, 1))
    return list(dict.fromkeys([*([largest] if round_number else []), float(of_type)]))


def _layouts(row: Shape, wanted: Shape | None) -> list[str | None]:
    channels = len(row) == 3 and row[-1] in CHANNELS and row[0] not in CHANNELS
    if wanted is None:
        if len(row) == 2 or channels:
            return [None, "NCHW"]
        return [None]
    if _agree(row, wanted):
        return [None]
    if len(wanted) == 3 and len(row) == 2:
        both = {"NCHW": (1, *row), "NHWC": (*row, 1)}
    elif len(wanted) == 3 and len(row) == 3:
        both = {"NCHW": (row[2], row[0], row[1]), "NHWC": (row[1], row[2], row[0])}
    else:
        return []
    return [layout for layout, shape in both.items() if _agree(shape, wanted)]


def _agree(shape: Shape, wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        size == other or other is None for size, other in zip(shape, wanted, strict=True)
    )


def decided(tried: Sequence[Tried]) -> Tried | None:
    """The preprocessing that the answers show, ``None`` if several could be meant.

    Left over are those whose accuracy on the same training records is not credibly below the best.
    Several may be left if they differ in scale only: then the first of them is taken, since to a
    model that is right at each of them the scale makes little difference.
    """
    best = max(tried, key=lambda found: found.accuracy)
    left = [found for found in tried if not credibly_worse(found, best)]
    layouts = {found.preprocess.get("layout") for found in left}
    same = len(layouts) == 1 and not any(found.shifts for found in left)
    return left[0] if len(left) == 1 or same else None


def standardised(records: NDArray[Any]) -> Preprocessing | None:
    """Every column of a table (n, d) of numbers less its mean and divided by its deviation, as
    training does with its members; ``None`` for other records, and where a number is missing."""
    if records.ndim != 2 or records.dtype.kind not in "iuf" or not np.isfinite(records).all():
        return None
    deviations = records.std(axis=0, dtype=np.float64)
    return {
        "mean": records.mean(axis=0, dtype=np.float64).tolist(),
        "std": np.where(deviations > 0, deviations, 1.0).tolist(),
    }


def credibly_worse(found: Tried, best: Tried) -> bool:
    """McNemar's comparison on the records that only one of both gets right."""
    only_best = int((best.correct & ~found.correct).sum())
    only_found = int((found.correct & ~best.correct).sum())
    return credibly_more(only_best, only_found)


def credibly_more(first: int, second: int) -> bool:
    """Whether the first count of records is credibly above the second, where none is in both."""
    return first - second > _CREDIBLY * math.sqrt(first + second)
