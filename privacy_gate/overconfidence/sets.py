"""The sets of records that are tried: none of them holds a record that was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import (
    Integer,
    OodSet,
    Records,
    Split,
    keyed_hash,
    random_generator,
)
from privacy_gate.fixtures.held import HeldRecords
from privacy_gate.models.preprocess import Preprocess
from privacy_gate.overconfidence.counts import Keys
from privacy_gate.overconfidence.generator import call, generate
from privacy_gate.overconfidence.transforms import Change, NotApplicable, change
from privacy_gate.preparation import Prepared
from privacy_gate.tasks.labels import label_positions

Kind = Literal["transform", "generated", "ood"]

POOL = 1000
"""Records that the range and the spread of the data are taken from, at most."""
_DOMAIN = "overconfidence"


@dataclass(frozen=True, slots=True, eq=False)
class AuditSet:
    """The ``rows`` (n,) of some ``records``, with a ``change`` if need be. ``keys`` (n,): what ties
    are broken by; ``labels`` (n,) class positions, or ``None`` where the model's own predictions
    stand for them."""

    name: str
    kind: Kind
    words: str
    records: Records
    rows: Integer
    keys: Keys
    labels: Integer | None
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A set that there is not, and why."""

    name: str
    kind: Kind
    reason: str


def audit_sets(
    prepared: Prepared, preprocess: Preprocess, labels: NDArray[Any]
) -> Iterator[AuditSet | Unavailable]:
    """The sets of a run: transforms of evaluation non-members, generated records, ood sets.

    ``labels`` (records,) class positions of the fixtures.
    """
    settings = prepared.config.overconfidence
    if settings.transforms:
        yield from _transformed(prepared, preprocess, labels)
    if settings.generator != "none":
        yield _generated(prepared)
    for name, found in prepared.data.ood.items():
        yield _ood(prepared, name, found)


def first_by_hash(prepared: Prepared, rows: Integer, count: int) -> Integer:
    """At most ``count`` of the records ``rows``, drawn by hash, in the order of the hash."""
    hashes = _keys(prepared, _DOMAIN, prepared.data.identifiers[rows])
    return rows[np.argsort(hashes, kind="stable")[:count]]


def calibration_nonmembers(prepared: Prepared) -> Integer:
    """Independent non-members of the calibration split, in an order that no file decides."""
    data = prepared.data
    held = prepared.independent & (data.split == Split.CALIBRATION) & ~data.is_member
    rows = np.flatnonzero(held)
    return first_by_hash(prepared, rows, rows.size)


def _transformed(
    prepared: Prepared, preprocess: Preprocess, labels: NDArray[Any]
) -> Iterator[AuditSet | Unavailable]:
    data, settings = prepared.data, prepared.config.overconfidence
    nonmembers = prepared.rows[~data.is_member[prepared.rows]]
    rows = first_by_hash(prepared, nonmembers, settings.records)
    pool = data.records.take(rows[:POOL])
    seed, digests = prepared.config.statistics.seed, data.identifiers
    for name in settings.transforms:

        def draw(row: int, name: str = name) -> np.random.Generator:
            return random_generator(seed, _DOMAIN, name, digests[row].tobytes().hex())

        try:
            made = change(name, pool, draw, preprocess.arithmetic)
        except NotApplicable as reason:
            yield Unavailable(name, "transform", str(reason))
            continue
        yield AuditSet(
            name,
            "transform",
            made.words,
            data.records,
            rows,
            _keys(prepared, name, digests[rows]),
            labels[rows] if made.labels == "own" else None,
            made,
        )


def _generated(prepared: Prepared) -> AuditSet | Unavailable:
    config = prepared.config
    settings, seed = config.overconfidence, config.statistics.seed
    training = prepared.data.records.take(calibration_nonmembers(prepared))
    if settings.generator == "builtin":
        words = "by an autoencoder trained on calibration non-members"
        parts = {"training": training, "count": settings.records, "seed": seed}
        try:
            columns = prepared.cache.get_or_make(
                "generator", parts, lambda: generate(training, settings.records, seed)
            )
        except NotApplicable as reason:
            return Unavailable("generated", "generated", str(reason))
    else:
        words = "by the project's own generator"
        place = ("overconfidence", "generator")
        function = config.load_callable(settings.generator, *place)
        columns = call(function, training, settings.records, seed, config.location(*place))
    numbers = np.arange(settings.records, dtype=np.int64)
    keys = _keys(prepared, "generated", numbers[:, np.newaxis])
    return AuditSet("generated", "generated", words, HeldRecords(columns), numbers, keys, None)


def _ood(prepared: Prepared, name: str, found: OodSet) -> AuditSet:
    rows = np.flatnonzero(found.independent)
    labels = None
    if found.labels is not None:
        settings = prepared.config.model.labels
        order = None if settings is None else list(settings.order)
        labels = label_positions(found.labels, order, prepared.data.classes)[rows]
    keys = _keys(prepared, name, found.contents[rows])
    return AuditSet(name, "ood", "of the fixtures", found.records, rows, keys, labels)


def _keys(prepared: Prepared, what: str, digests: NDArray[Any]) -> Keys:
    """(n,) a hash of each row of ``digests`` (n, …)."""
    key = str(prepared.config.statistics.seed).encode()
    found = (keyed_hash(key, f"{_DOMAIN} {what}", row.tobytes())[:8] for row in digests)
    return np.frombuffer(b"".join(found), dtype=">u8").astype(np.uint64)
