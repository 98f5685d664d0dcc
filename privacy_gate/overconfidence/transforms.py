"""Changes of non-members into records that no data set holds, after Hintersdorf et al. (2022).

``permuted``, ``inverted`` and ``noise`` change raw columns and keep their types; ``scaled`` and
``unnormalised`` change what preprocessing makes of them. Rows of two or three axes are images, rows
of one number or one axis are features. Every random choice is drawn from the seed and the record
alone, so no batch and no order matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Transform
from privacy_gate.models.preprocess import CHANNELS, Arithmetic
from privacy_gate.models.querying import Columns

Array = NDArray[Any]
Draw = Callable[[int], np.random.Generator]
"""Row number -> what its random choices are drawn from."""

FACTOR = 255

OWN_LABELS: frozenset[Transform] = frozenset({"inverted", "scaled", "unnormalised"})
"""After these a record is still of its class; after the others nobody could say of which."""


class NotApplicable(Exception):
    """Why a transform, or a generator, does not suit these records."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What is done to raw columns (``raw``, given them and their rows) or to the inputs of the
    model (``after``), in ``words``."""

    name: Transform
    words: str
    raw: Callable[[Columns, NDArray[np.int64]], dict[str, Array]] | None = None
    after: Callable[[Mapping[str, Array]], dict[str, Array]] | None = None

    @property
    def labels(self) -> Literal["own", "predicted"]:
        """Which labels attacks that read them are given."""
        return "own" if self.name in OWN_LABELS else "predicted"


def change(name: Transform, pool: Columns, draw: Draw, arithmetic: Arithmetic | None) -> Change:
    """The transform ``name`` of records like those of ``pool`` (column -> (n, …), raw).

    ``arithmetic``: the declared preprocessing, if it is. Raises ``NotApplicable`` with the reason
    where the transform does not apply.
    """
    if name == "scaled":
        return Change(name, f"preprocessed values times {FACTOR}", after=_scaled)
    if name == "unnormalised":
        return _unnormalised(arithmetic)
    if any(column.dtype.kind not in "biuf" for column in pool.values()):
        raise NotApplicable("records hold text")
    if name == "inverted":
        return _inverted(pool)
    return _permuted(pool, draw) if name == "permuted" else _noise(pool, draw)


def is_image(column: Array) -> bool:
    """Whether rows have two or three axes."""
    return column.ndim in (3, 4)


# ------------------------------------------------------------------------------- the model's inputs


def _scaled(inputs: Mapping[str, Array]) -> dict[str, Array]:
    _refuse_integers(inputs)
    with np.errstate(over="ignore"):  # what overflows is counted by its answer
        return {
            name: array * array.dtype.type(FACTOR) if array.dtype.kind == "f" else array
            for name, array in inputs.items()
        }


def _unnormalised(arithmetic: Arithmetic | None) -> Change:
    if arithmetic is None or not arithmetic.last_step:
        raise NotApplicable("model.preprocess declares no normalisation that could be left out")

    def without(inputs: Mapping[str, Array]) -> dict[str, Array]:
        _refuse_integers(inputs)
        return {name: arithmetic.without_last_step(array) for name, array in inputs.items()}

    return Change("unnormalised", f"{arithmetic.last_step} left out", after=without)


def _refuse_integers(inputs: Mapping[str, Array]) -> None:
    if all(array.dtype.kind != "f" for array in inputs.values()):
        raise NotApplicable("the model takes whole numbers")


# -------------------------------------------------------------------------------------- raw columns


def _permuted(pool: Columns, draw: Draw) -> Change:
    """Pixels of an image in a random order, the same in all channels; each feature from some
    record of the pool, which keeps the distribution of every single feature."""

    def changed(columns: Columns, rows: NDArray[np.int64]) -> dict[str, Array]:
        result = {name: np.array(column) for name, column in columns.items()}
        for place, row in enumerate(rows.tolist()):
            random = draw(row)
            for name in sorted(result):
                column = result[name]
                if is_image(column):
                    column[place] = _shuffled(column[place], random)
                else:
                    column[place] = _donated(pool[name], random)
        return result

    words = _words(pool, "pixels in random order", "each feature from a record drawn for it")
    return Change("permuted", words, raw=changed)


def _shuffled(image: Array, random: np.random.Generator) -> Array:
    """The positions of an image (H, W), (H, W, C) or (C, H, W) in a random order."""
    first = image.ndim == 3 and image.shape[0] in CHANNELS and image.shape[-1] not in CHANNELS
    last = image.ndim == 3 and image.shape[-1] in CHANNELS
    channels = image if first else np.moveaxis(image, -1, 0) if last else image[np.newaxis]
    flat = channels.reshape(channels.shape[0], -1)
    mixed = flat[:, random.permutation(flat.shape[1])].reshape(channels.shape)
    return mixed if first else np.moveaxis(mixed, 0, -1) if last else mixed[0]


def _donated(pool: Array, random: np.random.Generator) -> Array:
    """One row (…) whose every feature is that of some row of the pool (n, …)."""
    flat = pool.reshape(len(pool), -1)
    donors = random.integers(len(flat), size=flat.shape[1])
    return np.asarray(flat[donors, np.arange(flat.shape[1])].reshape(pool.shape[1:]))


def _inverted(pool: Columns) -> Change:
    """Light for dark: the largest value of the pool plus the smallest, minus the pixel."""
    if not any(is_image(column) for column in pool.values()):
        raise NotApplicable("records hold no image")
    ends = {name: _range(column) for name, column in pool.items() if is_image(column)}

    def changed(columns: Columns, rows: NDArray[np.int64]) -> dict[str, Array]:
        return {
            name: typed(sum(ends[name]) - column.astype(np.float64), column.dtype)
            if name in ends
            else column
            for name, column in columns.items()
        }

    return Change("inverted", "light for dark", raw=changed)


def _noise(pool: Columns, draw: Draw) -> Change:
    """Images of uniform noise over the range of the pool; to features, Gaussian noise with the
    standard deviation that each has in the pool, whole numbers within its range."""
    ends = {name: _range(column, by_feature=not is_image(column)) for name, column in pool.items()}
    spread = {name: column.std(axis=0, dtype=np.float64) for name, column in pool.items()}

    def changed(columns: Columns, rows: NDArray[np.int64]) -> dict[str, Array]:
        result = {name: np.empty_like(column) for name, column in columns.items()}
        for place, row in enumerate(rows.tolist()):
            random = draw(row)
            for name in sorted(result):
                column, (low, high) = columns[name], ends[name]
                if is_image(column):
                    # whole numbers are rounded: half a step more makes the ends as likely
                    half = 0.0 if column.dtype.kind == "f" else 0.5 - 1e-9
                    found = random.uniform(low - half, high + half, column.shape[1:])
                else:
                    found = column[place] + spread[name] * random.standard_normal(column.shape[1:])
                    if column.dtype.kind != "f":
                        found = np.clip(found, low, high)
                result[name][place] = typed(np.asarray(found), column.dtype)
        return result

    words = _words(pool, "uniform noise in the place of images", "Gaussian noise added to features")
    return Change("noise", words, raw=changed)


def _range(column: Array, *, by_feature: bool = False) -> tuple[Any, Any]:
    axis = 0 if by_feature else None
    values = column.astype(np.float64)
    return values.min(axis=axis), values.max(axis=axis)


def typed(values: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers as a type, within its range."""
    if dtype.kind == "f":
        return values.astype(dtype)
    if dtype.kind == "b":
        return values >= 0.5
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def _words(pool: Columns, images: str, features: str) -> str:
    kinds = {is_image(column) for column in pool.values()}
    return ", ".join(words for kind, words in ((True, images), (False, features)) if kind in kinds)
