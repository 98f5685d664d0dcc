"""What a model is judged by, as types: planned checks, waivers, and all of it together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from privacy_gate.domain import Check, Metric, Sizes, Verdict


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """A budget for one attack, known before any model is opened."""

    attack: str
    metric: Metric
    budget: float
    warn_at: float | None = None
    line: int | None = None
    learned: bool = False
    """Whether the attack learned from labelled records of the fixtures."""
    increase: bool = False
    """Whether the difference to the baseline is judged instead of the value itself."""
    path: str | None = None
    """File that ``line`` is in, where that is not the configuration."""

    @property
    def planned(self) -> bool:
        """Whether sizes alone tell what it can decide; not so for increases, which depend on the
        baseline, and for the metrics of the overconfidence audit."""
        return not (self.increase or self.metric.audited)

    def sizes(self, sizes: Sizes) -> Sizes:
        """The sizes this check rests on. A learned attack was made from the very training records
        that are not evaluated, so these are no random sample of all of them: no population."""
        return replace(sizes, population=None) if self.learned else sizes

    @property
    def id(self) -> str:
        """``attack/metric[argument]``, with ``:increase`` for a difference to the baseline: stable,
        unique, the name of the check everywhere."""
        return f"{self.attack}/{self.metric}" + (":increase" if self.increase else "")

    def undecided(self, verdict: Verdict, message: str, advice: str = "") -> Check:
        """The check as it is reported when nothing was measured."""
        return Check(
            id=self.id,
            attack=self.attack,
            metric=self.metric.name,
            arguments=self.metric.arguments,
            budget=self.budget,
            line=self.line,
            path=self.path,
            increase=self.increase,
            verdict=verdict,
            message=message,
            advice=advice,
        )


@dataclass(frozen=True, slots=True)
class Waiver:
    """A check that is allowed not to pass until a day (inclusive), and who says so."""

    check: str
    reason: str
    until: date
    approved_by: str
    line: int | None = None
    path: str | None = None

    def facts(self) -> dict[str, str]:
        """``reason``, ``until`` and ``approved_by``, as a report holds them."""
        return {
            "reason": self.reason,
            "until": self.until.isoformat(),
            "approved_by": self.approved_by,
        }


@dataclass(frozen=True, slots=True)
class Terms:
    """What a model is judged by, known from files alone: no model and no fixtures are read.

    ``checks``: every check of every configured attack whose access the configuration declares,
    whether or not the fixtures are large enough for it. ``singly``: attacks that must run.
    ``warn_until``: last day on which inconclusive checks are tolerated. ``fixtures_sha256``: digest
    of the manifest, ``None`` if unknown. ``pinned``: everything else that must not change
    unnoticed, dotted key -> value as text (``model.trust``, ``model.factory``, ``signals``, …).
    ``owner``: who decides about the terms, as the policy says. ``accepted``: fixture check ->
    reason for which what it found does not stop a verdict.
    """

    name: str
    path: str
    checks: tuple[PlannedCheck, ...]
    singly: tuple[str, ...]
    confidence: float
    warn_until: date | None = None
    warn_reason: str = ""
    waivers: tuple[Waiver, ...] = ()
    fixtures_sha256: str | None = None
    pinned: Mapping[str, str] = field(default_factory=dict)
    on_changed_terms: Literal["fail", "show"] = "fail"
    owner: str | None = None
    accepted: Mapping[str, str] = field(default_factory=dict)
    informational: tuple[PlannedCheck, ...] = ()
    """Checks that are shown and decide nothing."""


TRUST = "model.trust"
"""The key of ``pinned`` that can be compared: ``weights`` is stricter than ``code``."""
