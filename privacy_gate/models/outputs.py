"""Raw model outputs -> ``domain.Outputs``: logits, probabilities or predicted positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Float, Integer, Outputs
from privacy_gate.errors import ModelError
from privacy_gate.models.selection import as_array, listing

if TYPE_CHECKING:
    from privacy_gate.config import Config

Kind = Literal["logits", "probabilities", "labels"]

Seen = tuple[Kind | None, int | None]
"""The kind of output, where it was left open, and the number of classes; ``None``: not yet."""

SUM_TOLERANCE = 1e-3
HALF_PRECISION_SUM_TOLERANCE = 1e-2
RANGE_TOLERANCE = 1e-6
"""Rounding lets a float32 softmax exceed 1 by a few units in the last place."""


class OutputReader:
    """Reads the batches of one run: kind and number of classes, once seen, must stay.

    ``kind: auto`` is decided on the first batch: whole numbers (b,) are labels, numbers in [0, 1]
    whose rows sum to 1 are probabilities (one column: numbers in [0, 1]), all else are logits.
    """

    def __init__(
        self, config: Config, *, half_precision: bool = False, kind: str | None = None
    ) -> None:
        """``kind`` in the place of that of the configuration."""
        self._raw = config.task == "custom"
        self._declared: str = kind or config.model.output.kind
        self._order: Sequence[Any] | None = (
            None if config.model.labels is None else config.model.labels.order
        )
        self._location: str | None = config.location("model", "output")
        self._half_precision = half_precision
        self._decided: Kind | None = None
        self._classes: int | None = None

    @property
    def seen(self) -> Seen:
        """What earlier batches have settled for later ones."""
        return self._decided, self._classes

    @seen.setter
    def seen(self, seen: Seen) -> None:
        self._decided, self._classes = seen

    def read(
        self,
        raw: Any,
        rows: int,
        features: NDArray[np.float32] | None = None,
        *,
        finite: bool = True,
    ) -> Outputs:
        """Normalise one batch of ``rows`` answers.

        ``raw``: (b, classes); (b,) or (b, 1) scores of the second of two classes, which become two
        columns; (b,) labels; or a list of b mappings class -> probability. ``ModelError`` for wrong
        shapes, numbers that are not finite, and answers that contradict the kind. Unless ``finite``
        is asked for, class scores that are not finite are returned as rows of NaN. Of task custom
        only the number of rows is checked: the meaning of the numbers is the user's.
        """
        if self._raw:
            return Outputs(self._unchanged(as_array(raw), rows), "raw", features)
        if isinstance(raw, list) and raw and isinstance(raw[0], Mapping):
            array = self._from_mappings(raw)
        else:
            array = as_array(raw)
        array = self._shaped(array, rows)
        if array.dtype.kind == "f":
            if not finite and self._declared != "labels":
                return self._with_gaps(array)
            self._check_finite(array)
        kind = self._kind(array)
        if kind == "labels":
            return Outputs(self._positions(array), "labels", features)
        values = self._two_columns(array, kind) if array.ndim == 1 else array.astype(np.float64)
        if kind == "probabilities":
            values = self._checked_probabilities(values, array.dtype.itemsize)
        self._check_classes(values.shape[1])
        return Outputs(values, kind, features)

    def _error(self, message: str, hint: str | None = None) -> ModelError:
        return ModelError(message, hint=hint, location=self._location)

    def _unchanged(self, array: NDArray[Any], rows: int) -> NDArray[Any]:
        if array.dtype.kind not in "biuf" or array.ndim == 0 or len(array) != rows:
            raise self._error(
                f"The model answered an array of shape {array.shape} and type {array.dtype} to"
                f" {rows} records.",
                "Numbers (b, …) are needed, one row per record; set model.output.name if this is"
                " not the output to judge.",
            )
        return array

    def _shaped(self, array: NDArray[Any], rows: int) -> NDArray[Any]:
        if array.ndim == 0 and rows == 1:
            array = array.reshape(1)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim not in (1, 2) or array.shape[0] != rows or array.size == 0:
            raise self._error(
                f"The model answered an array of shape {array.shape} to {rows} records.",
                "One row of class scores, or one number, per record is needed; "
                "set model.output.name if this is not the output to judge.",
            )
        return array

    def _check_finite(self, array: NDArray[Any]) -> None:
        finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if not finite.all():
            raise self._error(
                f"{np.count_nonzero(~finite)} of {len(array)} outputs are not finite.",
                "Check the weights, the precision and model.preprocess.",
            )

    def _with_gaps(self, array: NDArray[Any]) -> Outputs:
        """The finite rows as they read, and NaN in the place of the others."""
        good = np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if not good.any():
            classes = 2 if array.ndim == 1 else array.shape[1]
            return Outputs(np.full((len(array), classes), np.nan), "logits")
        read = self.read(array[good], int(good.sum()))
        values = np.full((len(array), *read.values.shape[1:]), np.nan)
        values[good] = read.values
        return Outputs(values, read.kind)

    def _kind(self, array: NDArray[Any]) -> Kind:
        whole = array.dtype.kind in "biu"
        if self._declared == "auto":
            return self._automatic(array, whole)
        if self._declared == "labels":
            if array.ndim != 1:
                raise self._error(
                    f"model.output.kind is labels, but the model answers {array.shape[1]} numbers "
                    "per record.",
                    "Set model.output.kind to logits or probabilities.",
                )
            return "labels"
        if array.dtype.kind in "US" or (whole and array.ndim == 1):
            raise self._error(
                f"model.output.kind is {self._declared}, but the model answers predicted labels.",
                "Set model.output.kind: labels, or model.output.name to the output with scores.",
            )
        return "logits" if self._declared == "logits" else "probabilities"

    def _automatic(self, array: NDArray[Any], whole: bool) -> Kind:
        found: Kind
        if array.ndim == 2 and (whole or array.dtype.kind in "US"):
            raise self._error(
                f"The model answers whole numbers of shape {array.shape}, whose kind is unclear.",
                "Set model.output.kind to logits or probabilities.",
            )
        if whole or array.dtype.kind in "US":
            found = "labels"
        else:
            found = "probabilities" if self._like_probabilities(array) else "logits"
        decided = self._decided = self._decided or found
        # Logits may fall into [0, 1] by chance, so only the other contradictions are certain.
        if decided != found and not (decided == "logits" and found == "probabilities"):
            raise self._error(
                f"The model's outputs look like {decided} in the first batch, like {found} later.",
                "Set model.output.kind to what the model returns.",
            )
        return decided

    def _like_probabilities(self, array: NDArray[Any]) -> bool:
        if array.min() < -RANGE_TOLERANCE or array.max() > 1 + RANGE_TOLERANCE:
            return False
        return array.ndim == 1 or self._sums_to_one(array, array.dtype.itemsize)

    def _sums_to_one(self, values: NDArray[Any], itemsize: int) -> bool:
        half = self._half_precision or itemsize < 4
        tolerance = HALF_PRECISION_SUM_TOLERANCE if half else SUM_TOLERANCE
        return bool(np.all(np.abs(values.sum(axis=1, dtype=np.float64) - 1) <= tolerance))

    def _two_columns(self, scores: NDArray[Any], kind: Kind) -> Float:
        values = np.zeros((len(scores), 2))
        values[:, 1] = scores
        if kind == "probabilities":
            values[:, 0] = 1 - values[:, 1]
        return values

    def _checked_probabilities(self, values: Float, itemsize: int) -> Float:
        hint = "Set model.output.kind: logits if the model returns scores before the softmax."
        low, high = values.min(), values.max()
        if low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
            raise self._error("The model's probabilities leave the range from 0 to 1.", hint)
        if not self._sums_to_one(values, itemsize):
            raise self._error("The model's probabilities do not sum to 1 per record.", hint)
        return values if low >= 0 and high <= 1 else np.clip(values, 0.0, 1.0)

    def _check_classes(self, classes: int) -> None:
        if self._order is not None and classes != len(self._order):
            raise self._error(
                f"The model answers {classes} classes, but model.labels.order names "
                f"{len(self._order)}."
            )
        if self._classes is None:
            self._classes = classes
        if classes != self._classes:
            raise self._error(
                f"The model answered {self._classes} classes first and {classes} later."
            )

    def _positions(self, array: NDArray[Any]) -> Integer:
        if array.dtype.kind in "US":
            return self._named_positions(array)
        if array.dtype.kind == "f" and np.any(array != np.rint(array)):
            raise self._error(
                "model.output.kind is labels, but the outputs are not whole numbers.",
                "Set model.output.kind to logits or probabilities.",
            )
        positions = array.astype(np.int64)
        classes = np.iinfo(np.int64).max if self._order is None else len(self._order)
        if positions.min() < 0 or positions.max() >= classes:
            raise self._error(
                "The model predicts labels that are no class positions.",
                "Labels must count from 0, or be texts listed in model.labels.order.",
            )
        return positions

    def _named_positions(self, array: NDArray[Any]) -> Integer:
        place = {str(label): position for position, label in enumerate(self._order or ())}
        names = array.astype(str)
        if not place or not set(names.tolist()) <= place.keys():
            raise self._error(
                "The model predicts texts that model.labels.order does not list.",
                "Set model.labels.order to the class names in the order of the outputs.",
            )
        return np.array([place[name] for name in names.tolist()], dtype=np.int64)

    def _from_mappings(self, rows: list[Mapping[Any, float]]) -> Float:
        keys = set(rows[0])
        order = list(range(len(keys)) if self._order is None else self._order)
        if keys != set(order):
            raise self._error(
                f"The model names its classes {listing(sorted(keys, key=str))}, and "
                "model.labels.order does not list exactly these.",
                "Set model.labels.order to these names; they are the label values of the fixtures.",
            )
        if any(row.keys() != keys for row in rows):
            raise self._error("The model names other classes for some records than for others.")
        return np.array([[row[key] for key in order] for row in rows], dtype=np.float64)


def feature_matrix(features: NDArray[Any], rows: int) -> NDArray[np.float32]:
    """Features (b, …) flattened to float32 (b, d); ``ModelError`` if rows or numbers are wrong."""
    if features.ndim == 0 or len(features) != rows or features.size == 0:
        raise ModelError(
            f"The features have the shape {features.shape} for {rows} records.",
            hint="Name a layer or output with one row per record in model.features.name.",
        )
    matrix = features.reshape(rows, -1).astype(np.float32, copy=False)
    if not np.isfinite(matrix).all():
        raise ModelError("Some features are not finite.", hint="Check the weights and the inputs.")
    return matrix
