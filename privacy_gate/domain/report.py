"""The one result of a run, all of it frozen: what every face of the product renders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from privacy_gate.domain.numbers import Method

Verdict = Literal["pass", "fail", "inconclusive", "waived", "not_run"]
Outcome = Literal["pass", "fail", "inconclusive", "error"]


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
class Comparison:
    """A check's metric beside the same metric of the baseline.

    ``estimate`` is the baseline's own value; ``difference`` is candidate minus baseline with its
    interval [``low``, ``high``]. ``paired``: both models were scored on the same records; otherwise
    only aggregates of the baseline were known. ``word``: whether the interval excludes 0.
    """

    estimate: float | None
    difference: float | None
    low: float | None
    high: float | None
    paired: bool
    method: Method
    word: Literal["within noise", "higher", "lower"]


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between the terms of the base branch and those of the candidate.

    ``key`` as in the configuration (``budgets: loss/auc``, ``model.trust``, ``fixtures``);
    ``line`` in the candidate's configuration. ``blocking``: the run fails because of it.
    """

    key: str
    kind: Literal["loosened", "tightened", "dropped", "added", "changed"]
    base: str | None
    head: str | None
    message: str
    blocking: bool
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One budget judged for one attack.

    With ``increase`` the measured quantity is the difference to the baseline. ``path`` is the file
    that ``line`` is in, where that is not the configuration (the policy, the base branch's file).
    """

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
    increase: bool = False
    path: str | None = None
    baseline: Comparison | None = None
    waiver: Mapping[str, str] | None = None
    """``reason``, ``until``, ``approved_by`` of the waiver in force where the verdict is waived."""


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
    method: str = ""
    """What was done to the records, where that depends on them."""
    beyond_blind: Mapping[str, Any] | None = None
    """What the attack gets beyond one that never asks the model, where the terms accept that the
    sides differ without it."""
    roc: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    histogram: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FixtureCheck:
    """One check of the fixtures themselves.

    ``blocking``: because of it the checks of the run can neither pass nor fail. ``accepted``: the
    reason for which the configuration accepts it all the same. ``level``: the chance that sound
    fixtures are called faulty, where that is known.
    """

    name: str
    verdict: Literal["pass", "fail", "inconclusive"]
    message: str
    statistic: float | None = None
    advice: str = ""
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    level: float | None = None
    blocking: bool = False
    accepted: str = ""


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
    informational: tuple[Check, ...] = ()
    """Checks that are shown and decide nothing."""
    attacks: tuple[AttackResult, ...] = ()
    fixture_checks: tuple[FixtureCheck, ...] = ()
    policy: Mapping[str, Any] | None = None
    overrides: tuple[Mapping[str, Any], ...] = ()
    waivers: tuple[Mapping[str, Any], ...] = ()
    cautions: tuple[str, ...] = ()
    tolerated: bool = False
    """Whether all that did not pass is tolerated today, by the policy or by waivers; it is never
    shown as passed."""
    changes: tuple[Change, ...] = ()
    """How the terms of the candidate differ from those of the base branch."""
    base: Mapping[str, Any] | None = None
    """``ref`` and ``commit`` the terms of the base branch were read from, if they were."""
    baseline: Mapping[str, Any] | None = None
    """``kind`` (model, aggregates, none), ``path``, ``model_sha256``, ``message``."""
    overconfidence: Mapping[str, Any] | None = None
    """False alarms of attacks on sets of records that are no members, and calibration errors."""
    calibration: Mapping[str, Any] | None = None
    """What the same attacks find once the answers of the model are calibrated."""
    reused: Mapping[str, Any] | None = None
    """``commit``, ``run_url`` and ``finished`` of the earlier report this one repeats."""
    error: Mapping[str, Any] | None = None
    timing: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    schema: str = "privacy-gate.report/1"

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values, keys as documented in the report schema."""
        content = asdict(self)
        for name in ("checks", "informational"):
            content[name] = [check_to_dict(check) for check in getattr(self, name)]
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
