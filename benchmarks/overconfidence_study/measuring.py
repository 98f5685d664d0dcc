"""Everything that is measured of one seed: each variant, as target, under the fitted attacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overconfidence_study.attackers import Rule, largest_in_float32, rules, signal
from overconfidence_study.data import SIDE, Data, Parts, nonmember_sets
from overconfidence_study.training import RECIPES, ROLES
from overconfidence_study.variants import VARIANTS, Body, Head
from privacy_gate.domain import Float, Integer, Measurement, Sizes, random_generator
from privacy_gate.overconfidence.counts import confusion, threshold
from privacy_gate.statistics.auc import Auc
from privacy_gate.statistics.calibration_error import calibration_error, overconfidence_error
from privacy_gate.statistics.scores import SortedScores

LEVEL = 0.025
TARGET_FPR = 0.01
ORIGINAL = "original"


@dataclass(frozen=True, slots=True, eq=False)
class Attacked:
    """One attack on one target. ``fpr``: set -> share called members at the threshold from the
    shadow model; ``confidence``: mean largest probability of the false positives, ``None`` if there
    are none; ``scores``: of the target's members and non-members."""

    auc: Measurement
    recall: float
    fpr: dict[str, float]
    confidence: float | None
    scores: tuple[Float, Float]

    @property
    def precision(self) -> float:
        """For equally many members and non-members."""
        called = self.recall + self.fpr[ORIGINAL]
        return self.recall / called if called else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One variant of one seed. ``own_threshold``: set -> share that the confidence attack calls
    members at the threshold of the gate, from calibration non-members, and of "members"."""

    variant: str
    seed: int
    parameter: float | None
    accuracies: tuple[float, float]
    errors: tuple[float, float]
    attacks: dict[str, Attacked]
    auc_in_float32: float
    saturated: float
    own_threshold: dict[str, float]


def outcomes(data: Data, folder: Path, cache: Path, seed: int) -> Iterator[Outcome]:
    """All variants of a seed."""
    parts = Parts.drawn(data.labels.size, seed)
    sets = dict(nonmember_sets(data, parts, folder, seed))
    for recipe in RECIPES:
        target, shadow = (Body.of(data, parts, recipe, role, seed, cache) for role in ROLES)
        features = {name: target.network.features(inputs) for name, inputs in sets.items()}
        for name, variant in VARIANTS.items():
            if variant.recipe != recipe:
                continue
            own = shadow.head(variant, seed)
            fitted = rules(own.logits(shadow.members), own.logits(shadow.nonmembers), seed)
            labels = tuple(data.labels[rows] for rows in parts.target)
            yield _outcome(name, target, target.head(variant, seed), fitted, features, labels, seed)


def _outcome(
    name: str,
    target: Body,
    head: Head,
    fitted: dict[str, Rule],
    features: dict[str, Float],
    labels: tuple[Integer, Integer],
    seed: int,
) -> Outcome:
    members, nonmembers = head.logits(target.members), head.logits(target.nonmembers)
    sets = {ORIGINAL: nonmembers, **{key: head.logits(value) for key, value in features.items()}}
    right = [
        logits.argmax(axis=1) == classes
        for logits, classes in zip((members, nonmembers), labels, strict=True)
    ]
    top = np.exp(signal("confidence", nonmembers))
    rounded = largest_in_float32(members), largest_in_float32(nonmembers)
    return Outcome(
        name,
        seed,
        head.parameter,
        (float(right[0].mean()), float(right[1].mean())),
        (calibration_error(top, right[1]), overconfidence_error(top, right[1])),
        {title: _attacked(rule, members, sets) for title, rule in fitted.items()},
        _auc(rounded).estimate or 0.0,
        float((rounded[0] == 1).mean()),
        _own_threshold({"members": members, **sets}, head.logits(target.calibration), seed),
    )


def _attacked(rule: Rule, members: Float, sets: dict[str, Float]) -> Attacked:
    nonmembers = sets[ORIGINAL]
    scores = rule.scores(members), rule.scores(nonmembers)
    called = rule.called(nonmembers)
    groups = confusion(called, np.zeros_like(called), np.exp(signal("confidence", nonmembers)))
    return Attacked(
        _auc(scores),
        float(rule.called(members).mean()),
        {name: float(rule.called(logits).mean()) for name, logits in sets.items()},
        groups["fp"],
        scores,
    )


def _auc(scores: tuple[Float, Float]) -> Measurement:
    return Auc().measure(SortedScores.of(*scores), LEVEL, LEVEL, Sizes(SIDE, SIDE))


def _own_threshold(sets: dict[str, Float], calibration: Float, seed: int) -> dict[str, float]:
    """As the audit does it, ties by random keys."""

    def keys(name: str, count: int) -> np.ndarray:
        random = random_generator(seed, "overconfidence-study", "keys", name)
        return random.integers(2**64, size=count, dtype=np.uint64)

    limit = threshold(
        signal("confidence", calibration), keys("calibration", len(calibration)), TARGET_FPR
    )
    assert limit is not None  # there are thousands of calibration non-members
    return {
        name: float(limit.called(signal("confidence", logits), keys(name, len(logits))).mean())
        for name, logits in sets.items()
    }
