"""Slow, obvious twins of the few-shot attackers: their definitions written out as loops.

Nothing here calls the code under test. A draw is ``(support, validation)``: row numbers, members
first in each half. Vectors are lists of floats.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import fmean, median

import numpy as np

# ------------------------------------------------------------------------- geometry and selection


def squared_distance(left, right):
    return math.fsum((a - b) ** 2 for a, b in zip(left, right, strict=True))


def mean_vector(vectors):
    return [fmean(column) for column in zip(*vectors, strict=True)]


def anchors(support):
    """The labelled points and, from two shots on, the two class means: ``[(vector, label)]``."""
    shots = len(support) // 2
    members, nonmembers = support[:shots], support[shots:]
    found = [(point, 1) for point in members] + [(point, 0) for point in nonmembers]
    if shots > 1:
        found += [(mean_vector(members), 1), (mean_vector(nonmembers), 0)]
    return found


def true_positives_at_zero(scores, labels):
    highest = max(s for s, label in zip(scores, labels, strict=True) if label == 0)
    return sum(1 for s, label in zip(scores, labels, strict=True) if label == 1 and s > highest)


def exact_auc(scores, labels):
    members = [s for s, label in zip(scores, labels, strict=True) if label == 1]
    nonmembers = [s for s, label in zip(scores, labels, strict=True) if label == 0]
    wins = sum(Fraction(int(a > b)) + Fraction(int(a == b), 2) for a in members for b in nonmembers)
    return wins / (len(members) * len(nonmembers))


def best_candidate(candidates, labels):
    """The first of the candidates with the most true positives, then the largest AUC."""
    merits = [(true_positives_at_zero(s, labels), exact_auc(s, labels)) for s in candidates]
    return merits.index(max(merits))


def halves(validation):
    return [1] * (len(validation) // 2) + [0] * (len(validation) // 2)


# ------------------------------------------------------------------------------------ SimpleShot


def simple_shot_vote(point, labelled, k):
    distances = [(squared_distance(point, anchor), label) for anchor, label in labelled]
    nearest = sorted(distances, key=lambda pair: pair[0])[:k]
    weights = [(1.0 / max(distance, 1e-12), label) for distance, label in nearest]
    return math.fsum(w for w, label in weights if label) / math.fsum(w for w, _ in weights)


def simple_shot(support, validation, queries):
    labelled = anchors(support)
    grid = [k for k in range(1, len(support) // 2 + 2) if k % 2 == 1]
    votes = [[simple_shot_vote(point, labelled, k) for point in validation] for k in grid]
    k = grid[best_candidate(votes, halves(validation))]
    return [simple_shot_vote(point, labelled, k) for point in queries]


# --------------------------------------------------------------------------------- LaplacianShot


def softmax(values):
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    total = math.fsum(powers)
    return [power / total for power in powers]


def neighbour_graph(points, k):
    """½ for each direction in which one is among the k - 1 nearest of the other."""
    count = len(points)
    graph = [[0.0] * count for _ in range(count)]
    for i in range(count):
        others = [j for j in range(count) if j != i]
        others.sort(key=lambda j: squared_distance(points[i], points[j]))
        for j in others[: k - 1]:
            graph[i][j] += 0.5
            graph[j][i] += 0.5
    return graph


def energy(assignments, costs, graph, strength):
    total = 0.0
    for row, cost in zip(assignments, costs, strict=True):
        total += sum(y * math.log(max(y, 1e-300)) + a * y for y, a in zip(row, cost, strict=True))
    for i, weights in enumerate(graph):
        for j, weight in enumerate(weights):
            if weight:
                pairs = zip(assignments[i], assignments[j], strict=True)
                total -= 0.5 * strength * weight * sum(a * b for a, b in pairs)
    return total


def bound_update(assignments, costs, graph, strength):
    updated = []
    for weights, cost in zip(graph, costs, strict=True):
        near = [(w, assignments[j]) for j, w in enumerate(weights) if w]
        pull = [strength * sum(w * y[c] for w, y in near) for c in range(len(cost))]
        updated.append(softmax([p - a for p, a in zip(pull, cost, strict=True)]))
    return updated


def rises(level, reached):
    return reached - level > 1e-12 * (1 + abs(level))


def halved_step(current, proposed, costs, graph, strength, level):
    """(assignments, energy, halvings) of the longest halved step that does not rise."""
    moved, reached, step = proposed, energy(proposed, costs, graph, strength), 1.0
    for halvings in range(30):
        if not rises(level, reached):
            return moved, reached, halvings
        step /= 2
        moved = [
            [c + step * (p - c) for c, p in zip(old, new, strict=True)]
            for old, new in zip(current, proposed, strict=True)
        ]
        reached = energy(moved, costs, graph, strength)
    return (current, level, 30) if rises(level, reached) else (moved, reached, 30)


def laplacian_assignments(costs, graph, strength):
    """Assignments, the energy after each update, and the number of halved steps."""
    current = [softmax([-a for a in cost]) for cost in costs]
    levels, halved = [energy(current, costs, graph, strength)], 0
    for _ in range(20):
        proposed = bound_update(current, costs, graph, strength)
        current, reached, halvings = halved_step(
            current, proposed, costs, graph, strength, levels[-1]
        )
        halved += halvings
        levels.append(reached)
        if levels[-2] - reached <= 1e-6 * abs(levels[-2]):
            break
    return current, levels, halved


def laplacian_scores(labelled, queries, k, strength):
    costs = [[squared_distance(query, anchor) for anchor, _ in labelled] for query in queries]
    found, _, _ = laplacian_assignments(costs, neighbour_graph(queries, k), strength)
    return [sum(y for y, (_, label) in zip(row, labelled, strict=True) if label) for row in found]


def laplacian_choice(support, validation, neighbours, strengths):
    """The (k, λ) that is best on the validation records."""
    labelled = anchors(support)
    grid = [(k, strength) for k in neighbours for strength in strengths]
    scores = [laplacian_scores(labelled, validation, *pair) for pair in grid]
    return grid[best_candidate(scores, halves(validation))]


# -------------------------------------------------------------------------------------- anchored


def z_scores(column, pool):
    inside = [column[row] for row in pool]
    if min(inside) == max(inside):
        return [0.0] * len(column)
    center = fmean(inside)
    deviation = math.sqrt(fmean((value - center) ** 2 for value in inside))
    return [min(4.0, max(-4.0, (value - center) / deviation)) for value in column]


def correlation(left, right):
    a, b = fmean(left), fmean(right)
    spread = math.sqrt(
        math.fsum((x - a) ** 2 for x in left) * math.fsum((y - b) ** 2 for y in right)
    )
    if spread == 0:
        return 0.0
    return math.fsum((x - a) * (y - b) for x, y in zip(left, right, strict=True)) / spread


def class_difficulty(margin, labels, pool):
    overall = median(margin[row] for row in pool)
    found = []
    for label in labels:
        own = [margin[row] for row in pool if labels[row] == label]
        found.append(len(own) / (len(own) + 10) * (median(own) - overall) if own else 0.0)
    return found


def neighbour_difficulty(features, margin, labels, pool):
    center = mean_vector([features[row] for row in pool])
    unit = []
    for vector in features:
        moved = [x - c for x, c in zip(vector, center, strict=True)]
        length = math.sqrt(math.fsum(x * x for x in moved)) or 1.0
        unit.append([x / length for x in moved])
    shares, means = [], []
    for row, vector in enumerate(unit):
        others = [other for other in pool if other != row]
        others.sort(key=lambda other: -math.fsum(np.multiply(vector, unit[other])))
        nearest = others[: min(10, len(pool) - 1)]
        shares.append(fmean(1.0 if labels[other] == labels[row] else 0.0 for other in nearest))
        means.append(fmean(margin[other] for other in nearest))
    return shares, means


def difficulty_trust(labels, pool):
    """Records a class in the pool, and ten that are not believed."""
    records = len(pool) / len({labels[row] for row in pool})
    return records / (records + 10)


def anchored(signals, difficulty, pool, support, validation, trust=1.0):
    """Scores of all records by one draw; ``signals`` and ``difficulty`` are lists of columns."""
    scales = [1.0] * len(signals) + [trust] * len(difficulty)
    columns = [
        [scale * value for value in z_scores(column, pool)]
        for column, scale in zip(signals + difficulty, scales, strict=True)
    ]
    prior = [0.5] * len(signals) + [0.0] * len(difficulty)
    shots, held = len(support) // 2, len(validation) // 2
    members = [*support[:shots], *validation[:held]]
    nonmembers = [*support[shots:], *validation[held:]]
    records = len(members)
    effect = []
    for column, believed in zip(columns, prior, strict=True):
        gap = fmean(column[row] for row in members) - fmean(column[row] for row in nonmembers)
        effect.append((40 * believed + records * gap) / (40 + records))
    inside = [[column[row] for row in pool] for column in columns]
    matrix = [
        [
            scales[i] * scales[j] * correlation(a, b) + (1.0 if i == j else 0.0)
            for j, b in enumerate(inside)
        ]
        for i, a in enumerate(inside)
    ]
    weights = np.linalg.solve(np.array(matrix), np.array(effect))
    return [
        math.fsum(w * column[row] for w, column in zip(weights, columns, strict=True))
        for row in range(len(columns[0]))
    ]


# ------------------------------------------------------------------------------ spaces, ensembles


def unit_space(vectors, pool):
    center = mean_vector([vectors[row] for row in pool])
    found = []
    for vector in vectors:
        moved = [x - c for x, c in zip(vector, center, strict=True)]
        length = math.sqrt(math.fsum(x * x for x in moved)) or 1.0
        found.append([x / length for x in moved])
    return found


def ensemble(draws, scores):
    """Each record's mean score over the draws that did not label it, over all if none is left."""
    found = []
    for row in range(len(scores[0])):
        unseen = [
            s[row] for (sup, val), s in zip(draws, scores, strict=True) if row not in {*sup, *val}
        ]
        found.append(fmean(unseen or [s[row] for s in scores]))
    return found
