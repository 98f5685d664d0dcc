"""Can members be told from non-members without the model? Then a split, not a leak, is measured.

Learners see inputs, labels, dates and traits of files. They learn on support, the best one on the
calibration split is chosen and learns again on both, and what it says about the evaluation records
is tested once, by an exact rank test (cross-validated p-values are wrong 16-19 % of the time at a
nominal 5 %). The test compares records of one label only: whether labels themselves are distributed
differently is the question of ``label_shift``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from privacy_gate.domain import Boolean, FixtureCheck, Float, Integer, Metric, Sizes, Split
from privacy_gate.fixture_checks.features import Block
from privacy_gate.fixture_checks.label_shift import too_many
from privacy_gate.fixture_checks.learners import Learner, linear, trees
from privacy_gate.fixture_checks.levels import LEVEL
from privacy_gate.fixture_checks.permutation import rank_sum_p_value
from privacy_gate.statistics.auc import Auc
from privacy_gate.statistics.planning import Target, records_needed, round_up
from privacy_gate.statistics.scores import SortedScores

NAME = "blind-baseline"
CLEAN = 0.55
"""Upper bound of the blind AUC up to which a split counts as clean (statistics.md, section 8)."""

_ERROR = 0.025
_POWER = 0.95
_LEAST = 20
"""Records of each side that learning, choosing and testing each need."""

_ADVICE = (
    "Build the fixtures from one pool by coin flips (privacy-gate fixtures build --from). If the"
    " difference cannot be helped, say why in accept: {blind_baseline: reason}: then leakage is"
    " reported beside what the blind attacker gets."
)


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """What learners see of n independent records: ``features`` (n, f) of all, of which the columns
    ``metadata`` (f,) are no inputs of the model; ``labels`` (n,) positions, ``split`` (n,)."""

    features: Block
    metadata: Boolean
    labels: Integer
    is_member: Boolean
    split: Integer


@dataclass(frozen=True, slots=True, eq=False)
class Blind:
    """The ``check``, and the blind ``scores`` (k,) of the evaluation records, in their order; none
    where nothing could be learned."""

    check: FixtureCheck
    scores: Float | None = None


def blind_baseline(found: Described, generator: np.random.Generator) -> Blind:
    """Learn, choose, test once; ``generator`` shuffles membership for the test."""
    parts = [np.flatnonzero(found.split == part) for part in Split]
    short = min(
        min(int(found.is_member[rows].sum()), int((~found.is_member[rows]).sum())) for rows in parts
    )
    if short < _LEAST:
        message = (
            f"Cannot tell: every split needs {_LEAST} records a side, and one has {short}, so"
            " nothing could be learned about how the sides differ."
        )
        return Blind(FixtureCheck(NAME, "inconclusive", message, advice="Add records."))
    support, calibration, evaluation = parts
    candidates = _candidates(found)
    areas = [
        _area(found, calibration, _scores(found, candidate, support, calibration))
        for candidate in candidates
    ]
    best = candidates[int(np.argmax(areas))]
    scores = _scores(found, best, np.concatenate([support, calibration]), evaluation)
    return Blind(_tested(found, evaluation, scores, generator), scores)


Candidate = tuple[Learner, Callable[[Block], Block]]


def _candidates(found: Described) -> list[Candidate]:
    """Both learners on everything, and trees on what is no input, where there is any."""
    chosen: list[Candidate] = [(linear, lambda block: block), (trees, lambda block: block)]
    if found.metadata.any():
        chosen.append((trees, lambda block: block[:, found.metadata]))
    return chosen


def _scores(found: Described, candidate: Candidate, known: Integer, asked: Integer) -> Float:
    learner, pick = candidate
    features = pick(found.features)
    return learner(features[known], found.is_member[known], features[asked])


def within_labels(scores: Float, labels: Integer) -> tuple[Float, Integer]:
    """(k,) ranks in (0, 1) of each score among the records of its label, mid-ranks for ties, and
    the stratum of each record; one stratum where labels are no classes."""
    from scipy.stats import rankdata

    strata = np.zeros(labels.size, np.int64) if too_many(labels) else labels
    ranks = np.empty(scores.size)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        ranks[rows] = rankdata(scores[rows]) / (rows.size + 1)
    return ranks, strata


def _sorted(found: Described, rows: Integer, ranks: Float) -> SortedScores:
    member = found.is_member[rows]
    return SortedScores.of(ranks[member], ranks[~member])


def _area(found: Described, rows: Integer, scores: Float) -> float:
    ranks, _ = within_labels(scores, found.labels[rows])
    sizes = Sizes(0, 0)
    return Auc().measure(_sorted(found, rows, ranks), _ERROR, _ERROR, sizes).estimate or 0.0


def _tested(
    found: Described, rows: Integer, scores: Float, generator: np.random.Generator
) -> FixtureCheck:
    ranks, strata = within_labels(scores, found.labels[rows])
    ordered = _sorted(found, rows, ranks)
    sizes = Sizes(ordered.members.size, ordered.nonmembers.size)
    area = Auc().measure(ordered, _ERROR, _ERROR, sizes)
    p_value = rank_sum_p_value(ranks, found.is_member[rows], strata, generator)
    estimate, low, high = area.estimate or 0.0, area.low or 0.0, area.high or 0.0
    numbers = (
        f"AUC {estimate:.3f} [{low:.3f}, {high:.3f}], p = {p_value:.2g}, on {sizes.members:,} +"
        f" {sizes.nonmembers:,} evaluation records"
    )
    verdict, advice = "inconclusive", ""
    shifted = p_value <= LEVEL and low > 0.5
    if shifted:
        message = (
            f"Members can be told from non-members without the model: {numbers}. A difference"
            " between the sides other than training can inflate a leak, or hide it."
        )
        advice = _ADVICE
    elif high <= CLEAN:
        verdict = "pass"
        message = f"Without the model the sides cannot be told apart: {numbers}."
    else:
        needed = records_needed(Target(Metric("auc"), CLEAN), _ERROR, _POWER)
        size = f"about {round_up(needed):,.0f} a side could" if needed else "more records could"
        message = (
            f"Cannot tell whether the sides differ without the model: {numbers}; a clean split"
            f" needs an upper bound of {CLEAN:g}, which {size} show."
        )
    return FixtureCheck(
        NAME,
        verdict,  # type: ignore[arg-type]
        message,
        statistic=estimate,
        advice=advice,
        low=low,
        high=high,
        p_value=p_value,
        level=LEVEL,
        blocking=shifted,
    )
