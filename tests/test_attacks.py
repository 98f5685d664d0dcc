"""Conformance: what every registered attack must do, whoever wrote it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from privacy_gate.domain import Evidence, Outputs, Signals, Split
from privacy_gate.errors import SignalError
from privacy_gate.protocols import Attack
from privacy_gate.ranking import attack_scores
from privacy_gate.registry import ATTACKS, SUITES, attack_targets, resolve
from privacy_gate.tasks.classification import Classification

CLASSES = 4
COUNT = 240
ALL = sorted(ATTACKS)


@pytest.fixture(params=ALL)
def attack(request) -> Attack:
    return resolve(ATTACKS[request.param])


def separable(seed=0):
    """Evidence in which members are fitted well and non-members are not; (evidence, is_member)."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, COUNT)
    is_member = np.arange(COUNT) < COUNT // 2
    logits = random.normal(0, 1, (COUNT, CLASSES))
    logits[np.arange(COUNT), labels] += np.where(is_member, 9.0, 0.5)
    columns = Classification().signals(Outputs(logits, "logits"), labels)
    features = (logits + random.normal(0, 0.1, logits.shape)).astype(np.float32)
    split = random.choice([int(part) for part in Split], COUNT, p=[0.2, 0.3, 0.5]).astype(np.int8)
    membership = is_member.astype(np.int8)
    membership[split == Split.EVALUATION] = -1
    signals = Signals(columns, logits.argmax(axis=1), features)
    return Evidence(signals, labels, split, membership), is_member


def permuted(evidence, order):
    signals = evidence.signals
    return Evidence(
        Signals(
            {name: values[order] for name, values in signals.columns.items()},
            signals.predicted[order],
            signals.features[order],
        ),
        evidence.labels[order],
        evidence.split[order],
        evidence.membership[order],
        evidence.seed,
    )


def test_members_score_higher(attack):
    evidence, is_member = separable()
    scores = attack_scores(attack, evidence)
    rows = evidence.split == Split.EVALUATION
    members, nonmembers = scores[rows & is_member], scores[rows & ~is_member]
    above = (members[:, None] > nonmembers).mean() + 0.5 * (members[:, None] == nonmembers).mean()
    assert above > 0.7


def test_scores_are_finite_float64_one_per_record(attack):
    scores = attack.score(separable()[0])
    assert (scores.dtype, scores.shape) == (np.float64, (COUNT,))
    assert np.isfinite(scores).all()


def test_the_order_of_records_does_not_matter(attack):
    evidence, _ = separable()
    order = np.random.default_rng(1).permutation(COUNT)
    np.testing.assert_array_equal(
        attack.score(permuted(evidence, order)), attack.score(evidence)[order]
    )


def test_the_same_twice_and_nothing_is_changed(attack):
    evidence, _ = separable()
    before = {name: values.copy() for name, values in evidence.signals.columns.items()}
    first = attack.score(evidence).copy()
    np.testing.assert_array_equal(attack.score(evidence), first)
    for name, values in before.items():
        np.testing.assert_array_equal(evidence.signals.columns[name], values)


def test_without_its_signal_it_says_so(attack):
    evidence, _ = separable()
    blind = dataclasses.replace(evidence, signals=Signals({"other": np.zeros(COUNT)}))
    with pytest.raises(SignalError) as caught:
        attack.score(blind)
    assert attack.name in caught.value.message
    assert caught.value.hint


def test_it_describes_itself(attack):
    assert resolve(attack_targets()[attack.name]) is attack
    assert attack.access in ("labels", "scores", "features", "gradients")
    assert attack.family
    assert attack.queries_per_record >= 1
    with pytest.raises(AttributeError):
        attack.name = "other"


def test_suites_hold_registered_attacks_only():
    assert SUITES
    for name, members in SUITES.items():
        assert name not in ATTACKS
        assert members
        assert set(members) <= set(ATTACKS)
        assert len(set(members)) == len(members)


class Stub:
    name, family, access, queries_per_record = "stub", "stub", "scores", 1

    def __init__(self, scores):
        self._scores = scores

    def score(self, evidence):
        return self._scores


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (np.zeros(COUNT - 1), "one score per record"),
        (np.zeros((COUNT, 1)), "one score per record"),
        (np.append(np.zeros(COUNT - 2), [np.nan, np.inf]), "2 records NaN or infinite"),
    ],
)
def test_an_attack_that_breaks_its_contract_is_stopped(scores, words):
    with pytest.raises(SignalError, match=words):
        attack_scores(Stub(scores), separable()[0])
