"""The published protocol (Jiménez-López et al. 2025): random episodes, to compare with its tables.

Each of 500 episodes draws K + K support, 15 + 15 validation and 15 + 15 query records; what is
reported is the mean over episodes ± 1.96 standard deviations / √500. Records are reused across
episodes, so that is a spread of episodes, **not** a confidence interval for the model. Budgets are
judged under the gate's protocol instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from privacy_gate.attacks.few_shot.draws import Draws, Pool, membership_labels
from privacy_gate.attacks.few_shot.ordering import in_key_order
from privacy_gate.attacks.few_shot.selection import auc
from privacy_gate.domain import Boolean, Evidence, Float, Integer, Split, random_generator
from privacy_gate.errors import FixtureError
from privacy_gate.statistics.log_mia import false_positive_cap, log_mia
from privacy_gate.statistics.null import null_mean_log

QUERIES = 15
"""Query records a side."""


@dataclass(frozen=True, slots=True)
class EpisodeMean:
    """Mean over episodes, the published half-width, and the exact mean without leakage."""

    mean: float
    half_width: float
    null: float


class EpisodeAttack(Protocol):
    """A few-shot attack that can score the queries of single episodes."""

    @property
    def name(self) -> str:
        """``method-K``."""
        ...

    @property
    def shots(self) -> int:
        """K."""
        ...

    def score_episodes(self, evidence: Evidence, drawn: Draws, query: Integer) -> Float:
        """Draws (R) and query rows (R, Q) -> scores (R, Q)."""
        ...


def paper_protocol(
    attack: EpisodeAttack, evidence: Evidence, is_member: Boolean, episodes: int = 500
) -> dict[str, EpisodeMean]:
    """``auc``, ``log_mia_a``, ``log_mia_b`` over random episodes.

    ``is_member`` (N,): the protocol counts hits itself, so it needs what attacks do not see.
    Raises ``FixtureError`` if a side has too few records.
    """
    evidence, order = in_key_order(evidence)
    is_member = is_member[order]
    drawn = Pool.of(evidence).draw(attack.shots, episodes, evidence.seed, attack.name)
    generator = random_generator(evidence.seed, "few-shot queries", attack.name)
    evaluation = np.flatnonzero(evidence.split == Split.EVALUATION)
    sides = evaluation[is_member[evaluation]], evaluation[~is_member[evaluation]]
    have = min(side.size for side in sides)
    if have < QUERIES:
        raise FixtureError(
            f"The published protocol needs {QUERIES} evaluation records a side, and one side has"
            f" {have}.",
            hint="Add fixture records, or leave out paper_episodes.",
        )
    query = np.concatenate(
        [
            side[np.argsort(generator.random((episodes, side.size)), axis=1)[:, :QUERIES]]
            for side in sides
        ],
        axis=1,
    )
    scores = attack.score_episodes(evidence, drawn, query)
    labels = membership_labels(QUERIES)
    cap = false_positive_cap("b", 2 * QUERIES)
    return {
        "auc": _mean(auc(scores, labels), 0.5),
        "log_mia_a": _mean(_log_mia(scores, labels, 0), null_mean_log(0, QUERIES, QUERIES)),
        "log_mia_b": _mean(_log_mia(scores, labels, cap), null_mean_log(cap, QUERIES, QUERIES)),
    }


def _log_mia(scores: Float, labels: Integer, cap: int) -> Float:
    """(R,) Log-MIA of each episode with ``cap`` false positives allowed."""
    thresholds = np.sort(scores[:, labels == 0], axis=1)[:, -1 - cap]
    hits = (scores[:, labels == 1] > thresholds[:, None]).sum(axis=1)
    return np.array([log_mia(int(count), QUERIES) for count in hits])


def _mean(values: Float, null: float) -> EpisodeMean:
    spread = 1.96 * float(values.std(ddof=1)) / float(np.sqrt(values.size))
    return EpisodeMean(float(values.mean()), spread, null)
