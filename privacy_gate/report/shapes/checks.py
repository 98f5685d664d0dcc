"""What a report says about one check."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from privacy_gate.domain import Metric
from privacy_gate.report.shapes.values import (
    POINTS,
    Budget,
    Count,
    Line,
    Method,
    Name,
    Number,
    Part,
    Share,
    Shift,
    Short,
    Words,
)


class Characteristic(Part):
    """Chances of each verdict along a true value."""

    leak: Annotated[tuple[Shift, ...], Field(max_length=POINTS)]
    passes: Annotated[tuple[Share, ...], Field(max_length=POINTS, alias="pass")]
    fails: Annotated[tuple[Share, ...], Field(max_length=POINTS, alias="fail")]
    inconclusive: Annotated[tuple[Share, ...], Field(max_length=POINTS)]

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if len({len(self.leak), len(self.passes), len(self.fails), len(self.inconclusive)}) != 1:
            raise ValueError("its columns differ in length")
        return self


class Comparison(Part):
    """The baseline's value, and the difference to it."""

    estimate: Shift | None
    difference: Shift | None
    low: Shift | None
    high: Shift | None
    paired: bool
    method: Method
    word: Literal["within noise", "higher", "lower"]


class Check(Part):
    """One budget and its verdict."""

    id: Short
    attack: Name
    metric: Short
    arguments: Annotated[dict[Short, Share | Short], Field(max_length=1)]
    budget: Budget
    line: Line | None
    verdict: Literal["pass", "fail", "inconclusive", "waived", "not_run"]
    message: Words
    advice: Words = ""
    estimate: Shift | None = None
    low: Shift | None = None
    high: Shift | None = None
    null: Shift | None = None
    null_p: Share | None = None
    p_value: Share | None = None
    counts: dict[Short, Count | Number | None] = Field(default_factory=dict, max_length=50)
    characteristic: Characteristic | None = None
    increase: bool = False
    path: Words | None = None
    baseline: Comparison | None = None
    waiver: Annotated[dict[Short, Words], Field(max_length=10)] | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        argument = next(iter(self.arguments.values()), None)
        try:
            metric = Metric.parse(self.metric if argument is None else f"{self.metric}[{argument}]")
        except ValueError:
            raise ValueError("its metric is not known") from None
        ending = ":increase" if self.increase else ""
        if metric.arguments != self.arguments or self.id != f"{self.attack}/{metric}{ending}":
            raise ValueError("its id is not that of its attack and metric")
        if not self.increase and any((x or 0) < 0 for x in (self.low, self.estimate, self.high)):
            raise ValueError("a rate is negative")
        if self.verdict == "pass" and (self.high is None or self.high > self.budget):
            raise ValueError("it passes although its upper bound is not within the budget")
        return self
