"""Read, validate and resolve a configuration; every face of the product starts here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from privacy_gate.config.budgets import BudgetBase
from privacy_gate.config.callables import load_callable
from privacy_gate.config.checks import cross_checks, expand
from privacy_gate.config.messages import schema_problems
from privacy_gate.config.overrides import Override, find_overrides
from privacy_gate.config.paths import allowed_roots, find_root
from privacy_gate.config.problems import Path as Place
from privacy_gate.config.problems import Problem, config_error
from privacy_gate.config.resolution import Resolver
from privacy_gate.config.schema import (
    AttackSection,
    FixturesSection,
    Limits,
    ModelSection,
    Settings,
    Splits,
    StatisticsSection,
)
from privacy_gate.config.source import Source, read_source


@dataclass(frozen=True, slots=True, eq=False)
class Config:
    """A valid configuration with its overrides applied and its paths resolved.

    ``root`` is the git top level (else ``directory``), which paths may not leave. ``model_path``
    and ``fixtures_path`` are absolute with symlinks resolved, and need not exist yet.
    ``python_path`` holds existing directories. ``overrides`` are dicts ``{key, from, to, source}``.
    """

    path: Path
    directory: Path
    root: Path
    sha256: str
    name: str
    python_path: tuple[Path, ...]
    model_path: Path
    fixtures_path: Path
    overrides: tuple[Mapping[str, str | None], ...]
    settings: Settings
    source: Source

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
        """Attacks in order, suites replaced by their attacks, each once."""
        return expand(self.attacks)

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
    def limits(self) -> Limits:
        """Bounds on the cost of a run."""
        return self.settings.limits

    def named_singly(self, attack: str) -> bool:
        """Whether the attack is listed by its own name, so that it must run."""
        return attack in self.attacks and expand([attack]) == (attack,)

    def attacks_for(self, budget: BudgetBase) -> tuple[str, ...]:
        """The configured attacks a budget is for, in the order of ``attack_names``."""
        wanted = expand(budget.attacks or self.attacks)
        return tuple(name for name in self.attack_names if name in wanted)

    def line_of(self, *keys: str | int) -> int:
        """The 1-based line of a value, of its nearest parent if the file does not hold it."""
        return self.source.mark(keys)[0]

    def location(self, *keys: str | int) -> str:
        """``file:line:column`` of a value, of its nearest parent if the file does not hold it."""
        return self.source.location(keys)

    def load_callable(self, target: str, *keys: str | int) -> Callable[..., Any]:
        """Import ``package.module:function``, looking in ``python_path`` first.

        Raises ``ConfigError`` at the location of ``keys``.
        """
        return load_callable(target, self.python_path, location=self.location(*keys))


def load_config(
    path: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    fixtures: str | os.PathLike[str] | None = None,
    device: str | None = None,
    allow_roots: Iterable[str | os.PathLike[str]] = (),
) -> Config:
    """Read a ``privacy_gate.yaml``.

    ``model``, ``fixtures`` and ``device`` replace what the file says; after them come
    ``PRIVACY_GATE_MODEL``, ``PRIVACY_GATE_FIXTURES`` and ``PRIVACY_GATE_DEVICE``. Such paths are
    relative to the working directory and may lie anywhere; paths in the file must lie inside the
    project, below one of ``allow_roots``, or below a directory in ``PRIVACY_GATE_ROOTS``.

    Raises ``ConfigError`` with all problems of the file, ``UsageError`` for an argument or a
    variable that cannot be used.
    """
    overrides = find_overrides(model, fixtures, device)
    permitted = allowed_roots(allow_roots)
    source = read_source(path)
    root = find_root(source.path.parent)
    settings, problems = _validate(source)
    resolver = Resolver(source, (root, *permitted), overrides, {item.path for item in problems})
    name = resolver.name()
    python_path = resolver.python_path()
    model_path = resolver.path("model", "--model", "PRIVACY_GATE_MODEL")
    fixtures_path = resolver.path("fixtures", "--fixtures", "PRIVACY_GATE_FIXTURES")
    problems += resolver.problems
    if problems or settings is None or model_path is None or fixtures_path is None:
        raise config_error(source.file, problems)
    return Config(
        path=source.path,
        directory=source.path.parent,
        root=root,
        sha256=source.sha256,
        name=name,
        python_path=python_path,
        model_path=model_path,
        fixtures_path=fixtures_path,
        overrides=tuple(override.record(source.data) for override in overrides),
        settings=_overridden(settings, overrides),
        source=source,
    )


def _validate(source: Source) -> tuple[Settings | None, list[Problem]]:
    """The settings if the schema holds, and all problems of notation, schema and across keys."""
    problems = [*source.problems, *_nothing(source)]
    settings = None
    try:
        settings = Settings.model_validate(source.data)
    except ValidationError as error:
        # A place whose notation is wrong has no value yet that could be judged.
        noted = {problem.path for problem in problems}
        found = schema_problems(error, source)
        problems += [problem for problem in found if problem.path not in noted]
    problems += cross_checks(source, problems)
    return settings, problems


def _nothing(source: Source) -> list[Problem]:
    """Keys without a value; only arguments of the user's own function may be null."""
    noted = {problem.path for problem in source.problems}
    return [
        source.problem(place, "has no value; write one, or remove the key")
        for place in source.values
        if place[:2] != ("model", "kwargs") and place not in noted
        if _value(source.data, place) is None
    ]


def _value(data: Any, place: Place) -> Any:
    for part in place:
        data = data[part]
    return data


def _overridden(settings: Settings, overrides: Iterable[Override]) -> Settings:
    sections = {"model": settings.model, "fixtures": settings.fixtures or FixturesSection()}
    for override in overrides:
        changed = sections[override.section].model_copy(update={override.key: override.value})
        sections[override.section] = changed
    return settings.model_copy(update=sections)
