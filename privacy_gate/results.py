"""What is reported of one attack beside the checks: metrics, operating points, curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import AttackResult, Float, Interval, Scores, Split
from privacy_gate.preparation import Prepared
from privacy_gate.protocols import Attack
from privacy_gate.ranking import break_ties, sides
from privacy_gate.registry import learns, split_family
from privacy_gate.statistics.auc import auc_with_variance
from privacy_gate.statistics.episodes import Episodes
from privacy_gate.statistics.operating_point import (
    class_thresholds,
    conformal_threshold,
    operating_point,
)
from privacy_gate.statistics.rate_at_rate import RateAtRate
from privacy_gate.statistics.roc import histogram, roc_curve, ties
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.statistics.summary import summary
from privacy_gate.terms import PlannedCheck

REPORTED_RATES = (0.01, 0.05, 0.1)


def attack_result(
    attack: Attack,
    found: Scores,
    ranks: Float,
    ordered: SortedScores,
    *,
    prepared: Prepared,
    labels: NDArray[Any],
    episode_size: int,
    seconds: float,
) -> AttackResult:
    """Everything about one attack: ``found`` as the attack gave it, ``ranks`` (records,) the same
    with ties broken, ``ordered`` the ranks of the evaluation records."""
    scores = found.values
    data, rows = prepared.data, prepared.rows
    learned = found.single_draws is not None or learns(attack.name)
    sizes = replace(prepared.sizes, population=None) if learned else prepared.sizes
    checks, confidence = prepared.programme.checks, prepared.config.statistics.confidence
    level = (1 - confidence) / 2
    fpr, fnr = _rates(checks, "tpr_at_fpr"), _rates(checks, "tnr_at_fnr")
    measured = summary(ordered, sizes, fpr=fpr, fnr=fnr, level=level, episode_size=episode_size)
    area = measured["auc"]
    return AttackResult(
        name=attack.name,
        family=attack.family,
        access=attack.access,
        status="ran",
        queries_per_record=_queries(attack, found),
        seconds=seconds,
        ties=ties(scores[rows]),
        auc=Interval(area["estimate"], area["low"], area["high"]),
        tpr_at_fpr=tuple(measured["tpr_at_fpr"]),
        tnr_at_fnr=tuple(measured["tnr_at_fnr"]),
        log_mia=tuple(measured["log_mia"]),
        # a learned attack has used the calibration records: no threshold can be set on them
        operating_point={}
        if learned
        else _operating_points(prepared, ranks, labels, fpr[0], confidence),
        few_shot=_few_shot(attack, found, prepared, fpr[0], episode_size),
        method=found.method,
        roc=roc_curve(ordered, sizes, level),
        histogram=histogram(
            scores[rows[data.is_member[rows]]], scores[rows[~data.is_member[rows]]]
        ),
    )


def _queries(attack: Attack, found: Scores) -> int:
    """The most queries that any record got."""
    return attack.queries_per_record if found.asked is None else int(found.asked.max())


def _few_shot(
    attack: Attack, found: Scores, prepared: Prepared, fpr: float, episode_size: int
) -> dict[str, Any] | None:
    """What an ensemble over draws is, and what one attacker with K shots gets instead."""
    if found.single_draws is None or found.pool is None:
        return None
    data, rows = prepared.data, prepared.rows
    family, shots = split_family(attack.name) or (attack.name, 0)
    options = prepared.config.attack_section(attack.name)
    single = [
        sides(break_ties(draw, prepared.keys), rows, data.is_member) for draw in found.single_draws
    ]
    members, nonmembers = found.pool
    return {
        "title": f"{family}, mean of {found.draws} draw(s) of {shots} shots, pool of {members} +"
        f" {nonmembers} labelled records",
        "shots": shots,
        "draws": found.draws,
        "features": getattr(attack, "features", options.features),
        "pool": {"members": members, "nonmembers": nonmembers},
        "note": found.note,
        "paper": found.paper,
        "single_draw": {
            "auc": _spread([auc_with_variance(draw)[0] for draw in single]),
            f"tpr_at_fpr[{fpr:g}]": _spread([_tpr(draw, fpr) for draw in single]),
            "log_mia[a]": _spread([_episode_mean(draw, episode_size) for draw in single]),
        },
    }


def _tpr(scores: SortedScores, fpr: float) -> float:
    allowed = RateAtRate(fpr).allowed_false_positives(scores.nonmembers.size)
    return scores.true_positives(allowed) / scores.members.size


def _episode_mean(scores: SortedScores, size: int) -> float | None:
    if min(scores.members.size, scores.nonmembers.size) < size:
        return None
    return Episodes(scores.members_above_each, scores.members.size, size, cap=0).mean()


def _spread(values: Sequence[float | None]) -> dict[str, float | None]:
    """Mean and standard deviation over single draws; ``None`` where there is none."""
    known = [value for value in values if value is not None]
    return {
        "mean": float(np.mean(known)) if known else None,
        "sd": float(np.std(known, ddof=1)) if len(known) > 1 else None,
    }


def operating_fpr(checks: Sequence[PlannedCheck]) -> float:
    """The false positive rate that operating points are set for: the first that is budgeted."""
    return _rates(checks, "tpr_at_fpr")[0]


def _rates(checks: Sequence[PlannedCheck], metric: str) -> tuple[float, ...]:
    """The budgeted rates of a metric, then the default ones."""
    budgeted = [
        float(check.metric.argument or 0.0) for check in checks if check.metric.name == metric
    ]
    return tuple(dict.fromkeys([*budgeted, *REPORTED_RATES]))


def _operating_points(
    prepared: Prepared, ranks: Float, labels: NDArray[Any], fpr: float, confidence: float
) -> dict[str, Any]:
    """Global and class-wise thresholds from the calibration non-members, judged on evaluation."""
    data, rows = prepared.data, prepared.rows
    held = prepared.independent & (data.split == Split.CALIBRATION)
    calibration = np.flatnonzero(held & ~data.is_member)
    if not calibration.size:
        return {}
    member = data.is_member[rows]

    def judged(threshold: Float | float) -> dict[str, Any]:
        called = ranks[rows] > threshold
        return operating_point(called[member], called[~member], fpr, confidence)

    points = {"global": judged(conformal_threshold(ranks[calibration], fpr))}
    if labels.dtype.kind == "i":
        thresholds = class_thresholds(
            ranks[calibration], labels[calibration], int(labels.max()) + 1, fpr
        )
        points["class_wise"] = judged(thresholds[labels[rows]])
    return points
