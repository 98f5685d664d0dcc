"""The pipeline, top to bottom: configuration, fixtures, model, signals, attacks, checks, report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from privacy_gate import provenance
from privacy_gate.baseline.comparing import compare
from privacy_gate.config import Config, load_config
from privacy_gate.domain import Report, Scores
from privacy_gate.guards import refuse_other_model
from privacy_gate.preparation import Prepared, prepare
from privacy_gate.ranking import sides
from privacy_gate.results import attack_result
from privacy_gate.scoring import Scored, guarded_accuracies, score_model
from privacy_gate.signals import Progress
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
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Run the gate and return its report.

    ``model``, ``fixtures``, ``device``, ``allow_roots`` and ``policy_ref`` are those of
    ``load_config`` and apply when ``config`` is a path; ``cache`` is that of ``cache.open_cache``.
    Raises ``PrivacyGateError`` for bad usage, configuration, fixtures or model: there is no verdict
    then.
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
    if not prepared.decidable:
        return prepared.without_verdict("Not run: another budget cannot be certified."), None
    config, data, timed = prepared.config, prepared.data, prepared.stopwatch.step
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
        judged = judge(
            prepared.programme.checks,
            evaluation,
            prepared.sizes,
            confidence=config.statistics.confidence,
            episode_size=EPISODE_SIZE,
            wrong_direction=wrong,
            differences=compared.differences,
        )
        informational = judge(
            prepared.programme.informational,
            evaluation,
            prepared.sizes,
            confidence=config.statistics.confidence,
            episode_size=EPISODE_SIZE,
            wrong_direction=wrong,
            differences=compared.differences,
        )
        waived = apply_waivers(judged, config.terms.waivers, prepared.today, wrong)
        checks = (*waived, *prepared.programme.unmade())
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
        tolerated=tolerated(checks, prepared.tolerates_inconclusive, wrong),
        verdict=outcome(checks, config.changes),
        complete=all(check.verdict != "not_run" for check in checks),
        model={
            **scored.facts,
            "accuracy": {side: asdict(value) for side, value in accuracies.items()},
        },
        checks=checks,
        informational=tuple(informational),
        attacks=(*attacks, *prepared.programme.not_run),
        cautions=(*prepared.cautions(), *compared.cautions, *_conditions(scored.scores)),
        timing=prepared.stopwatch.timing(scored.forward_passes),
        environment=provenance.environment(scored.facts["device_name"], config.statistics.seed),
    )
    return report, scored


def _conditions(scores: Mapping[str, Scores]) -> list[str]:
    """What the intervals of an attack are conditional on."""
    return [f"{name}: intervals are {found.note}." for name, found in scores.items() if found.note]
