"""What flows through a run before there is a report: fixtures, outputs, signals, scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain.numbers import Boolean, Float, Integer


class Split(IntEnum):
    """The part of the fixtures a record belongs to, fixed by a keyed hash of its identifier."""

    SUPPORT = 0
    CALIBRATION = 1
    EVALUATION = 2


class Records(Protocol):
    """The input columns of all records, members first, then non-members; possibly memory-mapped."""

    columns: tuple[str, ...]
    slow: bool
    """Whether ``take`` reads and decodes files, so that it is worth doing ahead of the model."""

    def take(self, indices: Integer) -> dict[str, NDArray[Any]]:
        """Column -> (len(indices), …), the rows in the order asked for, raw as stored."""
        ...


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """A training receipt that fits the fixtures: ``records`` that training saw, named by
    ``identified_by``, on the way to ``model_sha256`` (compared when the model is opened)."""

    records: int
    model_sha256: str
    identified_by: str


@dataclass(frozen=True, slots=True, eq=False)
class OodSet:
    """n records from outside the distribution, none of them on a side: ``labels`` (n,) raw label
    values or ``None``; ``contents`` (n, 32) uint8, a SHA-256 digest of each record; ``independent``
    (n,): one record of each group or content."""

    records: Records
    labels: NDArray[Any] | None
    contents: NDArray[np.uint8]
    independent: Boolean


@dataclass(frozen=True, slots=True, eq=False)
class Fixtures:
    """Verified fixtures. N records: ``is_member`` (N,) with the members first; ``labels`` (N,) raw
    label values (integers or text) of the chosen label column; ``identifiers`` (N, 32) uint8, a
    SHA-256 digest per record, unique; ``split`` (N,) of ``Split`` values; ``groups`` (N,) int64
    number of the group, or of the content that copies share (never on both sides), or ``None``.

    ``shared`` (N,): whether a record's content also occurs on the other side under another
    identifier, so that nobody knows which side it belongs to; ``None`` if there is no such record.
    ``dates`` (N,) integers or text, ``None`` where records have none.
    ``sha256`` is the digest of the manifest, which holds the digest of every file.
    ``training_records`` is the number of records the members were drawn from, if known. ``secret``
    derives from the split key: it names and authenticates what is kept between runs.
    """

    path: Path
    sha256: str
    records: Records
    labels: NDArray[Any]
    is_member: Boolean
    identifiers: NDArray[np.uint8]
    split: NDArray[np.int8]
    groups: Integer | None
    classes: int | None
    assignment: Literal["randomized", "natural"]
    member_sampling: Literal["all", "random", "unknown"]
    training_records: int | None
    shared: Boolean | None = None
    dates: NDArray[Any] | None = None
    receipt: ReceiptFacts | None = None
    ood: Mapping[str, OodSet] = field(default_factory=dict)
    secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What a model returned for one batch: ``values`` (b, classes) float64 logits or probabilities
    as ``kind`` says, (b,) predicted positions for ``labels``, or for ``raw`` numbers (b, …) of any
    shape and type as the model returned them; ``features`` (b, d) if asked."""

    values: NDArray[Any]
    kind: Literal["logits", "probabilities", "labels", "raw"]
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Columns of per-record signals, float64 (records,); higher means more likely a member.

    ``predicted``: class position the model predicted, or ``None`` where the task has no classes.
    ``features``: float32 (records, d) from the named layer; ``outputs``: (records, classes) logits;
    each ``None`` unless an attack reads it.
    """

    columns: Mapping[str, Float]
    predicted: Integer | None = None
    features: NDArray[np.float32] | None = None
    outputs: Float | None = None


Tuning = Callable[[Integer, Integer, Integer], tuple[Float, Float]]
"""Rows of support (R, 2K), validation (R, V) and queries (R, Q) -> scores of the validation records
(G, R, V) and the queries (G, R, Q) after fine-tuning a copy of the model under G settings."""


class Queries(Protocol):
    """What a label-only attacker can do: look at records, change them, and ask for a label."""

    def take(self, rows: Integer) -> Mapping[str, NDArray[Any]]:
        """Input column -> (len(rows), …), raw as stored."""
        ...

    def blocks(self, rows: Integer) -> Iterator[tuple[Integer, Mapping[str, NDArray[Any]]]]:
        """The records ``rows`` (n,) in that order, as many at a time as the model answers at once:
        their rows (b,) and what ``take`` gives of them."""
        ...

    def predict(self, rows: Integer, columns: Mapping[str, NDArray[Any]]) -> Integer:
        """(b,) predicted class positions of the records ``rows`` (b,), changed to ``columns``; one
        query of each. Raises ``LimitError`` for a query more than the attack said it needs."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What an attacker sees: signals of all records, their labels and splits, and membership of the
    support and calibration records only. ``membership`` is 1 (member), 0 (non-member), or -1: the
    evaluation records, which an attack must score without knowing. ``keys`` (records,) is a
    hash per record, in whose order records are drawn. ``tuning`` fine-tunes the model, where an
    attack has access to gradients; ``queries`` asks it about changed records, where one reads
    ``queries``."""

    signals: Signals
    labels: Integer
    split: NDArray[np.int8]
    membership: NDArray[np.int8]
    seed: int = 0
    keys: NDArray[np.uint64] | None = None
    tuning: Tuning | None = None
    queries: Queries | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What an attack returns: ``values`` (records,) float64, higher means more likely a member.

    An ensemble over ``draws`` of labelled records also gives some ``single_draws`` (r, records),
    the ``pool`` of labelled members and non-members that the draws come from, and a ``note``.
    ``paper``: the result of the published protocol, if it was asked for. ``method``: one sentence
    on what was done to the records, where that depends on them. ``asked`` (records,):
    queries of each record beside the pass that all attacks share; ``None`` where there are none.
    """

    values: Float
    single_draws: Float | None = None
    draws: int = 0
    pool: tuple[int, int] | None = None
    note: str = ""
    paper: Mapping[str, Any] | None = None
    method: str = ""
    asked: Integer | None = None
