"""What all label-only attacks share: the model to ask, keyed randomness, and the final score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privacy_gate.domain import (
    Boolean,
    Evidence,
    Float,
    Integer,
    Queries,
    Split,
    keyed_hash,
)
from privacy_gate.errors import FixtureError, SignalError

Generators = list[np.random.Generator]
"""One for each record of a block."""

_SHOWN = 256
"""Records an attacker looks at, at most, to learn what the columns hold."""

_SHOWN_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The evidence of a label-only attack, checked: ``queries``, ``labels`` (records,), ``keys``
    (records,), and whether the model is ``correct`` (records,) on the unchanged record, which the
    pass that all attacks share has told."""

    evidence: Evidence
    queries: Queries
    keys: np.ndarray
    correct: Boolean
    predicted: Integer

    @classmethod
    def of(cls, name: str, evidence: Evidence) -> Asked:
        """Raises ``SignalError`` where the model cannot be asked, or does not predict classes."""
        predicted = evidence.signals.predicted
        if evidence.queries is None or predicted is None:
            raise SignalError(
                f"The attack {name!r} asks for the class of changed records, and cannot here.",
                hint="It needs a classifier that is opened for the run.",
            )
        keys = evidence.keys
        if keys is None:
            keys = np.arange(predicted.size, dtype=np.uint64)
        return cls(evidence, evidence.queries, keys, predicted == evidence.labels, predicted)

    @property
    def everyone(self) -> Integer:
        """All rows in the order of their keys, which no order of a file can change."""
        return np.argsort(self.keys, kind="stable")

    def known(self, *splits: Split) -> Integer:
        """The rows of some splits, in the order of their keys."""
        order = self.everyone
        return order[np.isin(self.evidence.split[order], splits)]

    def shown(self) -> Integer:
        """The support and calibration records that an attacker looks at: the first by key, as many
        as fit, however large the batches of the model are. Raises ``FixtureError``."""
        rows = self.known(Split.SUPPORT, Split.CALIBRATION)
        if rows.size < 2:
            raise FixtureError(
                "Label-only attacks need at least 2 records in the support and calibration splits.",
                hint="Add fixture records, or raise the share of these splits.",
            )
        one = sum(values.nbytes for values in self.queries.take(rows[:1]).values())
        return rows[: max(2, min(_SHOWN, _SHOWN_BYTES // max(1, one)))]

    def generators(self, rows: Integer, name: str) -> Generators:
        """A random stream for each record: it depends on the seed, the attack and the record's key,
        so that neither batches nor the order of rows change what is drawn."""
        seed = str(self.evidence.seed).encode()
        word = int.from_bytes(keyed_hash(seed, "label-only", name.encode())[:8], "big")
        return [
            np.random.Generator(np.random.Philox(key=(word << 64) | int(key)))
            for key in self.keys[rows]
        ]


def correct_first(values: Float, correct: Boolean) -> Float:
    """(records,) ``values`` in [0, 1], where what the model gets wrong ranks below all it gets
    right: an attacker that sees the label knows that much without a further query."""
    return np.where(correct, values, values - 2.0)
