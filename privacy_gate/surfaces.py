"""The surfaces of a configured model: which there are, and what is done to its answers on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from privacy_gate.models.preprocess import Preprocess
from privacy_gate.models.surfaces import (
    Averaged,
    Deployed,
    Function,
    Hamp,
    Raw,
    Surface,
    Transform,
    input_ranges,
)

if TYPE_CHECKING:
    from privacy_gate.preparation import Prepared

SHOWN = ""
"""The name of the surface that the service shows."""

_SAMPLE = 1000
"""Calibration records that the range of random inputs is taken from, at most."""


def open_surfaces(prepared: Prepared, preprocess: Preprocess) -> dict[str, Surface | None]:
    """Name -> surface, the shown one first; ``None`` where the answers are taken as they are."""
    output = prepared.config.model.output
    transforms = tuple(
        _transform(prepared, preprocess, place, name)
        for place, name in enumerate(output.transforms)
    )
    deployed = Deployed(transforms)
    found: dict[str, Surface | None] = {SHOWN: deployed if transforms else None}
    for name in output.surfaces:
        found[name] = Raw() if name == "raw" else Averaged(deployed, output.repeats or 2)
    return found


def _transform(prepared: Prepared, preprocess: Preprocess, place: int, name: str) -> Transform:
    config = prepared.config
    keys = ("model", "output", "transforms", place)
    if name != "hamp":
        return Function(config.load_callable(name, *keys), name, config.location(*keys))
    from privacy_gate.overconfidence.sets import calibration_nonmembers

    rows = calibration_nonmembers(prepared)[:_SAMPLE]
    ranges = input_ranges([preprocess(prepared.data.records.take(rows))])
    return Hamp(ranges, config.statistics.seed)
