"""The candidate beside its baseline: the scores of a baseline model, and all differences."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from privacy_gate.baseline.finding import Baseline
from privacy_gate.baseline.making import ranks_sha256
from privacy_gate.baseline.scores import read_scores
from privacy_gate.config import Config
from privacy_gate.config.paths import shown_path
from privacy_gate.config.schema import BaselineModel
from privacy_gate.domain import Boolean, Float, Metric, Split, random_generator
from privacy_gate.errors import PrivacyGateError
from privacy_gate.models.model_file import check_model_path, model_sha256
from privacy_gate.preparation import Prepared
from privacy_gate.ranking import sides
from privacy_gate.scoring import Scored, guarded_accuracies, score_model
from privacy_gate.signals import Progress
from privacy_gate.statistics.comparison import compare_bounds, compare_paired, mcnemar, same_model
from privacy_gate.statistics.difference import Difference
from privacy_gate.statistics.operating_point import conformal_threshold
from privacy_gate.statistics.paired import Pair, RecordScores
from privacy_gate.terms import PlannedCheck
from privacy_gate.verdict import wrong_directions

Differences = Mapping[tuple[str, Metric], Difference]


@dataclass(frozen=True, eq=False)
class Compared:
    """``facts`` and ``cautions`` for the report, and the ``differences`` by attack and metric."""

    facts: Mapping[str, Any] | None
    differences: Differences
    cautions: tuple[str, ...] = ()


def compare(
    prepared: Prepared, scored: Scored, progress: Progress | None, episode_size: int
) -> Compared:
    """Compare the candidate with the baseline of the configuration, if there is one, by every
    metric that it is checked for. A baseline model is opened and attacked as the candidate was.

    Raises ``PrivacyGateError`` that says so where that is not possible.
    """
    baseline, candidate = prepared.baseline, scored.facts["sha256"]
    if baseline is None:
        return Compared(None, {})
    facts = baseline.facts(candidate)
    if baseline.kind == "none":
        return Compared(facts, {})
    ranks: Mapping[str, Float] | None = None
    cautions: tuple[str, ...] = ()
    if baseline.kind == "model":
        other, cautions = _opponent(prepared, baseline, scored, progress)
        ranks = None if other is None else other.ranks
        facts["model_sha256"] = candidate if other is None else other.facts["sha256"]
        if other is None:
            facts["message"] = f"The baseline {baseline.shown} is this very model."
    elif baseline.scores is not None and baseline.file is not None:
        shown = shown_path(baseline.scores, prepared.config.root)
        ranks = read_scores(baseline.scores, shown, baseline.file, prepared.data)
    with prepared.stopwatch.step("statistics"):
        found = _differences(prepared, scored, baseline, ranks, episode_size)
    return Compared(facts, found, cautions)


def _wrong_way(attacks: Collection[str]) -> str:
    return (
        f"On the baseline, {', '.join(sorted(attacks))} scored non-members above members (AUC"
        " credibly below 0.5): an increase over it looks larger than it is."
    )


def _opponent(
    prepared: Prepared, baseline: Baseline, scored: Scored, progress: Progress | None
) -> tuple[Scored | None, tuple[str, ...]]:
    """The scores of the baseline model, ``None`` if it is the candidate itself, and cautions."""
    config = _baseline_config(prepared.config)
    place = prepared.config.location("baseline")
    try:
        check_model_path(baseline.path, config.model.format, place)
        digest = model_sha256(baseline.path, config.model.format, place)
        if digest == scored.facts["sha256"] and _same_code(config, prepared.config):
            return None, ()
        other = replace(prepared, config=config)
        found = score_model(other, progress, whole=False)
        wrong = wrong_directions(
            {
                name: sides(ranks, prepared.rows, prepared.data.is_member)
                for name, ranks in found.ranks.items()
            }
        )
        guarded_accuracies(other, found, bool(wrong))
    except PrivacyGateError as error:
        raise type(error)(
            f"The baseline model: {error.message}", hint=error.hint, location=place
        ) from error
    return found, (_wrong_way(wrong),) if wrong else ()


def _baseline_config(config: Config) -> Config:
    """The configuration with the baseline in the place of the candidate."""
    section, path = config.settings.baseline, config.baseline_model
    assert isinstance(section, BaselineModel)
    assert path is not None
    changed: dict[str, Any] = {"sha256": None, "expected": None}
    if section.factory is not None:
        changed["factory"] = section.factory
    if section.kwargs is not None:
        changed["kwargs"] = section.kwargs
    model = config.model.model_copy(update=changed)
    settings = config.settings.model_copy(update={"model": model})
    return replace(config, model_path=path, settings=settings)


def _same_code(first: Config, second: Config) -> bool:
    return (first.model.factory, first.model.kwargs) == (second.model.factory, second.model.kwargs)


def _differences(
    prepared: Prepared,
    scored: Scored,
    baseline: Baseline,
    ranks: Mapping[str, Float] | None,
    episode_size: int,
) -> Differences:
    """``ranks``: those of the baseline, where they are known."""
    checks = prepared.programme.checks
    shown = prepared.programme.informational
    level = (1 - prepared.config.statistics.confidence) / 2
    levels = {"level": level, "holm_level": level / max(1, len(checks))}
    found: dict[tuple[str, Metric], Difference] = {}
    for check in (*checks, *shown):
        key = (check.attack, check.metric)
        if key in found or check.metric.audited:
            continue
        if _is_itself(prepared, scored, baseline, ranks, check.attack):
            known: Difference | None = _itself(prepared, scored, check, level, episode_size)
        elif ranks is not None and check.attack in ranks:
            theirs = ranks[check.attack]
            known = _by_record(prepared, scored, theirs, check, levels, episode_size)
        else:
            known = _by_bounds(prepared, scored, baseline, check, levels, episode_size)
        if known is not None:
            found[key] = known
    return found


def _is_itself(
    prepared: Prepared,
    scored: Scored,
    baseline: Baseline,
    ranks: Mapping[str, Float] | None,
    attack: str,
) -> bool:
    """Whether the baseline is the candidate: the same weights, and the same order of records by
    this attack (the code around the weights may have changed since)."""
    if baseline.file is None:
        return ranks is None
    known = baseline.file.attacks.get(attack)
    return (
        known is not None
        and baseline.file.model.sha256 == scored.facts["sha256"]
        and known.ranks_sha256 == ranks_sha256(scored.ranks[attack], prepared.rows)
    )


def _itself(
    prepared: Prepared, scored: Scored, check: PlannedCheck, level: float, episode_size: int
) -> Difference:
    own = sides(scored.ranks[check.attack], prepared.rows, prepared.data.is_member)
    sizes = check.sizes(prepared.sizes)
    return same_model(check.metric, own, sizes, level=level, episode_size=episode_size)


def _by_bounds(
    prepared: Prepared,
    scored: Scored,
    baseline: Baseline,
    check: PlannedCheck,
    levels: Mapping[str, float],
    episode_size: int,
) -> Difference | None:
    """The difference to the aggregates; ``None`` where they do not hold the metric."""
    file = baseline.file
    bounds = None if file is None else file.bounds(check.attack, check.metric)
    if bounds is None:
        return None
    own = sides(scored.ranks[check.attack], prepared.rows, prepared.data.is_member)
    sizes = check.sizes(prepared.sizes)
    return compare_bounds(check.metric, own, bounds, sizes, **levels, episode_size=episode_size)


def _by_record(
    prepared: Prepared,
    scored: Scored,
    theirs: Float,
    check: PlannedCheck,
    levels: Mapping[str, float],
    episode_size: int,
) -> Difference:
    member = prepared.data.is_member[prepared.rows]
    models = [
        RecordScores.of(ranks[member], ranks[~member])
        for ranks in (scored.ranks[check.attack][prepared.rows], theirs[prepared.rows])
    ]
    seed = prepared.config.statistics.seed
    found = compare_paired(
        check.metric,
        Pair(*models),
        check.sizes(prepared.sizes),
        **levels,
        episode_size=episode_size,
        generator=random_generator(seed, "comparison", check.attack, str(check.metric)),
    )
    frozen = _frozen(prepared, scored.ranks[check.attack], theirs, check)
    return replace(found, counts={**found.counts, **frozen})


def _frozen(
    prepared: Prepared, own: Float, theirs: Float, check: PlannedCheck
) -> dict[str, int | float]:
    """Who is called a member (for TNR: a non-member) by one model alone, at thresholds frozen on
    the calibration split, and McNemar's p-value; empty where no threshold can be set there."""
    if check.learned or check.metric.name not in ("tpr_at_fpr", "tnr_at_fnr"):
        return {}
    data, sign = prepared.data, 1.0 if check.metric.name == "tpr_at_fpr" else -1.0
    counted: Boolean = data.is_member if sign > 0 else ~data.is_member
    calibration = prepared.independent & (data.split == Split.CALIBRATION) & ~counted
    judged = prepared.rows[counted[prepared.rows]]
    if not calibration.any():
        return {}
    rate = float(check.metric.argument or 0.0)

    def called(ranks: Float) -> Boolean:
        threshold = conformal_threshold(sign * ranks[calibration], rate)
        found: Boolean = sign * ranks[judged] > threshold
        return found

    first, second = called(own), called(theirs)
    one, two = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return {"candidate_only": one, "baseline_only": two, "mcnemar_p": mcnemar(one, two)}
