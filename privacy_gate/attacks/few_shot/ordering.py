"""Random draws and rounding follow the keys of the records, never their order in a file.

Rows come with the members first, so anything that depends on a row's number (what is drawn, how a
sum or a matrix product is rounded) could tell the sides apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from privacy_gate.domain import Evidence, Float, Integer, Signals


def in_key_order(evidence: Evidence) -> tuple[Evidence, Integer]:
    """The same evidence with its records sorted by key, and (N,) the row each of them had.

    Without keys the evidence stays as it is.
    """
    if evidence.keys is None:
        return evidence, np.arange(evidence.split.size)
    order = np.argsort(evidence.keys, kind="stable")
    tuning = evidence.tuning
    ordered = replace(
        evidence,
        signals=_taken(evidence.signals, order),
        labels=evidence.labels[order],
        split=evidence.split[order],
        membership=evidence.membership[order],
        keys=evidence.keys[order],
        tuning=tuning and (lambda *rows: tuning(*(order[numbers] for numbers in rows))),
    )
    return ordered, order


def in_row_order(values: Float, order: Integer) -> Float:
    """(…, N) values of sorted records, back in the rows that they came from."""
    result = np.empty_like(values)
    result[..., order] = values
    return result


def _taken(signals: Signals, order: Integer) -> Signals:
    return Signals(
        columns={name: values[order] for name, values in signals.columns.items()},
        predicted=None if signals.predicted is None else signals.predicted[order],
        features=None if signals.features is None else signals.features[order],
        outputs=None if signals.outputs is None else signals.outputs[order],
    )
