"""Does the candidate know its members at least as well as outsiders?"""

from __future__ import annotations

from privacy_gate.domain import Boolean, FixtureCheck
from privacy_gate.fixture_checks.levels import LEVEL
from privacy_gate.statistics.tails import hypergeometric_at_least

NAME = "accuracy"


def fitted(correct: Boolean, is_member: Boolean) -> FixtureCheck:
    """``correct`` (n,) whether the model is right about each independent record.

    Fisher's exact test of "members are not predicted worse". Members predicted as well as
    non-members is what a model that generalises shows, so it is said, not held against it.
    """
    n, m = int(is_member.sum()), int((~is_member).sum())
    right = int(correct.sum())
    right_outside = int(correct[~is_member].sum())
    inside, outside = (right - right_outside) / n, right_outside / m
    p_value = hypergeometric_at_least(right_outside, n + m, right, m)
    worse = p_value <= LEVEL
    found = f"it is right on {inside:.3f} of the members and {outside:.3f} of the non-members"
    if worse:
        message = (
            f"The model knows its members less well than outsiders: {found} (p = {p_value:.2g})."
        )
    elif inside > outside:
        message = f"The model fits its members at least as well as outsiders: {found}."
    else:
        message = (
            f"The model does not fit its members better than outsiders: {found}. A model that"
            " generalises does that, and so does one that was not trained on these members, or was"
            " trained on the non-members, too."
        )
    return FixtureCheck(
        NAME,
        "inconclusive" if worse else "pass",
        message,
        statistic=inside - outside,
        advice="Check that members and non-members are not exchanged, and that the members are what"
        " this model was trained on; a training receipt proves it (docs/membership.md)."
        if worse
        else "",
        p_value=p_value,
        level=LEVEL,
        blocking=worse,
    )
