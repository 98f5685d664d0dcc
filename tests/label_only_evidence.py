"""Evidence for label-only attacks: a model in plain numpy, asked by the engine of the gate."""

from __future__ import annotations

import numpy as np

from privacy_gate.domain import Evidence, Outputs, Signals, Split
from privacy_gate.models.querying import Asking, CountedQueries
from privacy_gate.tasks.classification import Classification


class Held:
    """Columns in memory."""

    slow = False

    def __init__(self, columns):
        self.data, self.columns = columns, tuple(columns)

    def take(self, indices):
        return {name: values[indices] for name, values in self.data.items()}


class Function:
    """A model that is a function from inputs to logits (b, classes); ``fits``: the largest batch
    that fits in memory; ``seen``: the batches it answered."""

    device = "cpu"

    def __init__(self, logits, fits=10**9):
        self.logits, self.fits, self.seen = logits, fits, []

    def forward(self, inputs):
        rows = len(next(iter(inputs.values())))
        if rows > self.fits:
            raise MemoryError
        self.seen.append({name: values.copy() for name, values in inputs.items()})
        return Outputs(self.logits(inputs), "logits")


def asking_of(model, columns, batch_size=64, deadline=None):
    """The engine over ``columns``, without preprocessing."""
    return Asking(model, dict, Held(columns), batch_size, deadline)


def queries_of(logits, columns, limit=10**6, **settings):
    """The engine as an attack gets it."""
    records = len(next(iter(columns.values())))
    asking = asking_of(Function(logits), columns, **settings)
    return CountedQueries(asking, Classification(), records, limit)


def evidence_of(logits, columns, labels, is_member, keys, split, limit=10**6, **settings):
    """What a label-only attacker gets of a model; membership is known of two splits."""
    membership = is_member.astype(np.int8)
    membership[split == Split.EVALUATION] = -1
    return Evidence(
        Signals({}, logits(columns).argmax(axis=1)),
        labels,
        split,
        membership,
        keys=keys,
        queries=queries_of(logits, columns, limit, **settings),
    )


def spread(count, seed=0):
    """Splits and keys of ``count`` records."""
    random = np.random.default_rng(seed)
    split = random.choice([int(part) for part in Split], count, p=[0.15, 0.25, 0.6])
    return split.astype(np.int8), random.permutation(count).astype(np.uint64)
