"""What a report says about one attack."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from privacy_gate.report.shapes.values import (
    POINTS,
    Count,
    Interval,
    Method,
    Name,
    Part,
    Seconds,
    Share,
    Shift,
    Short,
    Sides,
    Words,
)


class Rate(Interval):
    """A row of TPR at FPR or TNR at FNR."""

    fpr: Share | None = None
    fnr: Share | None = None
    method: Method
    true_positives: Count
    false_positives: Count
    observable: bool
    k_hi: Count | None = None
    k_lo: Count | None = None
    null_p: Share | None = None


class LogMia(Part):
    """A row of Log-MIA."""

    regime: Literal["a", "b"]
    true_positives: Count
    value: Share
    null_mean: Share
    null_q95: Share
    null_p: Share
    episode_size: Count
    episode_mean: Share | None
    episode_low: Share | None
    episode_high: Share | None
    episode_null_mean: Share
    episode_excess: Annotated[float, Field(ge=-100, le=1)] | None
    word: Short | None
    method: Method
    note: Words | None


class OperatingPoint(Part):
    """A fixed threshold on evaluation records."""

    target_fpr: Share
    true_positives: Count
    false_positives: Count
    tpr: Interval
    fpr: Interval
    ppv: Annotated[dict[Short, Share | None], Field(max_length=20)]
    distinguishability: Annotated[float, Field(ge=0, le=1e3)]


class Spread(Part):
    """Mean and deviation over single draws."""

    mean: Share | None
    sd: Share | None


class Paper(Part):
    """A mean over episodes of the published protocol."""

    mean: Share
    half_width: Annotated[float, Field(ge=0, le=10)]
    null: Share


class FewShot(Part):
    """What an ensemble of few-shot attackers is."""

    title: Words
    shots: Count
    draws: Count
    features: Short | None = None
    pool: Sides
    note: Words
    paper: Annotated[dict[Short, Paper], Field(max_length=20)] | None = None
    single_draw: Annotated[dict[Short, Spread], Field(max_length=20)]

    @model_validator(mode="after")
    def _area(self) -> Self:
        if "auc" not in self.single_draw:
            raise ValueError("the AUC of a single draw is missing")
        return self


class Roc(Part):
    """Points of a ROC with its band; empty where the attack did not run."""

    fpr: Annotated[tuple[Share, ...], Field(max_length=POINTS)] = ()
    tpr: Annotated[tuple[Share, ...], Field(max_length=POINTS)] = ()
    low: Annotated[tuple[Share, ...], Field(max_length=POINTS)] = ()
    high: Annotated[tuple[Share, ...], Field(max_length=POINTS)] = ()

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if len({len(self.fpr), len(self.tpr), len(self.low), len(self.high)}) != 1:
            raise ValueError("its columns differ in length")
        if any(a > b for a, b in pairwise(self.fpr)):
            raise ValueError("its rates do not rise")
        return self


class Histogram(Part):
    """Shares of both sides between edges; empty where the attack did not run."""

    edges: Annotated[tuple[float, ...], Field(max_length=POINTS)] = ()
    members: Annotated[tuple[Share, ...], Field(max_length=POINTS)] = ()
    nonmembers: Annotated[tuple[Share, ...], Field(max_length=POINTS)] = ()

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        bins = max(0, len(self.edges) - 1)
        if (len(self.members), len(self.nonmembers)) != (bins, bins):
            raise ValueError("its columns differ in length")
        rising = all(a <= b for a, b in pairwise(self.edges))
        if self.edges and not (rising and self.edges[0] < self.edges[-1]):
            raise ValueError("its edges do not rise")
        return self


class Ties(Part):
    """Records in blocks of equal scores; empty where the attack did not run."""

    largest_block: Count = 0
    at_top: Count = 0


class Beyond(Part):
    """An attack, a blind one, and the difference."""

    attack: Share
    blind: Share
    difference: Shift
    low: Shift
    high: Shift


class BeyondAtRate(Beyond):
    """The same at a false positive rate."""

    fpr: Share


class BeyondBlind(Part):
    """What an attack gets beyond one that never asks the model."""

    members: Count
    nonmembers: Count
    auc: Beyond
    tpr_at_fpr: Annotated[tuple[BeyondAtRate, ...], Field(max_length=100)] = ()


class Attack(Part):
    """One attack."""

    name: Name
    family: Short
    access: Short
    status: Literal["ran", "not_run"]
    reason: Words = ""
    queries_per_record: Count = 0
    seconds: Seconds = 0.0
    ties: Ties = Ties()
    auc: Interval | None = None
    tpr_at_fpr: Annotated[tuple[Rate, ...], Field(max_length=100)] = ()
    tnr_at_fnr: Annotated[tuple[Rate, ...], Field(max_length=100)] = ()
    log_mia: Annotated[tuple[LogMia, ...], Field(max_length=100)] = ()
    operating_point: dict[Short, OperatingPoint] = Field(default_factory=dict, max_length=20)
    few_shot: FewShot | None = None
    method: Words = ""
    beyond_blind: BeyondBlind | None = None
    roc: Roc = Roc()
    histogram: Histogram = Histogram()
