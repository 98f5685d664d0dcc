"""Do attacks point towards the members? Judged attack by attack; here said once for all of them."""

from __future__ import annotations

from collections.abc import Collection

from privacy_gate.domain import FixtureCheck
from privacy_gate.verdict import DIRECTION_LEVEL

NAME = "direction"


def direction(attacks: int, wrong: Collection[str]) -> FixtureCheck:
    """``attacks`` ran; those in ``wrong`` have an AUC credibly below 0.5 (Holm). Together with
    members that are predicted worse this is refused as exchanged sides (guards.py)."""
    if not wrong:
        message = "No attack scores non-members credibly above members."
        return FixtureCheck(NAME, "pass", message, statistic=0.0, level=DIRECTION_LEVEL)
    return FixtureCheck(
        NAME,
        "inconclusive",
        f"{len(wrong)} of {attacks} attacks score non-members credibly above members: sides may be"
        " exchanged or differ in more than training, and none of these attacks can pass.",
        statistic=float(len(wrong)),
        advice="Check that members and non-members are not exchanged, and that a higher score means"
        " member.",
        level=DIRECTION_LEVEL,
    )
