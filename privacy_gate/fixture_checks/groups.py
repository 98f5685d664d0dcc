"""Are the groups of the sides alike? A group on both sides is refused when fixtures are opened."""

from __future__ import annotations

import numpy as np

from privacy_gate.domain import Boolean, FixtureCheck, Integer
from privacy_gate.fixture_checks.levels import LEVEL
from privacy_gate.fixture_checks.permutation import rank_sum_p_value

NAME = "groups"


def group_sizes(
    groups: Integer | None, is_member: Boolean, generator: np.random.Generator
) -> FixtureCheck:
    """``groups`` (records,) numbers of groups or of shared contents, ``None`` without any.

    Sizes of member groups against those of non-member groups, by an exact two-sided rank test. One
    record of each group counts, so another size is a caution: it says that the sides were not made
    in the same way.
    """
    if groups is None:
        return FixtureCheck(NAME, "pass", "Every record is a group of its own, as declared.")
    from scipy.stats import rankdata

    _, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    of_member = is_member[first]
    means = [float(sizes[side].mean()) for side in (of_member, ~of_member)]
    p_value = rank_sum_p_value(
        rankdata(sizes),
        of_member,
        np.zeros(sizes.size, np.int64),
        generator,
        two_sided=True,
    )
    differs = p_value <= LEVEL
    found = (
        f"{int(of_member.sum())} groups of {means[0]:.3g} member records and"
        f" {int((~of_member).sum())} of {means[1]:.3g} non-member records on average"
        f" (p = {p_value:.2g})"
    )
    return FixtureCheck(
        NAME,
        "inconclusive" if differs else "pass",
        f"No group is on both sides, but their sizes differ: {found}."
        if differs
        else f"No group is on both sides: {found}.",
        statistic=means[0] - means[1],
        advice="Put whole groups on one side by the same rule." if differs else "",
        p_value=p_value,
        level=LEVEL,
    )
