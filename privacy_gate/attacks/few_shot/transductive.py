"""``transductive-K``: the candidate, fine-tuned on labelled records and on the unlabelled queries.

The fine-tuning itself belongs to the model's back-end (``models/transductive_tuning.py``). In the
gate one run tunes on all records at once, so scores depend on the other records of that run: the
interval is conditional on it, and the report says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privacy_gate.attacks.few_shot.draws import VALIDATION, Draws, Pool, membership_labels
from privacy_gate.attacks.few_shot.ordering import in_key_order, in_row_order
from privacy_gate.attacks.few_shot.selection import best_on_validation
from privacy_gate.domain import Evidence, Float, Integer, Scores, Tuning
from privacy_gate.errors import SignalError

TUNING_PASSES = 360
"""At most: two passes in each of 30 epochs at each of 6 temperatures."""


@dataclass(frozen=True, slots=True)
class TransductiveTuning:
    """Needs gradients, so a torch model; costs hundreds of passes per draw."""

    shots: int
    draws: int = 1
    method: str = "transductive"
    features: str = "gradients"
    family: str = "few-shot"
    access: str = "gradients"
    queries_per_record: int = TUNING_PASSES

    @property
    def name(self) -> str:
        """``transductive-K``."""
        return f"{self.method}-{self.shots}"

    @property
    def reads(self) -> frozenset[str]:
        """Nothing is kept of the model's answers."""
        return frozenset()

    def score(self, evidence: Evidence) -> Scores:
        """Mean over draws of the tuned probability of membership."""
        evidence, order = in_key_order(evidence)
        labelled = Pool.of(evidence)
        drawn = labelled.draw(self.shots, self.draws, evidence.seed, self.name)
        everyone = np.arange(evidence.labels.size)
        queries = np.broadcast_to(everyone, (self.draws, everyone.size))
        scores = tuned_scores(_tuning(self.name, evidence), drawn, queries)
        return Scores(
            in_row_order(scores.mean(axis=0), order),
            single_draws=in_row_order(scores, order),
            draws=self.draws,
            pool=labelled.sizes,
            note="conditional on one transductive run per draw",
        )

    def score_episodes(self, evidence: Evidence, drawn: Draws, query: Integer) -> Float:
        """(R, Q) scores of the queries of each episode, for the paper's protocol."""
        return tuned_scores(_tuning(self.name, evidence), drawn, query)


def _tuning(name: str, evidence: Evidence) -> Tuning:
    if evidence.tuning is None:
        raise SignalError(
            f"The attack {name!r} fine-tunes the model and needs its gradients.",
            hint="Use a model of format torch.",
        )
    return evidence.tuning


def tuned_scores(tuning: Tuning, drawn: Draws, queries: Integer) -> Float:
    """(R, Q) scores at the temperature that is best on each draw's validation records."""
    on_validation, on_queries = tuning(drawn.support, drawn.validation, queries)
    best = best_on_validation(on_validation, membership_labels(VALIDATION))
    result: Float = on_queries[best, np.arange(len(best))]
    return result
