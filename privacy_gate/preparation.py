"""Everything that is settled before a model is opened: fixtures, splits, checks, feasibility."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate import provenance
from privacy_gate.baseline.feasible import with_increases
from privacy_gate.baseline.finding import NONE_YET, Baseline, find_baseline
from privacy_gate.cache import Cache, open_cache
from privacy_gate.config import Config
from privacy_gate.config.code import code_sha256, file_sha256
from privacy_gate.config.paths import shown_path
from privacy_gate.domain import Boolean, Check, Fixtures, Integer, Report, Sizes, Split
from privacy_gate.errors import FixtureError
from privacy_gate.feasibility import Feasibility, feasibility
from privacy_gate.fixtures import load_fixtures
from privacy_gate.fixtures.reference import Reading
from privacy_gate.programme import Programme, programme
from privacy_gate.ranking import independent_records, tie_keys
from privacy_gate.registry import AUDITED_ATTACKS
from privacy_gate.stopwatch import Stopwatch
from privacy_gate.terms import PlannedCheck, waiver_cautions, waiver_facts
from privacy_gate.verdict import apply_waivers, outcome

_MANY_CLASSES = 1000
_LENS_NUMBERS = 20_000_000
"""Class scores that the calibration lens keeps, at most: 160 MB."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run that is ready to open its model. ``independent`` (records,): one record of each group
    or content; ``rows``: those of the evaluation split; ``keys`` (records,): what tied scores are
    ordered by; ``cache``: what is kept between runs."""

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
    baseline: Baseline | None = None
    cache: Cache = field(default_factory=Cache)

    def sizes_of(self, learned: bool) -> Sizes:
        """The sizes that an attack's checks rest on; see ``PlannedCheck.sizes``."""
        return replace(self.sizes, population=None) if learned else self.sizes

    @property
    def looks_through_lens(self) -> bool:
        """Whether the attacks are tried on calibrated answers, too: where class scores are seen and
        the answers of all records fit in memory."""
        scores = any(attack.name in AUDITED_ATTACKS for attack in self.programme.attacks)
        numbers = self.data.is_member.size * (self.data.classes or _MANY_CLASSES)
        wanted = self.config.task == "classification" and self.config.settings.calibration_lens
        return wanted and scores and numbers <= _LENS_NUMBERS

    @property
    def reads_features(self) -> bool:
        """Whether the model is asked for the features of the records."""
        layer = self.looks_through_lens and self.config.model.format == "torch"
        wanted = layer or self.programme.reads("features")
        return self.config.model.features is not None and wanted

    @property
    def reads_outputs(self) -> bool:
        """Whether the answers of the model are kept beside their signals."""
        return self.looks_through_lens or self.programme.reads("outputs")

    @cached_property
    def code_sha256(self) -> str:
        """The digest of the code that the configuration names, and of this tool's own."""
        return code_sha256(self.config.settings, self.config.python_path)

    @property
    def today(self) -> date:
        """The day that waivers and tolerances are held against, UTC."""
        return datetime.now(UTC).date()

    @property
    def tolerates_inconclusive(self) -> bool:
        """Whether the terms tolerate inconclusive checks today."""
        until = self.config.terms.warn_until
        return until is not None and self.today <= until

    @property
    def decidable(self) -> bool:
        """Whether it makes sense to open the model: no budget is out of reach of these sizes, or
        that is tolerated or waived."""
        today = self.today
        waived = {w.check for w in self.config.terms.waivers if today <= w.until}
        return self.feasible.impossible.keys() <= waived or self.tolerates_inconclusive

    def facts(self) -> dict[str, Any]:
        """The fields of the report that are known already."""
        config, data = self.config, self.data
        return {
            "name": config.name,
            "task": config.task,
            "config": {
                "path": shown(config, config.path),
                "sha256": config.sha256,
                "extends": config.extends,
                "code_sha256": self.code_sha256,
                "baseline_sha256": config.baseline_path and file_sha256(config.baseline_path),
            },
            "overrides": tuple(config.overrides),
            "policy": config.policy,
            "base": config.base,
            "changes": config.changes,
            "baseline": None if self.baseline is None else self.baseline.facts(),
            "waivers": waiver_facts(config.terms, self.today),
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
                "receipt": None if data.receipt is None else asdict(data.receipt),
                "ood": {name: len(found.contents) for name, found in data.ood.items()},
            },
            "run": {
                **provenance.run_facts(self.started, config.directory),
                "cached": sorted(self.cache.used),
            },
        }

    def without_verdict(self, reason: str) -> Report:
        """The report when the model is not opened: what cannot be decided, and what is not run."""
        impossible = self.feasible.impossible
        undecided = [self._undecided(check, reason) for check in self.programme.checks]
        waivers = self.config.terms.waivers
        checks = (*apply_waivers(undecided, waivers, self.today), *self.programme.unmade())
        return Report(
            **self.facts(),
            tolerated=self.tolerates_inconclusive,
            verdict=outcome(checks, self.config.changes),
            complete=False,
            model={
                "path": shown(self.config, self.config.model_path),
                "format": self.config.model.format,
            },
            checks=checks,
            attacks=self.programme.not_run,
            cautions=(
                *self._about_terms(),
                *dict.fromkeys(impossible.values()),
                *self.feasible.cautions,
            ),
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
        found = [
            *self._about_terms(),
            *self.feasible.cautions,
            *dict.fromkeys(self.feasible.impossible.values()),
        ]
        if self.config.task == "classification" and self.config.model.expected is None:
            found.append(
                "Preprocessing not verified: model.expected is not set. Compare the accuracy with"
                " training's, then set it: a model that is run wrongly can pass."
            )
        if self.config.task == "custom":
            found.append("Preprocessing not verified: task custom has no accuracy that could be.")
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
        if self.data.receipt is None:
            found.append("Membership is declared, not verified.")
        verified = self.config.fixtures.verify
        if verified is not None and verified != "all":
            found.append(f"Of the records that are referred to, {verified} were verified by hash.")
        return tuple(found)

    def _about_terms(self) -> tuple[str, ...]:
        """What a reader should know about the terms."""
        none_yet = (NONE_YET,) if self.programme.waiting else ()
        waivers = waiver_cautions(self.config.terms, self.today)
        return (*self.config.cautions, *none_yet, *waivers)


def prepare(
    config: Config, *, compared: bool = True, cache: str | os.PathLike[str] | None = None
) -> Prepared:
    """Load and verify the fixtures and settle what will be checked; unless ``compared``, without
    the baseline and all increases. ``cache`` as of ``open_cache``. Raises ``PrivacyGateError``."""
    started, stopwatch = provenance.now(), Stopwatch()
    splits, confidence = config.splits, config.statistics.confidence
    with stopwatch.step("load"):
        data = load_fixtures(
            config.fixtures_path,
            label=config.fixtures.label,
            sha256=config.fixtures.sha256,
            splits=(splits.support, splits.calibration, splits.evaluation),
            receipt=config.receipt_path,
            reading=_reading(config),
            root=config.root,
        )
        keys = tie_keys(data, config.statistics.seed)
        independent = independent_records(data, keys)
        rows = np.flatnonzero(independent & (data.split == Split.EVALUATION))
    kept = open_cache(cache, config.root, data.secret)
    todo = programme(config, data, independent)
    baseline = find_baseline(config, data.sha256) if compared else None
    if baseline is None or baseline.kind == "none":
        todo = todo.without_baseline()
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
        feasible=with_increases(
            feasibility(todo.checks, sizes, confidence), todo.checks, sizes, confidence, baseline
        ),
        started=started,
        stopwatch=stopwatch,
        baseline=baseline,
        cache=kept,
    )


def _reading(config: Config) -> Reading | None:
    """How records that are referred to are read; ``None`` if the configuration does not say."""
    settings = config.fixtures
    if config.fixtures_root is None and settings.loader is None and settings.verify is None:
        return None
    loader = None
    if settings.loader is not None:
        loader = config.load_callable(settings.loader, "fixtures", "loader")
    held = config.fixtures_path
    root = config.fixtures_root or (held if held.is_dir() else held.parent)
    given = any(found["key"] == "fixtures.root" and not found["from"] for found in config.overrides)
    rooted = settings.root is not None and not given
    said = rooted or loader is not None or settings.verify is not None
    return Reading(root, loader, settings.verify or "all", said)


def _refuse_empty_side(members: int, nonmembers: int) -> None:
    if min(members, nonmembers) < 2:
        raise FixtureError(
            f"The evaluation split has {members} members and {nonmembers} non-members.",
            hint="At least 2 a side are needed, and hundreds to conclude anything.",
            check="minimum-size",
        )


def shown(config: Config, path: Path) -> str:
    """A path as it reads in a report: relative to the project if it lies inside."""
    return shown_path(path, config.root)
