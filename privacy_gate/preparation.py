"""Everything that is settled before a model is opened: fixtures, splits, checks, feasibility."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate import provenance
from privacy_gate.config import Config
from privacy_gate.domain import Boolean, Check, Fixtures, Integer, Report, Sizes, Split
from privacy_gate.errors import FixtureError
from privacy_gate.feasibility import Feasibility, feasibility
from privacy_gate.fixtures import load_fixtures
from privacy_gate.programme import Programme, programme
from privacy_gate.ranking import independent_records, tie_keys
from privacy_gate.stopwatch import Stopwatch
from privacy_gate.terms import PlannedCheck


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run that is ready to open its model. ``independent`` (records,): one record of each group
    or content; ``rows``: those of the evaluation split; ``keys`` (records,): what tied scores are
    ordered by."""

    config: Config
    data: Fixtures
    programme: Programme
    keys: NDArray[np.uint64]
    independent: Boolean
    rows: Integer
    sizes: Sizes
    feasible: Feasibility
    started: str
    stopwatch: Stopwatch

    @property
    def tolerates_inconclusive(self) -> bool:
        """Whether the policy tolerates inconclusive checks today."""
        policy = self.config.statistics.on_inconclusive
        return not isinstance(policy, str) and datetime.now(UTC).date() <= policy.warn_until

    @property
    def decidable(self) -> bool:
        """Whether it makes sense to open the model: no budget is out of reach of these sizes."""
        return not self.feasible.impossible or self.tolerates_inconclusive

    def facts(self) -> dict[str, Any]:
        """The fields of the report that are known already."""
        config, data = self.config, self.data
        return {
            "name": config.name,
            "task": config.task,
            "config": {"path": shown(config, config.path), "sha256": config.sha256},
            "overrides": tuple(config.overrides),
            "waivers": self._waivers(),
            "tolerated": self.tolerates_inconclusive,
            "fixtures": {
                "path": shown(config, data.path),
                "sha256": data.sha256,
                "members": int(data.is_member.sum()),
                "nonmembers": int((~data.is_member).sum()),
                "evaluation": {
                    "members": self.sizes.members,
                    "nonmembers": self.sizes.nonmembers,
                },
                "training_records": data.training_records,
                "member_sampling": data.member_sampling,
                "assignment": data.assignment,
                "receipt": None,
                "ood": {},
            },
            "fixture_checks": data.checks,
            "run": provenance.run_facts(self.started, config.directory),
        }

    def without_verdict(self, reason: str) -> Report:
        """The report when the model is not opened: what cannot be decided, and what is not run."""
        impossible = self.feasible.impossible
        return Report(
            **self.facts(),
            verdict="inconclusive",
            complete=False,
            model={
                "path": shown(self.config, self.config.model_path),
                "format": self.config.model.format,
            },
            checks=tuple(self._undecided(check, reason) for check in self.programme.checks),
            attacks=self.programme.not_run,
            cautions=(*dict.fromkeys(impossible.values()), *self.feasible.cautions),
            timing=self.stopwatch.timing(0),
            environment=provenance.environment(None, self.config.statistics.seed),
        )

    def _undecided(self, check: PlannedCheck, reason: str) -> Check:
        sentence = self.feasible.impossible.get(check.id)
        if sentence is None:
            return check.undecided("not_run", reason)
        return check.undecided("inconclusive", sentence)

    def cautions(self) -> tuple[str, ...]:
        """What a reader should know about the numbers."""
        found = [*self.feasible.cautions, *dict.fromkeys(self.feasible.impossible.values())]
        if self.config.task == "classification" and self.config.model.expected is None:
            found.append("Preprocessing not verified: model.expected is not set.")
        if self.config.task == "custom":
            found.append("Preprocessing not verified: task custom has no accuracy that could be.")
        found += [f"{check.message}." for check in self.data.checks if check.verdict != "pass"]
        thinned = int((~self.independent).sum())
        if thinned:
            found.append(
                f"{thinned} of {self.independent.size} records share a group or their content with"
                " another one: each group or content counts once, and what is on both sides not."
            )
        if self.data.assignment == "natural":
            found.append(
                "Membership was not assigned at random: a difference between the sides other than"
                " training can look like leakage, or hide it."
            )
        if self.data.member_sampling == "unknown":
            found.append(
                "How the members were sampled is unknown: intervals describe records like these."
            )
        return (*found, "Membership is declared, not verified.")

    def _waivers(self) -> tuple[dict[str, Any], ...]:
        policy = self.config.statistics.on_inconclusive
        if isinstance(policy, str):
            return ()
        return (
            {
                "check": "inconclusive checks",
                "reason": policy.reason,
                "until": policy.warn_until.isoformat(),
                "expired": not self.tolerates_inconclusive,
            },
        )


def prepare(config: Config) -> Prepared:
    """Load and verify the fixtures and settle what will be checked. Raises ``PrivacyGateError``."""
    started, stopwatch = provenance.now(), Stopwatch()
    splits = config.splits
    with stopwatch.step("load"):
        data = load_fixtures(
            config.fixtures_path,
            label=config.fixtures.label,
            sha256=config.fixtures.sha256,
            splits=(splits.support, splits.calibration, splits.evaluation),
            root=config.root,
        )
        keys = tie_keys(data, config.statistics.seed)
        independent = independent_records(data, keys)
        rows = np.flatnonzero(independent & (data.split == Split.EVALUATION))
    todo = programme(config, data, independent)
    members = int(data.is_member[rows].sum())
    _refuse_empty_side(members, rows.size - members)
    # what was thinned is no uniform sample of the training records: no population is known then
    sampled = data.member_sampling in ("all", "random") and bool(independent.all())
    sizes = Sizes(members, rows.size - members, data.training_records if sampled else None)
    return Prepared(
        config=config,
        data=data,
        programme=todo,
        keys=keys,
        independent=independent,
        rows=rows,
        sizes=sizes,
        feasible=feasibility(todo.checks, sizes, config.statistics.confidence),
        started=started,
        stopwatch=stopwatch,
    )


def _refuse_empty_side(members: int, nonmembers: int) -> None:
    if min(members, nonmembers) < 2:
        raise FixtureError(
            f"The evaluation split has {members} members and {nonmembers} non-members.",
            hint="At least 2 a side are needed, and hundreds to conclude anything.",
        )


def shown(config: Config, path: Path) -> str:
    """A path as it reads in a report: relative to the project if it lies inside."""
    return (
        path.relative_to(config.root).as_posix() if path.is_relative_to(config.root) else str(path)
    )
