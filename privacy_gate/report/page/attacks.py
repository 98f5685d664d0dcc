"""One attack as a page shows it: pictures, rates, ties, its operating point, what a draw gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privacy_gate.domain import AttackResult, Check, Report
from privacy_gate.report.page.order import worst_first
from privacy_gate.report.page.plots import beside_chance, histogram
from privacy_gate.report.page.roc import roc
from privacy_gate.report.page.svg import Picture
from privacy_gate.report.page.values import (
    chance,
    clean,
    counted,
    exact,
    figure,
    number,
    p_value,
    section,
    share,
    text,
)

_RULES = {"global": "one threshold", "class_wise": "a threshold per class"}


@dataclass(frozen=True, slots=True)
class Table:
    """A small table: a caption, names of columns, rows of texts, and a note below it."""

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack that ran. ``facts`` are (name, text); ``counts`` (verdict, number of checks)."""

    id: str
    name: str
    subtitle: str
    verdict: str
    counts: tuple[tuple[str, int], ...]
    title: str
    curve: Picture | None
    pictures: tuple[Picture, ...]
    tables: tuple[Table, ...]
    facts: tuple[tuple[str, str], ...]


def attacks_view(report: Report, prefix: str) -> list[Attack]:
    """The attacks that ran, the one with the worst check first; ids start with ``prefix``."""
    places: dict[str, int] = {}
    for place, check in enumerate(worst_first(report.checks)):
        places.setdefault(check.attack, place)
    ran = [attack for attack in report.attacks if attack.status == "ran"]
    ran.sort(key=lambda attack: places.get(attack.name, len(places)))
    return [
        _attack(attack, [c for c in report.checks if c.attack == attack.name], f"{prefix}a{place}")
        for place, attack in enumerate(ran)
    ]


def not_run(report: Report) -> list[tuple[str, str]]:
    """(attack, reason) of those that did not run."""
    return [
        (clean(attack.name), clean(attack.reason) or "no reason recorded")
        for attack in report.attacks
        if attack.status != "ran"
    ]


def _attack(attack: AttackResult, checks: Sequence[Check], identifier: str) -> Attack:
    verdicts = [check.verdict for check in worst_first(checks)]
    pictures = (
        histogram(attack, f"{identifier}-scores"),
        beside_chance(attack, checks, f"{identifier}-chance"),
    )
    access = f"sees {clean(attack.access)}"
    queries = counted(attack.queries_per_record, "query", "queries") + " per record"
    return Attack(
        id=identifier,
        name=clean(attack.name),
        subtitle=f"{clean(attack.family)}, {access}, {queries}",
        verdict=verdicts[0] if verdicts else "",
        counts=tuple((word, verdicts.count(word)) for word in dict.fromkeys(verdicts)),
        title=text(attack.few_shot, "title"),
        curve=roc(attack, checks, f"{identifier}-roc"),
        pictures=tuple(picture for picture in pictures if picture is not None),
        tables=tuple(_tables(attack, identifier)),
        facts=tuple(_facts(attack)),
    )


def _tables(attack: AttackResult, identifier: str) -> list[Table]:
    found = [
        _rates(attack, f"{identifier}-rates"),
        _operating_point(attack, f"{identifier}-point"),
        _single_draw(attack, f"{identifier}-draw"),
        _paper(attack, f"{identifier}-paper"),
    ]
    return [table for table in found if table is not None and table.rows]


def _rates(attack: AttackResult, identifier: str) -> Table:
    rows = []
    for name, argument, entries in (
        ("TPR at FPR", "fpr", attack.tpr_at_fpr),
        ("TNR at FNR", "fnr", attack.tnr_at_fnr),
    ):
        for entry in entries:
            value = share(entry)
            if entry.get("observable") is False:
                value = f"not observable, at most {figure(entry.get('high'))}"
            rows.append(
                (f"{name} {exact(entry.get(argument))}", value, p_value(entry.get("null_p")))
            )
    note = "p: exact chance of as much without leakage; of one value alone, uncorrected."
    return Table(identifier, "Rates", ("rate", "value [low, high]", "p"), tuple(rows), note)


def _operating_point(attack: AttackResult, identifier: str) -> Table | None:
    rules = [
        (words, section(attack.operating_point, key))
        for key, words in _RULES.items()
        if section(attack.operating_point, key)
    ]
    if not rules:
        return None
    priors = list(dict.fromkeys(prior for _, rule in rules for prior in section(rule, "ppv")))
    rows = [
        ("FPR aimed at", *(exact(rule.get("target_fpr")) for _, rule in rules)),
        ("FPR", *(share(section(rule, "fpr")) for _, rule in rules)),
        ("TPR", *(share(section(rule, "tpr")) for _, rule in rules)),
        *(
            (
                f"Precision if {clean(prior)} are members",
                *(chance(section(rule, "ppv").get(prior)) for _, rule in rules),
            )
            for prior in priors
        ),
        ("Distinguishability", *(figure(rule.get("distinguishability")) for _, rule in rules)),
    ]
    note = (
        "A threshold fixed on the calibration records, judged on the evaluation records."
        " Distinguishability is of these scores; it is no differential-privacy statement."
    )
    columns = ("", *(words for words, _ in rules))
    return Table(identifier, "Operating point", columns, tuple(rows), note)


def _single_draw(attack: AttackResult, identifier: str) -> Table | None:
    draws = section(attack.few_shot, "single_draw")
    rows = []
    for name, spread in draws.items():
        if isinstance(spread, Mapping):
            mean, deviation = number(spread.get("mean")), number(spread.get("sd"))
            rows.append((clean(name), figure(mean), figure(deviation)))
    if not rows:
        return None
    return Table(
        identifier,
        "What one draw gets",
        ("metric", "mean", "sd"),
        tuple(rows),
        "The checks judge the mean over all draws; one attacker has one draw.",
    )


def _facts(attack: AttackResult) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if attack.ties:
        largest, top = attack.ties.get("largest_block"), attack.ties.get("at_top")
        found.append(
            ("Ties", f"largest block of equal scores {exact(largest)}, at the top {exact(top)}")
        )
    few_shot: Mapping[str, Any] = attack.few_shot or {}
    if text(few_shot, "features"):
        found.append(("Features", text(few_shot, "features")))
    if text(few_shot, "note"):
        found.append(("Note", text(few_shot, "note")))
    if attack.method:
        found.append(("Method", clean(attack.method)))
    found.append(("Time", f"{figure(attack.seconds, 2)} s"))
    return found


def _paper(attack: AttackResult, identifier: str) -> Table | None:
    """The result of the published protocol, where it was asked for."""
    rows = [
        (
            clean(name),
            f"{figure(mean.get('mean'))} ± {figure(mean.get('half_width'))}",
            figure(mean.get("null")),
        )
        for name, mean in section(attack.few_shot, "paper").items()
        if isinstance(mean, Mapping)
    ]
    if not rows:
        return None
    columns = ("metric", "mean over episodes", "no leakage")
    note = "The published half-width; no budget is judged by these."
    return Table(identifier, "Published protocol", columns, tuple(rows), note)
