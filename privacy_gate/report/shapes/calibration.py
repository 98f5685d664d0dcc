"""What a report says about attacks on calibrated answers."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from privacy_gate.report.shapes.overconfidence import Error, LeftOut
from privacy_gate.report.shapes.values import Count, Interval, Name, Number, Part, Share, Words


class Found(Part):
    """What one attack finds."""

    name: Name
    auc: Interval
    tpr: Interval


class Variant(Part):
    """The model as it is, or calibrated."""

    name: Name
    words: Words
    parameter: Number | None
    accuracy: Share
    ece: Error
    overconfidence_error: Error
    attacks: Annotated[tuple[Found, ...], Field(max_length=100)]


class Calibration(Part):
    """The calibration lens; absent where class scores are not seen."""

    fpr: Annotated[float, Field(gt=0, lt=1)]
    bins: Annotated[int, Field(ge=1, le=1000)]
    calibration_records: Count
    variants: Annotated[tuple[Variant, ...], Field(min_length=1, max_length=20)]
    missing: Annotated[tuple[LeftOut, ...], Field(max_length=20)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError("a variant is there twice")
        for variant in self.variants:
            if len({attack.name for attack in variant.attacks}) != len(variant.attacks):
                raise ValueError("an attack is there twice")
        return self
