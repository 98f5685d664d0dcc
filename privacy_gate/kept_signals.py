"""The signals of a model from the cache of the run, in the place of the forward pass.

The model is opened all the same, so that a file that is refused without a cache is refused with
one. The second pass over the first batch, which shows that the model is not random, came before the
signals were kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from privacy_gate import provenance
from privacy_gate.cache import Arrays, Cache, Entry
from privacy_gate.domain import Signals
from privacy_gate.fixtures.reference import ReferredRecords
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.preparation import Prepared

KIND = "signals"

_COLUMN = "column "
_WITHOUT_INFLUENCE = {"path", "sha256", "expected"}
"""Keys of the model section that say where the model is, or what is demanded of it."""


def signals_of(
    prepared: Prepared,
    model: LoadedModel,
    *,
    features: bool,
    surface: str,
    make: Callable[[], tuple[Signals, int]],
) -> tuple[Signals, int, bool]:
    """The signals of all records on a surface of the model, the records per batch, and whether both
    come from the cache; ``make`` computes them. With ``features`` the model answers them, too.

    Records that are referred to are hashed again, though not decoded, where they come from it.
    Raises what ``make`` raises, and ``FixtureError`` for a record that is missing or altered.
    """
    cache, records = trusted_cache(prepared), prepared.data.records
    parts = {**dependencies(prepared, model, features=features), "named": surface}
    with prepared.stopwatch.step("forward"):
        entry = cache.get(KIND, parts)
        if entry is not None:
            if isinstance(records, ReferredRecords):
                records.check()
            kind, classes = entry.facts["seen"]
            model.seen = kind, classes  # as after the forward pass
            return _signals(entry), int(entry.facts["batch_size"]), True
    signals, batch_size = make()
    cache.put(KIND, parts, _arrays(signals), {"batch_size": batch_size, "seen": model.seen})
    return signals, batch_size, False


def trusted_cache(prepared: Prepared) -> Cache:
    """That of the run, unless records may change without anyone noticing."""
    verified = prepared.config.fixtures.verify in (None, "all")
    return prepared.cache if verified else Cache()


def dependencies(prepared: Prepared, model: LoadedModel, *, features: bool) -> dict[str, Any]:
    """All that signals depend on; where records that are referred to lie does not count, as every
    one of them is verified."""
    config, data = prepared.config, prepared.data
    output = config.model.output
    return {
        "model": model.sha256,
        "settings": config.model.model_dump(exclude=_WITHOUT_INFLUENCE),
        "device": [model.device, provenance.device_name(model.device), list(model.providers)],
        "precision": model.precision,
        "surface": repr(model.surface),
        # random answers, and hamp's random inputs, are drawn from the seed
        "seed": config.statistics.seed if output.repeats or output.transforms else None,
        "features": features,
        "outputs": prepared.reads_outputs,
        "task": [config.task, config.signals],
        "code": prepared.code_sha256,
        "fixtures": data.sha256,
        "loader": config.fixtures.loader,
        "labels": data.labels,
        "identifiers": data.identifiers,
    }


def _arrays(signals: Signals) -> Arrays:
    arrays = {f"{_COLUMN}{name}": values for name, values in signals.columns.items()}
    others = {
        "predicted": signals.predicted,
        "features": signals.features,
        "outputs": signals.outputs,
    }
    return arrays | {name: values for name, values in others.items() if values is not None}


def _signals(entry: Entry) -> Signals:
    columns = {
        name.removeprefix(_COLUMN): values
        for name, values in entry.arrays.items()
        if name.startswith(_COLUMN)
    }
    others = {name: entry.arrays.get(name) for name in ("predicted", "features", "outputs")}
    return Signals(columns, **others)
