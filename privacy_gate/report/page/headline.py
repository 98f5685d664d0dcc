"""The verdict in one glance: a word, a sentence, and what stands beside it.

A report that claims more than it holds is shown as an error, never as a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from privacy_gate.domain import Report, ReportSet, exit_code
from privacy_gate.report.page.values import clean, counted, run_link, text

SIGNS = {
    "pass": "✓",
    "fail": "✗",
    "inconclusive": "?",
    "error": "!",
    "waived": "~",
    "not_run": "–",
    "missing": "!",
}
"""A sign per verdict, so that no verdict is told by its colour alone."""

_WORDS = {"not_run": "not run"}
_COUNTED = ("fail", "inconclusive", "not_run", "waived", "pass")
_VERBS = {
    "fail": ("fails its budget", "fail their budgets"),
    "inconclusive": ("is inconclusive", "are inconclusive"),
    "not_run": ("did not run", "did not run"),
    "waived": ("is waived", "are waived"),
    "pass": ("passes", "pass"),
}
_SEVERITY = {"pass": 0, "inconclusive": 1, "fail": 2, "error": 3}


@dataclass(frozen=True, slots=True)
class Headline:
    """``verdict`` names the style; ``word`` and ``sentence`` are what is read."""

    verdict: str
    word: str
    sentence: str
    code: int


@dataclass(frozen=True, slots=True)
class Banner:
    """Something to know before the numbers; ``link`` is an https address or empty."""

    title: str
    sentence: str
    link: str = ""


def word(verdict: str) -> str:
    """A verdict as a reader says it."""
    return _WORDS.get(verdict, verdict)


def headline(report: Report) -> Headline:
    """The verdict of one report, and the counts behind it."""
    code = int(exit_code(report))
    held = held_verdict(report)
    if report.verdict == "pass" and held == "inconclusive" and not report.complete:
        sentence = (
            f"Not every configured check has a verdict, so this is no pass. {_counts(report)}"
        )
        return Headline("error", "Error: incomplete report", sentence, 2)
    if _SEVERITY[held] > _SEVERITY.get(report.verdict, 3):
        sentence = (
            f"The report says {report.verdict}, but what it holds is {held}: it cannot be trusted."
        )
        return Headline("error", "Error: contradictory report", sentence, 2)
    if report.verdict == "error":
        sentence = "The run ended in an error; this is no verdict on the model."
        if report.checks:
            sentence += f" {_counts(report)}"
        return Headline("error", "Error", sentence, code)
    tolerated = report.verdict == "inconclusive" and code == 0
    blocking = sum(change.blocking for change in report.changes)
    sentences = []
    if blocking:
        changes = counted(blocking, "change") + " of the terms "
        sentences.append(changes + ("blocks" if blocking == 1 else "block") + " this candidate.")
    sentences.append(_counts(report))
    if tolerated:
        sentences.append("Tolerated for now: the exit code is 0, but this is not a pass.")
    if not report.complete:
        sentences.append("The report is incomplete: not every configured check has a verdict.")
    shown = report.verdict.capitalize() + (", tolerated" if tolerated else "")
    return Headline(report.verdict, shown, " ".join(sentences), code)


def set_headline(reports: ReportSet) -> Headline:
    """The verdict of several reports together."""
    single = [headline(report) for report in reports.reports]
    parts = []
    for verdict in ("error", "fail", "inconclusive", "pass"):
        count = sum(one.verdict == verdict for one in single)
        if count:
            parts.append(f"{count} {verdict}")
    if reports.missing:
        parts.append(f"{len(reports.missing)} missing")
    sentence = f"{counted(len(single), 'report')}: {', '.join(parts)}." if parts else "No report."
    code = int(reports.exit_code)
    broken = any(one.code == 2 for one in single)
    if broken or not parts:
        return Headline("error", "Error", sentence, 2)
    tolerated = ", tolerated" if reports.verdict == "inconclusive" and code == 0 else ""
    return Headline(reports.verdict, reports.verdict.capitalize() + tolerated, sentence, code)


def held_verdict(report: Report) -> str:
    """The best verdict that the content of a report allows."""
    verdicts = {check.verdict for check in report.checks}
    if report.error is not None:
        return "error"
    if "fail" in verdicts or any(change.blocking for change in report.changes):
        return "fail"
    held = any(check.blocking for check in report.fixture_checks)
    passes = verdicts == {"pass"} and report.complete and not held
    return "pass" if passes else "inconclusive"


def counts(report: Report) -> dict[str, int]:
    """Verdict -> number of checks, those to worry about first; no zeros."""
    numbers = {
        verdict: sum(check.verdict == verdict for check in report.checks) for verdict in _COUNTED
    }
    return {verdict: number for verdict, number in numbers.items() if number}


def tally(report: Report) -> list[tuple[str, int, str]]:
    """(verdict, number, words) of what blocks the run and of its checks."""
    found = [(verdict, number, word(verdict)) for verdict, number in counts(report).items()]
    blocking = sum(change.blocking for change in report.changes)
    if blocking:
        words = "blocking change" if blocking == 1 else "blocking changes"
        found.insert(0, ("fail", blocking, words))
    return found


def _counts(report: Report) -> str:
    found, total = counts(report), len(report.checks)
    if not total:
        return "No check was made."
    if found.get("pass") == total:
        return f"All {counted(total, 'check')} pass: the upper bound of each is within its budget."
    parts = [f"{number} {_VERBS[verdict][number > 1]}" for verdict, number in found.items()]
    return f"Of {counted(total, 'check')}, {', '.join(parts)}."


def banners(report: Report) -> list[Banner]:
    """What the verdict rests on besides the measurement."""
    return [
        *_reused(report),
        *_fixtures(report),
        *_tolerances(report),
        *_base(report),
        *_baseline(report),
    ]


def _reused(report: Report) -> Iterator[Banner]:
    if report.reused is not None:
        repository = text(report.run, "repository")
        parts = [("commit", "commit"), ("finished", "finished")]
        facts = [
            f"{name} {text(report.reused, key)}" for name, key in parts if text(report.reused, key)
        ]
        yield Banner(
            "An earlier report, repeated",
            "Nothing was measured in this run: model, fixtures, configuration, policy and tool are"
            f" those of an earlier report ({', '.join(facts) or 'origin not recorded'}).",
            run_link(report.reused, repository),
        )


def _fixtures(report: Report) -> Iterator[Banner]:
    for check in report.fixture_checks:
        if check.blocking:
            title = f"The fixtures carry no verdict: {clean(check.name)}"
            yield Banner(title, clean(f"{check.message} {check.advice}"))
        elif check.accepted:
            title = f"Accepted: {clean(check.name)}"
            yield Banner(title, clean(f"{check.message} Reason: {check.accepted}"))


def _tolerances(report: Report) -> Iterator[Banner]:
    for waiver in report.waivers:
        if waiver.get("expired"):
            title = "An expired waiver, not applied"
        else:
            title = "Waived" if text(waiver, "approved_by") else "Tolerated"
        approved = text(waiver, "approved_by")
        yield Banner(
            title,
            f"{text(waiver, 'check')}, until {text(waiver, 'until') or 'an unknown day'}"
            + (f", approved by {approved}" if approved else "")
            + f". Reason: {text(waiver, 'reason') or 'none recorded'}",
        )


def _base(report: Report) -> Iterator[Banner]:
    if report.base is not None:
        ref, commit = text(report.base, "ref"), text(report.base, "commit")[:12]
        others = sum(not change.blocking for change in report.changes)
        changed = f" {counted(others, 'other difference')} are listed below." if others else ""
        yield Banner(
            "Judged by the terms of the base branch",
            f"Of this candidate and {ref or 'the base'}{f' at {commit}' if commit else ''}, the"
            f" stricter term counts.{changed}",
        )


def _baseline(report: Report) -> Iterator[Banner]:
    if report.baseline is not None and text(report.baseline, "message"):
        none = text(report.baseline, "kind") == "none"
        yield Banner("No baseline yet" if none else "Baseline", text(report.baseline, "message"))
