"""Every attacker of the study on one target: what it costs, and what the gate would report."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from few_shot_study.targets import Answers
from privacy_gate.attacks import threshold
from privacy_gate.attacks.few_shot.attack import anchored, laplacian_shot, simple_shot
from privacy_gate.domain import Evidence, Float, Measurement, Scores, Sizes, Split, random_generator
from privacy_gate.statistics.auc import Auc
from privacy_gate.statistics.log_mia import LogMia
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores

LEVEL = 0.025
MOST_TRANSDUCTIVE = 1500
SHOTS = (1, 5, 10)
OTHER_SPACES = ("penultimate", "logits", "probabilities")
THRESHOLDS = (
    threshold.LOSS,
    threshold.CONFIDENCE,
    threshold.ENTROPY,
    threshold.MODIFIED_ENTROPY,
    threshold.MARGIN,
    threshold.CORRECTNESS,
)
METRICS = {
    "auc": Auc(),
    "tpr": RateAtRate(0.01),
    "log_mia_a": LogMia("a"),
    "log_mia_b": LogMia("b"),
}


class Attack(Protocol):
    """Anything with a name that scores evidence."""

    @property
    def name(self) -> str: ...

    def score(self, evidence: Evidence) -> Scores: ...


@dataclass(frozen=True, slots=True)
class Attacker:
    """One row of the tables."""

    family: str
    features: str
    attack: Attack

    @property
    def label(self) -> str:
        """The attack's name, and its feature space unless that is the signals."""
        space = "" if self.features == "signals" else f" ({self.features})"
        return f"{self.attack.name}{space}"


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One attacker on one target and seed.

    ``scores``: members and non-members of the evaluation split, in the order of the records;
    ``draws``: the AUC of single draws, none for a threshold.
    """

    attacker: Attacker
    metrics: dict[str, Measurement]
    draws: Float
    scores: tuple[Float, Float]
    seconds: float


def attackers(families: Iterable[str]) -> list[Attacker]:
    """The rows of the tables that belong to these families, in the order of the tables."""
    found = [Attacker("threshold", "signals", attack) for attack in THRESHOLDS]
    found += [Attacker("anchored", "signals", anchored(shots)) for shots in SHOTS]
    for family, make in (("simple-shot", simple_shot), ("laplacian-shot", laplacian_shot)):
        found += [Attacker(family, "signals", make(shots)) for shots in SHOTS]
        found += [Attacker(family, space, make(5, features=space)) for space in OTHER_SPACES]
    wanted = set(families)
    return [attacker for attacker in found if attacker.family in wanted]


FAMILIES = ("threshold", "anchored", "simple-shot", "laplacian-shot")


def run(attacker: Attacker, answers: Answers, seed: int) -> Result:
    """Score all records without the membership of the evaluation split; measure on that split."""
    if attacker.family == "laplacian-shot":
        answers = _subset(answers, seed)
    evidence = answers.evidence(seed)
    start = time.process_time()
    scores = attacker.attack.score(evidence)
    seconds = time.process_time() - start
    values = scores.values
    draws = () if scores.single_draws is None else scores.single_draws
    members, nonmembers = sides(answers)
    sorted_scores = SortedScores.of(values[members], values[nonmembers])
    sizes = Sizes(members.size, nonmembers.size)
    return Result(
        attacker,
        {
            name: metric.measure(sorted_scores, LEVEL, LEVEL, sizes)
            for name, metric in METRICS.items()
        },
        np.array([auc(draw[members], draw[nonmembers]) for draw in draws]),
        (values[members], values[nonmembers]),
        seconds,
    )


def _subset(answers: Answers, seed: int) -> Answers:
    """What a transductive attacker is given: it solves a batch of 15 for every record and draw."""
    rows = random_generator(seed, "few-shot-study", "subset").permutation(answers.labels.size)
    return answers.take(np.sort(rows[:MOST_TRANSDUCTIVE]))


def sides(answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the members and of the non-members of the evaluation split."""
    inside = answers.split == Split.EVALUATION
    return np.flatnonzero(inside & answers.member), np.flatnonzero(inside & ~answers.member)


def auc(members: Float, nonmembers: Float) -> float:
    """The area alone."""
    scores = SortedScores.of(members, nonmembers)
    wins = scores.members_above_each.sum() + scores.members_at_or_above_each.sum()
    return float(wins / (2 * members.size * nonmembers.size))
