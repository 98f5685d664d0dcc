"""All sets of a run with the model's answers to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Float, Signals
from privacy_gate.kept_signals import dependencies, trusted_cache
from privacy_gate.overconfidence.answers import Asker
from privacy_gate.overconfidence.counts import Keys, mean_or_none
from privacy_gate.overconfidence.sets import AuditSet, Unavailable, audit_sets
from privacy_gate.overconfidence.transforms import NotApplicable
from privacy_gate.preparation import Prepared

TOP = "confidence"
"""The signal that is the logarithm of the largest probability."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A set and its answers: signal -> (n,)."""

    name: str
    kind: Literal["nonmembers", "transform", "generated", "ood"]
    words: str
    labels: Literal["own", "predicted"]
    columns: Mapping[str, Float]
    keys: Keys

    def scores(self, signal: str) -> Float:
        """(n,) NaN where the model has no finite answer."""
        return self.columns.get(signal, np.full(self.keys.size, np.nan))

    @property
    def not_finite(self) -> int:
        """Records without a finite answer."""
        return int(np.isnan(self.scores(TOP)).sum())

    def facts(self) -> dict[str, Any]:
        """As it stands in a report."""
        return {
            "name": self.name,
            "kind": self.kind,
            "words": self.words,
            "records": self.keys.size,
            "not_finite": self.not_finite,
            "labels": self.labels,
            "mean_confidence": mean_or_none(np.exp(self.scores(TOP))),
        }


def ask(
    prepared: Prepared, asker: Asker, labels: NDArray[Any], signals: Signals
) -> tuple[list[Asked], list[Unavailable]]:
    """The answers to every set that there is, evaluation non-members first; and the others."""
    data = prepared.data
    nonmembers = prepared.rows[~data.is_member[prepared.rows]]
    columns = {name: values[nonmembers] for name, values in signals.columns.items()}
    own = Asked("nonmembers", "nonmembers", "evaluation", "own", columns, prepared.keys[nonmembers])
    asked, missing = [own], []
    for found in audit_sets(prepared, asker.preprocess, labels):
        if isinstance(found, Unavailable):
            missing.append(found)
            continue
        try:
            answers = _kept(prepared, asker, found)
        except NotApplicable as reason:
            missing.append(Unavailable(found.name, found.kind, str(reason)))
            continue
        kind: Literal["own", "predicted"] = "predicted" if found.labels is None else "own"
        asked.append(Asked(found.name, found.kind, found.words, kind, answers, found.keys))
    return asked, missing


def _kept(prepared: Prepared, asker: Asker, found: AuditSet) -> Mapping[str, Float]:
    """The answers to a set, from the cache of the run if they are there."""
    generated = {}
    if found.kind == "generated":
        generated = found.records.take(found.rows)
    parts = {
        **dependencies(prepared, asker.model, features=False),
        "set": [found.name, found.words],
        "seed": prepared.config.statistics.seed,
        "batch": asker.batch_size,
        "rows": found.rows,
        "own_labels": found.labels,
        "generated": generated,
    }
    asker.model.seed(parts["seed"])  # whichever other sets come from the cache
    return trusted_cache(prepared).get_or_make("audit", parts, lambda: asker.signals(found))
