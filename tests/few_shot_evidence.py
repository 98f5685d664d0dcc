"""Small evidence for few-shot attacks: members first, each split filled as asked."""

from __future__ import annotations

import dataclasses

import numpy as np

from privacy_gate.attacks.few_shot import attack as attacks
from privacy_gate.attacks.few_shot.spaces import SIGNALS
from privacy_gate.domain import Evidence, Signals, Split

LEARNERS = [
    (attacks.anchored, "signals"),
    *[
        (learner, features)
        for learner in (attacks.simple_shot, attacks.laplacian_shot)
        for features in ("signals", "penultimate", "logits", "probabilities")
    ],
]
"""Every attacker with everything it may look at."""

METHODS = [attacks.anchored, attacks.simple_shot, attacks.laplacian_shot]


def build(learner, features, shots=5, **settings):
    if learner is not attacks.anchored:
        settings["features"] = features
    return learner(shots, **settings)


def evidence(
    seed=0,
    *,
    support=(8, 8),
    calibration=(18, 18),
    evaluation=(20, 20),
    classes=3,
    dimensions=5,
    leak=0.0,
    **settings,
):
    """(evidence, is_member); ``leak`` moves the sides apart in signals, features and outputs."""
    random = np.random.default_rng(seed)
    sizes = np.array([support, calibration, evaluation])
    is_member = np.repeat([True, False], sizes.sum(axis=0))
    split = np.concatenate([np.repeat([int(s) for s in Split], side) for side in sizes.T])
    count, side = is_member.size, np.where(is_member, leak, 0.0)
    labels = random.integers(0, classes, count)
    columns = {name: random.normal(0, 1, count) + side for name in SIGNALS}
    columns["correctness"] = (columns["correctness"] > 0).astype(np.float64)
    moved = np.zeros((count, dimensions))
    moved[:, 0], moved[:, 1] = side, leak - side
    signals = Signals(
        columns,
        random.integers(0, classes, count),
        (random.normal(0, 1, moved.shape) + moved).astype(np.float32),
        random.normal(0, 1, moved.shape) + moved,
    )
    return with_membership(
        Evidence(signals, labels, split.astype(np.int8), np.zeros(count, np.int8), **settings),
        is_member,
    ), is_member


def with_membership(found, is_member):
    """The evidence an attacker gets when ``is_member`` (N,) is the truth."""
    membership = is_member.astype(np.int8)
    membership[found.split == Split.EVALUATION] = -1
    return dataclasses.replace(found, membership=membership)


def take(found, rows):
    """The evidence with these rows, in this order."""
    signals = found.signals
    return dataclasses.replace(
        found,
        signals=Signals(
            {name: column[rows] for name, column in signals.columns.items()},
            signals.predicted[rows],
            signals.features[rows],
            signals.outputs[rows],
        ),
        labels=found.labels[rows],
        split=found.split[rows],
        membership=found.membership[rows],
        keys=None if found.keys is None else found.keys[rows],
    )


def with_signals(found, **changes):
    """The evidence with other ``columns``, ``predicted``, ``features`` or ``outputs``."""
    return dataclasses.replace(found, signals=dataclasses.replace(found.signals, **changes))
