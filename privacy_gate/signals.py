"""Stream records through the model into signal columns, in an order no file or batch can change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Fixtures, Float, Integer, Outputs, Signals
from privacy_gate.errors import LimitError, ModelError, SignalError
from privacy_gate.protocols import Task
from privacy_gate.tasks.classification import class_logits

Progress = Callable[[int, int], None]
"""Called with records done and records in all."""


def canonical_order(fixtures: Fixtures) -> Integer:
    """All records sorted by identifier: batches do not depend on the order of rows in a file, and
    mix members with non-members, so that no rounding can tell the sides apart."""
    words = np.ascontiguousarray(fixtures.identifiers).view(">u8")
    return np.lexsort(tuple(words[:, column] for column in range(words.shape[1]))[::-1])


def collect_signals(
    batches: Iterable[tuple[Integer, Outputs]],
    task: Task,
    labels: NDArray[Any],
    *,
    keep_outputs: bool = False,
    deadline: float | None = None,
    progress: Progress | None = None,
) -> Signals:
    """The signals of all records; memory grows with the signals, not with the inputs.

    ``keep_outputs`` keeps the logits of every record, too. ``deadline`` on the clock of
    ``time.monotonic``. Raises ``LimitError`` past it, ``SignalError`` for signals that are not
    finite or change their names between batches.
    """
    collected = _Columns(labels.shape[0])
    for indices, outputs in batches:
        collected.add(indices, task.signals(outputs, labels[indices]), task.predicted(outputs))
        collected.add_wide("features", indices, outputs.features)
        if keep_outputs and outputs.kind != "labels":
            collected.add_wide("outputs", indices, class_logits(outputs))
        if deadline is not None and time.monotonic() > deadline:
            raise LimitError(
                f"limits.seconds is used up after {collected.done} of {labels.shape[0]} records.",
                hint="Raise limits.seconds, use a faster device, or use fewer records.",
            )
        if progress is not None:
            progress(collected.done, labels.shape[0])
    return collected.finished()


class _Columns:
    """Signal columns that fill up batch by batch."""

    def __init__(self, records: int) -> None:
        self.done = 0
        self._records = records
        self._columns: dict[str, Float] = {}
        self._predicted: Integer | None = None
        self._wide: dict[str, NDArray[Any]] = {}

    def add(self, indices: Integer, signals: dict[str, Float], predicted: Integer | None) -> None:
        if not self._columns:
            self._columns = {name: np.full(self._records, np.nan) for name in signals}
            if predicted is not None:
                self._predicted = np.zeros(self._records, dtype=np.int64)
        if signals.keys() != self._columns.keys():
            raise SignalError("The signals of two batches have different names.")
        for name, values in signals.items():
            self._columns[name][indices] = values
        if self._predicted is not None and predicted is not None:
            self._predicted[indices] = predicted
        self.done += indices.size

    def add_wide(self, name: str, indices: Integer, values: NDArray[Any] | None) -> None:
        if values is None:
            return
        if name not in self._wide:
            self._wide[name] = np.zeros((self._records, values.shape[1]), dtype=values.dtype)
        self._wide[name][indices] = values

    def finished(self) -> Signals:
        if self.done != self._records:
            raise ModelError(f"The model answered {self.done} of {self._records} records.")
        for name, values in self._columns.items():
            bad = int(self._records - np.isfinite(values).sum())
            if bad:
                raise SignalError(f"The signal {name!r} is NaN or infinite for {bad} records.")
        wide = self._wide
        return Signals(self._columns, self._predicted, wide.get("features"), wide.get("outputs"))
