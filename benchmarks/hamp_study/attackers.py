"""The gate's own attacks by what they need to see, and the best of them by each metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hamp_study.views import Judged
from privacy_gate.domain import Evidence, Sizes, Split
from privacy_gate.ranking import attack_scores, break_ties
from privacy_gate.registry import SUITES, open_attack
from privacy_gate.statistics.auc import Auc
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.scores import SortedScores

LABELS = ("correctness", "noise-robustness", "boundary-distance")
SCORES = (*SUITES["threshold"], *SUITES["few-shot"])
METRICS = {
    "AUC": Auc(),
    "TPR@0.1 %": RateAtRate(0.001),
    "TPR@1 %": RateAtRate(0.01),
    "TNR@0.1 %": RateAtRate(0.001, swap=True),
    "TNR@1 %": RateAtRate(0.01, swap=True),
}
LEVEL = 0.025


@dataclass(frozen=True, slots=True)
class Found:
    """The estimates of one attack on the evaluation records, by the names of ``METRICS``."""

    attack: str
    estimates: dict[str, float]


def attacked(judged: Judged, evidence: Evidence, names: tuple[str, ...]) -> list[Found]:
    """Every attack of ``names`` on the same evidence."""
    return [_attacked(judged, evidence, name) for name in names]


def _attacked(judged: Judged, evidence: Evidence, name: str) -> Found:
    scores = break_ties(attack_scores(open_attack(name, {}), evidence).values, judged.keys)
    rows = judged.split == Split.EVALUATION
    sides = scores[rows & judged.member], scores[rows & ~judged.member]
    sizes = Sizes(sides[0].size, sides[1].size)
    ordered = SortedScores.of(*sides)
    return Found(
        name,
        {
            title: float(metric.measure(ordered, LEVEL, LEVEL, sizes).estimate or 0.0)
            for title, metric in METRICS.items()
        },
    )


def best(found: list[Found], metric: str) -> float:
    """The largest estimate of any attack: optimistic for the attacker, as in the paper."""
    return max(one.estimates[metric] for one in found)


def strongest(runs: list[list[Found]]) -> str:
    """The attack with the largest mean AUC over the seeds."""
    means = {
        one.attack: np.mean([run[place].estimates["AUC"] for run in runs])
        for place, one in enumerate(runs[0])
    }
    return max(means, key=lambda name: means[name])
