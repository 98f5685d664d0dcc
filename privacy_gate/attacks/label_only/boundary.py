"""``boundary-distance``: how far a record is from where the model's label changes.

A decision-based estimate with a fixed budget, after Li & Zhang 2021 and Choquette-Choo et al. 2021
(section 4.3), who spend thousands of queries of HopSkipJump on a record. Here a record walks
towards the nearest records that the model labels differently (its donors, known from the pass that
all attacks share), and bisection finds where the label changes; the nearest such place counts. A
wrongly labelled record has the distance 0 and costs no query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.attacks.label_only.columns import described
from privacy_gate.attacks.label_only.evidence import Asked
from privacy_gate.attacks.label_only.walk import Walk
from privacy_gate.domain import Evidence, Float, Integer, Scores

STEPS = 8
"""Bisections towards a donor: the place is known to 1/256 of the way."""


@dataclass(frozen=True, slots=True)
class BoundaryDistance:
    """Spends 8 queries on each of ``queries // 8`` donors of a record."""

    queries: int = 32
    name: str = "boundary-distance"
    family: str = "label-only"
    access: str = "labels"
    reads: frozenset[str] = frozenset({"queries"})

    def __post_init__(self) -> None:
        if self.queries < STEPS:
            raise TypeError(f"fewer than the {STEPS} queries that one donor takes")

    @property
    def donors(self) -> int:
        """Differently labelled records that each record walks towards."""
        return self.queries // STEPS

    @property
    def queries_per_record(self) -> int:
        """The most that any record is asked about."""
        return self.donors * STEPS

    def score(self, evidence: Evidence) -> Scores:
        """The distance found; the largest possible one where no record is labelled differently."""
        asked = Asked.of(self.name, evidence)
        shown = asked.shown()
        walk = Walk(described(asked.queries.take(shown)))
        rows = asked.everyone
        distances = np.zeros(rows.size)
        for block, raw in asked.queries.blocks(rows[asked.correct[rows]]):
            distances[block] = self._distances(asked, walk, block, raw, asked.predicted[shown])
        return Scores(
            distances,
            method=f"bisection towards the {self.donors} nearest of {shown.size} records, of those"
            " that the model labels differently",
        )

    def _distances(
        self,
        asked: Asked,
        walk: Walk,
        rows: Integer,
        raw: Mapping[str, NDArray[Any]],
        predicted: Integer,
    ) -> Float:
        """(b,) the smallest distance over the donors; ``predicted`` (S,) of the sample."""
        labels = asked.evidence.labels[rows]
        apart = np.where(predicted == labels[:, None], np.inf, walk.to_sample(raw))
        nearest = np.argsort(apart, axis=1, kind="stable")[:, : self.donors]
        generators = asked.generators(rows, self.name)
        smallest = np.full(rows.size, walk.longest)
        for donors in nearest.T:
            # a record without (so many) differently labelled ones is moved along, and not counted
            real = np.isfinite(apart[np.arange(rows.size), donors])
            order = walk.order(generators)
            near, far = np.zeros(rows.size), np.ones(rows.size)
            for _ in range(STEPS):
                middle = (near + far) / 2
                asked_about = walk.place(raw, donors, middle, order)
                other = asked.queries.predict(rows, asked_about) != labels
                near, far = np.where(other, near, middle), np.where(other, middle, far)
            distance = walk.distance(raw, walk.place(raw, donors, far, order))
            smallest = np.where(real, np.minimum(smallest, distance), smallest)
        return smallest
