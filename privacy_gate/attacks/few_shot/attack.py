"""Few-shot attackers as attacks of the gate: evaluation records scored by an ensemble over draws.

Every draw gives an attacker 2K + 30 labelled records from the support and calibration splits; it
scores all other records, and the scores are averaged over the draws. Given the pool the draws come
from, the average is one fixed scoring function, so the exact record-level statistics hold; it has
seen the labels of the whole pool, however, and is named with the pool's size. What one attacker
with K shots gets is reported as the spread over single draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from privacy_gate.attacks.few_shot.anchored import (
    Covariates,
    class_difficulty,
    covariates,
    difficulty_trust,
    neighbour_difficulty,
)
from privacy_gate.attacks.few_shot.draws import Draws, Pool
from privacy_gate.attacks.few_shot.geometry import anchors, squared_distances
from privacy_gate.attacks.few_shot.laplacian_shot import (
    LaplacianShot,
    neighbour_graph,
    neighbour_order,
    score_with,
)
from privacy_gate.attacks.few_shot.ordering import in_key_order, in_row_order
from privacy_gate.attacks.few_shot.simple_shot import SimpleShot
from privacy_gate.attacks.few_shot.spaces import signal_matrix, space
from privacy_gate.domain import Evidence, Float, Integer, Scores, Split, random_generator

KEPT_DRAWS = 20
"""Single draws kept for the report of their spread."""

CONTEXT = 14
"""Unlabelled records a transductive attacker sees beside the one it scores."""

_ENTRIES = 400_000
"""Scores held at once while draws are averaged."""

DrawScorer = Callable[[Draws], Float]
"""Draws (R) -> scores (R, N) of all records."""


@dataclass(frozen=True, slots=True)
class FewShotAttack:
    """One attacker with K ``shots``, looking at ``features``, averaged over ``draws``."""

    method: str
    shots: int
    features: str = "signals"
    draws: int = 100
    family: str = "few-shot"
    queries_per_record: int = 1

    @property
    def name(self) -> str:
        """``method-K``."""
        return f"{self.method}-{self.shots}"

    @property
    def access(self) -> str:
        """``features`` for penultimate features, else ``scores``."""
        return "features" if self.features == "penultimate" else "scores"

    @property
    def reads(self) -> frozenset[str]:
        """What has to be kept of the model's answers beside the signals."""
        if self.features in ("logits", "probabilities"):
            return frozenset({"outputs"})
        difficulty = self.method == "anchored"
        return frozenset({"features"} if difficulty or self.features == "penultimate" else ())

    def score(self, evidence: Evidence) -> Scores:
        """Ensemble scores of all records; a labelled record is scored by the draws without it."""
        evidence, order = in_key_order(evidence)
        labelled = Pool.of(evidence)
        drawn = labelled.draw(self.shots, self.draws, evidence.seed, self.name)
        scorer = _SCORERS[self.method](self, evidence)
        records = evidence.split.size
        total, count, plain = np.zeros(records), np.zeros(records), np.zeros(records)
        kept: list[Float] = []
        for part in _parts(drawn, max(1, _ENTRIES // records)):
            scores = scorer(part)
            unseen = _unseen(part, records)
            total += np.where(unseen, scores, 0.0).sum(axis=0)
            count += unseen.sum(axis=0)
            plain += scores.sum(axis=0)
            kept += list(scores[: max(0, KEPT_DRAWS - len(kept))])
        values = np.where(count > 0, total / np.maximum(count, 1), plain / self.draws)
        return Scores(
            in_row_order(values, order),
            single_draws=in_row_order(np.stack(kept), order),
            draws=self.draws,
            pool=labelled.sizes,
        )

    def score_episodes(self, evidence: Evidence, drawn: Draws, query: Integer) -> Float:
        """(R, Q) scores of the queries ``query`` (R, Q) of each episode, for the paper's protocol:
        the queries of an episode are all that a transductive attacker sees besides its labels."""
        if self.method == "anchored":
            columns, pool = _columns(evidence)
            weights = columns.weights(pool, drawn.support, drawn.validation)
            scores: Float = np.einsum("rp,rqp->rq", weights, columns.values[query])
            return scores
        points = space(evidence, self.features, _unlabelled_pool(evidence))
        attacker = SimpleShot() if self.method == "simple-shot" else LaplacianShot()
        return attacker.score(points[drawn.support], points[drawn.validation], points[query])


def _parts(draws: Draws, size: int) -> Iterator[Draws]:
    for start in range(0, draws.support.shape[0], size):
        rows = slice(start, start + size)
        yield Draws(draws.support[rows], draws.validation[rows])


def _unseen(draws: Draws, records: int) -> np.ndarray:
    """(R, N) whether a draw did not label the record."""
    unseen = np.ones((draws.support.shape[0], records), dtype=bool)
    np.put_along_axis(unseen, np.concatenate([draws.support, draws.validation], axis=1), False, 1)
    return unseen


def _unlabelled_pool(evidence: Evidence) -> Integer:
    """Support and calibration records, whose features may be used without their membership."""
    return np.flatnonzero(evidence.split != Split.EVALUATION)


def _columns(evidence: Evidence) -> tuple[Covariates, Integer]:
    """What the anchored attacker looks at, and the pool that it is standardised by."""
    pool = _unlabelled_pool(evidence)
    signals = signal_matrix(evidence)
    difficulty = [np.empty((evidence.split.size, 0))]
    margin = evidence.signals.columns.get("margin")
    if margin is not None and evidence.signals.predicted is not None:
        difficulty.append(class_difficulty(margin, evidence.labels, pool)[:, None])
        if evidence.signals.features is not None:
            features = evidence.signals.features
            difficulty.append(neighbour_difficulty(features, margin, evidence.labels, pool))
    trust = difficulty_trust(evidence.labels, pool) if len(difficulty) > 1 else 1.0
    return covariates(signals, np.concatenate(difficulty, axis=1), pool, trust), pool


def _anchored(attack: FewShotAttack, evidence: Evidence) -> DrawScorer:
    columns, pool = _columns(evidence)

    def score(draws: Draws) -> Float:
        result: Float = columns.weights(pool, draws.support, draws.validation) @ columns.values.T
        return result

    return score


def _simple_shot(attack: FewShotAttack, evidence: Evidence) -> DrawScorer:
    points = space(evidence, attack.features, _unlabelled_pool(evidence))

    def score(draws: Draws) -> Float:
        return SimpleShot().score(points[draws.support], points[draws.validation], points[None])

    return score


def _laplacian_shot(attack: FewShotAttack, evidence: Evidence) -> DrawScorer:
    """Each record is scored inside the same unlabelled batch of calibration records, so that its
    score depends on no other evaluation record."""
    points = space(evidence, attack.features, _unlabelled_pool(evidence))
    calibration = np.flatnonzero(evidence.split == Split.CALIBRATION)
    generator = random_generator(evidence.seed, "few-shot", "context")
    context = points[generator.choice(calibration, CONTEXT, replace=False)]
    order = neighbour_order(_with_context(points, context))

    def score(draws: Draws) -> Float:
        anchor_points, labels = anchors(points[draws.support])
        k, strength = LaplacianShot().choose(anchor_points, labels, points[draws.validation])
        scores = np.empty((len(k), len(points)))
        for draw, anchor in enumerate(anchor_points):
            beside = squared_distances(context[None], anchor[None])
            distances = np.concatenate(
                [
                    squared_distances(points[None], anchor[None])[0][:, None],
                    np.broadcast_to(beside, (len(points), *beside.shape[1:])),
                ],
                axis=1,
            )
            graph = neighbour_graph(order, int(k[draw]))
            strengths = np.full(len(points), strength[draw])
            scores[draw] = score_with(distances, labels, graph, strengths)[:, 0]
        return scores

    return score


def _with_context(points: Float, context: Float) -> Float:
    """(N, 1 + C, 1 + C) squared distances within the batch of each point (N, d), which comes first,
    and the ``context`` (C, d)."""
    between = squared_distances(points[None], context[None])[0]
    result = np.zeros((len(points), 1 + len(context), 1 + len(context)))
    result[:, 0, 1:] = result[:, 1:, 0] = between
    result[:, 1:, 1:] = squared_distances(context[None], context[None])
    return result


_SCORERS = {
    "anchored": _anchored,
    "simple-shot": _simple_shot,
    "laplacian-shot": _laplacian_shot,
}


def anchored(shots: int, *, draws: int = 100) -> FewShotAttack:
    """``anchored-K``: signals, with difficulty covariates where the model gives features."""
    return FewShotAttack("anchored", shots, "signals", draws)


def simple_shot(shots: int, *, features: str = "signals", draws: int = 100) -> FewShotAttack:
    """``simple-shot-K``."""
    return FewShotAttack("simple-shot", shots, features, draws)


def laplacian_shot(shots: int, *, features: str = "signals", draws: int = 20) -> FewShotAttack:
    """``laplacian-shot-K``; transductive, and therefore averaged over fewer draws."""
    return FewShotAttack("laplacian-shot", shots, features, draws)
