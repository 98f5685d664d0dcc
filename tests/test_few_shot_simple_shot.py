"""SimpleShot against its twin; copies, ties and identical queries."""

from __future__ import annotations

import few_shot_twins as twins
import numpy as np
import pytest

from privacy_gate.attacks.few_shot.geometry import anchors, squared_distances
from privacy_gate.attacks.few_shot.simple_shot import SimpleShot, neighbour_counts


def episodes(random, count, shots, dimensions, queries=9):
    return (
        random.normal(size=(count, 2 * shots, dimensions)),
        random.normal(size=(count, 30, dimensions)),
        random.normal(size=(count, queries, dimensions)),
    )


def by_twin(support, validation, query):
    return [
        twins.simple_shot(*(part.tolist() for part in parts))
        for parts in zip(support, validation, query, strict=True)
    ]


@pytest.mark.parametrize("shots", [1, 2, 5, 10])
@pytest.mark.parametrize("dimensions", [1, 6])
def test_equals_its_twin(shots, dimensions):
    parts = episodes(np.random.default_rng(shots), 6, shots, dimensions)
    np.testing.assert_allclose(SimpleShot().score(*parts), by_twin(*parts), rtol=0, atol=1e-9)


def test_every_number_of_neighbours_is_chosen_by_some_draw():
    random = np.random.default_rng(3)
    support, validation, query = episodes(random, 40, 5, 2)
    labelled, labels = anchors(support)
    distances = squared_distances(query, labelled)
    ranked = np.argsort(distances, axis=-1)
    scores = SimpleShot().score(support, validation, query)
    chosen = set()
    for k in neighbour_counts(5):
        nearest = ranked[..., :k]
        weights = 1 / np.take_along_axis(distances, nearest, axis=-1)
        vote = (weights * labels[nearest]).sum(-1) / weights.sum(-1)
        if np.isclose(vote, scores).all(axis=1).any():
            chosen.add(k)
    assert chosen == {1, 3, 5}


def test_the_same_queries_for_all_draws_may_be_given_once():
    support, validation, query = episodes(np.random.default_rng(4), 5, 5, 3)
    once = SimpleShot().score(support, validation, query[:1])
    each = SimpleShot().score(support, validation, np.repeat(query[:1], 5, axis=0))
    np.testing.assert_array_equal(once, each)


@pytest.mark.parametrize("shots", [1, 2, 5, 10])
def test_copies_of_labelled_records(shots):
    """Distances of 0 are neither NaN nor a tie with what is merely near."""
    support, validation, query = episodes(np.random.default_rng(5), 4, shots, 6)
    copied = min(shots, query.shape[1] - 1)
    query[:, :copied] = support[:, :copied]
    query[:, -1] = support[:, -1]
    validation[:, 0], validation[:, -1] = support[:, 0], support[:, -1]
    scores = SimpleShot().score(support, validation, query)
    np.testing.assert_allclose(scores, by_twin(support, validation, query), rtol=0, atol=1e-9)
    assert (scores[:, :copied] > 1 - 1e-6).all()
    assert (scores[:, -1] < 1e-6).all()


def test_when_no_number_of_neighbours_is_better_the_smallest_is_taken():
    """A labelled record a side, far apart: all of the grid separates the validation records."""
    random = np.random.default_rng(6)
    side = np.repeat([1.0, -1.0], [5, 5])[:, None] * 50
    support = (side + random.normal(size=(10, 2)))[None]
    validation = (np.repeat([50.0, -50.0], 15)[:, None] + random.normal(size=(30, 2)))[None]
    query = random.normal(size=(1, 8, 2)) * 20
    scores = SimpleShot().score(support, validation, query)
    labelled = twins.anchors(support[0].tolist())
    nearest_only = [twins.simple_shot_vote(point, labelled, 1) for point in query[0].tolist()]
    np.testing.assert_array_equal(scores[0], nearest_only)


def test_neighbour_counts_are_the_odd_ones_up_to_k_plus_1():
    assert [neighbour_counts(shots) for shots in (1, 2, 5, 10)] == [
        [1],
        [1, 3],
        [1, 3, 5],
        [1, 3, 5, 7, 9, 11],
    ]


def test_anchors_are_the_support_and_from_two_shots_on_the_class_means():
    support = np.array([[[1.0], [3.0], [10.0], [20.0]]])
    points, labels = anchors(support)
    assert points.tolist() == [[[1.0], [3.0], [10.0], [20.0], [2.0], [15.0]]]
    assert labels.tolist() == [1, 1, 0, 0, 1, 0]
    points, labels = anchors(support[:, 1:3])
    assert (points.tolist(), labels.tolist()) == ([[[3.0], [10.0]]], [1, 0])


def test_distances_equal_the_sum_of_squares():
    random = np.random.default_rng(7)
    left, right = random.normal(size=(3, 4, 5)), random.normal(size=(3, 6, 5))
    expected = ((left[:, :, None] - right[:, None]) ** 2).sum(-1)
    np.testing.assert_allclose(squared_distances(left, right), expected, rtol=0, atol=1e-12)
    assert (squared_distances(left * 1e3, left * 1e3) >= 0).all()
