"""Are there copies of members among the non-members? Exact ones, and near ones.

A near copy lies much closer to one record of the other side than to its five nearest there. How
small that ratio gets by itself is told by the records of a side among each other, so that data
whose records are alike (digits, forms) raise no alarm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from privacy_gate.domain import Boolean, FixtureCheck, Float
from privacy_gate.fixture_checks.closeness import crowding
from privacy_gate.fixture_checks.features import Block
from privacy_gate.fixture_checks.levels import LEVEL
from privacy_gate.statistics.tails import binomial_at_least

NAME = "duplicates"
LEAST = 5
"""Near copies that a verdict needs; fewer are counted in the message."""

TOLD = 0.05
"""Least ratio of distances at which near copies can be told: where only closer ones stand out from
ordinary neighbours, copies that differ by a little are among these."""

MANY = 0.01
"""Share of the non-members from which on near copies could hide what 1 % FPR shows."""

_ALIKE = "records this alike hide near copies: they cannot be told from ordinary neighbours"
_EXPECTED = 0.05
_CLOSEST = 0.2
_TAIL = 0.05


@dataclass(frozen=True, slots=True)
class NearCopies:
    """``across``: non-members with a near copy among the members; ``within``: pairs of near copies
    inside the sides; ``p_value`` of "no more across than by nature"; ``threshold``: the widest
    ratio of distances at which copies can be told."""

    across: int
    within: int
    p_value: float
    threshold: float


def near_copies(places: Block, is_member: Boolean) -> NearCopies:
    """``places`` (n, d) of independent records, see ``closeness``.

    The lower tail of the ratios within the sides is taken as a power law, its exponent from two
    quantiles (Pickands 1975), which a few near copies there do not move, and the threshold set
    where 0.05 near copies across are expected from it. With none within the sides, ``LEAST`` across
    have a Poisson probability of 2.6e-9; where there are some, they are by nature, and those across
    are compared with them: each near pair is across with the same chance.

    One natural pair within would hide five planted ones, so half the threshold is tried, too
    (Bonferroni): natural near copies are seldom as near.

    That no more are expected is an assumption about nature, and no rule does without: five planted
    copies look like five natural ones that all fall across, which has a chance of 1/32. Where
    nature makes a few, and none falls within, the alarm is a false one: at worst in 0.93 % of
    splits at either threshold (a Poisson number across with a mean of 2.8, and as many within).
    """
    members, nonmembers = places[is_member], places[~is_member]
    n, m = len(members), len(nonmembers)
    inside = np.concatenate([crowding(members), crowding(nonmembers)])
    between, threshold = crowding(nonmembers, members), _threshold(inside, m)
    share = n * m / (n * m + n * (n - 1) / 2 + m * (m - 1) / 2)
    tried = []
    for ratio in (threshold, threshold / 2):
        across = int((between <= ratio).sum())
        within = math.ceil(int((inside <= ratio).sum()) / 2)  # both of a pair have the other one
        p_value = min(1.0, 2 * _by_nature(across, within, share))
        tried.append(NearCopies(across, within, p_value, threshold))
    return min(tried, key=lambda found: found.p_value)


def _by_nature(across: int, within: int, share: float) -> float:
    """P-value of so many near copies across, where each natural pair is across with the chance
    ``share``."""
    if within:
        return binomial_at_least(across, across + within, share)
    # P(Poisson >= across) <= expected^across / across!
    return float(_EXPECTED**across / math.factorial(min(across, 100)))


def _threshold(ratios: Float, count: int) -> float:
    """The ratio below which ``_EXPECTED`` of ``count`` records lie by nature; never above a fifth,
    where "much closer" ends."""
    ordered = np.sort(ratios)
    tail = max(10, int(_TAIL * ordered.size))
    end, middle = float(ordered[tail]), float(ordered[tail // 2])
    if not 0 < middle < end:
        return 0.0  # so many are equal to another one that nothing else is near
    # the exponent less about two standard errors, which lowers the threshold
    exponent = math.log(2) / math.log(end / middle) * max(0.3, 1 - 2 / math.sqrt(tail))
    below = _EXPECTED / (count * tail / ordered.size)
    return min(_CLOSEST, end * math.pow(below, 1 / exponent))


def duplicates(exact: tuple[int, int], places: Block, is_member: Boolean) -> FixtureCheck:
    """``exact``: member and non-member records whose content is on the other side, too, under
    another identifier; they are left out of ``places`` (n, d) and of all counts."""
    sides = (int(is_member.sum()), int((~is_member).sum()))
    compared = f"{sides[0]:,} + {sides[1]:,} records compared"
    near = near_copies(places, is_member) if min(sides) > 20 else NearCopies(0, 0, 1.0, 0.0)
    alarm = near.across >= LEAST and near.p_value <= LEVEL
    found = []
    if any(exact):
        found.append(
            f"{exact[0]} members and {exact[1]} non-members have the same content under different"
            " identifiers: if they are copies of one record, nobody knows on which side it belongs,"
            " and they are left out"
        )
    if alarm:
        found.append(
            f"{near.across} non-members are near copies of members, where the sides themselves have"
            f" {near.within} such pairs (p = {near.p_value:.2g}; {compared})"
        )
    said = found or [
        f"no content is on both sides, and near copies are no more frequent across the sides"
        f" ({near.across}) than within them ({near.within} pairs); {compared}"
    ]
    if not alarm and near.threshold < TOLD:
        said = [*said, _ALIKE]
    message = "; ".join(said)
    return FixtureCheck(
        NAME,
        "inconclusive" if found else "pass",
        f"{message[0].upper()}{message[1:]}.",
        statistic=float(sum(exact) + near.across),
        advice="Remove the copies from one side, or give what belongs together one group; a model"
        " that saw a copy knows the original."
        if found
        else "",
        p_value=near.p_value,
        level=LEVEL,
        blocking=alarm and near.across > MANY * sides[1],
    )
