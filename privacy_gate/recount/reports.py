"""A whole report judged again: what is demanded, what is missing, the verdict of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from privacy_gate.domain import Change, Check, Metric, Report
from privacy_gate.recount.checks import Row
from privacy_gate.recount.facts import Facts
from privacy_gate.registry import learns, split_family
from privacy_gate.statistics.multiplicity import holm
from privacy_gate.terms import PlannedCheck, Terms, blocking, held_back, waiver_facts
from privacy_gate.verdict import apply_waivers, outcome, tolerated


def recount(
    report: Report,
    terms: Terms,
    changes: Sequence[Change] = (),
    base: Mapping[str, Any] | None = None,
    *,
    today: date | None = None,
) -> Report:
    """``report`` as ``terms`` judge it, with the ``changes`` of the terms and the ``base`` they
    came from as the caller knows them; what the report claims of both is dropped.

    ``terms`` are already the stricter of base branch and candidate. ``today`` (default: now, UTC)
    decides about waivers and tolerance. The result is never better than the numbers of the report
    allow, whatever verdict it claims; an error stays an error.
    """
    today = today or datetime.now(UTC).date()
    changes = (*_other_fixtures(report, terms, changes), *changes)
    report = replace(report, changes=changes, base=base)
    if report.verdict == "error" or report.error is not None:
        return _error(report)
    demanded = _demanded(report, terms)
    facts = Facts.of(report, terms, demanded)
    pairs = _corrected(demanded, facts)
    judged = [row.judged(facts, own) for row, own in pairs]
    fixture_checks = blocking(report.fixture_checks, terms.accepted)
    distrusted = facts.wrong
    if any(found.blocking for found in fixture_checks):
        distrusted = frozenset(planned.attack for planned in demanded)
    judged = held_back(judged, fixture_checks)
    waived = apply_waivers(judged, terms.waivers, today, distrusted)
    checks = (*waived, *held_back(_others(report, demanded, facts), fixture_checks))
    sound = bool(pairs) and all(row.sound(own) for row, own in pairs)
    verdict = outcome(checks, changes)
    if verdict == "pass" and not (report.complete and sound):
        verdict = "inconclusive"
    said = (f"The report itself says {report.verdict}.",) if verdict != report.verdict else ()
    inconclusive = terms.warn_until is not None and today <= terms.warn_until
    return replace(
        report,
        checks=checks,
        informational=tuple(held_back(_shown(report, terms, facts), fixture_checks)),
        verdict=verdict,
        complete=report.complete and sound and all(check.verdict != "not_run" for check in checks),
        tolerated=tolerated(checks, inconclusive, distrusted),
        waivers=waiver_facts(terms, today),
        fixture_checks=fixture_checks,
        cautions=(*said, *report.cautions),
    )


def _corrected(planned: Sequence[PlannedCheck], facts: Facts) -> list[tuple[Row, bool]]:
    """The rows of checks, and whether their p-values survive the correction for all of them."""
    rows = [Row.of(own, facts) for own in planned]
    p_values = [1.0 if row.p_value is None else row.p_value for row in rows if row.measured]
    survived = iter(holm(p_values, facts.level))
    return [(row, row.measured is not None and next(survived)) for row in rows]


def _shown(report: Report, terms: Terms, facts: Facts) -> list[Check]:
    """What the report shows for information, judged again. Only the terms say what that is: a check
    that they demand, or do not know, is not among it, whatever the report says."""
    found = {check.id: (check,) for check in report.informational}
    planned = [own for own in terms.informational if own.id in found]
    facts = replace(facts, reported=found, checks=len(planned))
    return [row.judged(facts, rejected) for row, rejected in _corrected(planned, facts)]


def _other_fixtures(report: Report, terms: Terms, changes: Sequence[Change]) -> list[Change]:
    """A report on other fixtures than those of the branch, or than those a known change names."""
    found, wanted = report.fixtures.get("sha256"), terms.fixtures_sha256
    digest = found if isinstance(found, str) else None
    known = {wanted, *(change.head for change in changes if change.key == "fixtures")}
    if wanted is None or (digest and digest in known) or report.verdict == "error":
        return []
    here = digest[:12] if digest else "no digest"
    message = (
        f"The report was measured on other fixtures ({here}) than those configured ({wanted[:12]})."
    )
    return [Change("fixtures", "changed", wanted, digest, message, blocking=True)]


def _error(report: Report) -> Report:
    known = report.error or {
        "type": "Error",
        "message": "The run ended in an error.",
        "hint": None,
        "location": None,
    }
    return replace(report, verdict="error", complete=False, checks=(), tolerated=False, error=known)


def _demanded(report: Report, terms: Terms) -> list[PlannedCheck]:
    """The checks that must have a verdict.

    A run leaves out the few-shot attacks of a suite that lack labelled records, and increases as
    long as there is no baseline. Both depend on files alone, so they have to be the ones that the
    terms know: the same fixtures, and no baseline file.
    """
    known = report.fixtures.get("sha256") == terms.fixtures_sha256 is not None
    too_small = {attack.name for attack in report.attacks if attack.status == "not_run"}
    too_small -= {check.attack for check in report.checks} | set(terms.singly)
    no_baseline = (report.baseline or {}).get("kind") == "none" and (
        "baseline.sha256" not in terms.pinned
    )
    return [
        planned
        for planned in terms.checks
        if not (known and split_family(planned.attack) and planned.attack in too_small)
        and not (no_baseline and planned.increase)
    ]


def _others(report: Report, demanded: Sequence[PlannedCheck], facts: Facts) -> tuple[Check, ...]:
    """Checks of the report that no term demands, by their own budgets: they can fail, never make
    the report pass."""
    ids = {planned.id for planned in demanded}
    extra = [check for check in report.checks if check.id not in ids]
    facts = replace(facts, checks=facts.checks + len(extra))
    return tuple(_other(check, facts) for check in extra)


def _other(check: Check, facts: Facts) -> Check:
    argument = next(iter(check.arguments.values()), None)
    try:
        metric = Metric.parse(check.metric if argument is None else f"{check.metric}[{argument}]")
        if not 0 < check.budget < 1:
            raise ValueError
    except ValueError:
        message = "Not supported by the report: no such budget is known."
        return replace(check, verdict="inconclusive", message=message, advice="")
    planned = PlannedCheck(
        check.attack,
        metric,
        check.budget,
        line=check.line,
        learned=learns(check.attack),
        increase=check.increase,
        path=check.path,
    )
    row = Row.of(planned, facts)
    return row.judged(facts, row.p_value is not None and row.p_value <= facts.holm_level)
