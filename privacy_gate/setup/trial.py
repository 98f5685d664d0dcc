"""The model run on some of the fixtures, to learn what its file does not say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from privacy_gate.domain import Fixtures, Integer, Interval
from privacy_gate.errors import ModelError
from privacy_gate.guards import accuracy, refuse_guessing
from privacy_gate.models.forward import stream
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.models.opening import open_model
from privacy_gate.models.preprocess import Arithmetic, Preprocess, open_preprocess
from privacy_gate.preparation import prepare
from privacy_gate.setup.preprocessing import (
    Preprocessing,
    Shape,
    Tried,
    credibly_more,
    credibly_worse,
    decided,
    possible,
    standardised,
)
from privacy_gate.signals import canonical_order
from privacy_gate.tasks.classification import Classification
from privacy_gate.tasks.labels import label_positions

if TYPE_CHECKING:
    from privacy_gate.config import Config

SCREENED = 600
"""Members that every preprocessing is tried on."""
MEASURED = 4000
"""Records a side, at most, that the accuracy is measured on: it is then known to ± 0.01, well
within the tolerance of ``model.expected``."""
_LOOKED_AT = 100
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Measured:
    """``preprocess``: ``None`` if several could be meant, or if the model ``guesses`` under all;
    ``tried``: each with its accuracy on members. Unless it is ``None``: the accuracies, and whether
    the answers show that the labels are in the order of the outputs (``labels_fit``).
    ``standardised``: the accuracy on members of a table with every column standardised, where that
    is credibly better than all that was tried. ``kind`` and ``output``: of what the model returned.
    """

    preprocess: Preprocessing | None
    tried: Sequence[tuple[Preprocessing, float]]
    kind: str
    output: str | int | None
    members: Interval | None = None
    nonmembers: Interval | None = None
    labels_fit: bool = False
    guesses: bool = False
    standardised: float | None = None


def measure(config: Config, model: LoadedModel, wanted: Shape | None, whole: bool) -> Measured:
    """Try the opened model on fixture records.

    ``config`` names no preprocessing; ``wanted`` and ``whole``: see ``possible``. Raises
    ``PrivacyGateError`` where the fixtures cannot be loaded or no preprocessing makes the model
    answer.
    """
    data = prepare(config, compared=False).data
    try:
        return _measured(_Run(config, data, model), wanted, whole)
    except ModelError as first:
        if config.model.output.name is not None:
            raise
        named = _with_output(config, "logits")  # the usual name, where a model returns several
        try:
            with closing(open_model(named)) as model:
                return _measured(_Run(named, data, model), wanted, whole)
        except ModelError:
            raise first from None


def _measured(run: _Run, wanted: Shape | None, whole: bool) -> Measured:
    data, labels = run.data, run.labels
    rows = canonical_order(data)
    sample = [rows[data.is_member[rows] == side][:MEASURED] for side in (True, False)]
    tried = list(run.tries(sample[0][:SCREENED], wanted, whole))
    found = decided(tried)
    result = Measured(
        preprocess=None,
        tried=[(one.preprocess, one.accuracy) for one in tried],
        kind=run.kind,
        output=run.config.model.output.name,
    )
    likeliest = found or max(tried, key=lambda one: one.accuracy)
    columns = None if whole else run.standardised(sample[0])
    if columns is not None and credibly_worse(likeliest, columns):
        members = run.predictions(columns.preprocess, sample[0])
        right = members == labels[sample[0]]
        fit = in_order(members, labels[sample[0]])
        return replace(result, preprocess=None, standardised=float(right.mean()), labels_fit=fit)
    members = run.predictions(likeliest.preprocess, sample[0])
    try:
        refuse_guessing(members, labels[sample[0]], None)
    except ModelError:
        return replace(result, guesses=True)
    if found is None:
        return result
    nonmembers = run.predictions(found.preprocess, sample[1])
    return replace(
        result,
        preprocess=found.preprocess,
        members=accuracy(members == labels[sample[0]], _CONFIDENCE),
        nonmembers=accuracy(nonmembers == labels[sample[1]], _CONFIDENCE),
        labels_fit=in_order(members, labels[sample[0]]),
    )


class _Run:
    """One model and its records, asked again under different preprocessings."""

    def __init__(self, config: Config, data: Fixtures, model: LoadedModel) -> None:
        order = None if config.model.labels is None else list(config.model.labels.order)
        self.config = config
        self.data = data
        self.labels = label_positions(data.labels, order, data.classes)
        self.kind = "auto"
        self._model = model
        self._task = Classification(data.classes if order is None else None)

    def tries(self, rows: Integer, wanted: Shape | None, whole: bool) -> Iterator[Tried]:
        """Every possible preprocessing under which the model answers, the first of those that come
        to the same. Raises ``ModelError`` with the first reason if there is none."""
        reason: ModelError | None = None
        answered, seen = False, set[bytes]()
        for preprocess in self._possible(rows, wanted, whole):
            try:
                predicted = self.predictions(preprocess, rows)
            except ModelError as error:
                reason = reason or error
                continue
            answered = True
            key = predicted.tobytes()
            if key not in seen:  # else it comes to the same as one that was tried before
                seen.add(key)
                yield Tried(preprocess, predicted == self.labels[rows])
        if not answered:
            raise reason or ModelError(
                "The model takes records of another shape than the fixtures hold.",
                hint="Write a function, and name it in model.preprocess: module:function.",
            )

    def standardised(self, rows: Integer) -> Tried | None:
        """The answers to the first of the records ``rows`` with every column standardised by all of
        them, where the only input is a table and the model takes such numbers."""
        fed = open_preprocess(self.config, self.data.records.columns, self._model).inputs
        if len(fed) > 1:
            return None
        (column,) = fed.values()
        preprocess = standardised(self.data.records.take(rows)[column])
        if preprocess is None:
            return None
        first = rows[:SCREENED]
        try:
            return Tried(preprocess, self.predictions(preprocess, first) == self.labels[first])
        except ModelError:  # it takes whole numbers, such as places in a vocabulary
            return None

    def predictions(self, preprocess: Preprocessing, rows: Integer) -> Integer:
        """(n,) the class position predicted for each of the records ``rows``."""
        function = open_preprocess(self.config, self.data.records.columns, self._model)
        if preprocess:
            function = _with(function, preprocess)
        found = []
        size = self.config.model.batch_size
        for _, outputs in stream(self._model, function, self.data.records, rows, size):
            self.kind = outputs.kind
            found.append(self._task.predicted(outputs))
        return np.concatenate(found)

    def _possible(
        self, rows: Integer, wanted: Shape | None, whole: bool
    ) -> tuple[Preprocessing, ...]:
        fed = open_preprocess(self.config, self.data.records.columns, self._model).inputs
        if len(fed) > 1:
            return ({},)  # one scale suits one input
        (column,) = fed.values()
        array = self.data.records.take(rows[:_LOOKED_AT])[column]
        if array.dtype.kind == "O":
            return ()  # text
        return possible(array.dtype.name, array.shape[1:], wanted, whole, float(array.max()))


def _with(function: Preprocess, preprocess: Preprocessing) -> Preprocess:
    arithmetic = Arithmetic(
        scale=preprocess.get("scale", 1.0),
        mean=preprocess.get("mean"),
        std=preprocess.get("std"),
        layout=preprocess.get("layout"),
    )
    return replace(function, arithmetic=arithmetic)


def _with_output(config: Config, name: str) -> Config:
    output = config.model.output.model_copy(update={"name": name})
    model = config.model.model_copy(update={"output": output})
    return replace(config, settings=config.settings.model_copy(update={"model": model}))


def in_order(predicted: Integer, labels: Integer) -> bool:
    """Whether no other order of the labels would make the model right on more of its training
    records, and an exchange of any two on credibly fewer.

    ``predicted`` and ``labels`` (members,) class positions.
    """
    from scipy.optimize import linear_sum_assignment

    size = int(max(predicted.max(), labels.max())) + 1
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    occurring = np.unique(labels)
    if not np.array_equal(linear_sum_assignment(counts, maximize=True)[1][occurring], occurring):
        return False
    right = np.diag(counts)
    pairs = itertools.combinations(occurring.tolist(), 2)
    return all(
        credibly_more(int(right[i] + right[j]), int(counts[i, j] + counts[j, i])) for i, j in pairs
    )
