"""The signals of a set of records: one answer of the model to each, kept between runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Boolean, Float, Integer, Outputs
from privacy_gate.errors import FixtureError, PrivacyGateError
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.models.preprocess import Preprocess
from privacy_gate.models.querying import Asking, Columns
from privacy_gate.overconfidence.sets import AuditSet
from privacy_gate.overconfidence.transforms import NotApplicable
from privacy_gate.protocols import Task


class Unchecked:
    """A model whose answers may be NaN or infinite."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self.device = model.device

    def forward(self, inputs: Mapping[str, NDArray[Any]]) -> Outputs:
        """As ``LoadedModel.forward_unchecked``."""
        return self.model.forward_unchecked(inputs)

    def close(self) -> None:
        """Who opened the model closes it."""


@dataclass(frozen=True, slots=True, eq=False)
class Asker:
    """What it takes to ask a model about a set; ``deadline`` on the clock of ``time.monotonic``."""

    model: LoadedModel
    preprocess: Preprocess
    task: Task
    batch_size: int
    deadline: float | None = None

    def signals(self, found: AuditSet) -> dict[str, Float]:
        """Signal -> (n,), NaN throughout where the model's answer is not finite; without labels of
        the set, those that the model predicts.

        Raises ``NotApplicable`` with the reason where the set cannot be answered.
        """
        columns: dict[str, Float] = {}
        places = {int(row): place for place, row in enumerate(found.rows)}
        try:
            for rows, outputs in self._answers(found):
                at = np.array([places[int(row)] for row in rows], np.int64)
                labels = None if found.labels is None else found.labels[at]
                for name, values in self._finite(outputs, labels).items():
                    columns.setdefault(name, np.full(found.rows.size, np.nan))[at] = values
        except (NotApplicable, FixtureError):
            raise
        except PrivacyGateError as error:  # nothing that is asked here may stop a verdict
            raise NotApplicable(error.message) from error
        bad = ~np.isfinite(np.stack([*columns.values()])).all(axis=0)
        for values in columns.values():
            values[bad] = np.nan
        return columns

    def _answers(self, found: AuditSet) -> Iterator[tuple[Integer, Outputs]]:
        made = found.change
        after = None if made is None else made.after

        def prepared(columns: Columns) -> Mapping[str, NDArray[Any]]:
            inputs = self.preprocess(columns)
            return inputs if after is None else after(inputs)

        asking = Asking(
            Unchecked(self.model), prepared, found.records, self.batch_size, self.deadline
        )
        for rows, columns in asking.blocks(found.rows):
            raw = columns if made is None or made.raw is None else made.raw(columns, rows)
            yield from asking.answers([(rows, raw)])

    def _finite(self, outputs: Outputs, labels: Integer | None) -> dict[str, Float]:
        """The signals of one batch, NaN where the outputs are."""
        good: Boolean = np.isfinite(outputs.values).reshape(len(outputs.values), -1).all(axis=1)
        if not good.any():
            return {"confidence": np.full(good.size, np.nan)}
        answered = Outputs(outputs.values[good], outputs.kind)
        known = self.task.predicted(answered) if labels is None else labels[good]
        assert known is not None  # a task without classes is not audited
        result = {}
        for name, values in self.task.signals(answered, known).items():
            result[name] = np.full(good.size, np.nan)
            result[name][good] = values
        return result
