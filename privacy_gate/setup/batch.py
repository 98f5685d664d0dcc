"""Five records as the model sees them: shapes, ranges over all five, and labels. No record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.config import Config
from privacy_gate.domain import Fixtures, Outputs
from privacy_gate.fixtures.columns import dtype_name
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.models.preprocess import open_preprocess
from privacy_gate.signals import canonical_order
from privacy_gate.tasks.classification import Classification
from privacy_gate.tasks.labels import label_positions

ROWS = 5


@dataclass(frozen=True, slots=True)
class Range:
    """An array over all five records together: ``shape`` with the five first. ``low``, ``high`` and
    ``mean`` are those of the finite numbers, 0 if there are none; ``not_finite``: the others. Of
    texts (``dtype`` text) the numbers are their lengths in characters."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    mean: float
    not_finite: int


@dataclass(frozen=True, slots=True)
class Batch:
    """``raw``: the fixtures' columns; ``inputs``: what the model gets; ``output``: what it returns.
    ``predicted`` beside ``true``: labels of the five records, empty for a custom task."""

    raw: tuple[Range, ...]
    inputs: tuple[Range, ...]
    output: Range
    kind: str
    predicted: tuple[int | str, ...]
    true: tuple[int | str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def show_batch(config: Config, data: Fixtures, model: LoadedModel) -> Batch:
    """Ask the model about five records, of which side is not told. Raises ``PrivacyGateError``."""
    rows = canonical_order(data)[:ROWS]
    columns = data.records.take(rows)
    inputs = open_preprocess(config, data.records.columns, model)(columns)
    outputs = model.forward(inputs)
    predicted: tuple[int | str, ...] = ()
    true: tuple[int | str, ...] = ()
    if config.task == "classification":
        predicted = _predicted(config, data, outputs)
        true = tuple(data.labels[rows].tolist())
    return Batch(
        raw=_ranges(columns),
        inputs=_ranges(inputs),
        output=range_of("output", outputs.values),
        kind=outputs.kind,
        predicted=predicted,
        true=true,
    )


def _predicted(config: Config, data: Fixtures, outputs: Outputs) -> tuple[int | str, ...]:
    """The label that the fixtures have for each predicted position."""
    order = None if config.model.labels is None else list(config.model.labels.order)
    label_positions(data.labels, order, data.classes)  # refuses labels that have no position
    positions = Classification(data.classes if order is None else None).predicted(outputs).tolist()
    return tuple(positions) if order is None else tuple(order[place] for place in positions)


def _ranges(arrays: Mapping[str, NDArray[Any]]) -> tuple[Range, ...]:
    return tuple(range_of(name, array) for name, array in arrays.items())


def range_of(name: str, array: NDArray[Any]) -> Range:
    """What is shown of an array of numbers of any shape, or of texts (n,)."""
    shown = np.array([len(text) for text in array]) if array.dtype.kind == "O" else array
    numbers = shown.astype(np.float64).ravel()
    finite = numbers[np.isfinite(numbers)]
    used = finite if finite.size else np.zeros(1)
    return Range(
        name=name,
        shape=array.shape,
        dtype=dtype_name(array.dtype),
        low=float(used.min()),
        high=float(used.max()),
        mean=float(used.mean()),
        not_finite=numbers.size - finite.size,
    )
