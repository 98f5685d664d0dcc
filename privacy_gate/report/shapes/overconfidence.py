"""What a report says about false alarms and calibration."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from privacy_gate.domain import SET_NAME
from privacy_gate.report.shapes.values import (
    Count,
    Interval,
    Method,
    Name,
    Number,
    Part,
    Share,
    Words,
)

SetName = Annotated[str, Field(pattern=f"^{SET_NAME}$")]
Kind = Literal["nonmembers", "transform", "generated", "ood"]
Rate = Annotated[float, Field(gt=0, lt=1)]
_MOST = 200


class Tried(Part):
    """A set of records that attacks were tried on."""

    name: SetName
    kind: Kind
    words: Words
    records: Annotated[int, Field(ge=1, le=10**9)]
    not_finite: Count
    labels: Literal["own", "predicted"]
    mean_confidence: Share | None


class Missing(Part):
    """A set that there is not."""

    name: SetName
    kind: Kind
    reason: Words


class Confidences(Part):
    """Mean largest probability of each confusion group; none of an empty one."""

    tp: Share | None = None
    fp: Share | None = None
    fn: Share | None = None
    tn: Share | None = None


class FalseAlarms(Part):
    """One attack on one set."""

    name: SetName
    called: Count
    total: Annotated[int, Field(ge=1, le=10**9)]
    not_finite: Count
    fpr: Interval
    drift: Number
    mmps: Confidences

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.called + self.not_finite > self.total:
            raise ValueError("more records are counted than there are")
        if abs(self.fpr.estimate - self.called / self.total) > 1e-9:
            raise ValueError("its rate is not that of its counts")
        return self


class Audited(Part):
    """One attack with its threshold."""

    name: Name
    threshold: float | None
    target_fpr: Rate
    evidence: Literal["yes", "no", "open"]
    sentence: Words
    groups: Confidences | None
    sets: Annotated[tuple[FalseAlarms, ...], Field(max_length=_MOST)]


class LeftOut(Part):
    """An attack that was not tried."""

    name: Name
    reason: Words


class Error(Interval):
    """A calibration error of one side."""

    records: Count
    method: Method


class Errors(Part):
    """The calibration errors of both sides, or of none."""

    members: Error | None = None
    nonmembers: Error | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.members is None) != (self.nonmembers is None):
            raise ValueError("one side is missing")
        return self


class Overconfidence(Part):
    """The audit; absent where the task has no classes."""

    target_fpr: Rate
    calibration_nonmembers: Count
    queries: Count
    sets: Annotated[tuple[Tried, ...], Field(max_length=_MOST)]
    missing: Annotated[tuple[Missing, ...], Field(max_length=_MOST)]
    attacks: Annotated[tuple[Audited, ...], Field(max_length=100)]
    left_out: Annotated[tuple[LeftOut, ...], Field(max_length=500)]
    ece: Errors
    overconfidence_error: Errors
    bins: Annotated[int, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        records = {tried.name: tried.records for tried in self.sets}
        names = [*records, *(missing.name for missing in self.missing)]
        if len(set(names)) != len(self.sets) + len(self.missing):
            raise ValueError("a set is there twice")
        if len({attack.name for attack in self.attacks}) != len(self.attacks):
            raise ValueError("an attack is there twice")
        for attack in self.attacks:
            tried = [(found.name, found.total) for found in attack.sets]
            if len({name for name, _ in tried}) != len(tried):
                raise ValueError("a set is there twice")
            if any(records.get(name) != total for name, total in tried):
                raise ValueError("an attack was tried on a set that there is not")
        return self
