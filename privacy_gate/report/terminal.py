"""One screen: the verdict, the worst checks with interval and budget as a bar, why, what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from privacy_gate.domain import Check, Report

WIDTH = 100
SHOWN = 8
_BAR = 24
_ORDER = {"fail": 0, "inconclusive": 1, "not_run": 2, "waived": 3, "pass": 4}


def render(report: Report) -> str:
    """Plain text, no colours, at most 100 columns, ending in a newline."""
    lines = [_title(report), *_facts(report)]
    if report.error is not None:
        lines += ["", *_error(report)]
    if report.checks:
        lines += ["", *_checks(report), "", *_why(report)]
    attacks = list(_attacks(report))
    lines += ["", *attacks] if attacks else []
    lines += [*_cautions(report)]
    return "\n".join(lines) + "\n"


def _title(report: Report) -> str:
    verdict = report.verdict.upper()
    if report.verdict == "inconclusive" and report.complete and report.tolerated:
        verdict += " (tolerated)"
    left = f"privacy_gate  {report.name}"
    return f"{left}{verdict:>{WIDTH - len(left)}}"


def _facts(report: Report) -> Iterator[str]:
    model, fixtures = report.model, report.fixtures
    if model.get("sha256"):
        yield (
            f"  model     {_tail(model['path'])} ({model['format']}, {model['device']},"
            f" sha256 {model['sha256'][:12]})"
        )
    if model.get("accuracy"):
        members, nonmembers = model["accuracy"]["members"], model["accuracy"]["nonmembers"]
        yield f"  accuracy  members {_share(members)}, non-members {_share(nonmembers)}"
    if fixtures.get("evaluation"):
        sizes = fixtures["evaluation"]
        yield (
            f"  records   {sizes['members']} members + {sizes['nonmembers']} non-members judged,"
            f" of {fixtures['members']} + {fixtures['nonmembers']}; {fixtures['assignment']}"
        )


def _attacks(report: Report) -> Iterator[str]:
    """What an ensemble of few-shot attackers is, and which attacks did not run."""
    for attack in report.attacks:
        if attack.status == "not_run":
            yield from _wrapped(f"not run: {attack.name}: {attack.reason}", "  ")
        elif attack.few_shot is not None:
            single = attack.few_shot["single_draw"]["auc"]
            spread = "" if single["sd"] is None else f" (sd {single['sd']:.3f})"
            yield from _wrapped(
                f"few-shot: {attack.few_shot['title']}; one draw gets AUC {single['mean']:.3f}"
                f"{spread}",
                "  ",
            )


def _share(interval: Mapping[str, float]) -> str:
    return f"{interval['estimate']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


def _error(report: Report) -> Iterator[str]:
    error = report.error or {}
    where = f"{error['location']}: " if error.get("location") else ""
    yield from _wrapped(f"error: {where}{error['message']}", "  ")
    if error.get("hint"):
        yield from _wrapped(str(error["hint"]), "  ")


def worst_first(checks: tuple[Check, ...]) -> list[Check]:
    """Failed checks first, then undecided ones, then those closest to their budget."""
    return sorted(checks, key=lambda check: (_ORDER[check.verdict], -_ratio(check), check.id))


def _ratio(check: Check) -> float:
    """How far the budget is used up: for certain when it failed, else at most."""
    bound = check.low if check.verdict == "fail" else check.high
    return 0.0 if bound is None else bound / check.budget


def _checks(report: Report) -> Iterator[str]:
    ordered = worst_first(report.checks)
    shown = _one_per_metric(ordered)[:SHOWN]
    width = max(len(check.id) for check in shown)
    for check in shown:
        numbers = "not measured"
        if check.estimate is not None and check.low is not None and check.high is not None:
            numbers = f"{check.estimate:5.3f} [{check.low:5.3f}, {check.high:5.3f}]"
        yield (
            f"  {check.verdict.upper():<12} {check.id:<{width}}  {_bar(check)} {numbers}"
            f"  budget {check.budget:g}{_null(check)}"
        )
    rest = [check for check in ordered if check not in shown]
    if rest:
        counts = {verdict: sum(c.verdict == verdict for c in rest) for verdict in _ORDER}
        words = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        yield f"  and {len(rest)} more: {words}"


def _one_per_metric(ordered: list[Check]) -> list[Check]:
    """What did not pass, then of each budget the passing check that came closest to it."""
    closest: dict[tuple[object, ...], Check] = {}
    for check in ordered:
        if check.verdict == "pass":
            closest.setdefault((check.metric, *check.arguments.values()), check)
    return [c for c in ordered if c.verdict != "pass"] + list(closest.values())


def _null(check: Check) -> str:
    """Log-MIA is not 0 without leakage, so its null always stands beside it."""
    if check.metric != "log_mia" or check.null is None:
        return ""
    return f", null {check.null:.3f}"


def _bar(check: Check) -> str:
    """``[..--o--|....]``: interval, estimate and budget on a scale from 0 to 1."""
    cells = ["."] * _BAR
    if check.estimate is not None and check.low is not None and check.high is not None:
        for cell in range(_cell(check.low), _cell(check.high) + 1):
            cells[cell] = "-"
        cells[_cell(check.estimate)] = "o"
    cells[_cell(check.budget)] = "|"
    return f"[{''.join(cells)}]"


def _cell(value: float) -> int:
    return min(_BAR - 1, max(0, int(value * _BAR)))


def _why(report: Report) -> Iterator[str]:
    """Message and advice of the worst checks, each sentence once."""
    ordered = [check for check in worst_first(report.checks) if check.verdict != "pass"]
    if not ordered:
        yield "  Every check passes: the upper bound of each is within its budget."
        return
    for check in ordered[:3]:
        yield from _wrapped(f"{check.id}: {check.message}", "  ")
    for advice in dict.fromkeys(check.advice for check in ordered[:3] if check.advice):
        yield from _wrapped(f"-> {advice}", "  ")


def _cautions(report: Report) -> Iterator[str]:
    if report.cautions:
        yield ""
    for caution in report.cautions:
        yield from _wrapped(f"note: {caution}", "  ")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "   ",
        break_on_hyphens=False,
    )


def _tail(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]
