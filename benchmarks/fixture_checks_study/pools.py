"""Real records of every kind, and sides dealt from them by lot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Boolean, Fixtures, Integer
from privacy_gate.fixtures.held import HeldRecords

Inputs = NDArray[Any]
MOST = 12_000
"""Records kept of a set, drawn by a fixed seed."""

_LONGEST = 2_000
"""Letters kept of a document."""


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """``inputs`` (n, …), class positions ``labels`` (n,), ``groups`` (n,) or ``None``; ``dates``
    (n,) or ``None``. Of ``Sides`` members come first."""

    inputs: Inputs
    labels: Integer
    groups: Integer | None = None
    dates: NDArray[Any] | None = None

    def rows(self, rows: Integer) -> Records:
        """Some of the records, in this order."""
        groups = None if self.groups is None else self.groups[rows]
        return Records(self.inputs[rows], self.labels[rows], groups)


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """``records`` of both sides, ``members`` of them first."""

    records: Records
    members: int

    @property
    def is_member(self) -> Boolean:
        return np.arange(len(self.records.labels)) < self.members

    def fixtures(self, generator: np.random.Generator) -> Fixtures:
        """The sides as the gate holds them, dealt into splits by lot."""
        inputs, count = self.records.inputs, len(self.records.labels)
        held = HeldRecords({"x": inputs[: self.members]}, {"x": inputs[self.members :]})
        return Fixtures(
            path=Path(),
            sha256="",
            records=held,
            labels=self.records.labels,
            is_member=self.is_member,
            identifiers=np.zeros((count, 32), np.uint8),
            split=generator.choice(3, count, p=[0.15, 0.25, 0.6]).astype(np.int8),
            groups=self.records.groups,
            classes=None,
            assignment="randomized",
            member_sampling="unknown",
            training_records=None,
            dates=self.records.dates,
        )


def dealt(pool: Records, size: int, generator: np.random.Generator) -> tuple[Sides, Records]:
    """``size`` groups a side, or records where there are no groups, and the records left over."""
    units = np.arange(len(pool.labels)) if pool.groups is None else pool.groups
    drawn = generator.permutation(np.unique(units))
    sides = [np.flatnonzero(np.isin(units, part)) for part in np.split(drawn, [size, 2 * size])]
    records = pool.rows(np.concatenate(sides[:2]))
    return Sides(records, sides[0].size), pool.rows(sides[2])


def available(pool: Records) -> int:
    """The most units a side that ``dealt`` can deal."""
    units = len(pool.labels) if pool.groups is None else np.unique(pool.groups).size
    return units // 2


@cache
def load(name: str, folder: Path) -> Records:
    """The distinct records of a set, in a fixed order by lot; whole groups, where there are any."""
    found = READERS[name](folder)
    random = np.random.default_rng(0)
    contents = {row.tobytes() if isinstance(row, np.ndarray) else row: place
                for place, row in enumerate(found.inputs)}  # fmt: skip
    rows = random.permutation(np.array(list(contents.values())))
    if found.groups is not None:
        rows = rows[np.argsort(random.permutation(found.groups.max() + 1)[found.groups[rows]])]
    found = found.rows(rows[:MOST])
    return replace(found, labels=np.unique(found.labels, return_inverse=True)[1])


def _arrays(file: str, inputs: str = "x", labels: str = "y") -> Callable[[Path], Records]:
    def read(folder: Path) -> Records:
        with np.load(folder / file) as stored:
            values = stored[labels].reshape(len(stored[labels]), -1)[:, 0]
            return Records(stored[inputs], np.unique(values, return_inverse=True)[1])

    return read


def _columns(path: Path) -> dict[str, NDArray[Any]]:
    from pyarrow import parquet

    table = parquet.read_table(path)
    return {name: np.array(table[name].to_pylist()) for name in table.column_names}


def _numbers(column: NDArray[Any]) -> NDArray[np.float32]:
    """Categories and missing values as their position in the alphabet."""
    if column.dtype.kind in "OU":
        column = np.unique(column.astype(str), return_inverse=True)[1]
    return column.astype(np.float32)


def _table(
    file: str, label: str, group: str | None = None, left_out: tuple[str, ...] = ()
) -> Callable[[Path], Records]:
    def read(folder: Path) -> Records:
        columns = _columns(folder / file)
        groups = np.unique(columns.pop(group), return_inverse=True)[1] if group else None
        labels = np.unique(columns.pop(label).astype(str), return_inverse=True)[1]
        kept = [_numbers(column) for name, column in columns.items() if name not in left_out]
        return Records(np.stack(kept, axis=1), labels, groups)

    return read


def _texts(texts: list[str], labels: Inputs) -> Records:
    inputs = np.array([text[:_LONGEST] for text in texts], dtype=object)
    return Records(inputs, np.unique(labels, return_inverse=True)[1])


def _documents(file: str, label: str) -> Callable[[Path], Records]:
    def read(folder: Path) -> Records:
        columns = _columns(folder / file)
        return _texts(columns["text"].tolist(), columns[label])

    return read


def _pieces(file: str, separator: str, label: Callable[[str], str]) -> Callable[[Path], Records]:
    def read(folder: Path) -> Records:
        pieces = [piece for piece in (folder / file).read_text().split(separator) if piece.strip()]
        return _texts(pieces, np.array([label(piece) for piece in pieces]))

    return read


READERS: dict[str, Callable[[Path], Records]] = {
    "cifar10": _arrays("cifar10_25k.npz", "x_train", "y_train"),
    "tiny_imagenet": _arrays("tiny_imagenet100_32.npz"),
    "fashion_mnist": _arrays("fashion_mnist_25k.npz", "x_train", "y_train"),
    "mnist": _arrays("mnist_t10k.npz"),
    "cells": _arrays("seg_dsb2018_128.npz", labels="orig_hw"),
    "faces": _arrays("orl_faces.npz"),
    "street scenes": _arrays("seg_camvid_96x128.npz", labels="sequence"),
    "adult": _table("adult.parquet", "income", left_out=("origin",)),
    "credit": _table("credit_default.parquet", "default payment next month", left_out=("ID",)),
    "diabetes130": _table(
        "diabetes130.parquet", "readmitted", "patient_nbr", left_out=("encounter_id",)
    ),
    "location30": _arrays("location30.npz"),
    "groceries20": _arrays("groceries20.npz"),
    "SMS": _documents("sms_spam.parquet", "type"),
    "documents": _documents("text_docs.parquet", "corpus"),
    "names": _pieces("names.txt", "\n", lambda name: name[-1]),
    "Shakespeare": _pieces("tinyshakespeare.txt", "\n\n", lambda text: str(len(text) > 150)),
}
"""Name -> reader of a set."""

PICTURES = ("cifar10", "tiny_imagenet", "fashion_mnist", "mnist", "cells", "faces", "street scenes")
TEXTS = ("SMS", "documents", "names", "Shakespeare")
