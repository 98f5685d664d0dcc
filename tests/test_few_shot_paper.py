"""The published protocol: random episodes, their means and what they mean without leakage."""

from __future__ import annotations

import math

import few_shot_twins as twins
import numpy as np
import pytest
from few_shot_evidence import METHODS, evidence
from twins import best_true_positives

from privacy_gate.attacks.few_shot.draws import Pool
from privacy_gate.attacks.few_shot.paper import paper_protocol
from privacy_gate.domain import Split


class Recorder:
    """Passes on what an attack is asked and what it answers."""

    def __init__(self, attack):
        self.attack, self.name, self.shots = attack, attack.name, attack.shots

    def score_episodes(self, found, drawn, query):
        self.drawn, self.query = drawn, query
        self.scores = self.attack.score_episodes(found, drawn, query)
        return self.scores


@pytest.mark.parametrize("learner", METHODS)
def test_means_and_spreads_of_the_episodes(learner):
    found, is_member = evidence(1, leak=0.7)
    recorder = Recorder(learner(5))
    measured = paper_protocol(recorder, found, is_member, 25)
    labels = [1] * 15 + [0] * 15
    expected = {"auc": [], "log_mia_a": [], "log_mia_b": []}
    for scores in recorder.scores.tolist():
        expected["auc"].append(float(twins.exact_auc(scores, labels)))
        for name, cap in (("log_mia_a", 0), ("log_mia_b", 4)):
            count = best_true_positives(scores[:15], scores[15:], cap)
            expected[name].append(math.log(1 + count) / math.log(16))
    for name, values in expected.items():
        assert measured[name].mean == pytest.approx(np.mean(values), abs=1e-12)
        spread = 1.96 * np.std(values, ddof=1) / 5
        assert measured[name].half_width == pytest.approx(spread, abs=1e-12)
    nulls = [round(value.null, 3) for value in measured.values()]
    assert nulls == [0.5, 0.178, 0.588]


def test_an_episode_holds_no_record_twice_and_queries_members_first():
    found, is_member = evidence(2)
    recorder = Recorder(METHODS[0](5))
    paper_protocol(recorder, found, is_member, 40)
    assert recorder.query.shape == (40, 30)
    assert (found.split[recorder.query] == Split.EVALUATION).all()
    assert is_member[recorder.query[:, :15]].all()
    assert not is_member[recorder.query[:, 15:]].any()
    assert all(len(set(row)) == 30 for row in recorder.query)
    draws = Pool.of(found).draw(5, 40, found.seed, recorder.name)
    np.testing.assert_array_equal(recorder.drawn.support, draws.support)


@pytest.mark.parametrize("learner", METHODS[:2])
def test_inductive_attackers_score_a_query_as_in_the_gate(learner):
    found, is_member = evidence(3)
    attack = learner(5, draws=20)
    recorder = Recorder(attack)
    paper_protocol(recorder, found, is_member, 20)
    singles = attack.score(found).single_draws
    expected = np.take_along_axis(singles, recorder.query, axis=1)
    np.testing.assert_allclose(recorder.scores, expected, rtol=0, atol=1e-12)
