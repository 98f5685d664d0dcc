"""Ask the model about records that were changed: raw columns in, answers out, batch by batch.

Whoever asks changes the raw columns of a block (before preprocessing, keeping their types) and
never sees the back-end::

    for rows, outputs in asking.answers(
        (rows, changed(rows, columns)) for rows, columns in asking.blocks(order)
    ):
        ...

Records are read once per block, however often they are asked about. A block follows the order it
is given, so no change may depend on where in a block a record stands, only on the record itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Integer, Outputs, Records
from privacy_gate.errors import LimitError, ModelError, SignalError
from privacy_gate.models.forward import PreprocessFunction
from privacy_gate.protocols import Model, Task

Columns = Mapping[str, NDArray[Any]]
"""Column -> (b, …), raw as the fixtures store it."""


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """An open model with its preprocessing and the records it may be asked about.

    ``batch_size``: the records of a block, for example what the first pass ended with.
    ``deadline`` on the clock of ``time.monotonic``.
    """

    model: Model
    preprocess: PreprocessFunction
    records: Records
    batch_size: int
    deadline: float | None = None

    def blocks(self, rows: Integer) -> Iterator[tuple[Integer, Columns]]:
        """The records ``rows`` (n,) in that order, up to ``batch_size`` at a time: their row
        numbers (b,) and raw columns."""
        for start in range(0, len(rows), self.batch_size):
            block = rows[start : start + self.batch_size]
            yield block, self.records.take(block)

    def answers(
        self, asked: Iterable[tuple[Integer, Columns]]
    ) -> Iterator[tuple[Integer, Outputs]]:
        """The model's answers to each (rows, changed columns), in that order.

        What does not fit in memory is answered in two halves. ``LimitError`` past the deadline,
        ``ModelError`` when a single record does not fit.
        """
        for rows, columns in asked:
            if self.deadline is not None and time.monotonic() > self.deadline:
                raise LimitError(
                    "limits.seconds is used up while the model is asked about changed records.",
                    hint="Raise limits.seconds, use a faster device, or ask less often.",
                )
            yield from self._answered(rows, columns)

    def _answered(self, rows: Integer, columns: Columns) -> Iterator[tuple[Integer, Outputs]]:
        try:
            outputs = self.model.forward(self.preprocess(columns))
        except MemoryError:
            outputs = None  # leaving the handler frees the tensors of the failed batch
        if outputs is not None:
            yield rows, outputs
            return
        if len(rows) == 1:
            raise ModelError(
                f"A single record does not fit in the memory of {self.model.device}.",
                hint="Use a smaller precision, a larger machine or model.device: cpu.",
            )
        middle = len(rows) // 2
        for half in (slice(None, middle), slice(middle, None)):
            part = {name: values[half] for name, values in columns.items()}
            yield from self._answered(rows[half], part)


class CountedQueries:
    """Labels only, for one attack; implements ``domain.Queries``.

    ``asked`` (records,) counts the queries of each record; none gets more than ``limit``.
    """

    def __init__(self, asking: Asking, task: Task, records: int, limit: int) -> None:
        self.asked = np.zeros(records, dtype=np.int64)
        self._asking = asking
        self._task = task
        self._limit = limit

    def take(self, rows: Integer) -> Columns:
        """Input column -> (len(rows), …), raw as stored."""
        return self._asking.records.take(rows)

    def blocks(self, rows: Integer) -> Iterator[tuple[Integer, Columns]]:
        """See ``Asking.blocks``."""
        return self._asking.blocks(rows)

    def predict(self, rows: Integer, columns: Columns) -> Integer:
        """(b,) predicted class positions; raises ``LimitError`` for a query over the limit."""
        np.add.at(self.asked, rows, 1)
        if len(rows) and self.asked[rows].max() > self._limit:
            raise LimitError(
                f"An attack asked more often than the {self._limit} times per record it announced.",
                hint="The attack's queries_per_record has to name the most it asks.",
            )
        found = [self._predicted(outputs) for _, outputs in self._asking.answers([(rows, columns)])]
        return np.concatenate(found)

    def _predicted(self, outputs: Outputs) -> Integer:
        predicted = self._task.predicted(outputs)
        if predicted is None:
            raise SignalError("Label-only attacks need a task with classes.")
        return predicted
