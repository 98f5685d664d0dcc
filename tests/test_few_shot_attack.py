"""Few-shot attackers as attacks: the ensemble, what it may know, and the order of records."""

from __future__ import annotations

from dataclasses import replace

import few_shot_twins as twins
import numpy as np
import pytest
from few_shot_evidence import LEARNERS, METHODS, build, evidence, take, with_signals

from privacy_gate.attacks.few_shot import attack as attacks
from privacy_gate.attacks.few_shot.draws import Pool
from privacy_gate.attacks.few_shot.laplacian_shot import NEIGHBOURS, STRENGTHS
from privacy_gate.attacks.few_shot.paper import paper_protocol
from privacy_gate.attacks.few_shot.spaces import SIGNALS, space
from privacy_gate.attacks.few_shot.transductive import TransductiveTuning
from privacy_gate.domain import Split, random_generator

SMALL = {"support": (3, 3), "calibration": (16, 17), "evaluation": (4, 4)}
every_learner = pytest.mark.parametrize(("learner", "features"), LEARNERS)


def keyed(seed=0, **settings):
    """Evidence with a key per record."""
    _, is_member = evidence(seed, **settings)
    keys = np.random.default_rng(seed).integers(0, 2**64, is_member.size, dtype=np.uint64)
    return evidence(seed, keys=keys, **settings)


def drawn(attack, found):
    draws = Pool.of(found).draw(attack.shots, attack.draws, found.seed, attack.name)
    return list(zip(draws.support.tolist(), draws.validation.tolist(), strict=True))


def unlabelled(found):
    return np.flatnonzero(found.split != Split.EVALUATION)


def simple_shot_twin(attack, found, draws):
    points = space(found, attack.features, unlabelled(found)).tolist()
    at = points.__getitem__
    return [
        twins.simple_shot([at(r) for r in support], [at(r) for r in validation], points)
        for support, validation in draws
    ]


def laplacian_shot_twin(attack, found, draws):
    """Every record in a batch with the same fourteen calibration records."""
    points = space(found, attack.features, unlabelled(found)).tolist()
    generator = random_generator(found.seed, "few-shot", "context")
    rows = generator.choice(np.flatnonzero(found.split == Split.CALIBRATION), 14, replace=False)
    context = [points[row] for row in rows]
    scores = []
    for support, validation in draws:
        labelled, held = [points[r] for r in support], [points[r] for r in validation]
        pair = twins.laplacian_choice(labelled, held, NEIGHBOURS, STRENGTHS)
        scores.append(
            [
                twins.laplacian_scores(twins.anchors(labelled), [point, *context], *pair)[0]
                for point in points
            ]
        )
    return scores


def anchored_twin(attack, found, draws):
    signals, pool = found.signals, unlabelled(found)
    columns = [signals.columns[name].tolist() for name in SIGNALS]
    margin, labels = signals.columns["margin"].tolist(), found.labels.tolist()
    difficulty = []
    if signals.predicted is not None:
        difficulty.append(twins.class_difficulty(margin, labels, pool))
        if signals.features is not None:
            features = signals.features.astype(float).tolist()
            difficulty += twins.neighbour_difficulty(features, margin, labels, pool)
    trust = twins.difficulty_trust(labels, pool)
    return [twins.anchored(columns, difficulty, pool, *draw, trust) for draw in draws]


def compare(attack, found, twin):
    draws = drawn(attack, found)
    singles = twin(attack, found, draws)
    scores = attack.score(found)
    np.testing.assert_allclose(scores.single_draws, singles, rtol=0, atol=1e-9)
    np.testing.assert_allclose(scores.values, twins.ensemble(draws, singles), rtol=0, atol=1e-9)


@pytest.mark.parametrize("shots", [1, 2, 3])
@pytest.mark.parametrize("features", ["signals", "penultimate"])
def test_simple_shot_equals_its_twin(shots, features):
    found, _ = evidence(shots, **SMALL)
    compare(attacks.simple_shot(shots, features=features, draws=4), found, simple_shot_twin)


def test_laplacian_shot_equals_its_twin():
    found, _ = evidence(1, dimensions=3, **SMALL)
    attack = attacks.laplacian_shot(2, features="penultimate", draws=2)
    compare(attack, found, laplacian_shot_twin)


@pytest.mark.parametrize("shots", [1, 3])
@pytest.mark.parametrize("without", [(), ("features",), ("features", "predicted")])
def test_anchored_equals_its_twin(shots, without):
    found, _ = evidence(shots, **SMALL)
    found = with_signals(found, **dict.fromkeys(without))
    compare(attacks.anchored(shots, draws=4), found, anchored_twin)


def test_anchored_on_custom_signals():
    """A signal that happens to be called like one of ours counts as any other."""
    found, _ = evidence(2, **SMALL)
    columns = found.signals.columns
    custom = {"loss": columns["loss"], "mine": columns["entropy"] * 100}
    found = with_signals(found, columns=custom, predicted=None, features=None)

    def twin(attack, found, draws):
        both = [custom[name].tolist() for name in ("loss", "mine")]
        return [twins.anchored(both, [], unlabelled(found), *draw) for draw in draws]

    compare(attacks.anchored(2, draws=3), found, twin)


@pytest.mark.parametrize("learner", METHODS)
def test_labelled_records_are_scored_by_the_draws_without_them(learner):
    """Some by all of few draws, some by none: then by all, as there is nothing else."""
    found, _ = evidence(3, support=(2, 9), calibration=(15, 25), evaluation=(10, 10))
    attack = learner(2, draws=6)
    scores, draws = attack.score(found), drawn(attack, found)
    labelled = np.zeros((6, found.split.size), dtype=bool)
    for draw, (support, validation) in enumerate(draws):
        labelled[draw, support + validation] = True
    assert {0, 6} < set(labelled.sum(axis=0))
    expected = twins.ensemble(draws, scores.single_draws.tolist())
    np.testing.assert_allclose(scores.values, expected, rtol=0, atol=1e-12)
    assert not labelled[:, found.split == Split.EVALUATION].any()


@pytest.mark.parametrize("learner", METHODS)
def test_parts_pool_and_kept_draws(learner, monkeypatch):
    found, _ = evidence(4, support=(6, 7), calibration=(16, 18), evaluation=(5, 5))
    attack = learner(2, draws=23)
    whole = attack.score(found)
    assert whole.pool == (22, 25)
    assert whole.draws == 23
    assert whole.single_draws.shape == (20, found.split.size)
    monkeypatch.setattr(attacks, "_ENTRIES", 3 * found.split.size)
    parts = attack.score(found)
    np.testing.assert_allclose(parts.values, whole.values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(parts.single_draws, whole.single_draws, rtol=0, atol=1e-12)


# ----------------------------------------------------------------------- what an attacker may know


@every_learner
def test_evaluation_membership_is_never_read(learner, features):
    found, is_member = evidence(5)
    told, _ = evidence(5)
    told.membership[:] = is_member
    lied = evidence(5)[0]
    lied.membership[:] = np.where(found.split == Split.EVALUATION, ~is_member, is_member)
    attack = build(learner, features, draws=3)
    expected = attack.score(found).values
    for other in (told, lied):
        np.testing.assert_array_equal(attack.score(other).values, expected)


@every_learner
def test_a_score_depends_on_no_other_evaluation_record(learner, features):
    found, _ = keyed(6)
    rows = np.flatnonzero(
        (found.split != Split.EVALUATION) | (np.arange(found.split.size) % 3 == 0)
    )
    attack = build(learner, features, draws=3)
    fewer = attack.score(take(found, rows)).values
    np.testing.assert_allclose(fewer, attack.score(found).values[rows], rtol=0, atol=1e-12)


# --------------------------------------------------------------------------- the order of records


@every_learner
def test_the_order_of_records_changes_nothing(learner, features):
    """Bit for bit, or tied records would be told apart by where they stand in a file."""
    found, _ = keyed(7, support=(8, 9))
    attack = build(learner, features, draws=4)
    expected = attack.score(found)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(found.split.size)
        scores = attack.score(take(found, order))
        np.testing.assert_array_equal(scores.values, expected.values[order])
        np.testing.assert_array_equal(scores.single_draws, expected.single_draws[:, order])


@pytest.mark.parametrize("learner", METHODS)
def test_other_keys_are_other_draws(learner):
    found, _ = keyed(8)
    other = keyed(8)[0]
    other.keys[:] = other.keys[::-1].copy()
    attack = learner(5, draws=2)
    assert (attack.score(found).values != attack.score(other).values).any()


def fake_tuning(found):
    """What a record gets depends on the labelled records and on the record, as after a tuning."""
    loss = found.signals.columns["loss"]

    def tuning(support, validation, queries):
        bias = (loss[support] * [1, 1, 1, -1, -1, -1]).sum(axis=1, keepdims=True)
        return tuple(
            np.stack([bias + loss[rows], bias - loss[rows] ** 2]) for rows in (validation, queries)
        )

    return tuning


def test_transductive_tuning_and_the_papers_protocol_follow_the_keys_too():
    found, is_member = keyed(9)
    order = np.random.default_rng(1).permutation(found.split.size)
    found, shuffled = (
        replace(rows, tuning=fake_tuning(rows)) for rows in (found, take(found, order))
    )
    tuned = TransductiveTuning(3, draws=3)
    expected, scores = tuned.score(found), tuned.score(shuffled)
    np.testing.assert_array_equal(scores.values, expected.values[order])
    np.testing.assert_array_equal(scores.single_draws, expected.single_draws[:, order])
    for attack in (tuned, *(learner(3) for learner in METHODS)):
        assert paper_protocol(attack, shuffled, is_member[order], 20) == paper_protocol(
            attack, found, is_member, 20
        )


@every_learner
def test_the_same_twice_and_nothing_is_changed(learner, features):
    found, _ = keyed(10)
    attack = build(learner, features, draws=2)
    untouched = keyed(10)[0]
    first = attack.score(found)
    np.testing.assert_array_equal(attack.score(found).values, first.values)
    for name, values in untouched.signals.columns.items():
        np.testing.assert_array_equal(found.signals.columns[name], values)
    np.testing.assert_array_equal(found.signals.features, untouched.signals.features)
    np.testing.assert_array_equal(found.signals.outputs, untouched.signals.outputs)
    np.testing.assert_array_equal(found.membership, untouched.membership)
