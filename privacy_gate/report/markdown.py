"""The report as Markdown, for comments and job summaries: a verdict at one glance, details folded.

Where a text has to be shorter, whole parts are left out, the least important first and those of the
last models first, and the text says which; nothing is ever cut in the middle.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from privacy_gate.domain import Report, ReportSet
from privacy_gate.report.comment.checks import measured, tally
from privacy_gate.report.comment.escape import code, text
from privacy_gate.report.comment.markup import ICONS, joined, table
from privacy_gate.report.comment.parts import Part, parts
from privacy_gate.report.page.headline import Headline, headline, set_headline
from privacy_gate.report.page.order import worst_first
from privacy_gate.report.page.values import counted, exact, run_link
from privacy_gate.report.page.values import text as value

SERVER = "https://github.com"
_SEVERITY = ("error", "fail", "inconclusive", "pass")
_KEPT, _HEADING = 0, 1


def render(report: Report) -> str:
    """One report, nothing left out."""
    return render_set(ReportSet((report,)))


def render_set(reports: ReportSet) -> str:
    """The reports of a run or a matrix, nothing left out; a missing one is shown as missing."""
    return _text(_document(reports, SERVER), 0)


def fit(
    reports: ReportSet,
    *,
    characters: int | None = None,
    bytes: int | None = None,  # noqa: A002 (as the limits are named)
    server: str = SERVER,
) -> str:
    """The reports in at most so many characters, or bytes of UTF-8.

    Without room for any part it is one line a model, then only how many have which verdict;
    ``ValueError`` if not even that fits, which takes less than 600 characters. ``server``: where a
    run may be linked to, other addresses are shown but not linked.
    """
    document = _document(reports, server)
    most = len(_leaving(document))

    def fits(found: str) -> bool:
        return (characters is None or len(found) <= characters) and (
            bytes is None or len(found.encode()) <= bytes
        )

    first = bisect_left(range(most + 1), True, key=lambda number: fits(_text(document, number)))
    shorter: Iterable[Callable[[], str]] = (
        *(lambda number=number: _text(document, number) for number in range(first, most + 1)),
        lambda: _lines(reports),
        lambda: _counts(reports),
    )
    for shortened in shorter:
        if fits(found := shortened()):
            return found
    raise ValueError("no report is as short as this limit")


# ---------------------------------------------------------------------------------- the whole text


def _document(reports: ReportSet, server: str) -> list[Part]:
    """All parts in the order they are read; those of a rank above ``_KEPT`` can be left out."""
    head = _head(reports)
    if len(reports.reports) == 1 and not reports.missing:
        report = reports.reports[0]
        title = f"## {_verdict(head)}: privacy gate for {code(report.name)}"
        own = [Part("", _KEPT, joined([title, text(head.sentence)])), *parts(report)]
    else:
        title = f"## {_verdict(head)}: privacy gate for {_count(reports)}"
        own = [Part("", _KEPT, joined([title, text(head.sentence), _overview(reports)]))]
        for report in _worst_first(reports.reports):
            one = headline(report)
            heading = f"### {_verdict(one)}: {code(report.name)}"
            own.append(
                Part("the models one by one", _HEADING, joined([heading, text(one.sentence)]))
            )
            own += [Part(p.name, p.rank + _HEADING, p.markdown) for p in parts(report)]
    return [*own, Part("", _KEPT, _foot(reports, server))]


def _leaving(document: Sequence[Part]) -> list[int]:
    """Places of the parts that can be left out, in the order in which they are."""
    places = [place for place, part in enumerate(document) if part.rank > _KEPT]
    return sorted(places, key=lambda place: (document[place].rank, place), reverse=True)


def _text(document: Sequence[Part], number: int) -> str:
    """The document without ``number`` parts, and with a sentence that says so."""
    left_out = set(_leaving(document)[:number])
    kept = [part.markdown for place, part in enumerate(document) if place not in left_out]
    if left_out:
        dropped = sorted((document[place] for place in left_out), key=lambda part: part.rank)
        names = dict.fromkeys(part.name for part in dropped)
        kept.insert(-1, f"Left out for length, in part or whole: {', '.join(names)}.")
    return joined(kept) + "\n"


def _foot(reports: ReportSet, server: str) -> str:
    """The only link of the text, to the workflow run; and where everything is."""
    facts = [report.run for report in reports.reports]
    version = next((value(run, "tool_version") for run in facts if value(run, "tool_version")), "")
    address = next(
        (found for run in facts if (found := run_link(run, value(run, "repository")))), ""
    )
    link = ""
    if address:
        link = f"[workflow run]({address})" if address.startswith(f"{server}/") else code(address)
    maker = f"privacy_gate {text(version, 40)}".strip()
    everything = "everything is in `report.html` and `report.json`"
    return "---\n\n" + " · ".join(part for part in (maker, link, everything) if part)


# ----------------------------------------------------------------------------------- several models


def _overview(reports: ReportSet) -> str:
    rows = [
        [f"{ICONS['missing']} MISSING", code(name), "no report", ""] for name in reports.missing
    ]
    for report in _worst_first(reports.reports):
        shown = [
            f"{code(check.id)}: {measured(check)}, {text(f'budget {exact(check.budget)}')}"
            for check in worst_first(report.checks)[:1]
        ]
        verdict = _verdict(headline(report))
        rows.append([verdict, code(report.name), _inside(report), "".join(shown)])
    header = ["verdict", "model", "checks", "worst check"]
    return table(header, rows) if rows else ""


def _worst_first(reports: Iterable[Report]) -> list[Report]:
    return sorted(reports, key=lambda report: _SEVERITY.index(headline(report).verdict))


def _inside(report: Report) -> str:
    """``2 blocking changes; 1 fail, 53 pass``."""
    blocking = sum(change.blocking for change in report.changes)
    changes = [counted(blocking, "blocking change")] if blocking else []
    return "; ".join([*changes, tally(report.checks) or "no check"])


def _count(reports: ReportSet) -> str:
    return counted(len(reports.reports) + len(reports.missing), "model")


# --------------------------------------------------------------------------------- short of room


def _lines(reports: ReportSet) -> str:
    """One line a model, what stops the run first."""
    lines = [f"- {ICONS['missing']} MISSING: {code(name)}" for name in reports.missing]
    lines += [
        f"- {_verdict(headline(report))}: {code(report.name)}, {_inside(report)}"
        for report in _worst_first(reports.reports)
    ]
    return joined([_summary(reports), "\n".join(lines)]) + "\n"


def _counts(reports: ReportSet) -> str:
    """How many models have which verdict; nothing in it comes from a report."""
    return joined([_summary(reports), "There is no room for more: see `report.html`."]) + "\n"


def _summary(reports: ReportSet) -> str:
    head = _head(reports)
    return f"**{_verdict(head)}: privacy gate.** {text(head.sentence)}"


def _head(reports: ReportSet) -> Headline:
    if len(reports.reports) == 1 and not reports.missing:
        return headline(reports.reports[0])
    return set_headline(reports)


def _verdict(head: Headline) -> str:
    return f"{ICONS[head.verdict]} {head.word.upper()}"
