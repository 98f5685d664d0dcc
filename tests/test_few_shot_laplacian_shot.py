"""LaplacianShot against its twin, and the promise that its energy never rises."""

from __future__ import annotations

from itertools import pairwise

import few_shot_twins as twins
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from privacy_gate.attacks.few_shot.geometry import anchors, squared_distances
from privacy_gate.attacks.few_shot.laplacian_shot import (
    LaplacianShot,
    _assign,
    assign,
    energy,
    neighbour_graph,
    neighbour_order,
    score_with,
)


def episodes(seed, count, shots, dimensions=4, queries=11, scale=0.5):
    random = np.random.default_rng(seed)
    return (
        scale * random.normal(size=(count, 2 * shots, dimensions)),
        scale * random.normal(size=(count, 30, dimensions)),
        scale * random.normal(size=(count, queries, dimensions)),
    )


def graph_of(points, k):
    return neighbour_graph(neighbour_order(squared_distances(points, points)), k)


@pytest.mark.parametrize("shots", [1, 2, 5, 10])
def test_equals_its_twin(shots):
    attacker = LaplacianShot((3, 9), (1.5, 2.9))
    support, validation, query = episodes(shots, 3, shots)
    scores = attacker.score(support, validation, query)
    for draw in range(3):
        labelled, held, asked = (part[draw].tolist() for part in (support, validation, query))
        k, strength = twins.laplacian_choice(labelled, held, (3, 9), (1.5, 2.9))
        expected = twins.laplacian_scores(twins.anchors(labelled), asked, k, strength)
        np.testing.assert_allclose(scores[draw], expected, rtol=0, atol=1e-9)


def test_the_whole_grid_of_the_paper_is_searched_in_its_order():
    attacker = LaplacianShot()
    assert len(attacker.neighbours) == len(attacker.strengths) == 7
    support, validation, _ = episodes(11, 8, 1, dimensions=2)
    k, strength = attacker.choose(*anchors(support), validation)
    for draw in range(2):
        choice = twins.laplacian_choice(
            support[draw].tolist(),
            validation[draw].tolist(),
            attacker.neighbours,
            attacker.strengths,
        )
        assert (k[draw], strength[draw]) == choice
    assert len(set(zip(k, strength, strict=True))) > 2


@pytest.mark.parametrize("k", [1, 3, 5, 15, 40])
def test_the_graph_equals_its_twin(k):
    points = np.random.default_rng(k).normal(size=(4, 16, 3))
    expected = [twins.neighbour_graph(record.tolist(), k) for record in points]
    graph = graph_of(points, k)
    np.testing.assert_array_equal(graph, expected)
    np.testing.assert_array_equal(graph, np.swapaxes(graph, 1, 2))
    assert (np.diagonal(graph, axis1=1, axis2=2) == 0).all()


def test_a_hub_is_nobodys_neighbour_twice():
    """One side of an asymmetric neighbourhood counts half."""
    points = np.array([[[0.0], [1.0], [3.0]]])  # the nearest of 3 is 1, the nearest of 1 is 0
    assert graph_of(points, 2)[0].tolist() == [[0, 1, 0], [1, 0, 0.5], [0, 0.5, 0]]


def test_copies_stay_their_own_nearest():
    points = np.zeros((1, 5, 2))
    order = neighbour_order(squared_distances(points, points))[0]
    assert np.diagonal(order).tolist() == [0] * 5
    assert order[3].tolist() == [1, 2, 3, 0, 4]


@pytest.mark.parametrize("strength", [0.0, 0.5, 2.9, 40.0])
def test_assignments_and_energies_equal_their_twin(strength):
    _, points, query = episodes(5, 4, 1, queries=12, scale=1.0)
    distances, graph = squared_distances(query, points[:, :7]), graph_of(query, 5)
    strengths = np.full((4, 1), strength)
    for draw in range(4):
        part = slice(draw, draw + 1)
        found, levels = _assign(distances[part], graph[part], strengths[part])
        expected, energies, _ = twins.laplacian_assignments(
            distances[draw].tolist(), graph[draw].tolist(), strength
        )
        np.testing.assert_allclose(found[0, :, 0], expected, rtol=0, atol=1e-9)
        np.testing.assert_allclose(np.ravel(levels), energies, rtol=1e-9)


def cycles(count=8):
    """Two kinds of records that are only neighbours of the other kind: a full step swaps them."""
    graph = np.zeros((1, count, count))
    graph[0, : count // 2, count // 2 :] = graph[0, count // 2 :, : count // 2] = 0.5
    random = np.random.default_rng(0)
    side = np.where(np.arange(count) < count // 2, 1.0, -1.0)
    distances = np.stack([1 + 0.3 * side, 1 - 0.3 * side], axis=1)
    return distances[None] + random.uniform(0, 0.01, (1, count, 2)), graph


@pytest.mark.parametrize("strength", [3.0, 60.0, 300.0])
def test_a_step_that_would_raise_the_energy_is_halved(strength):
    """Without the halving the two kinds of records take each other's side for ever."""
    distances, graph = cycles()
    found, levels = _assign(distances, graph, np.array([[strength]]))
    problem = distances[0].tolist(), graph[0].tolist(), strength
    start = [twins.softmax([-a for a in cost]) for cost in problem[0]]
    assert twins.energy(twins.bound_update(start, *problem), *problem) > levels[0][0, 0]
    expected, _, halvings = twins.laplacian_assignments(*problem)
    assert halvings > 2
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=0, atol=1e-9)


@st.composite
def problems(draw):
    """Costs, symmetric graphs and strengths, with near ties and neighbourhoods of any shape."""
    records = draw(st.integers(2, 9))
    classes = draw(st.integers(2, 5))
    spread = draw(st.sampled_from([1e-9, 1.0, 30.0, 1e4]))
    values = st.one_of(
        st.sampled_from([0.0, 1.0, 1.0 + 1e-12, 0.5, 1e-9]), st.floats(0, 1, allow_subnormal=False)
    )
    costs = spread * draw(arrays(np.float64, (1, records, classes), elements=values))
    if draw(st.booleans()):
        points = draw(arrays(np.float64, (1, records, 2), elements=values))
        graph = graph_of(points, draw(st.integers(1, records + 1)))
    else:
        near = draw(arrays(np.bool_, (1, records, records))) & ~np.eye(records, dtype=bool)
        graph = (near + np.swapaxes(near, 1, 2).astype(float)) / 2
    strengths = draw(
        st.lists(st.sampled_from([0.0, 0.3, 1.5, 2.9, 12.0, 300.0]), min_size=1, max_size=3)
    )
    return costs, graph, np.array([strengths])


@given(problems())
@settings(max_examples=150, deadline=None)
def test_the_energy_never_rises(problem):
    costs, graph, strengths = problem
    found, levels = _assign(costs, graph, strengths)
    for before, after in pairwise(levels):
        assert (after - before <= 1.1e-12 * (1 + np.abs(before))).all()
    scale = 1 + np.abs(costs).sum() + strengths.max() * graph.sum()
    for column, strength in enumerate(strengths[0]):
        rows = found[0, :, column]
        np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=0, atol=1e-12)
        assert (rows >= 0).all()
        true = twins.energy(rows.tolist(), costs[0].tolist(), graph[0].tolist(), strength)
        assert abs(true - levels[-1][0, column]) <= 1e-12 * scale
    whole = energy(found, costs[:, :, None, :], graph, strengths)
    assert (np.abs(whole - levels[-1]) <= 1e-12 * scale).all()


def test_no_problem_depends_on_those_solved_beside_it():
    """Bit for bit: neither on when they settle nor on how the work is cut up."""
    random = np.random.default_rng(8)
    query = random.normal(size=(300, 15, 3)) * random.choice([0.1, 1, 4], (300, 1, 1))
    points = random.normal(size=(300, 12, 3))
    distances, graph = squared_distances(query, points), graph_of(query, 5)
    strengths = random.uniform(0, 8, (300, 2))
    together = assign(distances, graph, strengths)
    assert together.shape == (300, 15, 2, 12)
    for row in range(0, 300, 7):
        alone = assign(*(part[row : row + 1] for part in (distances, graph, strengths)))
        np.testing.assert_array_equal(alone[0], together[row])


def test_without_strength_each_query_is_scored_by_itself():
    support, _, query = episodes(9, 2, 2)
    points, labels = anchors(support)
    distances = squared_distances(query, points)
    scores = score_with(distances, labels, graph_of(query, 5), np.zeros(2))
    weights = np.exp(-distances)
    expected = (weights * labels).sum(-1) / weights.sum(-1)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-12)
