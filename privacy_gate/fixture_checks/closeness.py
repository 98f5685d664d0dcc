"""Where a record lies among the others: a short vector per record, and how it crowds others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Float
from privacy_gate.fixture_checks.features import (
    Block,
    as_float32,
    grey_and_channels,
    hashed_text,
    is_image,
    shrunk,
)

_SIDE = 12
_MOST = 128
_BLOCK = 1_024
_NEIGHBOURS = 5


def placed(values: NDArray[Any]) -> Block:
    """(b, d) places of a batch of an input column (b, …): near copies lie close together.

    Pictures are shrunk and freed of brightness and contrast, texts are hashed counts, long
    rows of numbers are projected at random, always in the same way.
    """
    if values.dtype.kind == "O":
        return np.stack([hashed_text(text) for text in values])
    if is_image(values):
        small = shrunk(grey_and_channels(values)[0], _SIDE)
        small = small - small.mean(axis=1, keepdims=True)
        return np.asarray(small / (np.linalg.norm(small, axis=1, keepdims=True) + 1e-6))
    rows = as_float32(values).reshape(len(values), -1)
    if rows.shape[1] <= _MOST:
        return rows
    signs = np.random.default_rng(rows.shape[1]).choice([-1.0, 1.0], (rows.shape[1], _MOST))
    return np.asarray(rows @ signs.astype(np.float32) / np.sqrt(np.float32(_MOST)))


def weighed(places: Block, *, table: bool) -> Block:
    """(n, d) places of one column with a total variance of 1, so that all columns weigh the same;
    of a ``table``, whose numbers have units of their own, with the same variance in each."""
    variance = places.var(axis=0, dtype=np.float64)
    scale = np.sqrt(variance * (variance > 0).sum() if table else variance.sum())
    return np.asarray(places / np.where(scale > 0, scale, 1), np.float32)


def crowding(places: Block, others: Block | None = None) -> Float:
    """(n,) distance to the nearest of ``others`` over the distance to the fifth nearest, in [0, 1];
    without ``others``, of the same records without itself. 1 where the fifth is at distance 0.

    Blocked matrix products in float32: n·m·d multiplications, about a second for 5 000 by 5 000.
    """
    targets = places if others is None else others
    wanted = min(_NEIGHBOURS, len(targets) - (others is None))
    norms = (targets**2).sum(axis=1)
    ratios = np.ones(len(places))
    for start in range(0, len(places), _BLOCK):
        block = places[start : start + _BLOCK]
        squares = norms - 2 * (block @ targets.T)
        if others is None:
            squares[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        close = np.argpartition(squares, wanted - 1, axis=1)[:, :wanted]
        # from the differences: the expanded squares lose what is small
        exact = np.linalg.norm(block[:, None] - targets[close], axis=2)
        far = exact.max(axis=1)
        np.divide(exact.min(axis=1), far, out=ratios[start : start + _BLOCK], where=far > 0)
    return ratios
