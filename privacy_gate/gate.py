"""The pipeline, top to bottom: configuration, fixtures, model, signals, attacks, checks, report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

from privacy_gate import provenance
from privacy_gate.baseline.comparing import compare
from privacy_gate.cache import OFF
from privacy_gate.calibration_lens.lens import calibration_lens
from privacy_gate.config import Config, load_config
from privacy_gate.domain import Report, Scores
from privacy_gate.fixture_checks.relative import beyond_blind, said
from privacy_gate.fixture_checks.running import with_model, without_model
from privacy_gate.guards import refuse_other_model
from privacy_gate.preparation import Prepared, prepare
from privacy_gate.ranking import sides
from privacy_gate.registry import MODEL
from privacy_gate.results import attack_result
from privacy_gate.scoring import Scored, guarded_accuracies, score_model
from privacy_gate.signals import Progress
from privacy_gate.terms import held_back
from privacy_gate.verdict import apply_waivers, judge, outcome, tolerated, wrong_directions

EPISODE_SIZE = 15


def run(
    config: Config | str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    fixtures: str | os.PathLike[str] | None = None,
    device: str | None = None,
    allow_roots: Iterable[str | os.PathLike[str]] = (),
    policy_ref: str | None = None,
    cache: str | os.PathLike[str] | None = OFF,
    progress: Progress | None = None,
) -> Report:
    """Run the gate and return its report.

    ``model``, ``fixtures``, ``device``, ``allow_roots`` and ``policy_ref`` are those of
    ``load_config`` and apply when ``config`` is a path. ``cache`` is that of ``cache.open_cache``;
    it is off unless asked for, because code that this process imported before it was changed would
    be kept as what its files hold now. Raises ``PrivacyGateError`` for bad usage, configuration,
    fixtures or model: there is no verdict then.
    """
    if not isinstance(config, Config):
        config = load_config(
            config,
            model=model,
            fixtures=fixtures,
            device=device,
            allow_roots=allow_roots,
            policy_ref=policy_ref,
        )
    return run_prepared(prepare(config, cache=cache), progress)


def run_prepared(prepared: Prepared, progress: Progress | None = None) -> Report:
    """Open the model, attack it and judge every check."""
    return run_and_keep(prepared, progress)[0]


def run_and_keep(
    prepared: Prepared, progress: Progress | None = None
) -> tuple[Report, Scored | None]:
    """The report, and the scores that it rests on; ``None`` where the model was not opened."""
    config, data, timed = prepared.config, prepared.data, prepared.stopwatch.step
    with timed("statistics"):
        unseen = without_model(prepared)
    if not prepared.decidable:
        report = prepared.without_verdict("Not run: another budget cannot be certified.")
        return replace(report, fixture_checks=unseen.checks), None
    scored = score_model(prepared, progress)
    refuse_other_model(data.receipt, scored.facts["sha256"], config.location("fixtures", "receipt"))
    compared = compare(prepared, scored, progress, EPISODE_SIZE)
    with timed("statistics"):
        evaluation = {
            name: sides(ranks, prepared.rows, data.is_member)
            for name, ranks in scored.ranks.items()
        }
        wrong = wrong_directions(evaluation)
        accuracies = guarded_accuracies(prepared, scored, bool(wrong))
        fixture_checks = (*unseen.checks, *with_model(prepared, scored, wrong))
        blocked = any(found.blocking for found in fixture_checks)
        # what says that something else is broken is neither waived nor tolerated
        distrusted = frozenset({*evaluation, MODEL}) if blocked else wrong
        level = (1 - config.statistics.confidence) / 2
        calibrated = None
        if scored.lens is not None:
            with timed("calibration"):
                calibrated = calibration_lens(prepared, scored.evidence, scored.lens)
        audited = None if scored.audit is None else scored.audit.measurements(level)
        judged, informational = (
            judge(
                planned,
                evaluation,
                prepared.sizes,
                confidence=config.statistics.confidence,
                episode_size=EPISODE_SIZE,
                wrong_direction=wrong,
                differences=compared.differences,
                audited=audited,
            )
            for planned in (prepared.programme.checks, prepared.programme.informational)
        )
        judged = held_back(judged, fixture_checks)
        waived = apply_waivers(judged, config.terms.waivers, prepared.today, distrusted)
        checks = (*waived, *prepared.programme.unmade())
        beyond = beyond_blind(prepared, unseen, scored.ranks, EPISODE_SIZE)
        attacks = [
            attack_result(
                attack,
                scored.scores[attack.name],
                scored.ranks[attack.name],
                evaluation[attack.name],
                prepared=prepared,
                labels=scored.labels,
                episode_size=EPISODE_SIZE,
                seconds=scored.seconds[attack.name],
            )
            for attack in prepared.programme.attacks
        ]
    report = Report(
        **{**prepared.facts(), "baseline": compared.facts},
        tolerated=tolerated(checks, prepared.tolerates_inconclusive, distrusted),
        verdict=outcome(checks, config.changes),
        complete=all(check.verdict != "not_run" for check in checks),
        model={
            **scored.facts,
            "accuracy": {side: asdict(value) for side, value in accuracies.items()},
        },
        checks=checks,
        informational=tuple(held_back(informational, fixture_checks)),
        fixture_checks=fixture_checks,
        attacks=(
            *(replace(own, beyond_blind=beyond.get(own.name)) for own in attacks),
            *prepared.programme.not_run,
        ),
        calibration=calibrated,
        overconfidence=None if scored.audit is None else scored.audit.facts,
        cautions=(
            *prepared.cautions(),
            *compared.cautions,
            *said(beyond),
            *_conditions(scored.scores),
        ),
        timing=prepared.stopwatch.timing(scored.forward_passes),
        environment=provenance.environment(scored.facts["device_name"], config.statistics.seed),
    )
    return report, scored


def _conditions(scores: Mapping[str, Scores]) -> list[str]:
    """What the intervals of an attack are conditional on."""
    return [f"{name}: intervals are {found.note}." for name, found in scores.items() if found.note]
