"""A valid configuration, with its overrides applied and its paths resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy_gate.config.budgets import BudgetBase
from privacy_gate.config.callables import load_callable
from privacy_gate.config.model_section import ModelSection
from privacy_gate.config.names import chosen_attacks, expand
from privacy_gate.config.paths import shown_path
from privacy_gate.config.schema import (
    AttackSection,
    FixturesSection,
    Limits,
    OverconfidenceSection,
    Settings,
    Splits,
    StatisticsSection,
)
from privacy_gate.config.source import Source
from privacy_gate.domain import Change
from privacy_gate.registry import on_surfaces
from privacy_gate.terms import Terms


@dataclass(frozen=True, slots=True, eq=False)
class Config:
    """A valid configuration with its overrides applied and its paths resolved.

    ``root`` is the git top level (else ``directory``), which paths may not leave. ``model_path``
    and ``fixtures_path`` are absolute with symlinks resolved, and need not exist yet; so are
    ``baseline_path``, the file of aggregates, or ``baseline_model``, the file of a model: at most
    one of the two is not ``None``. ``fixtures_root`` is where records that are referred to lie.
    ``python_path`` holds existing directories. ``overrides`` are dicts ``{key, from, to, source}``.

    ``terms`` are what the model is judged by, the stricter of this file, its policy and the base
    branch, and ``settings`` hold what follows from them; ``changes`` are how the terms of this file
    and its policy differ from those of ``base`` (``{ref, commit}``). ``policy`` is ``{path, sha256,
    owner}``, and ``extends`` is ``{path, sha256}`` of the file that completes this one.
    ``cautions`` are what a reader of the report should know about the terms.
    """

    path: Path
    directory: Path
    root: Path
    sha256: str
    name: str
    python_path: tuple[Path, ...]
    model_path: Path
    fixtures_path: Path
    fixtures_root: Path | None
    receipt_path: Path | None
    baseline_path: Path | None
    baseline_model: Path | None
    overrides: tuple[Mapping[str, str | None], ...]
    settings: Settings
    source: Source
    extends: Mapping[str, str] | None
    terms: Terms
    changes: tuple[Change, ...]
    base: Mapping[str, str] | None
    policy: Mapping[str, str | None] | None
    cautions: tuple[str, ...]

    @property
    def model(self) -> ModelSection:
        """The model section; ``path`` and ``device`` as overridden."""
        return self.settings.model

    @property
    def fixtures(self) -> FixturesSection:
        """The fixtures section; ``path`` as overridden."""
        return self.settings.fixtures or FixturesSection()

    @property
    def task(self) -> str:
        """``classification`` or ``custom``."""
        return self.settings.task

    @property
    def signals(self) -> str | None:
        """``module:function`` of task custom."""
        return self.settings.signals

    @property
    def attacks(self) -> tuple[str, ...]:
        """Suites and attacks as written."""
        return tuple(attack.name for attack in self.settings.attacks)

    @property
    def attack_names(self) -> tuple[str, ...]:
        """Attacks in order, suites replaced by their attacks, each once and on every surface."""
        return on_surfaces(expand(self.attacks), self.model.output.surfaces)

    def attack_section(self, name: str) -> AttackSection:
        """The options of an attack; those of a suite's attacks are empty."""
        found = (section for section in self.settings.attacks if section.name == name)
        return next(found, AttackSection(name=name))

    @property
    def splits(self) -> Splits:
        """Shares of the records; they sum to 1 exactly, as decimals."""
        return self.settings.splits

    @property
    def budgets(self) -> tuple[BudgetBase, ...]:
        """At least one, in the order of the file."""
        return self.settings.budgets

    @property
    def statistics(self) -> StatisticsSection:
        """Confidence, seed and what an inconclusive check means."""
        return self.settings.statistics

    @property
    def overconfidence(self) -> OverconfidenceSection:
        """What the overconfidence audit tries the attacks on."""
        return self.settings.overconfidence

    @property
    def limits(self) -> Limits:
        """Bounds on the cost of a run."""
        return self.settings.limits

    def attacks_for(self, budget: BudgetBase) -> tuple[str, ...]:
        """The configured attacks a budget is for, in the order of ``attack_names``."""
        return tuple(chosen_attacks(budget, self.attack_names))

    def line_of(self, *keys: str | int) -> int:
        """The 1-based line of a value, of its nearest parent if the file does not hold it."""
        return self.source.mark(keys)[0]

    def file_of(self, *keys: str | int) -> str:
        """The file that ``line_of`` is in, as it reads in a report."""
        return shown_path(self.source.holder(keys).path, self.root)

    def location(self, *keys: str | int) -> str:
        """``file:line:column`` of a value, of its nearest parent if the file does not hold it."""
        return self.source.location(keys)

    def load_callable(self, target: str, *keys: str | int) -> Callable[..., Any]:
        """Import ``package.module:function``, looking in ``python_path`` first.

        Raises ``ConfigError`` at the location of ``keys``.
        """
        return load_callable(target, self.python_path, location=self.location(*keys))
