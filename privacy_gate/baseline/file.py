"""The baseline file, schema ``privacy-gate.baseline/1``: what one model's scores said, in numbers
and digests of all records together, never of one. Strict to read: it may come from anywhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from privacy_gate.domain import Method, Metric
from privacy_gate.errors import ConfigError, PrivacyGateError, UsageError
from privacy_gate.statistics.difference import Bounds

LARGEST_FILE = 4 << 20
"""Bytes; 1 000 attacks with ten metrics each need half of that."""

UPDATE = "Make a new one: privacy-gate baseline update."

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Level = Annotated[float, Field(gt=0, lt=0.5, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=10**9)]
_Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
_Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{0,400}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, protected_namespaces=(), populate_by_name=True
    )


class Sides(_Strict):
    """Evaluation records a side."""

    members: Annotated[int, Field(ge=2, le=10**9)]
    nonmembers: Annotated[int, Field(ge=2, le=10**9)]


class Entry(_Strict):
    """One metric of one attack: bounds at both levels, ``None`` where it could not be measured."""

    estimate: _Share | None
    low: _Share | None
    high: _Share | None
    holm_low: _Share | None
    holm_high: _Share | None
    method: Method
    counts: Annotated[dict[_Name, _Count], Field(max_length=10)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        known = (self.estimate, self.low, self.high, self.holm_low, self.holm_high)
        values = [value for value in known if value is not None]
        if not values:
            return self
        # each error has its own threshold: a surer bound may be the tighter one
        if len(values) < len(known) or not (
            max(values[1], values[3]) <= values[0] <= min(values[2], values[4])
        ):
            raise ValueError("its bounds contradict each other")
        return self


class AttackEntry(_Strict):
    """What one attack measured. ``ranks_sha256``: digest of the order it put the records in, which
    shows whether a model is the same."""

    ranks_sha256: _Digest
    metrics: dict[_Name, Entry]

    @field_validator("metrics")
    @classmethod
    def _known(cls, metrics: dict[str, Entry]) -> dict[str, Entry]:
        for name in metrics:
            if str(Metric.parse(name)) != name:
                raise ValueError(f"no metric is called {name!r}")
        return metrics


class ModelEntry(_Strict):
    """The model that was judged."""

    path: _Text
    format: _Name
    sha256: _Digest


class BaselineFile(_Strict):
    """The whole file. ``level`` and ``holm_level`` are the errors of the bounds, half of λ and of
    λ/M; ``judged`` holds the digests of all models that were judged on these fixtures."""

    schema_name: Literal["privacy-gate.baseline/1"] = Field(
        "privacy-gate.baseline/1", alias="schema"
    )
    name: _Name
    date: _Name
    tool_version: _Name
    commit: _Name | None
    model: ModelEntry
    fixtures_sha256: _Digest
    config_sha256: _Digest
    evaluation: Sides
    settings: dict[_Name, _Text]
    confidence: Annotated[float, Field(ge=0.5, lt=1, allow_inf_nan=False)]
    checks: Annotated[int, Field(ge=1, le=10**6)]
    level: _Level
    holm_level: _Level
    attacks: Annotated[dict[_Name, AttackEntry], Field(min_length=1)]
    judged: tuple[_Digest, ...]
    scores_sha256: _Digest | None = None
    """Digest of the scores kept beside this file, if they are."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        error = (1 - self.confidence) / 2
        wanted = (error / 2, error / (2 * self.checks))
        found = (self.level, self.holm_level)
        if any(abs(a - b) > 1e-9 * b for a, b in zip(found, wanted, strict=True)):
            raise ValueError("its levels are not those of its confidence and checks")
        return self

    def bounds(self, attack: str, metric: Metric) -> Bounds | None:
        """What is known of a metric, ``None`` if nothing is."""
        entry = self.attacks.get(attack)
        found = None if entry is None else entry.metrics.get(str(metric))
        if found is None:
            return None
        return Bounds(
            estimate=found.estimate,
            low=found.low,
            high=found.high,
            level=self.level,
            holm_low=found.holm_low,
            holm_high=found.holm_high,
            holm_level=self.holm_level,
            method=found.method,
            counts=found.counts,
        )


def read_baseline(path: Path, shown: str) -> BaselineFile:
    """Read and check a baseline file; ``shown`` is its path for messages.

    Raises ``ConfigError`` with the place for whatever is wrong with it.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _broken(shown, f"cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_FILE:
        raise _broken(shown, f"is larger than {LARGEST_FILE >> 20} MiB")
    if content.startswith(b"version https://git-lfs"):
        raise ConfigError(
            "The baseline is a Git LFS pointer, not the file.",
            hint="Run: git lfs pull (in GitHub Actions: checkout with lfs: true).",
            location=shown,
        )
    try:
        written = json.loads(content, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _broken(shown, "is no JSON that can be used") from None
    if not isinstance(written, dict):
        raise _broken(shown, "is no JSON object")
    digest = written.pop("digest", None)
    try:
        found = BaselineFile.model_validate_json(json.dumps(written))
    except (ValidationError, ValueError, RecursionError) as error:
        raise _broken(shown, _place(error)) from None
    if digest != _digest(written):
        raise _broken(shown, "was edited by hand: its digest is not that of its content")
    return found


def write_baseline(path: Path, file: BaselineFile, shown: str) -> None:
    """Write the file whole or not at all. Raises ``UsageError`` where that is not possible."""
    content = file.model_dump(mode="json", by_alias=True)
    text = json.dumps({**content, "digest": _digest(content)}, indent=1, ensure_ascii=False) + "\n"
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)  # as any committed file: it holds no secret
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise UsageError(f"The baseline {shown} cannot be written: {error.strerror}.") from None


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _broken(shown: str, what: str) -> PrivacyGateError:
    return ConfigError(f"The baseline {what}.", hint=UPDATE, location=shown)


def _place(error: Exception) -> str:
    """Where the content is wrong, never with a value of it."""
    if not isinstance(error, ValidationError):
        return "is damaged"
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    place = re.sub(r"[^\w.\[\]-]", "?", place)[:120]
    reason = first["msg"].removeprefix("Value error, ") if first["type"] == "value_error" else ""
    return f"is damaged at {place or 'the top'}" + (f": {reason}" if reason else "")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The mapping; ``ValueError`` for a key that is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found
