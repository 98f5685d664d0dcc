"""The policy file: what the owner of the budgets asks for and allows, whatever a project writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from privacy_gate.config.budget_rules import (
    Configured,
    both,
    budget_problems,
    readable_budgets,
)
from privacy_gate.config.budgets import Budget
from privacy_gate.config.problems import Problem, config_error
from privacy_gate.config.schema import Confidence, OnInconclusive, Settings
from privacy_gate.config.source import Source
from privacy_gate.config.validation import against
from privacy_gate.config.values import Day, Section, Text, Version, wrong
from privacy_gate.domain import Metric


def _check_id(text: str) -> str:
    attack, slash, rest = text.partition("/")
    name = rest.removesuffix(":increase")
    if not attack.strip() or not slash:
        raise wrong("expected a check such as loss/tpr_at_fpr[0.01]")
    try:
        metric = Metric.parse(name)
    except ValueError as error:
        raise wrong(f"expected a check such as loss/tpr_at_fpr[0.01]: {error}") from None
    return f"{attack.strip()}/{metric}" + rest[len(name) :]


CheckId = Annotated[Text, AfterValidator(_check_id)]


class WaiverSection(Section):
    """A check that may fail, or stay undecided, until a day."""

    check: CheckId
    """Its id in the report, such as loss/tpr_at_fpr[0.01]."""
    reason: Text
    """Why."""
    until: Day
    """Last day."""
    approved_by: Text
    """Who answers for it."""


class PolicyStatistics(Section):
    """How measurements become verdicts, at least."""

    confidence: Confidence | None = None
    """Least confidence of every bound; default: that of the configuration."""
    on_inconclusive: OnInconclusive = "fail"
    """Whether a configuration may tolerate inconclusive checks, and until when."""


class PolicySettings(Section):
    """What must hold whatever the configuration says."""

    version: Version
    """Version of this grammar."""
    owner: Text | None = None
    """Who decides about changes of the terms."""
    budgets: Annotated[tuple[Budget, ...], Field(strict=False)] = ()
    """What is tolerated at most, by every configured attack or by those named."""
    statistics: PolicyStatistics = PolicyStatistics()
    waivers: Annotated[tuple[WaiverSection, ...], Field(strict=False)] = ()
    """Checks that may fail, or stay undecided, for a time."""
    on_changed_terms: Literal["fail", "show"] = "fail"
    """What a pull request that loosens the terms comes to."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A valid policy; ``path`` as it reads in a report."""

    settings: PolicySettings
    source: Source
    path: str


def open_policy(source: Source, path: str, config: Settings) -> Policy:
    """The policy in ``source`` for a configuration. Raises ``ConfigError`` with all problems."""
    settings, problems = against(PolicySettings, source)
    configured = Configured(
        attacks=tuple(attack.name for attack in config.attacks),
        complete=True,
        custom=config.task == "custom",
        baseline=config.baseline is not None,
    )
    budgets = readable_budgets(source, {problem.path for problem in problems})
    problems += budget_problems(source, budgets, configured)
    if settings is not None:
        problems += _waived_twice(source, settings.waivers)
    if problems or settings is None:
        raise config_error(source.file, problems)
    return Policy(settings, source, path)


def _waived_twice(source: Source, waivers: Iterable[WaiverSection]) -> Iterable[Problem]:
    first: dict[str, int] = {}
    for index, waiver in enumerate(waivers):
        if waiver.check in first:
            places = (first[waiver.check], index)
            lines = both([source.mark(("waivers", place))[0] for place in places])
            sentence = f"the check {waiver.check!r} has two waivers, on lines {lines}"
            yield source.problem(("waivers", index), sentence)
        first.setdefault(waiver.check, index)
