"""The parts of a report as Markdown, each whole in itself, so that a text can do without any.

All that comes from a report goes through ``escape``; the rest of the markup is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from privacy_gate.domain import Change, Check, FixtureCheck, Report
from privacy_gate.report.comment.attacks import attack_part
from privacy_gate.report.comment.audit import audit_part
from privacy_gate.report.comment.checks import budget_table, check_table, compared, rest, worst
from privacy_gate.report.comment.escape import code, text
from privacy_gate.report.comment.lens import lens_part
from privacy_gate.report.comment.markup import ICONS, folded, joined, table
from privacy_gate.report.comment.plot import reversed_plot, roc_plot
from privacy_gate.report.page.headline import banners
from privacy_gate.report.page.order import worst_first
from privacy_gate.report.page.provenance import Fact, glance, overrides, provenance
from privacy_gate.report.page.steps import next_steps
from privacy_gate.report.page.values import counted, number, section
from privacy_gate.report.page.values import text as value

_MOST_CHANGES = 20
_MOST_BANNERS = 10
_MOST_REASONS = 3
_MOST_STEPS = 5
_MOST_ITEMS = 3
_MOST_PLOTTED_BUDGETS = 8


@dataclass(frozen=True, slots=True)
class Part:
    """``name`` says what is left out where it is; the lower ``rank``, the longer a part is kept."""

    name: str
    rank: int
    markdown: str


def parts(report: Report) -> list[Part]:
    """The parts of one report in the order they are read, which is also that of their worth."""
    budgets = worst(report.checks)
    shown = [checks[0] for checks in budgets]
    made = (
        ("the error", _error(report)),
        ("the changes of the terms", _changes(report.changes)),
        ("the worst checks", _worst(report, budgets)),
        ("what to do next", _steps(report)),
        ("waivers and baseline", _banners(report)),
        ("what was judged", _glance(report)),
        ("the ROC", _picture(report, shown)),
        ("the other checks", _others(report, shown)),
        ("what is shown for information", _informational(report)),
        ("the cautions", _cautions(report)),
        ("the attacks", attack_part(report)),
        ("the false alarms", audit_part(report)),
        ("the calibration lens", lens_part(report)),
        ("the fixture checks", _fixture_checks(report)),
        ("the provenance", _provenance(report)),
    )
    return [Part(name, rank, found) for rank, (name, found) in enumerate(made, 1) if found]


# ------------------------------------------------------------------------------------ at a glance


def _error(report: Report) -> str:
    if report.error is None:
        return ""
    place = value(report.error, "location")
    where = f" in {code(place)}" if place else ""
    return f"**Error**{where}: {text(value(report.error, 'message'), 6000) or '(no message)'}"


def _changes(changes: Sequence[Change]) -> str:
    """What blocks stands open, the rest is folded."""
    blocking = [change for change in changes if change.blocking]
    others = [change for change in changes if not change.blocking]
    title = counted(len(blocking), "blocking change") + " of the terms against the base branch"
    return joined(
        [
            f"**{title}**" if blocking else "",
            _change_table(blocking),
            folded(f"Other changes of the terms ({len(others)})", _change_table(others)),
        ]
    )


def _change_table(changes: Sequence[Change]) -> str:
    rows = [
        [
            change.kind,
            code(change.key),
            code(change.base, 60),
            code(change.head, 60),
            text(change.message, 300),
        ]
        for change in changes[:_MOST_CHANGES]
    ]
    left = len(changes) - _MOST_CHANGES
    more = f"… and {left} more." if left > 0 else ""
    header = ["", "term", "base branch", "here", "what it means"]
    return joined([table(header, rows), more]) if rows else ""


def _worst(report: Report, budgets: Sequence[Sequence[Check]]) -> str:
    """The worst check of each budget, and why the worst of them did not pass."""
    if not budgets:
        return ""
    left = len(report.checks) - sum(map(len, budgets))
    reasons = [
        f"- {code(checks[0].id)}: {text(checks[0].message)}"
        for checks in budgets
        if checks[0].verdict != "pass" and checks[0].message
    ]
    return joined(
        [
            budget_table(budgets),
            f"… and {counted(left, 'check')} of other budgets." if left else "",
            compared(report.checks),
            "\n".join(reasons[:_MOST_REASONS]),
        ]
    )


def _steps(report: Report) -> str:
    lines = []
    for place, step in enumerate(next_steps(report)[:_MOST_STEPS], 1):
        items = "; ".join(text(item, 200) for item in step.items[:_MOST_ITEMS])
        if len(step.items) > _MOST_ITEMS:
            items += f" and {len(step.items) - _MOST_ITEMS} more"
        if items and not step.why.endswith(":"):
            items = f"({items})"
        lines.append(f"{place}. {text(step.action)} {text(step.why)} {items}".rstrip())
    return joined(["**What to do next**", "\n".join(lines)]) if lines else ""


def _banners(report: Report) -> str:
    """What the verdict rests on besides the measurement."""
    found = banners(report)
    lines = [f"- **{text(item.title)}**: {text(item.sentence)}" for item in found[:_MOST_BANNERS]]
    if len(found) > _MOST_BANNERS:
        lines.append(f"- … and {len(found) - _MOST_BANNERS} more")
    return "\n".join(lines)


def _glance(report: Report) -> str:
    return "\n".join(f"- {text(fact.name)}: {text(fact.value)}" for fact in glance(report))


# ------------------------------------------------------------------------------------------ folded


def _picture(report: Report, shown: Sequence[Check]) -> str:
    """The ROC of the attack of the worst check, from the side that this check looks from."""
    attacks = {attack.name: attack for attack in report.attacks}
    check = next((check for check in shown if check.attack in attacks), None)
    if check is None:
        return ""
    reverse = check.metric == "tnr_at_fnr"
    metric, rate, side = (
        ("tnr_at_fnr", "fnr", "members") if reverse else ("tpr_at_fpr", "fpr", "nonmembers")
    )
    count = number(section(report.fixtures, "evaluation").get(side))
    if count is None or count < 1:
        return ""
    budgets = [
        (number(other.arguments.get(rate)) or 0.0, number(other.budget) or 0.0)
        for other in report.checks
        if other.attack == check.attack and other.metric == metric and not other.increase
    ]
    draw = reversed_plot if reverse else roc_plot
    plot = draw(attacks[check.attack].roc, count, budgets[:_MOST_PLOTTED_BUDGETS])
    if plot is None:
        return ""
    title = f"{code(check.attack)}, both axes logarithmic:"
    return folded("ROC of the attack with the worst check", f"{title}\n\n```text\n{plot}\n```")


def _others(report: Report, shown: Sequence[Check]) -> str:
    others = rest(report.checks, shown)
    return folded(f"The other checks ({len(others)})", check_table(others) if others else "")


def _informational(report: Report) -> str:
    checks = worst_first(report.informational)
    title = f"For information, deciding nothing ({len(checks)})"
    return folded(title, check_table(checks) if checks else "")


def _cautions(report: Report) -> str:
    cautions = [f"- {text(caution)}" for caution in report.cautions]
    return folded(f"Cautions ({len(cautions)})", "\n".join(cautions))


def _fixture_checks(report: Report) -> str:
    rows = [
        [f"{ICONS[check.verdict]} {check.verdict}", code(check.name), _about(check)]
        for check in report.fixture_checks
    ]
    header = ["verdict", "check", "what was found"]
    return folded(f"Fixture checks ({len(rows)})", table(header, rows) if rows else "")


def _about(check: FixtureCheck) -> str:
    """What was found, and why that is accepted or what to do about it."""
    rest = f"Accepted: {check.accepted}" if check.accepted else check.advice
    return f"{text(check.message, 300)} {text(rest, 300)}".rstrip()


def _provenance(report: Report) -> str:
    rows = [
        [f"{group.title}: {text(fact.name)}", _fact(fact)]
        for group in provenance(report)
        for fact in group.facts
    ]
    rows += [
        ["Override", f"{code(key)}: {code(before)} → {code(after)}, by {code(source)}"]
        for key, before, after, source in overrides(report)
    ]
    return folded("Provenance", table(["fact", "value"], rows) if rows else "")


def _fact(fact: Fact) -> str:
    return code(fact.value) if fact.code or fact.link else text(fact.value)
