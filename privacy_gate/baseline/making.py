"""A baseline file from a finished run, and what changed against the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from privacy_gate.baseline.file import (
    AttackEntry,
    BaselineFile,
    Entry,
    ModelEntry,
    Sides,
)
from privacy_gate.baseline.finding import measuring_settings
from privacy_gate.domain import Float, Integer, Metric, Report
from privacy_gate.preparation import Prepared
from privacy_gate.ranking import sides
from privacy_gate.scoring import Scored
from privacy_gate.statistics.difference import Bounds, between


def make_baseline(
    prepared: Prepared,
    scored: Scored,
    report: Report,
    old: BaselineFile | None,
    episode_size: int,
    scores_sha256: str | None = None,
) -> BaselineFile:
    """The aggregates of every budgeted metric for every attack. Models judged on the same fixtures
    before, as ``old`` lists them, stay listed. ``scores_sha256``: digest of the stored scores."""
    programme, confidence = prepared.programme, prepared.config.statistics.confidence
    # the increases that have no baseline yet count as well: from now on they are judged
    checks = (*programme.checks, *programme.waiting)
    level = (1 - confidence) / 4
    metrics = sorted({check.metric for check in checks if not check.metric.audited}, key=str)
    learned = {check.attack for check in checks if check.learned}
    same_fixtures = old is not None and old.fixtures_sha256 == prepared.data.sha256
    judged = old.judged if old is not None and same_fixtures else ()
    return BaselineFile(
        name=prepared.config.name,
        date=str(report.run["finished"]),
        tool_version=str(report.run["tool_version"]),
        commit=report.run.get("commit"),
        model=ModelEntry(
            path=scored.facts["path"],
            format=scored.facts["format"],
            sha256=scored.facts["sha256"],
        ),
        fixtures_sha256=prepared.data.sha256,
        config_sha256=prepared.config.sha256,
        evaluation=Sides(members=prepared.sizes.members, nonmembers=prepared.sizes.nonmembers),
        settings=measuring_settings(prepared.config),
        confidence=confidence,
        checks=len(checks),
        level=level,
        holm_level=level / len(checks),
        attacks={
            attack.name: _attack_entry(
                prepared,
                scored.ranks[attack.name],
                metrics,
                attack.name in learned,
                (level, level / len(checks)),
                episode_size,
            )
            for attack in programme.attacks
        },
        judged=tuple(dict.fromkeys((*judged, scored.facts["sha256"]))),
        scores_sha256=scores_sha256,
    )


def _attack_entry(
    prepared: Prepared,
    ranks: Float,
    metrics: list[Metric],
    learned: bool,
    levels: tuple[float, float],
    episode_size: int,
) -> AttackEntry:
    evaluation = sides(ranks, prepared.rows, prepared.data.is_member)
    sizes = prepared.sizes_of(learned)
    entries = {}
    for metric in metrics:
        found = Bounds.of(metric, evaluation, sizes, *levels, episode_size)
        entries[str(metric)] = Entry(
            estimate=found.estimate,
            low=found.low,
            high=found.high,
            holm_low=found.holm_low,
            holm_high=found.holm_high,
            method=found.method,
            counts=dict(found.counts),
        )
    return AttackEntry(ranks_sha256=ranks_sha256(ranks, prepared.rows), metrics=entries)


def ranks_sha256(ranks: Float, rows: Integer) -> str:
    """Digest of the order in which an attack puts the records ``rows``: it tells whether two models
    are the same to it, and nothing about a record."""
    order = np.argsort(ranks[rows]).astype("<i8")
    return hashlib.sha256(order.tobytes()).hexdigest()


def what_changed(old: BaselineFile | None, new: BaselineFile) -> Iterator[str]:
    """Sentences for the terminal: how the new baseline differs from the one before."""
    if old is None:
        yield "There was no baseline before."
        return
    if old.fixtures_sha256 != new.fixtures_sha256:
        yield "The one before was on other fixtures: nothing is compared."
        return
    if old.model.sha256 == new.model.sha256:
        yield "It is the model of the one before."
    rows = list(_differences(old, new))
    credible = [row for row in rows if row[2] is not None]
    values = "1 value" if len(rows) == 1 else f"{len(rows)} values"
    yield f"{values} compared with the one before, {len(credible)} credibly different."
    for name, sentence, word in sorted(credible, key=lambda row: (row[2] != "higher", row[0])):
        yield f"  {word:<7} {name}: {sentence}"


def _differences(old: BaselineFile, new: BaselineFile) -> Iterator[tuple[str, str, str | None]]:
    """Check name, sentence, and ``higher`` or ``lower`` where that is credible."""
    for attack, entry in new.attacks.items():
        for name in entry.metrics:
            metric = Metric.parse(name)
            before, after = old.bounds(attack, metric), new.bounds(attack, metric)
            if before is None or after is None:
                continue
            found = between(metric, after, before, paired=False)
            if found.difference is None or found.low is None or found.high is None:
                continue
            word = "higher" if found.low > 0 else "lower" if found.high < 0 else None
            yield f"{attack}/{name}", f"{before.estimate:.3f} -> {after.estimate:.3f}", word
