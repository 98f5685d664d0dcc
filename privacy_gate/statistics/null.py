"""The exact law of low-FPR counts without leakage: no resampling, no approximation.

Without leakage the pooled scores are exchangeable, so the number T of members above the (f+1)-th
largest non-member depends on the sizes only.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from privacy_gate.statistics.tails import hypergeometric_at_least, largest


def null_p_value(true_positives: int, false_positives: int, members: int, nonmembers: int) -> float:
    """P(T_f >= true_positives) without leakage; 1 where there is no (f+1)-th non-member.

    T_f >= t says that at least t of the top t + f records are members, a hypergeometric event.
    """
    if true_positives <= 0 or false_positives >= nonmembers:
        return 1.0
    return hypergeometric_at_least(
        true_positives, members + nonmembers, members, true_positives + false_positives
    )


def null_quantile(level: float, false_positives: int, members: int, nonmembers: int) -> int:
    """The smallest t with P(T_f <= t) >= ``level`` without leakage."""
    above = largest(
        lambda t: null_p_value(t, false_positives, members, nonmembers) > 1 - level, 0, members
    )
    return above if above is not None else 0


def null_mean_log(false_positives: int, members: int, nonmembers: int) -> float:
    """E[log(1 + T_f)] / log(1 + members) without leakage: the chance level of Log-MIA.

    ``P(T_f = t) = C(t+f, f) C(n+m-t-f-1, m-f-1) / C(n+m, n)``. It is 0.178 for regime A and 0.588
    for regime B at 15 + 15 records: zero is not the zero of Log-MIA.
    """
    n, m, f = members, nonmembers, false_positives
    if f >= m:
        return 1.0
    total = mass = 0.0
    for start in range(0, n + 1, 65536):
        t = np.arange(start, min(start + 65536, n + 1), dtype=np.float64)
        log_p = (
            special.gammaln(t + f + 1)
            - special.gammaln(f + 1)
            - special.gammaln(t + 1)
            + special.gammaln(n + m - t - f)
            - special.gammaln(m - f)
            - special.gammaln(n - t + 1)
            - (special.gammaln(n + m + 1) - special.gammaln(n + 1) - special.gammaln(m + 1))
        )
        p = np.exp(log_p)
        total += float(p @ np.log1p(t))
        mass += float(p.sum())
        if mass > 1 - 1e-13 and start > n * (f + 1) / (m + 1):
            break  # the rest of the sum is below rounding
    return total / float(np.log1p(n))
