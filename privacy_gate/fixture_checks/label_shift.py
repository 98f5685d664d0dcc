"""Do both sides have the same share of every class? An exact test of the table of counts."""

from __future__ import annotations

import numpy as np

from privacy_gate.domain import Boolean, FixtureCheck, Float, Integer
from privacy_gate.fixture_checks.levels import LEVEL
from privacy_gate.fixture_checks.permutation import sequential_p_value

NAME = "label-shift"
MOST_CLASSES = 1_000


def too_many(labels: Integer) -> bool:
    """Whether labels (n,) are nearly all different, so that they are no classes: numbers to
    predict, or texts."""
    classes = np.unique(labels).size
    return classes > MOST_CLASSES or classes > labels.size / 8


def label_shift(
    labels: Integer, is_member: Boolean, classes: int | None, generator: np.random.Generator
) -> FixtureCheck:
    """``labels`` (n,) positions of the labels of independent records; ``classes``: how many there
    should be, if known.

    Pearson's statistic of the 2 × classes table, against draws with the same margins.
    """
    if too_many(labels):
        message = "The labels are nearly all different: only the blind baseline looks at them."
        return FixtureCheck(NAME, "pass", message)
    totals = np.unique(labels, return_inverse=True)[1]
    counts = np.bincount(totals)
    members = np.bincount(totals[is_member], minlength=counts.size)
    n, m = int(is_member.sum()), int((~is_member).sum())
    expected = counts * (n / labels.size)
    scale = counts * (n * m / labels.size**2)

    def statistic(table: Integer) -> Float:
        return np.asarray(((table - expected) ** 2 / scale).sum(axis=-1))

    p_value = sequential_p_value(
        float(statistic(members)),
        lambda draws: statistic(generator.multivariate_hypergeometric(counts, n, draws)),
    )
    shift = float(np.abs(members / n - (counts - members) / m).max())
    one_sided = int(((members == 0) | (members == counts)).sum())
    absent = max(0, (classes or 0) - counts.size)
    found = f"the share of a class differs by up to {shift:.3f} (p = {p_value:.2g})"
    if one_sided or absent:
        found += f"; {one_sided} classes occur on one side only and {absent} on neither"
    shifted = p_value <= LEVEL
    return FixtureCheck(
        NAME,
        "inconclusive" if shifted else "pass",
        f"The labels are distributed differently: {found}."
        if shifted
        else f"Both sides have the same mix of labels as far as chance allows: {found}.",
        statistic=shift,
        advice="Draw members and non-members from the same records, best by coin flips"
        " (privacy-gate fixtures build --from)."
        if shifted
        else "",
        p_value=p_value,
        level=LEVEL,
        blocking=shifted,
    )
