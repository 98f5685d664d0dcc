"""What a report says about waivers and tolerated inconclusiveness: what they are, what is odd."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from typing import Any

from privacy_gate.terms.types import Terms

INCONCLUSIVE = "inconclusive checks"
"""What stands in the place of a check's id where all inconclusive checks are tolerated."""


def waiver_facts(terms: Terms, today: date) -> tuple[dict[str, Any], ...]:
    """``Report.waivers``: ``check``, ``reason``, ``until``, ``approved_by`` and ``expired``."""
    found = [
        {"check": waiver.check, **waiver.facts(), "expired": waiver.until < today}
        for waiver in terms.waivers
    ]
    if terms.warn_until is not None:
        tolerance = {
            "check": INCONCLUSIVE,
            "reason": terms.warn_reason,
            "until": terms.warn_until.isoformat(),
            "approved_by": "",
            "expired": terms.warn_until < today,
        }
        found.append(tolerance)
    return tuple(found)


def waiver_cautions(terms: Terms, today: date) -> Iterator[str]:
    """Sentences about waivers that have no effect."""
    names = [check.id for check in terms.checks]
    for waiver in terms.waivers:
        if waiver.check not in names:
            near = get_close_matches(waiver.check, names, n=1)
            hint = f" Is {near[0]} meant?" if near else ""
            yield f"The waiver of {waiver.check} has no effect: there is no such check.{hint}"
        elif waiver.until < today:
            day = waiver.until.isoformat()
            yield f"The waiver of {waiver.check} ended on {day}: it has no effect any more."
