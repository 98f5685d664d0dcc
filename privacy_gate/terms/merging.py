"""The stricter of two terms: what a model has to meet to meet both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from privacy_gate.terms.types import TRUST, PlannedCheck, Terms, Waiver


def stricter(base: Terms, head: Terms) -> Terms:
    """The terms that a model has to meet to meet both.

    A check that comes from ``base`` says so in its ``path``. A waiver, a tolerance or an acceptance
    counts only where both have it, until the earlier day. What cannot be compared (``pinned``, the
    fixtures) and ``on_changed_terms`` is that of ``base``; name and path are those of ``head``.
    """
    theirs = {check.id: check for check in base.checks}
    own = {check.id for check in head.checks}
    checks = [_tighter(theirs.get(check.id), check, base.path) for check in head.checks]
    checks += [_from(check, base.path) for check in base.checks if check.id not in own]
    binding = {check.id for check in checks}
    shown = {check.id: check for check in (*base.informational, *head.informational)}
    until, reason = _tolerance(base, head)
    pinned = {**head.pinned, **base.pinned}
    if "weights" in (base.pinned.get(TRUST), head.pinned.get(TRUST)):
        pinned[TRUST] = "weights"
    return replace(
        head,
        checks=tuple(checks),
        singly=tuple(dict.fromkeys((*head.singly, *base.singly))),
        confidence=max(base.confidence, head.confidence),
        warn_until=until,
        warn_reason=reason,
        waivers=tuple(_common_waivers(base, head)),
        accepted={name: why for name, why in base.accepted.items() if name in head.accepted},
        fixtures_sha256=base.fixtures_sha256 or head.fixtures_sha256,
        pinned=pinned,
        on_changed_terms=base.on_changed_terms,
        owner=base.owner or head.owner,
        informational=tuple(check for name, check in shown.items() if name not in binding),
    )


def _tighter(base: PlannedCheck | None, head: PlannedCheck, path: str) -> PlannedCheck:
    if base is None:
        return head
    winner = _from(base, path) if base.budget < head.budget else head
    levels = [check.warn_at for check in (base, head) if check.warn_at is not None]
    warn_at = min(levels, default=None)
    useful = warn_at is not None and warn_at < winner.budget
    return replace(winner, warn_at=warn_at if useful else None)


def _from(check: PlannedCheck, path: str) -> PlannedCheck:
    return replace(check, path=check.path or path)


def _tolerance(base: Terms, head: Terms) -> tuple[date | None, str]:
    if base.warn_until is None or head.warn_until is None:
        return None, ""
    if base.warn_until <= head.warn_until:
        return base.warn_until, base.warn_reason
    return head.warn_until, head.warn_reason


def _common_waivers(base: Terms, head: Terms) -> Iterator[Waiver]:
    still = {waiver.check: waiver.until for waiver in head.waivers}
    for waiver in base.waivers:
        if waiver.check in still:
            yield replace(waiver, until=min(waiver.until, still[waiver.check]))
