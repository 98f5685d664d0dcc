"""One screen: the verdict, the worst checks with interval and budget as a bar, why, what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from privacy_gate.domain import Check, Report
from privacy_gate.report.comment.escape import clean
from privacy_gate.report.page.access import access_sentence
from privacy_gate.report.page.audit import errors_words, worst_attacks
from privacy_gate.report.page.headline import Headline, headline
from privacy_gate.report.page.lens import lens_sentence
from privacy_gate.report.page.order import worst_first
from privacy_gate.report.page.values import exact, figure, interval, number, section, share, text

WIDTH = 100
SHOWN = 8
_BAR = 24
_NAME = 80
_TEXT = 20_000
_ORDER = {"fail": 0, "inconclusive": 1, "not_run": 2, "waived": 3, "pass": 4}


def render(report: Report) -> str:
    """Plain text, no colours, no control characters, lines of 100 columns wherever names allow it,
    ending in a newline."""
    head = headline(report)
    lines = [_title(report, head), *_facts(report)]
    if head.verdict != report.verdict:
        lines += ["", *_wrapped(head.sentence, "  ")]
    if report.error is not None:
        lines += ["", *_error(report.error)]
    if report.changes:
        lines += ["", *_changes(report)]
    fixtures = list(_fixture_checks(report))
    lines += ["", *fixtures] if fixtures else []
    if report.checks:
        lines += ["", *_checks(report), "", *_why(report)]
    lines += _informational(report)
    attacks = list(_attacks(report))
    lines += ["", *attacks] if attacks else []
    audit = list(_audit(report))
    lines += ["", *audit] if audit else []
    lines += [*_cautions(report)]
    return "\n".join(lines) + "\n"


def _title(report: Report, head: Headline) -> str:
    verdict = report.verdict if head.verdict == report.verdict else head.word
    shown = verdict.upper()
    if head.verdict == "inconclusive" and head.code == 0:
        shown += " (tolerated)"
    left = f"privacy_gate  {clean(report.name, _NAME)}"
    return f"{left}  {shown:>{max(0, WIDTH - len(left) - 2)}}"


def _facts(report: Report) -> Iterator[str]:
    model, fixtures = report.model, report.fixtures
    if text(model, "sha256"):
        yield (
            f"  model     {_tail(_name(model, 'path'))} ({_name(model, 'format')},"
            f" {_name(model, 'device')}, sha256 {_name(model, 'sha256')[:12]})"
        )
    accuracy = section(model, "accuracy")
    if accuracy:
        members, nonmembers = section(accuracy, "members"), section(accuracy, "nonmembers")
        words = f"members {share(members)}, non-members {share(nonmembers)}"
        yield f"  accuracy  {clean(words, WIDTH)}"
    sizes = section(fixtures, "evaluation")
    if sizes:
        yield (
            f"  records   {exact(sizes.get('members'))} members +"
            f" {exact(sizes.get('nonmembers'))} non-members judged, of"
            f" {exact(fixtures.get('members'))} + {exact(fixtures.get('nonmembers'))};"
            f" {_name(fixtures, 'assignment')}"
        )
    receipt = section(fixtures, "receipt")
    if receipt:
        count = exact(receipt.get("records"))
        yield f"  members   verified: training wrote a receipt of {count} records"
    if report.baseline is not None and text(report.baseline, "message"):
        yield from _wrapped(f"baseline  {text(report.baseline, 'message')}", "  ")
    if report.reused is not None:
        yield (
            f"  reused    the report of commit {_name(report.reused, 'commit')[:12]}, finished"
            f" {_name(report.reused, 'finished')}; nothing was measured in this run"
        )
    if report.run.get("cached"):
        kinds = clean(", ".join(map(str, report.run["cached"])), WIDTH)
        yield f"  cached    {kinds}: computed by an earlier run, see --no-cache"


def _attacks(report: Report) -> Iterator[str]:
    """What an ensemble of few-shot attackers is, and which attacks did not run."""
    for attack in report.attacks:
        name = clean(attack.name, _NAME)
        if attack.status == "not_run":
            yield from _wrapped(f"not run: {name}: {attack.reason}", "  ")
        elif attack.few_shot is not None:
            single = section(section(attack.few_shot, "single_draw"), "auc")
            spread = (
                f" (sd {figure(single.get('sd'))})" if number(single.get("sd")) is not None else ""
            )
            yield from _wrapped(
                f"few-shot: {text(attack.few_shot, 'title')}; one draw gets AUC"
                f" {figure(single.get('mean'))}{spread}",
                "  ",
            )


def _audit(report: Report) -> Iterator[str]:
    """What each level of access gets, the attack with most false alarms, calibration errors."""
    if access_sentence(report):
        yield from _wrapped(f"by access: {access_sentence(report)}", "  ")
    for attack in worst_attacks(report)[:1]:
        yield from _wrapped(
            f"overconfidence: {_name(attack, 'name')}: {text(attack, 'sentence')}", "  "
        )
    if errors_words(report):
        yield from _wrapped(f"calibration: {errors_words(report)}", "  ")
    if lens_sentence(report):
        yield from _wrapped(f"calibration lens: {lens_sentence(report)}", "  ")


def _error(error: Mapping[str, Any]) -> Iterator[str]:
    where = f"{text(error, 'location')}: " if text(error, "location") else ""
    for problem in f"error: {where}{text(error, 'message')}".split("\n"):  # a file has many at once
        yield from _wrapped(problem, "  ")
    if text(error, "hint"):
        yield from _wrapped(text(error, "hint"), "  ")


def _changes(report: Report) -> Iterator[str]:
    """Changes of the terms that block come first: they fail the run whatever was measured."""
    for change in sorted(report.changes, key=lambda change: not change.blocking):
        blocks = "BLOCKING" if change.blocking else change.kind
        yield from _wrapped(f"{blocks}: {change.key}: {change.message}", "  ")


def _fixture_checks(report: Report) -> Iterator[str]:
    """What was found to be wrong with the fixtures."""
    for check in report.fixture_checks:
        if check.verdict == "pass" or report.error is not None:
            continue
        state = "BLOCKING" if check.blocking else "accepted" if check.accepted else check.verdict
        yield from _wrapped(f"fixtures: {state}: {check.name}: {check.message}", "  ")
        if check.accepted:
            yield from _wrapped(f"-> Reason: {check.accepted}", "  ")
        elif check.advice and not check.blocking:  # else it is the advice of the checks
            yield from _wrapped(f"-> {check.advice}", "  ")


def _checks(report: Report) -> Iterator[str]:
    ordered = worst_first(report.checks)
    shown = _one_per_metric(ordered)[:SHOWN]
    names = [clean(check.id, _NAME) for check in shown]
    width = max(map(len, names))
    for check, name in zip(shown, names, strict=True):
        numbers = clean(interval(check.estimate, check.low, check.high, check.budget), WIDTH)
        yield (
            f"  {check.verdict.upper():<12} {name:<{width}}  {_bar(check)} {numbers}"
            f"  budget {exact(check.budget)}{_null(check)}"
        )
    rest = [check for check in ordered if check not in shown]
    if rest:
        counts = {verdict: sum(c.verdict == verdict for c in rest) for verdict in _ORDER}
        words = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        yield f"  and {len(rest)} more: {words}"


def _informational(report: Report) -> Iterator[str]:
    """What decides nothing and is not within its budget."""
    beyond = [check for check in worst_first(report.informational) if check.verdict != "pass"]
    for check in beyond[:SHOWN]:
        numbers = interval(check.estimate, check.low, check.high, check.budget)
        yield from _wrapped(
            f"for information: {clean(check.id, _NAME)} {numbers}, budget {exact(check.budget)}",
            "  ",
        )
    if len(beyond) > SHOWN:
        yield f"  for information: and {len(beyond) - SHOWN} more"


def _one_per_metric(ordered: list[Check]) -> list[Check]:
    """What did not pass, then of each budget the passing check that came closest to it."""
    closest: dict[tuple[object, ...], Check] = {}
    for check in ordered:
        if check.verdict == "pass":
            closest.setdefault((check.metric, *check.arguments.values()), check)
    return [c for c in ordered if c.verdict != "pass"] + list(closest.values())


def _null(check: Check) -> str:
    """Log-MIA is not 0 without leakage, so its null always stands beside it."""
    if check.metric != "log_mia" or number(check.null) is None:
        return ""
    return f", null {figure(check.null)}"


def _bar(check: Check) -> str:
    """``[..--o--|....]``: interval, estimate and budget on a scale from 0 to 1."""
    cells = ["."] * _BAR
    estimate, low, high = number(check.estimate), number(check.low), number(check.high)
    if estimate is not None and low is not None and high is not None:
        for cell in range(_cell(low), _cell(high) + 1):
            cells[cell] = "-"
        cells[_cell(estimate)] = "o"
    budget = number(check.budget)
    if budget is not None:
        cells[_cell(budget)] = "|"
    return f"[{''.join(cells)}]"


def _cell(value: float) -> int:
    return int(min(max(value, 0.0), 1.0 - 0.5 / _BAR) * _BAR)


def _why(report: Report) -> Iterator[str]:
    """Message and advice of the worst checks, each sentence once."""
    ordered = [check for check in worst_first(report.checks) if check.verdict != "pass"]
    if not ordered:
        yield "  Every check passes: the upper bound of each is within its budget."
        return
    for check in ordered[:3]:
        yield from _wrapped(f"{clean(check.id, _NAME)}: {check.message}{_waiver(check)}", "  ")
    for advice in dict.fromkeys(check.advice for check in ordered[:3] if check.advice):
        yield from _wrapped(f"-> {advice}", "  ")


def _waiver(check: Check) -> str:
    """By whom and until when a check is excused."""
    if check.verdict != "waived" or check.waiver is None:
        return ""
    until, approved = text(check.waiver, "until"), text(check.waiver, "approved_by")
    return f" Waived until {until} by {approved}: {text(check.waiver, 'reason')}"


def _cautions(report: Report) -> Iterator[str]:
    if report.cautions:
        yield ""
    for caution in report.cautions:
        yield from _wrapped(f"note: {caution}", "  ")


def _wrapped(words: str, indent: str) -> list[str]:
    return textwrap.wrap(
        clean(words, _TEXT),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "   ",
        break_on_hyphens=False,
    )


def _name(content: Mapping[str, Any], key: str) -> str:
    return clean(text(content, key), _NAME)


def _tail(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]
