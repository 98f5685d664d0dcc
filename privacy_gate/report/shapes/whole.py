"""A whole report, and the one sentence about what is wrong with it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from privacy_gate.errors import UsageError
from privacy_gate.report.shapes.attacks import Attack
from privacy_gate.report.shapes.calibration import Calibration
from privacy_gate.report.shapes.checks import Check
from privacy_gate.report.shapes.facts import (
    Base,
    Baseline,
    Change,
    Config,
    Environment,
    Error,
    FixtureCheck,
    Fixtures,
    Model,
    Override,
    Policy,
    Reused,
    Run,
    Timing,
    Waiver,
)
from privacy_gate.report.shapes.overconfidence import Overconfidence
from privacy_gate.report.shapes.values import Name, Part, Short, Words


class Report(Part):
    """A whole report."""

    name: Name
    verdict: Literal["pass", "fail", "inconclusive", "error"]
    complete: bool
    run: Run
    model: Model
    task: Short
    config: Config
    fixtures: Fixtures
    checks: Annotated[tuple[Check, ...], Field(max_length=2_000)]
    informational: Annotated[tuple[Check, ...], Field(max_length=2_000)] = ()
    attacks: Annotated[tuple[Attack, ...], Field(max_length=500)]
    fixture_checks: Annotated[tuple[FixtureCheck, ...], Field(max_length=200)]
    policy: Policy | None = None
    overrides: Annotated[tuple[Override, ...], Field(max_length=50)]
    waivers: Annotated[tuple[Waiver, ...], Field(max_length=2_000)]
    cautions: Annotated[tuple[Words, ...], Field(max_length=2_000)]
    tolerated: bool = False
    changes: Annotated[tuple[Change, ...], Field(max_length=5_000)] = ()
    base: Base | None = None
    baseline: Baseline | None = None
    overconfidence: Overconfidence | None = None
    calibration: Calibration | None = None
    reused: Reused | None = None
    error: Error | None = None
    timing: Timing = Timing()
    environment: Environment = Environment()

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        verdicts = {check.verdict for check in self.checks}
        everything = (*self.checks, *self.informational)
        if len({check.id for check in everything}) != len(everything):
            raise ValueError("a check is there twice")
        if (self.verdict == "error") != (self.error is not None):
            raise ValueError("verdict and error contradict each other")
        if self.verdict == "pass" and (verdicts != {"pass"} or not self.complete):
            raise ValueError("it passes although a check does not")
        if self.verdict == "pass" and any(change.blocking for change in self.changes):
            raise ValueError("it passes although a change of the terms blocks it")
        if self.verdict == "pass" and any(check.blocking for check in self.fixture_checks):
            raise ValueError("it passes although a fixture check blocks it")
        if self.complete and ("not_run" in verdicts or self.verdict == "error"):
            raise ValueError("it is not complete")
        return self


def refuse(text: str) -> None:
    """Raise ``UsageError`` unless the JSON ``text`` is a report of this shape."""
    try:
        Report.model_validate_json(text, strict=True)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[0]
        reason = found["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"The report is damaged at {_place(found['loc'])}: {reason[:1].lower()}{reason[1:]}."
        ) from None


def _place(location: tuple[int | str, ...]) -> str:
    """``checks[3].budget``; a key that is no plain word is left out, since it is untrusted."""
    place = ""
    for part in location:
        plain = isinstance(part, str) and part.isidentifier() and part.isascii() and len(part) < 40
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if plain else ".?"
    return place.lstrip(".") or "the top"
