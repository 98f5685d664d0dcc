"""Which records the model-free checks look at, and what they see of them, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Boolean, Fixtures, Integer
from privacy_gate.fixture_checks.blind_baseline import Described
from privacy_gate.fixture_checks.closeness import placed, weighed
from privacy_gate.fixture_checks.features import Block, described, is_table
from privacy_gate.fixture_checks.label_shift import too_many
from privacy_gate.fixtures.reference import ReferredRecords

MOST = 5_000
"""Records of a side that are looked at; which ones a keyed hash decides."""

MOST_SLOW = 1_000
"""The same where each is a file that must be read and decoded."""

_BATCH = 512
_MOST_CLASSES = 64


def sampled(fixtures: Fixtures, keys: NDArray[np.uint64], independent: Boolean) -> Integer:
    """Rows of independent records, of each side the first ones in the order of their keys."""
    most = MOST_SLOW if fixtures.records.slow else MOST
    parts = []
    for side in (fixtures.is_member, ~fixtures.is_member):
        rows = np.flatnonzero(side & independent)
        parts.append(np.sort(rows[np.argsort(keys[rows])[:most]]))
    return np.concatenate(parts)


def looked_at(fixtures: Fixtures, rows: Integer) -> tuple[Described, Block]:
    """What learners see of the records, and their places for distances. Raises ``FixtureError`` for
    a record that is referred to and cannot be read."""
    features: list[Block] = []
    places: dict[str, list[Block]] = {}
    tables: dict[str, bool] = {}
    for batch in _batches(rows):
        columns = fixtures.records.take(batch)
        features.append(described(columns))
        for name, values in columns.items():
            places.setdefault(name, []).append(placed(values))
            tables[name] = is_table(values)
    labels = np.unique(fixtures.labels, return_inverse=True)[1].reshape(-1)[rows]
    beside = _metadata(fixtures, rows)
    blocks = [np.concatenate(features), _label_columns(labels), beside]
    widths = [block.shape[1] for block in blocks]
    found = Described(
        features=np.concatenate(blocks, axis=1),
        metadata=np.repeat([False, widths[2] > 0, True], widths),
        labels=labels,
        is_member=fixtures.is_member[rows],
        split=fixtures.split[rows].astype(np.int64),
    )
    return found, np.concatenate(
        [weighed(np.concatenate(parts), table=tables[name]) for name, parts in places.items()],
        axis=1,
    )


def _batches(rows: Integer) -> Iterator[Integer]:
    for start in range(0, rows.size, _BATCH):
        yield rows[start : start + _BATCH]


def _metadata(fixtures: Fixtures, rows: Integer) -> Block:
    """(n, k) dates by their order, and traits of files."""
    blocks = [np.empty((rows.size, 0), np.float32)]
    if fixtures.dates is not None:
        order = np.unique(fixtures.dates[rows], return_inverse=True)[1]
        blocks.append(order.reshape(-1, 1).astype(np.float32))
    if isinstance(fixtures.records, ReferredRecords):
        blocks.append(fixtures.records.traits(rows))
    return np.concatenate(blocks, axis=1)


def _label_columns(labels: Integer) -> Block:
    """(n, classes) one column per class, or the position of the label where there are too many."""
    classes = np.unique(labels)
    if too_many(labels) or classes.size > _MOST_CLASSES:
        return labels[:, None].astype(np.float32)
    return np.asarray(labels[:, None] == classes, np.float32)
