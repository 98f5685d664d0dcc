"""The core types, all frozen. Data flows one way: fixtures, signals, scores, checks, report.

Sign convention, everywhere: **a higher score means "more likely a member"**.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Integer = NDArray[np.int64]
Boolean = NDArray[np.bool_]

Verdict = Literal["pass", "fail", "inconclusive", "waived", "not_run"]
Outcome = Literal["pass", "fail", "inconclusive", "error"]
Method = Literal["exact", "asymptotic"]


class Split(IntEnum):
    """The part of the fixtures a record belongs to, fixed by a keyed hash of its identifier."""

    SUPPORT = 0
    CALIBRATION = 1
    EVALUATION = 2


def decimal(rate: float) -> Decimal:
    """The decimal number a user wrote: ``decimal(0.29) * 100`` is 29, ``0.29 * 100`` is not."""
    return Decimal(repr(float(rate)))


def keyed_hash(key: bytes, domain: str, message: bytes) -> bytes:
    """HMAC-SHA256 with a domain separator, so that no two uses of one key are correlated."""
    return hmac.digest(key, domain.encode() + b"\0" + message, hashlib.sha256)


def random_generator(seed: int, *labels: str) -> np.random.Generator:
    """A generator that depends on the seed and the labels only, never on the order of calls."""
    digest = keyed_hash(str(seed).encode(), "random", "\0".join(labels).encode())
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


@dataclass(frozen=True, slots=True, order=True)
class Metric:
    """A metric and its argument: ``tpr_at_fpr[0.01]``, ``log_mia[a]``, ``auc``."""

    name: str
    argument: float | str | None = None

    ARGUMENTS: ClassVar[dict[str, str | None]] = {
        "tpr_at_fpr": "fpr",
        "tnr_at_fnr": "fnr",
        "log_mia": "regime",
        "auc": None,
        "advantage": None,
    }
    """Metric name -> the name of its argument in a budget."""

    def __str__(self) -> str:
        if self.argument is None:
            return self.name
        if isinstance(self.argument, str):
            return f"{self.name}[{self.argument}]"
        return f"{self.name}[{decimal(self.argument).normalize():f}]"

    @property
    def arguments(self) -> dict[str, float | str]:
        name = self.ARGUMENTS[self.name]
        return {} if name is None or self.argument is None else {name: self.argument}

    @classmethod
    def parse(cls, text: str) -> Metric:
        """Read ``name`` or ``name[argument]``; ``ValueError`` says what is wrong."""
        match = re.fullmatch(r"\s*([a-z_]+)\s*(?:\[\s*([^\]]*?)\s*\])?\s*", text)
        if match is None or match[1] not in cls.ARGUMENTS:
            raise ValueError(f"unknown metric {text!r}; one of {', '.join(cls.ARGUMENTS)}")
        name, argument = match[1], match[2]
        wanted = cls.ARGUMENTS[name]
        if (wanted is None) != (argument is None):
            example = {"fpr": "[0.01]", "fnr": "[0.01]", "regime": "[a]", None: ""}[wanted]
            raise ValueError(f"write {name}{example}, not {text.strip()!r}")
        if wanted is None:
            return cls(name)
        if wanted == "regime":
            if argument not in ("a", "b"):
                raise ValueError(f"log_mia has the regimes 'a' and 'b', not {argument!r}")
            return cls(name, argument)
        try:
            rate = float(argument)
        except ValueError:
            rate = float("nan")
        if not 0.0 < rate < 1.0:
            raise ValueError(f"{wanted} must lie strictly between 0 and 1, not {argument!r}")
        return cls(name, rate)


class Records(Protocol):
    """The input columns of all records, members first, then non-members; possibly memory-mapped."""

    columns: tuple[str, ...]

    def take(self, indices: Integer) -> dict[str, NDArray[Any]]:
        """Column -> (len(indices), …), the rows in the order asked for, raw as stored."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Fixtures:
    """Verified fixtures. N records: ``is_member`` (N,) with the members first; ``labels`` (N,) raw
    label values (integers or text) of the chosen label column; ``identifiers`` (N, 32) uint8, a
    SHA-256 digest per record, unique; ``split`` (N,) of ``Split`` values; ``groups`` (N,) int64
    number of the group, or of the content that copies share (never on both sides), or ``None``.

    ``shared`` (N,): whether a record's content also occurs on the other side under another
    identifier, so that nobody knows which side it belongs to; ``None`` if there is no such record.
    ``sha256`` is the digest of the manifest, which holds the digest of every file.
    ``training_records`` is the number of records the members were drawn from, if known.
    """

    path: Path
    sha256: str
    records: Records
    labels: NDArray[Any]
    is_member: Boolean
    identifiers: NDArray[np.uint8]
    split: NDArray[np.int8]
    groups: Integer | None
    classes: int | None
    assignment: Literal["randomized", "natural"]
    member_sampling: Literal["all", "random", "unknown"]
    training_records: int | None
    shared: Boolean | None = None
    checks: tuple[FixtureCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class Sizes:
    """Records a verdict rests on: ``members`` and ``nonmembers``; ``population`` is the number of
    training records if the members are a uniform sample of a known number of them."""

    members: int
    nonmembers: int
    population: int | None = None

    @property
    def swapped(self) -> Sizes:
        """The same with the sides exchanged; a population is only ever known for the members."""
        return Sizes(self.nonmembers, self.members)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric measured on evaluation records.

    ``low`` and ``high`` are one-sided bounds at ``level`` each; ``null`` is the value expected
    without leakage, ``null_p`` the exact probability of a value at least this high without leakage
    (per check, uncorrected; ``None`` where no exact null exists). ``method`` says whether the
    bounds hold in finite samples. ``counts`` lets a reader recompute the bounds.
    """

    metric: Metric
    estimate: float | None
    low: float | None
    high: float | None
    level: float
    method: Method
    null: float | None = None
    null_p: float | None = None
    counts: Mapping[str, int | float | None] = field(default_factory=dict)
    note: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What a model returned for one batch: ``values`` (b, classes) float64 logits or probabilities
    as ``kind`` says, (b,) predicted positions for ``labels``, or for ``raw`` numbers (b, …) of any
    shape and type as the model returned them; ``features`` (b, d) if asked."""

    values: NDArray[Any]
    kind: Literal["logits", "probabilities", "labels", "raw"]
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Columns of per-record signals, float64 (records,); higher means more likely a member.

    ``predicted``: class position the model predicted, or ``None`` where the task has no classes.
    ``features``: float32 (records, d) from the named layer; ``outputs``: (records, classes) logits;
    each ``None`` unless an attack reads it.
    """

    columns: Mapping[str, Float]
    predicted: Integer | None = None
    features: NDArray[np.float32] | None = None
    outputs: Float | None = None


Tuning = Callable[[Integer, Integer, Integer], tuple[Float, Float]]
"""Rows of support (R, 2K), validation (R, V) and queries (R, Q) -> scores of the validation records
(G, R, V) and the queries (G, R, Q) after fine-tuning a copy of the model under G settings."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What an attacker sees: signals of all records, their labels and splits, and membership of the
    support and calibration records only. ``membership`` is 1 (member), 0 (non-member), or -1: the
    evaluation records, which an attack must score without knowing. ``keys`` (records,) is a
    hash per record, in whose order records are drawn. ``tuning`` fine-tunes the model, where an
    attack has access to gradients."""

    signals: Signals
    labels: Integer
    split: NDArray[np.int8]
    membership: NDArray[np.int8]
    seed: int = 0
    keys: NDArray[np.uint64] | None = None
    tuning: Tuning | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What an attack returns: ``values`` (records,) float64, higher means more likely a member.

    An ensemble over ``draws`` of labelled records also gives some ``single_draws`` (r, records),
    the ``pool`` of labelled members and non-members that the draws come from, and a ``note``.
    ``paper``: the result of the published protocol, if it was asked for.
    """

    values: Float
    single_draws: Float | None = None
    draws: int = 0
    pool: tuple[int, int] | None = None
    note: str = ""
    paper: Mapping[str, Any] | None = None


# ---------------------------------------------------------------------------------------- report


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate and its two-sided interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Characteristic:
    """What a check can detect at these sizes: chances of each verdict against the true value."""

    leak: tuple[float, ...]
    passes: tuple[float, ...]
    fails: tuple[float, ...]
    inconclusive: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One budget judged for one attack."""

    id: str
    attack: str
    metric: str
    arguments: Mapping[str, float | str]
    budget: float
    line: int | None
    verdict: Verdict
    message: str
    advice: str = ""
    warned: bool = False
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    null: float | None = None
    null_p: float | None = None
    p_value: float | None = None
    method: Method | None = None
    counts: Mapping[str, int | float | None] = field(default_factory=dict)
    characteristic: Characteristic | None = None


@dataclass(frozen=True, slots=True)
class AttackResult:
    """One attack, whether it ran, and everything measured from its evaluation scores."""

    name: str
    family: str
    access: str
    status: Literal["ran", "not_run"]
    reason: str = ""
    queries_per_record: int = 0
    seconds: float = 0.0
    ties: Mapping[str, int] = field(default_factory=dict)
    auc: Interval | None = None
    tpr_at_fpr: tuple[Mapping[str, Any], ...] = ()
    tnr_at_fnr: tuple[Mapping[str, Any], ...] = ()
    log_mia: tuple[Mapping[str, Any], ...] = ()
    operating_point: Mapping[str, Any] = field(default_factory=dict)
    few_shot: Mapping[str, Any] | None = None
    """Shots, features, draws, the pool of labelled records, and what a single draw gets."""
    roc: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    histogram: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FixtureCheck:
    """One check of the fixtures themselves."""

    name: str
    verdict: Literal["pass", "fail", "inconclusive"]
    message: str
    statistic: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The one result of a run; every face of the product renders it and none computes again.

    Aggregates only: no record, identifier or per-record score is ever part of it.
    """

    name: str
    verdict: Outcome
    complete: bool
    run: Mapping[str, Any]
    model: Mapping[str, Any]
    task: str
    config: Mapping[str, Any]
    fixtures: Mapping[str, Any]
    checks: tuple[Check, ...]
    attacks: tuple[AttackResult, ...] = ()
    fixture_checks: tuple[FixtureCheck, ...] = ()
    policy: Mapping[str, Any] | None = None
    overrides: tuple[Mapping[str, Any], ...] = ()
    waivers: tuple[Mapping[str, Any], ...] = ()
    cautions: tuple[str, ...] = ()
    tolerated: bool = False
    """Whether the policy tolerates inconclusive checks today; they are never shown as passed."""
    error: Mapping[str, Any] | None = None
    timing: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    schema: str = "privacy-gate.report/1"

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values, keys as documented in the report schema."""
        content = asdict(self)
        content["checks"] = [check_to_dict(check) for check in self.checks]
        plain: dict[str, Any] = _plain({"schema": content.pop("schema"), **content})
        return plain


def check_to_dict(check: Check) -> dict[str, Any]:
    """The check as plain JSON values (``pass`` is a keyword, so the attribute is ``passes``)."""
    content = asdict(check)
    if check.characteristic is not None:
        characteristic = content["characteristic"]
        content["characteristic"] = {
            "leak": characteristic["leak"],
            "pass": characteristic["passes"],
            "fail": characteristic["fails"],
            "inconclusive": characteristic["inconclusive"],
        }
    plain: dict[str, Any] = _plain(content)
    return plain


def _plain(value: Any) -> Any:
    """Mappings as dicts and tuples as lists: what reading the JSON again would give."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
