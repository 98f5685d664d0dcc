"""Conformance: what every registered attack must do, whoever wrote it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from label_only_evidence import queries_of

from privacy_gate.domain import Evidence, Outputs, Scores, Signals, Split
from privacy_gate.errors import PrivacyGateError, SignalError
from privacy_gate.protocols import Attack
from privacy_gate.ranking import attack_scores
from privacy_gate.registry import ATTACKS, FAMILIES, SUITES, open_attack, split_family
from privacy_gate.tasks.classification import Classification

CLASSES = 4
COUNT = 400
SHOTS = 5
ALL = [*sorted(ATTACKS), *(f"{family}-{SHOTS}" for family in sorted(FAMILIES))]


@pytest.fixture(params=ALL)
def attack(request) -> Attack:
    few_draws = {} if request.param in ATTACKS else {"draws": 8}
    return open_attack(request.param, few_draws)


def evidence_of(columns, predicted, features, logits, labels, split, membership, keys):
    """Evidence with a stand-in for fine-tuning that answers the margin, and with queries about
    records that are their own logits, so that what has a small margin changes its label easily."""
    margin = columns["margin"]
    return Evidence(
        Signals(columns, predicted, features, logits),
        labels,
        split,
        membership,
        keys=keys,
        tuning=lambda support, validation, query: (margin[validation][None], margin[query][None]),
        queries=queries_of(lambda inputs: inputs["x"], {"x": logits}),
    )


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
    keys = random.permutation(COUNT).astype(np.uint64)
    predicted = logits.argmax(axis=1)
    whole = (columns, predicted, features, logits, labels, split, membership, keys)
    return evidence_of(*whole), is_member


def permuted(evidence, order):
    signals = evidence.signals
    return evidence_of(
        {name: values[order] for name, values in signals.columns.items()},
        signals.predicted[order],
        signals.features[order],
        signals.outputs[order],
        evidence.labels[order],
        evidence.split[order],
        evidence.membership[order],
        evidence.keys[order],
    )


def values_of(attack, evidence):
    return attack_scores(attack, evidence).values


def test_members_score_higher(attack):
    evidence, is_member = separable()
    scores = values_of(attack, evidence)
    rows = evidence.split == Split.EVALUATION
    members, nonmembers = scores[rows & is_member], scores[rows & ~is_member]
    above = (members[:, None] > nonmembers).mean() + 0.5 * (members[:, None] == nonmembers).mean()
    assert above > 0.7


def test_scores_are_finite_float64_one_per_record(attack):
    scores = values_of(attack, separable()[0])
    assert (scores.dtype, scores.shape) == (np.float64, (COUNT,))
    assert np.isfinite(scores).all()


def test_the_order_of_records_does_not_matter(attack):
    evidence, _ = separable()
    order = np.random.default_rng(1).permutation(COUNT)
    np.testing.assert_array_equal(
        values_of(attack, permuted(evidence, order)), values_of(attack, evidence)[order]
    )


def test_the_same_twice_and_nothing_is_changed(attack):
    evidence, _ = separable()
    before = {name: values.copy() for name, values in evidence.signals.columns.items()}
    first = values_of(attack, evidence).copy()
    np.testing.assert_array_equal(values_of(attack, evidence), first)
    for name, values in before.items():
        np.testing.assert_array_equal(evidence.signals.columns[name], values)


def test_without_what_it_reads_it_says_so(attack):
    evidence, _ = separable()
    blind = dataclasses.replace(evidence, signals=Signals({}), tuning=None, queries=None)
    with pytest.raises(PrivacyGateError) as caught:
        attack.score(blind)
    assert caught.value.message
    assert caught.value.exit_code == 2


def test_it_describes_itself(attack):
    assert attack.name in ALL
    assert open_attack(attack.name, {}).name == attack.name
    assert attack.access in ("labels", "scores", "features", "gradients")
    assert attack.reads <= {"features", "outputs", "queries"}
    assert attack.family in SUITES
    assert attack.queries_per_record >= 1
    with pytest.raises((AttributeError, TypeError)):  # slots and properties differ in their words
        attack.name = "other"


def test_suites_hold_registered_attacks_only():
    assert SUITES
    for name, members in SUITES.items():
        assert name not in ATTACKS
        assert members
        assert len(set(members)) == len(members)
        for member in members:
            assert member in ATTACKS or split_family(member) is not None
            assert open_attack(member, {}).name == member


@pytest.mark.parametrize(
    "name",
    ["anchored", "anchored-0", "anchored-05", "anchored-1001", "anchored--5", "loss-5", "-5"],
)
def test_what_is_no_few_shot_attack(name):
    assert split_family(name) is None


def test_threshold_attacks_take_no_options():
    with pytest.raises(TypeError):
        open_attack("loss", {"draws": 5})


class Stub:
    name, family, access, queries_per_record, reads = "stub", "stub", "scores", 1, frozenset()

    def __init__(self, values):
        self._values = values

    def score(self, evidence):
        return Scores(self._values)


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
