"""The fixture checks of a run: those that need no model, then those that need its answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from privacy_gate.cache import Cache
from privacy_gate.domain import (
    Boolean,
    FixtureCheck,
    Fixtures,
    Float,
    Integer,
    Split,
    random_generator,
)
from privacy_gate.fixture_checks import blind_baseline as blind
from privacy_gate.fixture_checks.accuracy import fitted
from privacy_gate.fixture_checks.direction import direction
from privacy_gate.fixture_checks.duplicates import duplicates
from privacy_gate.fixture_checks.groups import group_sizes
from privacy_gate.fixture_checks.label_shift import label_shift
from privacy_gate.fixture_checks.minimum_size import minimum_size
from privacy_gate.fixture_checks.sampling import looked_at, sampled
from privacy_gate.fixture_checks.ties import saturated
from privacy_gate.preparation import Prepared
from privacy_gate.scoring import Scored
from privacy_gate.terms import blocking

KIND = "fixture-checks"


@dataclass(frozen=True, slots=True, eq=False)
class ModelFree:
    """The ``checks`` that need no model, and the blind ``scores`` (k,) of the evaluation records in
    ``rows`` (k,); both empty where nothing could be learned."""

    checks: tuple[FixtureCheck, ...]
    rows: Integer
    scores: Float


def without_model(prepared: Prepared) -> ModelFree:
    """Run what needs no model, or find it in the cache: records that are verified stay the same."""
    config, data = prepared.config, prepared.data
    metrics = [check.metric for check in prepared.programme.checks]
    size = minimum_size(metrics, prepared.sizes, config.statistics.confidence)
    verified = config.fixtures.verify in (None, "all")
    cache = prepared.cache if verified else Cache()
    parts = {
        "fixtures": data.sha256,
        "loader": config.fixtures.loader and [config.fixtures.loader, prepared.code_sha256],
        "labels": data.labels,
        "split": data.split,
        "independent": prepared.independent,
        "keys": prepared.keys,
        "seed": config.statistics.seed,
    }
    entry = cache.get(KIND, parts)
    if entry is None:
        found = model_free(data, prepared.keys, prepared.independent, config.statistics.seed)
        facts = {"checks": [asdict(check) for check in found.checks]}
        cache.put(KIND, parts, {"rows": found.rows, "scores": found.scores}, facts)
    else:
        checks = tuple(FixtureCheck(**check) for check in entry.facts["checks"])
        found = ModelFree(checks, entry.arrays["rows"], entry.arrays["scores"])
    accepted = config.terms.accepted
    return ModelFree(blocking((*found.checks, size), accepted), found.rows, found.scores)


def with_model(
    prepared: Prepared, scored: Scored, wrong_direction: Collection[str]
) -> tuple[FixtureCheck, ...]:
    """Run what needs the model's answers. ``wrong_direction``: attacks with an AUC below 0.5."""
    data, found = prepared.data, []
    if scored.signals.predicted is not None:
        correct = scored.signals.predicted == scored.labels
        rows = prepared.independent
        found.append(fitted(correct[rows], data.is_member[rows]))
    found.append(direction(len(scored.scores), wrong_direction))
    reads_scores = {a.name for a in prepared.programme.attacks if a.access != "labels"}
    scores = {
        name: scores.values[prepared.rows]
        for name, scores in scored.scores.items()
        if name in reads_scores
    }
    found.append(saturated(scores))
    return blocking(found, prepared.config.terms.accepted)


def model_free(
    data: Fixtures, keys: NDArray[np.uint64], independent: Boolean, seed: int
) -> ModelFree:
    """What can be said of verified fixtures alone. ``keys`` (N,) choose records where there are too
    many, ``independent`` (N,) are those that count; ``seed`` draws what the tests compare with."""
    rows = sampled(data, keys, independent)
    described, places = looked_at(data, rows)
    labels = np.unique(data.labels, return_inverse=True)[1].reshape(-1)

    def generator(name: str) -> np.random.Generator:
        return random_generator(seed, KIND, name)

    test = blind.blind_baseline(described, generator("blind-baseline"))
    checks = (
        test.check,
        duplicates(_exact(data.shared, data.is_member), places, data.is_member[rows]),
        group_sizes(data.groups, data.is_member, generator("groups")),
        label_shift(
            labels[independent],
            data.is_member[independent],
            data.classes,
            generator("label-shift"),
        ),
    )
    if test.scores is None:
        return ModelFree(checks, np.empty(0, np.int64), np.empty(0))
    return ModelFree(checks, rows[data.split[rows] == Split.EVALUATION], test.scores)


def _exact(shared: Boolean | None, is_member: Boolean) -> tuple[int, int]:
    if shared is None:
        return 0, 0
    return int((shared & is_member).sum()), int((shared & ~is_member).sum())
