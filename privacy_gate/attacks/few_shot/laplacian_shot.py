"""LaplacianShot for membership: nearest anchors, regularised by a neighbour graph of the queries.

After Ziko et al. 2020 as used by FeS-MIA (Jiménez-López et al. 2025). The soft assignments Y of N
queries to A anchors minimise

    E(Y) = Σ Y log Y + Σ a·Y - (λ/2) Σ Y·(W Y),

``a`` the squared distances to the anchors, ``W`` the k-nearest-neighbour graph of the queries. Each
bound update solves the problem with the last term linearised, ``Y ← softmax(-a + λ W Y)``, which is
a direction of descent; a step that would raise E is halved. (The published code leaves W asymmetric
and its energy without the ½, so that its energy can rise.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from privacy_gate.attacks.few_shot.draws import membership_labels
from privacy_gate.attacks.few_shot.geometry import anchors, squared_distances
from privacy_gate.attacks.few_shot.selection import best_on_validation
from privacy_gate.domain import Float, Integer

NEIGHBOURS = (3, 5, 7, 9, 11, 13, 15)
"""k of the paper, which counts the record itself."""

STRENGTHS = (1.5, 1.7, 2.0, 2.2, 2.5, 2.7, 2.9)
"""λ of the paper."""

MOST_UPDATES = 20
_TOLERANCE = 1e-6
_ENTRIES = 60_000
"""Assignments solved together: few enough to stay in a processor's cache."""


@dataclass(frozen=True, slots=True)
class LaplacianShot:
    """Transductive: the queries of one batch influence each other."""

    neighbours: tuple[int, ...] = NEIGHBOURS
    strengths: tuple[float, ...] = STRENGTHS
    transductive = True

    def score(self, support: Float, validation: Float, query: Float) -> Float:
        """(R, Q) probability of membership; shapes as for ``SimpleShot``."""
        points, labels = anchors(support)
        k, strength = self.choose(points, labels, validation)
        order = neighbour_order(squared_distances(query, query))
        graph = neighbour_graph(order, k[:, None, None])
        return score_with(squared_distances(query, points), labels, graph, strength)

    def choose(self, points: Float, labels: Integer, validation: Float) -> tuple[Integer, Float]:
        """(R,) neighbours and (R,) strengths, chosen on the validation records of each draw."""
        distances = squared_distances(validation, points)
        order = neighbour_order(squared_distances(validation, validation))
        strengths = np.broadcast_to(self.strengths, (len(points), len(self.strengths)))
        scores = [
            np.moveaxis(assign(distances, neighbour_graph(order, k), strengths) @ labels, -1, 0)
            for k in self.neighbours
        ]
        best = best_on_validation(
            np.concatenate(scores), membership_labels(validation.shape[1] // 2)
        )
        k, strength = np.array(list(product(self.neighbours, self.strengths)))[best].T
        return k.astype(np.int64), strength


def score_with(distances: Float, labels: Integer, graph: Float, strength: Float) -> Float:
    """(R, Q) scores of queries: ``distances`` (R, Q, A) to the anchors, ``graph`` (R, Q, Q),
    ``strength`` (R,)."""
    result: Float = (assign(distances, graph, strength[:, None]) @ labels)[..., 0]
    return result


def neighbour_order(distances: Float) -> Integer:
    """(R, N, N) rank of each record among the neighbours of each: 0 for itself, 1 for the nearest.

    ``distances`` (R, N, N) between the records; of equally distant ones the first is nearer.
    """
    itself = np.eye(distances.shape[-1], dtype=bool)
    distances = np.where(itself, -1.0, distances)
    return np.argsort(np.argsort(distances, axis=-1, kind="stable"), axis=-1)


def neighbour_graph(order: Integer, k: int | Integer) -> Float:
    """(R, N, N) symmetric affinity: ½ for each direction in which one is among the k - 1
    nearest."""
    near = ((order > 0) & (order < k)).astype(np.float64)
    result: Float = (near + np.swapaxes(near, -1, -2)) / 2
    return result


def assign(distances: Float, graph: Float, strengths: Float) -> Float:
    """(R, N, S, A) assignments after at most 20 bound updates; the energy never rises.

    ``distances`` (R, N, A), ``graph`` (R, N, N), ``strengths`` (R, S).
    """
    problems = distances.shape[0]
    size = max(1, _ENTRIES * problems // (distances.size * strengths.shape[1]))
    parts = (slice(start, start + size) for start in range(0, problems, size))
    return np.concatenate(
        [_assign(distances[rows], graph[rows], strengths[rows])[0] for rows in parts]
    )


def _assign(distances: Float, graph: Float, strengths: Float) -> tuple[Float, list[Float]]:
    """Assignments, and the energy (R, S) after each update.

    A problem whose energy has settled stays as it is, however long the others take: no score may
    depend on what else is solved at the same time.
    """
    cost = distances[:, :, None, :]
    weight = strengths[:, None, :, None]
    current, log_sum = _softmax(-np.repeat(cost, strengths.shape[1], axis=2))
    smoothed = _smooth(graph, current)
    level = -log_sum.sum(1) - 0.5 * strengths * _inner(current, smoothed)
    levels = [level]
    moving = np.ones(level.shape, dtype=bool)
    for _ in range(MOST_UPDATES):
        proposed, log_sum = _softmax(weight * smoothed - cost)
        ahead = _smooth(graph, proposed)
        # Σ Y log Y needs no logarithm: log Y is what went into the softmax, minus its normaliser
        reached = strengths * (_inner(proposed, smoothed) - 0.5 * _inner(proposed, ahead))
        reached = np.where(moving, reached - log_sum.sum(1), level)
        if _rises(level, reached).any():
            proposed, reached = _damped(current, proposed, level, reached, cost, graph, strengths)
            ahead = _smooth(graph, proposed)
        here = moving[:, None, :, None]
        np.copyto(current, proposed, where=here)
        np.copyto(smoothed, ahead, where=here)
        levels.append(reached)
        moving &= level - reached > _TOLERANCE * np.abs(level)
        level = reached
        if not moving.any():
            break
    return current, levels


def _damped(
    current: Float,
    proposed: Float,
    level: Float,
    reached: Float,
    cost: Float,
    graph: Float,
    strengths: Float,
) -> tuple[Float, Float]:
    """Halve the steps that would raise the energy, at most 30 times, then stay."""
    step = np.ones(level.shape)
    moved = proposed
    for _ in range(30):
        rising = _rises(level, reached)
        if not rising.any():
            return moved, reached
        step = np.where(rising, step / 2, step)
        part = step[:, None, :, None]
        moved = np.where(part < 1, current + part * (proposed - current), proposed)
        reached = np.where(rising, energy(moved, cost, graph, strengths), reached)
    still = _rises(level, reached)
    return np.where(still[:, None, :, None], current, moved), np.where(still, level, reached)


def _rises(level: Float, reached: Float) -> NDArray[np.bool_]:
    """Whether an energy rises by more than rounding."""
    return reached - level > 1e-12 * (1 + np.abs(level))


def energy(assignments: Float, cost: Float, graph: Float, strengths: Float) -> Float:
    """(R, S) E(Y); ``assignments`` (R, N, S, A), ``cost`` (R, N, 1, A), ``strengths`` (R, S)."""
    own = _inner(assignments, np.log(np.maximum(assignments, 1e-300)) + cost)
    return own - 0.5 * strengths * _inner(assignments, _smooth(graph, assignments))


def _smooth(graph: Float, assignments: Float) -> Float:
    """W Y for all strengths at once."""
    flat = assignments.reshape(*assignments.shape[:2], -1)
    result: Float = (graph @ flat).reshape(assignments.shape)
    return result


def _inner(left: Float, right: Float) -> Float:
    """(R, S) sum of products over queries and anchors."""
    result: Float = np.einsum("rnsa,rnsa->rs", left, right)
    return result


def _softmax(logits: Float) -> tuple[Float, Float]:
    """Softmax over the last axis, in place, and the logarithm of its normaliser."""
    largest = logits.max(axis=-1, keepdims=True)
    np.subtract(logits, largest, out=logits)
    np.exp(logits, out=logits)
    total = logits.sum(axis=-1, keepdims=True)
    logits /= total
    return logits, (largest + np.log(total))[..., 0]
