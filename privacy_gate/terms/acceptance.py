"""Fixture checks that stop a verdict, and the reasons for which the terms accept what they found.

Members and non-members that differ in more than training can make a leak look larger, or hide it:
then a pass says as little as a fail. Acceptance is a term: a reason, said by those who may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from privacy_gate.domain import Check, FixtureCheck, Verdict

CAN_BLOCK = ("blind-baseline", "label-shift", "duplicates", "accuracy", "ties")
"""Names of the fixture checks that can block, which are also those that can be accepted."""

_ONLY_HIDES = ("ties",)
"""Those that can hide a leak and cannot make one: scores that are tied are ordered by lot, and what
an attack shows all the same is shown."""


def blocking(
    checks: Iterable[FixtureCheck], accepted: Mapping[str, str]
) -> tuple[FixtureCheck, ...]:
    """The checks as terms judge them that accept what is named in ``accepted``, name -> reason.

    A check that found nothing that blocks needs no acceptance; one that claims another acceptance
    than these blocks again.
    """
    return tuple(
        replace(
            check,
            blocking=check.name not in accepted,
            accepted=accepted.get(check.name, ""),
        )
        if check.blocking or check.accepted
        else check
        for check in checks
    )


def held_verdicts(fixture_checks: Iterable[FixtureCheck]) -> frozenset[Verdict]:
    """The verdicts that the fixtures cannot carry: none; passes; or passes and fails."""
    stopping = {found.name for found in fixture_checks if found.blocking}
    if not stopping:
        return frozenset()
    return frozenset({"pass"} if stopping <= set(_ONLY_HIDES) else {"pass", "fail"})


def held_back(checks: Iterable[Check], fixture_checks: Sequence[FixtureCheck]) -> list[Check]:
    """The checks, inconclusive where their verdict is one that the fixtures cannot carry."""
    held = held_verdicts(fixture_checks)
    stopping = [found for found in fixture_checks if found.blocking]
    names = " and ".join(found.name for found in stopping)
    word = "check" if len(stopping) == 1 else "checks"
    reason = f"Undecided, because the fixture {word} {names} did not pass."
    advice = " ".join(found.advice for found in stopping)
    return [
        replace(check, verdict="inconclusive", message=f"{reason} {check.message}", advice=advice)
        if check.verdict in held
        else check
        for check in checks
    ]
