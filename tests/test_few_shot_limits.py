"""The smallest, flattest and largest numbers an attacker may meet: finite scores, no warnings."""

from __future__ import annotations

import numpy as np
import pytest
from few_shot_evidence import LEARNERS, METHODS, build, evidence, with_signals

from privacy_gate.attacks.few_shot import attack as attacks
from privacy_gate.attacks.few_shot.paper import paper_protocol
from privacy_gate.domain import Split
from privacy_gate.errors import FixtureError, SignalError

every_learner = pytest.mark.parametrize(("learner", "features"), LEARNERS)
MINIMAL = {"support": (1, 1), "calibration": (15, 15), "evaluation": (1, 1)}


def finite_scores(learner, features, found, shots=1):
    scores = build(learner, features, shots, draws=3).score(found)
    assert scores.values.shape == found.split.shape
    assert scores.values.dtype == np.float64
    assert np.isfinite(scores.values).all()
    assert np.isfinite(scores.single_draws).all()
    return scores.values[found.split == Split.EVALUATION]


@every_learner
def test_the_fewest_records(learner, features):
    found, _ = evidence(**MINIMAL)
    finite_scores(learner, features, found)


@every_learner
def test_no_evaluation_records(learner, features):
    found, _ = evidence(**{**MINIMAL, "evaluation": (0, 0)})
    assert finite_scores(learner, features, found).size == 0


@every_learner
def test_a_single_class(learner, features):
    found, _ = evidence(1, classes=1)
    assert np.unique(finite_scores(learner, features, found, 5)).size > 1


@every_learner
def test_a_class_that_only_evaluation_records_have(learner, features):
    found, _ = evidence(2)
    found.labels[found.split == Split.EVALUATION] += 7
    finite_scores(learner, features, found, 5)


@every_learner
@pytest.mark.parametrize("constant", [0.0, 0.1, -3e38])
def test_when_everything_is_constant_all_scores_are_equal(learner, features, constant):
    found, _ = evidence(3)
    count = found.split.size
    flat = with_signals(
        found,
        columns=dict.fromkeys(found.signals.columns, np.full(count, constant)),
        predicted=np.zeros(count, dtype=np.int64),
        features=np.full((count, 5), constant, dtype=np.float32),
        outputs=np.full((count, 5), constant),
    )
    flat.labels[:] = 0
    assert np.unique(finite_scores(learner, features, flat, 5)).size == 1


@pytest.mark.parametrize("learner", METHODS)
def test_one_constant_signal_among_others(learner):
    """A model that is right about every record is no reason to stop."""
    found, _ = evidence(4)
    columns = {**found.signals.columns, "correctness": np.ones(found.split.size)}
    scores = finite_scores(learner, "signals", with_signals(found, columns=columns), 5)
    assert np.unique(scores).size > 10


@pytest.mark.parametrize("learner", METHODS)
def test_a_single_signal(learner):
    """A model that answers with labels has only this one."""
    found, _ = evidence(5)
    only = {"correctness": found.signals.columns["correctness"]}
    finite_scores(learner, "signals", with_signals(found, columns=only), 5)


@every_learner
@pytest.mark.parametrize("scale", [1e-38, 1e38])
def test_the_smallest_and_largest_single_precision_numbers(learner, features, scale):
    found, _ = evidence(6)
    signals = found.signals
    random = np.random.default_rng(0)
    large = with_signals(
        found,
        columns={name: values * scale for name, values in signals.columns.items()},
        features=(random.uniform(-1, 1, signals.features.shape) * scale).astype(np.float32),
        outputs=signals.outputs * scale,
    )
    finite_scores(learner, features, large, 5)


@pytest.mark.parametrize("learner", METHODS)
@pytest.mark.parametrize("scale", [1e-310, 1e307])
def test_signals_at_the_ends_of_double_precision_keep_their_meaning(learner, scale):
    """The leak is found whatever the unit of a signal."""
    found, is_member = evidence(7, leak=12.0)
    columns = {name: values * scale for name, values in found.signals.columns.items()}
    margin = {"margin": found.signals.columns["margin"]}
    large = with_signals(found, columns={**columns, **margin})
    scores = finite_scores(learner, "signals", large, 5)
    side = is_member[found.split == Split.EVALUATION]
    assert scores[side].min() > scores[~side].max()


@pytest.mark.parametrize("learner", METHODS)
def test_one_absurd_record_outside_the_pool_spoils_no_other(learner):
    found, _ = evidence(8)
    row = int(np.flatnonzero(found.split == Split.EVALUATION)[0])
    columns = {name: values.copy() for name, values in found.signals.columns.items()}
    for values in columns.values():
        values[row] = 1.7e308
    attack = learner(5, draws=3)
    others = np.arange(found.split.size) != row
    spoiled = attack.score(with_signals(found, columns=columns)).values
    np.testing.assert_array_equal(spoiled[others], attack.score(found).values[others])
    assert np.isfinite(spoiled[row])


@pytest.mark.parametrize(
    ("learner", "features", "missing"),
    [
        (attacks.simple_shot, "penultimate", "features"),
        (attacks.laplacian_shot, "penultimate", "features"),
        (attacks.simple_shot, "logits", "outputs"),
        (attacks.laplacian_shot, "probabilities", "outputs"),
    ],
)
def test_what_an_attack_looks_at_must_be_there(learner, features, missing):
    found, _ = evidence(9)
    with pytest.raises(SignalError):
        build(learner, features).score(with_signals(found, **{missing: None}))


@pytest.mark.parametrize("learner", METHODS)
def test_without_any_signal_it_says_so(learner):
    found, _ = evidence(10)
    with pytest.raises(SignalError, match="no signal"):
        learner(5).score(with_signals(found, columns={}))


@pytest.mark.parametrize("learner", METHODS)
def test_the_papers_protocol_needs_fifteen_queries_a_side(learner):
    found, is_member = evidence(11, evaluation=(14, 20))
    with pytest.raises(
        FixtureError, match=r"needs 15 evaluation records a side.* has 14"
    ) as caught:
        paper_protocol(learner(5), found, is_member, 3)
    assert caught.value.hint
