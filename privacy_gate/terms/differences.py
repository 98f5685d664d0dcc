"""How the terms of a candidate differ from those of its base branch, and what that means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Literal

from privacy_gate.domain import Change, decimal
from privacy_gate.terms.types import TRUST, Terms

_CODE = ("model.factory", "model.output.transforms", "signals", "fixtures.loader")
_MEASURING = ("task", "splits", "statistics.", "fixtures.", "attacks.")


def changes(base: Terms, head: Terms) -> tuple[Change, ...]:
    """How the terms of ``head`` differ from those of ``base``, the blocking differences first.

    Blocking is what would let more pass: a larger budget, a missing check, lower confidence, other
    fixtures, other code that measures, another way to measure, an acceptance, which has no last day
    and counts only once it is merged. Waivers and tolerances do not block,
    since they have a last day and count only once they are merged; nor does what belongs to the
    model itself, or what is tightened. With ``on_changed_terms: show`` in ``base``, nothing blocks.
    """
    found = [
        *_changed_checks(base, head),
        *_changed_attacks(base, head),
        *_changed_confidence(base, head),
        *_changed_fixtures(base, head),
        *_changed_pinned(base, head),
        *_changed_tolerance(base, head),
        *_changed_waivers(base, head),
        *_changed_acceptances(base, head),
    ]
    approval = base.owner or "those who own the budgets"
    cure = f": merge the change of the terms first, with the approval of {approval}."
    blocks = base.on_changed_terms == "fail"
    found = [
        replace(
            change,
            blocking=change.blocking and blocks,
            message=change.message + (cure if change.blocking and blocks else "."),
        )
        for change in found
    ]
    return tuple(sorted(found, key=lambda change: not change.blocking))


def _changed_checks(base: Terms, head: Terms) -> Iterator[Change]:
    here = {check.id: check for check in head.checks}
    there = {check.id: check for check in base.checks}
    for name, before in there.items():
        key, old = f"budgets: {name}", number(before.budget)
        after = here.get(name)
        if after is None:
            message = f"The check {name} with the budget {old} on the base branch is missing here"
            yield Change(key, "dropped", old, None, message, True)
        elif after.budget != before.budget:
            looser, new = after.budget > before.budget, number(after.budget)
            message = f"The budget of {name} is {old} on the base branch and {new} here"
            line = None if after.path else after.line
            kind: Literal["loosened", "tightened"] = "loosened" if looser else "tightened"
            yield Change(key, kind, old, new, message, looser, line)
    for name, added in here.items():
        if name not in there:
            new = number(added.budget)
            message = f"The check {name} with the budget {new} is new here"
            line = None if added.path else added.line
            yield Change(f"budgets: {name}", "added", None, new, message, False, line)


def _changed_attacks(base: Terms, head: Terms) -> Iterator[Change]:
    """An attack named singly must run; in a suite it may be left out."""
    for name in base.singly:
        if name not in head.singly and any(check.attack == name for check in head.checks):
            message = f"The attack {name} must run on the base branch and may be left out here"
            yield Change(f"attacks: {name}", "loosened", "must run", "may run", message, True)


def _changed_confidence(base: Terms, head: Terms) -> Iterator[Change]:
    old, new = number(base.confidence), number(head.confidence)
    if base.confidence != head.confidence:
        looser = head.confidence < base.confidence
        message = f"The confidence is {old} on the base branch and {new} here"
        kind: Literal["loosened", "tightened"] = "loosened" if looser else "tightened"
        yield Change("statistics.confidence", kind, old, new, message, looser)


def _changed_fixtures(base: Terms, head: Terms) -> Iterator[Change]:
    old, new = base.fixtures_sha256, head.fixtures_sha256
    if old is not None and old != new:
        here = "not found" if new is None else new[:12]
        message = f"The digest of the fixtures is {old[:12]} on the base branch and {here} here"
        yield Change("fixtures", "changed", old, new, message, True)


def _changed_pinned(base: Terms, head: Terms) -> Iterator[Change]:
    attacks = {check.attack for check in base.checks} & {check.attack for check in head.checks}
    for key in dict.fromkeys((*base.pinned, *head.pinned)):
        old, new = base.pinned.get(key), head.pinned.get(key)
        name = key.removeprefix("attacks.")
        if old == new or (name != key and name not in attacks):
            continue
        kind: Literal["added", "dropped", "changed", "loosened", "tightened"] = "changed"
        if key == TRUST:
            kind = "loosened" if new == "code" else "tightened"
        elif old is None or new is None:
            kind = "added" if old is None else "dropped"
        there, here = old or "not set", new or "not set"
        message = f"{key} is {there} on the base branch and {here} here"
        yield Change(key, kind, old, new, message, _pin_blocks(key, base, head))


def _pin_blocks(key: str, base: Terms, head: Terms) -> bool:
    """Whether the change could hide a leak of the same model on the same fixtures."""
    old, new = base.pinned.get(key), head.pinned.get(key)
    if key == TRUST:
        return new == "code"
    if key in _CODE:
        return new is not None
    if key == "model.preprocess":  # a function can return what it likes; numbers cannot
        return new is not None and not new.startswith("{")
    if key == "fixtures.path":
        return base.fixtures_sha256 is None
    if key.startswith("overconfidence"):  # the sets, and how false alarms are counted on them
        return any(check.metric.audited for check in base.checks)
    if key.startswith("baseline"):
        return old is not None and any(check.increase for check in base.checks)
    return key.startswith(_MEASURING)


def _changed_tolerance(base: Terms, head: Terms) -> Iterator[Change]:
    if base.warn_until == head.warn_until:
        return
    old, new = _day(base.warn_until), _day(head.warn_until)
    looser = head.warn_until is not None and (
        base.warn_until is None or head.warn_until > base.warn_until
    )
    until = f"until {new}" if new else "not at all"
    before = f"until {old}" if old else "not at all"
    message = f"Inconclusive checks are tolerated {before} on the base branch and {until} here"
    message += "; that counts once it is merged" if looser else ""
    kind: Literal["loosened", "tightened"] = "loosened" if looser else "tightened"
    yield Change("statistics.on_inconclusive", kind, old, new, message, False)


def _changed_waivers(base: Terms, head: Terms) -> Iterator[Change]:
    there = {waiver.check: waiver for waiver in base.waivers}
    here = {waiver.check: waiver for waiver in head.waivers}
    for name in dict.fromkeys((*there, *here)):
        old = there[name].until.isoformat() if name in there else None
        new = here[name].until.isoformat() if name in here else None
        if old == new:
            continue
        looser = new is not None and (old is None or new > old)
        before = f"runs until {old}" if old else "does not exist"
        after = f"runs until {new}" if new else "does not exist"
        message = f"The waiver of {name} {before} on the base branch and {after} here"
        message += "; that counts once it is merged" if looser else ""
        kind: Literal["loosened", "tightened"] = "loosened" if looser else "tightened"
        yield Change(f"waivers: {name}", kind, old, new, message, False)


def _changed_acceptances(base: Terms, head: Terms) -> Iterator[Change]:
    for name in dict.fromkeys((*base.accepted, *head.accepted)):
        old, new = base.accepted.get(name), head.accepted.get(name)
        key = f"accept: {name}"
        if old is None:
            message = f"What {name} finds is accepted here, but not on the base branch"
            yield Change(key, "loosened", None, new, message, True)
        elif new is None:
            message = f"What {name} finds is accepted on the base branch, but not here"
            yield Change(key, "tightened", old, None, message, False)
        elif old != new:
            message = f"The reason to accept what {name} finds differs from the base branch"
            yield Change(key, "changed", old, new, message, False)


def number(value: float) -> str:
    """A number as a user would write it, so that no two different ones look the same."""
    return f"{decimal(value).normalize():f}"


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
