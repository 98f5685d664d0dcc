"""Are there enough evaluation records for every rate that has a budget?"""

from __future__ import annotations

from collections.abc import Collection

from privacy_gate.domain import FixtureCheck, Metric, Sizes
from privacy_gate.statistics.rate_at_rate import records_to_observe

NAME = "minimum-size"

_SIDES = {"tpr_at_fpr": ("FPR", "non-members"), "tnr_at_fnr": ("FNR", "members")}
"""Metric -> its rate, and the side that sets the threshold for it."""


def minimum_size(metrics: Collection[Metric], sizes: Sizes, confidence: float) -> FixtureCheck:
    """Every budgeted FPR needs enough non-members that a threshold can be bounded below it, every
    FNR enough members: the smallest m with (1 - rate)^m below the error of a bound."""
    level = (1 - confidence) / 2
    short, largest = [], 0
    for metric in dict.fromkeys(metrics):
        if metric.name not in _SIDES:
            continue
        rate = float(metric.argument or 0.0)
        word, side = _SIDES[metric.name]
        have = sizes.nonmembers if side == "non-members" else sizes.members
        need = records_to_observe(rate, level)
        largest = max(largest, need)
        if have < need:
            short.append(f"{word} {rate:g} needs {need:,} {side} and has {have:,}")
    if not short:
        message = (
            f"{sizes.members:,} members and {sizes.nonmembers:,} non-members are judged; the"
            f" budgeted rates need {largest:,}."
        )
        return FixtureCheck(NAME, "pass", message, statistic=float(largest))
    return FixtureCheck(
        NAME,
        "inconclusive",
        f"Too few evaluation records for a leak to be shown: {'; '.join(short)}.",
        statistic=float(largest),
        advice="Add records, or use budgets at higher rates; privacy-gate plan names the sizes.",
    )
