"""Correction for testing several budgets at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Which hypotheses are rejected with a family-wise error of at most ``level`` (Holm 1979).

    "Every check passes" needs no correction: it is an intersection-union test (Berger 1982).
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = [False] * len(p_values)
    for position, index in enumerate(order):
        if not p_values[index] <= level / (len(p_values) - position):
            break
        rejected[index] = True
    return rejected
