"""What a report says about the run, the model, the fixtures and the terms."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from privacy_gate.report.shapes.values import (
    Count,
    Digest,
    Interval,
    Line,
    Message,
    Number,
    Part,
    Seconds,
    Share,
    Short,
    Sides,
    Words,
)


class Run(Part):
    """When, by what and of which commit."""

    started: Short
    finished: Short
    tool_version: Short
    commit: Short | None = None
    ref: Short | None = None
    repository: Short | None = None
    run_url: Words | None = None
    cached: list[Short] = Field(default_factory=list, max_length=100)


class Accuracies(Part):
    """The accuracy on both sides, or on none."""

    members: Interval | None = None
    nonmembers: Interval | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.members is None) != (self.nonmembers is None):
            raise ValueError("one side is missing")
        return self


class Model(Part):
    """The candidate; empty after an error, path and format alone where it was not opened."""

    path: Words | None = None
    format: Short | None = None
    sha256: Digest | None = None
    device: Short | None = None
    device_name: Short | None = None
    precision: Short | None = None
    batch_size: Count | None = None
    accuracy: Accuracies = Accuracies()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        named = (self.path, self.format)
        if self.model_fields_set and None in named:
            raise ValueError("path or format is missing")
        if self.model_fields_set - {"path", "format"} and None in (self.sha256, self.device):
            raise ValueError("sha256 or device is missing")
        return self


class Fixtures(Part):
    """The records; empty after an error."""

    path: Words | None = None
    sha256: Digest | None = None
    members: Count | None = None
    nonmembers: Count | None = None
    evaluation: Sides | None = None
    training_records: Count | None = None
    member_sampling: Short | None = None
    assignment: Short | None = None
    ood: dict[Short, Count] = Field(default_factory=dict, max_length=100)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = (self.sha256, self.members, self.nonmembers, self.evaluation, self.assignment)
        if self.model_fields_set and None in needed:
            raise ValueError("sha256, assignment or a size is missing")
        return self


class FixtureCheck(Part):
    """One check of the fixtures."""

    name: Short
    message: Words
    statistic: Number | None = None
    advice: Words = ""
    low: Number | None = None
    high: Number | None = None
    p_value: Share | None = None
    level: Share | None = None
    blocking: bool = False
    accepted: Words = ""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.blocking and self.accepted:
            raise ValueError("it is accepted and blocks")
        return self


class Change(Part):
    """A difference to the base branch."""

    key: Words
    base: Words | None
    head: Words | None
    message: Words
    blocking: bool
    line: Line | None = None


class Override(Part):
    """A value that replaced one of the configuration."""

    key: Short
    written: Annotated[Words | None, Field(alias="from")] = None
    to: Words | None = None
    source: Short


class Waiver(Part):
    """What is tolerated, and until when."""

    check: Short
    reason: Words
    until: Short
    expired: bool
    approved_by: Short | None = None


class File(Part):
    """A file the run read."""

    path: Words | None = None
    sha256: Digest | None = None


class Policy(File):
    """The policy, and who owns it."""

    owner: Words | None = None


class Config(File):
    """The configuration, the file it extends, and the digest of code and baseline that it names."""

    extends: File | None = None
    code_sha256: Digest | None = None
    baseline_sha256: Digest | None = None


class Base(Part):
    """Where the terms of the base branch were read from."""

    ref: Short | None = None
    commit: Short | None = None


class Baseline(Part):
    """What increases are compared with."""

    kind: Short
    path: Words | None = None
    model_sha256: Digest | None = None
    judged: Count | None = None
    message: Words | None = None


class Reused(Part):
    """The earlier run whose verdict this report repeats."""

    commit: Short | None = None
    run_url: Words | None = None
    finished: Short | None = None
    reason: Words | None = None


class Error(Part):
    """Why there is no verdict."""

    type: Short
    message: Message
    hint: Message | None = None
    location: Words | None = None


class Timing(Part):
    """Seconds."""

    total: Seconds | None = None
    load: Seconds | None = None
    forward: Seconds | None = None
    attacks: Seconds | None = None
    overconfidence: Seconds | None = None
    calibration: Seconds | None = None
    statistics: Seconds | None = None
    forward_passes_per_record: Count | None = None


class Environment(Part):
    """What the numbers depend on."""

    python: Short | None = None
    versions: dict[Short, Short] = Field(default_factory=dict, max_length=100)
    platform: Short | None = None
    device_name: Short | None = None
    seed: Annotated[int, Field(ge=0, le=2**53)] = 0
