"""From the labels of the fixtures to positions in the model's output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Integer
from privacy_gate.errors import FixtureError


def label_positions(
    labels: NDArray[Any], order: Sequence[int | str] | None, classes: int | None
) -> Integer:
    """(records,) the output position of each label: its place in ``order``, or, without one, the
    label itself. Raises ``FixtureError`` for a label that has no position."""
    return _positions(labels, classes) if order is None else _places(labels, order)


def _positions(labels: NDArray[Any], classes: int | None) -> Integer:
    if labels.dtype.kind not in "iu":
        raise FixtureError(
            "The labels are text.",
            hint="Say in model.labels.order which output position stands for which label.",
        )
    outside = labels < 0 if classes is None else (labels < 0) | (labels >= classes)
    if outside.any():
        raise FixtureError(
            f"{int(outside.sum())} of {labels.size} labels are no class position.",
            hint="Number the classes from 0, or name them in model.labels.order.",
        )
    return labels.astype(np.int64)


def _places(labels: NDArray[Any], order: Sequence[int | str]) -> Integer:
    place = {str(label): position for position, label in enumerate(order)}
    values, inverse = np.unique(labels, return_inverse=True)
    known = np.array([place.get(_text(value), -1) for value in values], dtype=np.int64)
    positions: Integer = known[inverse]
    unknown = int((positions < 0).sum())
    if unknown:
        raise FixtureError(
            f"{unknown} of {labels.size} labels are not in model.labels.order.",
            hint=f"It names {len(order)} labels; the fixtures use {values.size}."
            " `privacy-gate fixtures inspect DIR` lists them.",
        )
    return positions


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
